"""``stream_audio``: sound sent into a session as fast as it was spoken, or at once.

With ``wait`` everything runs on the caller's thread. Without, the one pacing thread of the process sends, or the reader that the
session shares with others; an iterable of the caller's is pulled on a thread of its own, so that one that blocks keeps no other
stream waiting.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from genai_live._arguments import flag
from genai_live._connection.pacing_thread import pacing_thread
from genai_live._connection.timetable import EARLY, Pacing
from genai_live._deadline import Deadline
from genai_live._streaming.sound_source import PulledAhead, SoundSource, open_source
from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, Pacer, level_dbfs, mime_type_of
from genai_live.errors import CloseInfo, ConfigError, LiveError, SessionClosed, WrongThread

_MIME_TYPE = mime_type_of(INPUT_RATE)

_UNSENT_LIMIT = 65_536
"""Bytes that the network may owe a stream before it pauses: about 1.5 s of 16 kHz sound in base64."""

_UNSENT_RETRY = 0.02
"""Seconds after which a stream that paused for the network looks again; half of a usual chunk."""

_STARVED_LOOK = 0.5
"""Seconds between two looks at the session of a stream whose source has nothing: it may have ended meanwhile."""

_OWN_THREAD = (
    "waiting here would wait for its own thread: this callback runs on the shared reader, which sends the sound; wait on another"
    " thread, or give LiveCallbacks an executor"
)
_SECOND_STREAM = "this session is already streaming, and two sounds at once are noise: wait for the first, or cancel it"


class SoundSink(Protocol):
    """What streaming needs of a session."""

    @property
    def close_info(self) -> CloseInfo | None:
        """How the session ended; None while it is open."""

    @property
    def _automatic_detection(self) -> bool:
        """True when the server detects speech by itself, and so has to be told where the sound ends."""

    @property
    def _pacing(self) -> Pacing | None:
        """The thread that paces its streams; None for the one of the process."""

    @property
    def _unsent_bytes(self) -> int:
        """Bytes that were sent without waiting and that the network has not taken yet."""

    def _send_audio(self, pcm: bytes, mime_type: str, *, wait: bool = True) -> None:
        """Sends PCM; ``wait=False`` never blocks. Raises the session's error once it has ended."""

    def _send_audio_stream_end(self, *, wait: bool = True) -> None:
        """Says that no sound comes for a while; as ``_send_audio``."""


class Progress(NamedTuple):
    """How far a stream is."""

    sent: float
    """Seconds of sound sent, or passed over while muted."""
    total: float | None
    """Seconds in all; None when only the source knows."""


def stream_audio(
    session: SoundSink,
    source: object,
    *,
    rate: int = INPUT_RATE,
    chunk_ms: float = 40,
    realtime: bool = True,
    wait: bool = True,
    end: bool = True,
) -> AudioStream:
    """Sends sound in chunks of 16 kHz mono: PCM or an iterable of it at ``rate`` Hz, the path of a WAV file, or ``Audio``.

    ``realtime`` sends each chunk when it is due, as a microphone would; without it they go out as fast as the network takes
    them, which is also right for a microphone: it paces itself. ``wait`` blocks until all is sent; without it the process's
    pacing thread sends. ``end`` says audioStreamEnd after the last chunk, if the server detects speech by itself: it then
    answers without waiting for silence (Live API reference, realtimeInput.audioStreamEnd).

    Raises ConfigError when the source is not what it should be, or the session is already streaming, and SessionClosed when the
    session has ended. With ``wait``, raises what the source raises, and SessionClosed when the session ends meanwhile; without,
    the handle has the error.
    """
    for name, value in (("realtime", realtime), ("wait", wait), ("end", end)):
        flag(value, name)
    _raise_if_ended(session)
    stream = AudioStream(session, open_source(source, rate, chunk_ms), Pacer(INPUT_RATE) if realtime else None, end)
    try:
        if _streaming.setdefault(id(session), stream) is not stream:
            raise ConfigError(_SECOND_STREAM)
        if wait:
            stream._run()
        else:
            stream._start()
    except BaseException:
        if _streaming.get(id(session)) is stream:  # Ctrl-C just before it began, or before its handle was in anybody's hands
            stream.cancel()
            _streaming.pop(id(session), None)
        raise
    return stream


def _raise_if_ended(session: SoundSink) -> None:
    if session.close_info is not None:
        session._send_audio(b"", _MIME_TYPE, wait=False)  # nothing is sent: a session that has ended raises its error


class AudioStream:
    """Sound on its way into a session. Every member may be used on any thread."""

    def __init__(self, session: SoundSink, source: SoundSource, pacer: Pacer | None, end: bool) -> None:
        self._session = session
        self._source = source
        self._pacer = pacer
        self._end = end and session._automatic_detection
        self._end_told = True
        """True when the server waits for no more sound: nothing was sent yet, or it was told since."""
        self._muted = False
        self._samples = 0
        self._last = b""
        self._error: BaseException | None = None
        self._ended_at: float | None = None
        self._cancel = threading.Event()
        self._done = threading.Event()
        self._when_cancelled: Callable[[], None] | None = None
        self._pacing: Pacing | None = None
        """The thread that sends it, where that is not the caller's."""

    @property
    def done(self) -> bool:
        """True when nothing more will be sent: the source ended, ``cancel`` was called, or an error ended it."""
        return self._done.is_set()

    @property
    def cancelled(self) -> bool:
        """True when ``cancel`` came before the end of the source."""
        return self._cancel.is_set()

    @property
    def error(self) -> BaseException | None:
        """What ended the stream early: the session's error, or what the source raised; None otherwise."""
        return self._error

    @property
    def ended_at(self) -> float | None:
        """When all was sent, in seconds of ``time.monotonic``, from which the delay of an answer counts; None before."""
        return self._ended_at

    @property
    def progress(self) -> Progress:
        """Seconds sent, and in all."""
        return Progress(self._samples / INPUT_RATE, self._source.seconds)

    @property
    def level(self) -> float:
        """Level in dBFS of the chunk that was sent last; silence before the first."""
        return level_dbfs(self._last)

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the stream is done, at most ``timeout`` seconds; returns whether it is. Raises what ended it early.

        ConfigError: ``timeout`` is no number of seconds.
        WrongThread: called in a callback on the reader that sends the sound, which would wait for itself.
        """
        if self._pacing is not None and self._pacing.is_current and not self.done:
            raise WrongThread(_OWN_THREAD)
        is_done = Deadline.of(timeout).wait(self._done)
        if is_done and self._error is not None:
            raise self._error
        return is_done

    def cancel(self) -> None:
        """Stops sending after the chunk that is under way. Returns at once; ``wait`` tells when nothing more is sent.

        The server is told that the sound ends, as at the end of the source. An iterable that blocks is not interrupted: it is not
        asked for more once it returns.
        """
        if not self.done:
            self._cancel.set()
            if self._when_cancelled is not None:
                self._when_cancelled()

    @property
    def muted(self) -> bool:
        """True between ``mute`` and ``unmute``."""
        return self._muted

    def mute(self) -> None:
        """Sends nothing of the sound that comes from now on, as a microphone's switch does; the server is told, once.

        Against echo: mute while the answer is played through a loudspeaker, which the microphone hears too.
        """
        self._muted = True

    def unmute(self) -> None:
        """Sends again what comes from now on."""
        self._muted = False

    def __repr__(self) -> str:
        sent, total = self.progress
        state = "cancelled" if self.cancelled else "failed" if self._error else "done" if self.done else "streaming"
        return f"AudioStream({state}, {sent:.2f} s" + (f" of {total:.2f} s)" if total is not None else ")")

    # Sending: the caller's thread, or the one that paces.

    def _run(self) -> None:
        """Sends everything on this thread; raises what ended it early."""
        error: BaseException | None = None
        try:
            for chunk in self._source.chunks:
                if self._cancelled_before_due():
                    break
                self._pass_on(chunk, time.monotonic(), wait=True)
        except BaseException as raised:  # KeyboardInterrupt too: the stream is over, and wait() raises it
            error = raised
        self._finish(error, wait=True)
        self.wait()

    def _start(self) -> None:
        """Has everything sent by the thread that paces."""
        try:
            pacing = self._session._pacing or pacing_thread
            self._pacing = pacing
            paced = _PacedStream(self, pacing)
            self._when_cancelled = lambda: pacing.hurry(paced)
            pacing.pace(paced)
        except RuntimeError as error:  # no more threads can be started
            self._finish(error, wait=False)
            raise

    def _cancelled_before_due(self) -> bool:
        """Waits until the next chunk is due; a cancellation ends the wait."""
        if self._pacer is None:
            return self._cancel.is_set()
        now = time.monotonic()
        return self._cancel.wait(max(0.0, self._pacer.due(now) - now))

    def _pass_on(self, chunk: bytes, now: float, *, wait: bool) -> None:
        """Sends a chunk, or passes over it while muted; it takes its time either way."""
        if self._muted:
            self._last = b""
            self._tell_end(wait=wait)
        else:
            self._session._send_audio(chunk, _MIME_TYPE, wait=wait)
            self._last = chunk
            self._end_told = False
        samples = len(chunk) // SAMPLE_BYTES
        self._samples += samples
        if self._pacer is not None:
            self._pacer.sent(samples, now)

    def _tell_end(self, *, wait: bool) -> None:
        if self._end and not self._end_told:
            self._session._send_audio_stream_end(wait=wait)
            self._end_told = True

    def _finish(self, error: BaseException | None, *, wait: bool) -> None:
        """Tells the server that the sound ends, whatever ended it, and everybody else that the stream is done."""
        self._ended_at = time.monotonic()
        try:
            if not isinstance(error, (SessionClosed, KeyboardInterrupt)):
                self._tell_end(wait=wait)
        except LiveError as failure:
            error = error or failure
        finally:
            self._error = error
            _streaming.pop(id(self._session), None)
            self._done.set()


class _PacedStream:
    """A stream that another thread sends; it never blocks there."""

    def __init__(self, stream: AudioStream, pacing: Pacing) -> None:
        self._stream = stream
        source = stream._source
        self._pulled = PulledAhead(source.chunks, lambda: pacing.hurry(self)) if source.may_block else None

    def step(self, now: float) -> float | None:
        """Sends the chunk that is due, if there is one and the network takes it; the thread that paces calls it."""
        try:
            due = self._send_due(now)
        except BaseException as error:  # what a caller's iterable raised may be anything; the handle has it
            self._finish(error)
            return None
        if due is None:
            self._finish(None)
        return due

    def _send_due(self, now: float) -> float | None:
        stream = self._stream
        session, pacer = stream._session, stream._pacer
        if stream.cancelled:
            return None
        due = now if pacer is None else pacer.due(now)
        if due > now + EARLY:
            _raise_if_ended(session)
            return due
        if session._unsent_bytes > _UNSENT_LIMIT:
            return now + _UNSENT_RETRY
        chunk = next(stream._source.chunks, b"") if self._pulled is None else self._pulled.take()
        if chunk is None:
            return self._starved(now)
        if not chunk:
            return None
        stream._pass_on(chunk, now, wait=False)
        return now if pacer is None else pacer.due(now)

    def _starved(self, now: float) -> float:
        """The source has nothing yet and will wake the stream."""
        _raise_if_ended(self._stream._session)
        return now + _STARVED_LOOK

    def _finish(self, error: BaseException | None) -> None:
        if self._pulled is not None:
            self._pulled.stop()
        self._stream._finish(error, wait=False)


_streaming: dict[int, AudioStream] = {}
"""The stream under way of each session, by the session's id; the stream keeps its session alive, so no other has that id."""


def _end_in_child() -> None:
    # Nobody paces them here; who waits for one is told what every call of the session says.
    for stream in _streaming.values():
        stream._done = threading.Event()
        try:
            stream._session._send_audio(b"", _MIME_TYPE, wait=False)
        except LiveError as error:
            stream._error = error
        stream._done.set()
    _streaming.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_in_child)
