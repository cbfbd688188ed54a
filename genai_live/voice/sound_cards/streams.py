"""A microphone and a loudspeaker as raw streams of PortAudio. The callbacks run on PortAudio's threads.

A callback appends to a deque and does nothing else that could wait: no queue, event, lock or log, for a thread of Python that
holds one of those would be waited for by the sound card, and it does not wait. Whoever owns a stream looks into its deque.
That rests on stores being seen in their order (docs/reliability.md, "Hand-overs without a lock").
"""

from __future__ import annotations

import array
import sys
import time
from collections import deque
from typing import Any, NamedTuple

from genai_live.audio import SAMPLE_BYTES
from genai_live.errors import EndFull
from genai_live.voice.sound_cards.card_clock import CardClock
from genai_live.voice.sound_cards.forms import Form, portaudio, refused
from genai_live.voice.sound_cards.rhythm import Rhythm
from genai_live.voice.sound_end import HELD_SECONDS

INPUT_LATENCY = 0.02
OUTPUT_LATENCY = 0.02 if sys.platform == "linux" else 0.03
"""Seconds of buffer that are asked of the system: three blocks to play, of which ALSA adds one by itself, so that the interpreter
may be busy for two, and little plays on after a flush (docs/performance.md). Where the system advises more, it gets that."""

_QUANTUM, _QUANTA_RATE = 256, 48_000
"""Frames, of this rate in Hz, that a sound server takes at once. A loudspeaker's block is one or several of them: of another
length a part is left over each time, which waits in the buffer for nothing."""


class Block(NamedTuple):
    """What one callback took or gave."""

    pcm: bytes | None
    """In the form of the sound card; None for silence that was played because nothing waited."""
    answer: int
    """Frames of it that came from ``play``."""
    at: float
    """Monotonic time at which it was heard by the microphone or is heard from the loudspeaker, at its first sample."""
    late: bool
    """True when the sound card had run empty, or over, before it."""
    flushes: int = 0
    """How many flushes had taken effect before it was played."""


class InputStream:
    """Blocks of sound as they come, until it is closed."""

    def __init__(self, form: Form, block_ms: int) -> None:
        self.form = form
        self.blocks: deque[Block] = deque()
        """What nobody has taken yet, oldest first."""
        self._rhythm = Rhythm(block_ms)
        latency = max(INPUT_LATENCY, form.least_latency)
        self._clock = CardClock(-latency)
        self._stream = _opened("input", form, form.rate * block_ms // 1000, self._captured, latency)

    def _captured(self, pcm: Any, frames: int, times: Any, status: Any) -> None:
        now = time.monotonic()
        self._rhythm.note(now)
        at = self._clock.at(now, times.currentTime, times.inputBufferAdcTime)
        self.blocks.append(Block(bytes(pcm), 0, at, bool(status)))

    def expected(self, count: int) -> float:
        """Monotonic time at which that many blocks will wait; in the past when they do, or nothing tells."""
        missing = count - len(self.blocks)
        return self._rhythm.expected(missing) if missing > 0 else 0.0

    def start(self) -> None:
        """Lets sound flow."""
        self._stream.start()

    def close(self) -> None:
        """Ends it at once; may not return when the sound card is gone."""
        self._stream.abort()
        self._stream.close()


class _Queue:
    """Sound that waits. ``put`` is counted by the thread that plays, ``taken`` by the callback: each number has one writer."""

    def __init__(self, flushes: int) -> None:
        self.flushes = flushes
        """Queues that were dropped before it."""
        self.pieces: deque[bytes] = deque()
        self.put = self.taken = 0


class OutputStream:
    """Plays what waits, and silence when nothing does; notes each block that it gave to the sound card.

    A block is ``block_ms`` long, or a little longer.
    """

    def __init__(self, form: Form, block_ms: int) -> None:
        self.form = form
        self.blocks: deque[Block] = deque()
        """What was given to the sound card and nobody has looked at yet, oldest first."""
        self._frame = SAMPLE_BYTES * form.channels
        self._queue = self._current = _Queue(0)
        """A flush puts another queue in place of the first; the callback notices with its next block."""
        self._piece = memoryview(b"")
        """The rest of the piece that is being played; the callback's alone."""
        self.block = whole_quanta(block_ms, form.rate)
        """Frames of one."""
        self._silence = bytes(self._frame * self.block)
        latency = max(OUTPUT_LATENCY, form.least_latency)
        self._clock = CardClock(latency)
        self._stream = _opened("output", form, self.block, self._fill, latency)

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        queue = self._queue
        return (queue.put - queue.taken) // self._frame

    def play(self, pcm: bytes) -> None:
        """Appends 16-bit mono PCM of the sound card's rate.

        Raises:
            EndFull: ten minutes of sound wait already.
        """
        queue = self._queue
        if self.waiting + len(pcm) // SAMPLE_BYTES > HELD_SECONDS * self.form.rate:
            raise EndFull(f"{HELD_SECONDS:g} s of sound wait to be played; wait until some of it was heard")
        piece = _spread(pcm, self.form.channels)
        queue.put += len(piece)
        queue.pieces.append(piece)

    def flush(self) -> None:
        """Drops all that was not given to the sound card yet: silence begins with the next block."""
        self._queue = _Queue(self._queue.flushes + 1)

    def _fill(self, out: Any, frames: int, times: Any, status: Any) -> None:
        queue = self._queue
        if queue is not self._current:
            self._current, self._piece = queue, memoryview(b"")
        filled, wanted = 0, len(out)
        while filled < wanted and (self._piece or queue.pieces):
            piece = self._piece or memoryview(queue.pieces.popleft())
            part = piece[: wanted - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            self._piece = piece[len(part) :]
        queue.taken += filled
        if filled < wanted:
            out[filled:] = self._silence[: wanted - filled] if wanted <= len(self._silence) else bytes(wanted - filled)
        at = self._clock.at(time.monotonic(), times.currentTime, times.outputBufferDacTime)
        self.blocks.append(Block(bytes(out) if filled else None, filled // self._frame, at, bool(status), queue.flushes))

    def start(self) -> None:
        """Lets sound flow."""
        self._stream.start()

    def close(self) -> None:
        """Ends it at once; may not return when the sound card is gone."""
        self._stream.abort()
        self._stream.close()


def _opened(side: Any, form: Form, block: int, callback: Any, latency: float) -> Any:
    """A stream of PortAudio that has not started; ``block`` is in frames."""
    sounddevice = portaudio()
    kind = sounddevice.RawInputStream if side == "input" else sounddevice.RawOutputStream
    try:
        return kind(
            samplerate=form.rate,
            blocksize=block,
            device=form.device,
            channels=form.channels,
            dtype="int16",
            latency=latency,
            callback=callback,
        )
    except sounddevice.PortAudioError as error:
        raise refused(side, form.name, error) from error


def whole_quanta(block_ms: int, rate: int) -> int:
    """The frames of a block of at least that length."""
    count = -(-block_ms * _QUANTA_RATE // (1000 * _QUANTUM))
    return count * _QUANTUM * rate // _QUANTA_RATE


def mono(pcm: bytes, channels: int) -> bytes:
    """The first channel: sound cards put the microphone there, and a loudspeaker's channels are the same."""
    return pcm if channels == 1 else array.array("h", pcm)[::channels].tobytes()


def _spread(pcm: bytes, channels: int) -> bytes:
    """The same sound in every channel."""
    if channels == 1:
        return bytes(pcm)
    samples = array.array("h", pcm)
    spread = array.array("h", bytes(len(pcm) * channels))
    for channel in range(channels):
        spread[channel::channels] = samples
    return spread.tobytes()
