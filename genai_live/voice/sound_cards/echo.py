"""The loudspeaker's sound taken out of the microphone's, by WebRTC's canceller. For one thread: the end's, which owns it.

Blocks of both sides become pairs of frames (pairing.py). Pairs are cancelled four at a time, as many as go out in one message:
of a frame that comes alone after a pause half the cost is that of a cold cache (docs/performance.md), and three of four find it
warm.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from typing import Any

from genai_live._extras import installing
from genai_live.audio import INPUT_RATE, SILENCE_DBFS
from genai_live.errors import DeviceError
from genai_live.voice.sound_cards.conversion import Converter
from genai_live.voice.sound_cards.drift import Drift
from genai_live.voice.sound_cards.pairing import (
    FRAME_BYTES,
    FRAMES_PER_SECOND,
    LONGEST_WAIT,
    SILENCE,
    Blocks,
    Frame,
    Frames,
    Pairing,
)

TOGETHER = 4
"""Frames that are cancelled at once: 40 ms, a chunk of ``stream_audio``, for which they would wait behind the canceller, too."""

_FULL_SCALE = 32_768.0
_AUDIBLE = -60.0
"""dBFS above which a frame counts for the figures: below it, an echo cannot be told from the noise of a microphone."""
_RINGING = 30
"""Frames after a played one in which its echo is heard: the latency of both sides, and a room."""
_REMEMBERED = 1_000 // TOGETHER
"""Groups of frames of echo of which the figures are made: ten seconds."""
_DOUBTED = 200
"""Frames of echo (2 s) that are held back where pairs came apart: the canceller takes 1.8 s to follow a shift of 40 ms, and the
model would hear itself, and stop. A voice that speaks over the answer in that time is not heard."""
_REPAIRED = 30
"""Frames of echo that are held back where a card has reported a loss, and its clock is exact: what was lost is filled, but where
that happens several times in a second the canceller comes to no rest."""


class EchoCanceller:
    """Cancels the echo of what was ``played`` in what was ``heard``.

    Raises:
        DeviceError: the package is not installed.
    """

    def __init__(self, output_rate: int) -> None:
        try:
            import numpy
            from pywebrtc_audio import EchoCanceller as WebRtc

            self._converter = Converter(output_rate)
        except ImportError as error:
            raise DeviceError(
                f"echo cancellation needs the package pywebrtc-audio: {installing('voice')}"
                "; or say echo_cancellation=False (--headset) for a headset"
            ) from error
        self._numpy = numpy
        self._webrtc: Any = WebRtc(sample_rate=INPUT_RATE, num_channels=1)
        self._pairs = Pairing()
        self._drift = Drift()
        self._heard, self._played = Blocks(INPUT_RATE), Blocks(output_rate)
        self._sides = (self._pairs.near, self._heard), (self._pairs.far, self._played)
        self._breaks = 0
        self._levels: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        """Of newest frames with echo: dBFS heard, dBFS left."""
        self._delay: float | None = None
        self._ringing = 0
        self._doubted = 0
        """Frames of echo that are still held back."""
        self._frames = 0
        self._seconds = 0.0

    def played(self, pcm: bytes, at: float) -> None:
        """Takes a block that was given to the sound card, 16-bit mono of its rate, heard from monotonic time ``at`` on."""
        self._played.add(pcm, at)

    def disturbed(self) -> None:
        """Sound was lost on its way to or from the sound card: if the canceller knew the echo, it may have to find it anew."""
        if self._pairs.sounded:
            is_repaired = self._heard.is_exact and self._played.is_exact
            self._doubted = max(self._doubted, _REPAIRED if is_repaired else _DOUBTED)

    def heard(self, pcm: bytes, at: float) -> None:
        """Takes a block that the microphone heard, 16-bit mono of 16 kHz, from monotonic time ``at`` on."""
        self._heard.add(pcm, at)

    @property
    def waits(self) -> bool:
        """True while what was heard waits for what was played."""
        return self._waiting(self._sides[0]) >= TOGETHER

    def take(self) -> bytes:
        """What was heard until now without the echo, as far as its reference is there, in pieces of 40 ms; the rest later.

        To be called once all blocks have been handed over that have come: the newest of both sides tell their distance.
        """
        near, far = map(self._waiting, self._sides)
        if near < TOGETHER or (self._pairs.sounded and far < TOGETHER and near <= LONGEST_WAIT):
            return b""
        began = time.thread_time()
        cleaned = self._cancel()
        self._seconds += time.thread_time() - began
        return cleaned

    def _waiting(self, side: tuple[Frames, Blocks]) -> int:
        frames, blocks = side
        return len(frames.waiting) + blocks.frames

    def _cancel(self) -> bytes:
        if self._heard.size:
            pcm, at = self._heard.take()
            self._pairs.near.add(pcm, at)
            self._drift.note(at, self._played.late - self._heard.late)
        if self._played.size:
            self._pairs.far.add(*self._converter.convert(*self._played.take(), self._drift.pace))
        pairs = self._pairs.take(TOGETHER)
        return b"".join(self._clean(pairs[k : k + TOGETHER]) for k in range(0, len(pairs), TOGETHER))

    def release(self) -> None:
        """Nothing is cancelled any more."""
        self._converter.release()

    @property
    def stats(self) -> dict[str, float | None]:
        """The figures now, as ``DeviceStats`` has them; any thread."""
        levels = list(self._levels)
        heard, left, removed = (
            statistics.median(each) if levels else None
            for each in ([a for a, _ in levels], [b for _, b in levels], [a - b for a, b in levels])
        )
        cost = self._seconds / (self._frames / FRAMES_PER_SECOND) if self._frames else 0.0
        return {
            "echo_delay": self._delay, "echo_heard": heard, "echo_left": left, "echo_removed": removed,
            "echo_gaps": self._heard.gaps + self._played.gaps, "echo_drift": self._drift.pace * 1e6, "echo_cost": cost,
        }  # fmt: skip

    def _clean(self, pairs: list[tuple[Frame, Frame]]) -> bytes:
        sides = (b"".join(frame.pcm for frame in side) for side in zip(*pairs, strict=True))
        near, far = (self._numpy.frombuffer(pcm, dtype="<i2") for pcm in sides)
        left = self._webrtc.process(near, far)
        self._frames += len(pairs)
        if self._pairs.breaks > self._breaks:
            self._breaks = self._pairs.breaks
            if self._pairs.sounded:
                self._doubted = _DOUBTED
        if self._pairs.sounded and any(played is SILENCE for _, played in pairs):
            return bytes(len(pairs) * FRAME_BYTES)  # a reference is missing
        delay = statistics.fmean(played.at - heard.at for heard, played in pairs)
        self._delay = delay if self._delay is None else self._delay + (delay - self._delay) * len(pairs) / _RINGING
        self._ringing = _RINGING if _dbfs(far) > _AUDIBLE else self._ringing - len(pairs)
        if self._ringing > 0:
            if (level := _dbfs(near)) > _AUDIBLE:
                self._levels.append((level, _dbfs(left)))
            if self._doubted > 0:
                self._doubted -= len(pairs)
                return bytes(len(pairs) * FRAME_BYTES)
        return bytes(left.tobytes())


def _dbfs(samples: Any) -> float:
    """Loudness of samples of numpy's, -96 for silence."""
    floats = samples.astype("float32")
    power = float(floats.dot(floats)) / max(len(samples), 1)
    return max(SILENCE_DBFS, 10 * math.log10(power / _FULL_SCALE**2)) if power else SILENCE_DBFS
