"""The client's side of one connection, byte by byte: what no WebSocket library would send, and every frame that comes back."""

from __future__ import annotations

import json
import socket
import struct
from types import TracebackType
from typing import Any, NamedTuple

from tests.live_wire import MLDEV
from tests.waiting import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that turns close() into a reset."""

KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"


def upgrade(path: str = MLDEV, more: str = "") -> bytes:
    """An upgrade request, with more header lines where wanted."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY}{more}\r\n".encode()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One frame as a client sends it, its mask being zero (RFC 6455 section 5.2)."""
    first, mask, size = (0x80 if fin else 0) | reserved << 4 | opcode, 0x80 if masked else 0, len(payload)
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"") + payload


class Frame(NamedTuple):
    """One frame of the server's."""

    opcode: int
    payload: bytes
    fin: bool


class Raw:
    """One TCP connection to an emulator."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._rest = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, *data: bytes) -> Raw:
        """Sends bytes as they are."""
        self.socket.sendall(b"".join(data))
        return self

    def say(self, message: Any) -> Raw:
        """Sends JSON in a text frame."""
        return self.send(frame(TEXT, json.dumps(message).encode()))

    def open(self, setup: dict[str, Any] | None = None) -> Raw:
        """Upgrades, and sets the session up."""
        self.send(upgrade())
        assert self.head().startswith(b"HTTP/1.1 101 ")
        if setup is not None:
            self.say({"setup": setup})
            self.read()
        return self

    def head(self) -> bytes:
        """The head of an HTTP answer; empty when there is none."""
        while b"\r\n\r\n" not in self._rest:
            more = self._receive()
            if not more:
                return b""
            self._rest += more
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head

    def read(self) -> Frame:
        """The next frame; raises EOFError at the end."""
        first, size = self._some(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._some(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._some(8))
        return Frame(first & 15, self._some(size), bool(first & 0x80))

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's Close frame, after all frames before it; 1006 when there is none."""
        try:
            while (found := self.read()).opcode != CLOSE:
                pass
        except (EOFError, ConnectionError):
            return 1006, ""
        return (struct.unpack("!H", found.payload[:2])[0], found.payload[2:].decode()) if found.payload else (1005, "")

    def vanish(self, reset: bool) -> None:
        """Is gone, by an end of file or by a reset."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    def _some(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._receive()
            if not more:
                raise EOFError
            self._rest += more
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(65_536)
        except ConnectionError:
            return b""
