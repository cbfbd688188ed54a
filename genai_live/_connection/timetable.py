"""When something is due: a look at a connection, or work that is done a little at a time, such as sound that is paced.

Without thread or clock; the owner of a timetable guards it.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from genai_live._deadline import NEVER

logger = logging.getLogger("genai_live")

Thing = TypeVar("Thing")

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


class Dues(Generic[Thing]):
    """Things and the times at which they are due, in monotonic seconds.

    An entry that another one of its thing has replaced stays in the heap until it would be the first, without the thing.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._things: dict[int, Thing] = {}
        """Of the entries that count."""
        self._entries: dict[Thing, tuple[float, int]] = {}
        self._numbers = itertools.count()
        self.next_due = NEVER
        """When the first thing is due; infinity when there is nothing."""

    def put(self, thing: Thing, due: float) -> None:
        """Notes when to look. An earlier time that is noted already stays: looking too early costs one look."""
        noted = self._entries.get(thing)
        if due == NEVER or (noted is not None and noted[0] <= due):
            return
        self._forget(thing)
        entry = (due, next(self._numbers))
        self._entries[thing], self._things[entry[1]] = entry, thing
        heapq.heappush(self._heap, entry)
        self._find_next()

    def remove(self, thing: Thing) -> None:
        """Forgets it."""
        self._forget(thing)
        self._find_next()

    def _forget(self, thing: Thing) -> None:
        noted = self._entries.pop(thing, None)
        if noted is not None:
            del self._things[noted[1]]

    def _find_next(self) -> None:
        """An entry without its thing would wake somebody for nothing: with a microphone's sound 25 times a second."""
        heap = self._heap
        while heap and heap[0][1] not in self._things:
            heapq.heappop(heap)
        self.next_due = heap[0][0] if heap else NEVER

    def take(self, now: float) -> list[Thing]:
        """What is due; it is noted no more."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            thing = self._things.get(heapq.heappop(self._heap)[1])
            if thing is not None:
                self._forget(thing)
                taken.append(thing)
        self._find_next()
        return taken


class Timetable(Dues[Timed]):
    """Works that are due again and again, until they are over."""

    def __init__(self) -> None:
        super().__init__()
        self._works: dict[Timed, bool] = {}
        """Those that are not over, though one may wait until it is hurried; True from being taken until it is put back."""

    def __bool__(self) -> bool:
        return bool(self._works)

    def put(self, work: Timed, due: float) -> None:
        """Adds the work."""
        self._works.setdefault(work, False)
        super().put(work, due)

    def hurry(self, work: Timed, now: float) -> bool:
        """Moves the work to ``now``; False when it is over."""
        if work in self._works:
            self.put(work, now)
            return True
        return False

    def take(self, now: float) -> list[Timed]:
        """What is due, to be served and then put back; each once, so that work that is always due keeps nothing else waiting."""
        taken = super().take(now + EARLY)
        self._works.update(dict.fromkeys(taken, True))
        return taken

    def put_back(self, work: Timed, due: float | None) -> None:
        """The work was served, and is due again at ``due`` or at an earlier time that is noted; None when it is over."""
        if due is None:
            self._works.pop(work, None)
            self.remove(work)
        elif work in self._works:
            self._works[work] = False
            super().put(work, due)

    def take_all(self) -> list[Timed]:
        """Everything that is not taken already, due or not, to be served and then put back."""
        taken = [work for work, is_taken in self._works.items() if not is_taken]
        self._works.update(dict.fromkeys(taken, True))
        return taken


def served(work: Timed, now: float) -> float | None:
    """Has the work do what is due; returns when it is due again. Never raises."""
    try:
        return work.step(now)
    except BaseException:  # a stream keeps its errors to itself; one that fails to must not end the others
        logger.exception("work that was due failed and is dropped; the rest goes on")
        return None
