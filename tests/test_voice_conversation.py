"""A conversation: what is said goes to the model, what it answers is heard, and everybody is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Client, errors
from genai_live.emulator import LiveEmulator
from genai_live.voice import (
    Conversation,
    ConversationState,
    Ended,
    Interrupted,
    ModelWords,
    StateChanged,
    TurnEnded,
    UserWords,
)
from tests.sound_ends import HandEnd
from tests.waiting import PATIENCE

MODEL = "gemini-3.8-live"


@contextmanager
def client_of(*, shared: bool = False, **options: Any) -> Iterator[Client]:
    """A client of an emulator that waits for nothing."""
    with LiveEmulator(**{"voice": False, "pace": 0.0, **options}) as emulator:
        yield Client(api_key="k", http_options={"base_url": emulator.url}, shared_reader=shared)


@contextmanager
def talking(end: HandEnd, client: Client, **settings: Any) -> Iterator[Conversation]:
    with Conversation.connect(client, end, **{"model": MODEL, **settings}) as conversation:
        yield conversation


def told(end: HandEnd, kind: type[Any]) -> list[Any]:
    return [event for event in end.shown if isinstance(event, kind)]


def states(end: HandEnd) -> list[str]:
    return [str(event.state) for event in told(end, StateChanged)]


def test_what_is_spoken_is_answered_and_each_step_is_told_in_order() -> None:
    end = HandEnd(eager=True)
    with client_of(hears=["what time is it"]) as client, talking(end, client) as conversation:
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
        (turn,) = told(end, TurnEnded)
        assert [utterance.speaker for utterance in turn.utterances] == ["user", "model"]
        assert turn.utterances[0].text == "what time is it"
        assert turn.utterances[1].heard == pytest.approx(len(end.pcm) / 48_000)
        assert turn.usage is not None
        assert turn.latency.first_played is not None
        assert conversation.transcript == turn.utterances
    assert states(end) == ["listening", "hearing", "waiting", "speaking", "listening", "ended"]
    kinds = [type(event) for event in end.shown]
    assert kinds.index(UserWords) < kinds.index(ModelWords) < kinds.index(TurnEnded)
    assert kinds[-1] is Ended
    assert end.closed.is_set()
    assert conversation.state is ConversationState.ENDED


@pytest.mark.parametrize("pace", [1.0, 0.0], ids=["which the service cuts short", "which the service takes to be heard"])
def test_speech_over_the_answer_empties_the_end_and_says_how_much_was_heard(pace: float) -> None:
    end = HandEnd()
    with client_of(pace=pace) as client, talking(end, client):
        end.speak(1.0)
        end.wait(lambda: end.held > 1.0)
        end.hear(0.5)
        end.speak(1.0)
        end.wait(lambda: told(end, Interrupted))
        assert end.flushed == 1
        (interrupted,) = told(end, Interrupted)
        assert (interrupted.heard, interrupted.exact) == (0.5, True)


def test_a_session_that_is_open_already_stays_open_and_lets_nobody_else_receive_meanwhile() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, client.live.connect(model=MODEL, config={"response_modalities": ["AUDIO"]}) as session:
        with Conversation(session, end):
            with pytest.raises(errors.WrongThread, match="a Conversation receives from this session"):
                session.ask("Hello")
            end.speak(1.0)
            end.wait(lambda: told(end, TurnEnded))
        assert told(end, Ended)[0].close_info is None
        assert session.ask("Hello", timeout=PATIENCE).audio


def test_a_session_that_answers_in_text_is_refused_and_can_be_used_as_before() -> None:
    with client_of() as client, client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        with pytest.raises(errors.ConfigError, match="answers in TEXT"):
            Conversation(session, HandEnd())
        assert session.ask("Hello", timeout=PATIENCE).text


def test_an_end_without_sound_is_told_before_anything_is_dialled() -> None:
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.DeviceError, match="no microphone"):
        Conversation.connect(client, HandEnd(error=errors.DeviceError("no microphone")), model=MODEL)


def test_an_end_is_closed_again_where_no_session_can_be_had() -> None:
    end = HandEnd()
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConnectError):
        Conversation.connect(client, end, model=MODEL)
    assert end.closed.is_set()


def test_the_end_that_hangs_up_ends_the_conversation() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client) as conversation:
        end.ended(None)
        ended = conversation.wait(PATIENCE)
        assert (ended.error, ended.close_info is not None) == (None, True)


def test_the_error_of_an_end_is_that_of_the_conversation() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client) as conversation:
        end.ended(errors.DeviceError("unplugged"))
        assert isinstance(conversation.wait(PATIENCE).error, errors.DeviceError)


def test_a_button_is_what_the_service_goes_by_where_it_detects_nothing() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        end.speak(0.5)  # nobody presses: it is not sent
        conversation.press()
        end.speak(0.5)
        conversation.release()
        end.wait(lambda: told(end, TurnEnded))
        assert conversation.stats.sent == pytest.approx(1.5, abs=0.05)
    assert states(end) == ["listening", "hearing", "waiting", "speaking", "listening", "ended"]


def test_events_come_to_who_iterates_and_end_with_the_last() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client) as conversation:
        conversation.send_text("Hello")
        seen = []
        for event in conversation:
            seen.append(event)
            if isinstance(event, TurnEnded):
                conversation.close()
        assert isinstance(seen[-1], Ended)
        assert [part.text for part in conversation.history()[0].parts or ()] == ["Hello"]
