"""A Django project with a voice, in one file, for servers in processes of their own; its settings are JSON in VISITED_SETTINGS.

``application`` is for WSGI servers, ``asgi`` for others. With VISITED_LOGIN only users of ``django.contrib.auth`` may talk, in
the database at that path. With VISITED_STORE conversations wait in the Redis of that URL. With
VISITED_PLAIN it has no Channels, and ``http`` is its ASGI application.
"""

from __future__ import annotations

import json
import mimetypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path

DATABASE = os.environ.get("VISITED_LOGIN", "")
settings.configure(
    SECRET_KEY="a secret of tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        *([] if "VISITED_PLAIN" in os.environ else ["daphne"]),
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        f"{__name__}.Sessions",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    if DATABASE
    else ["django.middleware.common.CommonMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}} if DATABASE else {},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ASGI_APPLICATION=f"{__name__}.{'http' if 'VISITED_PLAIN' in os.environ else 'asgi'}",
    WSGI_APPLICATION=f"{__name__}.application",
)
django.setup()

from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.exceptions import PermissionDenied  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

from genai_live import Client  # noqa: E402
from genai_live.web.django import LiveVoice  # noqa: E402
from tests.waiting import PATIENCE  # noqa: E402

PAGE = Path(__file__).parent / "js" / "page"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'"


def user_of(request: HttpRequest) -> str:
    if not request.user.is_authenticated:
        raise PermissionDenied
    return str(request.user.get_username())


def options() -> dict[str, Any]:
    given: dict[str, Any] = json.loads(os.environ.get("VISITED_SETTINGS", "{}"))
    if DATABASE:
        given["authorize"] = user_of
    if "VISITED_STORE" in os.environ:
        from genai_live.web import RedisStore

        given["store"] = RedisStore(os.environ["VISITED_STORE"])
    return given


voice = LiveVoice(Client(shared_reader=True), model="emulator", **options())


class Sessions(SessionMiddleware):  # type: ignore[misc] # django has no types
    """What a project may have made of Django's."""


class Slow(WebsocketConsumer):  # type: ignore[misc] # channels has no types
    """A sync consumer of another part of the project, which takes its time: all of them share one thread."""

    def connect(self) -> None:
        self.accept()
        pause, patience = threading.Event(), time.monotonic() + PATIENCE
        while not len(voice) and time.monotonic() < patience:
            pause.wait(0.05)
        self.send(text_data="a visitor talks" if len(voice) else "nobody came")


def strictly(response: HttpResponseBase) -> HttpResponseBase:
    response["Content-Security-Policy"] = POLICY
    return response


def page(request: HttpRequest, name: str = "index.html") -> HttpResponseBase:
    file = PAGE / name
    return strictly(HttpResponse(file.read_bytes(), content_type=mimetypes.guess_type(name)[0]))


urlpatterns = [path("", page), path("voice/", voice.urls), path("again/", voice.urls), path("<str:name>", page)]
application = get_wsgi_application()
http = get_asgi_application()
if "VISITED_PLAIN" not in os.environ:
    sockets = [path("slow/", Slow.as_asgi()), path("voice/", URLRouter(voice.websocket_urlpatterns))]
    asgi = ProtocolTypeRouter({"http": http, "websocket": URLRouter(sockets)})

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
