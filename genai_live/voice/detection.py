"""When the user stopped speaking, by level: for figures and meters, never for turn taking. Pure; one thread at a time.

The service says it 1.0 to 1.4 s late, or, on older models, not at all. This is for figures, never for turn taking.
"""

from __future__ import annotations

import math
from collections import deque

from genai_live.audio import SILENCE_DBFS

_STRIDE = 11
"""Every eleventh sample is measured: 60 in 40 ms, as a rule within 1 dB of what all say. No usual test tone has such a pitch."""
_FULL_SCALE = 32_768.0
_ABOVE_FLOOR = 12.0
"""dB above the quietest of late from which a chunk counts as speech."""
_QUIETEST = -55.0
"""dBFS that no speech is below."""
_WINDOW = 3.0
"""Seconds of which the quietest chunk is the noise of the room: speech has pauses within them."""
_ROOM = _QUIETEST - _ABOVE_FLOOR
"""dBFS of a room of which nothing is known yet."""


def loudness(pcm: bytes) -> float:
    """The level of 16-bit PCM in dBFS, of a part of its samples: for meters, at a tenth of the price of ``audio.level_dbfs``."""
    samples = memoryview(pcm).cast("h")[::_STRIDE].tolist()
    if not samples:
        return SILENCE_DBFS
    root_mean_square = math.hypot(*samples) / math.sqrt(len(samples))
    return max(SILENCE_DBFS, 20 * math.log10(root_mean_square / _FULL_SCALE)) if root_mean_square else SILENCE_DBFS


class SpeechClock:
    """Notes the last moment that was loud."""

    def __init__(self) -> None:
        self.level = SILENCE_DBFS
        """Of the latest chunk."""
        self.loud_at: float | None = None
        """The end of the latest chunk that was speech; None before the first."""
        self._quiet: deque[tuple[float, float]] = deque()
        """(time, level), rising: the first is the quietest of the window."""

    def hear(self, pcm: bytes, now: float) -> None:
        """Notes a chunk whose last sample was heard at ``now``."""
        self.level = level = loudness(pcm)
        quiet = self._quiet
        if not quiet:
            quiet.append((now, _ROOM))
        while quiet and quiet[-1][1] >= level:
            quiet.pop()
        quiet.append((now, level))
        while quiet[0][0] < now - _WINDOW:
            quiet.popleft()
        if level > max(_QUIETEST, quiet[0][1] + _ABOVE_FLOOR):
            self.loud_at = now
