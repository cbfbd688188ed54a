"""The sound of one socket, in seconds: what a page was given, what it never took, what it has heard. Pure: no socket, no clock.

The conversation gives and flushes, one thread at a time; the line's thread reports.
"""

from __future__ import annotations

from genai_live.web.unheard import Unheard
from genai_live.web.wire_format import OUTPUT_BYTES


class PageSound:
    """Counts that never fall. A replay is sound of an earlier socket: the page counts it, the conversation does not."""

    def __init__(self) -> None:
        self.unheard = Unheard()
        """What the page was sent since the last flush, and has not heard."""
        self.played = 0.0
        """Heard, or never taken."""
        self.dropped = 0.0
        """Never taken."""
        self.flushes = 0
        """Those that the page has confirmed."""
        self._flushes_asked = 0
        self._given = 0.0
        self._replayed = self._reported = 0.0
        """Of a replay, and what the page has counted."""
        self._given_at_flush = self._played_at_flush = self._reported_at_flush = 0.0

    @property
    def waiting(self) -> float:
        """Given since the last flush, and not heard yet."""
        return (self._given - self._given_at_flush) - (self.played - self._played_at_flush)

    def give(self, pcm: bytes) -> None:
        """The conversation gives the page this."""
        self._given += len(pcm) / OUTPUT_BYTES
        self.unheard.put(pcm)

    def replay(self, pcm: bytes) -> None:
        """The page is sent this before anything else."""
        self._replayed = len(pcm) / OUTPUT_BYTES
        self.unheard.put(pcm)

    def drop(self, count: int) -> None:
        """So many bytes were dropped because the page did not take them."""
        self.dropped += count / OUTPUT_BYTES
        self.played += count / OUTPUT_BYTES

    def flush(self) -> None:
        """Nothing of what was given will be heard from now on."""
        self._given_at_flush, self._played_at_flush, self._reported_at_flush = self._given, self.played, self._reported
        self._replayed = min(self._replayed, self._reported)
        self._flushes_asked += 1
        self.unheard.flush()

    def report(self, seconds: float, flushes: int | None) -> bool:
        """The page says that it has heard so much since the socket was opened; True when that is more than before."""
        self._reported = max(self._reported, seconds)
        self.unheard.heard(self._reported - self._reported_at_flush)
        if flushes is not None:
            self.flushes = min(self._flushes_asked, max(self.flushes, flushes))
        heard = min(max(0.0, seconds - self._replayed) + self.dropped, self._given)  # whoever reports more has not heard it here
        if heard <= self.played:
            return False
        self.played = heard
        return True
