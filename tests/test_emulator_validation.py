"""Client messages are parsed as protobuf JSON: what is taken, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from genai_live.emulator import LiveEmulator
from genai_live.emulator.server.validation import Refused, Validator, snake_case
from genai_live.types.realtime import LiveClientMessage
from tests.live_wire import MLDEV, MUSIC, TEXT, VERTEX, Wire

MLDEV_RULES, VERTEX_RULES = Validator("mldev"), Validator("vertex")


def setup(**fields: Any) -> dict[str, Any]:
    return {"setup": {"model": "models/m", **fields}}


def generation(**fields: Any) -> dict[str, Any]:
    return setup(generationConfig=fields)


def reason_of(message: Any, rules: Validator = MLDEV_RULES) -> str:
    with pytest.raises(Refused) as caught:
        rules.check_one_of(LiveClientMessage, message)
    assert caught.value.code == 1007
    return caught.value.reason


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        (generation(topK=9, top_p=0.5), generation(topK=9, topP=0.5)),
        (generation(topK="9"), generation(topK=9.0)),
        (generation(maxOutputTokens="12"), generation(maxOutputTokens=12)),
        (generation(maxOutputTokens=12.0), generation(maxOutputTokens=12)),
        (generation(temperature=None), generation()),
        (generation(responseModalities=["AUDIO"]), generation(responseModalities=["AUDIO"])),
        (generation(mediaResolution=1), generation(mediaResolution="MEDIA_RESOLUTION_LOW")),
        (setup(contextWindowCompression={"triggerTokens": "1000"}), setup(contextWindowCompression={"triggerTokens": 1000})),
        (setup(input_audio_transcription={}), setup(inputAudioTranscription={})),
        ({"client_content": {"turn_complete": True}}, {"clientContent": {"turnComplete": True}}),
        ({"realtimeInput": {"audio": {"data": "_-8", "mime_type": "audio/pcm"}}},
         {"realtimeInput": {"audio": {"data": "_-8", "mimeType": "audio/pcm"}}}),
        ({"tool_response": {"function_responses": [{"response": {"user_name": 1, "userName": 2}}]}},
         {"toolResponse": {"functionResponses": [{"response": {"user_name": 1, "userName": 2}}]}}),
        (setup(tools=[{"functionDeclarations": [{"parameters": {"properties": {"my_key": {"type": "STRING"}}}}]}]),
         setup(tools=[{"functionDeclarations": [{"parameters": {"properties": {"my_key": {"type": "STRING"}}}}]}])),
        (setup(tools=[{"function_declarations": [{"parameters_json_schema": {"any_of": []}}]}]),
         setup(tools=[{"functionDeclarations": [{"parametersJsonSchema": {"any_of": []}}]}])),
    ],
)  # fmt: skip
def test_both_spellings_and_every_json_form_of_a_value_are_taken(given: dict[str, Any], canonical: dict[str, Any]) -> None:
    ((kind, body),) = canonical.items()
    assert MLDEV_RULES.check_one_of(LiveClientMessage, given) == (kind, body)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (generation(foo=1),
         'Invalid JSON payload received. Unknown name "foo" at \'setup.generation_config\': Cannot find field.'),
        ({"foo": {}}, 'Invalid JSON payload received. Unknown name "foo": Cannot find field.'),
        (generation(topK=1, top_k=1), "Invalid JSON payload received. Duplicate name \"top_k\" at 'setup.generation_config'"),
        (generation(temperature="warm"), "Invalid value at 'setup.generation_config.temperature' (TYPE_DOUBLE), \"warm\""),
        (generation(maxOutputTokens=1.5), "Invalid value at 'setup.generation_config.max_output_tokens' (TYPE_INT64), 1.5"),
        (generation(maxOutputTokens="9" * 5_000), "Invalid value at 'setup.generation_config.max_output_tokens' (TYPE_INT64)"),
        (generation(responseModalities=["audio"]), "Invalid value at 'setup.generation_config.response_modalities[0]'"),
        (generation(responseModalities="AUDIO"), "Invalid value at 'setup.generation_config.response_modalities' (TYPE_LIST)"),
        ({"clientContent": {"turnComplete": "true"}}, "Invalid value at 'client_content.turn_complete' (TYPE_BOOL)"),
        ({"clientContent": {"turns": [{"parts": [{"text": 5}]}]}}, "Invalid value at 'client_content.turns[0].parts[0].text'"),
        ({"clientContent": []}, "Invalid value at 'client_content'"),
        ({"realtimeInput": {"audio": {"data": "!!!"}}},
         "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64 decoding"),
        ({"toolResponse": {"functionResponses": [{"response": "done"}]}},
         "Invalid value at 'tool_response.function_responses[0].response'"),
        ({"clientContent": {}, "realtimeInput": {}}, "Invalid value at 'realtime_input' (oneof), oneof field 'message_type'"),
        ({}, "Invalid value: the oneof field 'message_type' is not set."),
        (setup(model=7), "Invalid value at 'setup.model' (TYPE_STRING), 7"),
    ],
)  # fmt: skip
def test_a_wrong_message_is_refused_in_the_service_s_own_words(message: dict[str, Any], reason: str) -> None:
    assert reason_of(message).startswith(reason)


def test_fields_that_a_backend_lacks_are_unknown_names_there() -> None:
    transparent = setup(sessionResumption={"transparent": False})
    assert "Unknown name \"transparent\" at 'setup.session_resumption'" in reason_of(transparent)
    assert VERTEX_RULES.check_one_of(LiveClientMessage, transparent)[0] == "setup"
    file_search = setup(tools=[{"fileSearch": {}}])
    assert MLDEV_RULES.check_one_of(LiveClientMessage, file_search)[0] == "setup"
    assert "Unknown name \"fileSearch\" at 'setup.tools[0]'" in reason_of(file_search, VERTEX_RULES)


@pytest.mark.parametrize(("camel", "snake"), [("turnComplete", "turn_complete"), ("voiceActivity", "voice_activity"), ("a", "a")])
def test_paths_are_spelled_as_in_the_proto_file(camel: str, snake: str) -> None:
    assert snake_case(camel) == snake


@pytest.mark.parametrize(
    ("path", "setup_object", "code", "reason"),
    [
        (MLDEV, {"generationConfig": {}}, 1007, "model is not specified"),
        (MLDEV, {**TEXT, "generationConfig": {"temperature": 2.5}}, 1007, "range is 0 to 2"),
        (MLDEV, {**TEXT, "generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}}, 1007, "invalid argument"),
        (MLDEV, {"model": "models/gemini-2.5-flash-native-audio-latest", "generationConfig": {"responseModalities": ["TEXT"]}},
         1007, "combination of response modalities (TEXT)"),
        (MLDEV, {**TEXT, "contextWindowCompression": {"triggerTokens": 10, "slidingWindow": {"targetTokens": 20}}},
         1007, "target"),
        (MLDEV, {**TEXT, "tools": [{"functionDeclarations": [{"name": "1x"}]}]}, 1007, "Invalid function name"),
        (MLDEV, {**TEXT, "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "f"}]}]}, 1007, "Duplicate function"),
        (MLDEV, {**TEXT, "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}]},
         1007, "cannot both be set"),
        (VERTEX, {"model": "gemini-live-2.5-flash"}, 1007, "invalid argument"),
        (MUSIC, {}, 1007, "model is not specified"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused(path: str, setup_object: dict[str, Any], code: int, reason: str) -> None:
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, path) as wire:
        wire.send({"setup": setup_object})
        closed = wire.closed()
    assert closed[0] == code
    assert reason in closed[1]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (MLDEV, "models/other is not found for API version"),
        (VERTEX, "Publisher Model `publishers/google/models/other`"),
    ],
)
def test_with_a_list_of_models_every_other_one_is_not_found(path: str, reason: str) -> None:
    model = "models/other" if path == MLDEV else "publishers/google/models/other"
    with LiveEmulator(models=["emulator"], voice=False) as emulator:
        with Wire(emulator.url, path) as wire:
            wire.send({"setup": {"model": model}})
            code, words = wire.closed()
            assert (code, words.startswith(reason), len(words.encode()) <= 123) == (1008, True, True)
        with Wire(emulator.url, setup=TEXT) as wire:
            assert "setupComplete" in wire.setup_complete


def test_a_long_reason_is_cut_at_a_character_boundary_within_123_bytes() -> None:
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.close(1008, "é" * 100)
        assert wire.closed() == (1008, "é" * 61)
