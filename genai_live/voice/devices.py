"""A microphone and a loudspeaker as an end of sound. A thread of its own looks every 40 ms: it feeds, watches and closes."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict, cast

from genai_live._arguments import flag, whole_number
from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, Resampler
from genai_live.errors import ConfigError, DeviceError
from genai_live.voice.sound_cards.echo import EchoCanceller
from genai_live.voice.sound_cards.forms import NAMES, Form, Side, form_of, portaudio
from genai_live.voice.sound_cards.leaving import leaving
from genai_live.voice.sound_cards.playback_position import PlaybackPosition
from genai_live.voice.sound_cards.streams import Block, InputStream, OutputStream, mono
from genai_live.voice.sound_cards.watch import Watch
from genai_live.voice.sound_end import Control, Rates

_CHUNK_MS = 40
"""What is fed at once, a message to the service: nothing shorter would be sent, or cancelled, and each look costs a wake-up."""
_BEHIND = 0.0015
"""Seconds from the time at which a block is expected to the look for it: clocks of sound servers are rough."""
_LATE = 0.005
"""Seconds from a look that came too early to the next."""

_CLOSING = 0.5
"""Seconds that a sound card has to let go; one that works takes 0.02."""

_OPENING = 6.5
"""Seconds until ``open`` gives up: the first block may take 5 (watch.py), and the drivers of two sides have the rest."""

_HELD, _HELD_BY_CANCELLER = 0.05, 0.01
"""Seconds that the first sample of what is fed at once waits for the last one, and what the canceller's filters hold."""

_log = logging.getLogger("genai_live")


class DeviceStats(TypedDict, total=False):
    """What a pair of devices has done since it was opened; empty before."""

    input: str
    """Name of the microphone."""
    output: str
    """Name of the loudspeaker."""
    input_rate: int
    """Hz that the microphone gives."""
    output_rate: int
    """Hz that the loudspeaker takes."""
    blocks_heard: int
    blocks_played: int
    overflows: int
    """Blocks before which sound of the microphone was lost."""
    underflows: int
    """Blocks before which the loudspeaker had run empty: the machine was busy."""
    echo_delay: float | None
    """Seconds between a sound on its way to the loudspeaker and its echo on its way from the microphone."""
    echo_heard: float | None
    """dBFS of the echo in the microphone, as the median of the newest ten seconds in which the loudspeaker was heard."""
    echo_left: float | None
    """dBFS that is left of it."""
    echo_removed: float | None
    """dB by which it was lowered."""
    echo_gaps: int
    """Places where the sound server has left sound out without a word: filled with silence, so that the echo stays found."""
    echo_drift: float
    """Parts in a million by which the loudspeaker's clock is slower than the microphone's, as far as that is made good."""
    echo_cost: float
    """Processor seconds for each second of sound."""


class Devices:
    """A microphone and a loudspeaker, without headphones: the loudspeaker's sound is taken out of the microphone's.

    Feeds 16 kHz; plays 24 kHz if the sound card takes it, else its own rate. A device that is lost, or whose driver hangs, ends
    the conversation with DeviceError within a second. Needs the extra ``voice`` and, on Linux, the library PortAudio.

    Args:
        input: the microphone's number, its name or a part of it; None for the system's default.
        output: the loudspeaker's.
        echo_cancellation: False for a headset.
        block_ms: milliseconds of one block, at least; 10 is best for most sound cards.
    """

    feeds_promptly = True
    """Its thread is not a device's callback: it may take a lock, so that each chunk goes out at once."""

    def __init__(
        self,
        input: int | str | None = None,
        output: int | str | None = None,
        *,
        echo_cancellation: bool = True,
        block_ms: int = 10,
    ) -> None:
        self._wanted: dict[Side, int | str | None] = {"input": _device(input, "input"), "output": _device(output, "output")}
        self._cancels = flag(echo_cancellation, "echo_cancellation")
        self._block_ms = whole_number(block_ms, "block_ms", 5, 100)
        self.holds_back = _HELD + (_HELD_BY_CANCELLER if self._cancels else 0.0)
        self._stop = threading.Event()
        self._ready = threading.Event()
        """Set when sound flows, or cannot."""
        self._done = threading.Event()
        """Set when the sound cards are closed."""
        self._silence = b""
        """A block of the loudspeaker's in which nothing was played."""
        self._thread: threading.Thread | None = None
        self._failure: DeviceError | None = None
        self._feed: Callable[[bytes], None] = _nobody
        self._ended: Callable[[Exception | None], None] = _nobody
        self._input: InputStream | None = None
        self._output: OutputStream | None = None
        self._echo: EchoCanceller | None = None
        self._position: PlaybackPosition | None = None
        self._to_input: Resampler | None = None
        self._counts: dict[str, Any] = {"blocks_heard": 0, "blocks_played": 0, "overflows": 0, "underflows": 0}

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """Opens both and returns when sound flows, within 6.5 s; ``control`` is not used.

        Raises:
            DeviceError: there is no such device, it cannot be opened, or no sound comes; says what to do.
            ConfigError: it was opened before.
        """
        if self._thread is not None:
            raise ConfigError("these Devices were opened before; make new ones for another conversation")
        sounddevice = portaudio()
        self._feed, self._ended = feed, ended
        self._thread = threading.Thread(target=self._run, name="genai-live-devices", daemon=True)
        leaving.opened(sounddevice, self.close)
        self._thread.start()
        try:
            in_time = self._ready.wait(_OPENING)
        except BaseException:  # Ctrl-C
            self.close(_CLOSING)
            raise
        if self._failure is None and in_time and self._output is not None:
            return Rates(INPUT_RATE, self._output.form.rate)
        self.close(_CLOSING)
        raise self._failure or DeviceError(
            f"the driver of the sound card did not answer within {_OPENING:g} s; connect it anew, or choose another"
        )

    def play(self, pcm: bytes) -> None:
        """Appends sound to what is to be heard; never blocks. Does nothing before ``open`` and after the end.

        Raises:
            EndFull: ten minutes of sound wait already.
        """
        if self._output is not None and not self._stop.is_set():
            self._output.play(pcm)

    def end_of_answer(self) -> None:
        """Nothing: silence is played when nothing waits."""

    def flush(self) -> None:
        """Silence begins with the next block; what the sound card has already is still heard."""
        if self._output is not None:
            self._output.flush()

    @property
    def played(self) -> float:
        """Seconds of what was given to ``play`` that came out of the loudspeaker, by the sound card's clock, in whole blocks."""
        if self._position is None or self._output is None:
            return 0.0
        self._position.look(time.monotonic())
        return self._position.frames / self._output.form.rate

    @property
    def flushes(self) -> int:
        """How many flushes have taken effect, and all before them is heard: ``played`` counts no more of it."""
        if self._position is None:
            return 0
        self._position.look(time.monotonic())
        return self._position.flushes

    def show(self, event: object) -> None:
        """Nothing: devices show nothing."""

    def close(self, timeout: float) -> None:
        """Ends it within ``timeout``, and within half a second; a driver that hangs is left to the end of the process."""
        self._stop.set()
        if self._thread is None or self._thread is threading.current_thread():
            return
        if self._done.wait(min(timeout, _CLOSING)):
            leaving.closed(self.close)
            return
        leaving.hangs()
        if self._failure is None:  # else it was told
            _log.warning(
                "a sound card did not let go within %.1f s; it is left to the end of the process", min(timeout, _CLOSING)
            )

    @property
    def stats(self) -> DeviceStats:
        """What was done so far; any thread."""
        if self._input is None or self._output is None:
            return {}
        captured, played = self._input.form, self._output.form
        stats = DeviceStats(input=captured.name, output=played.name, input_rate=captured.rate, output_rate=played.rate)
        stats.update(cast(DeviceStats, self._counts))
        if self._echo is not None:
            stats.update(cast(DeviceStats, self._echo.stats))
        return stats

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._failure = self._sound()
        except DeviceError as error:
            self._failure = error
        except Exception as error:  # of a driver, by sounddevice or the canceller: whatever it is, sound has ended
            self._failure = DeviceError(f"sound has stopped: {type(error).__name__}: {error}")
            self._failure.__cause__ = error
        was_open = self._ready.is_set()
        self._ready.set()
        try:
            if self._failure is not None and was_open:
                self._ended(self._failure)
        finally:
            if self._echo is not None:
                self._echo.release()
            # The loudspeaker last: the one whose sound server has ended keeps this thread for ever.
            for stream in (self._input, self._output):
                if stream is not None:
                    stream.close()
            self._done.set()

    def _sound(self) -> DeviceError | None:
        """Sound, until it is stopped (None) or lost."""
        forms: dict[Side, Form] = {side: form_of(side, device) for side, device in self._wanted.items()}
        if self._cancels:
            self._echo = EchoCanceller(forms["output"].rate)
        if forms["input"].rate != INPUT_RATE:
            self._to_input = Resampler(forms["input"].rate, INPUT_RATE)
        self._input = InputStream(forms["input"], self._block_ms)
        self._output = OutputStream(forms["output"], self._block_ms)
        self._position = PlaybackPosition(self._output.blocks, forms["output"].rate)
        together = max(1, _CHUNK_MS // self._block_ms)
        self._silence = bytes(SAMPLE_BYTES * self._output.block)
        self._output.start()  # first, so that no echo comes before its reference
        self._input.start()
        watches: dict[Side, Watch] = {side: Watch(time.monotonic()) for side in forms}
        while not self._stop.is_set():
            waits = self._echo is not None and self._echo.waits
            time.sleep(_LATE if waits else max(self._input.expected(together) + _BEHIND - time.monotonic(), _LATE))
            self._position.look(time.monotonic())
            played = _taken(self._position.passed)
            captured = _taken(self._input.blocks, together)
            self._take_played(played, self._output.form)
            self._take_captured(captured, self._input.form)
            now = time.monotonic()
            counts: dict[Side, int] = {"input": len(captured), "output": len(played)}
            for side, watch in watches.items():
                if watch.look(now, counts[side]):
                    return _lost(side, forms[side], watch.flows)
            if not self._ready.is_set() and all(watch.flows for watch in watches.values()):
                self._ready.set()
        return None

    def _take_played(self, blocks: list[Block], form: Form) -> None:
        for block in blocks:
            self._counts["blocks_played"] += 1
            if block.late:
                self._note_late("underflows")
            if self._echo is not None:
                self._echo.played(self._silence if block.pcm is None else mono(block.pcm, form.channels), block.at)

    def _note_late(self, count: str) -> None:
        self._counts[count] += 1
        if self._echo is not None:
            self._echo.disturbed()

    def _take_captured(self, blocks: list[Block], form: Form) -> None:
        for block in blocks:
            self._counts["blocks_heard"] += 1
            if block.late:
                self._note_late("overflows")
            pcm = mono(block.pcm or b"", form.channels)
            if self._to_input is not None:
                pcm = self._to_input.feed(pcm)
            if self._echo is None:
                self._feed_on(pcm)
            else:
                self._echo.heard(pcm, block.at)
        if self._echo is not None:
            self._feed_on(self._echo.take())

    def _feed_on(self, pcm: bytes) -> None:
        if pcm and self._ready.is_set():
            self._feed(pcm)


def _taken(blocks: deque[Block], together: int = 1) -> list[Block]:
    """What has come, as many as are a multiple of ``together``, by the only thread that takes."""
    return [blocks.popleft() for _ in range(len(blocks) // together * together)]


def _lost(side: Side, form: Form, flowed: bool) -> DeviceError:
    name = f"the {NAMES[side]} {form.name!r}"
    if flowed:
        return DeviceError(f"{name} is gone: it was unplugged, or its sound server has ended; connect it and begin anew")
    return DeviceError(f"no sound comes through {name}; choose another, or see whether its sound server runs")


def _device(value: object, name: str) -> int | str | None:
    if value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ConfigError(f"must be a device's number or name, or None, not {type(value).__name__}", name)


def _nobody(value: object) -> None:
    """Nobody listens yet."""
