"""Types behave as plain data: built by name, compared, copied, shown without payloads and secrets, and described."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from genai_live import types
from genai_live.audio import Audio
from genai_live.errors import ConfigError, DecodeError, LiveError
from genai_live.types import Message, fields_of
from genai_live.types._base import names_of
from genai_live.types._enum import WireEnum
from tests.message_strategies import EXAMPLES, MESSAGE_TYPES, any_message

thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def spoken(*parts: types.Part) -> types.LiveServerMessage:
    return types.LiveServerMessage(server_content=types.LiveServerContent(model_turn=types.Content(parts=list(parts))))


# Building.


def test_what_is_not_given_is_none() -> None:
    config = types.LiveConnectConfig()
    assert all(getattr(config, field.name) is None for field in fields_of(types.LiveConnectConfig))
    assert config.extra == {}


def test_arguments_are_taken_in_both_spellings() -> None:
    assert types.Blob(mimeType="audio/pcm") == types.Blob(mime_type="audio/pcm")  # type: ignore[call-arg]


def test_an_argument_in_both_spellings_at_once_is_refused() -> None:
    with pytest.raises(ConfigError, match="'mime_type' is given twice"):
        types.Blob(mimeType="a", mime_type="b")  # type: ignore[call-arg]


def test_an_unknown_argument_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="LiveConnectConfig has no field 'temprature'; did you mean 'temperature'\\?"):
        types.LiveConnectConfig(temprature=1)  # type: ignore[call-arg]


def test_an_unknown_attribute_is_refused_with_the_nearest_name() -> None:
    config = types.LiveConnectConfig()
    with pytest.raises(AttributeError, match="no field 'temprature'; did you mean 'temperature'\\?"):
        config.temprature = 1  # type: ignore[attr-defined]


def test_positions_are_refused() -> None:
    with pytest.raises(TypeError):
        types.Blob(b"data")  # type: ignore[misc,arg-type]


def test_fields_can_be_set_later() -> None:
    config = types.LiveConnectConfig()
    config.temperature = 0.0
    assert config == types.LiveConnectConfig(temperature=0.0)


def test_unknown_fields_can_be_given_on_purpose_and_are_each_objects_own() -> None:
    given_extra = {"newField": 1}
    config = types.LiveConnectConfig(extra=given_extra)
    config.extra["other"] = 2
    assert given_extra == {"newField": 1}
    assert config.to_dict() == {"newField": 1, "other": 2}
    assert types.LiveConnectConfig().extra == {}


def test_content_and_parts_have_short_ways_to_be_made() -> None:
    assert types.Content.from_text("Hi") == types.Content(parts=[types.Part(text="Hi")], role="user")
    assert types.Part.from_bytes(b"a", "image/png") == types.Part(inline_data=types.Blob(data=b"a", mime_type="image/png"))
    assert types.Part.from_uri("gs://a", "video/mp4") == types.Part(
        file_data=types.FileData(file_uri="gs://a", mime_type="video/mp4")
    )
    assert types.Part.from_function_call("f", {"a": 1}) == types.Part(function_call=types.FunctionCall(name="f", args={"a": 1}))
    assert types.Part.from_function_response("f", {"a": 1}) == types.Part(
        function_response=types.FunctionResponse(name="f", response={"a": 1})
    )
    picture = types.FunctionResponsePart.from_bytes(b"a", "image/png")
    assert picture.inline_data == types.FunctionResponseBlob(data=b"a", mime_type="image/png")
    film = types.FunctionResponsePart.from_uri("gs://a", "video/mp4")
    assert film.file_data == types.FunctionResponseFileData(file_uri="gs://a", mime_type="video/mp4")


# Comparing and copying.


@thorough
@given(any_message)
def test_copies_and_pickles_are_equal_and_independent(held: Message) -> None:
    for twin in (copy.copy(held), copy.deepcopy(held), pickle.loads(pickle.dumps(held)), dataclasses.replace(held)):
        assert twin == held
        twin.extra["only here"] = 1
        assert twin != held or "only here" in held.extra
        held.extra.pop("only here", None)


def test_messages_of_different_types_are_never_equal() -> None:
    assert types.ActivityStart() != types.ActivityEnd()
    assert types.ActivityStart() != {}


def test_an_absent_field_equals_none_and_no_extra_equals_an_empty_one() -> None:
    one, other = types.Blob(), types.Blob(data=None)
    other.display_name = None
    assert other.extra == {}
    assert one == other


def test_a_message_is_no_key_because_it_can_change() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(types.Blob())


def test_dataclass_tools_work_on_messages() -> None:
    blob = types.Blob(data=b"a", mime_type="image/png")
    assert dataclasses.is_dataclass(blob)
    assert [field.name for field in dataclasses.fields(blob)] == ["extra", "data", "display_name", "mime_type"]
    assert dataclasses.asdict(blob) == {"extra": {}, "data": b"a", "display_name": None, "mime_type": "image/png"}
    assert dataclasses.replace(blob, data=b"b") == types.Blob(data=b"b", mime_type="image/png")
    with pytest.raises(ConfigError):
        dataclasses.replace(blob, dta=b"b")  # type: ignore[call-arg]


# Showing.


def test_repr_shows_what_is_set_and_the_size_of_bytes() -> None:
    message = spoken(types.Part.from_bytes(bytes(5760), "audio/pcm"))
    assert repr(message) == (
        "LiveServerMessage(server_content=LiveServerContent(model_turn=Content(parts=["
        "Part(inline_data=Blob(data=<5760 bytes>, mime_type='audio/pcm'))])))"
    )
    assert repr(types.ActivityStart()) == "ActivityStart()"


def test_repr_shows_sizes_inside_the_users_own_maps_and_unknown_fields() -> None:
    response = types.FunctionResponse(response={"picture": b"abc", "list": [b"d"]}, extra={"x": "y" * 1000})
    assert (
        repr(response) == "FunctionResponse(response={'picture': <3 bytes>, 'list': [<1 bytes>]}, extra={'x': <1000 characters>})"
    )


@pytest.mark.parametrize(
    "held",
    [
        types.HttpOptions(headers={"Authorization": "hush"}),
        types.HttpOptions(proxy="http://user:hush@host"),
        types.HttpOptions(async_client_args={"additional_headers": "hush"}),
        types.AuthToken(name="auth_tokens/hush"),
        types.GoogleMaps(auth_config=types.AuthConfig(api_key="hush")),
        types.AuthConfig(api_key_config=types.ApiKeyConfig(api_key_string="hush")),
        types.ApiAuth(api_key_config=types.ApiAuthApiKeyConfig(api_key_string="hush")),
        types.AuthConfigOauthConfig(access_token="hush"),
        types.AuthConfigOidcConfig(id_token="hush"),
        types.Tool(exa_ai_search=types.ToolExaAiSearch(api_key="hush")),
        types.Tool(parallel_ai_search=types.ToolParallelAiSearch(api_key="hush")),
        types.StreamableHttpTransport(headers={"Authorization": "hush"}),
        types.LiveConnectConfig(http_options={"base_url": "https://user:hush@host", "headers": {"Authorization": "hush"}}),  # type: ignore[arg-type]
        types.Tool(mcp_servers=[{"streamableHttpTransport": {"headers": {"Authorization": "hush"}}}]),  # type: ignore[list-item]
    ],
    ids=lambda held: type(held).__name__,
)
def test_repr_never_shows_a_secret(held: Message) -> None:
    assert "hush" not in repr(held)
    assert "<set>" in repr(held)
    assert pickle.loads(pickle.dumps(held)) == held


def test_repr_shows_the_size_of_base64_text_and_ends_in_what_is_nested_deeply() -> None:
    assert repr(types.Blob(data="AAAA")) == "Blob(data=<4 characters>)"  # type: ignore[arg-type]
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert repr(types.LiveServerMessage(extra=deep)).count("'a'") == 20


# dataclasses-json.


def test_short_forms_become_messages_where_a_field_holds_them() -> None:
    held = types.LiveConnectConfig(system_instruction=["Be kind.", types.Part(text="Be brief.")], speech_config="Puck")
    assert held.to_dict() == {
        "systemInstruction": {"parts": [{"text": "Be kind."}, {"text": "Be brief."}], "role": "user"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
    }
    read = types.LiveConnectConfig.from_dict({"system_instruction": ["Be kind.", {"text": "Be brief."}], "speech_config": "Puck"})
    assert read == types.LiveConnectConfig.from_dict(held.to_dict())
    assert isinstance(read.speech_config, types.SpeechConfig)


def test_a_dict_in_either_spelling_becomes_a_message() -> None:
    expected = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Puck"))
        ),
    )
    snake = {
        "response_modalities": ["audio"],
        "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}},
    }
    camel = {"responseModalities": ["AUDIO"], "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}}
    assert types.LiveConnectConfig.from_dict(snake) == expected
    assert types.LiveConnectConfig.from_dict(camel) == expected
    assert expected.to_dict() == camel


def test_a_dict_may_hold_what_python_holds() -> None:
    held = types.Part.from_dict({"inline_data": types.Blob(data=b"a"), "video_metadata": {"start_offset": 1.5}})
    assert held == types.Part(inline_data=types.Blob(data=b"a"), video_metadata=types.VideoMetadata(start_offset=1.5))
    assert types.Blob.from_dict({"data": b"a"}) == types.Blob(data=b"a")
    assert types.Content.from_dict({"parts": ({"text": "a"},)}) == types.Content(parts=[types.Part(text="a")])


def test_unknown_keys_of_a_dict_are_kept_at_every_level() -> None:
    data = {"newField": 1, "speechConfig": {"newer_field": {"a_b": None}}}
    held = types.LiveConnectConfig.from_dict(data)
    assert held.extra == {"newField": 1}
    assert held.to_dict() == data


def test_the_users_own_keys_keep_their_spelling() -> None:
    data = {
        "name": "f",
        "parametersJsonSchema": {"some_key": {"additional_properties": 1}},
        "parameters": {"properties": {"my_key": {}}},
    }
    assert types.FunctionDeclaration.from_dict(data).to_dict() == data


def test_a_key_in_both_spellings_is_refused() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        types.LiveConnectConfig.from_dict({"speech_config": {"language_code": "a", "languageCode": "b"}})


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"temperature": "hot"}, "LiveConnectConfig.temperature"),
        ({"speech_config": {"voice_config": 5}}, "LiveConnectConfig.speech_config.voice_config"),
        ({"safetySettings": [{"category": 5}]}, "LiveConnectConfig.safety_settings[0].category"),
        (5, "LiveConnectConfig"),
        ([], "LiveConnectConfig"),
    ],
    ids=repr,
)
def test_a_wrong_value_in_a_dict_is_refused_with_its_path(data: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        types.LiveConnectConfig.from_dict(data)
    assert caught.value.path == path


def test_json_text_goes_both_ways() -> None:
    held = types.Content.from_text("Grüße")
    assert types.Content.from_json(held.to_json(indent=2)) == held
    assert types.Content.from_json(b'{"parts": [{"text": "a"}]}') == types.Content(parts=[types.Part(text="a")])
    assert json.loads(held.to_json()) == held.to_dict()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"parts": 5}', "[" * 100_000], ids=lambda text: text[:9])
def test_what_is_no_message_in_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own, or the library's)
        types.Content.from_json(text)


def test_dataclasses_json_can_be_used_without_the_methods() -> None:
    from dataclasses_json import DataClassJsonMixin

    blob = types.Blob(data=b"\x00", mime_type="audio/pcm")
    assert DataClassJsonMixin.to_dict(blob) == {"data": "AA==", "mimeType": "audio/pcm"}  # type: ignore[arg-type]


# The server's messages.


def test_text_joins_the_parts_that_are_no_thoughts() -> None:
    thought = types.Part(text="hmm", thought=True)
    assert spoken(types.Part(text="a"), thought, types.Part.from_bytes(b"x", "audio/pcm"), types.Part(text="b")).text == "ab"


@pytest.mark.parametrize(
    "message",
    [
        types.LiveServerMessage(),
        types.LiveServerMessage(server_content=types.LiveServerContent()),
        types.LiveServerMessage(server_content=types.LiveServerContent(model_turn=types.Content())),
        spoken(),
        spoken(types.Part(text="")),
        spoken(types.Part(text="hmm", thought=True)),
        spoken(types.Part(inline_data=types.Blob())),
    ],
    ids=repr,
)
def test_text_and_data_are_none_when_there_is_nothing(message: types.LiveServerMessage) -> None:
    assert message.text is None
    assert message.data is None


def test_data_joins_the_bytes_of_all_parts() -> None:
    assert (
        spoken(types.Part.from_bytes(b"ab", "audio/pcm"), types.Part(text="x"), types.Part.from_bytes(b"c", "image/png")).data
        == b"abc"
    )


def content(**fields: Any) -> types.LiveServerMessage:
    return types.LiveServerMessage.from_dict({"serverContent": fields})


def test_a_message_tells_what_was_said_and_heard() -> None:
    heard = content(inputTranscription={"text": "Hello"}, outputTranscription={"text": "Hi"})
    assert (heard.user_text, heard.model_text, heard.text) == ("Hello", "Hi", None)
    assert content(modelTurn={"parts": [{"text": "a"}, {"text": "b"}]}).model_text == "ab"
    assert content(inputTranscription={"finished": True}).user_text is None


def test_a_messages_audio_knows_its_rate_and_holds_whole_samples() -> None:
    def sound(mime_type: str, *pieces: bytes) -> types.LiveServerMessage:
        parts = [{"inlineData": {"mimeType": mime_type, "data": base64.b64encode(piece).decode()}} for piece in pieces]
        return content(modelTurn={"parts": parts})

    assert sound("audio/pcm;rate=16000", b"\0\1", b"\2\3").audio == Audio(b"\0\1\2\3", rate=16_000)
    assert sound("audio/pcm", b"\0\1\2").audio == Audio(b"\0\1", rate=24_000)
    assert sound("audio/pcm;rate=fast", b"\0\1").audio == Audio(b"\0\1", rate=24_000)
    assert sound("image/png", b"\0\1").audio is None


def test_a_message_tells_whether_its_turn_was_interrupted_or_is_complete() -> None:
    assert (content(interrupted=True).interrupted, content(interrupted=True).turn_complete) == (True, False)
    assert (content(turnComplete=True).interrupted, content(turnComplete=True).turn_complete) == (False, True)


@pytest.mark.parametrize("held", [types.LiveServerMessage(), content()], ids=["no content", "empty content"])
def test_a_message_of_another_kind_tells_nothing(held: types.LiveServerMessage) -> None:
    assert (held.user_text, held.model_text, held.audio, held.interrupted, held.turn_complete) == (None, None, None, False, False)


def test_the_status_inside_the_content_counts_before_the_one_beside_it() -> None:
    message = types.LiveServerMessage(
        server_content=types.LiveServerContent(interaction_status=types.InteractionStatus.IN_PROGRESS),
        top_level_interaction_status=types.InteractionStatus.IDLE,
    )
    assert message.interaction_status is types.InteractionStatus.IN_PROGRESS


@pytest.mark.parametrize("content", [{"turnComplete": True}, {"interactionStatus": "IDLE"}])
def test_a_message_that_a_program_decodes_ends_no_turn(content: dict[str, Any]) -> None:
    assert not types.LiveServerMessage.from_dict({"serverContent": content}).ends_turn


def test_a_message_can_stand_for_one_that_was_not_understood() -> None:
    message = types.LiveServerMessage()
    message.decode_error = DecodeError("no JSON", 12)
    assert message.decode_error.size == 12
    assert message.to_dict() == {}


def test_all_chunks_of_music_are_there() -> None:
    first, second = types.AudioChunk(data=b"a"), types.AudioChunk(data=b"b")
    message = types.LiveMusicServerMessage(server_content=types.LiveMusicServerContent(audio_chunks=[first, second]))
    assert message.audio_chunks == [first, second]
    assert message.audio_chunk is first
    assert types.LiveMusicServerMessage().audio_chunks == []
    assert types.LiveMusicServerMessage().audio_chunk is None


# Enums.


def test_an_enum_value_is_its_text() -> None:
    assert types.Modality.AUDIO == "AUDIO"
    assert f"{types.Modality.AUDIO}" == str(types.Modality.AUDIO) == "AUDIO"
    assert json.dumps(types.Modality.AUDIO) == '"AUDIO"'
    assert pickle.loads(pickle.dumps(types.Modality.AUDIO)) is types.Modality.AUDIO


def test_an_enum_value_is_found_in_any_letter_case() -> None:
    assert types.Modality("audio") is types.Modality.AUDIO
    assert types.ServiceTier("FLEX") is types.ServiceTier.FLEX
    with pytest.raises(ValueError, match="noise"):
        types.Modality("noise")


# The table.


@pytest.mark.parametrize("cls", MESSAGE_TYPES, ids=lambda cls: cls.__name__)
def test_every_type_and_field_is_described(cls: type[Message]) -> None:
    text = types.describe(cls)
    assert text.startswith(f"{cls.__name__}: ")
    for field in fields_of(cls):
        assert f"  {field.name} (" in text
        assert field.note[0].isupper() or not field.note[0].isalpha()
        assert field.note.endswith(".")


def test_a_description_says_what_a_backend_lacks() -> None:
    text = types.describe(types.LiveConnectConfig)
    assert "explicit_vad_signal (explicitVadSignal): bool, not on the Developer API" in text
    assert "temperature (generationConfig.temperature): number" in text
    assert "http_options (httpOptions): HttpOptions, local to this library" in text


@pytest.mark.parametrize("cls", MESSAGE_TYPES, ids=lambda cls: cls.__name__)
def test_no_spelling_stands_for_two_fields(cls: type[Message]) -> None:
    spellings: Counter[str] = Counter()
    for field in fields_of(cls):
        spellings.update({field.name, field.wire, field.vertex_wire})
    assert not [spelling for spelling, count in spellings.items() if count > 1]
    assert "extra" not in names_of(cls)


def test_the_package_knows_every_public_class_of_its_modules() -> None:
    known = {name for name in dir(types) if isinstance(getattr(types, name), type)}
    declared = {
        name
        for module in Path(types.__file__).parent.glob("*.py")
        for name, found in vars(sys.modules.get(f"genai_live.types.{module.stem}", types)).items()
        if isinstance(found, type) and issubclass(found, (Message, WireEnum)) and found not in (Message, WireEnum)
    }
    assert declared <= known


def test_a_name_that_no_module_declares_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no 'LiveConnectConfg': did you mean 'LiveConnectConfig'"):
        _ = types.LiveConnectConfg  # type: ignore[attr-defined]


def test_types_and_their_errors_are_the_librarys_own() -> None:
    assert issubclass(ConfigError, LiveError)
    assert issubclass(ConfigError, ValueError)


def test_using_types_imports_neither_dataclasses_json_nor_asyncio() -> None:
    program = (
        "import sys\n"
        "from genai_live import types, _wire\n"
        "message = types.LiveServerMessage(go_away=types.LiveServerGoAway(time_left=1))\n"
        "assert _wire.decode(types.LiveServerMessage, {'goAway': {'timeLeft': '1s'}}) == message\n"
        "types.LiveConnectConfig(temperature=1)\n"
        "found = {'dataclasses_json', 'marshmallow', 'asyncio', 'requests', 'google.auth', 'numpy'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
