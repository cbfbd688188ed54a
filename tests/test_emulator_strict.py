"""The emulator refuses what the service is known to refuse, in the service's words, and takes it when it is told to."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from genai_live import Client, errors, families
from genai_live.emulator import LiveEmulator
from genai_live.families import FAMILIES, ModelFamily
from tests.live_wire import CONSTRAINED, MLDEV, MUSIC, SPEECH, TEXT, VERTEX, Wire, content, fetch

NATIVE, FLASH_25 = "models/gemini-2.5-flash-native-audio-latest", "models/gemini-live-2.5-flash-preview"
LIVE_31, LIVE_38 = "models/gemini-3.1-flash-live-preview", "models/gemini-3.8-live"
THINKING = f"{LIVE_38}-extended-thinking"
ON_VERTEX = "projects/p/locations/{}/publishers/google/models/{}"
INVALID = "Request contains an invalid argument."
LEVEL = {"thinkingConfig": {"thinkingLevel": "LOW"}}


@pytest.fixture(scope="module")
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


@pytest.fixture(scope="module")
def lenient() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False, strict=False) as running:
        yield running


# API versions.


def in_version(path: str, version: str) -> str:
    return re.sub("v1beta1?", version, path)


@pytest.mark.parametrize(
    ("path", "version"),
    [(MLDEV, "v1"), (CONSTRAINED, "v1"), (MUSIC, "v1"), (MLDEV, "v1main"), (VERTEX, "v1alpha"), (VERTEX, "v1beta")],
)
def test_a_version_that_does_not_serve_a_method_is_answered_404(
    emulator: LiveEmulator, lenient: LiveEmulator, path: str, version: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        Wire(emulator.url, in_version(path, version))
    assert caught.value.response.status_code == 404
    with Wire(lenient.url, in_version(path, version)):
        pass


@pytest.mark.parametrize(("path", "version"), [(MLDEV, "v1alpha"), (VERTEX, "v1"), (VERTEX, "v1beta1")])
def test_versions_that_serve_it_are_served(emulator: LiveEmulator, path: str, version: str) -> None:
    model = ON_VERTEX.format("l", "emulator") if path == VERTEX else TEXT["model"]
    with Wire(emulator.url, in_version(path, version), {"model": model}) as wire:
        assert "setupComplete" in wire.setup_complete


def test_tokens_are_made_where_sessions_are_served(emulator: LiveEmulator, lenient: LiveEmulator) -> None:
    for version, status in (("v1", 404), ("v1alpha", 200), ("v1beta", 200)):
        assert fetch(emulator.port, "POST", f"/{version}/auth_tokens", "{}")[0] == status
    assert fetch(lenient.port, "POST", "/v1/auth_tokens", "{}")[0] == 200


def test_a_token_connects_to_the_version_that_it_was_made_on(emulator: LiveEmulator, lenient: LiveEmulator) -> None:
    def opened(server: LiveEmulator, made_on: str, **options: Any) -> str:
        token = fetch(server.port, "POST", f"/{made_on}/auth_tokens", "{}")[1]["name"]
        client = Client(token, http_options={"base_url": server.url, **options})
        with client.live.connect(model="emulator", timeout=10) as session:
            return str(session.ask("Hello", timeout=10).transcripts.output)

    opened(emulator, "v1beta")
    opened(emulator, "v1alpha", api_version="v1alpha")
    opened(lenient, "v1alpha")
    with pytest.raises(errors.SetupRejected, match=r"'api_version': 'v1alpha'\} instead of 'v1beta'") as caught:
        opened(emulator, "v1alpha")
    assert caught.value.kind is errors.ErrorKind.AUTH


def test_a_client_that_asks_for_v1_is_told_which_version_serves_it(emulator: LiveEmulator) -> None:
    client = Client("any", http_options={"base_url": emulator.url, "api_version": "v1"})
    with pytest.raises(errors.HandshakeRejected, match=r"HTTP 404.*http_options=\{'api_version': 'v1beta'\}"):
        client.live.connect(model="emulator", timeout=10)


# Setups.

FUNCTION = {"name": "get_weather"}
SETUPS: list[tuple[str, dict[str, Any], int, str]] = [
    (NATIVE, {"generationConfig": {"responseModalities": ["TEXT"]}}, 1007, "modalities (TEXT) is not supported by the model"),
    (NATIVE, {"tools": [{"codeExecution": {}}]}, 1007, "Code Execution tool is not supported for this model"),
    (LIVE_31, {"generationConfig": {"responseModalities": ["TEXT"]}}, 1007, "modalities (TEXT) is not supported by the model"),
    (LIVE_31, {"generationConfig": {"enableAffectiveDialog": True}}, 1007, INVALID),
    (LIVE_38, {"generationConfig": {"responseModalities": ["TEXT"]}}, 1007, "modalities (TEXT) is not supported by the model"),
    (LIVE_38, {"generationConfig": LEVEL}, 1007, "Thinking level is not supported for this model"),
    (THINKING, {}, 1007, "Thinking level must be specified for this model"),
    (THINKING, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}, 1007, "level MINIMAL is not supported"),
    (THINKING, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 0}}}, 1007, INVALID),
    (
        THINKING,
        {"generationConfig": LEVEL, "tools": [{"functionDeclarations": [{**FUNCTION, "behavior": "BLOCKING"}]}]},
        1007,
        "BLOCKING function calls are not supported for this model",
    ),
    (ON_VERTEX.format("l", "gemini-live-2.5-flash"), {"generationConfig": LEVEL}, 1007, "thinking_level is not supported"),
    (
        ON_VERTEX.format("l", "gemini-live-2.5-flash-native-audio"),
        {"generationConfig": {"responseModalities": ["TEXT"]}},
        1007,
        "modalities (TEXT)",
    ),
    (ON_VERTEX.format("global", "gemini-live-2.5-flash-native-audio"), {}, 1008, "Publisher Model"),
    ("models/emulator", {"proactivity": {"proactiveAudio": True}}, 1007, "Unknown name \"proactivity\" at 'setup'"),
    (
        "models/emulator",
        {"tools": [{"functionDeclarations": [{**FUNCTION, "parameters": {"type": "OBJECT", "additionalProperties": False}}]}]},
        1007,
        'Unknown name "additionalProperties" at',
    ),
]


def path_of(model: str) -> str:
    return VERTEX if model.startswith("projects/") else MLDEV


@pytest.mark.parametrize(("model", "setup", "code", "reason"), SETUPS)
def test_a_setup_that_the_service_refuses_is_refused_in_its_words(
    emulator: LiveEmulator, lenient: LiveEmulator, model: str, setup: dict[str, Any], code: int, reason: str
) -> None:
    with Wire(emulator.url, path_of(model)) as wire:
        wire.send({"setup": {"model": model, **setup}})
        found = wire.closed()
        assert found[0] == code
        assert reason in found[1]
    with Wire(lenient.url, path_of(model), {"model": model, **setup}) as wire:
        assert "setupComplete" in wire.setup_complete


def test_proactivity_is_known_to_v1alpha(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, in_version(MLDEV, "v1alpha"), {**TEXT, "proactivity": {"proactiveAudio": True}}) as wire:
        assert "setupComplete" in wire.setup_complete


# Messages after setup.

SILENT = {"toolResponse": {"functionResponses": [{"id": "1", "name": "f", "response": {}, "scheduling": "SILENT"}]}}
WITHOUT_ROLE = {"clientContent": {"turns": [{"parts": [{"text": "Hello"}]}], "turnComplete": True}}
MESSAGES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (LIVE_38, {"generationConfig": {"enableAffectiveDialog": True}}, content("Hello"), INVALID),
    (LIVE_38, {}, WITHOUT_ROLE, INVALID),
    (LIVE_31, {}, WITHOUT_ROLE, INVALID),
    (THINKING, {"generationConfig": LEVEL}, SILENT, "Function response scheduling is not supported for this model"),
]


@pytest.mark.parametrize(("model", "setup", "message", "reason"), MESSAGES)
def test_a_message_that_the_service_refuses_is_refused_in_its_words(
    emulator: LiveEmulator, model: str, setup: dict[str, Any], message: dict[str, Any], reason: str
) -> None:
    with Wire(emulator.url, MLDEV, {**SPEECH, "model": model, **setup}) as wire:
        wire.send(message)
        assert wire.closed() == (1007, reason)


@pytest.mark.parametrize(("model", "setup", "message", "reason"), MESSAGES[:3])
def test_a_lenient_emulator_answers_them(
    lenient: LiveEmulator, model: str, setup: dict[str, Any], message: dict[str, Any], reason: str
) -> None:
    with Wire(lenient.url, MLDEV, {**SPEECH, "model": model, **setup}) as wire:
        wire.send(message)
        assert wire.turn()


# What 2.x models do not see.


def weather(city: str) -> str:
    """Tells the weather."""
    return city


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("model", "declared", "args"),
    [
        (NATIVE, {"parametersJsonSchema": SCHEMA}, {}),
        (FLASH_25, {"parametersJsonSchema": SCHEMA}, {}),
        (NATIVE, {"parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}, {"city": "Paris"}),
        (LIVE_38, {"parametersJsonSchema": SCHEMA}, {"city": "Paris"}),
    ],
)
def test_2_x_models_do_not_see_a_json_schema(
    emulator: LiveEmulator, lenient: LiveEmulator, model: str, declared: dict[str, Any], args: dict[str, Any]
) -> None:
    for server, expected in ((emulator, args), (lenient, {"city": "Paris"})):
        tools = [{"functionDeclarations": [{**FUNCTION, **declared}]}]
        with Wire(server.url, MLDEV, {**SPEECH, "model": model, "tools": tools}) as wire:
            wire.send({"realtimeInput": {"text": "What is the weather in Paris?"}})
            (call,) = wire.read_until("toolCall")[-1]["toolCall"]["functionCalls"]
            assert call["args"] == expected


@pytest.mark.parametrize("model", [NATIVE, FLASH_25, LIVE_31, LIVE_38, THINKING, "models/gemini-2.0-flash-live-001"])
def test_a_function_is_called_with_its_arguments_on_every_family(emulator: LiveEmulator, model: str) -> None:
    client = Client("any", http_options={"base_url": emulator.url})
    config = {"tools": [weather], **({"thinking_config": {"thinking_level": "LOW"}} if model == THINKING else {})}
    with client.live.connect(model=model, config=config, timeout=10) as session:
        session.send_text("What is the weather in Paris?")
        calls = next(message.tool_call for message in session.receive(timeout=10) if message.tool_call).function_calls
    assert calls is not None
    assert calls[0].args == {"city": "Paris"}


# The two tables: the client's, of what it does not send, and the emulator's, of what it does not take.

CONFIGS: list[dict[str, Any]] = [
    {},
    {"response_modalities": ["TEXT"]},
    {"response_modalities": ["AUDIO"]},
    {"thinking_config": {"thinking_level": "LOW"}},
    {"thinking_config": {"thinking_level": "MINIMAL"}},
    {"thinking_config": {"thinking_level": "LOW", "thinking_budget": 0}},
    {"enable_affective_dialog": True},
    {"tools": [{"function_declarations": [{"name": "f", "behavior": "BLOCKING"}]}]},
    {"tools": [{"function_declarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]},
]
TALKERS = [NATIVE, FLASH_25, LIVE_31, LIVE_38, THINKING]
ON_VERTEX_TOO = ["gemini-live-2.5-flash", "gemini-live-2.5-flash-native-audio", "gemini-3.8-live"]


def verdict(client: Client, model: str, config: dict[str, Any]) -> str:
    """What becomes of a session: refused by the client, by the emulator, or answered."""
    try:
        with client.live.connect(model=model, config=config, timeout=10) as session:
            session.ask("Hello", timeout=10)
    except errors.ConfigError:
        return "refused"
    except (errors.SetupRejected, errors.SessionClosed) as error:
        return f"refused with {error.code}"
    return "answered"


@pytest.mark.parametrize("config", CONFIGS, ids=json.dumps)
@pytest.mark.parametrize("model", [*TALKERS, *ON_VERTEX_TOO])
def test_the_client_refuses_what_the_emulator_refuses_and_nothing_else(
    emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch, model: str, config: dict[str, Any]
) -> None:
    place = {} if model in TALKERS else {"vertexai": True, "location": "us-central1"}
    client = Client("any", http_options={"base_url": emulator.url}, **place)
    judged = verdict(client, model, config)
    knows_nothing = [dataclasses.replace(ModelFamily("any", ""), text_as_realtime_input=model in TALKERS), *FAMILIES]
    monkeypatch.setattr(families, "FAMILIES", knows_nothing)
    assert judged == verdict(client, model, config).partition(" with")[0]
    assert "with" not in judged


def test_native_audio_at_vertex_ais_default_location_is_told_with_one_that_has_it(emulator: LiveEmulator) -> None:
    client = Client("any", vertexai=True, project="p", location="global", http_options={"base_url": emulator.url})
    with pytest.raises(errors.SetupRejected, match=r"native audio models not in 'global'.*location='us-central1'") as caught:
        client.live.connect(model="gemini-live-2.5-flash-native-audio", timeout=10)
    assert (caught.value.code, caught.value.kind) == (1008, errors.ErrorKind.MODEL_NOT_FOUND)
