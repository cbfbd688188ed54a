"""Commands of the project: ``python manage.py runserver``, then http://127.0.0.1:8000. As Django makes it."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voice_site.settings")
    execute_from_command_line(sys.argv)
