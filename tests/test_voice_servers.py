"""LiveVoice under real web servers in processes of their own: a conversation under each, ends of workers, abrupt visitors."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trustme

from genai_live._network.frames import TEXT, frame
from tests.processes import ROOT
from tests.tls_front import plain_front
from tests.voice_visitors import GTHREAD, SERVERS, TONE, Page, nobody_talks, token_of, visited
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on no Windows: the platform's")


@pytest.mark.waits
@pytest.mark.parametrize("server", SERVERS)
def test_more_visitors_than_the_server_has_threads_talk_at_once_and_pages_are_served_beside_them(server: str) -> None:
    with visited(SERVERS[server]) as (process, _):
        pages = [Page(process.url) for _ in range(4)]
        for page in pages:
            page.comes("state_changed", state="listening")
        talking = [threading.Thread(target=page.talk, args=(TONE,)) for page in pages]
        for thread in talking:
            thread.start()
        assert urllib.request.urlopen(process.url, timeout=PATIENCE).status == 200
        for thread in talking:
            thread.join(PATIENCE)
        for page in pages:
            assert page.comes("model_words", final=True)["text"].startswith("I heard")
            assert page.sound
        for page in pages:
            page.say("stop")
            assert page.close_code == 1000


@pytest.mark.waits
@pytest.mark.parametrize("server", ["gunicorn gthread", "gunicorn gevent", "werkzeug"])
def test_a_server_with_its_own_tls_lends_its_sockets_and_gets_them_back(server: str) -> None:
    context, authority = ssl.create_default_context(), trustme.CA()
    authority.configure_trust(context)
    with TemporaryDirectory() as directory:
        pem = Path(directory) / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
        names = ("--cert", "--key") if server == "werkzeug" else ("--certfile", "--keyfile")
        command = [*SERVERS[server], *(argument for name in names for argument in (name, str(pem)))]
        with visited(command) as (process, emulator), plain_front(int(process.url.rpartition(":")[2]), context) as port:
            page = Page(f"http://127.0.0.1:{port}", token_of(process.url, context))
            page.comes("state_changed", state="listening")
            page.talk(TONE)
            page.comes("turn_ended")
            page.say("stop")
            assert page.close_code == 1000
            until(lambda: nobody_talks(emulator))


@pytest.mark.waits
@pytest.mark.parametrize("server", ["gunicorn gthread", "gunicorn gevent"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_that_ends_says_so_to_its_pages(server: str, how: signal.Signals) -> None:
    with visited(SERVERS[server]) as (process, emulator):
        with Page(process.url) as talking, Page(process.url) as silent:
            silent.comes("state_changed", state="listening")
            talking.comes("state_changed", state="listening")
            talking.say("text", text="Hello")
            talking.comes("state_changed", state="speaking")
            process.process.send_signal(how)
            assert silent.close_code == 1012
            assert talking.close_code == 1012
            assert talking.of("turn_ended")
        until(lambda: nobody_talks(emulator))


VISITORS = """
import sys, threading
from tests.voice_visitors import Page
pages = [Page(sys.argv[1], sys.argv[2]) for _ in range(int(sys.argv[3]))]
for page in pages:
    page.talks_or_is_gone()
print("here", flush=True)
threading.Event().wait()
"""


@pytest.mark.waits
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the platform has no /proc")
def test_a_worker_that_gunicorn_gives_up_waiting_for_sends_its_pages_away_before_it_is_killed() -> None:
    with visited(GTHREAD) as (process, emulator), Page(process.url) as page:
        page.comes("state_changed", state="listening")
        page.say("text", text="Tell me a long story, please. " * 60)
        page.comes("state_changed", state="speaking")
        worker = worker_of(process.process.pid)
        process.process.send_signal(signal.SIGHUP)
        until(lambda: f"Worker exiting (pid: {worker})" in process.log)
        while not page.gone.wait(3.0):  # what gunicorn sends when --timeout is over; too early it ends nothing
            os.kill(worker, signal.SIGABRT)
        assert page.close_code == 1012
        assert not page.of("turn_ended")
        assert "keep drain_timeout below" in process.log
        until(lambda: nobody_talks(emulator))


def left_of(pid: int) -> tuple[int, int]:
    """Threads and descriptors of a process."""
    process = Path(f"/proc/{pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def worker_of(master: int) -> int:
    return int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the platform has no /proc")
def test_of_300_abrupt_visitors_nothing_is_left() -> None:
    with visited(GTHREAD, idle_timeout=2.0, total_timeout=2.0) as (process, emulator):
        token = token_of(process.url)
        with Page(process.url, token) as first:  # all that starts once has started
            first.talks_or_is_gone()
        until(lambda: nobody_talks(emulator))
        worker = worker_of(process.process.pid)
        threads = 1 + 2  # gunicorn's own: the second of its pool starts when the first is busy, in these visits or those below
        until(lambda: left_of(worker)[0] <= threads)
        descriptors = left_of(worker)[1]
        stopped = subprocess.Popen([sys.executable, "-c", VISITORS, process.url, token, "20"], stdout=subprocess.PIPE, cwd=ROOT)
        try:
            for number in range(280):
                page = Page(process.url, token)
                if number % 3:
                    page.talks_or_is_gone()
                (page.cut if number % 2 else page.reset)()
            assert stopped.stdout is not None
            assert stopped.stdout.readline() == b"here\n"
            stopped.send_signal(signal.SIGSTOP)
            until(lambda: nobody_talks(emulator))
            until(lambda: left_of(worker)[0] <= threads)
            until(lambda: left_of(worker)[1] <= descriptors)
            assert len(emulator.sessions) > 1
        finally:
            stopped.kill()
            stopped.communicate()


class Deaf:
    """A visitor who speaks and never reads: what the server sends fills the network's buffers, and then waits."""

    def __init__(self, url: str, token: str) -> None:
        host = url.removeprefix("http://")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect((host.partition(":")[0], int(host.partition(":")[2])))
        lines = (
            "GET /voice/ HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
        )  # fmt: skip
        self.socket.sendall("\r\n".join(lines).encode())
        assert self.socket.recv(4_096).startswith(b"HTTP/1.1 101")
        self.say("start", version=1, token=token, conversation=None)

    def say(self, event: str, **fields: Any) -> None:
        self.socket.sendall(frame(TEXT, json.dumps({"event": event, **fields}).encode()))


def memory_of(pid: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the platform has no /proc")
def test_a_visitor_who_reads_nothing_takes_little_memory_and_nothing_from_others() -> None:
    with visited(GTHREAD, idle_timeout=None, total_timeout=10.0) as (process, emulator):
        token = token_of(process.url)
        with Page(process.url, token) as page:
            page.comes("state_changed", state="listening")
            before = memory_of(worker_of(process.process.pid))
            deaf = [Deaf(process.url, token) for _ in range(5)]
            for _ in range(20):
                for each in deaf:
                    each.say("text", text="Tell me more. " * 300)
            page.talk(TONE)
            page.comes("turn_ended")
            assert memory_of(worker_of(process.process.pid)) < before + 60_000_000
            for each in deaf:
                each.socket.close()
        until(lambda: nobody_talks(emulator))
