"""The page, and the voice below ``/voice/``."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from genai_live.web import RedisStore
from genai_live.web.django import LiveVoice

PAGE = """<!doctype html><title>Talk</title><script type="module" src="/voice/genai-live-voice.js"></script>
<genai-live-voice src="/voice/"></genai-live-voice>"""

voice = LiveVoice(model=settings.MODEL, store=RedisStore(settings.REDIS_URL) if settings.REDIS_URL else None)


def page(_: HttpRequest) -> HttpResponse:
    """A button, and the transcript."""
    return HttpResponse(PAGE)


urlpatterns = [path("", page), path("voice/", voice.urls)]
