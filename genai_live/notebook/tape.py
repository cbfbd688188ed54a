"""What was heard in the newest minutes of a conversation, by both sides. Any thread; adding takes microseconds and no lock."""

from __future__ import annotations

import array
import sys
import time
from collections import deque

from genai_live.audio import OUTPUT_RATE, SAMPLE_BYTES, Audio
from genai_live.web.wire_format import RATES

KEPT = 600.0
"""Seconds that are kept: 10 minutes of both sides take 48 MB."""
_GAP = 0.25
"""Seconds without sound from which on it does not go on where it ended: less is the unrest of networks and threads."""


class Track:
    """One side: pieces of sound by the time at which they began, in seconds."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._end = float("-inf")

    def add(self, pcm: bytes, now: float) -> None:
        """Sound of which the last sample was heard now; one thread at a time."""
        seconds = len(pcm) / SAMPLE_BYTES / self._rate
        begin = now - seconds
        if begin - self._end < _GAP:  # also what came early
            begin = self._end
        self._end = begin + seconds
        self._pieces.append((begin, pcm))
        while self._pieces[0][0] < now - KEPT:
            self._pieces.popleft()

    def pieces(self) -> list[tuple[float, bytes]]:
        """All of them, oldest first."""
        return list(self._pieces.copy())  # the copy is one step, whoever adds meanwhile


class Tape:
    """Both sides."""

    def __init__(self) -> None:
        self.user, self.model = Track(RATES.input), Track(RATES.output)

    def audio(self) -> Audio:
        """The user on the left, the model on the right, 24,000 Hz; takes 2 s for 10 minutes."""
        user, model = self.user.pieces(), self.model.pieces()
        begin = min((pieces[0][0] for pieces in (user, model) if pieces), default=time.monotonic())
        left = _laid(user, begin, RATES.input, faster=True)
        right = _laid(model, begin, RATES.output, faster=False)
        stereo = array.array("h", bytes(2 * SAMPLE_BYTES * max(len(left), len(right))))
        stereo[0 : 2 * len(left) : 2] = left
        stereo[1 : 2 * len(right) : 2] = right
        if sys.byteorder == "big":
            stereo.byteswap()
        return Audio(stereo.tobytes(), OUTPUT_RATE, 2)


def _laid(pieces: list[tuple[float, bytes]], begin: float, rate: int, *, faster: bool) -> array.array[int]:
    """One track without holes, from ``begin`` on; ``faster`` makes 24,000 Hz of 16,000."""
    track = bytearray()
    for at, pcm in pieces:
        place = SAMPLE_BYTES * round((at - begin) * rate)
        track += bytes(max(place - len(track), 0))
        track += pcm
    samples = array.array("h", bytes(track))
    if sys.byteorder == "big":
        samples.byteswap()
    return _three_for_two(samples) if faster else samples


def _three_for_two(samples: array.array[int]) -> array.array[int]:
    """16,000 Hz as 24,000 Hz: two of three samples lie between two others, on a straight line."""
    if len(samples) % 2:
        samples.append(samples[-1])
    first, second = samples[0::2], samples[1::2]
    after = first[1:]
    after.extend(second[-1:])
    made = array.array("h", bytes(3 * SAMPLE_BYTES * len(first)))
    made[0::3] = first
    made[1::3] = array.array("h", ((a + 2 * b) // 3 for a, b in zip(first, second, strict=True)))
    made[2::3] = array.array("h", ((2 * b + c) // 3 for b, c in zip(second, after, strict=True)))
    return made
