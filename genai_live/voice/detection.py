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
        self._quiet: deque[tuple[float, float]] = deque()
        """(time, level), rising: the first is the quietest of the window."""
        self._loud: deque[tuple[float, float]] = deque(maxlen=_STRETCHES)
        """(begin, end) of what was loud, oldest first."""

    def hear(self, pcm: bytes, now: float) -> None:
        """Notes a chunk of 16 kHz mono whose last sample was heard at ``now``."""
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
            self._note_loud(max(0.0, now - len(pcm) / SAMPLE_BYTES / INPUT_RATE), now)

    def _note_loud(self, begin: float, end: float) -> None:
        if self._loud and begin - self._loud[-1][1] <= _WITHIN_WORDS:
            begin, _ = self._loud.pop()
        self._loud.append((begin, end))

    def began(self, since: float) -> float | None:
        """When the latest speech began: behind its last long pause, and not before ``since``. None where nothing was loud."""
        found: float | None = None
        for begin, end in reversed(self._loud):
            if end <= since or (found is not None and found - end > _PAUSE):
                break
            found = max(begin, since)
        return found
