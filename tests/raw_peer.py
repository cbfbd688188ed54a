"""The server's side of one connection, byte by byte: what no WebSocket library would send, at the moment that a test chooses.

Everything here runs on the thread of the test; the library's calls that wait run beside it, in ``beside``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from genai_live import Session
from tests.servers import MODEL, PATIENCE, SETUP_COMPLETE, client_of, served
from tests.waiting import send_at_once

T = TypeVar("T")

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """One unmasked frame, as a server sends it (RFC 6455 section 5.2)."""
    size = len(payload)
    head = bytes(((0x80 if fin else 0) | opcode,))
    if size < 126:
        return head + bytes((size,)) + payload
    if size < 1 << 16:
        return head + struct.pack("!BH", 126, size) + payload
    return head + struct.pack("!BQ", 127, size) + payload


def close_frame(code: int, reason: bytes | str = b"") -> bytes:
    words = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, struct.pack("!H", code) + words)


class Peer:
    """One accepted connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        send_at_once(connection)  # or a reset overtakes what was sent before it
        self.socket = connection
        self._reading = threading.Lock()
        self._writing = threading.Lock()

    # What a good server does.

    def upgrade(self) -> None:
        """Answers the upgrade (RFC 6455 section 4.2.2)."""
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._some(1)
        lines = request.lower().split(b"\r\n"), request.split(b"\r\n")
        key = next(line.split(b":")[1].strip() for low, line in zip(*lines, strict=True) if low.startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        self.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )

    def take_setup(self) -> dict[str, Any]:
        opcode, payload = self.read_frame()
        assert opcode == TEXT
        return dict(json.loads(payload)["setup"])

    def open(self, *then: bytes) -> None:
        """Upgrade and setup; ``then`` goes out together with setupComplete."""
        self.upgrade()
        self.take_setup()
        self.send(frame(BINARY, SETUP_COMPLETE) + b"".join(then))

    def read_frame(self) -> tuple[int, bytes]:
        """The client's next frame, unmasked; asserts what every client frame must have."""
        first, second = self._some(2)
        assert not first & 0x70, "reserved bits"
        assert first & 0x80, "this client never fragments"
        assert second & 0x80, "client frames are masked"
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(self._some(2 if size == 126 else 8), "big")
        key = self._some(4)
        payload = self._some(size)
        whole = key * (size // 4 + 1)
        return first & 0xF, (int.from_bytes(payload, "big") ^ int.from_bytes(whole[:size], "big")).to_bytes(size, "big")

    def read_message(self) -> dict[str, Any]:
        """The client's next text message; its pings are passed over."""
        opcode, payload = self.read_frame()
        while opcode in (PING, PONG):
            opcode, payload = self.read_frame()
        assert opcode == TEXT, opcode
        return dict(json.loads(payload))

    def read_close(self) -> tuple[int, bytes]:
        """Code and reason of the client's Close frame; what comes before it is passed over."""
        opcode, payload = self.read_frame()
        while opcode != CLOSE:
            opcode, payload = self.read_frame()
        return int.from_bytes(payload[:2], "big"), payload[2:]

    def answer_pings_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            opcode, payload = self.read_frame()
            if opcode == PING:
                self.send(frame(PONG, payload))

    # What servers and networks do.

    def send(self, data: bytes) -> None:
        with self._writing:
            self.socket.sendall(data)

    def end(self) -> None:
        """The end of the TCP stream, without a Close frame.

        Other threads leave the socket first: OpenSSL would write on to whatever connection gets the number of the descriptor.
        """
        with contextlib.suppress(OSError):  # the client was faster
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        with self._reading, self._writing:
            self.socket.close()

    def reset(self) -> None:
        """RST: what a crashed process or an impatient middlebox leaves."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def at_end(self) -> bool:
        """Waits for the client to close TCP; what it sends until then is read and forgotten."""
        try:
            with self._reading:
                while self.socket.recv(65_536):
                    continue
        except ConnectionError:
            return True
        return True

    def _some(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            with self._reading:
                piece = self.socket.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise ConnectionError("the client closed the connection")
            data += piece
        return bytes(data)


class Door:
    """A listening port."""

    def __init__(self, listener: socket.socket, *, tls: bool = False) -> None:
        self._listener = listener
        self._accepted: list[socket.socket] = []
        self._peers: list[Peer] = []
        self._context = served() if tls else None
        address, port = listener.getsockname()[:2]
        self.url = f"https://localhost:{port}" if tls else f"http://{address}:{port}"

    @property
    def was_entered(self) -> bool:
        """True when a client has connected."""
        return bool(self._accepted)

    def accept_tcp(self) -> socket.socket:
        """A connection as it comes from the network, before TLS."""
        connection, _ = self._listener.accept()
        send_at_once(connection)
        self._accepted.append(connection)
        return connection

    def accept(self) -> Peer:
        connection = self.accept_tcp()
        if self._context is not None:
            connection.settimeout(PATIENCE)
            connection = self._context.wrap_socket(connection, server_side=True)
            self._accepted.append(connection)
        self._peers.append(Peer(connection))
        return self._peers[-1]

    def forget(self) -> None:
        """Closes what was accepted."""
        for peer in self._peers:
            peer.end()
        for connection in self._accepted:
            connection.close()
        self._peers.clear()
        self._accepted.clear()

    def close(self) -> None:
        self._listener.close()
        self.forget()


@contextmanager
def door(*, tls: bool = False, receive_buffer: int = 0, address: str = "127.0.0.1") -> Iterator[Door]:
    """Listens; ``receive_buffer`` bytes make a peer that does not read felt soon."""
    listener = socket.socket()
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    listener.bind((address, 0))
    listener.listen(64)
    listener.settimeout(PATIENCE)
    opened = Door(listener, tls=tls)
    try:
        yield opened
    finally:
        opened.close()


def beside(function: Callable[..., T], *arguments: Any, **named: Any) -> Future[T]:
    """Runs a call that waits on a thread of its own, one that no hanging call can keep the test run with."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="beside", daemon=True).start()
    return future


@contextmanager
def opened(
    *then: bytes, tls: bool = False, receive_buffer: int = 0, shared_reader: bool = False, **connect: Any
) -> Iterator[tuple[Session, Peer]]:
    """A session and its peer, after setup; ``then`` came in one segment with setupComplete."""
    options = connect.pop("http_options", {})
    with door(tls=tls, receive_buffer=receive_buffer) as entrance:
        client = client_of(entrance.url, shared_reader=shared_reader, **options)
        connecting = beside(client.live.connect, **{"model": MODEL, **connect})
        peer = entrance.accept()
        peer.open(*then)
        session = connecting.result(PATIENCE)
        try:
            yield session, peer
        finally:
            session.close(timeout=0.0)
