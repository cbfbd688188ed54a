"""Where in time the blocks of a sound card belong: what was lost between two of them. Pure: their times are handed in.

Nothing else tells. A machine that is busy for some milliseconds makes a sound server leave some out (PipeWire 2, 5.3, 7.4 ms and
more), without a word. That moves the echo, and until a canceller has found it anew, after up to 0.9 s, the model hears it.
"""

from __future__ import annotations

from collections import deque

_NEWEST = 9
"""Blocks of which the median tells when another one is due."""
_KNOWN = 100
"""Blocks that tell how rough a clock is, a second of them: some callbacks come late only now and then."""
_LEAST = 0.001
"""Seconds that must be missing, and three times as much as the known blocks differ."""
_AGREE = 0.0005
"""Seconds that two blocks in a row may differ by and say the same; or as much as the known blocks differ."""
_LONGEST = 0.5
"""Seconds beyond which nothing was lost: a laptop has slept."""
_DOUBTED = 8
"""Blocks in a row that do not agree, after which the clock is rough."""


class Timeline:
    """One stream's, in samples of its rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._due: float | None = None
        """When the next block begins, if nothing is lost before it."""
        self._late: deque[float] = deque(maxlen=_NEWEST)
        """Seconds by which the newest blocks came later than due."""
        self._known: deque[float] = deque(maxlen=_KNOWN)
        """The same of more blocks, those that were late for themselves included."""
        self._doubtful: list[float] = []
        """How late the newest blocks are that may follow a loss, or may be late for themselves."""

    @property
    def is_exact(self) -> bool:
        """True where a loss is found for sure: the clock is right to a millisecond."""
        return len(self._late) == _NEWEST and self._roughness <= _LEAST

    @property
    def late(self) -> float:
        """Seconds by which the newest blocks come later than due: how far the card's clock is behind the monotonic one."""
        return sorted(self._late)[len(self._late) // 2] if self._late else 0.0

    def missing(self, at: float) -> int:
        """Samples that are missing before a block that begins at ``at``; negative for those of it that are too many.

        A loss is told by the second block after it: one alone may have had a late callback.
        """
        if self._due is None:
            self._due = at
        late = at - self._due
        if len(self._late) < _NEWEST or self._is_usual(shift := late - self.late):
            self._note(late)
            return 0
        if not self._agrees_with_the_last(late):
            if len(self._doubtful) == _DOUBTED:
                self._note(late)
            else:
                self._doubtful.append(late)
            return 0
        self._doubtful.clear()
        if abs(shift) > _LONGEST:
            self._due = at
            self._late.clear()
            return 0
        missing = round(shift * self._rate)
        self._note(late - missing / self._rate)
        return missing

    def _is_usual(self, shift: float) -> bool:
        return abs(shift) <= _LEAST or abs(shift) <= 3 * self._roughness

    def _agrees_with_the_last(self, late: float) -> bool:
        return bool(self._doubtful) and abs(late - self._doubtful[-1]) <= max(_AGREE, self._roughness)

    @property
    def _roughness(self) -> float:
        """Seconds by which the known blocks differ."""
        return max(self._known) - min(self._known)

    def _note(self, late: float) -> None:
        """A block is where it belongs, so the doubtful ones before it were late for themselves."""
        self._known.extend(self._doubtful)
        self._doubtful.clear()
        self._known.append(late)
        self._late.append(late)

    def take(self, samples: int) -> None:
        """So many samples are there, silence for those that were missing included."""
        assert self._due is not None
        self._due += samples / self._rate
