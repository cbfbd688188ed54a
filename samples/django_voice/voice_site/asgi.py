"""``daphne voice_site.asgi:application`` or ``uvicorn voice_site.asgi:application``, from the directory of manage.py."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voice_site.settings")
http = get_asgi_application()  # first: it reads the settings

from voice_site.urls import voice  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter([path("voice/", URLRouter(voice.websocket_urlpatterns))])})
