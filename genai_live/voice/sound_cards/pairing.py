"""Which sound that was played belongs to which that was heard. Pure: blocks and their times are handed in.

A canceller takes pairs of frames of 10 ms: what was heard, and what was played. It finds their distance itself, as long as that
stays the same and no frame comes after its echo; so the first frame that was heard is paired with one that was given to the sound
card two frames before, which is not heard before the card's latency has passed.

The way of a block: ``Blocks``, where what is missing before it is filled (timeline.py) -> ``Frames`` -> ``Pairing``.
"""

from __future__ import annotations

import statistics
from collections import deque
from typing import NamedTuple

from genai_live.audio import INPUT_RATE, SAMPLE_BYTES
from genai_live.voice.sound_cards.timeline import Timeline

FRAMES_PER_SECOND = 100
FRAME_BYTES = INPUT_RATE // FRAMES_PER_SECOND * SAMPLE_BYTES
"""10 ms: the canceller takes this length, and multiples of it."""

_AHEAD = 2
"""Frames by which what was played is ahead of its partner: sound servers take and bring several at once, and nobody waits so."""
_LEAST_DISTANCE = 2
"""Frames between a sound's time at the loudspeaker and its partner's at the microphone below which that is not so: no sound may
come behind its echo, even where a driver's clock is some milliseconds wrong."""
_FAINT = 3
"""Samples up to this are silence: converters put a noise of 1 into it."""
LONGEST_WAIT = 15
"""Frames that wait for their partner before they go without: the loudspeaker hangs, which is not a reason to hear nothing."""
_WINDOW = 20
"""Pairs between two looks at their distance, of which the median counts: the clocks of drivers are some milliseconds wrong."""
_STRANGE = 3
"""Pairs in a row of another distance that are believed: one may be a driver's clock."""
_TOLERATED = 2
"""Frames of wrong distance that are corrected, where the clocks are too rough for a timeline: less may be their fault."""


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

    @property
    def is_exact(self) -> bool:
        """True where what is missing is found for sure."""
        return self._timeline.is_exact

    @property
    def late(self) -> float:
        """Seconds by which the card's clock is behind the monotonic one."""
        return self._timeline.late

    def add(self, pcm: bytes, at: float) -> None:
        """Appends sound of which the first sample is heard at ``at``, and before it silence for what is missing."""
        missing = self._timeline.missing(at)
        self.gaps += missing != 0
        if missing < 0:
            pcm = pcm[-SAMPLE_BYTES * missing :]
            at -= missing / self._rate
        elif missing > 0:
            self._fill(bytes(SAMPLE_BYTES * missing), at)
        self._timeline.take(len(pcm) // SAMPLE_BYTES)
        self._begins.append(at - self.size / SAMPLE_BYTES / self._rate)
        self._pieces.append(pcm)
        self.size += len(pcm)

    def _fill(self, silence: bytes, at: float) -> None:
        """Puts silence where it is missing: before the block that a second one has confirmed, if it still waits."""
        seconds = len(silence) / SAMPLE_BYTES / self._rate
        if self._pieces:
            self._pieces[-1] = silence + self._pieces[-1]
            self._begins[-1] -= seconds
        else:
            self._pieces.append(silence)
            self._begins.append(at - seconds)
        self.size += len(silence)
        self._timeline.take(len(silence) // SAMPLE_BYTES)

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
    frame that was heard waits for its partner, which a busy machine may bring late. What was lost has been filled before; the
    sound card's clock watches the counting all the same, for where it is too rough for that, or a card has another clock than
    its neighbour, frames are missing.
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
        self._least_waiting = LONGEST_WAIT
        """The fewest frames that were heard and waited for their partners, of a second."""

    def take(self, together: int = 1) -> list[tuple[Frame, Frame]]:
        """The pairs that are complete, as many as are a multiple of ``together``."""
        near, far = self.near.waiting, self.far.waiting
        if not self.sounded:
            self._put_ahead()
        ready = min(len(near), max(len(far), len(near) - LONGEST_WAIT))
        pairs: list[tuple[Frame, Frame]] = []
        while len(pairs) < ready - ready % together and (far or len(near) > LONGEST_WAIT):
            pairs.append((near.popleft(), far.popleft() if far else SILENCE))
            self._taken += 1
            self._look_at(*pairs[-1])
            if self._taken % _WINDOW == 0 and self._distances and self.sounded:
                self._correct(statistics.median(self._distances))
            if self._taken % FRAMES_PER_SECOND == 0 and self.sounded:
                self._catch_up(together)
        self._least_waiting = min(self._least_waiting, len(near))
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
        if abs(wrong) < _TOLERATED:
            return
        if -wrong > len(far) or wrong > FRAMES_PER_SECOND:  # the latency has fallen, or a clock has jumped: nothing is missing
            self._distance = distance
        elif wrong > 0:
            far.extendleft([SILENCE] * wrong)
        else:
            for _ in range(-wrong):
                far.popleft()
        self.breaks += 1
        self._distances.clear()

    def _catch_up(self, together: int) -> None:
        """Shortens the distance where all that is heard has waited for a second, as far as no sound comes behind its echo."""
        waiting, self._least_waiting = self._least_waiting, LONGEST_WAIT
        if waiting < together or self._distance is None:
            return
        spare = min(waiting, int(self._distance * FRAMES_PER_SECOND) - _LEAST_DISTANCE)
        if spare > 0:
            self.far.waiting.extendleft([SILENCE] * spare)
            self._distance -= spare / FRAMES_PER_SECOND
            self.breaks += 1
            self._distances.clear()
