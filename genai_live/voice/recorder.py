"""Both sides of a conversation as one stereo WAV in real time, and its transcript. Fed by any thread; one of its own writes."""

from __future__ import annotations

import array
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from genai_live._arguments import came, check_made, file_path, number_above_0
from genai_live.audio import INPUT_RATE, OUTPUT_RATE, SAMPLE_BYTES, Audio, Resampler
from genai_live.errors import ConfigError
from genai_live.voice.events import Utterance
from genai_live.voice.growing_files import GrowingLines, GrowingWav
from genai_live.voice.microphone import KEPT_WHILE_DOWN

logger = logging.getLogger("genai_live")

RATE = OUTPUT_RATE
"""Hz of a recording: the model's, which is the higher one."""
WRITE_EVERY = 0.25
"""Seconds between two writes: what a killed process has not written yet, beside ``SETTLE``."""
SETTLE = 0.5
"""Seconds after which nothing is said any more to have been heard then: chunks wait for the network, looks for their turn."""
_JSON_LINES = ".jsonl"
"""What the transcript's file name ends in, and the recording's must not."""
CLOSE_WITHIN = 2.0
"""Seconds that the last write has: a disk that hangs keeps nobody for longer."""
_JITTER = 0.25
"""Seconds that sound may come late, or early, and still follows what came before without a gap."""
_THREAD = "genai-live-recorder"


def transcript_beside(sound: Path) -> Path:
    """Where the transcript of a recording is written."""
    return sound.with_suffix(_JSON_LINES)


class Recorder(Protocol):
    """What ``Conversation(record=...)`` hands both sides to: a path makes one that writes files. Nothing of it blocks."""

    def begin(self, now: Callable[[], float], output_rate: int) -> None:
        """The conversation begins: ``now`` gives its seconds, ``output_rate`` is that of the model's sound, in Hz."""

    def hear(self, pcm: bytes, at: float) -> None:
        """The user's sound, 16 kHz mono, whose end was at ``at``. The thread that sends."""

    def play(self, pcm: bytes, at: float) -> None:
        """The model's sound that was heard until ``at``. Any thread, one at a time."""

    def say(self, utterances: Sequence[Utterance]) -> None:
        """Utterances that are over."""

    def close(self) -> None:
        """The conversation is over; may take as long as the disk does."""


_MEMBERS = ("begin", "hear", "play", "say", "close")


def recorder_of(record: object) -> Recorder:
    """What ``record=`` names.

    Raises:
        ConfigError: neither a path that can be written nor a Recorder.
    """
    if isinstance(record, (str, os.PathLike)):
        return FileRecorder(record)
    check_made(record, "record")
    if isinstance(record, _Threaded):
        record._check_unused()
    if not all(callable(getattr(record, name, None)) for name in _MEMBERS):
        raise ConfigError(f"must be the path of a WAV file, or a Recorder such as MemoryRecorder, not {came(record)}", "record")
    return Steady(record)  # type: ignore[arg-type]


class Steady:
    """A recorder of somebody else's: its failure is logged, once for each of its members, and keeps nobody from talking."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._failed: set[str] = set()

    def begin(self, now: Callable[[], float], output_rate: int) -> None:
        """As ``Recorder.begin``, whose failure is the caller's to see."""
        self._recorder.begin(now, output_rate)

    def hear(self, pcm: bytes, at: float) -> None:
        """As ``Recorder.hear``."""
        self._do("hear", lambda: self._recorder.hear(pcm, at))

    def play(self, pcm: bytes, at: float) -> None:
        """As ``Recorder.play``."""
        self._do("play", lambda: self._recorder.play(pcm, at))

    def say(self, utterances: Sequence[Utterance]) -> None:
        """As ``Recorder.say``."""
        self._do("say", lambda: self._recorder.say(utterances))

    def close(self) -> None:
        """As ``Recorder.close``."""
        self._do("close", self._recorder.close)

    def _do(self, member: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            if member not in self._failed:
                self._failed.add(member)
                logger.exception("%s.%s failed; the conversation goes on", type(self._recorder).__name__, member)


class Track:
    """One side: sound in its place in time. One thread at a time."""

    def __init__(self, rate: int) -> None:
        self._resampler = None if rate == RATE else Resampler(rate, RATE)
        self._rate = rate
        self._pcm = bytearray()
        self._taken = 0
        """Samples that were taken from the front."""

    def add(self, pcm: bytes, at: float) -> None:
        """Sound whose end was at ``at`` seconds; what does not fit behind what came before follows it."""
        begin = at - len(pcm) / SAMPLE_BYTES / self._rate
        gap = begin - self.end
        if gap > _JITTER:
            self._pcm += bytes(int(gap * RATE) * SAMPLE_BYTES)
        self._pcm += pcm if self._resampler is None else self._resampler.feed(pcm)

    @property
    def end(self) -> float:
        """Where what comes next has its place, in seconds."""
        return (self._taken + len(self._pcm) // SAMPLE_BYTES) / RATE

    def take(self, until: int) -> bytes:
        """The samples up to one, with silence where nothing came."""
        size = (until - self._taken) * SAMPLE_BYTES
        taken = bytes(self._pcm[:size])
        del self._pcm[:size]
        self._taken = until
        return taken + bytes(size - len(taken))


class TwoTracks:
    """Both sides in time, as they are settled. One thread at a time."""

    def __init__(self, output_rate: int) -> None:
        self._user, self._model = Track(INPUT_RATE), Track(output_rate)
        self._until = 0
        self.add = {"user": self._user.add, "model": self._model.add}

    @property
    def heard_until(self) -> float:
        """How far the user's side has come, in seconds."""
        return self._user.end

    def take(self, until: float) -> bytes:
        """Both channels, interleaved, from where it was last taken to ``until`` seconds: the user left, the model right."""
        end = max(self._until, int(until * RATE))
        left, right = (track.take(end) for track in (self._user, self._model))
        self._until = end
        both = array.array("h", bytes(2 * len(left)))
        both[0::2], both[1::2] = array.array("h", left), array.array("h", right)
        return both.tobytes()


class _Threaded:
    """A recorder whose work is done by a thread of its own, four times a second."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, bytes, float]] = deque()
        self._said: deque[Utterance] = deque()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, now: Callable[[], float], output_rate: int) -> None:
        """As ``Recorder.begin``; once only."""
        self._check_unused()
        tracks = TwoTracks(output_rate)
        self._thread = threading.Thread(target=self._run, args=(now, tracks), name=_THREAD, daemon=True)
        self._thread.start()

    def _check_unused(self) -> None:
        """Raises ConfigError after ``begin``."""
        if self._thread is not None:
            raise ConfigError("a recorder records one conversation: make another one", "record")

    def hear(self, pcm: bytes, at: float) -> None:
        """As ``Recorder.hear``."""
        self._waiting.append(("user", pcm, at))

    def play(self, pcm: bytes, at: float) -> None:
        """As ``Recorder.play``."""
        self._waiting.append(("model", pcm, at))

    def say(self, utterances: Sequence[Utterance]) -> None:
        """As ``Recorder.say``."""
        self._said.extend(utterances)

    def close(self) -> None:
        """As ``Recorder.close``."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN)

    def _run(self, now: Callable[[], float], tracks: TwoTracks) -> None:
        while not self._over.wait(WRITE_EVERY):
            self._work(tracks, now() - SETTLE)
        self._work(tracks, now(), waits_for=0.0)

    def _work(self, tracks: TwoTracks, until: float, waits_for: float = KEPT_WHILE_DOWN) -> None:
        """Writes what was said until then; where the user's side has not come so far, it is waited for."""
        try:
            while self._waiting:
                side, pcm, at = self._waiting.popleft()
                tracks.add[side](pcm, at)
            self._write(tracks.take(min(until, max(tracks.heard_until, until - waits_for))))
            while self._said:
                self._note(self._said.popleft())
        except Exception:
            logger.exception("a recording could not go on")

    def _write(self, frames: bytes) -> None:
        """Takes both channels of the next stretch of time."""
        raise NotImplementedError

    def _note(self, utterance: Utterance) -> None:
        """Takes the next utterance."""
        raise NotImplementedError


class FileRecorder(_Threaded):
    """Writes a stereo WAV of 24 kHz, whole at every moment, and beside it the utterances as JSON Lines (``call.jsonl``).

    Raises:
        ConfigError: one of the files cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        name = file_path(path, "record")
        if name.lower().endswith(_JSON_LINES):
            raise ConfigError(f"names the sound, as call.wav does: the transcript beside it ends in {_JSON_LINES}", "record")
        self._sound = GrowingWav(name, RATE, 2)
        try:
            self._transcript = GrowingLines(str(transcript_beside(Path(name))))
        except ConfigError:
            self._sound.discard()
            raise

    def begin(self, now: Callable[[], float], output_rate: int) -> None:
        """As ``Recorder.begin``; empties files that were there."""
        super().begin(now, output_rate)
        self._sound.begin()
        self._transcript.begin()

    def close(self) -> None:
        """As ``Recorder.close``."""
        super().close()
        self._sound.close()
        self._transcript.close()

    def discard(self) -> None:
        """There was no conversation: takes away the files that it has made, and leaves those that were there as they were."""
        super().close()
        self._sound.discard()
        self._transcript.discard()

    def _write(self, frames: bytes) -> None:
        self._sound.append(frames)

    def _note(self, utterance: Utterance) -> None:
        self._transcript.write(json.dumps(asdict(utterance), ensure_ascii=False))


class MemoryRecorder(_Threaded):
    """Keeps the newest ``seconds`` of both sides."""

    def __init__(self, seconds: float = 600.0) -> None:
        super().__init__()
        self._limit = int(number_above_0(seconds, "seconds") * RATE) * 2 * SAMPLE_BYTES
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self.utterances: list[Utterance] = []
        """Those that are over."""

    def audio(self) -> Audio:
        """What was recorded, in two channels: the user left, the model right. Any thread.

        Of a conversation that goes on all but the last half second; 2 s more are missing while the microphone is silent or shut.
        """
        return Audio(b"".join(tuple(self._pieces))[-self._limit :], RATE, 2)

    def _note(self, utterance: Utterance) -> None:
        self.utterances.append(utterance)

    def _write(self, frames: bytes) -> None:
        self._pieces.append(frames)
        self._size += len(frames)
        while self._size - len(self._pieces[0]) >= self._limit:
            self._size -= len(self._pieces.popleft())
