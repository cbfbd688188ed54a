"""Which families of models differ in what, where that is from, what is refused before dialling, and how a user overrules it."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest

from genai_live import Client, families, types
from genai_live._client_messages.setup import setup_message
from genai_live.api_client import ApiClient
from genai_live.errors import ConfigError
from genai_live.families import CELLS, FAMILIES, NEVER_RECORDED, ModelFamily, family_of
from tests import families_page
from tests.servers import answer_setup, client_of, live_server

MLDEV, VERTEX = ApiClient("a-key"), ApiClient("a-key", vertexai=True)
LIVE_38, THINKING_38 = "gemini-3.8-live", "gemini-3.8-live-extended-thinking"
LIVE_31 = "gemini-3.1-flash-live-preview"
NATIVE_25, FLASH_25 = "gemini-2.5-flash-native-audio-preview-12-2025", "gemini-live-2.5-flash-preview"
LEVEL = {"thinking_config": {"thinking_level": "LOW"}}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> list[ModelFamily]:
    """A copy of the table, so that no test changes it for another."""
    copy = list(FAMILIES)
    monkeypatch.setattr(families, "FAMILIES", copy)
    return copy


@pytest.mark.parametrize(
    ("model", "client", "name"),
    [
        ("models/gemini-2.0-flash-live-001", MLDEV, "Gemini 1 and 2"),
        (FLASH_25, MLDEV, "Gemini 1 and 2"),
        (NATIVE_25, MLDEV, "Gemini 2.5 native audio"),
        ("gemini-2.5-flash-preview-native-audio-dialog", MLDEV, "Gemini 2.5 native audio"),
        (LIVE_31, MLDEV, "Gemini 3.1 Flash Live"),
        (LIVE_38, MLDEV, "Gemini 3.8 Live"),
        (f"models/{THINKING_38}", MLDEV, "Gemini 3.8 Live Extended Thinking"),
        ("gemini-3.5-transcribe-live", MLDEV, "Gemini transcription and translation"),
        ("gemini-robotics-er-2-streaming-preview", MLDEV, "Gemini Robotics"),
        ("a-model-of-tomorrow", MLDEV, "unlisted"),
        ("emulator", MLDEV, "emulator"),
        (LIVE_38, VERTEX, "Gemini 3.8 Live on Vertex AI"),
        ("gemini-live-2.5-flash-native-audio", VERTEX, "Gemini 2.5 native audio on Vertex AI"),
        ("projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash", VERTEX, "Gemini 2.5 Flash Live on Vertex AI"),
        ("gemini-2.0-flash-live-preview-04-09", VERTEX, "Gemini 1 and 2 on Vertex AI"),
        ("a-model-of-tomorrow", VERTEX, "Vertex AI"),
    ],
)
def test_the_name_and_the_backend_choose_the_family(model: str, client: ApiClient, name: str) -> None:
    assert family_of(model, client).name == name


def test_the_users_own_client_is_taken() -> None:
    assert family_of(LIVE_38, Client("a-key")) is family_of(LIVE_38, MLDEV)
    assert family_of(LIVE_38, Client("a-key", vertexai=True)) is family_of(LIVE_38, VERTEX)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_that_is_no_default_has_its_source(family: ModelFamily, cell: str) -> None:
    default = next(each.default for each in dataclasses.fields(ModelFamily) if each.name == cell)
    assert getattr(family, cell) == default or family.source(cell) != NEVER_RECORDED


def test_a_source_belongs_to_a_cell() -> None:
    assert not {cell for family in FAMILIES for cell in family.sources} - set(CELLS)


def test_the_page_of_families_says_what_the_table_says() -> None:
    assert families_page.PAGE.read_text(encoding="utf-8") == families_page.page(), "python -m tests.families_page writes it anew"


def test_the_example_on_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(families_page.HEAD.split("```")[1].removeprefix("python"), {})
    assert capsys.readouterr().out == "taken\n"
    assert family_of(LIVE_38, MLDEV).thinking_level == "taken"


def test_names_are_told_apart() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_a_row_put_before_the_others_counts_first(table: list[ModelFamily]) -> None:
    mine = ModelFamily("mine", r"my-model", text_as_realtime_input=False)
    table.insert(0, mine)
    assert family_of("projects/p/my-model", MLDEV) is mine
    assert mine.source("scheduling") == "never recorded"


def test_a_model_that_no_row_matches_is_of_a_plain_family(table: list[ModelFamily]) -> None:
    table.clear()
    assert family_of(LIVE_38, MLDEV).refused_modalities == frozenset()


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^pattern: '\(' is not a regular expression"):
        ModelFamily("mine", "(")


@pytest.mark.parametrize(
    ("model", "client", "as_realtime_input"),
    [
        ("models/gemini-2.0-flash-live-001", MLDEV, False),
        (NATIVE_25, MLDEV, False),
        (FLASH_25, MLDEV, False),
        (LIVE_31, MLDEV, True),
        (LIVE_38, MLDEV, True),
        (LIVE_38, VERTEX, False),
        ("emulator", MLDEV, False),
        ("a-model-of-tomorrow", MLDEV, True),
    ],
)
def test_text_goes_as_the_model_takes_it(model: str, client: ApiClient, as_realtime_input: bool) -> None:
    assert family_of(model, client).text_as_realtime_input is as_realtime_input


@pytest.mark.parametrize(
    ("model", "client", "behavior", "blocks", "several"),
    [
        (NATIVE_25, MLDEV, None, True, False),
        (NATIVE_25, MLDEV, "NON_BLOCKING", False, False),
        (LIVE_31, MLDEV, "NON_BLOCKING", True, False),
        (LIVE_38, MLDEV, None, False, True),
        (LIVE_38, MLDEV, "BLOCKING", True, False),
        (THINKING_38, MLDEV, None, False, True),
        ("gemini-live-2.5-flash", VERTEX, None, True, True),
        ("a-model-of-tomorrow", MLDEV, None, True, False),
    ],
)
def test_what_a_call_means_depends_on_family_and_behavior(
    model: str, client: ApiClient, behavior: str | None, blocks: bool, several: bool
) -> None:
    family = family_of(model, client)
    assert (family.call_blocks_speech(behavior), family.several_turn_completes(behavior)) == (blocks, several)


# What is refused before dialling.

BUDGET = "config.thinking_config.thinking_budget"
SLOW = {"function_declarations": [{"name": "slow", "behavior": "BLOCKING"}]}
REFUSED: list[tuple[str, ApiClient, dict[str, Any], str]] = [
    (THINKING_38, MLDEV, {}, "config.thinking_config.thinking_level"),
    (THINKING_38, MLDEV, {"thinking_config": {"thinking_level": "MINIMAL"}}, "config.thinking_config.thinking_level"),
    (THINKING_38, MLDEV, {"thinking_config": {**LEVEL["thinking_config"], "thinking_budget": 0}}, BUDGET),
    (THINKING_38, MLDEV, {**LEVEL, "tools": [SLOW]}, "config.tools"),
    (LIVE_38, MLDEV, LEVEL, "config.thinking_config.thinking_level"),
    (LIVE_38, MLDEV, {"generation_config": LEVEL}, "config.thinking_config.thinking_level"),
    (LIVE_38, MLDEV, {"response_modalities": ["TEXT"]}, "config.response_modalities"),
    (LIVE_38, MLDEV, {"enable_affective_dialog": True}, "config.enable_affective_dialog"),
    (LIVE_31, MLDEV, {"responseModalities": ["text"]}, "config.response_modalities"),
    (NATIVE_25, MLDEV, {"response_modalities": ["TEXT"]}, "config.response_modalities"),
    ("gemini-robotics-er-2-streaming-preview", MLDEV, {"response_modalities": ["AUDIO"]}, "config.response_modalities"),
    ("gemini-live-2.5-flash", VERTEX, LEVEL, "config.thinking_config.thinking_level"),
    ("gemini-live-2.5-flash-native-audio", VERTEX, {"response_modalities": ["TEXT"]}, "config.response_modalities"),
]


@pytest.mark.parametrize(("model", "client", "config", "path"), REFUSED)
def test_a_refusal_names_the_setting_the_family_and_a_line_that_overrules_it(
    model: str, client: ApiClient, config: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        setup_message(client, model, config)
    assert caught.value.path == path
    assert family_of(model, client).name in str(caught.value)
    line = str(caught.value).rpartition("changed: ")[2]
    exec(line, {"families": families, "dataclasses": dataclasses, "client": client})
    assert setup_message(client, model, config).fields["model"]


@pytest.mark.parametrize(
    ("model", "client", "config"),
    [
        (THINKING_38, MLDEV, LEVEL),
        (THINKING_38, MLDEV, {**LEVEL, "tools": [{"function_declarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]}),
        (LIVE_38, MLDEV, {"response_modalities": ["AUDIO"], "tools": [SLOW], "enable_affective_dialog": False}),
        (LIVE_31, MLDEV, {**LEVEL, "tools": [SLOW]}),
        (FLASH_25, MLDEV, {"response_modalities": ["TEXT"]}),
        ("gemini-live-2.5-flash", VERTEX, {"response_modalities": ["TEXT"]}),
        ("a-model-of-tomorrow", MLDEV, {**LEVEL, "response_modalities": ["TEXT"], "tools": [SLOW]}),
    ],
)
def test_what_a_family_takes_is_sent(model: str, client: ApiClient, config: dict[str, Any]) -> None:
    assert setup_message(client, model, config).fields["model"]


def test_extra_setup_is_the_callers_own_affair() -> None:
    extra = {"generationConfig": {"responseModalities": ["TEXT"], "thinkingConfig": {"thinkingLevel": "MINIMAL"}}}
    assert setup_message(MLDEV, THINKING_38, extra_setup=extra).fields["generationConfig"] == extra["generationConfig"]


def sent_by(session_does: Any, model: str = THINKING_38) -> list[dict[str, Any]]:
    """The messages that a server of our own saw after setup."""
    seen: list[dict[str, Any]] = []

    def handler(connection: Any) -> None:
        answer_setup(connection)
        seen.extend(json.loads(raw) for raw in connection)

    config = LEVEL if model == THINKING_38 else None
    with live_server(handler) as url, client_of(url).live.connect(model=model, config=config) as session:
        session_does(session)
    return seen


def test_scheduling_that_a_family_refuses_is_refused_before_it_is_sent() -> None:
    response = types.FunctionResponse(id="1", name="f", response={}, scheduling=types.FunctionResponseScheduling.SILENT)

    def answer(session: Any) -> None:
        with pytest.raises(ConfigError, match=r"^function_responses\.scheduling: is refused by .*Extended Thinking"):
            session.send_tool_response(function_responses=response)
        response.scheduling = None
        session.send_tool_response(function_responses=response)

    (message,) = sent_by(answer)
    assert message["toolResponse"]["functionResponses"] == [{"id": "1", "name": "f", "response": {}}]


def test_a_behavior_that_a_family_refuses_is_refused_in_a_context_update_too() -> None:
    def update(session: Any) -> None:
        with pytest.raises(ConfigError, match=r"^tools: BLOCKING is refused"):
            session.send_context_update(tools=[SLOW])

    assert sent_by(update) == []


# The form of declarations.


def weather(city: str, days: int = 1) -> dict[str, Any]:
    """Tells the weather."""
    return {}


def declared(model: str, client: ApiClient = MLDEV) -> dict[str, Any]:
    setup = setup_message(client, model, {"tools": [weather]}).fields
    found: dict[str, Any] = setup["tools"][0]["functionDeclarations"][0]
    return found


@pytest.mark.parametrize(
    ("model", "client"),
    [(NATIVE_25, MLDEV), (FLASH_25, MLDEV), ("gemini-live-2.5-flash", VERTEX), ("gemini-2.0-flash-live-001", MLDEV)],
)
def test_models_that_do_not_see_a_json_schema_get_parameters(model: str, client: ApiClient) -> None:
    assert declared(model, client) == {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {
            "type": "OBJECT",
            "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER", "default": 1}},
            "required": ["city"],
        },
    }


@pytest.mark.parametrize(("model", "client"), [(LIVE_31, MLDEV), (LIVE_38, MLDEV), (LIVE_38, VERTEX), ("emulator", MLDEV)])
def test_others_get_the_json_schema(model: str, client: ApiClient) -> None:
    assert "parameters" not in declared(model, client)
    assert declared(model, client)["parametersJsonSchema"]["required"] == ["city"]


def test_a_context_update_has_the_form_of_the_family_too() -> None:
    (message,) = sent_by(lambda session: session.send_context_update(tools=[weather]), NATIVE_25)
    (tool,) = message["contextUpdate"]["tools"]["tools"]
    assert tool["functionDeclarations"][0]["parameters"]["required"] == ["city"]


def test_the_protocol_of_a_client_is_one_question() -> None:
    assert family_of(LIVE_38, SimpleNamespace(vertexai=True)).backend == "vertex"
