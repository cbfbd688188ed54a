"""Config to setup message: every form of config, every refusal, and nothing changed that belongs to the caller."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from genai_live import ApiClient, types
from genai_live._backends import MLDEV, VERTEX, Backend
from genai_live._client_messages.setup import config_fields, connection_options, setup_message
from genai_live.errors import ConfigError

CLIENTS = {
    MLDEV: ApiClient("key"),
    VERTEX: ApiClient(vertexai=True, project="P", location="L", credentials=Credentials(token="t")),
}
EXPRESS = ApiClient("key", vertexai=True)
both = pytest.mark.parametrize("backend", [MLDEV, VERTEX], ids=lambda backend: backend.name)


def setup(config: Any = None, backend: Backend = MLDEV, **more: Any) -> dict[str, Any]:
    message = json.loads(setup_message(CLIENTS[backend], "m", config, **more).json)
    assert list(message) == ["setup"]
    sent = message["setup"]
    assert "null" not in json.dumps({key: value for key, value in sent.items() if key != "tools"})
    return dict(sent)


def refused(config: Any = None, backend: Backend = MLDEV, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        setup(config, backend, **more)
    return str(caught.value)


# What is sent.


def test_no_config_sends_the_model_alone_on_the_developer_api() -> None:
    assert setup() == {"model": "models/m"}
    assert setup({}) == setup(types.LiveConnectConfig()) == setup()


def test_no_config_asks_vertex_ai_for_audio() -> None:
    assert setup(None, VERTEX) == {
        "model": "projects/P/locations/L/publishers/google/models/m",
        "generationConfig": {"responseModalities": ["AUDIO"]},
    }


def test_an_express_key_is_asked_for_audio_too() -> None:
    assert setup_message(EXPRESS, "m").fields["generationConfig"] == {"responseModalities": ["AUDIO"]}


@pytest.mark.parametrize(
    "config",
    [
        {"response_modalities": ["TEXT"]},
        {"responseModalities": ["text"]},
        {"generation_config": {"response_modalities": [types.Modality.TEXT]}},
        types.LiveConnectConfig(generation_config=types.GenerationConfig(response_modalities=["TEXT"])),
    ],
)
def test_the_default_of_audio_overwrites_nothing(config: Any) -> None:
    assert setup(config, VERTEX)["generationConfig"] == {"responseModalities": ["TEXT"]}
    assert setup({}, VERTEX, extra_setup={"generation_config": {"response_modalities": ["TEXT"]}})["generationConfig"] == {
        "responseModalities": ["TEXT"]
    }


def test_generation_fields_of_the_top_level_go_into_generation_config() -> None:
    assert setup(
        {"temperature": 0.5, "topP": 0.25, "top_k": 4, "maxOutputTokens": 9, "seed": 0, "mediaResolution": "media_resolution_low"}
    )["generationConfig"] == {
        "temperature": 0.5, "topP": 0.25, "topK": 4, "maxOutputTokens": 9, "seed": 0, "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }  # fmt: skip


def test_objects_dicts_and_both_spellings_say_the_same_at_any_depth() -> None:
    detection = {"silenceDurationMs": 500, "start_of_speech_sensitivity": "START_SENSITIVITY_LOW", "disabled": False}
    forms: list[Any] = [
        {"realtimeInputConfig": {"automaticActivityDetection": detection}, "session_resumption": {}},
        {
            "realtime_input_config": {"automatic_activity_detection": types.AutomaticActivityDetection(**detection)},
            "sessionResumption": {},
        },
        types.LiveConnectConfig(
            realtime_input_config=types.RealtimeInputConfig(automatic_activity_detection=detection),  # type: ignore[arg-type]
            session_resumption=types.SessionResumptionConfig(),
        ),
        types.LiveConnectConfig.from_dict(
            {"realtimeInputConfig": {"automaticActivityDetection": detection}, "sessionResumption": {}}
        ),
    ]
    for form in forms:
        assert setup(form) == {
            "model": "models/m",
            "sessionResumption": {},
            "realtimeInputConfig": {
                "automaticActivityDetection": {
                    "disabled": False,
                    "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                    "silenceDurationMs": 500,
                }
            },
        }


def test_none_is_never_sent_and_falsy_values_are() -> None:
    assert setup({"temperature": 0.0, "top_p": None, "enableAffectiveDialog": False, "session_resumption": {"handle": None}}) == {
        "model": "models/m",
        "generationConfig": {"temperature": 0.0, "enableAffectiveDialog": False},
        "sessionResumption": {},
    }


@both
def test_nothing_of_the_callers_is_changed(backend: Backend) -> None:
    def function(city: str) -> str:
        """Tells."""
        return city

    own: dict[str, Any] = {
        "system_instruction": "be brief",
        "tools": [function, {"function_declarations": [{"name": "a", "parameters": {"type": "object"}}]}, {"google_search": {}}],
        "generation_config": {"temperature": 1.0, "speech_config": {"language_code": "de-DE"}},
        "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}},
        "labels": {"a": "b"},
    }
    held = types.LiveConnectConfig(**copy.deepcopy({**own, "tools": own["tools"][1:]}))
    before, held_before = copy.deepcopy({**own, "tools": own["tools"][1:]}), copy.deepcopy(held)
    first = setup(own, backend, extra_setup={"newThing": {"a": [1]}}, history="x", resume="h")
    assert setup(own, backend, extra_setup={"newThing": {"a": [1]}}, history="x", resume="h") == first
    setup(held, backend)
    assert {**own, "tools": own["tools"][1:]} == before
    assert held == held_before


def test_the_message_shares_nothing_with_the_config() -> None:
    own = {"labels": {"a": "b"}, "tools": [{"function_declarations": [{"name": "a", "parameters_json_schema": {"x": [1]}}]}]}
    fields = setup_message(CLIENTS[MLDEV], "m", own).fields
    fields["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["x"].append(2)
    fields["labels"]["c"] = "d"
    assert own["labels"] == {"a": "b"}
    assert own["tools"][0]["function_declarations"][0]["parameters_json_schema"] == {"x": [1]}  # type: ignore[index]


# generation_config, the older place.


def test_the_top_level_wins_over_generation_config_also_with_zero() -> None:
    config = {"temperature": 0.0, "generation_config": {"temperature": 1.0, "top_p": 0.5}}
    assert setup(config)["generationConfig"] == {"temperature": 0.0, "topP": 0.5}


def test_objects_in_both_places_are_merged() -> None:
    config = {
        "speech_config": {"voice_config": {"voice": "Kore"}},
        "generation_config": {"speech_config": {"language_code": "de-DE", "voice_config": {"voice": "Puck"}}},
    }
    assert setup(config)["generationConfig"]["speechConfig"] == {"languageCode": "de-DE", "voiceConfig": {"voice": "Kore"}}


@pytest.mark.parametrize("name", ["response_schema", "responseMimeType", "stop_sequences", "logprobs", "response_logprobs"])
def test_what_live_does_not_take_of_generation_config_is_refused_with_the_reason(name: str) -> None:
    assert "is not usable in a Live session" in refused({"generation_config": {name: "x"}})


def test_the_wire_name_of_vertex_ai_is_used_there() -> None:
    config = {"generation_config": {"model_selection_config": {"feature_selection_preference": "BALANCED"}}}
    assert "modelSelectionConfig" in setup(config)["generationConfig"]
    assert "modelConfig" in setup(config, VERTEX)["generationConfig"]


# System instruction.

INSTRUCTIONS: list[tuple[Any, dict[str, Any]]] = [
    ("be brief", {"role": "user", "parts": [{"text": "be brief"}]}),
    ("", {"role": "user", "parts": [{"text": ""}]}),
    ({"parts": [{"text": "a"}]}, {"parts": [{"text": "a"}]}),
    ({"role": "system", "parts": ["a"]}, {"role": "system", "parts": [{"text": "a"}]}),
    (types.Content(role="user", parts=[types.Part(text="a")]), {"role": "user", "parts": [{"text": "a"}]}),
    (types.Part(text="a"), {"role": "user", "parts": [{"text": "a"}]}),
    ({"text": "a"}, {"role": "user", "parts": [{"text": "a"}]}),
    (["a", types.Part(text="b"), {"text": "c"}], {"role": "user", "parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}),
    (("a", "b"), {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}),
    (
        types.File(uri="gs://b/x", mime_type="text/plain"),
        {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/x", "mimeType": "text/plain"}}]},
    ),
    (
        {"file_uri": "gs://b/x", "mimeType": "text/plain"},
        {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/x", "mimeType": "text/plain"}}]},
    ),
    (
        types.Blob(data=b"\xff\xfe", mime_type="image/png"),
        {"role": "user", "parts": [{"inlineData": {"data": "//4=", "mimeType": "image/png"}}]},
    ),
    ({"function_call": {"name": "f"}}, {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}),
]


@pytest.mark.parametrize(("given", "sent"), INSTRUCTIONS)
def test_a_system_instruction_has_many_forms(given: Any, sent: dict[str, Any]) -> None:
    for backend in (MLDEV, VERTEX):
        assert setup({"system_instruction": given}, backend)["systemInstruction"] == sent


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "config.system_instruction: is an empty list"),
        ([{"parts": []}], "config.system_instruction[0]: is a Content among parts"),
        (3, "config.system_instruction: must be a str, Content, Part"),
        (["a", b"b"], "config.system_instruction[1]: must be a str"),
        ({"txt": "a"}, "config.system_instruction.txt: unknown key; did you mean 'text'?"),
        ({"text": "a", "role": "user"}, "a dict is either a Content (parts, role) or a Part"),
        ({"parts": "text"}, "config.system_instruction.parts: must be a list, not str; write ['text']"),
        ({"parts": [{"text": 1}]}, "config.system_instruction.parts[0].text: must be text, not int"),
        (types.File(uri="gs://x"), "config.system_instruction.mime_type: is missing"),
        ({"inline_data": {"data": "no base64!", "mime_type": "a/b"}}, "config.system_instruction.parts[0].inline_data.data: "),
    ],
)
def test_what_is_no_system_instruction_is_refused(given: Any, words: str) -> None:
    assert words in refused({"system_instruction": given})


# Voices.


def test_a_text_as_speech_config_is_a_voice_of_the_service() -> None:
    sent = setup({"speech_config": "Puck"})["generationConfig"]["speechConfig"]
    assert sent == {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}


MULTI = {"multi_speaker_voice_config": {"speaker_voice_configs": []}}


@both
@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"speech_config": MULTI}, "config.speech_config.multi_speaker_voice_config"),
        ({"speechConfig": {"multiSpeakerVoiceConfig": {}}}, "config.speech_config.multi_speaker_voice_config"),
        ({"generation_config": {"speech_config": MULTI}}, "config.generation_config.speech_config.multi_speaker_voice_config"),
    ],
)
def test_several_voices_are_refused_on_every_path(backend: Backend, config: Any, path: str) -> None:
    assert refused(config, backend).startswith(f"{path}: ")


# Refusals.


@pytest.mark.parametrize(
    ("backend", "config", "path"),
    [
        (MLDEV, {"explicit_vad_signal": False}, "config.explicit_vad_signal"),
        (MLDEV, {"session_resumption": {"transparent": True}}, "config.session_resumption.transparent"),
        (MLDEV, {"safety_settings": [{}, {"method": "SEVERITY"}]}, "config.safety_settings[1].method"),
        (MLDEV, {"tools": [{"retrieval": {}}]}, "config.tools[0].retrieval"),
        (VERTEX, {"tools": [{"google_search": {}}, {"file_search": {}}]}, "config.tools[1].file_search"),
        (
            VERTEX,
            {"generation_config": {"enable_enhanced_civic_answers": True}},
            "config.generation_config.enable_enhanced_civic_answers",
        ),
        (VERTEX, {"system_instruction": {"parts": [{"part_metadata": {}}]}}, "config.system_instruction.parts[0].part_metadata"),
    ],
)
def test_a_field_that_the_backend_lacks_is_refused_with_its_path_and_who_has_it(backend: Backend, config: Any, path: str) -> None:
    assert refused(config, backend) == f"{path}: {backend} does not have this field; only {backend.other} has it"
    setup(config, backend.other)


def test_a_field_that_is_only_documented_as_unsupported_is_sent_and_told(caplog: pytest.LogCaptureFixture) -> None:
    config = {"tools": [{"google_search": {"time_range_filter": {}}}]}
    assert setup(config, VERTEX)["tools"] == [{"googleSearch": {"timeRangeFilter": {}}}]
    assert "config.tools[0].google_search.time_range_filter: documented for the Gemini Developer API only" in caplog.text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"temprature": 1}, "config.temprature: unknown key; did you mean 'temperature'?"),
        ({"outputTranscription": {}}, "config.outputTranscription: unknown key; did you mean 'output_audio_transcription'?"),
        ({"responseModality": ["AUDIO"]}, "did you mean 'response_modalities'?"),
        (
            {"realtime_input_config": {"automaticActivityDetektion": {}}},
            "config.realtime_input_config.automaticActivityDetektion: unknown key",
        ),
        (
            {"audioConfig": {"sampleRateHertz": 16000}},
            "config.audioConfig: unknown key; the input's rate is part of its MIME type",
        ),
        ({"audio_config": {}}, "the input's rate is part of its MIME type"),
        ({"tool_config": {}}, "Live sessions take no tool_config"),
        ({"model": "x"}, "the model is an argument of connect()"),
        ({"qqqqq": 1}, "config.qqqqq: unknown key; LiveConnectConfig has no such field"),
        ({3: 1}, "config.3: unknown key"),
        ({"tools": [{"name": "f"}]}, "config.tools[0].name: unknown key; a function's declaration goes into"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(config: Any, words: str) -> None:
    assert words in refused(config)


def test_an_unknown_key_that_from_dict_kept_is_refused_as_well() -> None:
    assert "did you mean 'temperature'?" in refused(types.LiveConnectConfig.from_dict({"temprature": 1}))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"response_modalities": ["AUDIO", "TEXT"]}, "config.response_modalities"),
        ({"generation_config": {"response_modalities": ["AUDIO", "TEXT"]}}, "config.generation_config.response_modalities"),
    ],
)
def test_several_response_modalities_are_refused(config: Any, path: str) -> None:
    text = refused(config)
    assert text.startswith(f"{path}: names 2 modalities (AUDIO, TEXT)")
    assert "output_audio_transcription" in text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("AUDIO", "config: must be LiveConnectConfig or a dict of it, not str"),
        ({"temperature": "warm"}, "config.temperature: must be a number, not str"),
        ({"temperature": True}, "config.temperature: must be a number, not bool"),
        ({"top_k": 1.5}, "config.top_k: must be a whole number, not float"),
        ({"enable_affective_dialog": 1}, "config.enable_affective_dialog: must be True or False, not int"),
        ({"response_modalities": "AUDIO"}, "config.response_modalities: must be a list, not str; write ['AUDIO']"),
        ({"response_modalities": [None]}, "config.response_modalities[0]: is None"),
        ({"response_modalities": [3]}, "config.response_modalities[0]: must be Modality or a str, not int"),
        ({"session_resumption": True}, "config.session_resumption: must be SessionResumptionConfig or a dict of it, not bool"),
        ({"labels": {"a": 1}}, "config.labels['a']: must be text, not int"),
        (
            {"input_audio_transcription": {"language_codes": "de"}},
            "config.input_audio_transcription.language_codes: must be a list, not str",
        ),
        (
            {"session_resumption": {"handle": "a"}, "sessionResumption": {}},
            "config.session_resumption: is given twice, in two spellings",
        ),
        ({"tools": {"google_search": {}}}, "config.tools: must be a list of Tool objects"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_path(config: Any, words: str) -> None:
    assert words in refused(config)


def test_a_config_within_itself_is_refused() -> None:
    content: dict[str, Any] = {"name": "f"}
    schema: dict[str, Any] = {"type": "OBJECT"}
    schema["items"] = schema
    content["parameters"] = schema
    assert "nested too deeply" in refused({"tools": [{"function_declarations": [content]}]})


# Enums.


def test_an_enum_is_taken_in_any_letter_case() -> None:
    for form in ("audio", "Audio", types.Modality.AUDIO):
        assert setup({"response_modalities": [form]})["generationConfig"]["responseModalities"] == ["AUDIO"]


@pytest.mark.parametrize(
    ("config", "given", "meant"),
    [
        ({"response_modalities": ["AUDOI"]}, "AUDOI", "AUDIO"),
        ({"response_modalities": ["txt"]}, "txt", "TEXT"),
        ({"media_resolution": "LOW"}, "LOW", "MEDIA_RESOLUTION_LOW"),
        ({"media_resolution": "media-resolution-low"}, "media-resolution-low", "MEDIA_RESOLUTION_LOW"),
        ({"media_resolution": "MEDIA_RESOLUTON_LOW"}, "MEDIA_RESOLUTON_LOW", "MEDIA_RESOLUTION_LOW"),
        ({"realtime_input_config": {"activity_handling": "NOINTERRUPTION"}}, "NOINTERRUPTION", "NO_INTERRUPTION"),
    ],
)
def test_a_slip_of_the_pen_in_an_enum_is_refused(config: Any, given: str, meant: str) -> None:
    assert f": {given!r} is not known; did you mean {meant!r}?" in refused(config)


def test_an_enum_value_that_is_news_is_sent_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert setup({"response_modalities": ["SMELL"]})["generationConfig"]["responseModalities"] == ["SMELL"]
    assert caplog.text.count("'SMELL' is not a Modality that this release knows") == 1
    config = {"media_resolution": "MEDIA_RESOLUTION_ULTRA_HIGH"}
    assert setup(config)["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_ULTRA_HIGH"


# Tools.


def test_functions_of_all_tools_come_together_in_one_tool_at_the_end() -> None:
    tools = [
        {"function_declarations": [{"name": "a"}], "google_search": {}},
        types.Tool(code_execution=types.ToolCodeExecution()),
        types.FunctionDeclaration(name="b"),
        types.Tool(function_declarations=[types.FunctionDeclaration(name="c", behavior="non_blocking")]),
    ]
    assert setup({"tools": tools})["tools"] == [
        {"googleSearch": {}},
        {"codeExecution": {}},
        {"functionDeclarations": [{"name": "a"}, {"name": "b"}, {"name": "c", "behavior": "NON_BLOCKING"}]},
    ]


def test_an_empty_list_of_tools_is_left_out() -> None:
    assert "tools" not in setup({"tools": []})


def test_keys_that_are_the_users_own_are_never_respelled() -> None:
    schema = {"type": "object", "properties": {"snake_key": {"type": "string"}, "camelKey": {"anyOf": [{"type": "null"}]}}}
    parameters = {"type": "object", "properties": {"snake_key": {"type": "string", "max_length": 3}}}
    tools = [
        {"function_declarations": [{"name": "a", "parameters_json_schema": schema}, {"name": "b", "parameters": parameters}]}
    ]
    sent = setup({"tools": tools})["tools"][0]["functionDeclarations"]
    assert sent[0]["parametersJsonSchema"] == schema
    assert sent[1]["parameters"] == {"type": "OBJECT", "properties": {"snake_key": {"type": "STRING", "maxLength": 3}}}


def test_a_python_function_is_a_tool() -> None:
    def weather(city: str, days: int = 1) -> str:
        """Tells the weather."""
        return city * days

    (tool,) = setup({"tools": [weather]})["tools"]
    (function,) = tool["functionDeclarations"]
    assert function["name"] == "weather"
    assert function["description"] == "Tells the weather."
    assert function["parametersJsonSchema"]["required"] == ["city"]


class McpLike:
    __module__ = "mcp.client.session"


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (
            [{"function_declarations": [{"name": "a"}, {"name": "a"}]}],
            "config.tools: the function 'a' is declared twice; one needs another name",
        ),
        ([{"function_declarations": [{"description": "x"}]}], "config.tools[0]: a function declaration needs a name"),
        ([{"function_declarations": [{"name": "two words"}]}], "is not a function name"),
        ([{"function_declarations": [{"name": f"f{n}"} for n in range(513)]}], "holds 513 functions, a session takes 512"),
        (
            [{"function_declarations": [{"name": "a", "parameters": {}, "parameters_json_schema": {}}]}],
            "has both parameters and parameters_json_schema",
        ),
        (
            [{"function_declarations": [{"name": "a", "parameters": {"type": "object", "oneOf": []}}]}],
            "parameters.oneOf: unknown key; did you mean 'any_of'? A JSON schema goes into parameters_json_schema, as it is",
        ),
        (
            [{"function_declarations": [{"name": "a", "parameters": {"type": ["object", "null"]}}]}],
            "parameters.type: must be Type or a str, not list. A JSON schema goes into parameters_json_schema, as it is",
        ),
        (["weather"], "config.tools[0]: must be Tool objects, dicts of them"),
        ([int], "config.tools[0]: must be Tool objects"),
        ([lambda x: x], "config.tools[0]: a tool needs a function with a name"),
        ([McpLike()], "config.tools[0]: is an MCP McpLike, which is not taken; declare its tools as FunctionDeclaration("),
    ],
)
def test_what_is_no_tool_is_refused(tools: Any, words: str) -> None:
    assert words in refused({"tools": tools})


# Resumption, history, and the escape hatch.


def test_a_handle_to_resume_goes_beside_what_the_config_says_of_resumption() -> None:
    assert setup(None, resume="h")["sessionResumption"] == {"handle": "h"}
    config = {"session_resumption": {"transparent": True, "handle": "older"}}
    assert setup(config, VERTEX, resume="h")["sessionResumption"] == {"transparent": True, "handle": "h"}


def test_a_session_can_be_made_resumable() -> None:
    assert setup(None, resumable=True)["sessionResumption"] == {}
    assert setup({"session_resumption": {"handle": "h"}}, resumable=True)["sessionResumption"] == {"handle": "h"}


@pytest.mark.parametrize("resume", ["", 3, b"h"])
def test_what_is_no_handle_is_refused(resume: Any) -> None:
    assert refused(None, resume=resume).startswith("resume: must be the handle of an earlier session")


def test_history_announces_itself() -> None:
    assert setup(None, history=[{"role": "user", "parts": ["a"]}])["historyConfig"] == {"initialHistoryInClientContent": True}


def test_history_and_a_config_that_denies_it_contradict_each_other() -> None:
    config = {"history_config": {"initial_history_in_client_content": False}}
    assert refused(config, history="x").startswith("config.history_config.initial_history_in_client_content: ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"handle": "x"}, "config.handle: unknown key; it is config.session_resumption.handle"),
        ({"silenceDurationMs": 5}, "it is config.realtime_input_config.automatic_activity_detection.silence_duration_ms"),
        (
            {"realtime_input_config": {"disabled": True}},
            "it is config.realtime_input_config.automatic_activity_detection.disabled",
        ),
        ({"speech_config": {"voice_name": "Puck"}}, "it is config.speech_config.voice_config.prebuilt_voice_config.voice_name"),
        ({"generation_config": {"input_audio_transcription": {}}}, "unknown key; it is config.input_audio_transcription"),
        ({"candidate_count": 1}, "it is config.generation_config.candidate_count"),
        ({"stop_sequences": ["x"]}, "config.stop_sequences: unknown key; not usable in a Live session"),
        ({"abort_signal": 1}, "connect(timeout=...) limits connecting"),
        ({"type": "x"}, "config.type: unknown key; LiveConnectConfig has no such field"),
    ],
)
def test_a_setting_on_the_wrong_level_is_told_where_it_lives(config: Any, words: str) -> None:
    assert words in refused(config)


def test_extra_setup_adds_what_the_library_does_not_know() -> None:
    extra = {"brandNew": {"snake_key": [1, b"\xff"]}, "generationConfig": {"alsoNew": 0}}
    assert setup({"temperature": 0.5}, extra_setup=extra) == {
        "model": "models/m",
        "generationConfig": {"temperature": 0.5, "alsoNew": 0},
        "brandNew": {"snake_key": [1, "/w=="]},
    }


def test_extra_setup_and_config_never_send_one_field_in_two_spellings() -> None:
    config = {"realtime_input_config": {"automatic_activity_detection": {"prefix_padding_ms": 1}}}
    extra = {"realtime_input_config": {"automatic_activity_detection": {"disabled": True, "newer_field": 1}}}
    assert setup(config, extra_setup=extra)["realtimeInputConfig"] == {
        "automaticActivityDetection": {"prefixPaddingMs": 1, "disabled": True, "newer_field": 1}
    }
    words = refused(None, extra_setup={"generationConfig": {"topK": 1, "top_k": 1}})
    assert words == "extra_setup.generationConfig.topK: is given twice, in two spellings"


def test_extra_setup_wins_and_known_names_are_sent_in_one_spelling() -> None:
    extra = {"generation_config": {"temperature": 1, "top_p": 0.5}, "session_resumption": {"handle": "x"}}
    assert setup({"temperature": 0.5, "session_resumption": {}}, extra_setup=extra) == {
        "model": "models/m",
        "generationConfig": {"temperature": 1, "topP": 0.5},
        "sessionResumption": {"handle": "x"},
    }


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ([], "extra_setup: must be a dict"),
        ({"setup": {}}, "leave out the outer 'setup'"),
        ({"model": "x"}, "extra_setup.model: the model is an argument"),
        ({"a": object()}, "extra_setup['a']: must be text, a number, True"),
    ],
)
def test_what_is_no_extra_setup_is_refused(extra: Any, words: str) -> None:
    assert words in refused(None, extra_setup=extra)


def test_types_of_googles_sdk_are_refused_with_what_to_take_instead() -> None:
    from google.genai import types as google_types

    config = google_types.LiveConnectConfig(response_modalities=[google_types.Modality.AUDIO], temperature=0.5)
    assert "not google.genai's LiveConnectConfig; take types from genai_live" in refused(config)
    assert "not google.genai's Tool" in refused({"tools": [google_types.Tool()]})
    assert "not google.genai's Part" in refused({"system_instruction": google_types.Part(text="a")})
    assert setup(config.model_dump(exclude_none=True))["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "temperature": 0.5,
    }


# The model, and options of one session.


def test_a_name_that_is_no_models_is_refused_before_anything_else() -> None:
    with pytest.raises(ConfigError, match=r"^model: 'a\.\.b' contains"):
        setup_message(CLIENTS[MLDEV], "a..b", {"unknown": 1})


def test_http_options_of_a_session_change_its_address_and_are_not_sent() -> None:
    config = {"http_options": {"base_url": "http://x", "headers": {"a": "b"}}, "temperature": 1}
    assert setup(config) == {"model": "models/m", "generationConfig": {"temperature": 1}}
    client = connection_options(CLIENTS[MLDEV], config)
    assert client.live_endpoint().url.startswith("ws://x/ws/")
    assert connection_options(CLIENTS[MLDEV], None) is CLIENTS[MLDEV]
    with pytest.raises(ConfigError, match=r"^config\.http_options\.proxy: "):
        connection_options(CLIENTS[MLDEV], types.LiveConnectConfig(http_options=types.HttpOptions(proxy="http://p:1")))


def test_config_fields_call_the_config_what_they_are_told() -> None:
    with pytest.raises(ConfigError, match=r"^there\.top_p: "):
        config_fields(MLDEV, {"top_p": "x"}, "there")
