"""Callbacks of a session: whatever they do, on the reader or on an executor, the session lives and everything comes once."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import LiveCallbacks, Session, errors, types
from tests.raw_peer import BINARY, Peer, beside, close_frame, frame, opened
from tests.servers import PATIENCE, TURN_COMPLETE, message, text_part
from tests.waiting import until

# What they are given as.


@pytest.mark.parametrize(
    "given",
    [
        LiveCallbacks(on_message=print),
        {"on_message": print},
        {"onmessage": print},
        {"onmessage": print, "onopen": None},
        None,
    ],
)
def test_callbacks_are_an_object_or_a_dict_in_either_spelling(given: Any) -> None:
    assert LiveCallbacks.of(given).on_message is (print if given else None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"on_mesage": print}, "did you mean 'on_message'"),
        ({"x": print}, "known are on_open, on_message, on_error, on_close"),
        ({"on_message": 5}, "callbacks.on_message: takes a function, not int"),
        ({"executor": 5}, "callbacks.executor: takes a concurrent.futures.Executor, not int"),
        (5, "callbacks: takes"),
        ([print], "not list"),
    ],
)
def test_what_are_no_callbacks_is_refused_by_name(given: Any, words: str) -> None:
    with pytest.raises(errors.ConfigError, match=words):
        LiveCallbacks.of(given)


# What they may do.


class Recorder:
    """Callbacks that note what happens and then do something."""

    def __init__(self, do: Callable[[str, Recorder], object] = lambda name, recorder: None) -> None:
        self.do = do
        self.calls: list[tuple[str, Any]] = []
        self.session: Session | None = None
        self.has_session, self.closed = threading.Event(), threading.Event()

    def callbacks(self, executor: ThreadPoolExecutor | None) -> dict[str, Any]:
        return {
            "on_open": lambda: self._called("on_open", None),
            "on_message": lambda message: self._called("on_message", message),
            "on_error": lambda error: self._called("on_error", error),
            "on_close": lambda info: self._called("on_close", info),
            "executor": executor,
        }

    def _called(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        if name == "on_close":
            self.closed.set()
        if name == "on_message":  # comes after connect() has returned, or is about to
            self.has_session.wait(PATIENCE)
        self.do(name, self)

    def of(self, name: str) -> list[Any]:
        return [argument for called, argument in self.calls if called == name]


@contextmanager
def recorded(recorder: Recorder, *, on_executor: bool) -> Iterator[tuple[Session, Peer]]:
    with ThreadPoolExecutor(2) as pool, opened(callbacks=recorder.callbacks(pool if on_executor else None)) as (session, peer):
        recorder.session = session
        recorder.has_session.set()
        yield session, peer


EVERYTHING = b"".join(frame(BINARY, each) for each in (text_part("a"), b"no JSON", text_part("b"), TURN_COMPLETE))
LAST = close_frame(1011, "Internal error encountered.")


def on_both(function: Callable[..., None]) -> Any:
    return pytest.mark.parametrize("on_executor", [False, True], ids=["reader", "executor"])(function)


def check_everything_came_once(recorder: Recorder, session: Session) -> None:
    assert recorder.closed.wait(PATIENCE)
    assert len(recorder.of("on_open")) == 1
    assert [message.text for message in recorder.of("on_message")] == ["a", None, "b", None]
    told = [error for error in recorder.of("on_error") if not isinstance(error, errors.CallbackError)]
    assert [type(error) for error in told] == [errors.DecodeError, errors.ClosedByServer]
    assert recorder.of("on_close") == [session.close_info]
    assert told[1].close_info is recorder.of("on_close")[0] is session.close_info


@on_both
def test_everything_comes_once_and_in_order(on_executor: bool) -> None:
    recorder = Recorder()
    with recorded(recorder, on_executor=on_executor) as (session, peer):
        peer.send(EVERYTHING + LAST)
        check_everything_came_once(recorder, session)
        names = [name for name, _ in recorder.calls]
        # on_error of a message comes before the message itself; the end comes last.
        assert names == ["on_open", "on_message", "on_error", "on_message", "on_message", "on_message", "on_error", "on_close"]


def fails(name: str, recorder: Recorder) -> None:
    raise ZeroDivisionError(name)


def exits(name: str, recorder: Recorder) -> None:
    raise SystemExit(name)


def interrupts(name: str, recorder: Recorder) -> None:
    raise KeyboardInterrupt


def takes_its_time(name: str, recorder: Recorder) -> None:
    threading.Event().wait(0.05)


def sends(name: str, recorder: Recorder) -> None:
    if recorder.session is not None and name == "on_message":
        recorder.session.send_realtime_input(text="from a callback")
        recorder.session.send_tool_response(function_responses={"id": "1", "name": "f", "response": {}})


def looks(name: str, recorder: Recorder) -> None:
    if recorder.session is not None:
        assert repr(recorder.session)
        assert recorder.session.stats.messages_received >= 0


@on_both
@pytest.mark.parametrize("do", [fails, exits, interrupts, takes_its_time, sends, looks])
def test_whatever_every_callback_does_everything_comes_once(
    do: Callable[[str, Recorder], object], on_executor: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "genai_live")
    recorder = Recorder(do)
    with recorded(recorder, on_executor=on_executor) as (session, peer):
        peer.send(EVERYTHING)
        assert session.collect(PATIENCE).text == "ab"
        assert session.close_info is None
        peer.send(LAST)
        check_everything_came_once(recorder, session)


@pytest.mark.waits
@on_both
def test_a_callback_may_close_and_the_rest_is_told_once(on_executor: bool) -> None:
    def closes(name: str, recorder: Recorder) -> None:
        if recorder.session is not None:
            recorder.session.close(0.2)

    recorder = Recorder(closes)
    with recorded(recorder, on_executor=on_executor) as (session, peer):
        peer.send(EVERYTHING)
        assert recorder.closed.wait(PATIENCE)
        assert session._connection._connection.ended.wait(PATIENCE)
        assert recorder.of("on_close") == [session.close_info]
        assert session.close_info is not None
        assert session.close_info.sent_by is errors.SentBy.CLIENT
        assert peer.read_close() == (1000, b"")


CALLS: dict[str, Callable[[Session], object]] = {
    "receive": lambda session: list(session.receive(0.1)),
    "iteration": lambda session: next(iter(session)),
    "collect": lambda session: session.collect(0.1),
    "ask": lambda session: session.ask("x", 0.1),
}


@pytest.mark.parametrize("callback", ["on_message", "on_error", "on_close"])
@pytest.mark.parametrize("call", CALLS)
def test_receiving_on_the_reader_thread_is_refused_at_once_and_sends_nothing(call: str, callback: str) -> None:
    refused: list[errors.WrongThread] = []

    def receives(name: str, recorder: Recorder) -> None:
        if name == callback and recorder.session is not None:
            with pytest.raises(errors.WrongThread) as raised:
                CALLS[call](recorder.session)
            refused.append(raised.value)

    recorder = Recorder(receives)
    with recorded(recorder, on_executor=False) as (session, peer):
        peer.send(EVERYTHING + LAST)
        check_everything_came_once(recorder, session)
        assert session._connection._connection.ended.wait(PATIENCE)
        assert refused
        assert "callback" in str(refused[0])
        assert not [error for error in recorder.of("on_error") if isinstance(error, errors.CallbackError)]


def test_on_an_executor_a_callback_may_receive() -> None:
    turns: list[str] = []

    def asks(name: str, recorder: Recorder) -> None:
        if name == "on_message" and not turns and recorder.session is not None:
            turns.append("asked")
            turns.append(recorder.session.ask("x", PATIENCE).text)

    recorder = Recorder(asks)
    with recorded(recorder, on_executor=True) as (_, peer):
        peer.send(frame(BINARY, text_part("start")) + frame(BINARY, TURN_COMPLETE))
        peer.read_message()
        peer.send(frame(BINARY, text_part("answer")) + frame(BINARY, TURN_COMPLETE))
        until(lambda: len(turns) == 2)
        assert turns == ["asked", "answer"]


def test_an_on_close_that_raises_reports_it_and_ends_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def on_close(info: errors.CloseInfo) -> None:
        raise ZeroDivisionError

    told: list[errors.LiveError] = []
    with opened(callbacks={"on_close": on_close, "on_error": told.append}) as (session, peer):
        peer.send(LAST)
        assert session._connection._connection.ended.wait(PATIENCE)
        assert [type(error) for error in told] == [errors.ClosedByServer, errors.CallbackError]
    assert "on_close" in caplog.text


@pytest.mark.waits
@pytest.mark.parametrize("waits", ["iteration", "collect"])
def test_a_slow_callback_keeps_no_message_from_being_counted_or_received(waits: str) -> None:
    with opened(callbacks={"on_message": lambda _: threading.Event().wait(0.02)}) as (session, peer):
        peer.send(b"".join(frame(BINARY, text_part(str(number))) for number in range(20)) + frame(BINARY, TURN_COMPLETE))
        if waits == "collect":
            assert session.collect(PATIENCE).text == "".join(map(str, range(20)))
        else:
            received = iter(session)
            assert [next(received).text for _ in range(20)] == [str(number) for number in range(20)]


# Bounds.


def flood(peer: Peer, count: int, size: int) -> None:
    for number in range(count):
        peer.send(frame(BINARY, text_part(f"{number:0{size}}")))


def number_in(message: types.LiveServerMessage) -> int:
    return int((message.text or "")[-8:])


LARGE, MANY = 100_000, 300
"""Thirty megabytes in all."""
QUEUE = 1_000_000


def test_a_consumer_that_sleeps_costs_bounded_memory_and_loses_nothing() -> None:
    with opened(http_options={"queue_bytes": QUEUE}) as (session, peer):
        tracemalloc.start()
        try:
            sending = beside(flood, peer, MANY, LARGE)
            until(lambda: session._connection.delivery.paused)
            threading.Event().wait(0.3)
            assert session.stats.waiting_bytes < QUEUE + 2_000_000
            assert tracemalloc.get_traced_memory()[1] < 15_000_000
        finally:
            tracemalloc.stop()
        received = iter(session)
        assert [number_in(next(received)) for _ in range(MANY)] == list(range(MANY))
        sending.result(PATIENCE)


@pytest.mark.parametrize(
    "part",
    [{"text": "x"}, {"functionCall": {"name": "f", "args": {"a": [{}, {}]}}}, {"x": {}}],
    ids=["texts", "calls", "unknown"],
)
def test_a_flood_of_messages_of_many_small_parts_costs_twice_the_bound_at_most(part: dict[str, Any]) -> None:
    """As objects they take up to thirty times what they came in."""
    queue, content = 4_000_000, message(serverContent={"modelTurn": {"parts": [part] * 50}})
    sent = frame(BINARY, content) * 6_000 + frame(BINARY, TURN_COMPLETE)
    with opened(http_options={"queue_bytes": queue}) as (session, peer):
        tracemalloc.start()
        try:
            sending = beside(peer.send, sent)
            until(lambda: session._connection.delivery.paused)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * queue
        received = list(session.receive(PATIENCE))
        sending.result(PATIENCE)
    assert len(received) == 6_001
    assert all(len(each.server_content.model_turn.parts) == 50 for each in received[:-1])  # type: ignore[union-attr, arg-type]
    assert [each.ends_turn for each in received[-2:]] == [False, True]


def test_a_flood_of_frames_that_are_no_json_costs_twice_the_bound_at_most() -> None:
    """Each waits with its error, which takes more than the frame that it came in."""
    queue = 4_000_000
    with opened(http_options={"queue_bytes": queue}) as (session, peer):
        tracemalloc.start()
        try:
            sending = beside(peer.send, frame(BINARY, b"no JSON, of some length" * 8) * 20_000 + frame(BINARY, TURN_COMPLETE))
            until(lambda: session._connection.delivery.paused)
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        waiting = session.stats.waiting_messages
        received = list(session.receive(PATIENCE))
        sending.result(PATIENCE)
    assert waiting < 1.2 * queue / 1_600
    assert held < 2 * queue
    assert sum(each.decode_error is not None for each in received) == 20_000


def test_a_callback_on_an_executor_that_sleeps_costs_bounded_memory_and_loses_nothing() -> None:
    release, done = threading.Event(), threading.Event()
    seen: list[int] = []

    def on_message(message: types.LiveServerMessage) -> None:
        release.wait(PATIENCE)
        seen.append(number_in(message))
        if len(seen) == MANY:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        callbacks = LiveCallbacks(on_message=on_message, executor=pool)
        with opened(callbacks=callbacks, http_options={"queue_bytes": QUEUE}) as (session, peer):
            tracemalloc.start()
            try:
                sending = beside(flood, peer, MANY, LARGE)
                until(lambda: session._connection.delivery.paused)
                threading.Event().wait(0.3)
                assert tracemalloc.get_traced_memory()[1] < 15_000_000
            finally:
                tracemalloc.stop()
                release.set()
            assert done.wait(PATIENCE)
            sending.result(PATIENCE)
    assert seen == list(range(MANY))


def test_a_callback_without_a_receiver_keeps_only_the_newest_messages() -> None:
    done = threading.Event()

    def on_message(message: types.LiveServerMessage) -> None:
        if number_in(message) == MANY - 1:
            done.set()

    with opened(callbacks={"on_message": on_message}, http_options={"queue_bytes": QUEUE}) as (session, peer):
        flood(peer, MANY, LARGE)
        assert done.wait(PATIENCE)
        assert session.stats.waiting_bytes <= QUEUE
        assert session.stats.forgotten + session.stats.waiting_messages == MANY
        assert number_in(next(iter(session))) == session.stats.forgotten


def test_a_session_that_nobody_receives_from_keeps_a_few_messages_and_one_that_was_received_from_more() -> None:
    seen: list[int] = []

    def on_message(message: types.LiveServerMessage) -> None:
        seen.append(number_in(message))

    with opened(callbacks={"on_message": on_message}) as (session, peer):
        flood(peer, 200, 1_000)
        until(lambda: len(seen) == 200)
        assert session.stats.waiting_bytes <= 64 * 1024
        first = number_in(next(iter(session)))
        assert first == session.stats.forgotten > 150
        flood(peer, 100, 1_000)
        until(lambda: len(seen) == 300)
        assert session.stats.waiting_messages > 100


# Receivers.


@pytest.mark.parametrize("call", CALLS)
def test_two_receivers_at_once_are_a_clear_error_for_the_second_and_nothing_for_the_first(call: str) -> None:
    with opened() as (session, peer):
        first = beside(session.collect, PATIENCE)
        until(lambda: session._connection.inbox.is_taken)
        with pytest.raises(errors.WrongThread, match="another thread is already receiving"):
            CALLS[call](session)
        peer.send(frame(BINARY, text_part("x")) + frame(BINARY, TURN_COMPLETE))
        assert first.result(PATIENCE).text == "x"
        assert session.close_info is None


def test_a_wrong_second_receiver_has_sent_nothing() -> None:
    with opened() as (session, peer):
        first = beside(session.collect, PATIENCE)
        until(lambda: session._connection.inbox.is_taken)
        with pytest.raises(errors.WrongThread):
            session.ask("lost?")
        session.send_text("first")
        assert "first" in str(peer.read_message())
        peer.send(frame(BINARY, TURN_COMPLETE))
        first.result(PATIENCE)


def test_receivers_may_take_turns() -> None:
    count = 8
    with opened() as (session, peer):
        for number in range(count):
            taking = beside(session.ask, str(number), PATIENCE)
            peer.read_message()
            peer.send(frame(BINARY, text_part(str(number))) + frame(BINARY, TURN_COMPLETE))
            assert taking.result(PATIENCE).text == str(number)
