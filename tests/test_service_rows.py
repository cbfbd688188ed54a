"""The sequences that the service was seen to send, or should: each is a scenario in tests/data/service, named by its row.

2: what official text states; 3: what families of models were seen to do; 4: what was measured at drops and interruptions.
``toolCallCancellation``, ``goAway``, ``resumable: false`` and ``interactionStatus`` were never found in a recording. Each ends
with a question whose answer has to be its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client, ReconnectPolicy, Session, Turn
from genai_live.emulator import LiveEmulator, load_script
from genai_live.errors import ReceiveTimeout, SessionClosed, TurnLost
from tests.raw_peer import beside
from tests.waiting import PATIENCE, until

ROWS = Path(__file__).parent / "data" / "service"
TEXT = {"response_modalities": ["TEXT"]}
SPEECH = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}, "input_audio_transcription": {}}
TOOL = {"tools": [{"function_declarations": [{"name": "look"}]}]}
PLAIN, OF_3_1, OF_3_8 = "emulator", "gemini-3.1-flash-live-preview", "gemini-3.8-live"
QUICK = ReconnectPolicy(first_pause=0.01)


@contextmanager
def row(name: str, model: str = PLAIN, config: Any = TEXT, *, vertex: bool = False, **connect: Any) -> Iterator[Session]:
    """A session with an emulator that plays a row, and has played it to its end when the test is over."""
    with LiveEmulator(scenario=load_script(ROWS / f"{name}.json"), pace=0.0, voice=False) as emulator:
        client = Client(api_key="k", vertexai=vertex, http_options={"base_url": emulator.url})
        with client.live.connect(model=model, config=config, timeout=PATIENCE, **connect) as session:
            yield session
            emulator.assert_complete()


def asked(session: Session, question: str, **options: Any) -> Turn:
    return session.ask(question, timeout=PATIENCE, **options)


def answered_call(session: Session, turn: Turn, **response: Any) -> None:
    """Answers the only call of a turn."""
    (call,) = turn.tool_calls
    told = {"name": call.name, "response": {"result": 42}, **response}
    session.send_tool_response(function_responses={"id": call.id, **told} if call.id else told)


def assert_the_last_is_its_own(session: Session, *, questions: int = 1) -> None:
    turn = asked(session, "last")
    assert turn.text == "the last answer"
    assert (turn.questions, turn.incomplete) == (questions, False)


# 2. What official text states


def test_order_within_a_turn() -> None:
    with row("2_order_within_a_turn", config=SPEECH) as session:
        turn = asked(session, "one")
        assert turn.transcripts.output == "the answer to one"
        assert turn.usage is not None
        assert_the_last_is_its_own(session)


def test_input_transcription_after_the_interrupted_turn() -> None:
    with row("2_input_transcription_after_the_interrupted_turn", config=SPEECH) as session:
        turn = asked(session, "one")
        assert (turn.text, turn.interrupted) == ("half of the", True)
        last = asked(session, "last")
        assert (last.text, last.transcripts.input) == ("the last answer", "")


def test_interrupted_without_generation_complete() -> None:
    with row("2_interrupted_without_generation_complete") as session:
        asking = beside(asked, session, "one")
        until(lambda: session.stats.messages_received >= 2)  # setupComplete, and half of the answer
        session.send_text("two")
        assert (asking.result(PATIENCE).text, asking.result().interrupted) == ("half of the", True)
        assert session.collect(timeout=PATIENCE).text == "answer to two"
        assert_the_last_is_its_own(session)


def test_interrupted_after_generation_complete() -> None:
    with row("2_interrupted_after_generation_complete") as session:
        turn = asked(session, "one", until="generated")
        assert (turn.text, turn.interrupted) == ("the answer to one", False)
        assert asked(session, "two").text == "answer to two"
        assert_the_last_is_its_own(session)


def test_interrupted_before_the_answer_began() -> None:
    with row("2_interrupted_before_the_answer_began") as session:
        session.send_text("one")
        turn = asked(session, "two")
        assert (turn.text, turn.interrupted, turn.questions) == ("answer to two", False, 1)
        assert_the_last_is_its_own(session)


def test_turn_complete_waits_for_the_playback() -> None:
    with row("2_turn_complete_waits_for_the_playback") as session:
        assert asked(session, "one", until="generated").text == "the answer to one"
        turn = asked(session, "last")
        assert (turn.text, turn.questions) == ("the last answer", 1)
        assert turn.usage is not None
        assert turn.usage.prompt_token_count == 20


def test_an_interruption_discards_the_pending_call() -> None:
    with row("2_an_interruption_discards_the_pending_call") as session:
        assert [call.name for call in asked(session, "one").tool_calls] == ["look"]
        assert asked(session, "two").text == "answer to two"
        assert_the_last_is_its_own(session)


def test_an_interruption_discards_a_call_that_nobody_received() -> None:
    with row("2_an_interruption_discards_a_call_that_nobody_received") as session:
        session.send_text("one")
        until(lambda: session.stats.messages_received >= 2)  # setupComplete, and the call
        turn = asked(session, "two")
        assert (turn.text, turn.tool_calls) == ("answer to two", ())
        assert_the_last_is_its_own(session)


@pytest.mark.parametrize("where", ["2_in_progress_beside_turn_complete_is_not_idle", "2_interaction_status_at_the_top"])
def test_in_progress_is_not_idle(where: str) -> None:
    with row(where) as session:
        assert asked(session, "one").text == "first half, second half"
        assert_the_last_is_its_own(session)


def test_interaction_status_beside_a_tool_call() -> None:
    with row("2_interaction_status_beside_a_tool_call") as session:
        answered_call(session, asked(session, "one"))
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert_the_last_is_its_own(session)


def test_not_resumable_while_generating() -> None:
    with row("2_not_resumable_while_generating", reconnect=QUICK) as session:
        with pytest.raises(TurnLost):
            asked(session, "one")
        assert_the_last_is_its_own(session)


def test_go_away_in_mid_turn() -> None:
    with row("2_go_away_in_mid_turn", reconnect=QUICK) as session:
        assert asked(session, "one").text == "first half, second half"
        assert next(each for each in session if each.reconnected is not None)  # a question may still go over the old connection
        assert_the_last_is_its_own(session)


def test_a_silent_response_is_not_spoken_of() -> None:
    with row("2_a_silent_response_is_not_spoken_of", OF_3_8, {**SPEECH, **TOOL}) as session:
        answered_call(session, asked(session, "one"), scheduling="SILENT")
        assert_the_last_is_its_own(session)


def test_a_response_when_idle() -> None:
    with row("2_a_response_when_idle", OF_3_8, {**SPEECH, **TOOL}) as session:
        turn = asked(session, "one")
        asking = beside(asked, session, "two")
        until(lambda: session.stats.messages_received >= 6)  # setupComplete, an update, the call's turn, a piece of the next
        answered_call(session, turn, scheduling="WHEN_IDLE")
        assert asking.result(PATIENCE).text == "answer to two"
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert_the_last_is_its_own(session)


def test_a_response_that_interrupts() -> None:
    with row("2_a_response_that_interrupts", OF_3_8, {**SPEECH, **TOOL}) as session:
        turn = asked(session, "one")
        asking = beside(asked, session, "two")
        until(lambda: session.stats.messages_received >= 6)
        answered_call(session, turn, scheduling="INTERRUPT")
        assert (asking.result(PATIENCE).text, asking.result().interrupted) == ("half of the", True)
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert_the_last_is_its_own(session)


# 3. What families of models were seen to do

ROUNDS = {
    "3_tool_round_in_one_turn": ("gemini-2.5-flash-native-audio-preview-12-2025", False),
    "3_tool_round_in_one_turn_of_3_1": (OF_3_1, False),
    "3_tool_round_in_two_turns_of_3_8": (OF_3_8, False),
    "3_tool_round_in_two_turns_of_vertex": ("gemini-live-2.5-flash", True),
    "3_calls_without_an_id": ("gemini-2.0-flash-live-preview-04-09", True),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_tool_round(name: str) -> None:
    model, vertex = ROUNDS[name]
    with row(name, model, {**SPEECH, **TOOL}, vertex=vertex) as session:
        turn = asked(session, "one")
        answered_call(session, turn)
        answer = session.collect(timeout=PATIENCE)
        assert (turn.text, answer.text + answer.transcripts.output) == ("", "it is 42")
        assert_the_last_is_its_own(session)


def test_a_call_in_its_own_turn_that_nobody_answers() -> None:
    with row("3_a_call_in_its_own_turn_that_nobody_answers", OF_3_8, {**SPEECH, **TOOL}) as session:
        assert asked(session, "one").tool_calls
        assert_the_last_is_its_own(session)


def test_a_call_in_its_own_turn_that_nobody_received() -> None:
    with row("3_a_call_in_its_own_turn_that_nobody_received", OF_3_8, {**SPEECH, **TOOL}) as session:
        session.send_text("one")
        until(lambda: session.stats.messages_received >= 5)  # setupComplete, an update, the call's turn
        turn = asked(session, "two")
        assert (turn.text, turn.tool_calls) == ("answer to two", ())
        assert_the_last_is_its_own(session)


def test_a_call_that_crosses_the_next_question() -> None:
    with row("3_a_call_that_crosses_the_next_question") as session:
        session.send_text("one")
        turn = asked(session, "two")
        assert (turn.text, turn.tool_calls) == ("answer to two", ())
        assert_the_last_is_its_own(session)


@pytest.mark.waits
def test_a_question_that_waits_behind_a_call() -> None:
    with row("3_a_question_that_waits_behind_a_call") as session:
        session.send_text("one")
        answered_call(session, asked(session, "two"))  # nobody but this caller can answer it
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert session.collect(timeout=PATIENCE).text == "answer to two"
        assert_the_last_is_its_own(session)


def test_transcript_in_the_frame_of_its_audio() -> None:
    with row("3_transcript_in_the_frame_of_its_audio", OF_3_1, SPEECH) as session:
        turn = asked(session, "one")
        assert (turn.transcripts.output, len(turn.audio.data)) == ("the answer to one", 16)
        assert_the_last_is_its_own(session)


def test_empty_frames_between_turns() -> None:
    with row("3_empty_frames_between_turns", OF_3_8, SPEECH) as session:
        assert asked(session, "one").text == "the answer to one"
        assert_the_last_is_its_own(session)


def test_turns_that_never_complete() -> None:
    with row("3_turns_that_never_complete", "gemini-3.1-flash-transcribe", SPEECH) as session:
        session.send_text("one")
        session.send_text("two")
        found = ""
        for message in session:
            found += message.text or ""
            if found.endswith("two"):
                break
        assert found == "the answer to onethe answer to two"
        with pytest.raises(ReceiveTimeout):
            session.collect(timeout=0.05)


@pytest.mark.waits
def test_only_generation_complete() -> None:
    with row("3_only_generation_complete", OF_3_1, SPEECH) as session:
        with pytest.raises(ReceiveTimeout) as raised:
            session.ask("one", timeout=0.5)
        assert "".join(each.text or "" for each in raised.value.messages) == "the answer to one"  # type: ignore[attr-defined]
        assert asked(session, "two").text == "the answer to two"
        assert_the_last_is_its_own(session)


def test_speech_with_voice_activity_beside_content() -> None:
    with row("3_speech_with_voice_activity_beside_content", OF_3_1, SPEECH) as session:
        session.send_realtime_input(audio=bytes(3200))
        turn = session.collect(timeout=PATIENCE)
        assert turn.transcripts == ("a question", "the answer")
        assert_the_last_is_its_own(session)


@pytest.mark.waits
def test_speech_that_is_not_answered() -> None:
    with row("3_speech_that_is_not_answered", OF_3_8, SPEECH) as session:
        session.send_realtime_input(audio=bytes(3200))
        until(lambda: session.stats.messages_received >= 4)  # setupComplete, an update, the begin and the end of the speech
        assert asked(session, "last").text == "the last answer"


def test_usage_alone_after_turn_complete() -> None:
    with row("3_usage_alone_after_turn_complete") as session:
        turns = [asked(session, "one"), asked(session, "two"), asked(session, "last")]
        assert [turn.text for turn in turns] == ["half of the", "answer to two", "the last answer"]
        assert session.usage is not None
        assert sum(turn.usage.prompt_token_count or 0 for turn in turns if turn.usage) == session.usage.prompt_token_count


# 4. Drops and interruptions, as measured


def test_resumed_at_once_and_refused() -> None:
    with row("4_resumed_at_once_and_refused", reconnect=QUICK) as session:
        reconnected = next(message.reconnected for message in session if message.reconnected is not None)
        assert reconnected.attempts == 3
        assert_the_last_is_its_own(session)


@pytest.mark.parametrize("name", ["4_dropped_while_the_model_speaks", "4_dropped_while_the_old_connection_is_silent"])
def test_dropped_in_mid_turn(name: str) -> None:
    with row(name, reconnect=QUICK) as session:
        with pytest.raises(TurnLost):
            asked(session, "one")
        assert asked(session, "one").text == "the answer to one"
        assert_the_last_is_its_own(session)


def test_pending_call_survives() -> None:
    with row("4_pending_call_survives", config={**TEXT, **TOOL}, reconnect=QUICK) as session:
        turn = asked(session, "one")
        until(lambda: session.stats.messages_received > 4)  # of the second connection
        answered_call(session, turn)
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert_the_last_is_its_own(session)


def test_pending_call_keeps_the_model_saying_in_progress() -> None:
    with row("4_pending_call_keeps_the_model_saying_in_progress", config={**TEXT, **TOOL}, reconnect=QUICK) as session:
        turn = asked(session, "one")
        until(lambda: session.stats.messages_received > 4)  # of the second connection
        assert asked(session, "two").text == "the look-up is in progress"
        answered_call(session, turn)
        assert session.collect(timeout=PATIENCE).text == "it is 42"
        assert_the_last_is_its_own(session)


def test_session_lost() -> None:
    with row("4_session_lost", reconnect=ReconnectPolicy(first_pause=0.3, give_up_after=0.4)) as session:
        with pytest.raises((TurnLost, SessionClosed)):
            asked(session, "one")
        with pytest.raises(SessionClosed):
            asked(session, "last")


def test_interrupted_between_generation_and_playback() -> None:
    with row("4_interrupted_between_generation_and_playback", OF_3_8, SPEECH) as session:
        turn = asked(session, "one", until="generated")
        assert turn.text == "the answer to one"
        session.send_realtime_input(audio=bytes(3200))
        answer = session.collect(timeout=PATIENCE)
        assert answer.text == "the answer to the speech"
        assert_the_last_is_its_own(session)
