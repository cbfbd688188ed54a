"""A flag that threads wait for, as for ``threading.Event``; but what a signal handler raises meanwhile leaves no lock taken.

Runs on any thread.
"""

from __future__ import annotations

import contextlib
import threading


class Flag:
    """Set by one thread, waited for by others.

    ``threading.Event`` is Python inside: Ctrl-C between taking its lock and noting that keeps the lock for ever, and with it
    the next thread that sets the event. Every step here is one of C, or can be left undone.

    Who waits leaves a waiter and then looks at the flag, who sets it looks for waiters after that: it rests on no store being
    passed by a later load (docs/reliability.md, "Hand-overs without a lock").
    """

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: dict[threading.Lock, None] = {}
        """A taken lock for each thread that waits; ``set`` releases them all. A session has eight flags: an empty dict takes 64
        bytes and none of the garbage collector's time, an empty deque 600."""

    def is_set(self) -> bool:
        """True once it was set, until it is cleared."""
        return self._is_set

    def set(self) -> None:
        """Sets the flag and wakes all who wait. Never blocks; more than once does no harm."""
        self._is_set = True
        with contextlib.suppress(KeyError):
            while True:
                self._waiters.popitem()[0].release()

    def clear(self) -> None:
        """Waits begin anew."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set, for ``timeout`` seconds at most; whether it is. Ctrl-C interrupts it, except on Windows."""
        if self._is_set:
            return True
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters[waiter] = None
        try:
            if not self._is_set:  # else it was set just before, and nobody will release this lock
                waiter.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        finally:
            self._waiters.pop(waiter, None)
        return self._is_set
