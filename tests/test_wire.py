"""The compiled decoder does what dataclasses-json does, loses nothing, and raises nothing but its own errors."""

from __future__ import annotations

import base64
import contextlib
import copy
import logging
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_live import _json, _wire, types
from genai_live.errors import ConfigError, LiveError
from genai_live.types import LiveServerMessage, Message
from genai_live.types._base import message, wire
from tests.message_strategies import EXAMPLES, MESSAGE_TYPES, any_message, json_values, messages

thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

SOUND = bytes(range(256)) * 22 + bytes(128)
SPOKEN = types.LiveServerMessage(
    server_content=types.LiveServerContent(
        model_turn=types.Content(parts=[types.Part(inline_data=types.Blob(data=SOUND, mime_type="audio/pcm;rate=24000"))])
    )
)


def server(data: dict[str, Any]) -> LiveServerMessage:
    return _wire.decode(LiveServerMessage, data)


def content(**data: Any) -> types.LiveServerContent:
    found = server({"serverContent": data}).server_content
    assert found is not None
    return found


# Both codecs are one.


@thorough
@given(any_message)
def test_a_random_message_is_read_back_as_it_was_by_both_codecs(held: Message) -> None:
    data = held.to_dict()
    assert _wire.decode(type(held), data) == held
    assert type(held).from_dict(data) == held


@thorough
@given(any_message)
def test_a_random_message_survives_real_json_on_either_backend(held: Message) -> None:
    data = _json.loads(_json.dumps(held.to_dict()))
    for vertex in (False, True):
        assert _wire.decode(type(held), data, vertex=vertex) == held


@thorough
@given(any_message)
def test_encoding_changes_neither_the_message_nor_later_results(held: Message) -> None:
    before = copy.deepcopy(held)
    first = held.to_dict()
    _spoil(first)
    assert held == before
    assert held.to_dict() == before.to_dict()


def _spoil(data: Any) -> None:
    """Empties every dict and list inside, to show whatever is shared."""
    for item in list(data.values()) if isinstance(data, dict) else data:
        if isinstance(item, (dict, list)):
            _spoil(item)
    data.clear()


@thorough
@given(st.sampled_from(MESSAGE_TYPES), st.dictionaries(st.text(max_size=9), json_values, max_size=4))
def test_any_object_is_a_message_whose_unknown_keys_come_back(cls: type[Message], data: dict[str, Any]) -> None:
    assert _wire.decode(cls, data).to_dict() == {key: value for key, value in data.items() if value is not None}


# What the service really sends.


def test_an_audio_message_is_read_into_bytes() -> None:
    assert server(SPOKEN.to_dict()) == SPOKEN
    assert SPOKEN.data == SOUND


def test_an_empty_object_is_an_empty_message() -> None:
    message = server({})
    assert message == LiveServerMessage()
    assert (message.text, message.data, message.interaction_status, message.decode_error) == (None, None, None, None)


def test_an_empty_server_content_is_there_and_empty() -> None:
    assert server({"serverContent": {}}).server_content == types.LiveServerContent()
    assert server({"serverContent": {"outputTranscription": {}}}) == LiveServerMessage(
        server_content=types.LiveServerContent(output_transcription=types.Transcription())
    )


def test_several_kinds_in_one_message_are_all_read() -> None:
    message = server({
        "serverContent": {"turnComplete": True},
        "usageMetadata": {"totalTokenCount": 3},
        "voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.880s"},
        "toolCall": {"functionCalls": [{"name": "f", "args": {"some_key": 1}}]},
    })  # fmt: skip
    assert message.server_content is not None
    assert message.server_content.turn_complete is True
    assert message.usage_metadata == types.UsageMetadata(total_token_count=3)
    assert message.voice_activity == types.VoiceActivity(
        voice_activity_type=types.VoiceActivityType.ACTIVITY_START, audio_offset=1.88
    )
    assert message.tool_call == types.LiveServerToolCall(function_calls=[types.FunctionCall(name="f", args={"some_key": 1})])


@pytest.mark.parametrize("prefix", ["response", "candidates"])
def test_usage_is_read_under_both_of_its_names(prefix: str) -> None:
    data = {f"{prefix}TokenCount": 7, f"{prefix}TokensDetails": [{"modality": "AUDIO", "tokenCount": 7}]}
    usage = server({"usageMetadata": data}).usage_metadata
    assert usage is not None
    assert usage.response_token_count == 7
    assert usage.response_tokens_details == [types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=7)]
    assert usage.to_dict() == {each.replace(prefix, "response"): value for each, value in data.items()}


@pytest.mark.parametrize(("vertex", "count"), [(False, 25), (True, 50)])
@pytest.mark.parametrize("turned", [False, True])
def test_of_counts_under_both_names_those_of_the_peers_own_backend_are_read(vertex: bool, count: int, turned: bool) -> None:
    data = {
        "responseTokenCount": 25,
        "candidatesTokenCount": 50,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 25}],
    }
    if turned:
        data = dict(reversed(data.items()))
    message = _wire.decode(types.LiveServerMessage, {"usageMetadata": data}, vertex=vertex)
    details = [types.ModalityTokenCount(modality=types.MediaModality.TEXT, token_count=count)]
    assert message.usage_metadata == types.UsageMetadata(response_token_count=count, response_tokens_details=details)


def test_a_count_under_the_other_backends_name_alone_is_read() -> None:
    data = {"usageMetadata": {"candidatesTokenCount": None, "responseTokenCount": 25}}
    usage = _wire.decode(types.LiveServerMessage, data, vertex=True).usage_metadata
    assert usage is not None
    assert usage.response_token_count == 25


@pytest.mark.parametrize(
    "data",
    [
        {"serverContent": {"interactionStatus": "IDLE"}},
        {"interactionStatus": "IDLE"},
        {"toolCall": {"functionCalls": []}, "interactionStatus": "IDLE"},
    ],
)
def test_the_interaction_status_is_found_wherever_it_stands(data: dict[str, Any]) -> None:
    message = server(data)
    assert message.interaction_status is types.InteractionStatus.IDLE
    assert message.to_dict() == data


def test_a_model_turn_may_lack_its_role() -> None:
    turn = content(modelTurn={"parts": [{"text": "Hi"}]}).model_turn
    assert turn is not None
    assert turn.role is None


@pytest.mark.parametrize(("given_value", "read"), [(True, True), (False, False), ("true", True), ("false", False)])
def test_a_boolean_may_come_as_text(given_value: Any, read: bool) -> None:
    assert content(turnComplete=given_value).turn_complete is read


@pytest.mark.parametrize("given_value", [42, "42", 42.0])
def test_a_whole_number_may_come_as_text_or_with_an_empty_fraction(given_value: Any) -> None:
    update = server({"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": given_value}}).session_resumption_update
    assert update is not None
    assert update.last_consumed_client_message_index == 42
    assert type(update.last_consumed_client_message_index) is int


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("9.5s", 9.5), ("0s", 0.0), ("1.880s", 1.88), ("-0.25s", -0.25), ("0.000000001s", 1e-9)]
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    message = server({"goAway": {"timeLeft": text}})
    assert message.go_away is not None
    assert message.go_away.time_left == seconds


@pytest.mark.parametrize(
    ("held", "text"),
    [(10, "10s"), (9.5, "9.5s"), (0, "0s"), (1e-9, "0.000000001s"), (timedelta(minutes=1), "60s"), ("1.25s", "1.25s")],
)
def test_a_duration_is_written_as_text_with_an_s(held: Any, text: str) -> None:
    assert types.VideoMetadata(start_offset=held).to_dict() == {"startOffset": text}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-02T03:04:05Z", datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2025-01-02T03:04:05.1Z", datetime(2025, 1, 2, 3, 4, 5, 100_000, tzinfo=timezone.utc)),
        ("2025-01-02T03:04:05.123456789Z", datetime(2025, 1, 2, 3, 4, 5, 123_456, tzinfo=timezone.utc)),
        ("2025-01-02T03:04:05+05:30", datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        ("2025-01-02t03:04:05-00:30", datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(-timedelta(minutes=30)))),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, moment: datetime) -> None:
    token = _wire.decode(types.AuthToken, {"expireTime": text})
    assert token.expire_time == moment
    assert isinstance(token.expire_time, datetime)
    assert token.expire_time.utcoffset() == moment.utcoffset()


def test_a_time_is_written_with_its_offset() -> None:
    moment = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert types.AuthToken(expire_time=moment).to_dict() == {"expireTime": "2025-01-02T03:04:05+00:00"}
    assert types.AuthToken(expire_time="2025-01-02T03:04:05Z").to_dict() == {"expireTime": "2025-01-02T03:04:05Z"}


def test_a_time_without_a_zone_is_refused_because_nobody_knows_when_it_is() -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        types.AuthToken(expire_time=datetime(2025, 1, 2)).to_dict()


@pytest.mark.parametrize("spell", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_bytes_are_read_from_every_variant_of_base64(spell: Any, padded: bool) -> None:
    data = b"\xfb\xff\xfe\xbf!"
    text = spell(data).decode()
    part = _wire.decode(types.Blob, {"data": text if padded else text.rstrip("=")})
    assert part.data == data


@pytest.mark.parametrize("held", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), "AP8=", "AP8"])
def test_bytes_are_written_as_base64_from_whatever_holds_them(held: Any) -> None:
    assert types.Blob(data=held).to_dict() == {"data": "AP8="}


def test_an_unknown_enum_value_stays_text_in_both_directions() -> None:
    read = content(turnCompleteReason="NEW_REASON")
    assert read.turn_complete_reason == "NEW_REASON"
    assert type(read.turn_complete_reason) is str
    assert read.to_dict() == {"turnCompleteReason": "NEW_REASON"}


def test_an_enum_value_is_known_in_any_letter_case() -> None:
    assert content(turnCompleteReason="need_more_input").turn_complete_reason is types.TurnCompleteReason.NEED_MORE_INPUT
    assert types.LiveConnectConfig(response_modalities=["audio"]).to_dict() == {"responseModalities": ["AUDIO"]}
    assert types.UsageMetadata(service_tier="FLEX").to_dict() == {"serviceTier": "flex"}


def test_unknown_keys_are_kept_at_every_level_and_sent_back() -> None:
    data = {
        "speechState": {"x": [1]},
        "serverContent": {"newThing": 1, "modelTurn": {"parts": [{"text": "a", "other": None, "k": {}}]}},
    }
    message = server(data)
    assert message.extra == {"speechState": {"x": [1]}}
    assert message.server_content is not None
    assert message.server_content.extra == {"newThing": 1}
    data["serverContent"]["modelTurn"]["parts"][0].pop("other")  # type: ignore[index]
    assert message.to_dict() == data


def test_a_message_of_unknown_keys_only_is_delivered_with_them() -> None:
    assert server({"error": {"code": 7}}).extra == {"error": {"code": 7}}


def test_a_key_named_extra_is_like_any_unknown_key() -> None:
    data = {"extra": {"a": 1}}
    assert server(data).extra == {"extra": {"a": 1}}
    assert server(data).to_dict() == data


def test_a_peer_cannot_set_what_lives_in_this_process_only() -> None:
    message = server({"decodeError": "x", "decode_error": "y"})
    assert message.decode_error is None
    assert message.extra == {"decodeError": "x", "decode_error": "y"}
    assert _wire.decode(types.HttpOptions, {"sslContext": 1}).ssl_context is None


def test_a_name_of_the_wire_is_known_in_snake_case_too() -> None:
    assert server({"interaction_status": "IDLE"}).interaction_status is types.InteractionStatus.IDLE
    assert server({"usage_metadata": {"candidates_token_count": 1}}).usage_metadata == types.UsageMetadata(response_token_count=1)


def test_null_means_absent() -> None:
    assert server({"serverContent": None, "goAway": {"timeLeft": None}, "other": None}) == LiveServerMessage(
        go_away=types.LiveServerGoAway()
    )


# What is wrong.

WRONG: list[dict[str, Any]] = [
    {"serverContent": 5},
    {"serverContent": []},
    {"serverContent": {"turnComplete": "maybe"}},
    {"serverContent": {"turnComplete": 1}},
    {"serverContent": {"modelTurn": {"parts": {}}}},
    {"serverContent": {"modelTurn": {"parts": [{"text": "a"}, 5]}}},
    {"serverContent": {"modelTurn": {"parts": [{"text": 5}]}}},
    {"serverContent": {"modelTurn": {"parts": [None]}}},
    {"serverContent": {"turnCompleteReason": 3}},
    {"usageMetadata": {"totalTokenCount": "many"}},
    {"usageMetadata": {"totalTokenCount": 1.5}},
    {"usageMetadata": {"totalTokenCount": True}},
    {"usageMetadata": {"totalTokenCount": "9" * 30}},
    {"goAway": {"timeLeft": 10}},
    {"goAway": {"timeLeft": "soon"}},
    {"goAway": {"timeLeft": "1e5s"}},
    {"goAway": {"timeLeft": "9" * 13 + "s"}},
    {"toolCall": {"functionCalls": [{"args": []}]}},
    {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": 5}}]}}},
]


@pytest.mark.parametrize("data", WRONG, ids=repr)
def test_a_value_of_the_wrong_type_is_kept_aside_and_sent_back_as_it_came(data: dict[str, Any]) -> None:
    assert server(data).to_dict() == data


def test_one_wrong_value_does_not_hide_the_others() -> None:
    message = server({"serverContent": {"turnComplete": "maybe", "interrupted": True}, "goAway": {"timeLeft": "5s"}})
    assert message.server_content == types.LiveServerContent(interrupted=True, extra={"turnComplete": "maybe"})
    assert message.go_away == types.LiveServerGoAway(time_left=5.0)


def test_a_wrong_value_is_logged_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wire, "_reported", set())
    with caplog.at_level(logging.WARNING, "genai_live.wire"):
        for _ in range(3):
            content(turnComplete="secret words")
    assert [record.getMessage() for record in caplog.records] == [
        "LiveServerContent.turnComplete: must be true or false, not str; kept in extra"
    ]


def test_a_payload_that_is_not_base64_is_an_error_because_something_is_lost() -> None:
    with pytest.raises(ValueError, match="not base64"):
        server({"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "!!!!"}}]}}})


@pytest.mark.parametrize("data", [None, [], "text", 5, True, [{}]], ids=repr)
def test_what_is_no_object_is_no_message(data: Any) -> None:
    with pytest.raises(ValueError, match="must be an object"):
        _wire.decode(LiveServerMessage, data)


def test_a_schema_nested_without_end_is_an_error() -> None:
    data: dict[str, Any] = {}
    for _ in range(20_000):
        data = {"items": data}
    with pytest.raises(ValueError, match="too deeply"):
        _wire.decode(types.Schema, data)


@thorough
@given(messages(LiveServerMessage), st.data())
def test_a_mutated_server_message_raises_nothing_but_value_errors(held: Message, data: st.DataObject) -> None:
    tree = held.to_dict()
    for _ in range(data.draw(st.integers(1, 3))):
        tree = _mutated(tree, data)
    with contextlib.suppress(LiveError, ValueError):
        read = _wire.decode(LiveServerMessage, tree)
        _ = (read.text, read.data, read.interaction_status, repr(read))


strange = json_values | st.sampled_from(
    [10**400, -(10**400), 1e308, float("inf"), float("nan"), "9" * 5000, "\ud800", {}, [], ""]
)


def _mutated(tree: Any, data: st.DataObject) -> Any:
    """The tree with one value, at any depth, taken for another."""
    if isinstance(tree, dict) and tree and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(tree)))
        return {**tree, key: _mutated(tree[key], data)}
    if isinstance(tree, list) and tree and data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(tree) - 1))
        return [*tree[:index], _mutated(tree[index], data), *tree[index + 1 :]]
    return data.draw(strange)


@thorough
@given(messages(LiveServerMessage), st.data())
def test_mutated_bytes_raise_nothing_but_value_errors(held: Message, data: st.DataObject) -> None:
    frame = bytearray(_json.dumps(held.to_dict()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        if not frame:
            break
    with contextlib.suppress(LiveError, ValueError):
        _wire.decode(LiveServerMessage, _json.loads(bytes(frame)))


def test_a_message_of_sixteen_mebibytes_is_read() -> None:
    sound = bytes(12 * 1024 * 1024)
    data = _json.loads(_json.dumps(LiveServerMessage(
        server_content=types.LiveServerContent(model_turn=types.Content(parts=[types.Part.from_bytes(sound, "audio/pcm")]))
    ).to_dict()))  # fmt: skip
    assert server(data).data == sound


# What a caller may hand over, and what it may not.


def test_dicts_in_place_of_nested_messages_are_taken_in_both_spellings() -> None:
    held = types.LiveConnectConfig(
        speech_config={"voice_config": {"prebuiltVoiceConfig": {"voice_name": "Puck"}}},  # type: ignore[arg-type]
        safety_settings=({"category": "harm_category_harassment", "threshold": "OFF"},),  # type: ignore[arg-type]
    )
    expected = {
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    }
    assert held.to_dict() == expected
    assert held.to_dict() == expected


def test_text_in_place_of_a_content_is_a_content_of_the_user() -> None:
    expected = {"systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"}}
    assert types.LiveConnectConfig(system_instruction="Be brief.").to_dict() == expected
    assert types.LiveConnectConfig(system_instruction="Be brief.").to_dict() == expected


def test_a_subclass_of_a_nested_message_is_taken() -> None:
    @message
    class Louder(types.Blob):
        volume: int | None = wire("How loud.")

    held = types.Part(inline_data=Louder(data=b"a", volume=3))
    assert held.to_dict() == {"inlineData": {"data": "YQ==", "volume": 3}}


def test_falsy_values_are_sent() -> None:
    held = types.LiveConnectConfig(temperature=0.0, seed=0, enable_affective_dialog=False, tools=[], labels={})
    assert held.to_dict() == {"temperature": 0.0, "seed": 0, "enableAffectiveDialog": False, "tools": [], "labels": {}}
    assert types.LiveClientRealtimeInput(text="").to_dict() == {"text": ""}


def test_keys_of_the_users_own_maps_are_left_alone() -> None:
    schema = types.Schema(properties={"my_key": types.Schema(any_of=[types.Schema(type="string")])})
    assert schema.to_dict() == {"properties": {"my_key": {"anyOf": [{"type": "STRING"}]}}}
    response = types.FunctionResponse(response={"out_put": {"a_b": None}})
    assert response.to_dict() == {"response": {"out_put": {"a_b": None}}}


def test_bytes_times_and_enums_inside_a_users_own_map_become_json() -> None:
    moment = datetime(2025, 1, 2, tzinfo=timezone.utc)
    held = types.FunctionResponse(response={"output": [b"\x00", (1, 2), types.Modality.AUDIO], "when": moment})
    assert held.to_dict() == {"response": {"output": ["AA==", [1, 2], "AUDIO"], "when": "2025-01-02T00:00:00+00:00"}}


def test_numbers_that_json_lacks_are_spelled_as_protobuf_spells_them() -> None:
    held = types.LiveConnectConfig(temperature=float("inf"))
    assert held.to_dict() == {"temperature": "Infinity"}
    assert _wire.decode(types.LiveConnectConfig, {"temperature": "-Infinity"}).temperature == float("-inf")


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (types.LiveConnectConfig(temperature="hot"), "temperature"),  # type: ignore[arg-type]
        (types.LiveConnectConfig(seed=1.5), "seed"),  # type: ignore[arg-type]
        (types.LiveConnectConfig(seed=True), "seed"),
        (types.LiveConnectConfig(enable_affective_dialog=1), "enable_affective_dialog"),  # type: ignore[arg-type]
        (types.LiveConnectConfig(speech_config=types.Blob()), "speech_config"),  # type: ignore[arg-type]
        (types.LiveConnectConfig(response_modalities="AUDIO"), "response_modalities"),  # type: ignore[arg-type]
        (types.LiveConnectConfig(labels={"a": 1}), "labels['a']"),  # type: ignore[dict-item]
        (types.LiveConnectConfig(tools=[types.Tool(), print]), "tools[1]"),
        (types.Content(parts=[types.Part(), types.Part(inline_data=types.Blob(data="!"))]), "parts[1].inline_data.data"),  # type: ignore[arg-type]
        (types.FunctionResponse(response={"a": object()}), "response['a']"),
        (types.FunctionResponse(response={"a": [float("nan")]}), "response['a'][0]"),
        (types.FunctionResponse(response={1: 2}), "response"),  # type: ignore[dict-item]
        (types.VideoMetadata(start_offset="9.5"), "start_offset"),  # type: ignore[arg-type]
        (types.VideoMetadata(start_offset=1e300), "start_offset"),
        (types.AuthToken(expire_time="tomorrow"), "expire_time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_cannot_be_sent_is_refused_with_the_path_to_it(held: Message, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        held.to_dict()
    assert caught.value.path == f"{type(held).__name__}.{path}"


def test_a_message_within_itself_is_refused() -> None:
    schema = types.Schema()
    schema.items = schema
    with pytest.raises(ConfigError, match="within itself"):
        schema.to_dict()


def test_an_error_never_shows_the_value() -> None:
    with pytest.raises(ConfigError) as caught:
        types.GoogleMaps(auth_config="my-secret-key").to_dict()  # type: ignore[arg-type]
    assert "my-secret-key" not in str(caught.value)


def test_a_field_with_another_name_on_vertex_is_read_under_it_there() -> None:
    held = types.GenerationConfig(model_selection_config=types.ModelSelectionConfig())
    assert held.to_dict() == {"modelSelectionConfig": {}}
    assert _wire.decode(types.GenerationConfig, {"modelConfig": {}}, vertex=True) == held


def test_a_field_mask_travels_as_one_text() -> None:
    held = types.CreateAuthTokenConfig(lock_additional_fields=["temperature", "tools"])
    assert held.to_dict() == {"fieldMask": "temperature,tools"}
    assert _wire.decode(types.CreateAuthTokenConfig, {"fieldMask": "temperature,tools"}) == held


def test_the_decoder_is_built_whole_however_many_threads_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wire, "_decoders", {})
    data = SPOKEN.to_dict()
    ready = threading.Barrier(8)
    results: list[bool] = []

    def work() -> None:
        ready.wait()
        results.append(_wire.decode(LiveServerMessage, data) == SPOKEN)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
