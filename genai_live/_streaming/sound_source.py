"""What a caller gives ``stream_audio``, made into chunks of 16 kHz mono. Runs on the thread that asks for the chunks.

What is in memory (bytes, ``Audio``, a WAV file, a list) is checked and converted at once and never blocks afterwards. Any other
iterable is the caller's code, which may block for as long as it likes: ``PulledAhead`` keeps that on a thread of its own. A
generator is closed on the thread that has pulled it, because what it holds (a device, a file) may belong to that thread.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NamedTuple

from genai_live import _threads
from genai_live._client_messages.sounds import blob_audio
from genai_live.audio import INPUT_RATE, Audio, chunks, to_input
from genai_live.audio.arriving import as_input
from genai_live.audio.buffers import is_buffer, sample_bytes
from genai_live.audio.containers import is_wav
from genai_live.audio.pcm import check_chunk_ms, check_no_file, check_rate
from genai_live.errors import ConfigError
from genai_live.types import Blob
from genai_live.types._base import names_of

logger = logging.getLogger("genai_live")

PULLED_AHEAD = 25
"""Chunks (1 s at 40 ms) that are pulled from a caller's iterable before they are sent; then it has to wait."""

_STARVED_LOOK = 0.5
"""Seconds between two looks at the session of a stream whose source has nothing: it may have ended meanwhile."""

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
    close: Callable[[], None] = lambda: None
    """Closes the caller's generator, if it is one; for the thread that asks for the chunks, after the last."""


def open_source(source: object, rate: int, chunk_ms: float) -> SoundSource:
    """Opens sound, whatever form it has.

    That is 16-bit PCM at ``rate`` Hz (bytes, an array, a file of them), a WAV file (its path, bytes, or opened), ``Audio``, a
    Blob of sound, or an iterable of these.

    Raises:
        ConfigError: for anything else, a file that cannot be used, bytes that are not whole samples, a wrong rate or chunk_ms,
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
        pieces = _pieces_of(source)
        converted = as_input(map(_sound_of, pieces), rate)
        return SoundSource(chunks(converted, INPUT_RATE, chunk_ms), None, may_block=True, close=pieces.close)
    hint = "; an asynchronous iterable cannot be read by threads" if hasattr(source, "__aiter__") else ""
    raise ConfigError(
        f"source is {type(source).__name__}; give bytes of 16-bit PCM, the path of a WAV file, Audio, or an iterable of bytes"
        + hint
    )


def _sound_of(piece: object) -> object:
    """A Blob, or a dict of one, as Audio of its own rate; anything else as it is."""
    is_blob = isinstance(piece, Blob) or (isinstance(piece, Mapping) and not names_of(Blob).keys().isdisjoint(piece))
    return blob_audio(piece, "source") if is_blob else piece  # type: ignore[arg-type]


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


def _pieces_of(source: Iterable[Any]) -> Generator[Any, None, None]:
    pieces = iter(source)  # on the thread that pulls: it is the caller's code, too
    try:
        for piece in pieces:  # noqa: UP028 # "yield from" closes whatever has a method of that name, the caller's file too
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


class Pulled(NamedTuple):
    """A chunk, and the moments (monotonic seconds) at which the source was asked for it and gave it."""

    chunk: bytes
    """Empty at the end."""
    asked: float
    came: float


def pull(chunks: Iterator[bytes]) -> Pulled:
    """The next chunk; blocks as long as the source does, and raises what it raises."""
    asked = time.monotonic()
    return Pulled(next(chunks, b""), asked, time.monotonic())


class PulledAhead:
    """A thread that pulls a caller's iterable into a short queue, so that the sender never waits for it.

    The iterable sees the context variables of ``context``.
    """

    def __init__(self, source: SoundSource, wake: Callable[[], None], context: Context) -> None:
        self._source = source
        self._wake = wake
        self._lock = threading.RLock()
        """Guards all below. Taken itself and not through the condition, whose own way of taking it Ctrl-C may interrupt."""
        self._changed = threading.Condition(self._lock)
        """Notified when there is room again, or no more need."""
        self._queue: deque[Pulled] = deque()
        self._starved = False
        self._stopped = False
        self._error: BaseException | None = None
        _threads.start(threading.Thread(target=context.run, args=(self._pull_all,), name=_THREAD_NAME, daemon=True))

    def take(self) -> Pulled | None:
        """The next chunk; None when it has not come yet, and then ``wake`` is called when it has. Never blocks.

        Raises what the iterable raised, after the chunks that came before.
        """
        with self._lock:
            if self._queue:
                self._changed.notify()
                return self._queue.popleft()
            if self._error is not None:
                raise self._error
            self._starved = True
            return None

    def look_after(self) -> float:
        """Seconds until the next look, after one that found nothing; ``wake`` may come before."""
        return _STARVED_LOOK

    def stop(self) -> None:
        """The iterable is not asked for more, and closed once it returns."""
        with self._lock:
            self._stopped = True
            self._changed.notify()

    # The thread of the source.

    def _pull_all(self) -> None:
        try:
            with closing(self._source):
                while self._put(pulled := pull(self._source.chunks)) and pulled.chunk:
                    continue
        except BaseException as raised:  # BaseException too: it is raised where the stream is waited for
            with self._lock:
                self._error = raised
                is_heard = not self._stopped
            if is_heard:
                self._wake()
            else:
                logger.exception("a source of stream_audio failed after its stream was over")

    def _put(self, pulled: Pulled) -> bool:
        with self._lock:
            self._changed.wait_for(lambda: self._stopped or len(self._queue) < PULLED_AHEAD)
            self._queue.append(pulled)
            was_starved, self._starved = self._starved, False
        if was_starved:
            self._wake()
        return not self._stopped
