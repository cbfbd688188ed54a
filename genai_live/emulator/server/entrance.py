"""Listens and accepts, and limits connections whose client has not shown that it is one. Runs on the emulator's loop thread.

What a client may leave undone for ever would otherwise take every descriptor of the process: the TLS handshake, the request, the
first message.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_live.emulator.server.connection import Connection

MOST_UNSETTLED = 256
"""Connections whose client has not yet sent its first message: a quarter of the descriptors that a process commonly may open."""

YIELD_SECONDS = 1.0
"""Age from which such a connection gives its place to a new one, when there are too many; an honest one takes milliseconds."""

TLS_SECONDS = 10.0
"""Longest TLS handshake."""

RETRY_SECONDS = 0.1
"""Pause after the system could not accept, for want of descriptors."""

_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""TCP keepalive, as far as a system has it (the second is macOS's name for the first): a vanished machine is noticed in 2 min."""

BACKLOG = 128
"""Connections that the system holds until they are accepted."""

Make = Callable[[Callable[[], None]], "Connection"]
"""Makes a connection, which calls the function that it gets when its client has sent its first message, or is gone."""


class Arrival:
    """An accepted socket whose client has not shown that it is one."""

    def __init__(self, at: float, sock: socket.socket) -> None:
        self.at = at
        self.sock = sock
        self.connection: Connection | None = None
        self.attaching: asyncio.Task[None] | None = None

    def cut(self) -> None:
        """Ends it, wherever it is."""
        if self.attaching is not None:
            self.attaching.cancel()
        if self.connection is not None:
            self.connection.cut()
        else:
            self.sock.close()


class Entrance:
    """The listening sockets of a server, one for each address of its host."""

    def __init__(self, make: Make, tls: ssl.SSLContext | None) -> None:
        self._make = make
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._watched = False
        self._later: asyncio.TimerHandle | None = None
        self._unsettled: dict[Arrival, None] = {}
        """Oldest first."""

    def open(self, host: str, port: int) -> int:
        """Listens, and returns the port.

        Raises:
            OSError: the port is taken.
        """
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, where in dict.fromkeys((family, where) for family, _, _, _, where in found):
                self._listening.append(_listen(family, where))
        except BaseException:
            self.close()
            raise
        self._watch()
        return int(self._listening[0].getsockname()[1])

    def close(self) -> None:
        """Listens no more, and cuts what is still being set up."""
        self._unwatch()
        for listening in self._listening:
            listening.close()
        for arrival in list(self._unsettled):
            arrival.cut()

    # -- accepting -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._unwatch()
        self._watched = True
        for listening in self._listening:
            self._loop.add_reader(listening, self._accept, listening)

    def _unwatch(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        for listening in self._listening if self._watched else ():
            self._loop.remove_reader(listening)
        self._watched = False

    def _pause(self, seconds: float) -> None:
        """Leaves clients to the system for some time."""
        self._unwatch()
        self._later = self._loop.call_later(seconds, self._watch)

    def _accept(self, listening: socket.socket) -> None:
        """A client is there: makes room if need be, and accepts it. Others get their turn after it."""
        if len(self._unsettled) >= MOST_UNSETTLED:
            oldest = next(iter(self._unsettled))
            left = oldest.at + YIELD_SECONDS - self._loop.time()
            if left > 0:
                self._pause(left)
                return
            oldest.cut()
            self._unsettled.pop(oldest, None)
        try:
            sock, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):  # gone again
            return
        except OSError:
            self._pause(RETRY_SECONDS)
            return
        sock.setblocking(False)
        _keep_alive(sock)
        arrival = Arrival(self._loop.time(), sock)
        self._unsettled[arrival] = None
        arrival.attaching = self._loop.create_task(self._attach(arrival))

    async def _attach(self, arrival: Arrival) -> None:
        """Gives an accepted socket its TLS and its connection."""
        connection = arrival.connection = self._make(lambda: self._settle(arrival))
        limit: dict[str, Any] = {"ssl_handshake_timeout": TLS_SECONDS} if self._tls is not None else {}
        try:
            await self._loop.connect_accepted_socket(lambda: connection, arrival.sock, ssl=self._tls, **limit)
        except OSError:  # of TLS, or of a client that has gone
            self._settle(arrival)

    def _settle(self, arrival: Arrival) -> None:
        full = len(self._unsettled) >= MOST_UNSETTLED
        self._unsettled.pop(arrival, None)
        if full and self._later is not None and self._listening[0].fileno() >= 0:
            self._watch()


def _keep_alive(sock: socket.socket) -> None:
    """Lets the system notice that a client has vanished, whose session would otherwise stand for ever."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        if hasattr(socket, option):
            with contextlib.suppress(OSError):  # a system that knows the option and does not take it
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _listen(family: int, where: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # where it would let two programs have one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(AttributeError):  # a system without it has one family for each socket anyway
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
