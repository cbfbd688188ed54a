"""Visitors without a browser: a page's side of the wire format over ``websockets``, and web servers that they come to."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import flask
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from werkzeug.serving import BaseWSGIServer, make_server

from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.web.flask import LiveVoice
from genai_live.web.wire_format import PRIVATE
from tests.processes import ROOT
from tests.waiting import PATIENCE, until

CHUNK = 1_280
"""Bytes of 40 ms at 16,000 Hz."""
OUTPUT_BYTES = 48_000
"""Bytes of a second at 24,000 Hz."""
TONE = (b"\0\x20" * 8 + b"\0\xe0" * 8) * 1_000
"""A second of something loud."""
REPORT = 0.05
"""Seconds between two reports of what was heard."""


class Loudspeaker:
    """Plays in real time, as a page does: what came is heard one second per second, until a flush."""

    def __init__(self) -> None:
        self.flushes = 0
        self._heard = 0.0
        self._waiting = 0.0
        self._at = time.monotonic()

    def advance(self) -> float:
        now = time.monotonic()
        played = min(self._waiting, now - self._at)
        self._at = now
        self._waiting -= played
        self._heard += played
        return self._heard

    def play(self, size: int) -> None:
        self.advance()
        self._waiting += size / OUTPUT_BYTES

    def flush(self) -> None:
        self.advance()
        self._waiting = 0.0
        self.flushes += 1


def left_open(address: str, **options: Any) -> ClientConnection:
    """A connection beyond a ``with`` block; websockets has a word for that since its release 17."""
    legacy = {"legacy": True} if "legacy" in inspect.signature(connect).parameters else {}
    return connect(address, **legacy, **options)


class Page:
    """One visitor's page; it plays what it hears in real time and reports it."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        conversation: str | None = None,
        received: tuple[float, int] | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("origin", url)
        options.setdefault("open_timeout", PATIENCE)  # a worker on a busy machine takes seconds to boot
        address = f"{url.replace('http', 'ws')}/voice/"
        self.connection: ClientConnection = left_open(address, compression=None, **options)
        self.events: list[dict[str, Any]] = []
        self.sound = bytearray()
        self.gone = threading.Event()
        before = {} if received is None else {"received": received[0], "flushes": received[1]}
        self.say("start", version=1, token=token_of(url) if token is None else token, conversation=conversation, **before)
        self._loudspeaker = Loudspeaker()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._reading.join(PATIENCE)

    def _read(self) -> None:
        try:
            while True:
                try:
                    message = self.connection.recv(timeout=REPORT)
                except TimeoutError:
                    self._report()
                    continue
                if isinstance(message, bytes):
                    self.sound += message
                    self._loudspeaker.play(len(message))
                else:
                    self._take(json.loads(message))
        except (ConnectionClosed, OSError):
            pass
        self.gone.set()

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "flush":
            self._loudspeaker.flush()
            self._report()
        self.events.append(event)

    def _report(self) -> None:
        with suppress(ConnectionClosed, OSError):  # what has come is read all the same
            self.say("played", seconds=self._loudspeaker.advance(), flushes=self._loudspeaker.flushes)

    def say(self, event: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"event": event, **fields}))

    def talk(self, pcm: bytes) -> None:
        """Speaks in real time, and then is silent for a second and a half."""
        began = time.monotonic()
        pcm += bytes(48_000)
        for number, start in enumerate(range(0, len(pcm), CHUNK)):
            self.connection.send(pcm[start : start + CHUNK].ljust(CHUNK, b"\0"))
            threading.Event().wait(max(0.0, began + number * 0.04 - time.monotonic()))

    def cut(self) -> None:
        """Ends the stream without a goodbye; closing its socket would not, while a thread of websockets waits in it."""
        with suppress(OSError):  # the server was faster
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Ends it as a machine does that is switched off; the lock keeps websockets from ending the stream before."""
        with self.connection.protocol_mutex, suppress(OSError):  # the server was faster
            self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.socket.shutdown(socket.SHUT_RD)
            self.connection.socket.close()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in tuple(self.events) if each["event"] == event]

    def comes(self, event: str, **fields: Any) -> dict[str, Any]:
        """Waits for an event with these fields; the first of them."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [each for each in self.of(event) if fields.items() <= each.items()]
            return bool(found)

        until(lambda: is_there() or self.gone.is_set())
        assert is_there(), f"the socket closed with {self.connection.protocol.close_code} after {self.events}"
        return found[0]

    def talks_or_is_gone(self) -> None:
        """Waits until its conversation is there; a worker on a busy machine may take longer than a visit may last."""
        until(lambda: self.of("state_changed") or self.gone.is_set())

    @property
    def close_code(self) -> int | None:
        """How the server closed; waits for it. Codes from 4000 mean those from 1000: daphne sends no others."""
        assert self.gone.wait(PATIENCE)
        code = self.connection.protocol.close_code
        return code - PRIVATE if code is not None and code >= 4_000 else code


class Network:
    """A way to a server that can be lost: no byte passes from then on, and neither side is told."""

    def __init__(self, url: str) -> None:
        self._server = url.removeprefix("http://").partition(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._is_lost = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()

    def lose(self) -> None:
        self._is_lost.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection((self._server[0], int(self._server[2])))
                self._sockets += near, far
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while (data := one.recv(65_536)) and not self._is_lost.is_set():
                other.sendall(data)
            if not self._is_lost.is_set():
                other.shutdown(socket.SHUT_WR)


def token_of(url: str, context: ssl.SSLContext | None = None, **headers: str) -> str:
    request = urllib.request.Request(f"{url}/voice/token", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
        return str(json.load(answer)["token"])


def status_of(address: str, **headers: str) -> int:
    """The HTTP status of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@contextmanager
def served(app: Any) -> Iterator[str]:
    """A WSGI app on werkzeug's server, in this process; yields its URL."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


class ServerProcess:
    """A web server in a process of its own, which chooses its port and writes it into its log."""

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", *command], stdout=out, stderr=out, cwd=ROOT, env={**os.environ, **environment}
            )
        until(lambda: self._listens() or self.process.poll() is not None)
        self.url = self._url()
        assert self.process.poll() is None, self.log

    def _url(self) -> str:
        found = re.search(r"(?:(https?)://|TCP address )(127\.0\.0\.1:[1-9]\d*)", self.log)  # daphne says it without a scheme
        return f"{found.group(1) or 'http'}://{found.group(2)}" if found else ""

    def _listens(self) -> bool:
        """True when it takes connections: daphne and Django's own server say their address before."""
        host, _, port = self._url().rpartition("//")[2].partition(":")
        if not port or self._url().startswith("https:"):  # a look would be a handshake that fails
            return bool(port)
        try:
            socket.create_connection((host, int(port)), PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def server_process(command: list[str], log: Path, **environment: str) -> Iterator[ServerProcess]:
    server = ServerProcess(command, log, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def gunicorn(*arguments: str) -> list[str]:
    return ["gunicorn", "-b", "127.0.0.1:0", *arguments, "tests.visited_app:app"]


GTHREAD = gunicorn("-k", "gthread", "--threads", "2")
SERVERS = {
    "gunicorn gthread": GTHREAD,
    "gunicorn gevent": gunicorn("-k", "gevent"),
    "gunicorn sync": gunicorn(),
    "werkzeug": ["flask", "--app", "tests.visited_app", "run", "-p", "0"],
}


DJANGO_SERVERS = {
    "gunicorn gthread": ["gunicorn", "-b", "127.0.0.1:0", "-k", "gthread", "--threads", "2", "tests.visited_django"],
    "gunicorn gevent": ["gunicorn", "-b", "127.0.0.1:0", "-k", "gevent", "tests.visited_django"],
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "0", "tests.visited_django:asgi"],
    "uvicorn": ["uvicorn", "--port", "0", "tests.visited_django:asgi"],
}


@contextmanager
def visited(
    command: list[str], environment: Mapping[str, str] = MappingProxyType({}), **settings: Any
) -> Iterator[tuple[ServerProcess, LiveEmulator]]:
    with TemporaryDirectory() as directory, LiveEmulator(voice=False) as emulator:
        own = {"GENAI_LIVE_EMULATOR_HOST": emulator.host, "VISITED_SETTINGS": json.dumps(settings)}
        with server_process(command, Path(directory) / "log", **own, **environment) as server:
            yield server, emulator
        assert "Traceback" not in server.log, server.log


def nobody_talks(emulator: LiveEmulator) -> bool:
    return all(session.ending for session in emulator.sessions)


@contextmanager
def voice(shared_reader: bool = True, **settings: Any) -> Iterator[tuple[str, LiveVoice, LiveEmulator]]:
    """A Flask app with a voice, in this process; yields its URL."""
    with workers(1, shared_reader, **settings) as (urls, voices, emulator):
        yield urls[0], voices[0], emulator


@contextmanager
def workers(
    number: int, shared_reader: bool = True, secrets: tuple[str, ...] = (), **settings: Any
) -> Iterator[tuple[list[str], list[LiveVoice], LiveEmulator]]:
    """A Flask app as several workers serve it: with its own memory each; yields their URLs."""
    with LiveEmulator(voice=False) as emulator, ExitStack() as stack:
        client = Client(api_key="no-key", http_options={"base_url": emulator.url}, shared_reader=shared_reader)
        urls, voices = [], []
        for _, secret in itertools.zip_longest(range(number), secrets, fillvalue="a secret of tests"):
            app = flask.Flask("visited")
            app.secret_key = secret
            voices.append(LiveVoice(app, client, model="emulator", **settings))
            urls.append(stack.enter_context(served(app)))
        yield urls, voices, emulator
        for each in voices:
            each.close(0.0)
        until(lambda: not any(map(len, voices)) and not client.live.sessions)
