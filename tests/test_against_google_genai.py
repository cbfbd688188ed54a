"""What this library writes, held against what google-genai writes to a stub socket: they differ in listed defects only.

``GENAI_LIVE_EXAMPLES=2000`` makes hypothesis try that many; 200 by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import google.oauth2.credentials
import pytest
from google import genai
from google.genai import live as official_live
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_live import _json, types
from genai_live._backends import MLDEV, VERTEX, Backend
from genai_live._client_messages import inputs
from genai_live._client_messages.setup import setup_message
from genai_live._validation import merged
from genai_live.api_client import ApiClient
from genai_live.types._base import Message, WireField, fields_of, names_of

pytestmark = pytest.mark.skipif(
    tuple(map(int, genai.version.__version__.split(".")[:2])) < (3, 4),
    reason="older releases of google-genai lack fields of the table",
)
EXAMPLES = int(os.environ.get("GENAI_LIVE_EXAMPLES", "200"))
PROJECT, LOCATION = "project", "us-central1"

# What each client gets is built from the table of fields, in snake_case dicts that both take.

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
STRUCT = st.dictionaries(st.sampled_from(["snake_key", "camelKey", "x"]), JSON, max_size=2)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "bool": st.booleans(),
    "integer": st.integers(0, 2**31 - 1),
    "number": st.floats(0, 2, width=32),
    "bytes": st.binary(max_size=6),
    "duration": st.sampled_from(["0s", "1.5s", "12s"]),
    "timestamp": st.just("2026-01-02T03:04:05Z"),
    "struct": STRUCT,
    "json": JSON,
}
NAMES = st.sampled_from(["one", "two_words", "Three", "four-4", "f.i:ve", "_six"])
TELLING: dict[tuple[type[Message], str], st.SearchStrategy[Any]] = {
    (types.LiveConnectConfig, "response_modalities"): st.sampled_from([["AUDIO"], ["text"], [types.Modality.TEXT.value]]),
    (types.GenerationConfig, "response_modalities"): st.sampled_from([["AUDIO"], ["TEXT"]]),
    (types.FunctionDeclaration, "name"): NAMES,
    (types.FunctionResponse, "name"): NAMES,
    (types.PartialArg, "null_value"): st.just("NULL_VALUE"),
    (types.FunctionResponse, "id"): st.sampled_from(["1", "call-2"]),
}
"""Fields that take less than their kind says."""
NEEDED: dict[type[Message], tuple[str, ...]] = {
    types.FunctionDeclaration: ("name",),
    types.FunctionResponse: ("id", "name", "response"),
}
"""Fields without which this library refuses the message."""
NEVER_EMPTY = frozenset({types.Part, types.Tool})
"""Messages whose empty form means nothing: an empty dict among parts could as well be a Content, an empty tool is none."""
NOT_COMPARED: dict[tuple[type[Message], str], str] = {
    (types.LiveConnectConfig, "http_options"): "is not part of what is sent",
    (types.GenerationConfig, "response_mime_type"): "is refused here: not usable in Live",
    (types.GenerationConfig, "response_schema"): "is refused here: not usable in Live",
    (types.GenerationConfig, "response_json_schema"): "is refused here: not usable in Live",
    (types.GenerationConfig, "stop_sequences"): "is refused here: not usable in Live",
    (types.GenerationConfig, "logprobs"): "is refused here: not usable in Live",
    (types.GenerationConfig, "response_logprobs"): "is refused here: not usable in Live",
    (types.GenerationConfig, "routing_config"): "is refused here: not usable in Live",
    (types.GenerationConfig, "audio_timestamp"): "is refused here: not usable in Live",
}
"""Fields that are left out, with the reason."""


def value_of(field: WireField, cls: type[Message], backend: Backend, depth: int) -> st.SearchStrategy[Any]:
    if (cls, field.name) in TELLING:
        return TELLING[cls, field.name]
    if field.kind == "message":
        assert field.type is not None
        item = message(field.type, backend, depth - 1)
    elif field.kind == "enum":
        assert field.type is not None
        item = st.sampled_from([member.value for member in field.type])
    else:
        item = SCALARS[field.kind]
    if field.shape == "list":
        return st.lists(item, min_size=1, max_size=2)
    if field.shape == "map":
        return st.dictionaries(st.sampled_from(["snake_key", "camelKey"]), item, min_size=1, max_size=2)
    return item


def message(cls: type[Message], backend: Backend, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts of ``cls`` with fields that the backend takes, nested at most ``depth`` deep."""

    def takes(field: WireField) -> bool:
        supported = field.vertex if backend.is_vertex else field.mldev
        deep = field.kind == "message" and depth <= 0
        return supported is True and not deep and (cls, field.name) not in NOT_COMPARED and field.kind != "object"

    required = NEEDED.get(cls, ())
    fields = [field for field in fields_of(cls) if takes(field)]
    needed = {f.name: value_of(f, cls, backend, depth) for f in fields if f.name in required}
    optional = {f.name: st.deferred(lambda f=f: value_of(f, cls, backend, depth)) for f in fields if f.name not in required}

    def some(chosen: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({**needed, **{name: optional[name] for name in chosen}})

    if not optional:
        return st.fixed_dictionaries(needed)
    least = 1 if cls in NEVER_EMPTY else 0
    return st.lists(st.sampled_from(sorted(optional)), min_size=least, max_size=4, unique=True).flatmap(some)


def config(backend: Backend) -> st.SearchStrategy[dict[str, Any]]:
    """Configs, with system instructions of every shape that both clients take, and functions that are declared once."""
    plain = message(types.LiveConnectConfig, backend, 4)
    # google-genai takes a dict that has only video_metadata for a File, which has a field of that name too.
    part = st.builds(lambda held, text: {**held, "text": text}, message(types.Part, backend, 2), TEXT)
    instruction = st.one_of(
        TEXT, part, message(types.Content, backend, 3), st.lists(st.one_of(TEXT, part), min_size=1, max_size=2)
    )
    with_instruction = st.builds(lambda held, told: {**held, "system_instruction": told}, plain, instruction)
    generation = message(types.GenerationConfig, backend, 3)
    with_generation = st.builds(lambda held, older: {**held, "generation_config": older}, plain, generation)
    tools = st.lists(message(types.Tool, backend, 3), max_size=3)
    with_tools = st.builds(lambda held, used: {**held, "tools": used}, plain, tools)
    return st.one_of(plain, with_instruction, with_generation, with_tools).map(declared_once)


def declared_once(held: dict[str, Any]) -> dict[str, Any]:
    """Gives every function a name of its own and one kind of schema: anything else is refused here."""
    functions = [function for tool in held.get("tools", []) for function in tool.get("function_declarations", [])]
    for number, function in enumerate(functions):
        function["name"] = f"{function['name'][:1]}_{number}"
        for schema in ("parameters", "response"):
            if schema in function:
                function.pop(f"{schema}_json_schema", None)
    return held


def turns(backend: Backend) -> st.SearchStrategy[Any]:
    content = message(types.Content, backend, 4)
    return st.one_of(st.none(), content, st.lists(content, max_size=3), st.lists(content, max_size=3).map(tuple))


def blob(backend: Backend, *mime_types: str) -> st.SearchStrategy[dict[str, Any]]:
    """Blobs of whole 16-bit samples."""
    samples = st.binary(max_size=4).map(lambda data: data * 2)
    named = message(types.Blob, backend, 1)
    return st.builds(
        lambda held, data, kind: {**held, "data": data, "mime_type": kind}, named, samples, st.sampled_from(mime_types)
    )


def realtime(backend: Backend) -> st.SearchStrategy[dict[str, Any]]:
    """Exactly one argument of send_realtime_input."""
    sounds, pictures = ("audio/pcm;rate=16000", "audio/pcm", "audio/aac"), ("image/jpeg", "image/png")
    arguments = {
        "media": blob(backend, *sounds, *pictures, "application/pdf"),
        "audio": blob(backend, *sounds),
        "video": blob(backend, *pictures),
        "text": TEXT,
        "activity_start": st.just({}),
        "activity_end": st.just({}),
        "audio_stream_end": st.booleans(),
    }
    return st.one_of(*(values.map(lambda value, name=name: {name: value}) for name, values in arguments.items()))  # type: ignore[misc]


def responses(backend: Backend) -> st.SearchStrategy[Any]:
    response = message(types.FunctionResponse, backend, 3)
    return st.one_of(response, st.lists(response, min_size=1, max_size=3))


def update(backend: Backend) -> st.SearchStrategy[dict[str, Any]]:
    """The arguments of send_context_update, one of them at least."""
    instruction = st.one_of(TEXT, message(types.Content, backend, 3))
    tools = st.lists(message(types.Tool, backend, 3), max_size=3)
    told = st.fixed_dictionaries({"system_instruction": instruction}, optional={"tools": tools})
    return st.one_of(told, st.fixed_dictionaries({"tools": tools})).map(declared_once)


# The other client, with a socket that only remembers.


class StubSocket:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def recv(self, decode: bool | None = None) -> bytes:
        return b'{"setupComplete": {}}'


@pytest.fixture(scope="module")
def official() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """``official(backend, config, *sends)`` gives the frames that google-genai writes."""
    sockets: list[StubSocket] = []

    @contextlib.asynccontextmanager
    async def connect(*_: Any, **__: Any) -> Any:
        sockets.append(StubSocket())
        yield sockets[-1]

    clients = {
        MLDEV: genai.Client(api_key="key"),
        VERTEX: genai.Client(
            vertexai=True, project=PROJECT, location=LOCATION, credentials=google.oauth2.credentials.Credentials(token="t")
        ),
    }

    def write(backend: Backend, config: Any, *sends: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        async def session() -> None:
            async with clients[backend].aio.live.connect(model="model", config=config) as opened:
                for name, arguments in sends:
                    await getattr(opened, name)(**arguments)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(session())
        return [json.loads(text) for text in sockets.pop().sent]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(official_live, "ws_connect", connect)
        yield write


OURS = {
    MLDEV: ApiClient("key"),
    VERTEX: ApiClient(
        vertexai=True, project=PROJECT, location=LOCATION, credentials=google.oauth2.credentials.Credentials(token="t")
    ),
}

# One spelling for both: the table says which keys are the wire's and which the user's, and how bytes and times are compared.


def one_spelling(cls: type[Message], value: dict[str, Any], backend: Backend) -> dict[str, Any]:
    names, rows = names_of(cls), {field.name: field for field in fields_of(cls)}
    result: dict[str, Any] = {}
    for key, item in value.items():
        row = rows.get(names.get(key, ""))
        if row is None:
            result[key] = item
            continue
        wire = row.vertex_wire if backend.is_vertex else row.wire
        plain = one_value(row, item, backend)
        result[wire] = merged(result[wire], plain) if isinstance(result.get(wire), dict) else plain
    return result


def one_value(row: WireField, value: Any, backend: Backend) -> Any:
    if row.shape in ("list", "boxed"):
        return [one_item(row, item, backend) for item in value]
    if row.shape == "map":
        return {key: one_item(row, item, backend) for key, item in value.items()}
    return one_item(row, value, backend)


def one_item(row: WireField, value: Any, backend: Backend) -> Any:
    if row.kind == "message" and row.type is not None:
        return one_spelling(row.type, value, backend)
    if row.kind == "bytes":
        return _json.b64decode(value)
    if row.kind == "timestamp":
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


def compared(frame: dict[str, Any], backend: Backend) -> dict[str, Any]:
    return one_spelling(types.LiveClientMessage, frame, backend)


def ours(sent: dict[str, Any]) -> dict[str, Any]:
    return json.loads(_json.dumps(sent))  # type: ignore[no-any-return]


# The differences: nothing but what this table explains may differ.


def schema_by_its_own_name(frame: dict[str, Any]) -> dict[str, Any]:
    """Defect 43: the schema of a text format is written under google-genai's own name for it."""
    for form in frame.get("setup", {}).get("generationConfig", {}).get("responseFormat", []):
        if "jsonSchema" in form.get("text", {}):
            form["text"]["schema"] = form["text"].pop("jsonSchema")
    return frame


def said_once(held: dict[str, Any]) -> dict[str, Any]:
    """Defects 42 and 68: what stands in generation_config and beside it is refused, doubled, or taken from the wrong place."""
    older = dict(held.get("generation_config", {}))
    plain = dict(held)
    for name in set(older) & set(held):
        if isinstance(older[name], dict):
            plain[name] = merged(older[name], held[name])
        del older[name]
    return {**plain, "generation_config": older} if "generation_config" in held else plain


def with_roles(frame: dict[str, Any]) -> dict[str, Any]:
    """Turns without role, which 3.x models close the connection for, are the user's by their name too."""
    for turn in frame.get("clientContent", {}).get("turns", []):
        turn.setdefault("role", "user")
    return frame


DEFECTS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {42: said_once, 43: schema_by_its_own_name, 68: said_once}
"""For each defect that shows in what is written, the function that takes it away: from the config, or from the frame."""


def assert_same(mine: dict[str, Any], theirs: dict[str, Any], backend: Backend) -> None:
    assert compared(ours(mine), backend) == with_roles(DEFECTS[43](compared(theirs, backend)))


both = pytest.mark.parametrize("backend", [MLDEV, VERTEX], ids=lambda backend: backend.name)


def for_all(strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    every = list(HealthCheck)
    settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=every, database=None)(given(strategy)(check))()


@both
def test_a_setup_says_what_google_genai_says(backend: Backend, official: Any) -> None:
    def check(held: dict[str, Any]) -> None:
        assert_same(
            {"setup": setup_message(OURS[backend], "model", held).fields}, official(backend, DEFECTS[68](held))[0], backend
        )

    for_all(config(backend), check)


@both
def test_content_says_what_google_genai_says(backend: Backend, official: Any) -> None:
    def check(sent: tuple[Any, bool]) -> None:
        arguments = {"turns": sent[0], "turn_complete": sent[1]}
        theirs = official(backend, None, ("send_client_content", arguments))[1]
        assert_same(inputs.client_content(*sent, backend), theirs, backend)

    for_all(st.tuples(turns(backend), st.booleans()), check)


@both
def test_realtime_input_says_what_google_genai_says(backend: Backend, official: Any) -> None:
    def check(arguments: dict[str, Any]) -> None:
        theirs = official(backend, None, ("send_realtime_input", arguments))[1]
        assert_same(inputs.realtime_input(backend, **arguments), theirs, backend)

    for_all(realtime(backend), check)


@both
def test_a_tool_response_says_what_google_genai_says(backend: Backend, official: Any) -> None:
    def check(sent: Any) -> None:
        theirs = official(backend, None, ("send_tool_response", {"function_responses": sent}))[1]
        assert_same(inputs.tool_response(sent, backend), theirs, backend)

    for_all(responses(backend), check)


@both
def test_a_context_update_says_what_google_genai_says(backend: Backend, official: Any) -> None:
    def check(arguments: dict[str, Any]) -> None:
        theirs = official(backend, None, ("send_context_update", arguments))[1]
        mine = inputs.context_update(arguments.get("system_instruction"), arguments.get("tools"), backend)
        assert_same(mine, theirs, backend)

    for_all(update(backend), check)


DIFFERING: dict[int, tuple[Backend, dict[str, Any]]] = {
    42: (MLDEV, {"top_p": 0.5, "generation_config": {"top_p": 0.25}}),
    43: (MLDEV, {"generation_config": {"response_format": [{"text": {"schema": {"type": "OBJECT"}}}]}}),
    68: (VERTEX, {"temperature": 0.0, "generation_config": {"temperature": 1.0}}),
}


@pytest.mark.parametrize("number", DIFFERING)
def test_every_listed_difference_is_still_there(number: int, official: Any) -> None:
    """A row that explains nothing any more has to go."""
    assert set(DIFFERING) == set(DEFECTS)
    backend, held = DIFFERING[number]
    theirs = official(backend, held)[0]
    assert compared(ours({"setup": setup_message(OURS[backend], "model", held).fields}), backend) != theirs
