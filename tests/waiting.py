"""Waiting in tests: with patience for what must happen, and with more time for what has to use its time up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from genai_live.errors import ConnectTimeout, Phase

PATIENCE = 60.0
"""Seconds after which a test that waits for something has failed, on the busiest machine too; it takes milliseconds."""
LIMITS = (0.3, 1.0, 5.0, 20.0)
"""Seconds that something is given where it must use them up: the next, when a loaded machine did not come far enough in one."""


def until(true: Callable[[], object]) -> None:
    """Waits for what no event tells; fails after PATIENCE."""
    pause, ends = threading.Event(), time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "this never happened"
        pause.wait(0.005)


def send_at_once(connection: socket.socket) -> None:
    """What is small does not wait for the 40 ms that the peer takes to acknowledge what came before."""
    if connection.family == socket.AF_INET:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection. Those of ``socket.socketpair`` are none on Linux: OpenSSL 3.6 tells their end otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # as little as a socketpair takes
        near = socket.create_connection(listener.getsockname())
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        far, _ = listener.accept()
    return near, far


def stalls_in(phase: Phase, connect: Callable[[float], object]) -> ConnectTimeout:
    """The error of a ``connect`` that uses up its seconds in ``phase``."""
    for limit in LIMITS:
        with pytest.raises(ConnectTimeout) as raised:
            connect(limit)
        if raised.value.phase is phase:
            break
    assert raised.value.phase is phase
    return raised.value
