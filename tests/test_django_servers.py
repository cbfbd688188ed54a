"""LiveVoice in a Django project under real servers, in processes of their own: gunicorn, daphne, uvicorn, runserver."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.processes import ROOT
from tests.voice_visitors import DJANGO_SERVERS, TONE, Page, nobody_talks, status_of, token_of, visited
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on no Windows: the platform's")

for package in ("django", "channels", "daphne", "uvicorn"):
    pytest.importorskip(package, reason=f"the package {package} is in the extra test-all")

CHANNELS = ("daphne", "uvicorn")


@pytest.mark.waits
@pytest.mark.parametrize("server", DJANGO_SERVERS)
def test_more_visitors_than_the_server_has_threads_talk_at_once_and_pages_are_served_beside_them(server: str) -> None:
    with visited(DJANGO_SERVERS[server]) as (process, emulator):
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


@pytest.mark.waits
@pytest.mark.parametrize("server", CHANNELS)
def test_a_sync_consumer_that_takes_its_time_keeps_no_visitor_waiting(server: str) -> None:
    with visited(DJANGO_SERVERS[server]) as (process, _):
        address = f"{process.url.replace('http', 'ws')}/slow/"
        with connect(address, open_timeout=PATIENCE) as slow, Page(process.url) as page:
            page.comes("state_changed", state="listening")
            assert slow.recv(PATIENCE) == "a visitor talks"


@pytest.mark.parametrize("server", ["gunicorn gthread", "daphne"])
def test_authorize_sees_the_user_of_the_session(server: str, tmp_path: Path) -> None:
    environment = {"VISITED_LOGIN": str(tmp_path / "users.sqlite3")}
    login = subprocess.run(
        [sys.executable, "-c", LOGIN],
        env={**os.environ, **environment, "GEMINI_API_KEY": "no-key"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    cookie = login.stdout.strip()
    with visited(DJANGO_SERVERS[server], environment) as (process, _):
        assert status_of(f"{process.url}/voice/token") == 403
        ann = token_of(process.url, Cookie=cookie)
        with Page(process.url, ann) as page:
            assert page.comes("refused")["reason"] == "refused"
            assert page.close_code == 1008
        with Page(process.url, ann, additional_headers={"Cookie": cookie}) as page:
            page.comes("state_changed", state="listening")


LOGIN = """
import sys

import tests.visited_django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING", stdout=sys.stderr)
ann = get_user_model().objects.create_user("ann")
client = Client()
client.force_login(ann)
print("sessionid=" + client.cookies["sessionid"].value)
"""


@pytest.mark.waits
@pytest.mark.parametrize("server", DJANGO_SERVERS)
def test_strangers_are_refused(server: str) -> None:
    with visited(DJANGO_SERVERS[server]) as (process, emulator):
        with Page(process.url, origin="https://evil.example") as page:
            assert page.comes("refused")["reason"] == "origin"
        with Page(process.url, "no token") as page:
            assert page.comes("refused")["reason"] == "token"
        assert status_of(f"{process.url}/voice/token", Origin="https://evil.example") == 403
        assert status_of(f"{process.url}/voice/") == 426
        assert status_of(f"{process.url}/voice/django.py") == 404
        assert not emulator.received


@pytest.mark.waits
@pytest.mark.parametrize("server", DJANGO_SERVERS)
def test_a_worker_that_is_told_to_end_lets_the_model_finish_and_sends_its_pages_away(server: str) -> None:
    with visited(DJANGO_SERVERS[server]) as (process, emulator):
        with Page(process.url) as page:
            page.comes("state_changed", state="listening")
            page.say("text", text="Hello")
            page.comes("state_changed", state="speaking")
            process.process.terminate()
            page.comes("turn_ended")
            assert page.close_code == 1012
        until(lambda: nobody_talks(emulator))


@pytest.mark.waits
@pytest.mark.parametrize("server", CHANNELS)
def test_a_second_sigterm_cuts_the_model_short_and_the_pages_are_sent_away_all_the_same(server: str) -> None:
    with visited(DJANGO_SERVERS[server]) as (process, _), Page(process.url) as page:
        page.comes("state_changed", state="listening")
        page.say("text", text="Tell me a long story, please. " * 60)
        page.comes("state_changed", state="speaking")
        process.process.terminate()
        with Page(process.url) as late:  # the worker has heard the first
            assert late.comes("refused")["reason"] == "moving"
        process.process.terminate()
        assert page.close_code == 1012
        assert not page.of("turn_ended")
        process.process.wait(PATIENCE)


@pytest.mark.waits
def test_a_worker_that_has_served_its_requests_sends_its_pages_away() -> None:
    command = [*DJANGO_SERVERS["gunicorn gthread"], "--max-requests", "3"]
    with visited(command) as (process, _), Page(process.url) as page:
        page.comes("state_changed", state="listening")
        urllib.request.urlopen(process.url).close()  # the third, after token and socket
        assert page.close_code == 1012


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def runserver() -> list[str]:
    return ["tests.visited_django", "runserver", "--noreload", f"127.0.0.1:{free_port()}"]


@pytest.mark.waits
def test_runserver_goes_through_channels_where_daphne_is_installed() -> None:
    with visited(runserver()) as (process, _), Page(process.url) as page:
        page.comes("state_changed", state="listening")


@pytest.mark.waits
def test_runserver_without_channels_says_which_command_can() -> None:
    with visited(runserver(), {"VISITED_PLAIN": "1"}) as (process, _):
        host = process.url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=PATIENCE)
        key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "a" * 22 + "=="}
        connection.request("GET", "/voice/", headers={"Connection": "Upgrade", "Upgrade": "websocket", **key})
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        assert answer.status == 501
        assert "gunicorn -k gthread" in said
        assert "daphne" in said
        assert said in process.log


@pytest.mark.waits
def test_an_asgi_application_without_a_route_for_sockets_is_told_so_with_the_first_token() -> None:
    with visited(["uvicorn", "--port", "0", "tests.visited_django:http"], {"VISITED_PLAIN": "1"}) as (process, _):
        for _ in range(2):
            token_of(process.url)
        assert process.log.count("has no route for its WebSocket") == 1


SAMPLE = str(ROOT / "samples" / "django_voice")


@pytest.mark.waits
@pytest.mark.parametrize("server", ["gunicorn", "runserver"])
def test_the_sample_talks(server: str) -> None:
    command = {
        "gunicorn": ["gunicorn", "-b", "127.0.0.1:0", "-k", "gthread", "--threads", "8", "voice_site.wsgi"],
        "runserver": ["manage", "runserver", "--noreload", f"127.0.0.1:{free_port()}"],
    }[server]
    with visited(command, {"PYTHONPATH": SAMPLE}) as (process, _), Page(process.url) as page:
        page.comes("state_changed", state="listening")
        page.say("text", text="Hello")
        assert page.comes("turn_ended")
        with urllib.request.urlopen(process.url) as answer:
            assert b"<genai-live-voice" in answer.read()
