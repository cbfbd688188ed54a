"""TLS for a server or a client that speaks none: one thread for each connection, so that nobody reads and writes it at once.

The threaded server of the package websockets does that, which OpenSSL forbids: over TLS it hangs or loses the connection about
once in a thousand times on a busy machine (measured), and every test that used it so would be as reliable as that. Its older
clients, which wait in a read, lost their own request twice in sixty connections (14.2).
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from tests.waiting import PATIENCE, send_at_once

ROOM = 65_536
"""Bytes that are kept for a side that does not read: beyond them the other side is not read, so that it feels it."""
_LOOK_AGAIN = 0.05
"""Seconds: a TLS connection may want to read where it should write, and the descriptor does not tell."""


Wrap = Callable[[socket.socket], socket.socket]


def tls_front(port: int, context: ssl.SSLContext) -> AbstractContextManager[int]:
    """Listens with TLS and passes everything on to a port of this machine in plain text, and back; gives its own port."""
    return _front(port, near_side=lambda sock: context.wrap_socket(sock, server_side=True))


def plain_front(port: int, context: ssl.SSLContext) -> AbstractContextManager[int]:
    """Listens in plain text and passes everything on to a port of this machine with TLS, and back; gives its own port."""
    return _front(port, far_side=lambda sock: context.wrap_socket(sock, server_hostname="127.0.0.1"))


def _as_it_is(sock: socket.socket) -> socket.socket:
    return sock


@contextmanager
def _front(port: int, near_side: Wrap = _as_it_is, far_side: Wrap = _as_it_is) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    connections: list[threading.Thread] = []
    over = threading.Event()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(threading.Thread(target=pass_on, args=(connection,), daemon=True))
            connections[-1].start()

    def pass_on(connection: socket.socket) -> None:
        with suppress(OSError), connection, socket.create_connection(("127.0.0.1", port), PATIENCE) as onward:
            connection.settimeout(PATIENCE)
            with near_side(connection) as near, far_side(onward) as far:
                send_at_once(near)
                send_at_once(far)
                _Pair(near, far).run(over)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *connections):
            thread.join(PATIENCE)


class _Pair:
    """Two sockets, and what is on its way from each to the other."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        near.setblocking(False)
        far.setblocking(False)
        self._waiting: dict[socket.socket, bytearray] = {near: bytearray(), far: bytearray()}
        """What is to be written to each."""
        self._ended: set[socket.socket] = set()
        """Those that will say nothing more."""
        self._other: dict[socket.socket, socket.socket] = {near: far, far: near}

    def run(self, over: threading.Event) -> None:
        with selectors.DefaultSelector() as selector:
            while not over.is_set():
                moved = [step(sock) for sock in self._other for step in (self._read, self._write)]
                if any(not self._waiting[self._other[sock]] for sock in self._ended):
                    return  # what it said has been passed on
                if not any(moved):
                    self._watch(selector)
                    selector.select(_LOOK_AGAIN)

    def _watch(self, selector: selectors.BaseSelector) -> None:
        for sock in self._other:
            events = self._wanted(sock)
            if sock in selector.get_map():
                selector.unregister(sock)
            if events:
                selector.register(sock, events)

    def _wanted(self, sock: socket.socket) -> int:
        reads = selectors.EVENT_READ if sock not in self._ended and self._has_room(self._other[sock]) else 0
        return reads | (selectors.EVENT_WRITE if self._waiting[sock] else 0)

    def _has_room(self, sock: socket.socket) -> bool:
        return len(self._waiting[sock]) < ROOM

    def _read(self, sock: socket.socket) -> bool:
        if sock in self._ended or not self._has_room(self._other[sock]):
            return False
        try:
            data = sock.recv(ROOM)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            data = b""
        self._waiting[self._other[sock]] += data
        if not data:
            self._ended.add(sock)
        return True

    def _write(self, sock: socket.socket) -> bool:
        if not self._waiting[sock]:
            return False
        try:
            sent = sock.send(self._waiting[sock])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        del self._waiting[sock][:sent]
        return True
