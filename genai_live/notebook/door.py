"""The way from a notebook's page straight to its kernel: a WebSocket server on this machine, on a thread of its own.

Jupyter hands a page's messages to a kernel when no cell runs, on most versions. What comes here is handled at once.
Each socket is served by a thread of the server's.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

HOST = "127.0.0.1"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HELLO = "/hello"
"""What a page asks first, to know whose server it has found at this port."""
_THREAD = "genai-live-notebook"
_CLOSING = 2.0
"""Seconds for the server's thread to end."""


class PageSocket:
    """A page's socket as a ``BrowserEnd`` takes one. Two threads may use it, one that receives and one that sends."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.socket = connection.socket

    def receive(self) -> str | bytes | None:
        """The next message; None when the page has gone. Blocks."""
        try:
            return self._connection.recv()
        except ConnectionClosed:
            return None

    def send(self, message: str | bytes) -> None:
        """Blocks while the page does not read.

        Raises:
            EOFError: the page has gone.
        """
        try:
            self._connection.send(message)
        except ConnectionClosed:
            raise EOFError("the page has gone") from None

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Says goodbye to the page."""
        self._connection.close(code, reason)


class Door:
    """Listens for the page of one widget; ``serve`` is called with each of its sockets, on a thread of its own."""

    def __init__(self, name: str, serve_socket: Callable[[PageSocket], object]) -> None:
        self._name = name
        self._serve_socket = serve_socket
        self._open: set[ServerConnection] = set()
        self._server: Server = serve(
            self._attend, HOST, 0, process_request=self._answer, compression=None, server_header=None
        )  # fmt: skip
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name=_THREAD, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening, and cuts what is open. Idempotent, from any thread."""
        self._server.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSING)

    def _attend(self, connection: ServerConnection) -> None:
        self._open.add(connection)
        try:
            self._serve_socket(PageSocket(connection))
        finally:
            self._open.discard(connection)

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        """Takes a WebSocket of a page of Jupyter's, and says whose server this is to whoever asks."""
        origin = request.headers.get("Origin")
        path = request.path.partition("?")[0]
        if not is_welcome(origin, request.headers):
            return _response(HTTPStatus.FORBIDDEN, {"sentence": "This server is for the pages of Jupyter on its own machine."})
        if path == HELLO:
            return _response(HTTPStatus.OK, {"widget": self._name}, origin)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _response(HTTPStatus.NOT_FOUND, {"sentence": "There is only a WebSocket here."}, origin)
        return None


def is_welcome(origin: str | None, headers: Headers) -> bool:
    """True for a page from this machine, and for one that came here through Jupyter's own server, as its proxy says."""
    if origin is None:
        return True  # no page: the token is asked for all the same
    try:
        page = urlsplit(origin)
        host = page.hostname
    except ValueError:
        return False
    through = {*headers.get_all("Host"), *headers.get_all("X-Forwarded-Host")}
    return page.scheme in ("http", "https") and (host in LOOPBACK or page.netloc in through)


def _response(status: HTTPStatus, content: dict[str, str], origin: str | None = None) -> Response:
    body = json.dumps(content).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Vary"] = "Origin"
    return Response(int(status), status.phrase, headers, body)
