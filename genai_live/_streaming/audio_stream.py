"""``stream_audio``, and the handle that it gives. Any thread; ``sending`` says which one sends."""

from __future__ import annotations

from typing import NamedTuple, cast

from genai_live._arguments import came, flag
from genai_live._deadline import Deadline
from genai_live._streaming.pace import AtOnce, Pace, pace_of
from genai_live._streaming.sending import Sending
from genai_live._streaming.sound_feed import Fed, SoundFeed
from genai_live._streaming.sound_sink import SoundSink
from genai_live._streaming.sound_source import SoundSource, open_source
from genai_live._tracebacks import letting_go
from genai_live.audio import INPUT_RATE, level_dbfs
from genai_live.audio.pcm import check_chunk_ms
from genai_live.errors import ConfigError, LiveError, WrongThread

_OWN_THREAD = (
    "waiting here would wait for its own thread: this callback runs on the shared reader, which sends the sound; wait on another"
    " thread, or give LiveCallbacks an executor"
)


class Progress(NamedTuple):
    """How far a stream is."""

    sent: float
    """Seconds of sound sent, or passed over while muted."""
    total: float | None
    """Seconds in all; None when only the source knows."""


def stream_audio(
    sink: SoundSink,
    source: object,
    *,
    rate: int = INPUT_RATE,
    chunk_ms: float = 40,
    realtime: bool | None = None,
    wait: bool = True,
    end: bool = True,
    owner: object = None,
) -> AudioStream:
    """Sends sound in chunks of 16 kHz mono: PCM or an iterable of it at ``rate`` Hz, the path of a WAV file, or ``Audio``.

    ``realtime`` True sends each chunk when it is due, as a microphone would; False as fast as the network takes them; None asks
    ``pace.BySource`` about an iterable. ``wait`` blocks until all is sent; without it the thread that paces sends, and another
    one pulls an iterable. Whichever thread pulls a generator closes it, when the stream is over. ``end`` says audioStreamEnd
    after the last chunk, if the server detects speech by itself: it then answers without waiting for silence (Live API
    reference, realtimeInput.audioStreamEnd). ``owner`` is kept alive until then.

    Raises:
        ConfigError: the source is not what it should be, or the session is already streaming.
        SessionClosed: the session has ended; with ``wait`` also when it ends meanwhile.
        Exception: with ``wait``, whatever the iterable raises; without, the log, ``on_error`` and the handle have it.
    """
    if realtime is not None and not isinstance(realtime, bool):
        raise ConfigError(f"must be True, False or None, not {came(realtime)}", "realtime")
    flag(wait, "wait")
    flag(end, "end")
    sink.check_usable()
    if isinstance(source, SoundFeed):
        if wait:
            raise ConfigError("is handed sound by other threads, so it is streamed with wait=False", "source")
        check_chunk_ms(chunk_ms)
        fed: Fed | None = Fed(source, chunk_ms, sink.send_mark)
        opened, pace = SoundSource(iter(()), None, may_block=True), cast("Pace", AtOnce())
    else:
        fed, opened = None, open_source(source, rate, chunk_ms)
        pace = pace_of(realtime, chunk_ms, may_block=opened.may_block)
    sending = Sending(sink, opened, pace, end=end, owner=owner, fed=fed)
    try:
        sink.claim(sending)
        if wait:
            sending.run()
        else:
            sending.start()
    except BaseException:
        if not sending.done.is_set():  # Ctrl-C just before it began, or before its handle was in anybody's hands
            sending.abandon()
        raise
    return AudioStream(sending)


class AudioStream:
    """Sound on its way into a session. Every member may be used on any thread."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    @property
    def done(self) -> bool:
        """True when nothing more will be sent: the source ended, ``cancel`` was called, or an error ended it."""
        return self._sending.done.is_set() or self._sending.sink.forked

    @property
    def cancelled(self) -> bool:
        """True when ``cancel`` came before the end of the source."""
        return self._sending.cancelled.is_set()

    @property
    def error(self) -> BaseException | None:
        """What ended the stream early: the session's error, or what the source raised; None otherwise."""
        if not self._sending.done.is_set() and self._sending.sink.forked:
            return self._error_of_fork()
        return self._sending.error

    def _error_of_fork(self) -> LiveError | None:
        """What every call of the session says in a forked child, where no thread sends the rest."""
        try:
            self._sending.sink.check_usable()
        except LiveError as error:
            return error
        return None

    @property
    def ended_at(self) -> float | None:
        """When all was sent, in seconds of ``time.monotonic``, from which the delay of an answer counts; None before."""
        return self._sending.ended_at

    @property
    def progress(self) -> Progress:
        """Seconds sent, and in all."""
        return Progress(self._sending.samples / INPUT_RATE, self._sending.source.seconds)

    @property
    def level(self) -> float:
        """Level in dBFS of the chunk that was sent last; silence before the first."""
        return level_dbfs(self._sending.latest)

    @letting_go
    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the stream is done, at most ``timeout`` seconds; returns whether it is. Raises what ended it early.

        Raises:
            ConfigError: ``timeout`` is not a number of seconds.
            WrongThread: called in a callback on the reader that sends the sound, which would wait for itself.
        """
        deadline, sending = Deadline.of(timeout), self._sending
        if not self.done and sending.pacing is not None and sending.pacing.is_current:
            raise WrongThread(_OWN_THREAD)
        is_done = self.done or deadline.wait(sending.done)
        error = self.error
        if is_done and error is not None:
            raise error
        return is_done

    def cancel(self) -> None:
        """Stops sending after the chunk that is under way. Returns at once; ``wait`` returns when nothing more is sent.

        The end of the sound is sent, as at the end of the source. An iterable that blocks is not interrupted: it is not
        asked for more once it returns.
        """
        if not self.done:
            self._sending.cancel()

    @property
    def muted(self) -> bool:
        """True between ``mute`` and ``unmute``."""
        return self._sending.muted

    def mute(self) -> None:
        """Sends nothing of the sound that comes from now on, as a microphone's switch does; the server is notified, once.

        Against echo: mute while the answer is played through a loudspeaker, which the microphone hears too.
        """
        self._sending.muted = True

    def unmute(self) -> None:
        """Sends again what comes from now on."""
        self._sending.muted = False

    def __repr__(self) -> str:
        sent, total = self.progress
        state = "cancelled" if self.cancelled else "failed" if self.error else "done" if self.done else "streaming"
        return f"AudioStream({state}, {sent:.2f} s" + (f" of {total:.2f} s)" if total is not None else ")")

    def _repr_html_(self) -> str:
        from genai_live import _html

        details = {"level of the last chunk": f"{self.level:.1f} dBFS", "muted": self.muted, "error": self.error}
        return _html.box(_html.folded(repr(self), _html.rows(details)))
