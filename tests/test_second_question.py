"""A question before the answer to the one before it has begun: whatever the service makes of it, later asks get their own.

Nobody has recorded the service there; the emulator plays all four possibilities. Where it gives two questions one turn, only
silence can tell, and costs 4 s once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Client, Session
from genai_live.emulator import LiveEmulator
from genai_live.errors import ReceiveTimeout
from tests.raw_peer import beside
from tests.waiting import PATIENCE

pytestmark = pytest.mark.waits

THINKS = 5.0
"""The emulator's pace: an answer begins after 1.5 s, so that no machine is too slow to ask again before."""
OWN_TURN = ("interrupts", "waits")
ONE_TURN = {"merges": "You said: one You said: two", "replaces": "You said: two"}
"""What the one turn says that answers two questions."""


@contextmanager
def talking(setting: Any, **connect: Any) -> Iterator[Session]:
    with LiveEmulator(second_question=setting, pace=THINKS, voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}, **connect) as session:
            yield session


def give_up(session: Session, question: str) -> None:
    with pytest.raises(ReceiveTimeout):
        session.ask(question, timeout=0.1)


def assert_own(session: Session, question: str) -> None:
    turn = session.ask(question, timeout=PATIENCE)
    assert (turn.text, turn.questions, turn.incomplete) == (f"You said: {question}", 1, False)


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
@pytest.mark.parametrize("setting", OWN_TURN)
def test_where_each_has_its_own_turn_nothing_is_waited_for(setting: str, callback: bool) -> None:
    with talking(setting, callbacks={"on_message": lambda message: None} if callback else None) as session:
        give_up(session, "one")
        assert_own(session, "two")
        assert_own(session, "three")
        assert session.stats.resynchronised == 0


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
@pytest.mark.parametrize("setting", ONE_TURN)
def test_where_two_have_one_turn_silence_closes_both(setting: str, callback: bool) -> None:
    with talking(setting, callbacks={"on_message": lambda message: None} if callback else None) as session:
        give_up(session, "one")
        turn = session.ask("two", timeout=PATIENCE)
        assert (turn.text, turn.questions) == (ONE_TURN[setting], 2)
        assert session.stats.resynchronised == 1
        assert_own(session, "three")
        assert session.stats.resynchronised == 1


@pytest.mark.parametrize("setting", ONE_TURN)
def test_three_that_have_one_turn_are_closed_with_it(setting: str) -> None:
    with talking(setting) as session:
        give_up(session, "one")
        session.send_text("two")
        turn = session.ask("three", timeout=PATIENCE)
        assert turn.text.endswith("You said: three")
        assert turn.questions == 3
        assert_own(session, "four")


@pytest.mark.parametrize("setting", [*OWN_TURN, "merges"])
def test_a_question_of_another_thread_meanwhile_takes_nothing_away(setting: str) -> None:
    with talking(setting) as session:
        asking = beside(session.ask, "one", timeout=PATIENCE)
        while not session.stats.messages_sent >= 2:
            continue
        session.send_text("two")
        first = asking.result(PATIENCE)
        expected = {"interrupts": "", "waits": "You said: one", "merges": ONE_TURN["merges"]}
        assert (first.text, first.interrupted) == (expected[setting], setting == "interrupts")
        turn = session.ask("three", timeout=PATIENCE)
        assert turn.text == "You said: three"
        assert_own(session, "four")


@pytest.mark.parametrize("setting", ONE_TURN)
def test_a_call_that_follows_upon_a_merged_question_is_given_to_the_ask_that_waits(setting: str) -> None:
    tools = [{"function_declarations": [{"name": "look"}]}]
    with LiveEmulator(second_question=setting, pace=THINKS, voice=False) as emulator:  # type: ignore[arg-type]
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        config = {"response_modalities": ["TEXT"], "tools": tools}
        with client.live.connect(model="emulator", config=config) as session:
            give_up(session, "one")
            session.send_text("two")
            assert session.collect(timeout=PATIENCE).text == ONE_TURN[setting]
            turn = session.ask("look", timeout=PATIENCE)
            (call,) = turn.tool_calls
            session.send_tool_response(function_responses={"id": call.id, "name": "look", "response": {"seen": 1}})
            assert session.collect(timeout=PATIENCE).text == 'look answered: {"seen": 1}'
            assert session.ask("three", timeout=PATIENCE).text == "You said: three"
