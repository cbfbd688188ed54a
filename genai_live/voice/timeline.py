"""Where in time the blocks of a sound card belong: what was lost between two of them. Pure: their times are handed in.

Nothing else tells. A machine that is busy for some milliseconds makes a sound server leave some out (PipeWire 2, 5.3, 7.4 ms and
more), without a word. That moves the echo, and until a canceller has found it anew, after up to 0.9 s, the model hears it.
"""

from __future__ import annotations

from collections import deque

_NEWEST = 9
"""Blocks that a block's time is compared with."""
_LEAST = 0.001
"""Seconds that must be missing, and three times as much as the newest blocks differ: some drivers' clocks are rough."""
_LONGEST = 0.5
"""Seconds beyond which nothing was lost: a laptop has slept."""


class Timeline:
    """One stream's, in samples of its rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._due: float | None = None
        """When the next block begins, if nothing is lost before it."""
        self._late: deque[float] = deque(maxlen=_NEWEST)
        """Seconds by which the newest blocks came later than due."""

    def missing(self, at: float) -> int:
        """Samples that are missing before a block that begins at ``at``; negative for those of it that are too many."""
        if self._due is None:
            self._due = at
        late, newest = at - self._due, sorted(self._late)
        missing = 0
        if len(newest) == _NEWEST:
            shift = late - newest[_NEWEST // 2]
            if abs(shift) > _LONGEST:
                self._due, late = at, 0.0
                self._late.clear()
            elif abs(shift) > max(_LEAST, 3 * (newest[-1] - newest[0])):
                missing = round(shift * self._rate)
        self._late.append(late - missing / self._rate)
        return missing

    def take(self, samples: int) -> None:
        """So many samples are there, silence for those that were missing included."""
        assert self._due is not None
        self._due += samples / self._rate
