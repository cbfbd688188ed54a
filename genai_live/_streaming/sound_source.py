"""What a caller gives ``stream_audio``, made into chunks of 16 kHz mono. Runs on the thread that asks for the chunks.

What is in memory (bytes, ``Audio``, a WAV file, a list) is checked and converted at once and never blocks afterwards. Any other
iterable is the caller's code, which may block for as long as it likes: ``PulledAhead`` keeps that on a thread of its own.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genai_live._client_messages.sounds import blob_audio
from genai_live.audio import INPUT_RATE, Audio, chunks, to_input
from genai_live.audio.arriving import as_input
from genai_live.audio.buffers import is_buffer, sample_bytes
from genai_live.audio.containers import is_wav
from genai_live.audio.pcm import check_chunk_ms, check_no_file, check_rate
from genai_live.errors import ConfigError
from genai_live.types import Blob

PULLED_AHEAD = 25
"""Chunks (1 s at 40 ms) that are pulled from a caller's iterable before they are sent; then it has to wait."""

_READ_BYTES = 4_096
"""At most so much is asked of a pipe at once: 128 ms of 16 kHz mono."""

_THREAD_NAME = "genai-live-source"


@dataclass(frozen=True)
class SoundSource:
    """Sound on its way into a session."""

    chunks: Iterator[bytes]
    """PCM16 mono at 16,000 Hz, ready to be sent one by one."""
    seconds: float | None
    """Length of the whole; None when only the source knows when it ends."""
    may_block: bool
    """True when asking for the next chunk runs the caller's code."""


def open_source(source: object, rate: int, chunk_ms: float) -> SoundSource:
    """Opens 16-bit PCM at ``rate`` Hz (bytes, an array, a file of them), a WAV file (its path, bytes, or opened), ``Audio``, a
    Blob of sound, or an iterable of these.

    Raises ConfigError for anything else, a file that cannot be used, bytes that are not whole samples, a wrong rate or chunk_ms,
    and when the rate has to be converted and numpy is not installed.
    """
    check_rate(rate)
    check_chunk_ms(chunk_ms)
    if isinstance(source, (list, tuple)):
        source, rate = b"".join(as_input(map(_sound_of, source), rate)), INPUT_RATE
    source = _sound_of(source)
    if isinstance(source, Audio):
        return _whole(source, chunk_ms)
    if isinstance(source, (str, os.PathLike)):
        return _whole(Audio.load(source), chunk_ms)
    if is_buffer(source):
        return _whole(_audio_of(sample_bytes(source, "source"), rate), chunk_ms)
    if _is_file_of_known_end(source):
        return _whole(_audio_of(source.read(), rate), chunk_ms)  # type: ignore[attr-defined]
    if hasattr(source, "read"):
        source = iter(_reader_of(source), b"")
    if isinstance(source, Iterable):
        return SoundSource(chunks(as_input(map(_sound_of, source), rate), INPUT_RATE, chunk_ms), None, may_block=True)
    hint = "; an asynchronous iterable cannot be read by threads" if hasattr(source, "__aiter__") else ""
    raise ConfigError(
        f"source is {type(source).__name__}; give bytes of 16-bit PCM, the path of a WAV file, Audio, or an iterable of bytes"
        + hint
    )


def _sound_of(piece: object) -> object:
    """A Blob, or a dict of one, as Audio of its own rate; anything else as it is."""
    return blob_audio(piece, "source") if isinstance(piece, (Blob, Mapping)) else piece


def _whole(audio: Audio, chunk_ms: float) -> SoundSource:
    converted = to_input(audio)
    return SoundSource(chunks(converted.data, INPUT_RATE, chunk_ms), converted.seconds, may_block=False)


def _audio_of(content: bytes, rate: int) -> Audio:
    """Bytes of a WAV file, or of PCM at ``rate`` Hz."""
    if is_wav(content):
        return Audio.load(content)
    check_no_file(content)
    return Audio(content, rate)


def _is_file_of_known_end(source: object) -> bool:
    """True for a file on a disk or in memory; a pipe or a socket may go on for ever, as a microphone does."""
    return hasattr(source, "read") and hasattr(source, "seekable") and bool(source.seekable())


def _reader_of(file: Any) -> Callable[[], bytes]:
    """Reads what a pipe has at the moment; blocks while it has nothing, and gives empty bytes at its end."""
    read: Callable[[int], bytes] = getattr(file, "read1", file.read)
    return lambda: read(_READ_BYTES)


class PulledAhead:
    """A thread that pulls a caller's iterable into a short queue, so that whoever sends never waits for it."""

    def __init__(self, pieces: Iterator[bytes], wake: Callable[[], None]) -> None:
        self._pieces = pieces
        self._wake = wake
        self._changed = threading.Condition()
        """Guards all below; notified when there is room again, or no more need."""
        self._queue: deque[bytes] = deque()
        self._starved = False
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None
        threading.Thread(target=self._pull, name=_THREAD_NAME, daemon=True).start()

    def take(self) -> bytes | None:
        """The next chunk, None when there is none yet (``wake`` is called when there is), empty bytes at the end. Never blocks.

        Raises what the iterable raised, after the chunks that came before.
        """
        with self._changed:
            if self._queue:
                self._changed.notify()
                return self._queue.popleft()
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._starved = True
            return None

    def stop(self) -> None:
        """The iterable is not asked for more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    # The thread of the source.

    def _pull(self) -> None:
        error: BaseException | None = None
        try:
            for chunk in self._pieces:
                if not self._put(chunk):
                    return
        except BaseException as raised:  # also what is no Exception: it is handed to whoever waits for the stream
            error = raised
        with self._changed:
            self._error, self._ended = error, True
        self._wake()

    def _put(self, chunk: bytes) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._queue) < PULLED_AHEAD)
            self._queue.append(chunk)
            was_starved, self._starved = self._starved, False
        if was_starved:
            self._wake()
        return not self._stopped
