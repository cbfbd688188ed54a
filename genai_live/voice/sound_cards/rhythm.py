"""When a microphone's next blocks come, from those that came. Pure: time is handed in, by its callback."""

from __future__ import annotations

from collections import deque

REMEMBERED = 16
"""Blocks after which they come at the same times again: sound servers count in quanta of their own, of which 15 or 30 are as long
as 16 blocks of 10 ms. From the block that came so long ago the next one is foretold to a millisecond, from the last one to 10."""


class Rhythm:
    """The times of one stream's blocks. ``note`` is for the callback: it appends, and waits for nothing."""

    def __init__(self, block_ms: int) -> None:
        self._length = REMEMBERED * block_ms / 1000
        self._came = deque([0.0] * REMEMBERED, maxlen=REMEMBERED)
        """When the newest came, oldest first."""

    def note(self, now: float) -> None:
        """A block has come."""
        self._came.append(now)

    def expected(self, missing: int) -> float:
        """When the last of that many more blocks comes, at most 16; long ago while nothing tells."""
        return self._came[missing - 1] + self._length
