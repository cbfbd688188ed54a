"""Each family of models behaves as it was recorded; what was never recorded is marked in ``profiles``."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator
from genai_live.emulator.model.profiles import profile_for
from tests.live_wire import MLDEV, SPEECH, VERTEX, Wire, content, kinds, silence, spoken, tone, transcript

TOOLS = [{"functionDeclarations": [{"name": "get_weather"}]}]
NATIVE = "models/gemini-2.5-flash-native-audio-preview-09-2025"
FLASH_31 = "models/gemini-3.1-flash-live-preview"
LIVE_38 = "models/gemini-3.8-live"
ON_VERTEX = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"
TRANSCRIBER = "models/gemini-live-transcribe"


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


def session(emulator: LiveEmulator, model: str, **more: Any) -> Wire:
    return Wire(emulator.url, VERTEX if model.startswith("projects/") else MLDEV, {**SPEECH, "model": model, **more})


def prompt(text: str) -> dict[str, Any]:
    """Text as every family takes it."""
    return {"realtimeInput": {"text": text}}


@pytest.mark.parametrize(
    ("model", "backend", "name"),
    [
        ("emulator", "mldev", "emulator"),
        ("models/whatever", "mldev", "emulator"),
        (NATIVE, "mldev", "2.5 native audio"),
        ("models/gemini-live-2.5-flash-preview", "mldev", "2.5 flash live"),
        (FLASH_31, "mldev", "3.1 flash live"),
        (LIVE_38, "mldev", "3.8 live"),
        (f"{LIVE_38}-extended-thinking", "mldev", "3.8 live extended thinking"),
        (ON_VERTEX, "vertex", "2.5 native audio on Vertex"),
        (TRANSCRIBER, "mldev", "transcribe"),
        ("models/gemini-3.1-live-translate", "mldev", "translate"),
    ],
)
def test_the_model_s_name_and_the_path_choose_the_family(model: str, backend: str, name: str) -> None:
    assert profile_for(model, backend).name == name


@pytest.mark.parametrize(
    ("model", "pattern"),
    [(NATIVE, r"function-call-\d{20}"), (FLASH_31, r"fc_\d{18}"), (LIVE_38, r"call_\d{6}"), (ON_VERTEX, r"[0-9a-f-]{36}")],
)
def test_function_calls_have_ids_of_the_family_s_form(emulator: LiveEmulator, model: str, pattern: str) -> None:
    with session(emulator, model, tools=TOOLS) as wire:
        wire.send(prompt("weather"))
        (call,) = wire.read_until("toolCall")[-1]["toolCall"]["functionCalls"]
    assert re.fullmatch(pattern, call["id"])


def test_older_models_on_vertex_call_without_an_id_and_are_answered_by_name(emulator: LiveEmulator) -> None:
    with session(emulator, "projects/p/locations/l/publishers/google/models/gemini-2.0-flash-live", tools=TOOLS) as wire:
        wire.send(prompt("weather"))
        (call,) = wire.turn()[0]["toolCall"]["functionCalls"]
        assert "id" not in call
        wire.send({"toolResponse": {"functionResponses": [{"name": "get_weather", "response": {"t": 1}}]}})
        assert transcript(wire.turn(), "outputTranscription").startswith("get_weather answered")


def test_2_5_flash_writes_code_before_it_calls(emulator: LiveEmulator) -> None:
    with session(emulator, "models/gemini-live-2.5-flash-preview", tools=TOOLS) as wire:
        wire.send(prompt("weather"))
        code, call = wire.read_until("toolCall")
    assert "default_api.get_weather" in code["serverContent"]["modelTurn"]["parts"][0]["executableCode"]["code"]
    assert call["toolCall"]["functionCalls"][0]["name"] == "get_weather"


def test_2_5_sends_transcripts_and_audio_apart_and_an_update_after_the_turn(emulator: LiveEmulator) -> None:
    with session(emulator, NATIVE, sessionResumption={}) as wire:
        wire.send(prompt("Hello"))
        turn = wire.turn()
        assert not [kind for kind in kinds(turn) if kind == "modelTurn+outputTranscription"]
        assert wire.read()["sessionResumptionUpdate"]["resumable"] is True


def test_2_5_native_audio_does_not_send_updates_unasked(emulator: LiveEmulator) -> None:
    with session(emulator, NATIVE) as wire:
        wire.send(prompt("Hello"))
        wire.turn()
        wire.send(prompt("Again"))
        assert "sessionResumptionUpdate" not in kinds(wire.turn())


def test_3_1_sends_transcript_beside_audio_empty_content_and_updates_after_tool_responses(emulator: LiveEmulator) -> None:
    with session(emulator, FLASH_31, tools=TOOLS) as wire:
        wire.send(prompt("weather"))
        (call,) = wire.read_until("toolCall")[-1]["toolCall"]["functionCalls"]
        wire.send({"toolResponse": {"functionResponses": [{"id": call["id"], "name": "get_weather", "response": {}}]}})
        turn = kinds(wire.turn())
    assert turn[:3] == ["sessionResumptionUpdate", "{}", "modelTurn+outputTranscription"]


def test_3_1_signals_activity_beside_empty_content(emulator: LiveEmulator) -> None:
    with session(emulator, FLASH_31) as wire:
        wire.stream(silence(0.24) + tone(0.5) + silence(0.8))
        first, second = wire.read(), wire.read()
    assert first == {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.240s"}, "serverContent": {}}
    assert second["voiceActivity"] == {"type": "ACTIVITY_END", "audioOffset": "0.740s"}


@pytest.mark.parametrize("message", [content("Hi"), {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": ""}]}}])
@pytest.mark.parametrize("first", [content("Hello"), prompt("Hello")])
def test_3_1_refuses_content_after_the_first_turn_and_media_chunks(
    emulator: LiveEmulator, first: dict[str, Any], message: dict[str, Any]
) -> None:
    with session(emulator, FLASH_31) as wire:
        wire.send(first)
        assert transcript(wire.turn(), "outputTranscription") == "You said: Hello"
        wire.send(message)
        assert wire.closed() == (1007, "Request contains an invalid argument.")


def test_3_1_takes_content_as_opening_history(emulator: LiveEmulator) -> None:
    with session(emulator, FLASH_31, historyConfig={"initialHistoryInClientContent": True}) as wire:
        wire.send(content("history"))
        wire.send(prompt("Go"))
        assert transcript(wire.turn(), "outputTranscription") == "You said: Go"


def test_3_8_sends_an_update_at_once_empty_frames_and_whole_rounds_for_calls(emulator: LiveEmulator) -> None:
    with session(emulator, LIVE_38, tools=TOOLS) as wire:
        assert len(wire.read()["sessionResumptionUpdate"]["newHandle"]) == 36
        wire.send(prompt("Hello"))
        assert "{}" in kinds(wire.turn())
        wire.send(prompt("weather"))
        turn = wire.turn()
        assert kinds(turn) == ["toolCall", "generationComplete", "turnComplete"]
        (call,) = turn[0]["toolCall"]["functionCalls"]
        wire.send({"toolResponse": {"functionResponses": [{"id": call["id"], "name": "get_weather", "response": {}}]}})
        assert transcript(wire.turn(), "outputTranscription").startswith("get_weather answered")


def test_3_8_interrupted_during_playback_says_activity_interrupted_and_complete() -> None:
    with LiveEmulator(voice=False) as emulator, session(emulator, LIVE_38) as wire:
        wire.send(prompt("Say something long enough to be interrupted"))
        wire.read_until("generationComplete")
        wire.stream(tone(0.3))
        assert kinds(wire.turn()) == ["voiceActivity", "interrupted", "turnComplete"]


def test_3_8_never_takes_a_call_back(emulator: LiveEmulator) -> None:
    with session(emulator, LIVE_38, tools=TOOLS) as wire:
        wire.send(prompt("weather"))
        found = wire.turn()
        wire.stream(tone(0.3))
        wire.send({"realtimeInput": {"audioStreamEnd": True}})
        found += wire.turn()
    assert "toolCallCancellation" not in kinds(found)


def test_3_1_waits_for_functions_that_would_not_block(emulator: LiveEmulator) -> None:
    tools = [{"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}]
    with session(emulator, FLASH_31, tools=tools) as wire:
        wire.send(prompt("weather"))
        (call,) = wire.read_until("toolCall")[-1]["toolCall"]["functionCalls"]
        wire.send({"toolResponse": {"functionResponses": [{"id": call["id"], "name": "get_weather", "response": {}}]}})
        turn = wire.turn()
    assert transcript(turn, "outputTranscription").startswith("get_weather answered")
    assert kinds(turn).count("generationComplete") == 1


def test_usage_of_transcribing_models_counts_what_is_new_and_details_exceed_it(emulator: LiveEmulator) -> None:
    counts = []
    with session(emulator, TRANSCRIBER) as wire:
        for _ in range(2):
            wire.stream(tone(0.5) + silence(0.8))
            usage = wire.read_until("usageMetadata")[-1]["usageMetadata"]
            counts.append(usage["promptTokenCount"])
            assert sum(row["tokenCount"] for row in usage["promptTokensDetails"]) > usage["promptTokenCount"]
    assert counts[0] == counts[1]


def test_usage_of_3_1_and_3_8_does_not_add_up_and_that_of_2_5_does(emulator: LiveEmulator) -> None:
    def missing(model: str) -> int:
        with session(emulator, model) as wire:
            wire.send(prompt("word " * 100))
            usage = wire.turn()[-1]["usageMetadata"]
        found: int = usage["promptTokenCount"] - sum(row["tokenCount"] for row in usage["promptTokensDetails"])
        return found

    assert missing(NATIVE) == 0
    assert missing(LIVE_38) > 0


def test_vertex_has_its_own_spellings(emulator: LiveEmulator) -> None:
    with session(emulator, ON_VERTEX, tools=TOOLS) as wire:
        assert uuid.UUID(wire.setup_complete["setupComplete"]["sessionId"])
        wire.send(prompt("Hello"))
        turn = wire.turn()
        first = next(message for message in turn if spoken(message))["serverContent"]["modelTurn"]
        assert first["role"] == "model"
        assert first["parts"][0]["inlineData"]["mimeType"] == "audio/pcm"
        contents = [message.get("serverContent", {}) for message in turn]
        transcripts = [each["outputTranscription"] for each in contents if "outputTranscription" in each]
        assert (transcripts[0], transcripts[-1]) == ({}, {"finished": True})
        assert turn[-1]["serverContent"] == {"turnComplete": True, "groundingMetadata": {}}
        usage = turn[-1]["usageMetadata"]
        assert {"candidatesTokenCount", "candidatesTokensDetails", "trafficType"} <= usage.keys()
        assert "responseTokenCount" not in usage
        wire.send(prompt("weather"))
        assert kinds(wire.turn()) == ["toolCall", "generationComplete", "turnComplete+groundingMetadata"]


def test_transcribing_models_never_complete_a_turn(emulator: LiveEmulator) -> None:
    with session(emulator, TRANSCRIBER) as wire:
        for _ in range(2):
            wire.stream(tone(0.5) + silence(0.8))
            found = [*wire.read_until("inputTranscription"), *wire.read_until("usageMetadata")]
            assert not [kind for kind in kinds(found) if "Complete" in kind]
            assert found[-1]["serverContent"] == {}


def test_loopback_sends_audio_straight_back(emulator: LiveEmulator) -> None:
    with session(emulator, "models/emulator-loopback") as wire:
        wire.stream(tone(0.04))
        message = wire.read()
    assert spoken(message) == tone(0.04)
    assert message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["mimeType"] == "audio/pcm;rate=16000"


def test_explicit_vad_signals_can_be_asked_for_on_vertex(emulator: LiveEmulator) -> None:
    with session(emulator, "projects/p/locations/l/publishers/google/models/emulator", explicitVadSignal=True) as wire:
        wire.stream(tone(0.5) + silence(1.2))
        assert wire.read()["voiceActivity"]["type"] == "ACTIVITY_START"
