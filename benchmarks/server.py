"""The server of the benchmarks: one process, one thread, epoll and bare sockets, cheaper than any client it serves.

What it does on a connection is said by the model's name in the client's setup message, ``models/KIND_SIZE_AMOUNT_MICROSECONDS``:

- ``flood``: each client message is answered by AMOUNT audio messages of SIZE bytes, as fast as it reads, and a turnComplete;
- ``drip``: the same, one message every MICROSECONDS, each stamped with the moment it is sent at;
- ``sink``: AMOUNT client messages are answered by the moments at which they came, as JSON text, and a turnComplete;
- ``echo``: each client message is answered by a short text and a turnComplete;
- ``talk``: a stamped audio message of SIZE bytes every MICROSECONDS, without end; what it says is forgotten;
- ``call``: the same, from the client's first message on, and the stamps of its sound are read;
- ``forget``: forgets how old that sound was, and answers with a turnComplete;
- ``delays``: a message is answered by how old that sound was since it was forgotten, as JSON text, and a turnComplete.

``python -m benchmarks.server CERTIFICATE`` prints its two ports (ws, wss) and the id of its process, and ends with its
standard input.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
import json
import os
import re
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import messages

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_READ_BYTES = 1 << 18
_FLOOD_BYTES = 1 << 17
"""About as many bytes are written at once in a flood: the server then takes a fraction of a microsecond for a message."""
_CLOSE, _PING = 0x8, 0x9
_AWAKE = 0.01
"""Seconds for which the server polls after a message of ``sink`` or ``echo``: a client that writes to a sleeping process pays
for waking it up, on a virtual machine 20 µs a message, and no server of the world's is on the client's machine."""
_DATA = re.compile(rb'"data":\s*"')
_STANDARD = bytes.maketrans(b"-_", b"+/")
"""google-genai writes base64 for addresses."""
_STAMPED = 512
"""Bytes of a message in which its sound begins."""
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Order(NamedTuple):
    """What a client asks of the server, through the model's name."""

    kind: str
    size: int = 0
    amount: int = 0
    microseconds: int = 0

    @property
    def model(self) -> str:
        """The name of the model that says it."""
        return f"models/{self.kind}_{self.size}_{self.amount}_{self.microseconds}"

    @classmethod
    def of(cls, model: str) -> Order:
        """Reads the name."""
        kind, *numbers = model.rpartition("/")[2].split("_")
        return cls(kind, *map(int, numbers))


class Connection:
    """One client. Everything is called by the server's only thread."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.socket = sock
        self.server = server
        self.arrivals: list[float] = []
        self.order = Order("new")
        self._unread = bytearray()
        self._unsent: list[memoryview] = []
        self._flood_left = 0
        self._stage: Callable[[], bool] = self._shake_hands if isinstance(sock, ssl.SSLSocket) else self._upgrade
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._talks = False
        self.closed = False

    def on_ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._write_on()
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read()

    # Reading.

    def _read(self) -> None:
        if self._stage == self._shake_hands and not self._shake_hands():
            return
        while not self.closed:
            try:
                data = self.socket.recv(_READ_BYTES)
            except _WOULD_BLOCK:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._unread += data
            while not self.closed and self._stage():
                pass
            if not self._is_tls and len(data) < _READ_BYTES:
                return

    def _shake_hands(self) -> bool:
        assert isinstance(self.socket, ssl.SSLSocket)
        try:
            self.socket.do_handshake()
        except _WOULD_BLOCK:
            return False
        except OSError:
            self.close()
            return False
        self._stage = self._upgrade
        return True

    def _upgrade(self) -> bool:
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._unread[:end])
        del self._unread[: end + 4]
        key = next(
            line.partition(b":")[2].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
        )
        self._stage = self._take_frame
        return True

    def _take_frame(self) -> bool:
        """Takes one whole frame off the unread bytes; only control frames and the setup are looked into."""
        unread = self._unread
        if len(unread) < 2:
            return False
        opcode, length, head = unread[0] & 0xF, unread[1] & 0x7F, 2
        if length >= 126:
            head += 2 if length == 126 else 8
            length = int.from_bytes(unread[2:head], "big")
        head += 4
        if len(unread) < head + length:
            return False
        if opcode >= _CLOSE or self.order.kind == "new":
            self._take_small(opcode, unmasked(bytes(unread[head : head + length]), bytes(unread[head - 4 : head])))
        elif self.order.kind == "call":
            self._take_call(unmasked(bytes(unread[head : head + min(length, _STAMPED)]), bytes(unread[head - 4 : head])))
        else:
            self._take_message()
        del unread[: head + length]
        return True

    def _take_small(self, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:
            self.write(messages.frame(payload, 0x88))
            self.close()
        elif opcode == _PING:
            self.write(messages.frame(payload, 0x8A))
        elif opcode < _CLOSE:
            self.order = Order.of(json.loads(payload)["setup"]["model"])
            self.write(messages.SETUP_COMPLETE)
            if self.order.kind == "talk":
                self.server.play(self)

    def _take_call(self, beginning: bytes) -> None:
        found = _DATA.search(beginning)
        stamp = b"" if found is None else beginning[found.end() : found.end() + 12].translate(_STANDARD)
        if len(stamp) == 12:
            self.server.delays.append(time.monotonic() - messages.stamp(base64.b64decode(stamp)))
        if not self._talks:
            self._talks = True
            self.server.play(self)

    def _take_message(self) -> None:
        order = self.order
        if order.kind == "forget":  # quick: who waits for sound meanwhile is measured
            self.server.delays = []
            self.write(messages.TURN_COMPLETE)
        if order.kind == "delays":
            self.write(messages.text(json.dumps(self.server.delays)) + messages.TURN_COMPLETE)
        if order.kind in ("sink", "echo"):
            self.server.awake_until = time.monotonic() + _AWAKE
        if order.kind == "echo":
            self.write(messages.ANSWER)
        elif order.kind == "flood":
            self._flood_left = order.amount
            self._write_on()
        elif order.kind == "drip":
            self.server.play(self)
        elif order.kind == "sink":
            self.arrivals.append(time.monotonic())
            if len(self.arrivals) == order.amount:
                self.write(messages.text(json.dumps(self.arrivals if order.microseconds else [])) + messages.TURN_COMPLETE)
                self.arrivals = []

    # Writing.

    def write(self, data: bytes) -> None:
        self._unsent.append(memoryview(data))
        self._write_on()

    def _write_on(self) -> None:
        while not self.closed:
            if not self._unsent and not self._next_of_flood():
                self.server.watch(self, writing=False)
                return
            try:
                sent = self.socket.send(self._unsent[0])
            except _WOULD_BLOCK:
                self.server.watch(self, writing=True)
                return
            except OSError:
                self.close()
                return
            self._unsent[0] = self._unsent[0][sent:]
            if not self._unsent[0]:
                del self._unsent[0]

    def _next_of_flood(self) -> bool:
        if not self._flood_left:
            return False
        one = self.server.sound(self.order.size)
        count = min(self._flood_left, max(1, _FLOOD_BYTES // len(one)))
        self._flood_left -= count
        self._unsent.append(
            memoryview(self.server.repeated(self.order.size, count) + (b"" if self._flood_left else messages.TURN_COMPLETE))
        )
        return True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.server.forget(self)
            self.socket.close()


class Server:
    """The loop over all connections and over the sounds that are due."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._epoll = select.epoll()
        self._listeners = {False: _listener(), True: _listener()}
        self._connections: dict[int, Connection] = {}
        self._writing: set[int] = set()
        self._due: list[tuple[float, int, int, Connection]] = []
        self._numbers = itertools.count()
        self._sounds: dict[int, bytes] = {}
        self._stamped: dict[int, messages.StampedAudio] = {}
        self._blocks: dict[tuple[int, int], bytes] = {}
        self.awake_until = 0.0
        self.delays: list[float] = []
        """Seconds from the stamps of the clients' sound to now."""
        for listener in self._listeners.values():
            self._epoll.register(listener, select.EPOLLIN)

    @property
    def ports(self) -> tuple[int, int]:
        """For ws and wss."""
        return tuple(self._listeners[tls].getsockname()[1] for tls in (False, True))

    def run(self) -> None:
        """Serves for ever."""
        listeners = {listener.fileno(): (listener, tls) for tls, listener in self._listeners.items()}
        while True:
            now = time.monotonic()
            wait = max(0.0, self._due[0][0] - now) if self._due else 0.0 if now < self.awake_until else -1.0
            for descriptor, events in self._epoll.poll(wait):
                if descriptor in listeners:
                    self._accept(*listeners[descriptor])
                elif descriptor in self._connections:
                    self._connections[descriptor].on_ready(events)
            self._play_due()

    def _accept(self, listener: socket.socket, tls: bool) -> None:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        if tls:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._connections[sock.fileno()] = Connection(sock, self)
        self._epoll.register(sock, select.EPOLLIN)

    def watch(self, connection: Connection, *, writing: bool) -> None:
        """Watches for room to write, or no longer."""
        descriptor = connection.socket.fileno()
        if writing != (descriptor in self._writing):
            self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if writing else 0))
            (self._writing.add if writing else self._writing.discard)(descriptor)

    def forget(self, connection: Connection) -> None:
        """The connection is about to be closed."""
        descriptor = connection.socket.fileno()
        self._connections.pop(descriptor, None)
        self._writing.discard(descriptor)
        self._epoll.unregister(descriptor)

    def sound(self, size: int) -> bytes:
        """The audio frame of ``size`` bytes."""
        if size not in self._sounds:
            self._sounds[size] = messages.audio(size)
        return self._sounds[size]

    def repeated(self, size: int, count: int) -> bytes:
        """The same, several times."""
        if (size, count) not in self._blocks:
            self._blocks[size, count] = self.sound(size) * count
        return self._blocks[size, count]

    def play(self, connection: Connection) -> None:
        """Sends stamped sounds from now on: the number that was ordered, or without end."""
        order = connection.order
        self._stamped.setdefault(order.size, messages.StampedAudio(order.size))
        first = time.monotonic() + order.microseconds / 1e6
        heapq.heappush(self._due, (first, next(self._numbers), order.amount or -1, connection))

    def _play_due(self) -> None:
        while self._due and self._due[0][0] <= (now := time.monotonic()):
            due, _, left, connection = heapq.heappop(self._due)
            if connection.closed:
                continue
            order = connection.order
            connection.write(self._stamped[order.size].at(now))
            if left == 1:
                connection.write(messages.TURN_COMPLETE)
            else:
                heapq.heappush(self._due, (due + order.microseconds / 1e6, next(self._numbers), left - 1, connection))


def unmasked(payload: bytes, key: bytes) -> bytes:
    """RFC 6455 section 5.3."""
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")).to_bytes(size, "little")


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    return listener


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serves until standard input ends: a server never outlives the benchmark that started it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = Server(context)
    threading.Thread(target=_end_with_input, daemon=True).start()
    print(json.dumps({"ws": server.ports[0], "wss": server.ports[1], "pid": os.getpid()}), flush=True)
    server.run()


if __name__ == "__main__":
    main()
