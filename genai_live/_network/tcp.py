"""One TCP connection to a host that may have several addresses. Blocks, on the thread that dials; ``Held.abort``: any thread.

An address that does not answer costs a quarter of a second, not a share of the timeout: the next one is tried beside it
(RFC 8305, "Happy Eyeballs"). Networks that announce IPv6 and drop it are common.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, zip_longest
from typing import Any, TypeVar

from genai_live._deadline import Deadline
from genai_live.errors import ConnectError, Phase

STAGGER = 0.25
"""Seconds before the next address is tried beside one that has not answered: Connection Attempt Delay, RFC 8305 section 5."""

_SLICE = 0.25
"""Seconds of one wait while an attempt is under way: on Windows nothing wakes a thread that waits for a socket which another one
shut down (python/cpython#91913), so it looks by itself whether the attempt was given up."""

_CONNECTED = (0, errno.ECONNRESET)
"""Pending errors of a socket that connected; the second was reset since, which the next step reports as its own."""

Address = tuple[Any, Any, int, str, Any]
"""What ``socket.getaddrinfo`` gives: family, kind, protocol, name, address."""


_T = TypeVar("_T")

_WORDS = {
    errno.ECONNREFUSED: "Connection refused",
    errno.ETIMEDOUT: "Connection timed out",
    errno.ENETUNREACH: "Network is unreachable",
    errno.EHOSTUNREACH: "No route to host",
    errno.EADDRINUSE: "Address already in use",
    errno.EADDRNOTAVAIL: "Cannot assign requested address",
    errno.EACCES: "Permission denied",
}
"""What POSIX says; Windows has numbers of its own for these, of which its C library says "Unknown error"."""


def words_of(code: int) -> str:
    """What the system's error number means."""
    return _WORDS.get(code) or getattr(socket, "errorTab", {}).get(code) or os.strerror(code)


def words_in(error: Exception) -> str:
    """The system's words for an error; else its own, or its kind."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def shut_down(sock: socket.socket) -> None:
    """Ends a connection for every thread that waits on it, below TLS; the descriptor stays. Any thread, never blocks.

    The lowest ``shutdown`` there is: SSLSocket's own drops the TLS layer under a thread that is inside it. Eventlet's sockets
    have it as an attribute of the object alone.
    """
    plain = [each for each in type(sock).__mro__ if "shutdown" in vars(each)]
    with suppress(OSError):  # not connected yet, or the peer was faster
        if plain:
            plain[-1].shutdown(sock, socket.SHUT_RDWR)  # type: ignore[attr-defined]
        else:
            sock.shutdown(socket.SHUT_RDWR)


class GivenUp(Exception):
    """Another thread ended the attempt. Never leaves the package."""


class Held:
    """The sockets of one attempt to connect: any thread may end the attempt, the thread that dials closes what is left."""

    def __init__(self) -> None:
        self.aborted = False
        """True once another thread has ended the attempt."""
        self._sockets: list[socket.socket] = []

    def add(self, sock: socket.socket) -> None:
        """Takes charge of a socket.

        Raises:
            GivenUp: when the attempt has ended.
        """
        self._sockets.append(sock)
        self.check()

    def check(self) -> None:
        """Raises GivenUp when the attempt has ended."""
        if self.aborted:
            raise GivenUp

    def abort(self) -> None:
        """Ends the attempt: whatever waits on one of the sockets fails soon. Any thread, never blocks.

        Only shuts them down: closing would free a descriptor that the dialling thread is using.
        """
        self.aborted = True
        for sock in tuple(self._sockets):
            shut_down(sock)

    def close(self) -> None:
        """Closes every socket. The thread that dials."""
        for sock in self._sockets:
            sock.close()


class Line:
    """One socket whose calls wait within a deadline, each in slices: an attempt that was given up ends on every system.

    Raises:
        TimeoutError: the deadline passed.
        GivenUp: another thread ended the attempt.
        OSError: the connection ended.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, held: Held) -> None:
        self.sock = sock
        self.deadline = deadline
        self._held = held

    def wait(self, call: Callable[[], _T]) -> _T:
        """Calls until it takes less than a slice. What timed out halfway goes on with the next call, TLS included."""
        while True:
            self._held.check()
            left = self.deadline.left_or_raise()
            self.sock.settimeout(_SLICE if left is None else min(left, _SLICE))
            try:
                return call()
            except TimeoutError as error:
                if error.errno is not None:  # ETIMEDOUT: the system has given the connection up
                    raise

    def within(self, deadline: Deadline) -> Line:
        """The same with another deadline."""
        return Line(self.sock, deadline, self._held)

    def receive(self, size: int) -> bytes:
        """What has come, up to ``size`` bytes; empty at the end."""
        return self.wait(partial(self.sock.recv, size))

    def receive_all(self, size: int) -> bytes:
        """So many bytes; OSError where the connection ends before."""
        data = b""
        while len(data) < size:
            piece = self.receive(size - len(data))
            if not piece:
                raise OSError("the connection ended before the answer")
            data += piece
        return data

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        while data:
            data = data[self.wait(partial(self.sock.send, data)) :]


def look_up(host: str, port: int) -> list[Address]:
    """The host's addresses, in the order in which they are tried. Blocks as long as the system's resolver does.

    Raises:
        OSError: the name is not known.
        ConnectError: it cannot be a name.
    """
    try:
        return interleaved(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except ValueError:  # a label that is empty or too long, or a character that no name has: no server was asked
        raise no_name(host) from None


def no_name(host: str) -> ConnectError:
    """The error for a host whose name cannot be one."""
    return ConnectError(f"{host!r} is not a valid host name: check the address", Phase.NAME_LOOKUP)


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """The families in turn, beginning with the resolver's first choice (RFC 8305, section 4)."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    second = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


def connect(addresses: Sequence[Address], deadline: Deadline, held: Held) -> socket.socket:
    """Connects to whichever address answers first; the others are closed.

    Raises:
        TimeoutError: none answered before the deadline.
        OSError: all refused; the last one's reason.
        GivenUp: another thread ended the attempt.
    """
    with selectors.DefaultSelector() as selector:
        race = _Race(selector, deadline, held)
        for address in addresses:
            if not race.start(address):
                continue
            winner = race.wait(STAGGER)
            if winner is not None:
                return winner
        while race.is_on:
            winner = race.wait(STAGGER)  # not longer, to see that the attempt was given up
            if winner is not None:
                return winner
        raise race.failure


class _Race:
    """Attempts beside each other."""

    def __init__(self, selector: selectors.BaseSelector, deadline: Deadline, held: Held) -> None:
        self.failure = OSError("the name has no address")
        self._selector = selector
        self._deadline = deadline
        self._held = held

    @property
    def is_on(self) -> bool:
        """True while an attempt is under way."""
        return bool(self._selector.get_map())

    def start(self, address: Address) -> bool:
        """Begins an attempt; False when it failed at once."""
        family, kind, protocol, _, where = address
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:  # a family that this machine does not have
            self.failure = error
            return False
        self._held.add(sock)
        sock.setblocking(False)
        try:
            sock.connect(where)
        except (BlockingIOError, InterruptedError):
            pass  # the attempt goes on; the selector reports its end
        except OSError as error:
            self._lose(sock, error)
            return False
        self._selector.register(sock, selectors.EVENT_WRITE)
        return True

    def wait(self, seconds: float) -> socket.socket | None:
        """The winner; None when so many seconds have passed, or all have failed."""
        until = Deadline(seconds)
        while self.is_on:
            self._held.check()
            left, pause = self._deadline.left(), until.left()
            if left == 0:
                raise TimeoutError
            if pause == 0:
                return None
            ready = self._selector.select(min(limit for limit in (left, pause) if limit is not None))
            self._held.check()  # before the sockets are asked: one that was shut down while it connected has no error pending
            for key, _ in ready:
                sock: socket.socket = key.fileobj  # type: ignore[assignment]  # what was registered
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code in _CONNECTED:
                    return self._won(sock)
                self._selector.unregister(sock)
                self._lose(sock, OSError(code, words_of(code)))
        return None

    def _lose(self, sock: socket.socket, error: OSError) -> None:
        sock.close()
        self.failure = error

    def _won(self, winner: socket.socket) -> socket.socket:
        for key in tuple(self._selector.get_map().values()):
            if key.fileobj is not winner:
                key.fileobj.close()  # type: ignore[union-attr]  # a socket
        with suppress(OSError):  # reset since
            winner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return winner
