"""When the user spoke, by level: for figures, times of the transcript and meters. Pure; one thread at a time.

The service says when speech ended 1.0 to 1.4 s late, and older models say neither begin nor end. Turn taking is the service's.
"""

from __future__ import annotations

import math
from array import array
from collections import deque

from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, SILENCE_DBFS

_STRIDE = 11
"""Every eleventh sample is measured: 60 in 40 ms, as a rule within 1 dB of what all say. No usual test tone has such a pitch."""
_FULL_SCALE = 32_768.0
_ABOVE_FLOOR = 12.0
"""dB above the quietest of late from which a chunk counts as speech."""
_QUIETEST = -55.0
"""dBFS that no speech is below."""
_WINDOW = 3.0
"""Seconds of which the quietest chunk is the noise of the room: speech has pauses within them."""
_PARTS = 3
"""Parts of the window, of which the oldest is forgotten when another one begins."""
_ROOM = _QUIETEST - _ABOVE_FLOOR
"""dBFS of a room of which nothing is known yet."""
_WITHIN_WORDS = 0.2
"""Seconds of quiet that divide nothing: between two loud chunks of one stretch."""
_PAUSE = 1.0
"""Seconds of quiet before which there was something else: the service takes speech for over after as long."""
_STRETCHES = 100
"""Loud stretches that are remembered: a minute of speech and more."""


def loudness(pcm: bytes) -> float:
    """The level of 16-bit PCM in dBFS, of a part of its samples: for meters, at a tenth of the price of ``audio.level_dbfs``."""
    samples = array("h", pcm)[::_STRIDE].tolist()
    if not samples:
        return SILENCE_DBFS
    root_mean_square = math.hypot(*samples) / math.sqrt(len(samples))
    return max(SILENCE_DBFS, 20 * math.log10(root_mean_square / _FULL_SCALE)) if root_mean_square else SILENCE_DBFS


class SpeechClock:
    """Notes the moments that were loud."""

    def __init__(self) -> None:
        self.level = SILENCE_DBFS
        """Of the latest chunk."""
        self.loud_at: float | None = None
        """The end of the latest chunk that was speech; None before the first."""
        self._loud_since = 0.0
        """The begin of the stretch that it belongs to."""
        self._loud: deque[tuple[float, float]] = deque(maxlen=_STRETCHES)
        """(begin, end) of what was loud before that, oldest first."""
        self._quietest = _ROOM
        """Level of the quietest chunk in the part of the window that is under way."""
        self._quietest_before = _ROOM
        """In those before it."""
        self._parts: deque[float] = deque(maxlen=_PARTS - 1)
        """The quietest of each of them."""
        self._part_ends = float("-inf")

    def hear(self, pcm: bytes, now: float) -> None:
        """Notes a chunk of 16 kHz mono whose last sample was heard at ``now``."""
        self.level = level = loudness(pcm)
        if now >= self._part_ends:
            self._begin_part(now)
        self._quietest = min(self._quietest, level)
        if level > _QUIETEST and level > min(self._quietest, self._quietest_before) + _ABOVE_FLOOR:
            self._note_loud(now - len(pcm) / SAMPLE_BYTES / INPUT_RATE, now)

    def _begin_part(self, now: float) -> None:
        self._parts.append(self._quietest)
        self._quietest_before, self._quietest = min(self._parts), float("inf")
        self._part_ends = now + _WINDOW / _PARTS

    def _note_loud(self, begin: float, end: float) -> None:
        if self.loud_at is None:
            self._loud_since = begin
        elif begin - self.loud_at > _WITHIN_WORDS:
            self._loud.append((self._loud_since, self.loud_at))
            self._loud_since = begin
        self.loud_at = end

    def began(self, since: float) -> float | None:
        """When the latest speech began: behind its last long pause, and not before ``since``. None where nothing was loud."""
        if self.loud_at is None:
            return None
        found: float | None = None
        for begin, end in ((self._loud_since, self.loud_at), *reversed(self._loud)):
            if end <= since or (found is not None and found - end > _PAUSE):
                break
            found = max(begin, since)
        return found
