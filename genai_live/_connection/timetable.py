"""When work is due that is done a little at a time, such as sound that is sent as fast as it was spoken.

Without thread or clock; the owner of a timetable guards it.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import logging
from collections.abc import Callable
from typing import Protocol

from genai_live._deadline import NEVER

logger = logging.getLogger("genai_live")

EARLY = 0.001
"""Seconds before its time at which work may be served: what is due together shares one wake-up, and a selector that waits for
whole milliseconds is not late."""


class Timed(Protocol):
    """What is served."""

    def step(self, now: float) -> float | None:
        """Does what is due at ``now`` (monotonic seconds) without blocking; returns when to come again, None when it is over."""


class Later:
    """A function that is called once, at ``due`` (monotonic seconds), in the context variables of the thread that made this."""

    def __init__(self, due: float, function: Callable[[], object]) -> None:
        self._due = due
        self._function = function
        self._context = contextvars.copy_context()

    def step(self, now: float) -> float | None:
        """As ``Timed.step``."""
        if now + EARLY < self._due:
            return self._due
        self._context.run(self._function)
        return None


class Pacing(Protocol):
    """A thread that keeps a timetable. Everything here may be called on any thread and never blocks."""

    @property
    def is_current(self) -> bool:
        """True on that thread, where waiting for its work would deadlock."""

    def pace(self, work: Timed) -> None:
        """Serves the work from now on, until its step returns None.

        Raises:
            RuntimeError: this process may start no more threads.
        """

    def hurry(self, work: Timed) -> None:
        """Serves the work now, whatever it waits for. Nothing happens when it is over."""


Entry = tuple[float, int]
"""When a work is due, and a number of its own."""


class Timetable:
    """Works and the times at which they are due, in monotonic seconds."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Timed]] = []
        self._entries: dict[Timed, Entry | None] = {}
        """For each work its entry in the heap that counts, others are stale; None while it is served."""
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def next_due(self) -> float:
        """When to look again: not later than anything is due; infinity when there is nothing."""
        return self._due[0][0] if self._due else NEVER

    def put(self, work: Timed, due: float) -> None:
        """Adds the work, or moves it to another time."""
        entry = self._entries[work] = (due, next(self._numbers))
        heapq.heappush(self._due, (*entry, work))

    def hurry(self, work: Timed, now: float) -> bool:
        """Moves the work to ``now``; False when it is over."""
        if work in self._entries:
            self.put(work, now)
            return True
        return False

    def take(self, now: float) -> list[Timed]:
        """What is due, to be served and then put back; each once, so that work that is always due keeps nothing else waiting."""
        taken = []
        while self._due and self._due[0][0] <= now + EARLY:
            due, number, work = heapq.heappop(self._due)
            if self._entries.get(work) == (due, number):
                self._entries[work] = None
                taken.append(work)
        return taken

    def put_back(self, work: Timed, due: float | None) -> None:
        """The work was served, and is due again at ``due``; None when it is over."""
        if due is None:
            self._entries.pop(work, None)
        elif self._entries.get(work, 0) is None:  # else it was hurried meanwhile, and that is earlier
            self.put(work, due)

    def take_one(self, work: Timed) -> Entry | None:
        """This one, due or not, to be served and then put back beside its entry; None when it is over, or served just now."""
        entry = self._entries.get(work)
        if entry is not None:
            self._entries[work] = None
        return entry

    def put_back_beside(self, work: Timed, entry: Entry, due: float | None) -> None:
        """As ``put_back``; the entry stays where the work is not due sooner, as looking too early costs one look."""
        if due is None or due < entry[0]:
            self.put_back(work, due)
        elif self._entries.get(work, 0) is None:
            self._entries[work] = entry

    def take_all(self) -> list[Timed]:
        """Everything, due or not, to be served and then put back."""
        return self.take(NEVER)


def served(work: Timed, now: float) -> float | None:
    """Has the work do what is due; returns when it is due again. Never raises."""
    try:
        return work.step(now)
    except BaseException:  # a stream keeps its errors to itself; one that fails to must not end the others
        logger.exception("work that was due failed and is dropped; the rest goes on")
        return None
