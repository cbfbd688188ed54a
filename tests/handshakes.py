"""Answers to the upgrade, byte by byte, and what connect() makes of them. Runs on the thread of the test."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from genai_live import errors
from tests.raw_peer import Peer, beside, door
from tests.servers import MODEL, PATIENCE, client_of

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answered_by(respond: Callable[[bytes], bytes]) -> errors.ConnectError:
    """What connect() raises when the server answers the upgrade so."""
    with door() as entrance:
        connecting = beside(client_of(entrance.url).live.connect, model=MODEL, timeout=PATIENCE)
        peer = entrance.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.socket.recv(1)
        send_and_end(peer, respond(key_in(request)))
        error = connecting.exception(PATIENCE)
        assert isinstance(error, errors.ConnectError), repr(error)
        return error


def key_in(request: bytes) -> bytes:
    headers = dict(line.split(b": ", 1) for line in request.split(b"\r\n") if b": " in line)
    return next(value for name, value in headers.items() if name.lower() == b"sec-websocket-key")


def send_and_end(peer: Peer, data: bytes) -> None:
    try:
        peer.send(data)
        peer.end()
    except OSError:
        return  # the client has seen enough


def accept_of(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def upgrade(accept: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return head + accept + b"\r\n" + more + b"\r\n"
