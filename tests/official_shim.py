"""A pytest plugin that runs google-genai's own tests against genai_live: what they import of Google's client is adapted to ours.

Their test modules come in google-genai's wheel. They are imported as they are, in a process of its own, after the names that they
take from ``google.genai`` were exchanged. Sessions are real ones: a WebSocket to a server in this process, between which and the
mock of their test the frames are carried. Used by ``test_official_suites.py``; outcomes go to the file that OUTCOMES names.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import json
import os
import queue
import re
import socket
import threading
import types as python_types
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import google.genai
import google.genai.tests.conftest as their_conftest
import google.genai.tests.pytest_helper
import PIL.Image
import pytest
import websocket
from websockets.sync.server import ServerConnection, serve

import genai_live
from genai_live import ApiClient, Client, Live, types
from genai_live._client_messages import contents, tool_list
from genai_live._client_messages.declaration_form import as_parameters
from genai_live._validation import Checker
from genai_live.emulator import LiveEmulator
from genai_live.errors import ConfigError
from genai_live.tools import declaration
from genai_live.types._base import Message, camel_case, fields_of

OUTCOMES = "OFFICIAL_OUTCOMES"
"""The environment variable with the path of the file that gets ``{test: outcome}``."""
TABLE = Path(__file__).parent / "data" / "official_differences.json"
"""What is not run, and what differs, each with its reason."""
WITHIN = 10.0
"""Seconds for what takes milliseconds."""

their_types = google.genai.types
their_client = google.genai.client


# Keys in either spelling: ours are camelCase, Google's a mixture.

USERS_OWN = frozenset({"response", "args"})
"""Members whose keys belong to the user, and are compared as they are."""


def in_one_spelling(value: Any, own: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {key if own else camel_case(key): in_one_spelling(item, own or key in USERS_OWN) for key, item in value.items()}
    return [in_one_spelling(item, own) for item in value] if isinstance(value, list) else value


class EitherSpelling(dict[str, Any]):
    """A JSON object that is asked in either spelling, and compared without regard to it."""

    def _key(self, key: str) -> str:
        return next((own for own in self if camel_case(own) == camel_case(key)), key)

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._key(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._key(str(key)))

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(self._key(key), default)

    def __eq__(self, other: object) -> bool:
        return bool(in_one_spelling(self) == in_one_spelling(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]


class AnyCase(dict[str, str]):
    """Headers, whose names have no case."""

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(next((name for name in self if name.lower() == key.lower()), key))

    def __contains__(self, key: object) -> bool:
        return any(name.lower() == str(key).lower() for name in self)


their_json = python_types.SimpleNamespace(**vars(json))
their_json.loads = lambda text, **options: json.loads(text, object_pairs_hook=EitherSpelling, **options)


# What pydantic gives Google's types, and theirs alone.


def _dumped(message: Message, *, exclude_none: bool = False, mode: str = "python", **options: Any) -> dict[str, Any]:
    if mode == "json":
        return EitherSpelling(message.to_dict())
    held = {name: getattr(message, name) for name in (field.name for field in fields_of(type(message)))}
    return {
        name: _dumped(value, exclude_none=exclude_none) if isinstance(value, Message) else value
        for name, value in held.items()
        if value is not None or not exclude_none
    }


class _Fields:
    """``model_fields``: what the annotations of a type say."""

    def __get__(self, held: object, cls: type[Message]) -> dict[str, Any]:
        hints = typing.get_type_hints(cls)
        return {field.name: python_types.SimpleNamespace(annotation=hints[field.name]) for field in fields_of(cls)}


def _from_callable(cls: Any, *, callable: Callable[..., Any], **options: Any) -> Any:
    made = declaration(callable)
    schema = made.parameters_json_schema
    if schema is not None:
        said = as_parameters(schema)
        assert said is not None, "cannot be said as parameters"
        made.parameters_json_schema, made.parameters = None, types.Schema.from_dict(said)
    return made


def _schema_of(hint: Any) -> Any:
    """The Schema of an annotation: that of a function's parameter."""

    def function(value: Any) -> None:
        """Takes a value."""

    function.__annotations__["value"] = hint
    schema = declaration(function).parameters_json_schema
    assert schema is not None
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    said = as_parameters({**schema["properties"]["value"], **definitions})
    assert said is not None, "cannot be said as parameters"
    return types.Schema.from_dict(said)


def _from_json_schema(cls: Any, *, json_schema: Any, **options: Any) -> Any:
    said = as_parameters(json_schema.model_dump(mode="json", exclude_none=True, by_alias=True))
    assert said is not None, "cannot be said as parameters"
    return types.Schema.from_dict(said)


def lend_pydantics_names() -> None:
    """Gives our types the methods that Google's tests call, and the few of Google's own that have a counterpart here."""
    lent = typing.cast("Any", Message)
    lent.model_validate = classmethod(lambda cls, data: cls.from_dict(data))
    lent.model_dump = lent.to_json_dict = _dumped
    lent.model_fields = _Fields()
    lent._from_response = classmethod(lambda cls, *, response, kwargs: EitherSpelling(response))
    lent_to_functions = typing.cast("Any", types.FunctionDeclaration)
    lent_to_functions.from_callable = lent_to_functions.from_callable_with_api_option = classmethod(_from_callable)
    typing.cast("Any", types.Schema).from_json_schema = classmethod(_from_json_schema)


class TheirTypes(python_types.ModuleType):
    """``google.genai.types`` with our types under its names. What only Google has is missing: it would test Google's client."""

    JSONSchema, JSONSchemaType = their_types.JSONSchema, their_types.JSONSchemaType

    def __getattr__(self, name: str) -> Any:
        if name in ("UserContent", "ModelContent"):
            role = "user" if name == "UserContent" else "model"
            return lambda parts: types.Content(role=role, parts=parts if isinstance(parts, list) else [parts])
        return getattr(types, name)


# Sessions: the server, and the wire between it and the mock of a test.


class Wire:
    """One connection, seen from its server."""

    def __init__(self) -> None:
        self.sent: queue.Queue[str | None] = queue.Queue()
        """What the client said; None when it left."""
        self.address: queue.Queue[tuple[str, dict[str, str]] | None] = queue.Queue()
        """The address and the headers of the connection; None when it was refused before."""
        self.arrived = threading.Event()
        self.connection: ServerConnection | None = None

    def dial(self, url: str, headers: Mapping[str, str], timeout: float | None) -> websocket.WebSocket:
        """A ``websocket_factory``: connects to the server of this process, and notes where it should have gone."""
        self.address.put((url, AnyCase(headers)))
        return websocket.create_connection(f"{SERVER.address}/{SERVER.name(self)}", timeout=WITHIN, suppress_origin=True)

    def hang_up(self) -> None:
        """Ends the connection, so that whoever waits for it does not wait long."""
        if self.arrived.wait(WITHIN) and self.connection is not None:
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def say(self, raw: str | bytes) -> None:
        assert self.arrived.wait(WITHIN)
        assert self.connection is not None
        self.connection.send(raw)


class Server:
    """Carries the frames of every wire."""

    def __init__(self) -> None:
        self._wires: dict[str, Wire] = {}
        self._server = serve(self._handle, "127.0.0.1", 0, compression=None)
        self.address = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def name(self, wire: Wire) -> str:
        name = str(len(self._wires))
        self._wires[name] = wire
        return name

    def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        wire = self._wires[connection.request.path.lstrip("/")]
        wire.connection = connection
        wire.arrived.set()
        with contextlib.suppress(Exception):
            for raw in connection:
                wire.sent.put(str(raw))
        wire.sent.put(None)


SERVER = Server()
OPEN: list[Any] = []
"""The sessions that a test has opened."""
SETUP_COMPLETE = '{"setupComplete": {}}'


class NoAuth:
    """For sessions whose test begins when they stand."""

    def headers(self, deadline: object) -> dict[str, str]:
        return {}


def ours(api_client: Any) -> ApiClient:
    """Our settings for what a test made of Google's: the object below, or a mock with some attributes."""
    if type(api_client) is BaseApiClient:  # a mock of it passes for an instance
        return api_client.ours
    options = api_client._http_options
    given = options if isinstance(options, dict) else vars(options)
    http_options = {name: value for name, value in given.items() if name in ("headers", "api_version") and value}
    if not api_client.vertexai:
        return ApiClient(api_client.api_key, http_options=http_options)
    base_url = getattr(api_client, "custom_base_url", None)
    if isinstance(base_url, str):
        return ApiClient(vertexai=True, http_options={"base_url": base_url, **http_options})
    place = {name: value for name in ("project", "location") if isinstance(value := getattr(api_client, name, None), str)}
    credentials = getattr(api_client, "_credentials", None)
    return ApiClient(
        vertexai=True,
        credentials=credentials if hasattr(credentials, "token") and not inspect.ismethod(credentials) else None,
        http_options=http_options,
        **{"project": "test_project", **place},
    )


class AsyncSession:
    """Google's session over one of ours: each method calls ours, and hands what went out to the mock of the test."""

    def __init__(self, api_client: Any, websocket: Any, opened: tuple[Any, Wire] | None = None) -> None:
        self._ws = websocket
        self._session, self._wire = opened or self._open(ours(api_client))

    def _open(self, api_client: ApiClient) -> tuple[Any, Wire]:
        wire = Wire()
        wire_says = threading.Thread(target=lambda: (wire.sent.get(timeout=WITHIN), wire.say(SETUP_COMPLETE)), daemon=True)
        wire_says.start()
        session = Live(api_client, NoAuth(), wire.dial).connect(model="test_model", timeout=WITHIN)
        OPEN.append(session)
        return session, wire

    async def _flush(self) -> None:
        sent = await asyncio.to_thread(self._wire.sent.get, True, WITHIN)
        await self._ws.send(sent)

    async def send(self, *, input: Any = None, end_of_turn: bool = False) -> None:
        """Google's older method, by the row of docs/migrating.md: the ``send_*`` method that fits."""
        if input is None:
            await self.send_client_content()
        elif isinstance(input, (str, types.Content)):
            await self.send_client_content(turns=input, turn_complete=end_of_turn)
        elif isinstance(input, (types.LiveClientContent, types.LiveClientRealtimeInput, types.LiveClientToolResponse)):
            await self._send_message(input)
        elif isinstance(input, types.Blob) or (isinstance(input, dict) and "data" in input):
            await self.send_realtime_input(media=input)
        elif isinstance(input, types.FunctionResponse) or (isinstance(input, dict) and "response" in input):
            await self.send_tool_response(function_responses=input)
        elif isinstance(input, dict) and ("content" in input or "turns" in input):
            turns = input.get("turns") or input.get("content")
            await self.send_client_content(turns=turns, turn_complete=input.get("turn_complete"))
        elif isinstance(input, dict) and input.keys() & {"media_chunks", "mediaChunks"}:
            await self._send_message(types.LiveClientRealtimeInput.from_dict(input))
        elif isinstance(input, dict) and input.keys() & {"function_responses", "functionResponses"}:
            await self._send_message(types.LiveClientToolResponse.from_dict(input))
        else:
            await self.send_client_content(turns=input, turn_complete=end_of_turn)

    async def _send_message(self, message: Any) -> None:
        if isinstance(message, types.LiveClientContent):
            await self.send_client_content(turns=message.turns, turn_complete=message.turn_complete)
        elif isinstance(message, types.LiveClientRealtimeInput):
            await self.send_realtime_input(media=message.media_chunks)
        else:
            await self.send_tool_response(function_responses=message.function_responses)

    def _parse_client_message(self, input: Any) -> Any:
        """What Google's ``send`` would write: what goes out, taken off the wire."""
        held: list[Any] = []

        async def write() -> None:
            self._ws = python_types.SimpleNamespace(send=self._keeping(held))
            await self.send(input=input)

        asyncio.run(write())
        return json.loads(held[0], object_pairs_hook=EitherSpelling)

    def _keeping(self, held: list[Any]) -> Any:
        async def send(raw: Any) -> None:
            held.append(raw)

        return send

    async def _receive(self) -> Any:
        self._wire.say(await self._ws.recv())
        return await asyncio.to_thread(next, iter(self._session))

    async def receive(self) -> AsyncIterator[Any]:
        """Ours, message by message: what the mock gives is put on the wire first."""
        messages = self._session.receive(timeout=WITHIN)
        ended = False
        while not ended:
            self._wire.say(await self._ws.recv())
            message = await asyncio.to_thread(next, messages)
            ended = isinstance(message, types.LiveServerMessage) and message.ends_turn
            yield message

    async def close(self) -> None:
        await asyncio.to_thread(self._session.close)
        await self._ws.close()

    @property
    def setup_complete(self) -> Any:
        return self._session.setup_complete


def _carried(name: str, of: type[Any]) -> Any:
    """A method that calls ours, in the thread of the test, and hands on what it sent."""
    own = getattr(of, name)

    @functools.wraps(own)
    async def method(self: AsyncSession, *arguments: Any, **named: Any) -> None:
        getattr(self._session, name)(*arguments, **named)
        await self._flush()

    return method


for _name in ("send_client_content", "send_realtime_input", "send_tool_response", "send_context_update"):
    setattr(AsyncSession, _name, _carried(_name, genai_live.Session))


class AsyncMusicSession(AsyncSession):
    """The same for music, which Google's client refuses on Vertex AI when it is used."""

    def _open(self, api_client: ApiClient) -> tuple[Any, Wire]:
        wire = Wire()
        wire_says = threading.Thread(target=lambda: (wire.sent.get(timeout=WITHIN), wire.say(SETUP_COMPLETE)), daemon=True)
        wire_says.start()
        session = Live(api_client, NoAuth(), wire.dial).music.connect(model="test_model", timeout=WITHIN)
        OPEN.append(session)
        return session, wire


for _name in ("set_weighted_prompts", "set_music_generation_config", "play", "pause", "stop", "reset_context"):
    setattr(AsyncMusicSession, _name, _carried(_name, genai_live.music.MusicSession))


class AsyncLive:
    """Google's entry: connects by ours, to where the test's ``ws_connect`` leads."""

    def __init__(self, api_client: Any) -> None:
        self._api_client = api_client

    @property
    def music(self) -> AsyncLiveMusic:
        return AsyncLiveMusic(self._api_client)

    def _opener(self) -> Any:
        return live.ws_connect

    def _begin(self, wire: Wire, **arguments: Any) -> Any:
        return Live(ours(self._api_client), None, wire.dial).connect(timeout=WITHIN, **arguments)

    @contextlib.asynccontextmanager
    async def connect(self, **arguments: Any) -> AsyncIterator[AsyncSession]:
        wire = Wire()
        opening = asyncio.create_task(asyncio.to_thread(self._begin, wire, **arguments))
        opening.add_done_callback(lambda done: wire.address.put(None))
        address = await asyncio.to_thread(wire.address.get, True, WITHIN)
        if address is None:
            opening.result()
        assert address is not None
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(wire.hang_up)
            connection = await stack.enter_async_context(self._opener()(address[0], additional_headers=address[1]))
            await connection.send(await asyncio.to_thread(wire.sent.get, True, WITHIN))
            raw = await connection.recv()
            wire.say(raw)
            if "setupComplete" not in str(raw):  # Google's client takes whatever comes first for it
                wire.say(SETUP_COMPLETE)
            session = await opening
            OPEN.append(session)
            yield self._session(connection, session, wire)

    def _session(self, connection: Any, session: Any, wire: Wire) -> AsyncSession:
        return AsyncSession(self._api_client, connection, (session, wire))


class AsyncLiveMusic(AsyncLive):
    """The same for music."""

    def _opener(self) -> Any:
        return live_music.connect

    def _begin(self, wire: Wire, **arguments: Any) -> Any:
        return Live(ours(self._api_client), None, wire.dial).music.connect(timeout=WITHIN, **arguments)

    def _session(self, connection: Any, session: Any, wire: Wire) -> AsyncSession:
        return AsyncMusicSession(self._api_client, connection, (session, wire))


class BaseApiClient:
    """Google's settings over ours."""

    def __init__(self, **arguments: Any) -> None:
        self.ours = ApiClient(**arguments)
        self.vertexai = self.ours.vertexai
        self.project, self.location = self.ours.settings.project, self.ours.settings.location
        self.api_key = self.ours.settings.api_key and self.ours.settings.api_key.reveal()
        self.custom_base_url = self.ours.http_options.base_url
        key = {"x-goog-api-key": self.api_key} if self.api_key else {}
        self._http_options = python_types.SimpleNamespace(headers={**self.ours.request_headers(), **key})
        self._credentials = arguments.get("credentials")

    def _websocket_base_url(self, options: Any = None) -> str:
        client = self.ours if options is None else self.ours.with_options(options)
        url = client.live_endpoint().url
        return url if client.settings.gateway else url.partition("/ws/")[0]


class TheirClient:
    """Google's Client over ours."""

    def __init__(self, **arguments: Any) -> None:
        self._api_client = BaseApiClient(**arguments)
        self.vertexai = self._api_client.vertexai
        self.aio = python_types.SimpleNamespace(live=AsyncLive(self._api_client))

    def _get_api_client(self) -> None:
        """Patched by Google's fixtures."""


# Transformers: what of ours does the same.


def _contents(value: Any) -> list[Any]:
    held = contents.contents(value, "turns")
    return [each if isinstance(each, types.Content) else types.Content.from_dict(each) for each in held]


def _content(value: Any) -> Any:
    held = contents.content(value, "content")
    return held if isinstance(held, types.Content) else types.Content.from_dict(held)


def _part(value: Any) -> Any:
    held = contents.part(value, "part")
    return held if isinstance(held, types.Part) else types.Part.from_dict(held)


def _parts(value: Any) -> list[Any]:
    if value is None or value == []:
        raise ConfigError("is empty", "parts")
    return [_part(each) for each in (value if isinstance(value, list) else [value])]


def _blob(value: Any) -> Any:
    if contents.is_image(value):
        value = contents.image_blob(value, "blob")
    return value if isinstance(value, types.Blob) else types.Blob.from_dict(value)


def _function_responses(value: Any) -> list[Any]:
    several = value if isinstance(value, list) else [value]
    return [each if isinstance(each, types.FunctionResponse) else types.FunctionResponse.from_dict(each) for each in several]


def _tools(client: Any, value: Any) -> list[Any]:
    checker = Checker(client._api_client.ours.backend, contents.FORMS)
    return [types.Tool.from_dict(each) for each in tool_list.tool_list(checker, value, "tools")]


def _tool(client: Any, value: Any) -> Any:
    return None if value is None else _tools(client, [value])[0]


transformers = python_types.SimpleNamespace(
    t_blob=_blob,
    pil_to_blob=_blob,
    t_content=_content,
    t_contents=_contents,
    t_contents_strict=_contents,
    t_part=_part,
    t_parts=_parts,
    t_function_responses=_function_responses,
    t_tool=_tool,
    t_tools=_tools,
    t_schema=lambda client, value: _schema_of(value),
)


# Tokens: made by the emulator, in place of Google's recordings, which are not in the wheel.


class Tokens:
    """Google's ``client`` fixture: a client whose tokens the emulator makes."""

    def __init__(self, vertexai: bool) -> None:
        options = {"base_url": EMULATOR.url}
        place = {"vertexai": True, "project": "p", "location": "l"} if vertexai else {"api_key": "a-key"}
        self._client = Client(**place, http_options=options)  # type: ignore[arg-type]
        self._api_client = python_types.SimpleNamespace(
            vertexai=vertexai, initialize_replay_session=lambda name: None, close=lambda: None
        )
        self.auth_tokens = python_types.SimpleNamespace(create=self._create)
        self.aio = python_types.SimpleNamespace(auth_tokens=python_types.SimpleNamespace(create=self._create_later))

    def _create(self, config: Any = None) -> Any:
        return self._client.auth_tokens.create(config if config is None else config.model_dump(exclude_none=True))

    async def _create_later(self, config: Any = None) -> Any:
        return self._create(config)


EMULATOR = LiveEmulator(pace=0.0, voice=False).start()


# The exchange, and the run.

live = python_types.SimpleNamespace(
    AsyncSession=AsyncSession,
    AsyncLive=AsyncLive,
    ws_connect=None,
    McpTool=None,
    McpClientSession=None,
    ClientConnection=google.genai.live.ClientConnection,
)
live_music = python_types.SimpleNamespace(AsyncMusicSession=AsyncMusicSession, connect=None)
settings = python_types.SimpleNamespace(
    BaseApiClient=BaseApiClient, _get_http_client_backend=google.genai._api_client._get_http_client_backend
)
EXCHANGED = {
    "types": TheirTypes("types"),
    "live": live,
    "live_music": live_music,
    "client": python_types.SimpleNamespace(BaseApiClient=BaseApiClient, Client=TheirClient),
    "_api_client": settings,
    "_transformers": transformers,
    "Client": TheirClient,
}
OWN_TYPES = ("tokens",)
"""Suites whose tables are made of Google's own types; the shim adapts what they pass."""
_replaced: dict[str, Any] = {}
_outcomes: dict[str, str] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_collectstart(collector: pytest.Collector) -> Iterator[None]:
    if isinstance(collector, pytest.Module):
        suite = collector.path.parent.name
        for name, value in EXCHANGED.items():
            setattr(google.genai, name, their_types if name == "types" and suite in OWN_TYPES else value)
    yield


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "asyncio: a test that is a coroutine function")
    lend_pydantics_names()
    their_conftest.google_genai_client_module = EXCHANGED["client"]
    their_conftest._replay_api_client = python_types.SimpleNamespace(ReplayApiClient=lambda **given: given)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [re.compile(pattern) for patterns in json.loads(TABLE.read_text())["not run"].values() for pattern in patterns]
    for item in items:
        if any(pattern.search(item.nodeid) for pattern in left_out):
            _outcomes[item.nodeid] = "not run"
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in _outcomes])
    items[:] = [item for item in items if item.nodeid not in _outcomes]


def pytest_itemcollected(item: pytest.Item) -> None:
    module = typing.cast("Any", item).module
    if getattr(module, "json", None) is json:
        module.json = their_json


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Any:
    """Google's ``client`` fixture plays recordings, and its pictures are files; neither is in the wheel."""
    if fixturedef.argname == "client" and request.path.parent.name == "tokens":
        made: Any = Tokens(request.getfixturevalue("use_vertex"))
    elif fixturedef.argname in ("image_jpeg", "image_png"):
        made = _picture(fixturedef.argname.removeprefix("image_").upper())
    else:
        return None
    fixturedef.cached_result = (made, fixturedef.cache_key(request), None)
    return made


def _picture(form: str) -> Any:
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(file, form)
    return PIL.Image.open(file)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Runs a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 3 * WITHIN))
    return True


def pytest_runtest_teardown() -> None:
    while OPEN:
        OPEN.pop().close()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    if path := os.environ.get(OUTCOMES):
        Path(path).write_text(json.dumps(_outcomes), encoding="utf-8")
