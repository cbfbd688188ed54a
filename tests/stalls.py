"""Servers that stall, each in another step of connecting. They run on threads of ``raw_server``, the listener on the test's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.raw_peer import Peer


def hold(connection: socket.socket) -> None:
    """Reads what comes and never answers."""
    while connection.recv(65_536):
        continue


def drip(connection: socket.socket) -> None:
    """Answers so slowly that every single read succeeds in time."""
    connection.recv(65_536)
    pause = threading.Event()
    for byte in b"HTTP/1.1 101 Switching Protocols\r\n" + b"X-Padding: x\r\n" * 1000:
        connection.sendall(bytes((byte,)))
        pause.wait(0.05)


def stall_in_setup(connection: socket.socket) -> None:
    Peer(connection).upgrade()
    hold(connection)


@contextmanager
def deaf_listener() -> Iterator[str]:
    """A port whose queue is full: the kernel drops what would connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for each in waiting:
                each.close()
