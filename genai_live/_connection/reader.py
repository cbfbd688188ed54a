"""The reader: one thread's poll loop over the connections it owns. It alone reads their sockets; its wait is their clock.

By default every session has a reader of its own, whose thread also dials. A shared reader serves all sessions of a client;
dialling, and anything else that waits, then happens on a short-lived thread of its own.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from genai_live._deadline import Deadline

_THREAD_NAME = "genai-live-reader"
_NEVER = float("inf")
_LONGEST_WAIT = 3600.0
"""Seconds of one wait: a selector refuses infinity, and times beyond some weeks."""
ENDED = -1
"""In place of selector events: the connection is over."""


_child_lock = threading.Lock()
"""Held for an instant by the first threads of a child process that use a parent's Reader; never in a parent, so never forked."""


class Readable(Protocol):
    """What a reader needs of a connection."""

    registered: int
    """Selector events that the reader watches for it; written by the reader alone."""
    needs_attention: bool
    """True when ``on_time`` should be called before its time: something changed."""

    @property
    def fileno(self) -> int: ...

    def dial(self, deadline: Deadline) -> bool:
        """Opens the connection; blocks. True when there is something to read from now on."""

    def on_ready(self, events: int) -> None:
        """Reads or writes what can be, without blocking."""

    def on_time(self, now: float) -> float:
        """Does what is due; returns the next time (monotonic seconds) at which something may be."""

    def wanted(self) -> int:
        """Selector events to watch for; ``ENDED`` when there is nothing to watch for ever."""

    def fail(self, error: Exception) -> None:
        """Something went wrong that should not: ends the connection, so that ``wanted`` is ``ENDED``."""

    def retire(self) -> None:
        """The reader has let go of the socket: closes it, and tells everybody who waits."""


class Reader:
    """A thread that reads for one connection, or for many. The thread starts with the first and ends with the last."""

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self._pid = os.getpid()
        self._new: deque[Readable] = deque()
        self._start_lock = threading.Lock()
        """Guards ``_thread`` and ``_wake_writer``: a reader about to end, and a connection about to come."""
        self._thread: threading.Thread | None = None
        self._wake_writer: socket.socket | None = None

    def start(self, connection: Readable, deadline: Deadline) -> None:
        """Dials the connection, then reads it; returns at once."""
        if not self.shared:
            self._start_thread(lambda: self._dial_then_run(connection, deadline))
            return
        dial = threading.Thread(
            target=self._dial_then_hand_over, args=(connection, deadline), name="genai-live-dial", daemon=True
        )
        dial.start()

    def wake(self) -> None:
        """Makes the loop look at every connection now. Any thread, never blocks."""
        writer = self._wake_writer
        if writer is not None:
            with contextlib.suppress(BlockingIOError, OSError):  # full: it will wake anyway; closed: it has ended
                writer.send(b"\0")

    @property
    def is_current(self) -> bool:
        """True on the reader's own thread: a call that waits for messages would wait for itself."""
        return self._thread is threading.current_thread()

    def join(self, deadline: Deadline) -> None:
        """Waits until the thread of an unshared reader is gone."""
        thread = self._thread
        if thread is not None and not self.shared and thread is not threading.current_thread():
            thread.join(deadline.left())

    def _dial_then_run(self, connection: Readable, deadline: Deadline) -> None:
        if connection.dial(deadline):
            self._run(connection)

    def _dial_then_hand_over(self, connection: Readable, deadline: Deadline) -> None:
        if not connection.dial(deadline):
            return
        if self._pid != os.getpid():
            self._start_over_in_child()
        with self._start_lock:
            self._new.append(connection)
            if self._thread is not None:
                self.wake()
                return
            first = self._new.popleft()
            try:
                self._start_thread(lambda: self._run(first))
            except RuntimeError as error:  # the system gives no thread; the next connection tries again
                failure = error
            else:
                return
        connection.fail(failure)
        connection.retire()

    def _start_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=_THREAD_NAME, daemon=True)
        self._thread = thread
        try:
            thread.start()
        except BaseException:
            self._thread = None
            raise

    def _start_over_in_child(self) -> None:
        """The thread does not exist here, whoever held the lock neither, and the connections are the parent's."""
        with _child_lock:
            if self._pid != os.getpid():
                self._start_lock, self._new = threading.Lock(), deque()
                self._thread = self._wake_writer = None
                self._pid = os.getpid()

    # The loop: the reader thread.

    def _run(self, first: Readable) -> None:
        self._new.append(first)
        connections: set[Readable] = set()
        try:
            wake_reader, wake_writer = socket.socketpair()
            wake_reader.setblocking(False)
            wake_writer.setblocking(False)
            with wake_reader, wake_writer, selectors.DefaultSelector() as selector:
                self._wake_writer = wake_writer
                selector.register(wake_reader, selectors.EVENT_READ, None)
                _Loop(selector, wake_reader, connections, self._new, self._may_end).run()
        except Exception as error:  # no descriptor is left, for example: who waits for this thread must be told
            self._abandon(connections, error)

    def _abandon(self, connections: set[Readable], error: Exception) -> None:
        with self._start_lock:
            connections.update(self._new)
            self._new.clear()
            if self.shared:
                self._thread = None
            self._wake_writer = None
        for connection in connections:
            connection.fail(error)
            connection.retire()

    def _may_end(self) -> bool:
        """True when nothing is left to read; from then on a new connection starts a new thread."""
        with self._start_lock:
            if self._new:
                return False
            if self.shared:
                self._thread = None
            self._wake_writer = None
            return True


class _Loop:
    """Waits for sockets and for time, and serves whatever is ready."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        wake: socket.socket,
        connections: set[Readable],
        new: deque[Readable],
        may_end: Callable[[], bool],
    ) -> None:
        self._selector = selector
        self._wake = wake
        self._connections = connections
        self._new = new
        self._may_end = may_end

    def run(self) -> None:
        select, monotonic, pid = self._selector.select, time.monotonic, os.getpid()
        tick = 0.0
        while True:
            # Deadlines move only away while bytes come, so one look at all of them at the earliest is enough: with hundreds of
            # connections the cost of a message does not grow with their number.
            attention = False
            for key, events in select(min(max(0.0, tick - monotonic()), _LONGEST_WAIT)):
                connection: Readable | None = key.data
                if connection is None:
                    self._wake.recv(4096)
                    attention = True
                    continue
                try:
                    connection.on_ready(events)
                except Exception as error:  # one session's trouble must not end the others, nor end itself in silence
                    connection.fail(error)
                attention = attention or connection.needs_attention
                if pid != os.getpid():
                    return  # a callback forked, and returned in the child: the bytes are the parent's
            if attention or monotonic() >= tick:
                tick = self._attend(monotonic())
                if not self._connections and self._may_end():
                    return

    def _attend(self, now: float) -> float:
        """Looks at every connection; returns when the next look is due."""
        while self._new:
            self._connections.add(self._new.popleft())
        due = _NEVER
        for connection in tuple(self._connections):
            connection.needs_attention = False
            try:
                due = min(due, connection.on_time(now))
            except Exception as error:
                connection.fail(error)
            try:
                self._watch(connection)
            except Exception as error:
                connection.fail(error)
                self._let_go(connection)
        return due

    def _watch(self, connection: Readable) -> None:
        wanted = connection.wanted()
        if wanted == ENDED:
            self._let_go(connection)
        elif wanted != connection.registered:
            if connection.registered > 0:
                self._selector.unregister(connection.fileno)
            if wanted > 0:
                self._selector.register(connection.fileno, wanted, connection)
            connection.registered = wanted

    def _let_go(self, connection: Readable) -> None:
        self._connections.discard(connection)
        if connection.registered > 0:
            with contextlib.suppress(KeyError, ValueError, OSError):  # the descriptor may be what went wrong
                self._selector.unregister(connection.fileno)
        connection.registered = ENDED
        connection.retire()
