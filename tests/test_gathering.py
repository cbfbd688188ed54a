"""Whole turns from the queue: ``ask`` gets the answer to its own question, ``collect`` the oldest turn not received."""

from __future__ import annotations

import base64
import io
import logging
import threading
import wave
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from genai_live import ReconnectPolicy, Session, Turn, errors
from genai_live._connection.ledger import SILENCE
from genai_live.audio import Audio
from tests.raw_peer import BINARY, Peer, beside, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, message, text_part
from tests.traced_asks import strike
from tests.waiting import until

GENERATED = message(serverContent={"generationComplete": True})
CALL = message(toolCall={"functionCalls": [{"id": "c1", "name": "look", "args": {}}]})
ANSWER = {"id": "c1", "name": "look", "response": {"seen": 1}}


def send(peer: Peer, *messages: bytes) -> None:
    peer.send(b"".join(frame(BINARY, each) for each in messages))


def usage(tokens: int) -> bytes:
    return message(usageMetadata={"totalTokenCount": tokens})


def arrived(session: Session, count: int) -> None:
    """Waits until so many messages have come, that of the setup not counted."""
    until(lambda: session.stats.messages_received == count + 1)


def asked(session: Session, peer: Peer, question: str = "question", **how: Any) -> Future[Turn]:
    """An ``ask`` that waits; its question has arrived."""
    asking = beside(session.ask, question, PATIENCE, **how)
    assert question in str(peer.read_message())
    return asking


def left(session: Session, peer: Peer, question: str = "left") -> None:
    """A question that nobody waits for."""
    session.send_text(question)
    assert question in str(peer.read_message())


# Its own answer.


def test_messages_about_earlier_questions_are_passed_over_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "genai_live")
    with opened() as (session, peer):
        left(session, peer)
        asking = asked(session, peer)
        spoken = message(serverContent={"outputTranscription": {"text": "old words"}})
        send(peer, text_part("old "), spoken, TURN_COMPLETE, text_part("new"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
    assert (turn.text, turn.questions, turn.skipped) == ("new", 1, 3)
    assert [record.args[0] for record in caplog.records if record.msg.startswith("passed over")] == ["old ", "old words"]


def test_a_turn_that_was_left_with_break_is_passed_over_from_there() -> None:
    with opened() as (session, peer):
        left(session, peer)
        send(peer, text_part("first"), text_part("second"))
        assert next(session.receive(PATIENCE)).text == "first"
        asking = asked(session, peer)
        send(peer, TURN_COMPLETE, text_part("new"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
    assert (turn.text, turn.skipped) == ("new", 2)


def test_a_turn_that_nobody_asked_for_stays_to_be_received() -> None:
    with opened() as (session, peer):
        send(peer, text_part("unasked"), TURN_COMPLETE)
        arrived(session, 2)
        asking = asked(session, peer)
        send(peer, text_part("answer"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
        assert (turn.text, turn.questions, turn.skipped) == ("answer", 1, 0)
        unasked = session.collect(PATIENCE)
        assert (unasked.text, unasked.questions) == ("unasked", 0)


ASKED: dict[str, Callable[[Session], object]] = {
    "send_text": lambda session: session.send_text("question"),
    "content": lambda session: session.send_client_content(turns="question"),
    "contents": lambda session: session.send_client_content(
        turns=[{"role": "user", "parts": [{"text": "before"}]}, {"role": "user", "parts": [{"text": "question"}]}]
    ),
    "realtime text": lambda session: session.send_realtime_input(text="question"),
}


@pytest.mark.parametrize("way", ASKED)
def test_a_turn_knows_the_text_that_was_asked_whichever_way_it_was_sent(way: str) -> None:
    with opened() as (session, peer):
        ASKED[way](session)
        send(peer, text_part("answer"), TURN_COMPLETE)
        assert session.collect(PATIENCE).asked == "question"


def test_a_turn_knows_what_was_asked_while_it_comes_and_an_unasked_one_that_nothing_was() -> None:
    seen: list[str] = []
    with opened() as (session, peer):
        asking = asked(session, peer, on_update=lambda turn: seen.append(turn.asked))
        send(peer, text_part("answer"), TURN_COMPLETE, text_part("unasked"), TURN_COMPLETE)
        assert asking.result(PATIENCE).asked == "question"
        assert session.collect(PATIENCE).asked == ""
    assert set(seen) == {"question"}


def test_collect_goes_on_with_the_oldest_turn_that_nobody_has_received_to_its_end() -> None:
    with opened() as (session, peer):
        left(session, peer, "one")
        left(session, peer, "two")
        send(peer, text_part("1a"), text_part("1b"), TURN_COMPLETE, text_part("2"), TURN_COMPLETE)
        assert next(session.receive(PATIENCE)).text == "1a"
        assert session.collect(PATIENCE).text == "1b"
        assert session.collect(PATIENCE).text == "2"


def test_what_a_collect_has_seen_that_timed_out_is_collected_by_the_next() -> None:
    with opened() as (session, peer):
        left(session, peer)
        send(peer, text_part("a"))
        arrived(session, 1)
        with pytest.raises(errors.ReceiveTimeout) as raised:
            session.collect(0.05)
        assert [each.text for each in raised.value.messages] == ["a"]
        send(peer, text_part("b"), TURN_COMPLETE)
        assert session.collect(PATIENCE).text == "ab"


def test_a_question_that_the_service_answers_in_the_turn_of_another_one_gets_that_turn() -> None:
    with opened() as (session, peer):
        left(session, peer)
        asking = asked(session, peer)
        send(peer, text_part("both"), TURN_COMPLETE)
        arrived(session, 2)
        let_silence_pass(session)
        turn = asking.result(PATIENCE)
        assert (turn.text, turn.questions, turn.skipped) == ("both", 2, 0)
        assert session.stats.resynchronised == 1


def let_silence_pass(session: Session) -> None:
    """Tells the ledger that it is later than it is."""
    ledger = session._protocol.ledger
    until(lambda: ledger.is_unsettled)
    ledger.look(ledger.look(1e9) + SILENCE)
    session._connection.resume()


def test_a_turn_that_its_user_has_already_says_later_how_many_questions_it_answered() -> None:
    with opened() as (session, peer):
        first = asked(session, peer)
        left(session, peer)
        send(peer, text_part("both"), TURN_COMPLETE)
        turn = first.result(PATIENCE)
        assert turn.questions == 1
        let_silence_pass(session)
        until(lambda: turn.questions == 2)


def test_what_was_heard_of_a_speech_that_a_text_interrupts_belongs_to_the_answer() -> None:
    with opened() as (session, peer):
        session.send_realtime_input(audio=bytes(320))
        peer.read_message()
        send(peer, message(serverContent={"inputTranscription": {"text": "hm"}}))
        arrived(session, 1)
        asking = asked(session, peer)
        send(peer, text_part("answer"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
        assert (turn.text, turn.transcripts.input, turn.skipped) == ("answer", "hm", 0)


def test_collect_of_what_was_heard_goes_on_with_the_answer_to_a_text_that_came_after() -> None:
    with opened() as (session, peer):
        session.send_realtime_input(audio=bytes(320))
        peer.read_message()
        send(peer, message(serverContent={"inputTranscription": {"text": "hm"}}))
        arrived(session, 1)
        left(session, peer)
        send(peer, text_part("answer"), TURN_COMPLETE)
        turn = session.collect(PATIENCE)
        assert (turn.text, turn.transcripts.input) == ("answer", "hm")


def test_a_turn_whose_end_never_comes_ends_where_the_next_answer_begins() -> None:
    with opened() as (session, peer):
        collecting = beside(session.collect, PATIENCE)
        left(session, peer)
        send(peer, text_part("one"), GENERATED)
        left(session, peer)
        send(peer, text_part("two"), TURN_COMPLETE)
        assert collecting.result(PATIENCE).text == "one"
        assert session.collect(PATIENCE).text == "two"


def test_receive_ends_with_a_turn_whose_end_is_only_a_note() -> None:
    with opened() as (session, peer):
        left(session, peer)
        send(peer, text_part("one"), GENERATED)
        left(session, peer)
        send(peer, text_part("two"), TURN_COMPLETE)
        assert [each.text for each in session.receive(PATIENCE)] == ["one", None]
        assert [each.text for each in session.receive(PATIENCE)] == ["two", None]


# Callbacks.


def test_a_turn_larger_than_what_is_kept_beside_a_callback_comes_whole_while_ask_waits_for_it() -> None:
    piece = base64.b64encode(bytes(7_680)).decode()
    sound = message(serverContent={"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": piece}}]}})
    with opened(callbacks={"on_message": lambda _: None}) as (session, peer):
        asking = asked(session, peer)
        send(peer, *[sound] * 100, TURN_COMPLETE)
        turn = asking.result(PATIENCE)
        assert (len(turn.audio.data), turn.incomplete, session.stats.forgotten) == (768_000, False, 0)


def test_a_turn_of_which_something_was_forgotten_says_so() -> None:
    with opened(callbacks={"on_message": lambda _: None}) as (session, peer):
        left(session, peer)
        send(peer, *(text_part(f"{number:10000}") for number in range(100)), TURN_COMPLETE)
        arrived(session, 101)
        turn = session.collect(PATIENCE)
        assert turn.incomplete
        assert turn.text.endswith("99")
        assert session.stats.forgotten > 0
        asking = asked(session, peer)
        send(peer, text_part("whole"), TURN_COMPLETE)
        assert not asking.result(PATIENCE).incomplete


# The end of generation, and reports that come later.


def test_until_generated_returns_before_the_end_of_the_turn_and_the_next_ask_passes_that_over() -> None:
    with opened() as (session, peer):
        asking = asked(session, peer, until="generated")
        send(peer, text_part("one"), GENERATED)
        turn = asking.result(PATIENCE)
        assert (turn.text, turn.usage) == ("one", None)
        send(peer, message(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 5}))
        until(lambda: turn.usage is not None)
        asking = asked(session, peer, until="generated")
        send(peer, text_part("two"), GENERATED)
        second = asking.result(PATIENCE)
        assert (second.text, second.skipped, second.questions) == ("two", 0, 1)
        assert turn.usage is not None
        assert turn.usage.total_token_count == 5


def test_what_follows_in_the_same_moment_belongs_to_a_turn_that_was_taken_at_the_end_of_generation() -> None:
    with opened() as (session, peer):
        asking = asked(session, peer, until="generated")
        send(peer, text_part("one"), GENERATED, TURN_COMPLETE, usage(7))
        turn = asking.result(PATIENCE)
        until(lambda: turn.usage is not None)
        assert session.stats.waiting_messages <= 1
        asking = asked(session, peer)
        send(peer, text_part("two"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "two"


def test_receive_and_collect_pass_over_the_end_of_a_turn_that_was_taken_at_the_end_of_generation() -> None:
    with opened() as (session, peer):
        for receives in (True, False):
            asking = asked(session, peer, until="generated")
            send(peer, text_part("one"), GENERATED)
            asking.result(PATIENCE)
            left(session, peer)
            send(peer, TURN_COMPLETE, text_part("two"), TURN_COMPLETE)
            if receives:
                assert "two" in [each.text for each in session.receive(PATIENCE)]
            else:
                assert session.collect(PATIENCE).text == "two"


def test_the_end_of_generation_of_a_call_is_not_that_of_the_answer() -> None:
    with opened(model="gemini-3.8-live", config=TOOLS) as (session, peer):
        asking = asked(session, peer, until="generated")
        send(peer, CALL)
        assert asking.result(PATIENCE).tool_calls
        session.send_tool_response(function_responses=ANSWER)
        peer.read_message()
        collecting = beside(session.collect, PATIENCE, until="generated")
        send(peer, GENERATED, TURN_COMPLETE, text_part("seen"), GENERATED)
        assert collecting.result(PATIENCE).text == "seen"


TOOLS: dict[str, Any] = {"response_modalities": ["AUDIO"], "tools": [{"function_declarations": [{"name": "look"}]}]}


@pytest.mark.parametrize("until_what", ["complete", "generated"])
def test_the_sums_of_all_turns_are_those_of_the_session(until_what: str) -> None:
    turns = []
    with opened() as (session, peer):
        for number in range(4):
            asking = asked(session, peer, until=until_what)
            send(peer, text_part("x"), GENERATED)
            if until_what == "generated":
                turns.append(asking.result(PATIENCE))
            if number % 2:
                send(peer, message(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 10**number}))
            else:
                send(peer, TURN_COMPLETE, usage(10**number))
            if until_what == "complete":
                turns.append(asking.result(PATIENCE))
            until(lambda: turns[-1].usage is not None)
        assert [turn.usage.total_token_count for turn in turns if turn.usage] == [1, 10, 100, 1000]
        assert session.usage is not None
        assert session.usage.total_token_count == 1111


def test_transcripts_and_grounding_that_come_late_complete_the_turn_that_was_returned() -> None:
    with opened() as (session, peer):
        session.send_realtime_input(audio=bytes(320))
        peer.read_message()
        send(peer, text_part("answer"), TURN_COMPLETE)
        turn = session.collect(PATIENCE)
        late = {"inputTranscription": {"text": "what I said"}, "groundingMetadata": {"webSearchQueries": ["x"]}}
        send(peer, message(serverContent=late))
        until(lambda: turn.grounding is not None)
        assert turn.transcripts.input == "what I said"


# Calls.


def test_a_call_ends_ask_at_once_and_collect_goes_on_with_the_same_question() -> None:
    with opened() as (session, peer):
        asking = asked(session, peer)
        send(peer, text_part("one moment"), CALL)
        first = asking.result(PATIENCE)
        assert ([call.id for call in first.tool_calls], first.text) == (["c1"], "one moment")
        session.send_tool_response(function_responses=ANSWER)
        assert "toolResponse" in peer.read_message()
        send(peer, text_part("seen"), TURN_COMPLETE)
        second = session.collect(PATIENCE)
        assert (second.text, second.tool_calls, second.questions) == ("seen", (), 1)
        assert repr(session) == f"<Session {MODEL} idle>"


def test_collect_goes_on_with_the_question_of_a_call_whatever_else_was_answered_meanwhile() -> None:
    with opened(model="gemini-3.8-live", config=TOOLS) as (session, peer):
        asking = asked(session, peer)
        left(session, peer)
        send(peer, CALL, GENERATED, TURN_COMPLETE, text_part("to what was left"), TURN_COMPLETE)
        assert asking.result(PATIENCE).tool_calls
        arrived(session, 5)
        session.send_tool_response(function_responses=ANSWER)
        peer.read_message()
        send(peer, text_part("seen"), TURN_COMPLETE)
        assert session.collect(PATIENCE).text == "seen"
        assert session.collect(PATIENCE).text == "to what was left"


def test_collect_goes_on_with_the_next_turn_when_that_of_a_call_was_received_some_other_way() -> None:
    with opened() as (session, peer):
        asking = asked(session, peer)
        send(peer, CALL)
        assert asking.result(PATIENCE).tool_calls
        session.send_tool_response(function_responses=ANSWER)
        peer.read_message()
        send(peer, text_part("seen"), TURN_COMPLETE)
        assert [each.text for each in session.receive(PATIENCE)] == ["seen", None]
        left(session, peer)
        send(peer, text_part("next"), TURN_COMPLETE)
        assert session.collect(PATIENCE).text == "next"


@pytest.mark.parametrize("on_executor", [False, True], ids=["reader", "executor"])
def test_a_call_that_a_callback_answers_does_not_end_ask(on_executor: bool) -> None:
    held: list[Session] = []
    ready = threading.Event()

    def on_message(each: Any) -> None:
        if each.tool_call is not None:
            ready.wait(PATIENCE)
            held[0].send_tool_response(function_responses=ANSWER)

    with (
        ThreadPoolExecutor(1) as pool,
        opened(callbacks={"on_message": on_message, "executor": pool if on_executor else None}) as (session, peer),
    ):
        held.append(session)
        asking = asked(session, peer)
        send(peer, CALL)
        arrived(session, 1) if on_executor else None
        ready.set()
        assert "toolResponse" in peer.read_message()
        send(peer, text_part("seen"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
        assert (turn.text, len(turn.tool_calls)) == ("seen", 1)


@pytest.mark.parametrize("on_executor", [False, True], ids=["reader", "executor"])
def test_a_call_that_no_callback_answers_ends_ask(on_executor: bool) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        opened(callbacks={"on_message": lambda _: None, "executor": pool if on_executor else None}) as (session, peer),
    ):
        asking = asked(session, peer)
        send(peer, CALL)
        assert asking.result(PATIENCE).tool_calls


def test_a_response_that_is_not_to_be_spoken_of_ends_who_collects() -> None:
    with opened(model="gemini-3.8-live", config=TOOLS) as (session, peer):
        asking = asked(session, peer)
        send(peer, CALL, GENERATED, TURN_COMPLETE)
        assert asking.result(PATIENCE).tool_calls
        collecting = beside(session.collect, PATIENCE)
        until(lambda: session._connection.inbox.is_taken)
        session.send_tool_response(function_responses={**ANSWER, "scheduling": "SILENT"})
        peer.read_message()
        assert collecting.result(PATIENCE).text == ""
        asking = asked(session, peer)
        send(peer, text_part("next"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "next"


# Losses.


QUICK = ReconnectPolicy(first_pause=0.01)
HANDLE = message(sessionResumptionUpdate={"newHandle": "h1", "resumable": True})


def test_each_question_that_is_lost_with_a_connection_is_told_once() -> None:
    with door() as entrance:
        connecting = beside(client_of(entrance.url).live.connect, model=MODEL, reconnect=QUICK)
        peer = entrance.accept()
        peer.open(frame(BINARY, HANDLE))
        with connecting.result(PATIENCE) as session:
            left(session, peer)
            asking = asked(session, peer)
            send(peer, text_part("half"))
            arrived(session, 2)
            peer.end()
            assert isinstance(asking.exception(PATIENCE), errors.TurnLost)
            with pytest.raises(errors.TurnLost):  # that of the question that was left
                session.collect(PATIENCE)
            peer = entrance.accept()
            peer.open()
            asking = asked(session, peer)
            send(peer, text_part("answer"), TURN_COMPLETE)
            assert asking.result(PATIENCE).text == "answer"
            with pytest.raises(errors.ReceiveTimeout):
                session.collect(0.05)
            session.close(0.0)


def test_a_question_that_is_lost_while_its_sender_finds_the_connection_dead_is_not_sent_again() -> None:
    with door() as entrance:
        connecting = beside(client_of(entrance.url).live.connect, model=MODEL, reconnect=QUICK)
        peer = entrance.accept()
        peer.open(frame(BINARY, HANDLE))
        with connecting.result(PATIENCE) as session:
            arrived(session, 1)
            channel: Any = session._connection
            dying = channel._connection

            def dies_under_the_message(payload: object, kind: Any, question: Any, *more: Any, **named: Any) -> None:
                channel.protocol.note_written(kind, question)
                peer.end()
                until(lambda: channel._connection is not dying)  # the reader has seen it, and what is lost
                channel.protocol.note_withdrawn(question)
                raise errors.ConnectionLost("gone", dying.close_info)

            dying.send = dies_under_the_message
            session.send_text("lost")
            with pytest.raises(errors.TurnLost):
                session.collect(PATIENCE)
            peer = entrance.accept()
            peer.open()
            asking = beside(session.ask, "the first of this connection", PATIENCE)
            assert "the first of this connection" in str(peer.read_message())
            send(peer, text_part("answer"), TURN_COMPLETE)
            assert asking.result(PATIENCE).text == "answer"
            session.close(0.0)


# Errors that the service sends as a message.

ERRORS = {
    "flat": message(code=429, message="You exceeded your current quota", status="RESOURCE_EXHAUSTED"),
    "nested": message(error={"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}),
}
WAYS: dict[str, Callable[[Session], object]] = {
    "collect": lambda session: session.collect(PATIENCE),
    "receive": lambda session: list(session.receive(PATIENCE)),
}


def check_error(error: BaseException | None) -> None:
    assert isinstance(error, errors.ServiceError), repr(error)
    assert (error.code, error.status, error.kind) == (429, "RESOURCE_EXHAUSTED", errors.ErrorKind.QUOTA)
    assert "You exceeded your current quota" in str(error)


@pytest.mark.parametrize("form", ERRORS)
@pytest.mark.parametrize("way", WAYS)
def test_an_error_raises_from_who_receives_in_a_turn_and_between_turns_and_the_session_goes_on(way: str, form: str) -> None:
    told: list[errors.LiveError] = []
    with opened(callbacks={"on_error": told.append}) as (session, peer):
        left(session, peer)
        send(peer, text_part("half"), ERRORS[form])
        with pytest.raises(errors.ServiceError) as raised:
            WAYS[way](session)
        check_error(raised.value)
        send(peer, ERRORS[form])
        with pytest.raises(errors.ServiceError) as raised:
            WAYS[way](session)
        check_error(raised.value)
        asking = asked(session, peer)
        send(peer, text_part("fine"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "fine"
    assert [type(error) for error in told] == [errors.ServiceError] * 2


@pytest.mark.parametrize("form", ERRORS)
def test_an_error_ends_the_ask_that_it_meets_with_what_had_come(form: str) -> None:
    with opened() as (session, peer):
        asking = asked(session, peer)
        send(peer, text_part("half"), ERRORS[form])
        error = asking.exception(PATIENCE)
        check_error(error)
        assert [each.text for each in error.messages] == ["half", None]  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ERRORS)
def test_an_error_between_turns_does_not_meet_the_next_ask(form: str) -> None:
    with opened() as (session, peer):
        send(peer, ERRORS[form])
        arrived(session, 1)
        asking = asked(session, peer)
        send(peer, text_part("fine"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "fine"
        with pytest.raises(errors.ServiceError):
            session.collect(PATIENCE)


@pytest.mark.parametrize("form", ERRORS)
def test_an_error_that_answers_the_setup_raises_from_connect_at_once(form: str) -> None:
    with door() as entrance:
        connecting = beside(client_of(entrance.url).live.connect, model=MODEL, timeout=PATIENCE)
        peer = entrance.accept()
        peer.upgrade()
        peer.take_setup()
        send(peer, ERRORS[form])
        error = connecting.exception(PATIENCE)
        assert isinstance(error, errors.ConnectError)
        assert error.kind is errors.ErrorKind.QUOTA
        assert "You exceeded your current quota" in str(error)


# The turn so far.


def test_on_update_sees_the_turn_grow_on_the_callers_thread() -> None:
    seen: list[tuple[str, int]] = []

    def update(turn: Turn) -> None:
        seen.append((turn.text, threading.get_ident()))

    def ask() -> int:
        session.ask("question", PATIENCE, on_update=update)
        return threading.get_ident()

    with opened() as (session, peer):
        asking = beside(ask)
        peer.read_message()
        send(peer, text_part("a"), text_part("b"), TURN_COMPLETE)
        thread = asking.result(PATIENCE)
    assert seen == [("a", thread), ("ab", thread), ("ab", thread)]


def test_what_on_update_raises_comes_out_and_leaves_the_turn_to_be_collected() -> None:
    def fails(turn: Turn) -> None:
        raise ZeroDivisionError

    with opened() as (session, peer):
        asking = asked(session, peer, on_update=fails)
        send(peer, text_part("a"), text_part("b"), TURN_COMPLETE)
        assert isinstance(asking.exception(PATIENCE), ZeroDivisionError)
        assert session.collect(PATIENCE).text == "ab"


@pytest.mark.parametrize("inner", ["ask", "collect", "receive"])
def test_receiving_in_on_update_is_refused_and_the_turn_stays_whole(inner: str) -> None:
    refused: list[BaseException] = []

    def update(turn: Turn) -> None:
        with pytest.raises(errors.WrongThread) as raised:
            getattr(session, inner)(*(["x"] if inner == "ask" else []))
        refused.append(raised.value)

    with opened() as (session, peer):
        asking = asked(session, peer, on_update=update)
        send(peer, text_part("a"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "a"
    assert len(refused) == 2
    assert "on_update" in str(refused[0])


@pytest.mark.parametrize(("name", "value"), [("until", "done"), ("on_update", 5)])
def test_what_is_no_way_to_wait_is_refused_before_anything_is_sent(name: str, value: Any) -> None:
    with opened() as (session, peer):
        with pytest.raises(errors.ConfigError, match=name):
            session.ask("never sent", **{name: value})
        left(session, peer, "first")


# Questions that are spoken.


def spoken_question(tmp_path: Path, form: str) -> Audio | Path:
    pcm = bytes(range(256)) * 25  # 0.2 s at 16,000 Hz
    if form == "Audio":
        return Audio(pcm, 16_000)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(pcm)
    path = tmp_path / "question.wav"
    path.write_bytes(file.getvalue())
    return path


def heard_by(peer: Peer, *ends: str) -> bytes:
    """The sound that comes, up to and including the message that ends it."""
    sound = b""
    while True:
        said = peer.read_message()["realtimeInput"]
        if "audio" in said:
            sound += base64.b64decode(said["audio"]["data"])
        elif any(end in said for end in ends):
            return sound


@pytest.mark.parametrize("form", ["Audio", "Path"])
def test_a_question_may_be_spoken(form: str, tmp_path: Path) -> None:
    with opened() as (session, peer):
        asking = beside(session.ask, spoken_question(tmp_path, form), PATIENCE)
        assert len(heard_by(peer, "audioStreamEnd")) == 6400
        send(peer, text_part("heard"), TURN_COMPLETE)
        turn = asking.result(PATIENCE)
        assert (turn.text, turn.questions) == ("heard", 1)


def test_without_automatic_detection_a_spoken_question_is_an_activity(tmp_path: Path) -> None:
    config = {"realtime_input_config": {"automatic_activity_detection": {"disabled": True}}}
    with opened(config=config) as (session, peer):
        asking = beside(session.ask, spoken_question(tmp_path, "Audio"), PATIENCE)
        assert "activityStart" in peer.read_message()["realtimeInput"]
        assert len(heard_by(peer, "activityEnd")) == 6400
        send(peer, text_part("heard"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "heard"


def test_a_spoken_question_that_takes_too_long_is_given_up_and_the_next_is_answered(tmp_path: Path) -> None:
    with opened() as (session, peer):
        asking = beside(session.ask, Audio(bytes(32_000 * 60), 16_000), 0.1)
        assert isinstance(asking.exception(PATIENCE), errors.ReceiveTimeout)
        heard_by(peer, "audioStreamEnd")
        send(peer, text_part("to half a question"), TURN_COMPLETE)
        asking = asked(session, peer)
        send(peer, text_part("answer"), TURN_COMPLETE)
        assert asking.result(PATIENCE).text == "answer"


# Ctrl-C, at any line.


def receive_all(session: Session) -> str:
    return "".join(each.text or "" for each in session.receive(PATIENCE))


def collect_all(session: Session, until_what: str) -> str:
    return session.collect(PATIENCE, until=until_what).text  # type: ignore[arg-type]


INTERRUPTED: dict[str, Callable[[Session], str]] = {
    "collect": partial(collect_all, until_what="complete"),
    "collect until generated": partial(collect_all, until_what="generated"),
}


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
@pytest.mark.parametrize("way", INTERRUPTED)
def test_a_collect_that_ctrl_c_strikes_at_any_line_leaves_the_whole_turn_to_the_next(way: str, callback: bool) -> None:
    line = 0
    with opened(callbacks={"on_message": lambda _: None} if callback else None) as (session, peer):
        while True:
            line += 1
            left(session, peer, str(line))
            send(peer, text_part(f"{line} "), text_part("whole"), GENERATED, TURN_COMPLETE)
            arrived(session, 4 * line)
            results: list[str] = []
            struck = strike(line, lambda results=results: results.append(INTERRUPTED[way](session)))  # type: ignore[misc]
            if struck is not None:
                results.append(INTERRUPTED[way](session))
            assert results == [f"{line} whole"], struck
            if struck is None:
                break
    assert line > 50


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
def test_a_receive_that_ctrl_c_strikes_at_any_line_loses_no_message_and_gives_none_twice(callback: bool) -> None:
    line = 0
    with opened(callbacks={"on_message": lambda _: None} if callback else None) as (session, peer):
        while True:
            line += 1
            left(session, peer, str(line))
            send(peer, text_part(f"{line} "), text_part("whole"), TURN_COMPLETE)
            arrived(session, 3 * line)
            seen: list[Any] = []
            struck = strike(line, lambda seen=seen: seen.extend(map(kept, session.receive(PATIENCE))))  # type: ignore[misc]
            if struck is not None and None not in seen:
                seen += map(kept, session.receive(PATIENCE))
            assert seen == [f"{line} ", "whole", None], struck
            if struck is None:
                break
    assert line > 20


def kept(each: Any) -> Any:
    """What a message says, without a call into the library, where the next interrupt might strike."""
    content = each.__dict__["server_content"].__dict__
    return content["model_turn"].__dict__["parts"][0].__dict__["text"] if "model_turn" in content else None
