"""Sound that is handed in by threads that must not wait: it goes out in order, as it comes, and no more of it waits than may."""

from __future__ import annotations

import array
import base64
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Client, Session, SoundFeed, errors
from genai_live._streaming.sound_feed import Fed
from genai_live.emulator import LiveEmulator
from tests.waiting import PATIENCE, until

MANUAL = {"response_modalities": ["AUDIO"], "realtime_input_config": {"automatic_activity_detection": {"disabled": True}}}


def samples(first: int, count: int) -> bytes:
    return array.array("h", range(first, first + count)).tobytes()


class Taken:
    """What a stream would send of a feed, in order."""

    def __init__(self, feed: SoundFeed, chunk_ms: float = 40) -> None:
        self.sent: list[Any] = []
        self.fed = Fed(feed, chunk_ms, self.sent.append)

    def all(self) -> list[Any]:
        while (chunk := self.fed.take()) is not None:
            self.sent.append(chunk)
            if not chunk:
                break
        return self.sent


@contextmanager
def session_of(emulator: LiveEmulator, **config: Any) -> Iterator[Session]:
    client = Client(api_key="k", http_options={"base_url": emulator.url})
    with client.live.connect(model="emulator", config={"response_modalities": ["AUDIO"], **config}) as session:
        yield session


def heard(emulator: LiveEmulator) -> bytes:
    """The samples of all audio that the emulator got."""
    sent = (each.message["realtimeInput"]["audio"]["data"] for each in emulator.received if each.kind == "realtimeInput.audio")
    return b"".join(map(base64.b64decode, sent))


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns wherever they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_what_is_fed_is_sent_in_order_and_in_whole_chunks() -> None:
    feed = SoundFeed()
    taken = Taken(feed)
    for start in range(0, 1_600, 160):
        feed.feed(samples(start, 160))
    assert taken.all() == [samples(0, 640), samples(640, 640)]
    feed.feed(samples(1_600, 320))
    assert taken.all()[2:] == [samples(1_280, 640)]


def test_what_is_done_between_sounds_keeps_its_place_and_waits_for_no_chunk_to_be_full() -> None:
    feed = SoundFeed()
    taken = Taken(feed)
    feed.begin_activity()
    feed.feed(samples(0, 700))
    feed.end_activity()
    feed.send_text("typed")
    feed.feed(samples(700, 100))
    feed.end()
    sent = [each if isinstance(each, (bytes, str)) else each.value for each in taken.all()]
    assert sent == ["activityStart", samples(0, 640), samples(640, 60), "activityEnd", "typed", samples(700, 100), b""]


def test_the_oldest_sound_is_dropped_and_counted_where_too_much_waits_and_marks_stay() -> None:
    feed = SoundFeed()
    feed.keep = 1.0
    feed.begin_activity()
    for _ in range(300):
        feed.feed(samples(0, 160))
    feed.end_activity()
    assert feed.waiting == pytest.approx(1.0, abs=0.011)
    assert feed.dropped == pytest.approx(2.0, abs=0.011)
    sent = Taken(feed).all()
    assert [each.value for each in (sent[0], sent[-1])] == ["activityStart", "activityEnd"]


def test_nothing_is_sent_while_it_is_paused() -> None:
    feed = SoundFeed()
    taken = Taken(feed)
    feed.paused = True
    feed.feed(samples(0, 1_600))
    feed.send_text("typed")
    assert taken.all() == []
    feed.paused = False
    assert len(taken.all()) == 4


def test_other_rates_are_converted() -> None:
    feed = SoundFeed(48_000)
    taken = Taken(feed)
    feed.feed(bytes(2 * 48_000))
    assert sum(map(len, taken.all())) == pytest.approx(2 * 16_000, abs=1_400)


def test_each_chunk_is_shown_before_it_is_sent() -> None:
    shown: list[bytes] = []
    feed = SoundFeed(on_chunk=shown.append)
    feed.feed(samples(0, 1_280))
    assert Taken(feed).all() == shown


def test_a_look_comes_just_before_a_chunk_is_due_and_rarely_when_nothing_comes() -> None:
    feed = SoundFeed()
    taken = Taken(feed)
    feed.feed(samples(0, 640))
    taken.all()
    assert taken.fed.look_after() == pytest.approx(0.038)
    taken.all()
    assert taken.fed.look_after() == pytest.approx(0.005)
    for _ in range(100):
        taken.all()
    assert taken.fed.look_after() == pytest.approx(0.02)


def test_a_microphones_own_thread_feeds_a_session_and_all_of_it_arrives() -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator) as session:
        feed = SoundFeed()
        stream = session.stream_audio(feed, wait=False)
        for start in range(0, 16_000, 160):
            feed.feed(samples(start, 160))
        feed.end()
        assert stream.wait(PATIENCE)
        emulator.received.wait_for("realtimeInput.audioStreamEnd", PATIENCE)
        assert heard(emulator) == samples(0, 16_000)


@pytest.mark.parametrize("rate", [16_000, 48_000, 8_000])
def test_who_feeds_promptly_is_asked_to_send_when_a_chunk_is_full_and_not_before(rate: int) -> None:
    feed, asked = SoundFeed(rate), []
    feed.prompt = True
    taken = Taken(feed)
    assert taken.all() == []
    feed.send = lambda: asked.append(feed.waiting)
    for _ in range(4):
        feed.feed(bytes(2 * rate // 100))
    assert asked == [0.04]


def test_two_threads_that_send_what_was_fed_keep_its_order(often_switched: None) -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator) as session:
        feed = SoundFeed()
        feed.prompt, feed.keep = True, 100.0
        stream = session.stream_audio(feed, wait=False)

        def listen() -> None:
            for start in 5 * tuple(range(0, 32_000, 160)):
                feed.feed(samples(start, 160))
                feed.wake()
            feed.end()

        feeding = threading.Thread(target=listen)
        feeding.start()
        assert stream.wait(PATIENCE)
        feeding.join(PATIENCE)
        emulator.received.wait_for("realtimeInput.audioStreamEnd", PATIENCE)
        assert heard(emulator) == 5 * samples(0, 32_000)


def test_the_button_and_what_was_typed_reach_the_service_in_their_order() -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator, **MANUAL) as session:
        feed = SoundFeed()
        session.stream_audio(feed, wait=False)
        feed.begin_activity()
        feed.feed(samples(0, 800))
        feed.end_activity()
        feed.send_text("typed")
        emulator.received.wait_for("clientContent", PATIENCE)
        kinds = [each.kind for each in tuple(emulator.received)][1:]
        assert kinds == [
            "realtimeInput.activityStart",
            "realtimeInput.audio",
            "realtimeInput.audio",
            "realtimeInput.activityEnd",
            "clientContent",
        ]


def test_a_feed_is_not_waited_for() -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator) as session:
        with pytest.raises(errors.ConfigError, match="streamed with wait=False"):
            session.stream_audio(SoundFeed())
        with pytest.raises(errors.ConfigError, match="must be a str"):
            SoundFeed().send_text(b"x")  # type: ignore[arg-type]


def test_a_stream_of_a_feed_ends_with_its_session() -> None:
    with LiveEmulator(voice=False) as emulator:
        with session_of(emulator) as session:
            stream = session.stream_audio(SoundFeed(), wait=False)
        until(lambda: stream.done)
        assert isinstance(stream.error, errors.SessionClosed)


# What else a session lends to those who receive in the place of its user.


@pytest.mark.parametrize("shared", [False, True], ids=["own reader", "shared reader"])
def test_a_function_is_called_later_on_the_thread_that_paces_sound(shared: bool) -> None:
    with LiveEmulator(voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url}, shared_reader=shared)
        called, names = threading.Event(), []

        def note() -> None:
            names.append(threading.current_thread().name)
            called.set()

        with client.live.connect(model="emulator") as session:
            session.call_later(0.0, note)
            assert called.wait(PATIENCE)
        assert names == ["genai-live-reader" if shared else "genai-live-pacing"]


def test_a_function_that_is_called_later_from_its_own_thread_is_called_again_and_again() -> None:
    with LiveEmulator(voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url}, shared_reader=True)
        done, calls = threading.Event(), []
        with client.live.connect(model="emulator") as session:

            def again() -> None:
                calls.append(1)
                if len(calls) == 5:
                    done.set()
                else:
                    session.call_later(0.001, again)

            session.call_later(0.0, again)
            assert done.wait(PATIENCE)


@pytest.mark.parametrize("seconds", [-1, "1", None])
def test_what_is_no_time_is_refused(seconds: Any) -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator) as session, pytest.raises(errors.ConfigError):
        session.call_later(seconds, print)


def test_a_session_shows_the_setup_that_it_sent() -> None:
    with LiveEmulator(voice=False) as emulator, session_of(emulator, **MANUAL) as session:
        assert session.setup["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}
        with pytest.raises(TypeError):
            session.setup["model"] = "other"  # type: ignore[index]


def test_who_has_reserved_a_session_is_its_one_receiver_until_it_lets_go() -> None:
    with LiveEmulator(voice=False, pace=0.0) as emulator, session_of(emulator) as session:
        reserved = session.reserve("a bridge")
        for receive in (session.receive, session.collect, lambda: session.ask("x"), lambda: iter(session)):
            with pytest.raises(errors.WrongThread, match="a bridge receives from this session"):
                receive()
        with pytest.raises(errors.WrongThread):
            session.reserve("another")
        messages: list[Any] = []
        thread = threading.Thread(target=lambda: messages.extend(reserved))
        thread.start()
        session.send_text("Hello")
        until(lambda: any(each.ends_turn for each in messages))
        reserved.release()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert session.ask("Again", timeout=PATIENCE).audio


def test_what_a_callback_takes_for_a_conversation_is_not_kept_and_what_comes_later_is() -> None:
    messages: list[Any] = []
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        callbacks = {"on_message": messages.append}
        config = {"response_modalities": ["AUDIO"]}
        with client.live.connect(model="emulator", config=config, callbacks=callbacks) as session:
            reserved = session.reserve("a conversation", receives=False)
            session.send_text("Hello")
            until(lambda: any(each.ends_turn for each in messages))
            assert (session.stats.waiting_messages, session.stats.forgotten) == (0, len(messages))
            reserved.release()
            assert session.ask("Again", timeout=PATIENCE).audio
