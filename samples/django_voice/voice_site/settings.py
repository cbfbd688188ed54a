"""Settings of a small project. ``daphne`` stands first, so that ``runserver`` goes through Channels: its own has no sockets."""

import os

DEBUG = os.environ.get("DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY", "for this machine only")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
INSTALLED_APPS = ["daphne"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "voice_site.urls"
WSGI_APPLICATION = "voice_site.wsgi.application"
ASGI_APPLICATION = "voice_site.asgi.application"

MODEL = os.environ.get("MODEL", "gemini-3.8-live")
REDIS_URL = os.environ.get("REDIS_URL")
"""Where conversations wait when their worker ends: set it where several workers serve."""
