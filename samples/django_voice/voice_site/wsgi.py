"""``gunicorn -k gthread --threads 8 voice_site.wsgi``, from the directory of manage.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voice_site.settings")
application = get_wsgi_application()
