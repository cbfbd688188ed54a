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
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass
from typing import NamedTuple

from genai_live.audio import INPUT_RATE, Audio, Resampler, chunks, to_input
from genai_live.audio.pcm import PcmBytes, check_chunk_ms, check_piece, check_rate
from genai_live.errors import ConfigError

logger = logging.getLogger("genai_live")

PULLED_AHEAD = 25
"""Chunks (1 s at 40 ms) that are pulled from a caller's iterable before they are sent; then it has to wait."""

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
    """Opens bytes at ``rate`` Hz, the path of a WAV file, ``Audio``, or an iterable of bytes at ``rate`` Hz.

    Raises ConfigError for anything else, a file that cannot be used, bytes that are not whole samples, a wrong rate or chunk_ms,
    and when the rate has to be converted and soxr is not installed.
    """
    check_rate(rate)
    check_chunk_ms(chunk_ms)
    if isinstance(source, (list, tuple)):
        source = b"".join(_checked(source))
    if isinstance(source, Audio):
        return _whole(source, chunk_ms)
    if isinstance(source, (bytes, bytearray, memoryview)):
        check_piece(source, is_first=True)
        return _whole(Audio(bytes(source), rate), chunk_ms)
    if isinstance(source, (str, os.PathLike)):
        return _whole(Audio.load(source), chunk_ms)
    if isinstance(source, Iterable):
        pieces = _pieces_of(source)
        return SoundSource(chunks(_converted(pieces, rate), INPUT_RATE, chunk_ms), None, may_block=True, close=pieces.close)
    hint = "; an asynchronous iterable cannot be read by threads" if hasattr(source, "__aiter__") else ""
    raise ConfigError(
        f"source is {type(source).__name__}; give bytes of 16-bit PCM, the path of a WAV file, Audio, or an iterable of bytes"
        + hint
    )


def _whole(audio: Audio, chunk_ms: float) -> SoundSource:
    converted = to_input(audio)
    return SoundSource(chunks(converted.data, INPUT_RATE, chunk_ms), converted.seconds, may_block=False)


def _checked(pieces: Iterable[PcmBytes]) -> Iterator[PcmBytes]:
    is_first = True
    for piece in pieces:
        check_piece(piece, is_first)
        is_first = is_first and not piece
        yield piece


def _converted(pieces: Iterable[PcmBytes], rate: int) -> Iterable[PcmBytes]:
    # The resampler is made here and not in the generator: that it is missing is told before anything is sent.
    return _checked(pieces) if rate == INPUT_RATE else _resampled(pieces, Resampler(rate), rate)


def _resampled(pieces: Iterable[PcmBytes], resampler: Resampler, rate: int) -> Iterator[bytes]:
    # Cut to whole samples first: a piece of the caller's may end in the middle of one.
    for chunk in chunks(pieces, rate):
        yield resampler.feed(chunk)
    yield resampler.flush()


def _pieces_of(source: Iterable[PcmBytes]) -> Generator[PcmBytes, None, None]:
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
    """A thread that pulls a caller's iterable into a short queue, so that whoever sends never waits for it.

    The iterable sees the context variables of ``context``.
    """

    def __init__(self, source: SoundSource, wake: Callable[[], None], context: Context) -> None:
        self._source = source
        self._wake = wake
        self._changed = threading.Condition()
        """Guards all below; notified when there is room again, or no more need."""
        self._queue: deque[Pulled] = deque()
        self._starved = False
        self._stopped = False
        self._error: BaseException | None = None
        threading.Thread(target=context.run, args=(self._pull_all,), name=_THREAD_NAME, daemon=True).start()

    def take(self) -> Pulled | None:
        """The next chunk; None when there is none yet, and ``wake`` is called when there is. Never blocks.

        Raises what the iterable raised, after the chunks that came before.
        """
        with self._changed:
            if self._queue:
                self._changed.notify()
                return self._queue.popleft()
            if self._error is not None:
                raise self._error
            self._starved = True
            return None

    def stop(self) -> None:
        """The iterable is not asked for more, and closed once it returns."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    # The thread of the source.

    def _pull_all(self) -> None:
        try:
            with closing(self._source):
                while self._put(pulled := pull(self._source.chunks)) and pulled.chunk:
                    continue
        except BaseException as raised:  # also what is no Exception: it is handed to whoever waits for the stream
            with self._changed:
                self._error = raised
                is_heard = not self._stopped
            if is_heard:
                self._wake()
            else:
                logger.exception("a source of stream_audio failed after its stream was over")

    def _put(self, pulled: Pulled) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._queue) < PULLED_AHEAD)
            self._queue.append(pulled)
            was_starved, self._starved = self._starved, False
        if was_starved:
            self._wake()
        return not self._stopped
