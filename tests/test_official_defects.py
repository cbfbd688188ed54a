"""The 68 defects of Google's own clients, each by its number: what this library does instead, or why it cannot have it."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.oauth2.credentials
import pytest
from websockets.sync.server import ServerConnection

from genai_live import ApiClient, Client, Session, _json, _wire, errors, tools, types
from genai_live._backends import MLDEV, VERTEX, Backend
from genai_live._client_messages import inputs
from genai_live._client_messages.setup import setup_message
from genai_live._deadline import Deadline
from genai_live._secret import Secret
from genai_live.api_client import auth_for
from genai_live.errors import ConfigError, Phase, SentBy, ServiceError
from genai_live.tokens import field_mask
from tests.rest_servers import rest_server
from tests.servers import (
    MODEL,
    PATIENCE,
    SETUP_COMPLETE,
    TURN_COMPLETE,
    Handler,
    answer_setup,
    client_of,
    live_server,
    message,
    raw_server,
    session_with,
    text_part,
    wait_until_closed,
)
from tests.waiting import stalls_in

CANNOT_APPLY: dict[int, str] = {
    12: "there is no label for MCP in any header, and so no flag of the process that could add one",
    46: "MCP sessions are not taken as tools: the error says how their tools are declared (see defect 13)",
}
"""Rows that need something which this library does not have."""

KEY = "AIza-the-secret-key"
CREDENTIALS = google.oauth2.credentials.Credentials(token="ya29.t", quota_project_id="payer")
CLIENTS = {MLDEV: ApiClient(KEY), VERTEX: ApiClient(vertexai=True, project="P", location="L", credentials=CREDENTIALS)}


def setup(config: Any = None, backend: Backend = MLDEV) -> dict[str, Any]:
    return dict(json.loads(setup_message(CLIENTS[backend], "m", config).json)["setup"])


def server_message(data: dict[str, Any]) -> types.LiveServerMessage:
    return _wire.decode(types.LiveServerMessage, data)


def sends(*frames: bytes, then: Callable[[ServerConnection], object] = wait_until_closed) -> Handler:
    """A server that answers setup and then sends these frames."""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for frame in frames:
            connection.send(frame)
        then(connection)

    return handler


def closes_during_setup(connection: ServerConnection) -> None:
    connection.recv(timeout=PATIENCE)
    connection.close(1007, "API key not valid. Please pass a valid API key.")


def connect(handler: Handler, **arguments: Any) -> Session:
    """Opens a session that the test expects to fail."""
    with live_server(handler) as url:
        return client_of(url).live.connect(model=MODEL, **arguments)


def ended(handler: Handler, **arguments: Any) -> errors.SessionClosed:
    """How a session with this server ends for whoever waits for messages."""
    with session_with(handler, **arguments) as session, pytest.raises(errors.SessionClosed) as caught:
        for _ in session:
            continue
    return caught.value


# JavaScript client.


def test_defect_01_connect_fails_with_the_servers_words_when_the_session_closes_before_setup_complete() -> None:
    with pytest.raises(errors.SetupRejected) as caught:
        connect(closes_during_setup)
    assert (caught.value.code, caught.value.reason) == (1007, "API key not valid. Please pass a valid API key.")
    with pytest.raises(errors.ConnectError):
        client_of("http://127.0.0.1:1").live.connect(model=MODEL)


@pytest.mark.waits
def test_defect_02_connecting_has_a_time_limit() -> None:
    with pytest.raises(errors.ConnectTimeout):
        connect(wait_until_closed, timeout=0.2)
    with live_server(wait_until_closed) as url, pytest.raises(errors.ConnectTimeout):
        client_of(url, timeout=200).live.connect(model=MODEL)


def test_defect_03_a_frame_that_is_not_json_is_reported_and_the_session_goes_on() -> None:
    with session_with(sends(b"not json", b"", text_part("on"), TURN_COMPLETE)) as session:
        received = list(session.receive(PATIENCE))
    assert [each.text for each in received if each.text] == ["on"]
    assert sum(each.decode_error is not None for each in received) >= 1


def test_defect_04_frames_that_come_right_behind_setup_complete_are_not_lost() -> None:
    with session_with(sends(text_part("early"), TURN_COMPLETE)) as session:
        assert session.collect(PATIENCE).text == "early"


def test_defect_05_a_refused_config_dials_nothing() -> None:
    dialled = threading.Event()
    with raw_server(lambda _: dialled.set()) as url, pytest.raises(ConfigError):
        client_of(url).live.connect(model=MODEL, config={"unknown_field": 1})
    assert not dialled.is_set()


def test_defect_06_voice_activity_is_decoded_the_same_for_both_backends() -> None:
    activity = server_message({"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.24s"}}).voice_activity
    assert activity is not None
    assert activity.voice_activity_type is types.VoiceActivityType.ACTIVITY_START


def test_defect_07_unknown_keys_and_kinds_of_message_are_kept() -> None:
    received = server_message({"brandNew": {"a": 1}, "serverContent": {"alsoNew": 2}})
    assert received.extra == {"brandNew": {"a": 1}}
    assert received.server_content is not None
    assert received.server_content.extra == {"alsoNew": 2}


def test_defect_08_history_config_is_sent() -> None:
    config = {"history_config": {"initial_history_in_client_content": True}}
    assert setup(config)["historyConfig"] == {"initialHistoryInClientContent": True}


def test_defect_09_the_default_of_audio_overwrites_no_modality() -> None:
    config = {"generation_config": {"response_modalities": ["TEXT"]}}
    assert setup(config, VERTEX)["generationConfig"] == {"responseModalities": ["TEXT"]}


def test_defect_10_no_config_of_the_callers_is_changed() -> None:
    config = {
        "tools": [{"function_declarations": [{"name": "a"}]}, {"google_search": {}}],
        "generation_config": {"top_p": 0.5},
        "top_p": 1,
    }
    before = copy.deepcopy(config)
    setup(config, VERTEX)
    assert config == before


def test_defect_11_headers_are_new_for_every_connection() -> None:
    client = ApiClient(KEY, http_options={"headers": {"a": "b"}})
    client.request_headers()["x-goog-api-client"] = "changed"
    assert client.request_headers()["x-goog-api-client"].startswith("genai-live/")
    assert client.http_options.headers == {"a": "b"}


def test_defect_13_an_mcp_tool_is_refused_with_what_to_do() -> None:
    mcp_tool = type("Tool", (), {"__module__": "mcp.types"})()
    with pytest.raises(ConfigError, match=r"config\.tools\[0\]: is an MCP Tool.*declare its tools as FunctionDeclaration"):
        setup({"tools": [mcp_tool]})


def test_defect_14_an_unknown_config_key_is_refused_with_its_path() -> None:
    with pytest.raises(
        ConfigError, match=r"^config\.realtime_input_config\.turnCoverag: unknown key; did you mean 'turn_coverage'"
    ):
        setup({"realtime_input_config": {"turnCoverag": 1}})


def test_defect_15_a_model_name_keeps_its_tail() -> None:
    assert CLIENTS[VERTEX].model_path("pub/a/b") == "projects/P/locations/L/publishers/pub/models/a/b"


def test_defect_16_the_key_is_in_a_header_and_never_in_the_address() -> None:
    for key in (KEY, "auth_tokens/x&y"):
        client = ApiClient(key)
        assert key not in client.live_endpoint().url
        assert key not in repr(auth_for(client).headers(Deadline(1)))


def test_defect_17_sending_after_the_end_raises_with_code_and_reason() -> None:
    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.close(1011, "Internal error encountered.")

    with session_with(handler) as session:
        with contextlib.suppress(errors.SessionClosed):
            for _ in session:
                continue
        with pytest.raises(errors.SessionClosed) as caught:
            session.send_client_content(turns="too late")
    assert (caught.value.code, caught.value.reason) == (1011, "Internal error encountered.")


def test_defect_18_realtime_input_takes_exactly_one_argument_and_bytes() -> None:
    for arguments in ({}, {"text": "a", "audio_stream_end": True}):
        with pytest.raises(ConfigError, match="exactly one argument"):
            inputs.realtime_input(MLDEV, **arguments)  # type: ignore[arg-type]
    assert inputs.realtime_input(MLDEV, audio=b"\0\1")["realtimeInput"]["audio"]["data"] == "AAE="


def test_defect_19_a_refusal_inside_turns_names_its_own_cause() -> None:
    with pytest.raises(
        ConfigError, match=r"^turns\.parts\[0\]\.function_call\.partial_args: the Gemini Developer API does not have"
    ):
        inputs.client_content({"parts": [{"function_call": {"name": "f", "partial_args": []}}]}, True, MLDEV)


def test_defect_20_an_id_that_is_there_but_holds_nothing_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"^function_responses\.id: is missing"):
        inputs.tool_response({"id": None, "name": "f", "response": {}}, MLDEV)


@pytest.mark.parametrize("name", ["part_metadata", "tool_call", "tool_response"])
def test_defect_21_content_for_vertex_ai_is_checked(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^turns\.parts\[0\]\.{name}: Vertex AI does not have this field"):
        inputs.client_content({"parts": [{name: {}}]}, True, VERTEX)


def test_defect_22_data_takes_every_base64_and_warns_of_nothing() -> None:
    audio = {"inlineData": {"data": "__7-", "mimeType": "audio/pcm"}}
    received = server_message({"serverContent": {"modelTurn": {"parts": [audio, {"text": "a"}]}}})
    assert (received.data, received.text) == (b"\xff\xfe\xfe", "a")


def test_defect_23_callbacks_may_be_missing_and_may_raise() -> None:
    def raises(_: Any) -> None:
        raise ValueError("of the user's")

    with session_with(sends(text_part("a"), TURN_COMPLETE), callbacks={"on_message": raises}) as session:
        assert session.collect(PATIENCE).text == "a"


def test_defect_24_frames_are_delivered_in_the_order_of_their_arrival() -> None:
    numbers = [str(number) for number in range(200)]
    with session_with(sends(*map(text_part, numbers), TURN_COMPLETE)) as session:
        assert [each.text for each in session.receive(PATIENCE)][:-1] == numbers


def test_defect_25_music_waits_for_setup_complete_and_fails_like_live() -> None:
    with live_server(closes_during_setup) as url, pytest.raises(errors.SetupRejected):
        client_of(url, headers={"x-own": "1"}).live.music.connect(model=MODEL)


def test_defect_26_all_chunks_of_music_are_there() -> None:
    chunks = [{"data": "AAE=", "mimeType": "audio/l16"}, {"data": "AgM=", "mimeType": "audio/l16"}]
    received = _wire.decode(types.LiveMusicServerMessage, {"serverContent": {"audioChunks": chunks}})
    assert received.server_content is not None
    assert [chunk.data for chunk in received.server_content.audio_chunks or []] == [b"\0\1", b"\2\3"]


def test_defect_27_a_list_is_masked_as_a_whole_and_every_generation_field_is_found() -> None:
    setup_ = {"tools": [{"googleSearch": {}}], "safetySettings": [{}]}
    assert field_mask(setup_, ["mediaResolution"]) == "tools,safetySettings,generationConfig.mediaResolution"


def test_defect_28_a_text_as_speech_config_is_a_voice() -> None:
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}
    assert setup({"speech_config": "Puck"})["generationConfig"]["speechConfig"] == voice


# Python client.


@pytest.mark.parametrize("shared_reader", [False, True])
def test_defect_29_a_session_can_be_kept_alive_over_a_drop(shared_reader: bool) -> None:
    check_that_a_session_goes_on(lambda connection: connection.socket.shutdown(socket.SHUT_RDWR), shared_reader=shared_reader)


def test_defect_30_a_session_serves_several_threads_without_an_event_loop() -> None:
    heard: list[str] = []
    all_heard = threading.Event()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            heard.append(json.loads(raw)["realtimeInput"]["text"])
            if len(heard) == 4:
                all_heard.set()

    with session_with(handler) as session:
        threads = [threading.Thread(target=session.send_realtime_input, kwargs={"text": str(n)}) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert all_heard.wait(PATIENCE)
    assert sorted(heard) == ["0", "1", "2", "3"]


@pytest.mark.waits
def test_defect_31_a_server_that_is_silent_about_setup_is_given_up_in_that_phase() -> None:
    stalls_in(Phase.SETUP, lambda limit: connect(wait_until_closed, timeout=limit))


def test_defect_32_a_refused_handshake_is_an_error_of_the_library_with_status_and_body() -> None:
    def refuse(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nnot today")

    with raw_server(refuse) as url, pytest.raises(errors.HandshakeRejected) as caught:
        client_of(url).live.connect(model=MODEL)
    assert (caught.value.status, caught.value.body) == (403, "not today")


def test_defect_33_frames_before_setup_complete_are_kept() -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv(timeout=PATIENCE)
        for frame in (text_part("before"), SETUP_COMPLETE, TURN_COMPLETE):
            connection.send(frame)
        wait_until_closed(connection)

    with session_with(handler) as session:
        assert session.collect(PATIENCE).text == "before"
        assert session.setup_complete is not None


def test_defect_34_a_clean_close_ends_iteration_without_an_error() -> None:
    with session_with(sends(text_part("a"), TURN_COMPLETE, then=lambda connection: connection.close(1000))) as session:
        assert [each.text for each in session if each.text] == ["a"]


def test_defect_35_a_message_of_two_mebibytes_is_received() -> None:
    text = "a" * (2 << 20)
    with session_with(sends(text_part(text), TURN_COMPLETE)) as session:
        assert session.collect(PATIENCE).text == text


def test_defect_36_an_end_by_this_clients_own_limit_says_so() -> None:
    error = ended(sends(text_part("a" * 5000)), http_options={"max_message_bytes": 1000})
    assert error.sent_by is not SentBy.SERVER
    assert error.code == 1009


@pytest.mark.parametrize("frame", [{"code": 400}, {"brandNew": {}}])
def test_defect_37_an_unknown_kind_of_message_is_delivered(frame: dict[str, Any]) -> None:
    with session_with(sends(message(**frame), TURN_COMPLETE)) as session:
        assert next(iter(session)).extra == frame


def test_defect_37_an_error_in_a_message_is_raised_as_what_it_is() -> None:
    with session_with(sends(message(error={"code": 400, "message": "no"}), TURN_COMPLETE)) as session:
        with pytest.raises(ServiceError, match="no") as raised:
            next(session.receive(PATIENCE))
        assert raised.value.code == 400


def test_defect_38_a_frame_of_another_shape_does_not_end_the_stream() -> None:
    wrong = message(serverContent={"modelTurn": "no object", "turnComplete": "maybe"})
    with session_with(sends(b"[1, 2]", wrong, text_part("on"), TURN_COMPLETE)) as session:
        assert session.collect(PATIENCE).text == "on"


def test_defect_39_sending_and_receiving_fail_with_the_same_error() -> None:
    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.close(1008, "Your API key was reported as leaked.")

    with session_with(handler) as session:
        with pytest.raises(errors.SessionClosed) as received:
            list(session)
        with pytest.raises(errors.SessionClosed) as sent:
            session.send_realtime_input(text="a")
    assert type(sent.value) is type(received.value)
    assert sent.value.close_info == received.value.close_info


def test_defect_40_an_end_is_told_by_what_it_is_about() -> None:
    with pytest.raises(errors.SetupRejected) as caught:
        connect(closes_during_setup)
    assert caught.value.kind is errors.ErrorKind.AUTH
    assert not caught.value.retryable


def test_defect_41_a_tool_response_may_hold_bytes() -> None:
    part = {"inline_data": {"data": b"\xff", "mime_type": "image/png"}}
    sent = inputs.tool_response({"id": "1", "name": "f", "response": {"raw": b"\xfe"}, "parts": [part]}, MLDEV)
    assert json.loads(_json.dumps(sent))["toolResponse"]["functionResponses"][0]["response"] == {"raw": "/g=="}


def test_defect_42_the_wire_has_one_spelling_and_every_field_once() -> None:
    config = {
        "top_p": 0.5,
        "generation_config": {"top_p": 0.25, "top_k": 3},
        "realtime_input_config": {"automatic_activity_detection": {"prefix_padding_ms": 1}},
    }
    for backend in (MLDEV, VERTEX):
        sent = setup(config, backend)
        assert not re.search(r'"[a-z]+_[a-z_]+":', json.dumps(sent))
        assert sent["generationConfig"]["topP"] == 0.5


def test_defect_43_the_schema_of_a_text_format_has_its_wire_name() -> None:
    sent = setup({"generation_config": {"response_format": [{"text": {"schema": {"type": "OBJECT"}}}]}})
    assert sent["generationConfig"]["responseFormat"] == [{"text": {"schema": {"type": "OBJECT"}}}]


def test_defect_44_several_voices_are_refused_through_generation_config_too() -> None:
    with pytest.raises(ConfigError, match=r"^config\.generation_config\.speech_config\.multi_speaker_voice_config: "):
        setup({"generation_config": {"speech_config": {"multi_speaker_voice_config": {}}}})


def test_defect_45_a_json_schema_may_say_additional_properties_false() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    sent = setup({"tools": [{"function_declarations": [{"name": "a", "parameters_json_schema": schema}]}]})
    assert sent["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == schema


def test_defect_47_an_optional_parameter_has_no_contradictory_type() -> None:
    def function(a: int | None = None) -> None:
        """Does nothing."""

    schema = tools.declaration(function).parameters_json_schema
    assert schema == {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}


def test_defect_48_an_express_key_gets_the_default_of_audio_and_the_full_model_name() -> None:
    client = ApiClient(KEY, vertexai=True, project="P", location="L")
    sent = setup_message(client, "m").fields
    assert sent["generationConfig"] == {"responseModalities": ["AUDIO"]}
    assert sent["model"] == "projects/P/locations/L/publishers/google/models/m"


def test_defect_49_a_gateway_gets_the_publisher_s_model_and_a_socket_address() -> None:
    client = ApiClient(vertexai=True, http_options={"base_url": "https://gateway/path"})
    assert client.live_endpoint().url == "wss://gateway/path"
    assert setup_message(client, "my-model").fields["model"] == "publishers/google/models/my-model"


def test_defect_50_a_plain_local_server_can_be_reached() -> None:
    assert (
        ApiClient(KEY, http_options={"base_url": "http://localhost:8080"}).live_endpoint().url.startswith("ws://localhost:8080/")
    )


@pytest.mark.parametrize("base_url", ["https://host", "https://host/", "https://host//"])
def test_defect_51_the_address_has_single_slashes(base_url: str) -> None:
    url = ApiClient(KEY, http_options={"base_url": base_url}).live_endpoint().url
    assert url.startswith("wss://host/ws/google")


def test_defect_52_vertex_ai_chosen_by_the_environment_reads_its_own_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://gemini")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", "https://vertex")
    assert ApiClient(KEY).live_endpoint().url.startswith("wss://vertex/")


def test_defect_53_the_quota_project_is_sent_and_a_valid_token_is_not_fetched_again() -> None:
    for _ in range(2):
        headers = auth_for(CLIENTS[VERTEX]).headers(Deadline(PATIENCE))
        assert headers["x-goog-user-project"] == "payer"
        assert isinstance(headers["authorization"], Secret)


def test_defect_54_credentials_without_a_project_are_told_that_it_is_missing() -> None:
    with pytest.raises(ConfigError, match="needs a project: pass project= or set GOOGLE_CLOUD_PROJECT"):
        ApiClient(vertexai=True, credentials=CREDENTIALS)


def test_defect_55_a_config_object_of_the_callers_is_not_changed() -> None:
    config = types.LiveConnectConfig(system_instruction="be brief")
    setup(config)
    assert config.system_instruction == "be brief"


@pytest.mark.parametrize("turns", ["a", ["a"], types.Part(text="a"), {"text": "a"}, [types.Part(text="a")]])
def test_defect_56_content_may_be_a_text_a_part_or_a_list_of_them(turns: Any) -> None:
    assert inputs.client_content(turns, None, MLDEV) == {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "a"}]}]}}


def test_defect_57_content_for_vertex_ai_has_the_rules_and_the_spelling_of_setup() -> None:
    sent = inputs.client_content({"parts": [{"inline_data": {"data": b"", "mime_type": "a/b"}}]}, None, VERTEX)
    assert sent["clientContent"]["turns"] == [{"role": "user", "parts": [{"inlineData": {"data": "", "mimeType": "a/b"}}]}]


@pytest.mark.parametrize("missing", ["id", "name", "response"])
def test_defect_58_a_tool_response_needs_its_values(missing: str) -> None:
    given = {"id": "1", "name": "f", "response": {}, missing: "" if missing != "response" else None}
    with pytest.raises(ConfigError, match=rf"^function_responses\.{missing}: is missing"):
        inputs.tool_response(given, MLDEV)


def test_defect_59_bytes_in_a_list_are_written_too() -> None:
    sent = inputs.tool_response({"id": "1", "name": "f", "response": {"a": [b"\xff", [b"\xfe"]]}}, MLDEV)
    assert sent["toolResponse"]["functionResponses"][0]["response"] == {"a": ["/w==", ["/g=="]]}


def test_defect_60_text_of_a_message_with_sound_is_silent_and_cheap() -> None:
    sound = {"inlineData": {"data": "AAAA" * 5000, "mimeType": "audio/pcm"}}
    received = server_message({"serverContent": {"modelTurn": {"parts": [sound]}}})
    assert received.text is None
    assert received.data is received.data


def test_defect_61_iteration_goes_on_over_turns() -> None:
    frames = (text_part("one"), TURN_COMPLETE, text_part("two"), TURN_COMPLETE)
    with session_with(sends(*frames, then=lambda connection: connection.close(1000))) as session:
        assert [each.text for each in session if each.text] == ["one", "two"]


def test_defect_62_an_error_in_the_callers_block_opens_no_second_music_session() -> None:
    opened: list[str] = []

    def handler(connection: ServerConnection) -> None:
        opened.append("once")
        sends()(connection)

    with (
        live_server(handler) as url,
        pytest.raises(TypeError, match="of the user's"),
        client_of(url).live.music.connect(model=MODEL),
    ):
        raise TypeError("of the user's")
    assert opened == ["once"]


def test_defect_63_music_is_checked_before_it_is_sent() -> None:
    with live_server(sends()) as url, client_of(url).live.music.connect(model=MODEL) as session:
        for prompts in ([], [{"text": "a", "weight": 0.0}]):
            with pytest.raises(ConfigError):
                session.set_weighted_prompts(prompts)
    with pytest.raises(ConfigError):
        Client(KEY, vertexai=True).live.music.connect(model=MODEL)


def test_defect_64_locked_names_are_found_in_both_spellings() -> None:
    assert field_mask({"model": "m"}, ["topK", "top_k"]) == "model,generationConfig.topK"


def test_defect_65_a_slip_of_the_pen_in_an_enum_does_not_reach_the_server() -> None:
    with pytest.raises(ConfigError, match=r"'AUDOI' is not known; did you mean 'AUDIO'\?"):
        setup({"response_modalities": ["AUDOI"]})


@pytest.mark.waits
def test_defect_66_time_limits_are_kept() -> None:
    release = threading.Event()

    def silent(_: Any) -> Any:
        release.wait(PATIENCE)
        return 200, {}

    with rest_server(silent) as server:
        with pytest.raises(errors.ConnectTimeout):
            Client(KEY, http_options={"base_url": server.url, "timeout": 100}).auth_tokens.create()
        release.set()
    with pytest.raises(errors.ConnectTimeout):
        connect(wait_until_closed, timeout=0.2)
    with live_server(wait_until_closed) as url, pytest.raises(errors.ConnectTimeout):
        client_of(url, timeout=200).live.connect(model=MODEL)


def test_defect_67_a_go_away_is_followed_with_the_newest_handle() -> None:
    check_that_a_session_goes_on(lambda connection: connection.send(message(goAway={"timeLeft": "50s"})))


def check_that_a_session_goes_on(end: Callable[[ServerConnection], object], *, shared_reader: bool = False) -> None:
    handles: list[str | None] = []

    def handler(connection: ServerConnection) -> None:
        handles.append(json.loads(connection.recv(timeout=PATIENCE))["setup"]["sessionResumption"].get("handle"))
        connection.send(SETUP_COMPLETE)
        if len(handles) == 1:
            connection.send(message(sessionResumptionUpdate={"newHandle": "h1", "resumable": True}))
            end(connection)
        wait_until_closed(connection)

    with live_server(handler) as url:
        client = client_of(url, shared_reader=shared_reader)
        with client.live.connect(model=MODEL, reconnect={"first_pause": 0.01}, timeout=PATIENCE) as session:
            assert next(each.reconnected for each in session if each.reconnected is not None).state_restored
    assert handles == [None, "h1"]


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("enable_affective_dialog", False), ("seed", 0)])
def test_defect_68_the_top_level_wins_also_with_a_falsy_value(name: str, value: Any) -> None:
    other = {"temperature": 1.0, "enable_affective_dialog": True, "seed": 9}[name]
    wire = setup({name: value})["generationConfig"]
    assert setup({name: value, "generation_config": {name: other}})["generationConfig"] == wire


# The list itself.


def test_every_defect_has_a_test_or_a_reason() -> None:
    tested = {int(number) for number in re.findall(r"^def test_defect_(\d\d)_", Path(__file__).read_text(encoding="utf-8"), re.M)}
    reasons = set(CANNOT_APPLY)
    assert tested | reasons == set(range(1, 69))
    assert not tested & reasons
