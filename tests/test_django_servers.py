"""LiveVoice in a Django project under real servers, in processes of their own: gunicorn, daphne, uvicorn, runserver."""

from __future__ import annotations

import sys
import threading
import urllib.request
import pytest

from tests.test_flask_voice import TONE
from tests.voice_visitors import Page, nobody_talks, visited
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on no Windows: the platform's")

GTHREAD = ["gunicorn", "-b", "127.0.0.1:0", "-k", "gthread", "--threads", "2", "tests.visited_django"]
SERVERS = {
    "gunicorn gthread": GTHREAD,
    "gunicorn gevent": ["gunicorn", "-b", "127.0.0.1:0", "-k", "gevent", "tests.visited_django"],
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "0", "tests.visited_django:asgi"],
    "uvicorn": ["uvicorn", "--port", "0", "tests.visited_django:asgi"],
}
CHANNELS = ("daphne", "uvicorn")


@pytest.mark.waits
@pytest.mark.parametrize("server", SERVERS)
def test_more_visitors_than_the_server_has_threads_talk_at_once_and_pages_are_served_beside_them(server: str) -> None:
    with visited(SERVERS[server]) as (process, emulator):
        pages = [Page(process.url) for _ in range(4)]
        for page in pages:
            page.comes("state_changed", state="listening")
        talking = [threading.Thread(target=page.talk, args=(TONE,)) for page in pages]
        for thread in talking:
            thread.start()
        for path in ("", "voice/genai-live-voice.js"):
            with urllib.request.urlopen(f"{process.url}/{path}", timeout=2.0) as answer:
                assert answer.status == 200
        for thread in talking:
            thread.join()
        for page in pages:
            assert page.comes("turn_ended")["utterances"][1]["text"].startswith("I heard")
            page.say("stop")
            assert page.close_code == 1000
        until(lambda: nobody_talks(emulator))
