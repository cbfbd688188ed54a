"""A web server for pages with ``<genai-live-voice>``: the strictest policy, and sockets that a test speaks through by hand."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.waiting import PATIENCE, until

STATIC = Path(__file__).parent.parent / "genai_live" / "web" / "static"
PAGES = Path(__file__).parent / "js" / "page"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
INPUT_RATE = 16_000
OUTPUT_RATE = 24_000


class Visit:
    """One socket of a page, after its first message."""

    def __init__(self, connection: ServerConnection, start: dict[str, Any]) -> None:
        self._connection = connection
        self.start = start
        self.said: list[dict[str, Any]] = []
        self.messages: list[bytes] = []
        self.gone = threading.Event()

    def read(self) -> None:
        """Takes all that the page sends, until it leaves."""
        try:
            for message in self._connection:
                if isinstance(message, bytes):
                    self.messages.append(message)
                else:
                    self.said.append(json.loads(message))
        except ConnectionClosed:
            pass
        self.gone.set()

    @property
    def sound(self) -> array[int]:
        """Samples of the page's microphone so far."""
        return array("h", b"".join(list(self.messages)))

    def of(self, event: str) -> list[dict[str, Any]]:
        """Everything that the page has said under this name."""
        return [each for each in list(self.said) if each["event"] == event]

    @property
    def played(self) -> float:
        """Seconds that the page has reported last."""
        return float((self.of("played") or [{"seconds": 0.0}])[-1]["seconds"])

    def tell(self, event: str, **fields: Any) -> None:
        self._connection.send(json.dumps({"event": event, **fields}))

    def begin(self, conversation: str = "c1", turn_taking: str = "automatic", output_rate: int = OUTPUT_RATE) -> None:
        """Says that the conversation has started."""
        self.tell("started", conversation=conversation, input_rate=INPUT_RATE, output_rate=output_rate, turn_taking=turn_taking)

    def state(self, state: str) -> None:
        self.tell("state_changed", at=0.0, state=state)

    def play(self, samples: array[int], size: int = 960) -> None:
        """Sends sound in messages of ``size`` samples."""
        for first in range(0, len(samples), size):
            self._connection.send(samples[first : first + size].tobytes())

    def refuse(self, reason: str, code: int) -> None:
        self.tell("refused", reason=reason, sentence=f"The server says: {reason}.")
        self._connection.close(code)

    def end(self, code: int) -> None:
        self._connection.close(code)

    def cut(self) -> None:
        """Resets the connection, as a machine does that is switched off."""
        self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.socket.close()


class PageServer:
    """Serves page, element and sockets at ``url``; ``token`` is the status and body of its route."""

    def __init__(self) -> None:
        self.token: tuple[int, dict[str, str]] = (200, {"token": "signed"})
        self.asked: list[str] = []
        self._visits: queue.SimpleQueue[Visit] = queue.SimpleQueue()
        self._server: Server = serve(self._attend, "127.0.0.1", 0, process_request=self._answer, compression=None)
        self.port = self._server.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def visit(self) -> Visit:
        """The next socket that a page has opened."""
        return self._visits.get(timeout=PATIENCE)

    def no_visit(self) -> bool:
        return self._visits.empty()

    def _attend(self, connection: ServerConnection) -> None:
        visit = Visit(connection, json.loads(connection.recv(timeout=PATIENCE)))
        self._visits.put(visit)
        visit.read()

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        if path == "/voice/" and "Upgrade" in request.headers:
            return None
        if path == "/voice/token":
            status, body = self.token
            return response(status, "application/json", json.dumps(body).encode())
        file = STATIC / path.removeprefix("/voice/") if path.startswith("/voice/") else PAGES / (path.strip("/") or "index.html")
        if file.is_file():
            return response(200, KINDS[file.suffix], file.read_bytes())
        return response(404, "text/plain", b"")


def response(status: int, kind: str, body: bytes) -> Response:
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY, "Connection": "close"}
    return Response(status, HTTPStatus(status).phrase, Headers(headers), body)


@contextmanager
def page_server() -> Iterator[PageServer]:
    server = PageServer()
    thread = threading.Thread(target=server._server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        thread.join(PATIENCE)


def numbered(count: int, first: int = 1) -> array[int]:
    """Samples of which each tells its place."""
    return array("h", ((first + at - 1) % 30_000 + 1 for at in range(count)))


__all__ = ["INPUT_RATE", "OUTPUT_RATE", "PageServer", "Visit", "numbered", "page_server", "until"]
