"""The reader: one thread's poll loop over the connections it owns. It alone reads their sockets; its wait is their clock.

By default every session has a reader of its own, whose thread also dials. A shared reader serves all sessions of a client, and
paces the sound that is streamed into them; dialling, and anything else that waits, then happens on a short-lived thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from genai_live import _process, _threads
from genai_live._connection.timetable import EARLY, Dues, Timed, Timetable, served
from genai_live._deadline import Deadline

_THREAD_NAME = "genai-live-reader"
_MOST_CONNECTIONS = 511 if sys.platform == "win32" else sys.maxsize
"""Sockets that one thread can wait for there, less the one that wakes it: FD_SETSIZE of CPython's select module is 512."""
_LONGEST_WAIT = 3600.0
"""Seconds of one wait: a selector refuses infinity, and times beyond some weeks."""
ENDED = -1
"""In place of selector events: the connection is over."""


_child_lock = threading.Lock()
"""Held for an instant by the first threads of a child process that use a parent's Reader; never in a parent, so never forked."""


class TooManyConnections(Exception):
    """The system cannot wait for one more on one thread; the text is the reason of its end. Never leaves the package."""

    def __init__(self, most: int) -> None:
        super().__init__(f"one thread of this system reads {most} sessions at most: open more on another Client")


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

    def fail(self, error: BaseException) -> None:
        """Something went wrong that should not: ends the connection, so that ``wanted`` is ``ENDED``."""

    def retire(self) -> None:
        """The reader has let go of the socket: closes it, and wakes everybody who waits."""


class Reader:
    """A thread that reads for one connection, or for many. The thread starts with the first and ends with the last."""

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self._process = _process.current
        self._new: deque[Readable] = deque()
        self._asking: deque[Readable] = deque()
        """Connections that are to be looked at: one that asks costs the others nothing."""
        self._start_lock = threading.RLock()
        """Guards ``_thread``, ``_wake_writer`` and ``timetable``: a reader about to end, and something about to come. Reentrant,
        because a signal handler may cancel a stream."""
        self.timetable = Timetable()
        """What is due that is not a connection's."""
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
        _threads.start(dial)

    def pace(self, work: Timed) -> None:
        """As ``timetable.Pacing.pace``: on a shared reader one thread reads and speaks.

        Two threads would hand the interpreter lock to each other at every system call (docs/performance.md).
        """
        self._check_process()
        with self._start_lock:
            self.timetable.put(work, time.monotonic())
            try:
                self._rouse()
            except BaseException:
                self.timetable.put_back(work, None)
                raise

    def hurry(self, work: Timed) -> None:
        """As ``timetable.Pacing.hurry``."""
        self._check_process()
        with self._start_lock:
            if self.timetable.hurry(work, time.monotonic()):
                self._rouse()

    def attend(self, connection: Readable) -> None:
        """Makes the loop look at this connection now. Any thread, never blocks."""
        self._asking.append(connection)
        self._wake()

    def take(self, connection: Readable) -> None:
        """Reads a connection that is open already; returns at once. On a shared reader.

        Raises:
            RuntimeError: this process may start no more threads.
        """
        self._check_process()
        with self._start_lock:
            self._new.append(connection)
            try:
                self._rouse()
            except BaseException:
                self._new.remove(connection)
                raise
        if self.is_current:
            self._wake()

    def _wake(self) -> None:
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
            self._new.append(connection)
            self._run()

    def _dial_then_hand_over(self, connection: Readable, deadline: Deadline) -> None:
        if not connection.dial(deadline):
            return
        try:
            self.take(connection)
        except RuntimeError as error:  # the system gives no thread; the next connection tries again
            connection.fail(error)
            connection.retire()

    def _rouse(self) -> None:
        """Requires the start lock. Makes the thread look at what is new, or starts it; RuntimeError when that cannot be done."""
        if self._thread is None:
            self._start_thread(self._run)
        elif not self.is_current:  # which looks at its timetable before it waits
            self._wake()

    def _start_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=_THREAD_NAME, daemon=True)
        self._thread = thread
        try:
            _threads.start(thread)
        except BaseException:
            self._thread = None
            raise

    def _check_process(self) -> None:
        """In a child process starts over.

        The thread that reads, and one that held the lock, do not exist there; the connections and paced sound are the parent's.
        """
        if self._process is not _process.current:
            with _child_lock:
                if self._process is not _process.current:
                    self._start_lock, self.timetable = threading.RLock(), Timetable()
                    self._new, self._asking = deque(), deque()
                    self._thread = self._wake_writer = None
                    self._process = _process.current

    # The loop: the reader thread.

    def _run(self) -> None:
        connections: dict[Readable, None] = {}
        try:
            wake_reader, wake_writer = socket.socketpair()
            wake_reader.setblocking(False)
            wake_writer.setblocking(False)
            with wake_reader, wake_writer, selectors.DefaultSelector() as selector:
                self._wake_writer = wake_writer
                selector.register(wake_reader, selectors.EVENT_READ, None)
                _Loop(selector, wake_reader, connections, self).run()
        except BaseException as error:  # no descriptor is left, for example: a thread that waits for this one must be woken
            self._abandon(connections, error)

    def _abandon(self, connections: dict[Readable, None], error: BaseException) -> None:
        with self._start_lock:
            connections.update(dict.fromkeys(self._new))
            self._new.clear()
            if self.shared:
                self._thread = None
            self._wake_writer = None
        for connection in connections:
            connection.fail(error)
            connection.retire()
        with self._start_lock:
            works = self.timetable.take_all()
        self.serve(works)  # those of the sessions that have just ended find that out; others wait for the next thread

    # For the loop.

    def take_new(self) -> Iterator[Readable]:
        """Connections that came since it was last asked."""
        while self._new:
            yield self._new.popleft()

    def take_asking(self) -> Iterator[Readable]:
        """Connections that are to be looked at."""
        while self._asking:
            yield self._asking.popleft()

    def serve_due(self, now: float) -> None:
        """Serves what is due."""
        with self._start_lock:
            works = self.timetable.take(now)
        self.serve(works)

    def serve(self, works: list[Timed]) -> None:
        """Serves each, and asks when it is due again."""
        for work in works:
            due = served(work, time.monotonic())
            with self._start_lock:
                self.timetable.put_back(work, due)

    def may_end(self) -> bool:
        """True when nothing is left to read or to pace; from then on what is new starts a new thread."""
        with self._start_lock:
            if self._new or self.timetable:
                return False
            if self.shared:
                self._thread = None
            self._wake_writer = None
            return True


class _Loop:
    """Waits for sockets and for time, and serves whatever is ready."""

    def __init__(
        self, selector: selectors.BaseSelector, wake: socket.socket, connections: dict[Readable, None], reader: Reader
    ) -> None:
        self._selector = selector
        self._wake = wake
        self._connections = connections
        """In the order in which they came."""
        self._dues: Dues[Readable] = Dues()
        """When each is to be looked at next."""
        self._most = _MOST_CONNECTIONS
        self._reader = reader

    def run(self) -> None:
        wait, monotonic, reader, process = self._selector.select, time.monotonic, self._reader, _process.current
        self._attend((), monotonic())
        while self._connections or not reader.may_end():  # an attempt may have been given up before it came here
            # Deadlines move only away while bytes come, so a look at the earliest time that was noted is enough: with hundreds of
            # connections neither a message nor one that comes or goes costs more than with one.
            attention, asking = False, []
            try:
                due = min(self._dues.next_due, reader.timetable.next_due - EARLY)
                ready = wait(min(max(0.0, due - monotonic()), _LONGEST_WAIT))
            except (OSError, ValueError) as error:
                self._let_go_of_the_reason(error)
                ready = []
            for key, events in ready:
                connection: Readable | None = key.data
                if connection is None:
                    self._wake.recv(4096)
                    attention = True
                    continue
                try:
                    connection.on_ready(events)
                except BaseException as error:  # one session's trouble must not end the others, nor end itself in silence
                    connection.fail(error)
                if connection.needs_attention:
                    asking.append(connection)
                if process is not _process.current:
                    return  # a callback forked, and returned in the child: the bytes are the parent's
            now = monotonic()
            if reader.timetable.next_due <= now + EARLY:
                reader.serve_due(now)
            if attention or asking or now >= self._dues.next_due:
                self._attend(asking, monotonic())

    def _let_go_of_the_reason(self, error: Exception) -> None:
        """The selector cannot wait for all of them: the connection that is the reason ends, and no other."""
        watched = [connection for connection in self._connections if connection.registered > 0]
        refused = [connection for connection in watched if self._is_the_reason(connection.fileno)]
        if not refused and len(watched) > 1:
            self._most = len(self._connections) - 1
            refused, error = [next(reversed(self._connections))], TooManyConnections(self._most)
        if not refused:
            raise error
        for connection in refused:
            connection.fail(error)
            self._let_go(connection)

    def _is_the_reason(self, fileno: int) -> bool:
        """True for a descriptor that somebody has closed, or whose number is too high for the selector."""
        try:
            if isinstance(self._selector, selectors.SelectSelector):
                select.select([fileno], [], [], 0)
            else:
                os.fstat(fileno)
        except (OSError, ValueError):
            return True
        return False

    def _attend(self, asking: Iterable[Readable], now: float) -> None:
        """Looks at the connections that ask for it, at new ones, and at those whose time has come."""
        looked_at = dict.fromkeys(asking)
        for connection in self._reader.take_new():
            self._connections[connection] = looked_at[connection] = None
            if len(self._connections) > self._most:
                connection.fail(TooManyConnections(self._most))
        looked_at.update(dict.fromkeys(self._reader.take_asking()))
        looked_at.update(dict.fromkeys(self._dues.take(now)))
        for connection in looked_at:
            if connection in self._connections:
                self._look_at(connection, now)

    def _look_at(self, connection: Readable, now: float) -> None:
        connection.needs_attention = False
        try:
            self._dues.put(connection, connection.on_time(now))
        except BaseException as error:
            connection.fail(error)
        try:
            self._watch(connection)
        except BaseException as error:
            connection.fail(error)
            self._let_go(connection)

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
        self._connections.pop(connection, None)
        self._dues.remove(connection)
        with contextlib.suppress(KeyError, ValueError, OSError):  # the descriptor may be what went wrong
            self._selector.unregister(self._key_of(connection).fd)
        connection.registered = ENDED
        connection.retire()

    def _key_of(self, connection: Readable) -> selectors.SelectorKey:
        """What the selector has of a connection; KeyError when that is nothing.

        Not by its descriptor alone, which may be closed, and the number another's by now.
        """
        with contextlib.suppress(KeyError, ValueError):
            key = self._selector.get_key(connection.fileno)
            if key.data is connection:
                return key
        for key in tuple(self._selector.get_map().values()):
            if key.data is connection:
                return key
        raise KeyError
