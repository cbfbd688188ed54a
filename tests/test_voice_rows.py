"""A conversation over every sequence that the service was seen to send, or should: tests/data/service, see test_service_rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client, ReconnectPolicy
from genai_live.emulator import LiveEmulator, load_script
from genai_live.voice import Conversation, ConversationState, Reconnected, TurnEnded
from tests.sound_ends import HandEnd, told
from tests.waiting import PATIENCE, until

ROWS = Path(__file__).parent / "data" / "service"
LAST = "the last answer"
LEFT_OUT = {
    "4_session_lost": "nothing is left to talk over",
    "3_turns_that_never_complete": "a transcriber answers in a millisecond, where a typed question drops what was on its way",
}
OF_3_8, OF_3_1 = "gemini-3.8-live", "gemini-3.1-flash-live-preview"
MODELS = {
    OF_3_8: (
        "2_a_silent_response_is_not_spoken_of", "2_a_response_when_idle", "2_a_response_that_interrupts",
        "3_a_call_in_its_own_turn_that_nobody_answers", "3_a_call_in_its_own_turn_that_nobody_received",
        "3_empty_frames_between_turns", "3_speech_that_is_not_answered", "3_tool_round_in_two_turns_of_3_8",
        "4_interrupted_between_generation_and_playback",
    ),
    OF_3_1: (
        "3_transcript_in_the_frame_of_its_audio", "3_only_generation_complete", "3_speech_with_voice_activity_beside_content",
        "3_tool_round_in_one_turn_of_3_1",
    ),
    "gemini-live-2.5-flash": ("3_tool_round_in_two_turns_of_vertex",),
    "gemini-2.0-flash-live-preview-04-09": ("3_calls_without_an_id",),
}  # fmt: skip
UPDATED_AT_ONCE = ("emulator", OF_3_8)
"""Models that send a resumption handle after setupComplete."""
VERTEX = ("gemini-live-2.5-flash", "gemini-2.0-flash-live-preview-04-09")
SCHEDULING = {
    "2_a_silent_response_is_not_spoken_of": "SILENT",
    "2_a_response_when_idle": "WHEN_IDLE",
    "2_a_response_that_interrupts": "INTERRUPT",
}
TOOL = {"tools": [{"function_declarations": [{"name": "look"}]}]}
ANSWER = {"response": {"result": 42}}


def steps_in(script: Any) -> Iterator[list[dict[str, Any]]]:
    """The steps of each session of a script."""
    if isinstance(script, dict) and "steps" in script:
        yield script["steps"]
    elif isinstance(script, (dict, list)):
        for each in script.values() if isinstance(script, dict) else script:
            yield from steps_in(each)


class Person:
    """Does what the script waits for, when all has come that it sends before."""

    def __init__(self, conversation: Conversation, end: HandEnd, model: str, answer: dict[str, Any]) -> None:
        self.conversation, self.end, self.model, self.answer = conversation, end, model, answer
        self.expected = 0
        """Messages that have come before the next act."""
        self.calls: list[dict[str, Any]] = []

    def play(self, steps: list[dict[str, Any]], connection: int) -> None:
        until(lambda: len(told(self.end, Reconnected)) >= connection)
        self.expected += 1  # setupComplete
        if steps[0] != {"update": True} and self.model in UPDATED_AT_ONCE:
            self.expected += 1
        for step in steps:
            if "expect" in step:
                self.act(step["expect"], step.get("text", ""))
            elif step.keys() & {"send", "update", "goAway", "cancelCalls"}:
                self.expected += 1
                self.calls += step.get("send", {}).get("toolCall", {}).get("functionCalls", ())

    def act(self, kind: str, text: str) -> None:
        until(lambda: self.conversation.session.stats.messages_received >= self.expected)
        if kind == "prompt":
            self.conversation.send_text(text)
        elif kind == "realtimeInput.audio":
            self.end.feed(bytes(1280))
        elif kind == "toolResponse":
            until(lambda: self.calls)
            calls, self.calls = self.calls, []
            given = [{key: call[key] for key in ("id", "name") if key in call} | self.answer for call in calls]
            self.conversation.session.send_tool_response(function_responses=given)


@pytest.mark.waits
@pytest.mark.parametrize("name", sorted(path.stem for path in ROWS.glob("*.json") if path.stem not in LEFT_OUT))
def test_a_conversation_stands_what_the_service_does_and_ends_every_turn(name: str) -> None:
    end, path = HandEnd(eager=True), ROWS / f"{name}.json"
    model = next((model for model, names in MODELS.items() if name in names), "emulator")
    answer = ANSWER | ({"scheduling": SCHEDULING[name]} if name in SCHEDULING else {})
    script = json.loads(path.read_text(encoding="utf-8"))
    with LiveEmulator(scenario=load_script(path), pace=0.0, voice=False) as emulator:
        client = Client(api_key="k", vertexai=model in VERTEX, http_options={"base_url": emulator.url})
        quick = ReconnectPolicy(first_pause=0.01)
        with Conversation.connect(client, end, model=model, config=TOOL, reconnect=quick, timeout=PATIENCE) as conversation:
            person = Person(conversation, end, model, answer)
            connections = [steps for steps in steps_in(script) if steps[0] != {"expect": "setup"}]
            for number, steps in enumerate(connections):
                person.play(steps, number)

            def said() -> list[str]:
                every = (said for turn in told(end, TurnEnded) for said in turn.utterances)
                return [each.text for each in every if each.speaker == "model"]

            until(lambda: LAST in said())
            until(lambda: conversation.state is ConversationState.LISTENING)
            emulator.assert_complete()
            assert said().count(LAST) == 1
