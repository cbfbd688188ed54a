"""When a stream of sound counts as lost: by its blocks and the clock. Pure: time is handed in.

Nothing else tells. When its sound server ends, a stream of PortAudio stays active and raises nothing; when its device is
unplugged, its callback is not called any more.
"""

from __future__ import annotations

FIRST_BLOCK = 5.0
"""Seconds until the first block, which a sound server may take to wake up a device."""

LOST_AFTER = 0.8
"""Seconds without a block after the first: on a busy machine gaps of 0.13 s were seen, and within a second it must be told."""

_SLEPT = 0.25
"""Seconds between two looks that show that this process did not run (a debugger, a stopped job, a laptop whose lid was closed):
blocks cannot have come meanwhile, so the time does not count."""


class Watch:
    """One stream; ``look`` is called every few milliseconds."""

    def __init__(self, now: float) -> None:
        self._last = self._looked = now
        self.flows = False
        """True from the first block on."""

    def look(self, now: float, blocks: int) -> bool:
        """Takes in how many blocks came since the last look; True when the stream is lost."""
        if blocks:
            self.flows, self._last = True, now
        elif now - self._looked > _SLEPT:
            self._last += now - self._looked
        self._looked = now
        return now - self._last > (LOST_AFTER if self.flows else FIRST_BLOCK)
