"""``Files``: an end that hears WAV files as a microphone would, and plays into one. Its one thread is its sound card."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from genai_live._arguments import came, number_above_0
from genai_live.audio import INPUT_RATE, OUTPUT_RATE, SAMPLE_BYTES, Audio, to_input
from genai_live.errors import ConfigError, EndFull
from genai_live.voice.events import ConversationState, StateChanged, TurnEnded
from genai_live.voice.growing_files import GrowingWav
from genai_live.voice.sound_end import HELD_SECONDS, Control, Rates

BLOCK = 0.02
"""Seconds that are fed, and played, at once, as a sound card does."""
PAUSE = 1.0
"""Seconds between the end of an answer and the next file: as long as people wait before they speak."""
PATIENCE = 30.0
"""Seconds after a file in which an answer must come, or the next file follows without."""

_HELD_BYTES = int(HELD_SECONDS * OUTPUT_RATE) * SAMPLE_BYTES
_IN_BLOCK, _OUT_BLOCK = (int(BLOCK * rate) * SAMPLE_BYTES for rate in (INPUT_RATE, OUTPUT_RATE))
_THREAD = "genai-live-files"


def _is_same(source: object, output: str | os.PathLike[str]) -> bool:
    """True for a path of the same file."""
    return isinstance(source, (str, os.PathLike)) and os.path.exists(output) and os.path.samefile(source, output)


class Files:
    """A pair of ears that hears WAV files, one after the other, each after the answer to the one before; then it hangs up.

    Between them it hears silence, as a microphone in a quiet room does.

    Args:
        input: Path of a WAV file, or Audio, or a list of them; other rates than 16,000 Hz and several channels are converted.
        output: Path of a WAV file for what is heard of the answers, in 24,000 Hz; it is whole at every moment.
        speed: How many times faster than time it hears and plays: 1 as a sound card; 20 for a test.
        patience: Seconds after a file in which an answer must come, or it goes on without.

    Raises:
        ConfigError: a file cannot be read, or the output not be written.
    """

    def __init__(
        self,
        input: str | os.PathLike[str] | Audio | Sequence[str | os.PathLike[str] | Audio],
        output: str | os.PathLike[str] | None = None,
        *,
        speed: float = 1.0,
        patience: float = PATIENCE,
    ) -> None:
        sources = [input] if isinstance(input, (str, os.PathLike, Audio)) else input
        if not isinstance(sources, Sequence) or isinstance(sources, (bytes, bytearray)):
            raise ConfigError(f"must be the path of a WAV file, or Audio, or a list of them, not {came(input)}", "input")
        if not sources:
            raise ConfigError("must name a WAV file at least", "input")
        loaded = (each if isinstance(each, Audio) else Audio.load(each) for each in sources)
        self._speech = deque(to_input(audio).data for audio in loaded)
        self._speed = number_above_0(speed, "speed")
        self._patience = number_above_0(patience, "patience")
        if output is not None and any(_is_same(each, output) for each in sources):
            raise ConfigError(f"is the file that is heard, too, and would be lost: {os.fspath(output)}", "output")
        self._output = None if output is None else GrowingWav(output, OUTPUT_RATE)
        self._lock = threading.Lock()
        """Guards what is played. Nothing is called under it."""
        self._queue: deque[bytes] = deque()
        self._queued = 0
        """Bytes of it."""
        self._heard = 0
        """Bytes."""
        self._flushes = 0
        self._course = _Course(self._patience)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """As ``SoundEnd.open``; once only."""
        if self._thread is not None:
            raise ConfigError("these Files were used before: make new ones for another conversation")
        self._thread = threading.Thread(target=self._run, args=(feed, ended), name=_THREAD, daemon=True)
        self._thread.start()
        return Rates(INPUT_RATE, OUTPUT_RATE)

    def play(self, pcm: bytes) -> None:
        """As ``SoundEnd.play``."""
        with self._lock:
            if self._queued + len(pcm) > _HELD_BYTES:
                raise EndFull(f"{HELD_SECONDS:g} s of sound wait to be played: this piece was not taken")
            self._queue.append(pcm)
            self._queued += len(pcm)

    def end_of_answer(self) -> None:
        """As ``SoundEnd.end_of_answer``: nothing runs empty here."""

    def flush(self) -> None:
        """As ``SoundEnd.flush``."""
        with self._lock:
            self._queue.clear()
            self._queued = 0
            self._flushes += 1

    @property
    def flushes(self) -> int:
        """As ``SoundEnd.flushes``."""
        return self._flushes

    @property
    def played(self) -> float:
        """As ``SoundEnd.played``."""
        return self._heard / SAMPLE_BYTES / OUTPUT_RATE

    def show(self, event: object) -> None:
        """As ``SoundEnd.show``: it waits for the end of a turn."""
        self._course.note(event)

    def close(self, timeout: float) -> None:
        """As ``SoundEnd.close``."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        if self._output is not None:
            self._output.close()

    # The thread.

    def _run(self, feed: Callable[[bytes], None], ended: Callable[[Exception | None], None]) -> None:
        began, blocks = time.monotonic(), 0
        speech = self._speech.popleft()
        while not self._stop.is_set():
            block, speech = speech[:_IN_BLOCK], speech[_IN_BLOCK:]
            feed(block + bytes(_IN_BLOCK - len(block)))
            self._play_block()
            blocks += 1
            if self._course.goes_on(blocks * BLOCK, speaking=bool(speech)):
                if not self._speech:
                    ended(None)
                    return
                speech = self._speech.popleft()
            self._stop.wait(max(0.0, began + blocks * BLOCK / self._speed - time.monotonic()))

    def _play_block(self) -> None:
        with self._lock:
            heard = self._take(_OUT_BLOCK)
            self._heard += len(heard)
        if self._output is not None:
            if self._course.has_begun:
                self._output.begin()
            self._output.append(heard)

    def _take(self, size: int) -> bytes:
        """Requires the lock."""
        taken = b""
        while len(taken) < size and self._queue:
            piece = self._queue.popleft()
            taken, rest = taken + piece[: size - len(taken)], piece[size - len(taken) :]
            if rest:
                self._queue.appendleft(rest)
        self._queued -= len(taken)
        return taken


class _Course:
    """When the next file is due: a pause after the answer to the one before. Noted by any thread, asked by that of the files."""

    def __init__(self, patience: float) -> None:
        self.has_begun = False
        """True once something has happened."""
        self._patience = patience
        self._turns = 0
        self._seen = 0
        """Turns that had ended as of the file's beginning."""
        self._is_quiet = True
        self._spoken_at = 0.0
        self._quiet_since: float | None = None

    def note(self, event: object) -> None:
        """Something happened in the conversation."""
        self.has_begun = True
        if isinstance(event, TurnEnded):
            self._turns += 1
        elif isinstance(event, StateChanged):
            self._is_quiet = event.state is ConversationState.LISTENING

    def goes_on(self, now: float, *, speaking: bool) -> bool:
        """True when the next file is due at ``now`` (seconds on the files' own clock)."""
        if speaking:
            self._spoken_at, self._quiet_since = now, None
            return False
        is_answered = self._turns > self._seen and self._is_quiet
        self._quiet_since = (self._quiet_since or now) if is_answered else None
        due = self._quiet_since is not None and now - self._quiet_since >= PAUSE
        if due or now - self._spoken_at >= self._patience:
            self._seen, self._spoken_at, self._quiet_since = self._turns, now, None
            return True
        return False
