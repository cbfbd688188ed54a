"""What still comes of an answer that was cut short, and until when. Pure: time is passed in; one thread at a time.

Nothing in a message says to which answer it belongs. The service as a rule ends the turn of an answer that it cut, and everything
before that is left over; where it does not, what is left over comes close behind the cut, and close together.
"""

from __future__ import annotations

INTERRUPTED_GAP = 0.4
"""Seconds without anything after which what comes is new, once the service has cut its answer: one of its frames has 0.3 s."""
INTERRUPTED_FOR = 1.0
"""Seconds after which all that comes is new then, whatever came before: it makes no more of the answer that it cut."""
SILENCED_GAP = 1.0
"""The first of these where the service was not told, and goes on with the answer to its end, with pauses of its own."""
ON_ITS_WAY = 0.3
"""Seconds in which what the service had sent before a question came still comes; no answer begins so soon."""
_EVER = float("inf")


class Leftovers:
    """Says of what comes whether it is left over."""

    def __init__(self) -> None:
        self._until: float | None = None
        """None while nothing is left over."""
        self._gap = 0.0
        self._limit = 0.0
        self._end_is_due = False
        """True when the service has yet to end the turn of an answer that is over here: that end says nothing of what it owes."""

    def expect(self, now: float, *, by_service: bool, asked: bool) -> None:
        """An answer was cut, by the service or without its knowledge; ``asked`` where it has another question since."""
        self._gap = INTERRUPTED_GAP if by_service else SILENCED_GAP
        self._limit = now + ON_ITS_WAY if asked else now + INTERRUPTED_FOR if by_service else _EVER
        self._until = min(now + self._gap, self._limit)

    def ask(self, now: float) -> None:
        """The service is asked something, and cuts its answer when it hears of that."""
        if self._until is not None:
            self._gap, self._limit = INTERRUPTED_GAP, now + INTERRUPTED_FOR
            self._until = now + self._gap

    def expect_end(self) -> None:
        """The end of a turn that is still to come belongs to an answer that is over."""
        self._end_is_due = True

    def expect_no_end(self) -> None:
        """An answer has begun: the end that comes next is its own."""
        self._end_is_due = False

    def end(self) -> None:
        """Nothing is left over of what was said; the end of the turn may still come."""
        self._until = None

    def take_end(self) -> bool:
        """The service ends a turn, behind which nothing is left over; True where it was the end of an answer that was over."""
        self._until = None
        is_due, self._end_is_due = self._end_is_due, False
        return is_due

    @property
    def expected(self) -> bool:
        """True while something may be left over."""
        return self._until is not None

    def take(self, now: float) -> bool:
        """Takes something that came; False where it is new, and then nothing is left over any more."""
        if self._until is None:
            return False
        if now >= self._until:
            self._until = None
            return False
        self._until = min(now + self._gap, self._limit)
        return True
