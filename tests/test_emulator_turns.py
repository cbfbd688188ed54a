"""Turns as they cross the wire: text, speech, transcription, interruption, tools, usage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator
from tests.live_wire import SPEECH, TEXT, Wire, audio, content, kinds, silence, spoken, tone, transcript, written

WEATHER = {
    "functionDeclarations": [
        {"name": "turn_on_light", "parameters": {"type": "OBJECT", "properties": {"room": {"type": "STRING"}}}},
        {
            "name": "get_weather",
            "parameters": {
                "type": "OBJECT",
                "properties": {
                    "city": {"type": "STRING"},
                    "days": {"type": "INTEGER"},
                    "unit": {"type": "STRING", "enum": ["celsius", "kelvin"]},
                    "alerts": {"type": "BOOLEAN"},
                    "hours": {"type": "ARRAY", "items": {"type": "NUMBER"}},
                },
                "required": ["city", "days", "unit", "alerts", "hours"],
            },
        },
    ]
}


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


def manual(**more: Any) -> dict[str, Any]:
    return {**SPEECH, "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}, **more}


def call_of(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The only function call of some messages."""
    (call,) = [call for message in messages for call in message.get("toolCall", {}).get("functionCalls", [])]
    found: dict[str, Any] = call
    return found


def response(call_id: str, **more: Any) -> dict[str, Any]:
    return {"toolResponse": {"functionResponses": [{"id": call_id, "name": "get_weather", "response": {"sky": "blue"}, **more}]}}


# -- text --------------------------------------------------------------------------------------------------------------


def test_a_text_turn_is_text_then_generation_complete_then_turn_complete_with_usage(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        turn = wire.ask("Hello, is this the emulator?")
    assert kinds(turn) == ["modelTurn", "modelTurn", "modelTurn", "generationComplete", "turnComplete"]
    assert written(turn) == "You said: Hello, is this the emulator?"
    usage = turn[-1]["usageMetadata"]
    assert usage["promptTokenCount"] + usage["responseTokenCount"] == usage["totalTokenCount"]
    assert all("usageMetadata" not in message for message in turn[:-1])


def test_content_that_is_not_complete_waits_and_is_answered_with_the_rest(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send(content("One.", complete=False))
        wire.send(content("Two."))
        assert written(wire.turn()) == "You said: One. Two."


def test_only_what_follows_the_model_s_last_turn_is_answered(emulator: LiveEmulator) -> None:
    turns = [{"role": "user", "parts": [{"text": "old"}]}, {"role": "model", "parts": [{"text": "answer"}]}]
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"clientContent": {"turns": [*turns, {"parts": [{"text": "new"}]}], "turnComplete": True}})
        assert written(wire.turn()) == "You said: new"


def test_a_turn_of_role_system_is_no_question(emulator: LiveEmulator) -> None:
    turns = [{"role": "system", "parts": [{"text": "Be brief."}]}, {"role": "user", "parts": [{"text": "Hi"}]}]
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"clientContent": {"turns": turns, "turnComplete": True}})
        assert written(wire.turn()) == "You said: Hi"


def test_initial_history_is_taken_without_an_answer(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**TEXT, "historyConfig": {"initialHistoryInClientContent": True}}) as wire:
        wire.send(content("This is history."))
        assert written(wire.ask("Now answer.")) == "You said: Now answer."


def test_realtime_text_is_a_prompt_of_its_own(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"realtimeInput": {"text": "Hi"}})
        assert written(wire.turn()) == "You said: Hi"


def test_pictures_are_seen(emulator: LiveEmulator) -> None:
    picture = {"mimeType": "image/jpeg", "data": "/9g="}
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"realtimeInput": {"video": picture}})
        wire.send({"realtimeInput": {"mediaChunks": [picture]}})
        wire.send({"clientContent": {"turns": [{"parts": [{"inlineData": picture}, {"text": "What?"}]}], "turnComplete": True}})
        turn = wire.turn()
    assert written(turn) == "You said: What? I saw 3 images."
    assert {"modality": "IMAGE", "tokenCount": 3 * 258} in turn[-1]["usageMetadata"]["promptTokensDetails"]


@pytest.mark.waits
def test_content_interrupts_a_running_answer_before_its_own_is_given() -> None:
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(content("Tell me a very long story about everything that ever happened"))
        wire.read_until("modelTurn")
        wire.send(content("Stop", complete=False))
        interrupted = kinds(wire.turn())
        assert interrupted[-2:] == ["interrupted", "turnComplete"]
        assert "generationComplete" not in interrupted


# -- speech ------------------------------------------------------------------------------------------------------------


def test_speech_is_answered_with_itself_at_24_khz_and_both_transcripts(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(silence(0.2) + tone(1.0) + silence(0.8))
        turn = wire.turn()
    pcm = b"".join(map(spoken, turn))
    assert 1.0 <= len(pcm) / 2 / 24_000 <= 1.6
    assert transcript(turn, "inputTranscription") == "[1.0 s of speech]"
    assert transcript(turn, "outputTranscription") == "I heard 1.0 s of speech."
    blob = next(m for m in turn if spoken(m))["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
    assert blob["mimeType"] == "audio/pcm;rate=24000"


def test_transcripts_come_in_fragments_and_in_the_documented_order() -> None:
    words = "Can you tell me what time it is?"
    with LiveEmulator(pace=0.0, voice=False, hears=[words]) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        turn = wire.turn()
    order = kinds(turn)
    assert order.count("inputTranscription") == 3
    assert transcript(turn, "inputTranscription") == words
    last_input, first_sound = order[::-1].index("inputTranscription"), order.index("modelTurn")
    assert len(order) - 1 - last_input < first_sound, "what was heard comes before the answer to it"
    assert max(at for at, kind in enumerate(order) if kind == "outputTranscription") < order.index("generationComplete")
    assert order[-2:] == ["generationComplete", "turnComplete"]


def test_nothing_is_transcribed_that_was_not_asked_for(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={"model": "models/emulator"}) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        assert not [kind for kind in kinds(wire.turn()) if "ranscription" in kind]


def test_text_asked_of_a_speaking_session_is_answered_in_tones(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        turn = wire.ask("Hello")
    assert transcript(turn, "outputTranscription") == "You said: Hello"
    assert len(b"".join(map(spoken, turn))) > 24_000


def test_an_utterance_that_was_announced_is_understood() -> None:
    with LiveEmulator(pace=0.0, voice=False, hears=["What time is it?"]) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        turn = wire.turn()
    assert transcript(turn, "inputTranscription") == "What time is it?"
    assert transcript(turn, "outputTranscription") == "I heard 0.5 s of speech. You said: What time is it?"


def test_the_end_of_the_stream_ends_an_utterance_without_silence(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.6))
        wire.send({"realtimeInput": {"audioStreamEnd": True}})
        assert transcript(wire.turn(), "inputTranscription") == "[0.6 s of speech]"


def test_a_whole_recording_in_one_message_is_heard_like_a_stream(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(audio(silence(0.5) + tone(0.5) + silence(1.0)))
        assert transcript(wire.turn(), "inputTranscription") == "[0.5 s of speech]"


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_audio_of_another_rate_is_heard_at_its_own_length(emulator: LiveEmulator, rate: int) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(audio(tone(1.0, rate=rate) + silence(1.0, rate), f"audio/pcm;rate={rate}"))
        turn = wire.turn()
    assert transcript(turn, "inputTranscription") == "[1.0 s of speech]"
    assert 1.0 <= sum(len(spoken(m)) for m in turn) / 48_000 <= 1.6


def test_manual_activity_marks_the_utterance(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=manual()) as wire:
        wire.send({"realtimeInput": {"activityStart": {}}})
        wire.stream(silence(0.4))
        wire.send({"realtimeInput": {"text": "Quiet"}})
        wire.send({"realtimeInput": {"activityEnd": {}}})
        turn = wire.turn()
    assert transcript(turn, "inputTranscription") == "[0.4 s of speech]"


@pytest.mark.parametrize(
    ("setup", "member"), [(SPEECH, {"activityStart": {}}), (SPEECH, {"activityEnd": {}}), (manual(), {"audioStreamEnd": True})]
)
def test_activity_signals_of_the_other_mode_end_the_session(emulator: LiveEmulator, setup: dict[str, Any], member: Any) -> None:
    with Wire(emulator.url, setup=setup) as wire:
        wire.send({"realtimeInput": member})
        assert wire.closed()[0] == 1007


@pytest.mark.waits
def test_speech_over_the_answer_interrupts_it() -> None:
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(content("Say something that takes a while to say, please"))
        wire.read_until("generationComplete")
        wire.stream(tone(0.3))
        assert kinds(wire.turn()) == ["interrupted", "turnComplete"]


@pytest.mark.waits
def test_with_no_interruption_the_answer_is_finished_and_the_speech_answered_after_it() -> None:
    setup = {**SPEECH, "realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}
    with LiveEmulator(voice=False) as slow, Wire(slow.url, setup=setup) as wire:
        wire.send(content("Hi"))
        wire.stream(tone(0.2) + silence(0.6))
        first, second = wire.turn(), wire.turn()
    assert "interrupted" not in kinds(first)
    assert transcript(second, "inputTranscription") == "[0.2 s of speech]"


@pytest.mark.waits
def test_turn_complete_waits_for_the_assumed_playback_unless_told_not_to() -> None:
    def gap(**options: Any) -> float:
        with LiveEmulator(voice=False, **options) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
            wire.send(content("Hi you"))
            wire.read_until("generationComplete")
            before = emulator.received[-1].at
            wire.turn()
            wire.send({"realtimeInput": {"audioStreamEnd": True}})
            return emulator.wait_for("realtimeInput").at - before

    assert gap() >= 0.5
    assert gap(playback="instant", pace=0.0) < gap()


SECOND_QUESTION = {
    "interrupts": ["interrupted", "You said: Two. You said: 3."],
    "waits": ["You said: One.", "You said: Two. You said: 3."],
    "merges": ["You said: One. You said: Two. You said: 3."],
    "replaces": ["You said: Two. You said: 3."],
}
"""What each turn says that follows upon two questions at once, the second in two pieces."""


@pytest.mark.waits
@pytest.mark.parametrize("setting", SECOND_QUESTION)
def test_a_question_before_the_answer_to_another_has_begun_does_what_the_setting_says(setting: Any) -> None:
    with LiveEmulator(voice=False, second_question=setting, pace=2.0) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        wire.send(content("One."))
        wire.send(content("Two. You said:", complete=False))
        wire.send(content("3."))
        turns = [wire.turn() for _ in SECOND_QUESTION[setting]]
        assert [written(turn) or kinds(turn)[0] for turn in turns] == SECOND_QUESTION[setting]
        assert all("usageMetadata" in turn[-1] for turn in turns)
        assert written(wire.ask("Last.")) == "You said: Last."


@pytest.mark.waits
def test_questions_that_wait_are_answered_in_their_order_whatever_interrupts() -> None:
    with LiveEmulator(voice=False, second_question="waits") as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(content("One."))
        wire.send(content("Two."))
        wire.read_until("modelTurn")
        wire.send(content("Three."))
        assert kinds(wire.turn())[-2:] == ["interrupted", "turnComplete"]
        assert [transcript(wire.turn(), "outputTranscription") for _ in range(2)] == ["You said: Two.", "You said: Three."]


@pytest.mark.waits
def test_questions_that_merge_are_one_turn_of_both_their_calls() -> None:
    with (
        LiveEmulator(voice=False, second_question="merges", pace=2.0) as emulator,
        Wire(emulator.url, setup={**TEXT, "tools": [WEATHER]}) as wire,
    ):
        wire.send(content("The weather?"))
        wire.send(content("And some light!"))
        ids = [call_of(wire.read_until("toolCall"))["id"] for _ in range(2)]
        wire.send(response(ids[0]))
        wire.send(response(ids[1]))
        assert written(wire.turn()).count("get_weather answered") == 2


# -- tools -------------------------------------------------------------------------------------------------------------


def test_a_tool_round_is_call_response_and_answer_in_one_turn(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**TEXT, "tools": [WEATHER]}) as wire:
        wire.send(content("What is the weather in Paris for 3 days, in kelvin?"))
        call = call_of(wire.read_until("toolCall"))
        wire.send(response(call["id"]))
        turn = wire.turn()
    assert (call["name"], call["id"][:14]) == ("get_weather", "function-call-")
    assert call["args"] == {"city": "Paris", "days": 3, "unit": "kelvin", "alerts": True, "hours": [3.0]}
    assert kinds(turn).count("turnComplete") == 1
    assert written(turn) == 'get_weather answered: {"sky": "blue"}'


def test_a_question_about_something_else_calls_nothing(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**TEXT, "tools": [WEATHER]}) as wire:
        assert "toolCall" not in kinds(wire.ask("How are you?"))


def test_speech_that_nobody_understands_calls_the_first_function_once(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**SPEECH, "tools": [WEATHER]}) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        call = call_of(wire.read_until("toolCall"))
        wire.send(response(call["id"]))
        wire.turn()
        wire.stream(tone(0.5) + silence(0.8))
        assert "toolCall" not in kinds(wire.turn())
    assert call["name"] == "turn_on_light"


@pytest.mark.parametrize("call_id", ["nobody", None])
def test_a_response_to_no_call_ends_the_session(emulator: LiveEmulator, call_id: str | None) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"toolResponse": {"functionResponses": [{"id": call_id, "name": "f", "response": {}}]}})
        assert wire.closed() == (1008, "Requested entity was not found.")


def test_an_interruption_cancels_the_open_call(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**TEXT, "tools": [WEATHER]}) as wire:
        wire.send(content("The weather, please"))
        call = call_of(wire.read_until("toolCall"))
        wire.send(content("Never mind"))
        turn = wire.turn()
        assert turn[0] == {"toolCallCancellation": {"ids": [call["id"]]}}
        assert kinds(turn) == ["toolCallCancellation", "interrupted", "turnComplete"]
        assert written(wire.turn()) == "You said: Never mind"


def test_a_non_blocking_function_ends_its_turn_and_is_answered_when_idle(emulator: LiveEmulator) -> None:
    tool = {"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}
    with Wire(emulator.url, setup={**TEXT, "tools": [tool]}) as wire:
        turn = wire.ask("weather?")
        assert kinds(turn) == ["toolCall", "generationComplete", "turnComplete"]
        assert written(wire.ask("Meanwhile")) == "You said: Meanwhile"
        wire.send(response(call_of(turn)["id"], scheduling="WHEN_IDLE"))
        assert written(wire.turn()).startswith("get_weather answered")


def test_a_silent_response_is_stored_and_not_spoken_of(emulator: LiveEmulator) -> None:
    tool = {"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}
    with Wire(emulator.url, setup={**TEXT, "tools": [tool]}) as wire:
        call = call_of(wire.ask("weather?"))
        wire.send(response(call["id"], scheduling="SILENT"))
        assert written(wire.ask("Still there?")) == "You said: Still there?"


@pytest.mark.waits
def test_a_response_that_interrupts_cuts_into_the_answer() -> None:
    tool = {"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup={**SPEECH, "tools": [tool]}) as wire:
        call = call_of(wire.ask("weather?"))
        wire.send(content("Tell me something long while I am waiting for it"))
        wire.read_until("modelTurn")
        wire.send(response(call["id"], scheduling="INTERRUPT"))
        assert "interrupted" in kinds(wire.turn())
        assert transcript(wire.turn(), "outputTranscription").startswith("get_weather answered")


def test_a_context_update_replaces_the_tools(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup={**TEXT, "tools": [WEATHER]}) as wire:
        wire.send({"contextUpdate": {"tools": {"tools": [{"functionDeclarations": [{"name": "play_music"}]}]}}})
        assert "toolCall" not in kinds(wire.ask("The weather?"))
        wire.send(content("Some music!"))
        assert call_of(wire.read_until("toolCall"))["name"] == "play_music"
