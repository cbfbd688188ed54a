"""The loudspeaker's sound taken out of the microphone's, by WebRTC's canceller. For one thread: the end's, which owns it.

The canceller takes pairs of frames of 10 ms: what was heard, and what was played. It finds their distance itself, as long as
that stays the same and no frame comes after its echo; so the first frame that was heard is paired with one that was given to the
sound card two frames before, which is not heard before the card's latency has passed.

Pairs are cancelled four at a time, as many as go out in one message: of a frame that comes alone after a pause half the cost is
that of a cold cache (docs/performance.md), and three of four find it warm.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from typing import Any, NamedTuple

from genai_live._extras import installing
from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, SILENCE_DBFS
from genai_live.errors import DeviceError
from genai_live.voice.timeline import Timeline

FRAMES_PER_SECOND = 100
FRAME_BYTES = INPUT_RATE // FRAMES_PER_SECOND * SAMPLE_BYTES
"""10 ms: the canceller takes this length, and multiples of it."""
TOGETHER = 4
"""Frames that are cancelled at once: 40 ms, a chunk of ``stream_audio``, for which they would wait behind the canceller, too."""

_FULL_SCALE = 32_768.0
_AUDIBLE = -60.0
"""dBFS above which a frame counts for the figures: below it, an echo cannot be told from the noise of a microphone."""
_RINGING = 30
"""Frames after a played one in which its echo is heard: the latency of both sides, and a room."""
_REMEMBERED = 1_000 // TOGETHER
"""Groups of frames of echo of which the figures are made: ten seconds."""
_AHEAD = 2
"""Frames by which what was played is ahead of its partner: sound servers take and bring several at once, and nobody waits so."""
_LEAST_DISTANCE = 2
"""Frames between a sound's time at the loudspeaker and its partner's at the microphone below which that is not so: no sound may
come behind its echo, the converter's 10 ms included."""
_FAINT = 3
"""Samples up to this are silence: converters put a noise of 1 into it."""
_LONGEST_WAIT = 15
"""Frames that wait for their partner before they go without: the loudspeaker hangs, which is not a reason to hear nothing."""
_WINDOW = 20
"""Pairs between two looks at their distance, of which the median counts: the clocks of drivers are some milliseconds wrong."""
_STRANGE = 3
"""Pairs in a row of another distance that are believed: one may be a driver's clock."""
_TOLERATED = 2
"""Frames of wrong distance that are corrected; the canceller follows less by itself, and faster."""


_DOUBTED = 200
"""Frames of echo (2 s) that are held back where sound was lost: the canceller takes 1.8 s to follow a shift of 40 ms, and the
model would hear itself, and stop. A voice that speaks over the answer in that time is not heard."""


class EchoCanceller:
    """Cancels the echo of what was ``played`` in what was ``heard``.

    Raises:
        DeviceError: the package is not installed.
    """

    def __init__(self, output_rate: int) -> None:
        try:
            import numpy
            from pywebrtc_audio import EchoCanceller as WebRtc

            self._converter = None if output_rate == INPUT_RATE else _Converter(output_rate)
        except ImportError as error:
            raise DeviceError(
                f"echo cancellation takes the package pywebrtc-audio: {installing('voice')}"
                "; or say echo_cancellation=False for a headset"
            ) from error
        self._numpy = numpy
        self._webrtc: Any = WebRtc(sample_rate=INPUT_RATE, num_channels=1)
        self._pairs = Pairing()
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
        """Sound was lost on its way to or from the sound card, so that the canceller has to find the echo anew, if it knew it."""
        if self._pairs.sounded:
            self._doubted = _DOUBTED

    def heard(self, pcm: bytes, at: float) -> bytes:
        """What was heard until now without the echo, as far as its reference is there, in pieces of 40 ms; the rest later."""
        self._heard.add(pcm, at)
        return self.take()

    @property
    def waits(self) -> bool:
        """True while what was heard waits for what was played."""
        return self._waiting(self._sides[0]) >= TOGETHER

    def take(self) -> bytes:
        """What was heard before, once its reference is there, likewise."""
        near, far = map(self._waiting, self._sides)
        if near < TOGETHER or (self._pairs.sounded and far < TOGETHER and near <= _LONGEST_WAIT):
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
            self._pairs.near.add(*self._heard.take())
        if self._played.size:
            pcm, at = self._played.take()
            self._pairs.far.add(*((pcm, at) if self._converter is None else self._converter.convert(pcm, at)))
        pairs = self._pairs.take(TOGETHER)
        return b"".join(self._clean(pairs[k : k + TOGETHER]) for k in range(0, len(pairs), TOGETHER))

    def release(self) -> None:
        """Nothing is cancelled any more: soxr complains at the interpreter's exit of what is still held then."""
        self._converter = None

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
            "echo_gaps": self._heard.gaps + self._played.gaps, "echo_cost": cost,
        }  # fmt: skip

    def _clean(self, pairs: list[tuple[Frame, Frame]]) -> bytes:
        sides = (b"".join(frame.pcm for frame in side) for side in zip(*pairs, strict=True))
        near, far = (self._numpy.frombuffer(pcm, dtype="<i2") for pcm in sides)
        left = self._webrtc.process(near, far)
        self._frames += len(pairs)
        if self._pairs.breaks > self._breaks:
            self._breaks = self._pairs.breaks
            self.disturbed()
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


class _Converter:
    """The loudspeaker's sound at the microphone's rate. It comes in lumps of up to 20 ms, which say nothing of its time."""

    def __init__(self, rate: int) -> None:
        import numpy
        import soxr

        self._numpy = numpy
        # LQ: 10 ms late, which is less than any sound card's latency, for a quarter of the usual cost.
        self._stream: Any = soxr.ResampleStream(rate, INPUT_RATE, 1, dtype="int16", quality="LQ")
        self._rate = rate
        self._taken = self._given = 0
        """Samples."""

    def convert(self, pcm: bytes, at: float) -> tuple[bytes, float]:
        """What comes for sound that begins at ``at``, and when that begins."""
        held = self._taken / self._rate - self._given / INPUT_RATE
        converted = self._stream.resample_chunk(self._numpy.frombuffer(pcm, dtype="<i2"))
        self._taken += len(pcm) // SAMPLE_BYTES
        self._given += len(converted)
        return converted.tobytes(), at - held


class Blocks:
    """Blocks of sound that wait to be looked at together."""

    def __init__(self, rate: int) -> None:
        self.size = 0
        """Bytes that wait."""
        self.gaps = 0
        """Places where sound was missing, or there was too much."""
        self._rate = rate
        self._timeline = Timeline(rate)
        self._pieces: list[bytes] = []
        self._begins: list[float] = []
        """When the first of them began, as the time of each one says it."""

    @property
    def frames(self) -> int:
        """How many frames they are."""
        return self.size * FRAMES_PER_SECOND // (SAMPLE_BYTES * self._rate)

    def add(self, pcm: bytes, at: float) -> None:
        """Appends sound of which the first sample is heard at ``at``, and before it silence for what is missing."""
        if missing := self._timeline.missing(at):
            self.gaps += 1
            pcm = bytes(SAMPLE_BYTES * missing) + pcm if missing > 0 else pcm[-SAMPLE_BYTES * missing :]
            at -= missing / self._rate
        self._timeline.take(len(pcm) // SAMPLE_BYTES)
        self._begins.append(at - self.size / SAMPLE_BYTES / self._rate)
        self._pieces.append(pcm)
        self.size += len(pcm)

    def take(self) -> tuple[bytes, float]:
        """All that waits, and when it began: the median of the times, which a callback that comes late puts wrong."""
        taken = b"".join(self._pieces), sorted(self._begins)[(len(self._begins) - 1) // 2]
        self._pieces.clear()
        self._begins.clear()
        self.size = 0
        return taken


class Frame(NamedTuple):
    """10 ms at 16 kHz."""

    pcm: bytes
    at: float
    """Monotonic time at which it was heard, or comes out of the loudspeaker."""


SILENCE = Frame(bytes(FRAME_BYTES), 0.0)


class Frames:
    """Pieces of sound cut into frames."""

    def __init__(self) -> None:
        self.waiting: deque[Frame] = deque()
        self._rest = bytearray()

    def add(self, pcm: bytes, at: float) -> None:
        """Appends sound of which the first sample is heard at ``at``."""
        at -= len(self._rest) / FRAME_BYTES / FRAMES_PER_SECOND  # of the sample that was left over
        self._rest += pcm
        whole = len(self._rest) // FRAME_BYTES
        self.waiting.extend(
            Frame(bytes(self._rest[k * FRAME_BYTES : (k + 1) * FRAME_BYTES]), at + k / FRAMES_PER_SECOND) for k in range(whole)
        )
        del self._rest[: whole * FRAME_BYTES]


class Pairing:
    """Which frame that was played belongs to which that was heard: always the same distance.

    Frames are counted, since a distance that changes by one costs the canceller a second, in which it lets echo through: so a
    frame that was heard waits for its partner, which a busy machine may bring late. The sound card's clock watches the counting,
    for where a card has run empty, or has another clock than its neighbour, frames are missing.
    """

    def __init__(self) -> None:
        self.near, self.far = Frames(), Frames()
        self.sounded = False
        """True once something was played that is not silence: from then on the distance stays."""
        self._taken = self._strange = 0
        self.breaks = 0
        """How often pairs became another distance apart, or one had no partner."""
        self._distances: deque[float] = deque(maxlen=_WINDOW)
        """Of the newest pairs: seconds from one's time to the other's."""
        self._chosen = 0.0
        """The same, as it was chosen before anything was played."""
        self._distance: float | None = None
        """Their median at the beginning."""

    def take(self, together: int = 1) -> list[tuple[Frame, Frame]]:
        """The pairs that are complete, as many as are a multiple of ``together``."""
        near, far = self.near.waiting, self.far.waiting
        if not self.sounded:
            self._put_ahead()
        ready = min(len(near), max(len(far), len(near) - _LONGEST_WAIT))
        pairs: list[tuple[Frame, Frame]] = []
        while len(pairs) < ready - ready % together and (far or len(near) > _LONGEST_WAIT):
            pairs.append((near.popleft(), far.popleft() if far else SILENCE))
            self._taken += 1
            self._look_at(*pairs[-1])
            if self._taken % _WINDOW == 0 and self._distances and self.sounded:
                self._correct(statistics.median(self._distances))
        return pairs

    def _put_ahead(self) -> None:
        """Chooses the distance while all is silence, anew each time, for cards begin as they like.

        The newest that was played tells it: where a busy machine has lost some, what waits before the gap has another.
        """
        near, far = self.near.waiting, self.far.waiting
        while len(far) > len(near) + _AHEAD:
            far.popleft()
        if near and far:
            place = min(len(near), len(far)) - 1
            newest = far[place]
            distance = int((newest.at - near[place].at) * FRAMES_PER_SECOND)
            for number in range(min(len(near) + _AHEAD - len(far), distance - _LEAST_DISTANCE)):
                far.insert(place, Frame(SILENCE.pcm, newest.at - (number + 1) / FRAMES_PER_SECOND))
            place = min(len(near), len(far)) - 1
            self._chosen = far[place].at - near[place].at
        self._taken = 0
        self._distances.clear()
        self.sounded = any(max(map(abs, memoryview(frame.pcm).cast("h"))) > _FAINT for frame in far)

    def _look_at(self, heard: Frame, played: Frame) -> None:
        """Notes the distance of a pair, and whether it is another than before."""
        if played is SILENCE:
            self.breaks += 1
            return
        distance = played.at - heard.at
        self._distances.append(distance)
        is_strange = self._distance is not None and abs(distance - self._distance) * FRAMES_PER_SECOND > _TOLERATED
        self._strange = self._strange + 1 if is_strange else 0
        self.breaks += self._strange == _STRANGE

    def _correct(self, distance: float) -> None:
        """Puts the distance right where frames are missing."""
        if self._distance is None:
            # As measured, unless a busy machine lost sound meanwhile: what was chosen is one look at a clock.
            lost = abs(distance - self._chosen) * FRAMES_PER_SECOND > _TOLERATED + 1
            self._distance = self._chosen if lost else distance
        wrong = round((distance - self._distance) * FRAMES_PER_SECOND)
        far = self.far.waiting
        if wrong >= _TOLERATED:
            far.extendleft([SILENCE] * wrong)
        elif wrong <= -_TOLERATED:
            for _ in range(min(-wrong, len(far))):
                far.popleft()
        else:
            return
        self.breaks += 1
        self._distances.clear()


def _dbfs(samples: Any) -> float:
    """Loudness of samples of numpy's, -96 for silence."""
    floats = samples.astype("float32")
    power = float(floats.dot(floats)) / max(len(samples), 1)
    return max(SILENCE_DBFS, 10 * math.log10(power / _FULL_SCALE**2)) if power else SILENCE_DBFS
