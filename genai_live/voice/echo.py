"""The loudspeaker's sound taken out of the microphone's, by WebRTC's canceller. For one thread: the end's, which owns it.

The canceller takes pairs of frames of 10 ms: what was heard, and what was played. It finds their distance itself, as long as
what is played never comes after its echo; so each frame that was heard is paired with the newest that was given to the sound
card, whose latency lies before them.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, SILENCE_DBFS, Resampler
from genai_live.errors import DeviceError

FRAME_BYTES = INPUT_RATE // 100 * SAMPLE_BYTES
"""10 ms: the canceller takes no other length."""

_FULL_SCALE = 32_768.0
_AUDIBLE = -60.0
"""dBFS above which a frame counts for the figures: below it, an echo cannot be told from the noise of a microphone."""
_RINGING = 30
"""Frames after a played one in which its echo is heard: the latency of both sides, and a room."""
_REMEMBERED = 1_000
"""Frames of echo of which the figures are made: ten seconds."""
_SPARE = 2
_WINDOW = 200
"""Frames of the reference that may wait in the best moment of so many (2 s) before the surplus is dropped: two sound cards have
two clocks, and a distance that grows is delay that the canceller has to follow."""


@dataclass(frozen=True)
class EchoStats:
    """What the canceller does, from the newest ten seconds in which the loudspeaker was heard; None before there were any."""

    delay: float | None
    """Seconds between a sound on its way to the loudspeaker and its echo on its way from the microphone."""
    heard: float | None
    """dBFS of the echo in the microphone: the median of its frames."""
    left: float | None
    """dBFS that is left of it."""
    removed: float | None
    """dB by which it was lowered."""
    cost: float
    """Processor seconds for each second of sound."""


class EchoCanceller:
    """Cancels the echo of what was ``played`` in what was ``heard``.

    Raises:
        DeviceError: the package is not installed.
    """

    def __init__(self, output_rate: int) -> None:
        try:
            import numpy
            from pywebrtc_audio import AudioProcessor
        except ImportError as error:
            raise DeviceError(
                "echo cancellation takes the package pywebrtc-audio; install it with: pip install 'genai-live[voice]',"
                " or say echo_cancellation=False for a headset"
            ) from error
        self._numpy = numpy
        self._processor: Any = AudioProcessor(sample_rate=INPUT_RATE, num_channels=1, echo_cancellation=True)
        self._far = _Reference(output_rate)
        self._near = bytearray()
        self._levels: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        """Of newest frames with echo: dBFS heard, dBFS left."""
        self._delay: float | None = None
        self._ringing = 0
        self._frames = 0
        self._seconds = 0.0

    def played(self, pcm: bytes, at: float) -> None:
        """Takes a block that was given to the sound card, 16-bit mono of its rate, heard from monotonic time ``at`` on."""
        self._far.add(pcm, at)

    def heard(self, pcm: bytes, at: float) -> bytes:
        """What the microphone heard from ``at`` on, 16-bit mono of 16 kHz, without the echo: whole frames, the rest later."""
        began = time.thread_time()
        self._near += pcm
        whole = len(self._near) // FRAME_BYTES * FRAME_BYTES
        cleaned = [self._clean(bytes(self._near[start : start + FRAME_BYTES]), at) for start in range(0, whole, FRAME_BYTES)]
        del self._near[:whole]
        self._seconds += time.thread_time() - began
        return b"".join(cleaned)

    @property
    def stats(self) -> EchoStats:
        """The figures now; any thread."""
        levels = list(self._levels)
        cost = self._seconds / (self._frames / 100) if self._frames else 0.0
        if not levels:
            return EchoStats(self._delay, None, None, None, cost)
        heard, left = (statistics.median(each) for each in zip(*levels, strict=True))
        return EchoStats(self._delay, heard, left, statistics.median(a - b for a, b in levels), cost)

    def _clean(self, frame: bytes, at: float) -> bytes:
        numpy = self._numpy
        reference, plays_at = self._far.take()
        near, far = (numpy.frombuffer(each, dtype="<i2") for each in (frame, reference))
        left = self._processor.process(near, far)
        self._frames += 1
        self._ringing = _RINGING if _dbfs(far) > _AUDIBLE else self._ringing - 1
        if plays_at is not None:
            delay = plays_at - at
            self._delay = delay if self._delay is None else self._delay + (delay - self._delay) / _RINGING
        if self._ringing > 0 and (level := _dbfs(near)) > _AUDIBLE:
            self._levels.append((level, _dbfs(left)))
        return bytes(left.tobytes())


class _Reference:
    """Frames of what was played, at 16 kHz, in step with the frames that are heard."""

    def __init__(self, rate: int) -> None:
        self._resampler = Resampler(rate, INPUT_RATE) if rate != INPUT_RATE else None
        self._rest = bytearray()
        self._frames: deque[tuple[bytes, float]] = deque()
        self._taken = 0
        self._least = _WINDOW
        """Frames that waited in the best moment of this window."""

    def add(self, pcm: bytes, at: float) -> None:
        self._rest += self._resampler.feed(pcm) if self._resampler is not None else pcm
        while len(self._rest) >= FRAME_BYTES:
            self._frames.append((bytes(self._rest[:FRAME_BYTES]), at))
            del self._rest[:FRAME_BYTES]

    def take(self) -> tuple[bytes, float | None]:
        """The next frame and when it is heard; silence when none is there yet, which puts what follows later."""
        self._taken += 1
        self._least = min(self._least, len(self._frames))
        if self._taken % _WINDOW == 0 or self._taken == 1:
            for _ in range(max(0, self._least - _SPARE)):
                self._frames.popleft()
            self._least = _WINDOW
        return self._frames.popleft() if self._frames else (bytes(FRAME_BYTES), None)


def _dbfs(samples: Any) -> float:
    """Loudness of samples of numpy's, -96 for silence."""
    floats = samples.astype("float32")
    power = float(floats.dot(floats)) / max(len(samples), 1)
    return max(SILENCE_DBFS, 10 * math.log10(power / _FULL_SCALE**2)) if power else SILENCE_DBFS
