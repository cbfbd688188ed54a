"""From a WSGI request to the visitor's WebSocket: upgrade, and the socket taken from the web server. The server's thread.

gunicorn and werkzeug give an application the socket of a request. A copy of its descriptor becomes the visitor's; the server's
own descriptor is put on one end of a pair whose other end is closed, so that it finds nothing there to write to or to wait for,
and its thread goes home. A socket with TLS cannot be copied: it is lent, and the server's thread waits until it is given back.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from genai_live._connection.reader import Reader
from genai_live.errors import ConfigError
from genai_live.web.line import Line
from genai_live.web.visitor_socket import VisitorSocket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_VERSION = "13"
_SOCKETS = ("gunicorn.socket", "werkzeug.socket")
_WORKS = "gunicorn -k gthread --threads 8"
ANSWER_TIMEOUT = 10.0
"""Seconds in which a client has to take the answer to its upgrade."""


class NoUpgrade(Exception):
    """The request is not one for a WebSocket; ``status`` and text are its answer. Never leaves the package."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Upgraded:
    """A visitor's socket after the upgrade."""

    line: Line
    ends_by_raising: bool
    """True for gunicorn: StopIteration in the place of a response tells it that the request is over."""
    is_lent: bool
    """True where the socket is the server's, whose thread has to wait until the line is over."""


def is_same_origin(environ: Mapping[str, Any], others: tuple[str, ...] = ()) -> bool:
    """True when the page comes from this very host, or one of ``others``; programs, which are no browsers, say nothing of it."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None or origin in others:
        return True
    host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    try:
        split = urlsplit(origin)
    except ValueError:  # no address at all
        return False
    default = {"http": ":80", "https": ":443"}.get(split.scheme, "")
    return bool(split.netloc) and _without(split.netloc, default) == _without(host, default)


def _without(host: str, port: str) -> str:
    return host.lower().removesuffix(port) if port else host.lower()


def upgrade(environ: Mapping[str, Any], reader: Reader) -> Upgraded:
    """Answers the upgrade and takes the socket.

    Raises:
        NoUpgrade: the request does not ask for a WebSocket.
        ConfigError: the web server gives no socket.
        OSError: the visitor has gone.
    """
    answer = _answer(environ)
    name = next((each for each in _SOCKETS if environ.get(each) is not None), None)
    if name is None:
        return Upgraded(_other_line(environ), ends_by_raising=False, is_lent=True)
    theirs: socket.socket = environ[name]
    is_lent = hasattr(theirs, "pending")
    sock = theirs if is_lent else theirs.dup()
    try:
        sock.settimeout(ANSWER_TIMEOUT)
        sock.sendall(answer)
        if not is_lent:
            _put_nothing_on(theirs)
    except BaseException:
        if not is_lent:
            sock.close()
        raise
    line = VisitorSocket(sock, reader, _give_back if is_lent else socket.socket.close)
    return Upgraded(line, name == "gunicorn.socket", is_lent)


def end_request(upgraded: Upgraded | None) -> None:
    """Ends the server's part of a request whose socket is another's by now, in the place of its response; None: nobody is there.

    Blocks while the socket is lent.

    Raises:
        StopIteration: where that is what the server wants.
    """
    if upgraded is not None and upgraded.is_lent:
        upgraded.line.wait(None)
    if upgraded is None or upgraded.ends_by_raising:
        raise StopIteration


def _give_back(sock: socket.socket) -> None:
    sock.setblocking(True)


def _answer(environ: Mapping[str, Any]) -> bytes:
    """The head of the answer that accepts the upgrade (RFC 6455 section 4.2.2), without extensions."""
    words = {each.strip().lower() for each in environ.get("HTTP_CONNECTION", "").split(",")}
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket" or "upgrade" not in words or not key:
        raise NoUpgrade(426, "This address is for the WebSocket of <genai-live-voice>.")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != _VERSION:
        raise NoUpgrade(426, f"This server speaks version {_VERSION} of the WebSocket protocol.")
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    return "\r\n".join((*lines, "", "")).encode()


def _put_nothing_on(theirs: socket.socket) -> None:
    """The server's descriptor stays its own, with a connection at it that is over."""
    nothing, other = socket.socketpair()
    with nothing:
        other.close()
        os.dup2(nothing.fileno(), theirs.fileno(), inheritable=False)


def _other_line(environ: Mapping[str, Any]) -> Line:
    """A line over simple-websocket, which finds the sockets of some other servers."""
    import simple_websocket

    from genai_live.web.blocking_line import BlockingLine

    try:
        return BlockingLine(simple_websocket.Server.accept(dict(environ), max_message_size=65_536))
    except RuntimeError:
        server = environ.get("SERVER_SOFTWARE") or "this web server"
        words = f"{server} gives an application no socket, so no visitor can talk: run the app with {_WORKS}, or -k gevent"
        raise ConfigError(words) from None
