"""Streaming sound into a session: on the caller's thread, on the pacing thread of the process, and on a shared reader.

What goes over the wire is tested with the emulator in test_samples and test_cli; here a connection that notes what it is given
mostly stands for the real one, so that the network can be slow, and the session end, at the moment that matters.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Session, SoundFeed
from genai_live._base64_text import Payload
from genai_live._connection.pacing_thread import PacingThread, pacing_thread
from genai_live._connection.protocol import Sent
from genai_live._connection.timetable import Pacing, Timed
from genai_live._streaming.audio_stream import AudioStream, Progress, stream_audio
from genai_live._streaming.pace import AsSpoken
from genai_live._streaming.sending import Sending
from genai_live._streaming.sound_sink import SoundSink
from genai_live._streaming.sound_source import PULLED_AHEAD, open_source
from genai_live.audio import SILENCE_DBFS, Audio
from genai_live.errors import (
    ClosedByServer,
    CloseInfo,
    ConfigError,
    LiveError,
    Phase,
    SentBy,
    SessionClosed,
    SoundSourceError,
    WrongThread,
)
from tests.servers import MODEL, TURN_COMPLETE, answer_setup, client_of, live_server

WITHIN = 20.0
"""Seconds that a test waits for what must happen, on a machine that may be busy."""

CHUNK = b"\x10\x00" * 640
"""40 ms at 16 kHz."""


class Line:
    """Stands for a session's connection: notes what is sent."""

    forked = False
    pacing: Pacing | None = None

    def __init__(self, chunks_until_end: int | None) -> None:
        self.sent: list[tuple[bytes, str, bool]] = []
        self.ends: list[bool] = []
        self.close_info: CloseInfo | None = None
        self.something_sent = threading.Semaphore(0)
        self.something_ended = threading.Semaphore(0)
        self.errors: list[LiveError] = []
        self.waiting_bytes = 0
        self._chunks_until_end = chunks_until_end

    def unsent_bytes(self) -> int:
        return self.waiting_bytes

    def check_usable(self) -> None:
        if self.close_info is not None:
            raise ClosedByServer("closed by server with code 1011", self.close_info)

    def report(self, error: LiveError) -> None:
        self.errors.append(error)

    def send(self, payload: Payload, kind: Sent = Sent.NOTHING, *, wait: bool = True) -> None:
        said = json.loads(payload[:])["realtimeInput"]
        if "audio" in said and len(self.sent) == self._chunks_until_end:
            self.end()
        self.check_usable()
        if "audio" in said:
            assert kind is Sent.AUDIO
            self.sent.append((base64.b64decode(said["audio"]["data"]), said["audio"]["mimeType"], wait))
            self.something_sent.release()
        else:
            assert (said, kind) == ({"audioStreamEnd": True}, Sent.SOUND_END)
            self.ends.append(wait)
            self.something_ended.release()

    def end(self) -> None:
        self.close_info = CloseInfo(1011, "Internal error encountered.", SentBy.SERVER, Phase.IDLE)

    @property
    def pcm(self) -> bytes:
        return b"".join(pcm for pcm, _, _ in self.sent)


class Sink(SoundSink):
    """A sink over a line of its own."""

    def __init__(self, chunks_until_end: int | None = None) -> None:
        self.line = Line(chunks_until_end)
        super().__init__(self.line, automatic_detection=True)


class LiveSource:
    """An iterable that blocks until the test feeds it, as a microphone does."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue()

    def feed(self, item: bytes | BaseException | None) -> None:
        self._queue.put(item)

    def __iter__(self) -> Iterator[bytes]:
        while (item := self._queue.get(timeout=WITHIN)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def wait_until_passed(stream: AudioStream, seconds: float) -> None:
    """Waits until so much sound was sent or passed over; the handle has no event for it, for programs draw it."""
    deadline = time.monotonic() + WITHIN
    while stream.progress.sent < seconds - 1e-9:
        assert time.monotonic() < deadline
        stream.wait(0.005)


def wait_for_thread_end(which: str | int | None) -> None:
    """By the thread's name or identifier."""
    for thread in threading.enumerate():
        if which in (thread.name, thread.ident):
            thread.join(WITHIN)
            assert not thread.is_alive()


class SharedReader:
    """Stands for the thread that reads many sessions: this one, or another."""

    def __init__(self, *, is_current: bool) -> None:
        self.is_current = is_current
        self.hurried = 0

    def pace(self, work: Timed) -> None:
        """The timetable never comes to it."""

    def hurry(self, work: Timed) -> None:
        self.hurried += 1


# What is sent


def test_bytes_go_out_whole_in_chunks_that_say_their_rate() -> None:
    sink = Sink()
    stream = stream_audio(sink, CHUNK * 2 + CHUNK[:100], realtime=False)
    assert [len(pcm) for pcm, _, _ in sink.line.sent] == [1_280, 1_280, 100]
    assert {mime_type for _, mime_type, _ in sink.line.sent} == {"audio/pcm;rate=16000"}
    assert stream.done
    assert stream.error is None
    assert not stream.cancelled


@pytest.mark.parametrize("wait", [True, False])
def test_the_end_of_the_sound_is_told_once_after_all_of_it(wait: bool) -> None:
    sink = Sink()
    stream = stream_audio(sink, CHUNK, wait=wait)
    assert stream.wait(WITHIN)
    assert sink.line.pcm == CHUNK
    assert sink.line.ends == [wait]
    assert [waited for _, _, waited in sink.line.sent] == [wait]


def test_the_end_is_not_told_when_the_caller_says_so_or_marks_activity_itself_or_nothing_was_sent() -> None:
    sink = Sink()
    stream_audio(sink, CHUNK, end=False)
    stream_audio(sink, b"")
    sink.automatic_detection = False
    stream_audio(sink, CHUNK)
    assert sink.line.ends == []


def test_a_wav_file_is_sent_as_16_khz_mono_whatever_it_is(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    path = Audio(bytes(4 * 44_100), 44_100, channels=2).save(tmp_path / "stereo.wav")
    sink = Sink()
    stream = stream_audio(sink, path, rate=8_000, realtime=False)
    assert len(sink.line.pcm) == pytest.approx(2 * 16_000, abs=8)
    assert stream.progress.total == pytest.approx(1.0, abs=0.001)
    assert stream_audio(sink, str(path), realtime=False).progress == stream.progress


def test_audio_objects_lists_and_iterables_are_sources_too() -> None:
    for source in (Audio(CHUNK * 3, 16_000), [CHUNK, CHUNK * 2], iter([CHUNK[:1], CHUNK[1:] + CHUNK, CHUNK])):
        sink = Sink()
        stream_audio(sink, source, realtime=False)
        assert sink.line.pcm == CHUNK * 3


def test_an_iterable_of_another_rate_is_converted_as_it_comes() -> None:
    pytest.importorskip("soxr")
    sink = Sink()
    stream_audio(sink, (bytes(961) for _ in range(100)), rate=48_000, realtime=False)
    assert len(sink.line.pcm) == pytest.approx(96_100 / 3, abs=8)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "source is NoneType"),
        (16_000, "source is int"),
        (b"\0", "not whole 16-bit samples"),
        (b"RIFF\0\0\0\0WAVE", "truncated WAV file"),
        ([b"RIFF\0\0\0\0WAVE"], "ended within its header"),
        (b"OggS" + bytes(8), "Ogg file"),
        ([b"OggS" + bytes(8)], "Ogg file"),
        (["text"], "not as str"),
        ("gone.wav", "cannot be read"),
    ],
)
def test_a_source_that_is_not_sound_is_refused_before_anything_is_sent(source: object, words: str) -> None:
    sink = Sink()
    with pytest.raises(ConfigError, match=words):
        stream_audio(sink, source, wait=False)
    assert stream_audio(sink, CHUNK).done, "the session is free for another stream"


def test_an_asynchronous_iterable_is_refused_with_the_reason() -> None:
    class Asynchronous:
        def __aiter__(self) -> None: ...

    with pytest.raises(ConfigError, match="asynchronous iterable cannot be read by threads"):
        stream_audio(Sink(), Asynchronous())


# When it is sent


def test_the_last_of_sixty_seconds_of_sound_is_sent_when_it_is_due_however_late_each_wake_up_is() -> None:
    """The clock is passed in: every step of the pacing comes 3 ms late, and the last chunk still goes out on time."""
    sink = Sink()
    sending = Sending(sink, open_source(bytes(2 * 16_000 * 60), 16_000, 40), AsSpoken(16_000), end=True)
    now: float | None = 1_000.0
    last = 0.0
    while now is not None:
        last = now + 0.003
        now = sending.step(last)
    assert len(sink.line.sent) == 1_500
    assert last - 1_000.0 == pytest.approx(60.0 - 0.04, abs=0.01)
    assert AudioStream(sending).progress == Progress(60.0, 60.0)


def test_a_stream_in_real_time_takes_as_long_as_its_sound_and_one_at_once_does_not() -> None:
    """Only the lower bound is checked: a busy machine may take longer."""
    started = time.monotonic()
    stream_audio(Sink(), CHUNK * 6)
    assert time.monotonic() - started >= 0.2 - 0.005, "six chunks of 40 ms: the last one is due after 200 ms"
    started = time.monotonic()
    stream_audio(Sink(), CHUNK * 1_500, realtime=False)
    assert time.monotonic() - started < WITHIN


def test_a_network_that_takes_nothing_pauses_the_stream_and_loses_nothing() -> None:
    sink = Sink()
    sink.line.waiting_bytes = 100_000
    stream = stream_audio(sink, CHUNK * 2, realtime=False, wait=False)
    assert not sink.line.something_sent.acquire(timeout=0.1)
    sink.line.waiting_bytes = 0
    assert stream.wait(WITHIN)
    assert sink.line.pcm == CHUNK * 2


# The handle


def test_the_handle_tells_progress_and_level() -> None:
    sink = Sink()
    source = LiveSource()
    stream = stream_audio(sink, source, wait=False)
    assert stream.progress == Progress(0.0, None)
    assert stream.level == SILENCE_DBFS
    assert repr(stream) == "AudioStream(streaming, 0.00 s)"
    source.feed(b"\x00\x40" * 640)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    assert stream.wait(0.01) is False
    assert stream.ended_at is None
    source.feed(None)
    assert stream.wait(WITHIN)
    assert stream.progress == Progress(0.04, None)
    assert stream.ended_at is not None
    assert stream.ended_at <= time.monotonic()
    assert stream.level == pytest.approx(-6.02, abs=0.01)
    assert repr(stream) == "AudioStream(done, 0.04 s)"


def test_cancel_stops_a_stream_and_tells_the_server_that_the_sound_ends() -> None:
    sink = Sink()
    stream = stream_audio(sink, CHUNK * 1_500, wait=False)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.cancel()
    assert stream.wait(WITHIN)
    assert stream.cancelled
    assert stream.error is None
    assert len(sink.line.sent) < 1_500
    assert sink.line.ends == [False]
    assert repr(stream).startswith("AudioStream(cancelled, ")
    stream.cancel()


def test_cancel_reaches_a_stream_whose_source_blocks() -> None:
    sink = Sink()
    source = LiveSource()
    stream = stream_audio(sink, source, wait=False)
    source.feed(CHUNK)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.cancel()
    assert stream.wait(WITHIN)
    source.feed(CHUNK)
    wait_for_thread_end("genai-live-source")
    assert sink.line.pcm == CHUNK


def test_cancel_reaches_a_stream_that_another_thread_waits_in() -> None:
    """The handle of a waiting call is known to the session alone."""
    sink = Sink()
    caller = threading.Thread(target=stream_audio, args=(sink, CHUNK * 1_500))
    caller.start()
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    assert sink.stream is not None
    sink.stream.cancel()
    caller.join(WITHIN)
    assert not caller.is_alive()


def test_a_muted_stream_sends_nothing_and_tells_the_server_once() -> None:
    sink = Sink()
    source = LiveSource()
    stream = stream_audio(sink, source, realtime=False, wait=False)
    source.feed(CHUNK)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.mute()
    assert stream.muted
    for _ in range(3):
        source.feed(CHUNK)
    assert sink.line.something_ended.acquire(timeout=WITHIN)
    wait_until_passed(stream, 4 * 0.04)
    assert stream.level == SILENCE_DBFS
    stream.unmute()
    source.feed(b"\x11\x00" * 640)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    source.feed(None)
    assert stream.wait(WITHIN)
    assert sink.line.pcm == CHUNK + b"\x11\x00" * 640
    assert len(sink.line.ends) == 2, "once for the pause and once for the end"


def test_a_stream_that_ends_while_muted_does_not_tell_the_end_twice() -> None:
    sink = Sink()
    source = LiveSource()
    stream = stream_audio(sink, source, realtime=False, wait=False)
    source.feed(CHUNK)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.mute()
    source.feed(CHUNK)
    source.feed(None)
    assert stream.wait(WITHIN)
    assert (len(sink.line.sent), len(sink.line.ends)) == (1, 1)


def test_a_stream_that_is_done_cannot_be_cancelled() -> None:
    stream = stream_audio(Sink(), CHUNK)
    stream.cancel()
    assert not stream.cancelled


@pytest.mark.parametrize("wait", [True, False])
def test_into_a_session_that_has_ended_nothing_is_streamed_not_even_nothing(wait: bool) -> None:
    """Also while an earlier stream, whose source has nothing, has not noticed the end yet."""
    sink, source = Sink(), LiveSource()
    first = stream_audio(sink, source, wait=False)
    sink.line.end()
    for sound in (CHUNK, b"", iter([])):
        with pytest.raises(ClosedByServer):
            stream_audio(sink, sound, wait=wait)
    with pytest.raises(ClosedByServer):
        first.wait(WITHIN)


@pytest.mark.parametrize(("wait", "step"), [(True, "run"), (False, "start")])
def test_ctrl_c_before_a_stream_has_begun_leaves_the_session_free_for_another(
    wait: bool, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Sending) -> None:
        raise KeyboardInterrupt

    sink = Sink()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Sending, step, interrupted)
        stream_audio(sink, CHUNK, wait=wait)
    assert stream_audio(sink, CHUNK, realtime=False).done


def test_a_second_stream_into_the_same_session_is_refused_until_the_first_is_done() -> None:
    sink = Sink()
    first = stream_audio(sink, CHUNK * 1_500, wait=False)
    with pytest.raises(ConfigError, match="already streaming"):
        stream_audio(sink, CHUNK)
    first.cancel()
    assert first.wait(WITHIN)
    assert stream_audio(sink, CHUNK).done


# Ends


def test_an_ended_session_ends_a_waiting_stream_with_its_error() -> None:
    sink = Sink(chunks_until_end=2)
    with pytest.raises(SessionClosed, match="1011"):
        stream_audio(sink, CHUNK * 5, realtime=False)
    assert sink.line.ends == []


def test_an_ended_session_ends_a_paced_stream_and_its_handle_has_the_error() -> None:
    sink = Sink(chunks_until_end=2)
    stream = stream_audio(sink, CHUNK * 5, wait=False)
    with pytest.raises(SessionClosed, match="1011"):
        stream.wait(WITHIN)
    assert isinstance(stream.error, SessionClosed)
    assert stream.done
    assert repr(stream) == "AudioStream(failed, 0.08 s of 0.20 s)"


def test_an_ended_session_ends_a_stream_whose_source_has_gone_silent() -> None:
    sink = Sink()
    source = LiveSource()
    stream = stream_audio(sink, source, wait=False)
    source.feed(CHUNK)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    sink.line.end()
    with pytest.raises(SessionClosed):
        stream.wait(WITHIN)
    source.feed(None)


@pytest.mark.parametrize("wait", [True, False])
def test_what_the_source_raises_reaches_the_caller_after_what_it_gave(wait: bool) -> None:
    def broken() -> Iterator[bytes]:
        yield CHUNK
        raise OSError("the microphone was unplugged")

    sink = Sink()
    with pytest.raises(OSError, match="unplugged"):
        stream_audio(sink, broken(), wait=wait).wait(WITHIN)
    assert sink.line.pcm == CHUNK
    assert sink.line.ends == [], "the server is not told that all was said"


def breaks_off(error: BaseException) -> Iterator[bytes]:
    yield CHUNK
    raise error


def half_a_sample() -> Iterator[bytes]:
    yield CHUNK
    yield b"\0"


FAILURES: dict[str, tuple[Callable[[], Iterator[bytes]], type[LiveError], type[BaseException]]] = {
    "a device": (lambda: breaks_off(OSError(-9981, "Input overflowed")), SoundSourceError, OSError),
    "an interrupt": (lambda: breaks_off(KeyboardInterrupt()), SoundSourceError, KeyboardInterrupt),
    "half a sample": (half_a_sample, ConfigError, ConfigError),
}


@pytest.mark.parametrize("shared", [False, True], ids=["reader of its own", "shared reader"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_source_that_fails_beside_is_logged_and_reported_on_the_reader_and_no_end_is_told(
    name: str, shared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    new_source, reported, raised = FAILURES[name]
    told: queue.SimpleQueue[tuple[LiveError, str]] = queue.SimpleQueue()
    arrived: list[bytes] = []
    over = threading.Event()

    def on_error(error: LiveError) -> None:
        told.put((error, threading.current_thread().name))

    with live_server(lambda connection: heard(connection, arrived, over)) as url:
        client = client_of(url, shared_reader=shared)
        with client.live.connect(model=MODEL, callbacks={"on_error": on_error}) as session:
            stream = session.stream_audio(new_source(), wait=False)
            with pytest.raises(raised):
                stream.wait(WITHIN)
            error, thread = told.get(timeout=WITHIN)
            assert type(error) is reported
            assert (error if reported is raised else error.__cause__) is stream.error
            assert thread == "genai-live-reader"
            assert "a stream of sound ended early" in caplog.text
            assert session.stream_audio(CHUNK * 2, realtime=False).done, "the session goes on"
            assert over.wait(WITHIN)
    assert b"".join(arrived) == CHUNK * 3
    assert told.empty()


def test_the_end_of_the_session_is_not_reported_once_more_by_its_stream(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink(chunks_until_end=1)
    with pytest.raises(SessionClosed):
        stream_audio(sink, CHUNK * 3, wait=False).wait(WITHIN)
    assert sink.line.errors == []
    assert caplog.text == ""


def test_a_stream_that_the_network_holds_up_ends_with_its_session() -> None:
    sink = Sink()
    sink.line.waiting_bytes = 100_000
    stream = stream_audio(sink, CHUNK * 2, realtime=False, wait=False)
    sink.line.end()
    with pytest.raises(SessionClosed):
        stream.wait(WITHIN)


class Held:
    """A generator that notes the threads on which its code runs."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.began: int | None = None
        self.closed: int | None = None
        self.over = threading.Event()
        self.goes_on = threading.Event()
        self._error = error

    def sound(self) -> Iterator[bytes]:
        self.began = threading.get_ident()
        try:
            yield CHUNK
            self.goes_on.wait(WITHIN)
            if self._error is not None:
                raise self._error
            yield CHUNK
            yield CHUNK
        finally:
            self.closed = threading.get_ident()
            self.over.set()


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("ending", ["end", "failure", "session"])
def test_a_generator_is_closed_on_the_thread_that_pulled_it(ending: str, wait: bool) -> None:
    held = Held(OSError("unplugged") if ending == "failure" else None)
    sink, kept = Sink(chunks_until_end=2 if ending == "session" else None), held.sound()
    held.goes_on.set()
    try:
        stream_audio(sink, kept, wait=wait).wait(WITHIN)
    except (OSError, SessionClosed):
        assert ending != "end"
    assert held.over.wait(WITHIN)
    assert held.closed == held.began
    assert (held.closed == threading.get_ident()) is wait
    assert next(kept, None) is None


def test_a_cancelled_generator_is_closed_on_the_thread_that_pulled_it_once_it_returns() -> None:
    sink, held = Sink(), Held()
    kept = held.sound()
    stream = stream_audio(sink, kept, wait=False)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.cancel()
    assert stream.wait(WITHIN)
    assert not held.over.is_set()
    held.goes_on.set()
    assert held.over.wait(WITHIN)
    assert held.closed == held.began != threading.get_ident()
    wait_for_thread_end(held.began)
    assert next(kept, None) is None


def test_an_iterator_that_is_no_generator_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "sound.raw"
    path.write_bytes(CHUNK)
    with path.open("rb") as file:
        stream_audio(Sink(), iter(file))
        assert not file.closed


def test_what_a_source_raises_while_it_is_closed_after_its_stream_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def source() -> Iterator[bytes]:
        pulling.append(threading.get_ident())
        try:
            yield CHUNK
            goes_on.wait(WITHIN)
            yield CHUNK
        finally:
            raise OSError("the device does not stop")

    pulling: list[int] = []

    goes_on = threading.Event()
    sink = Sink()
    stream = stream_audio(sink, source(), wait=False)
    assert sink.line.something_sent.acquire(timeout=WITHIN)
    stream.cancel()
    assert stream.wait(WITHIN)
    goes_on.set()
    wait_for_thread_end(pulling[0])
    assert "the device does not stop" in caplog.text


def test_half_a_sample_at_the_end_of_an_iterable_is_told_after_all_the_rest_was_sent() -> None:
    sink = Sink()
    with pytest.raises(ConfigError, match="middle of a sample"):
        stream_audio(sink, iter([CHUNK, b"\0"]))
    assert sink.line.pcm == CHUNK


def test_ctrl_c_while_streaming_reaches_the_caller_and_leaves_the_session_free() -> None:
    def interrupted() -> Iterator[bytes]:
        yield CHUNK
        raise KeyboardInterrupt

    sink = Sink()
    with pytest.raises(KeyboardInterrupt):
        stream_audio(sink, interrupted())
    assert stream_audio(sink, CHUNK).done


# The pacing thread


def test_one_thread_paces_the_streams_of_all_sessions_and_ends_with_the_last() -> None:
    wait_for_thread_end("genai-live-pacing")
    sinks = [Sink() for _ in range(50)]
    streams = [stream_audio(sink, CHUNK * 5, wait=False) for sink in sinks]
    assert sum(thread.name == "genai-live-pacing" for thread in threading.enumerate()) == 1
    assert all(stream.wait(WITHIN) for stream in streams)
    assert [sink.line.pcm for sink in sinks] == [CHUNK * 5] * 50
    wait_for_thread_end("genai-live-pacing")


def test_a_source_that_blocks_keeps_no_other_stream_waiting() -> None:
    silent = LiveSource()
    blocked = stream_audio(Sink(), silent, wait=False)
    assert stream_audio(Sink(), CHUNK * 3, wait=False).wait(WITHIN)
    assert not blocked.done
    silent.feed(None)
    assert blocked.wait(WITHIN)


def test_the_error_of_one_stream_touches_no_other() -> None:
    broken = stream_audio(Sink(chunks_until_end=0), CHUNK * 3, wait=False)
    healthy = stream_audio(Sink(), CHUNK * 3, wait=False)
    assert healthy.wait(WITHIN)
    with pytest.raises(SessionClosed):
        broken.wait(WITHIN)


def test_a_source_faster_than_real_time_is_pulled_only_so_far_ahead() -> None:
    pulled = threading.Semaphore(0)
    pulling: list[int] = []

    def endless() -> Iterator[bytes]:
        pulling.append(threading.get_ident())
        while True:
            pulled.release()
            yield CHUNK

    sink = Sink()
    sink.line.waiting_bytes = 100_000
    stream = stream_audio(sink, endless(), wait=False)
    for _ in range(PULLED_AHEAD + 2):  # one is due, one waits for room
        assert pulled.acquire(timeout=WITHIN)
    assert not pulled.acquire(timeout=0.1)
    stream.cancel()
    assert stream.wait(WITHIN)
    wait_for_thread_end(pulling[0])


def test_something_that_fails_in_the_pacing_thread_is_logged_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def step(self, now: float) -> float | None:
            raise RuntimeError("a bug")

    PacingThread().pace(Failing())
    wait_for_thread_end("genai-live-pacing")
    assert "work that was due failed" in caplog.text


def test_no_thread_for_pacing_is_told_by_the_call_and_the_next_stream_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    wait_for_thread_end("genai-live-pacing")
    sink = Sink()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            stream_audio(sink, CHUNK, wait=False)
    assert stream_audio(sink, CHUNK, wait=False).wait(WITHIN)
    assert sink.line.pcm == CHUNK


def test_hurrying_what_is_over_does_nothing() -> None:
    class Over:
        def step(self, now: float) -> float | None:
            raise AssertionError

    pacing_thread.hurry(Over())
    wait_for_thread_end("genai-live-pacing")


# A reader that sessions share


def heard(connection: ServerConnection, audio: list[bytes], over: threading.Event) -> None:
    """Takes sound until the client says that it ends."""
    answer_setup(connection)
    for raw in connection:
        said = json.loads(raw)["realtimeInput"]
        if "audio" in said:
            audio.append(base64.b64decode(said["audio"]["data"]))
        if "audioStreamEnd" in said:
            over.set()


def test_a_shared_reader_paces_the_sound_of_its_sessions_and_no_other_thread_does() -> None:
    sounds: list[list[bytes]] = []
    overs: list[threading.Event] = []

    def hear(connection: ServerConnection) -> None:
        sounds.append([])
        overs.append(threading.Event())
        heard(connection, sounds[-1], overs[-1])

    wait_for_thread_end("genai-live-pacing")
    with live_server(hear) as url:
        client = client_of(url, shared_reader=True)
        sessions = [client.live.connect(model=MODEL) for _ in range(3)]
        streams = [session.stream_audio(CHUNK * 4, wait=False) for session in sessions]
        assert "genai-live-pacing" not in {thread.name for thread in threading.enumerate()}
        assert all(stream.wait(WITHIN) for stream in streams)
        assert all(over.wait(WITHIN) for over in overs)
        for session in sessions:
            session.close()
    assert [b"".join(sound) for sound in sounds] == [CHUNK * 4] * 3


def test_waiting_for_a_stream_in_a_callback_of_the_reader_that_sends_it_is_refused() -> None:
    def speak_then_listen(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.send(TURN_COMPLETE)
        for _ in connection:
            continue

    told: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    streams: list[AudioStream] = []

    def on_message(message: object) -> None:
        streams.append(opened.get(timeout=WITHIN).stream_audio(CHUNK * 3, wait=False))
        streams[0].wait()

    opened: queue.SimpleQueue[Session] = queue.SimpleQueue()
    with live_server(speak_then_listen) as url:
        client = client_of(url, shared_reader=True)
        callbacks = {"on_message": on_message, "on_error": told.put}
        with client.live.connect(model=MODEL, callbacks=callbacks) as session:
            opened.put(session)
            assert isinstance(told.get(timeout=WITHIN).__cause__, WrongThread)
            assert streams[0].wait(WITHIN)


def test_a_stream_on_a_shared_reader_ends_with_its_session_and_tells_why() -> None:
    with live_server(lambda connection: heard(connection, [], threading.Event())) as url:
        client = client_of(url, shared_reader=True)
        other = client.live.connect(model=MODEL)
        session = client.live.connect(model=MODEL)
        silent = LiveSource()
        stream = session.stream_audio(silent, wait=False)
        silent.feed(CHUNK)
        wait_until_passed(stream, 0.04)
        session.close()
        silent.feed(CHUNK)
        with pytest.raises(SessionClosed):
            stream.wait(WITHIN)
        silent.feed(None)
        other.close()


def test_a_session_that_nobody_holds_stays_open_until_its_stream_is_done() -> None:
    audio: list[bytes] = []
    over = threading.Event()
    with live_server(lambda connection: heard(connection, audio, over)) as url:
        session, source = client_of(url).live.connect(model=MODEL), LiveSource()
        dropped = weakref.ref(session)
        stream = session.stream_audio(source, wait=False)
        del session
        gc.collect()
        kept = dropped()
        assert kept is not None
        source.feed(CHUNK)
        source.feed(None)
        assert stream.wait(WITHIN)
        assert over.wait(WITHIN)
        kept.close()
        del kept
        gc.collect()
        assert dropped() is None, "a stream that is done holds no session"
    assert audio == [CHUNK]


FORKED = """
import os, sys
from tests.test_streaming import CHUNK, Sink, WITHIN, stream_audio
first = Sink()
stream = stream_audio(first, CHUNK * 1500, wait=False)
assert first.line.something_sent.acquire(timeout=WITHIN)
child = os.fork()
if child == 0:
    mine = Sink()
    os._exit(0 if stream_audio(mine, CHUNK * 2, wait=False).wait(WITHIN) and mine.line.pcm == CHUNK * 2 else 1)
status = os.waitpid(child, 0)[1]
stream.cancel()
assert stream.wait(WITHIN)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_paces_its_own_streams() -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=3 * WITHIN, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_current", [True, False])
def test_what_the_reader_of_many_sessions_feeds_is_sent_before_it_reads_on_and_what_others_feed_later(
    is_current: bool,
) -> None:
    """In each round of its loop one chunk would fall behind what the rounds bring."""
    sink, feed, reader = Sink(), SoundFeed(), SharedReader(is_current=is_current)
    sink.line.pacing = reader
    feed.prompt = True
    stream_audio(sink, feed, wait=False)
    for number in range(1, 4):
        feed.feed(CHUNK)
        assert len(sink.line.sent) == (number if is_current else 0)
    assert reader.hurried == (0 if is_current else 3)
