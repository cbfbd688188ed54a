"""When a stream of sound counts as lost: by its blocks and the clock. Pure: time is handed in.

Nothing else tells. When its sound server ends, a stream of PortAudio stays active and raises nothing; when its device is
unplugged, its callback is not called any more.
"""

from __future__ import annotations

FIRST_BLOCK = 5.0
"""Seconds until the first block, which a sound server may take to wake up a device."""

LOST_AFTER = 0.8
"""Seconds without a block after the first: on a busy machine gaps of 0.13 s were seen, and within a second it must be told."""

_LONGEST_LOOK = 0.05
"""Seconds that count between two looks, which are 0.04 s apart: in what is longer this process did not run (a machine without a
free processor, a stopped job, a laptop whose lid was closed), and blocks could not come either."""


class Watch:
    """One stream; ``look`` is called every few milliseconds."""

    def __init__(self, now: float) -> None:
        self._looked = now
        self._silent = 0.0
        self.flows = False
        """True from the first block on."""

    def look(self, now: float, blocks: int) -> bool:
        """Takes in how many blocks came since the last look; True when the stream is lost."""
        self._silent += min(now - self._looked, _LONGEST_LOOK)
        self._looked = now
        if blocks:
            self.flows, self._silent = True, 0.0
        return self._silent > (LOST_AFTER if self.flows else FIRST_BLOCK)
