"""Every name of google-genai's Live surface and of the JavaScript SDK's page works, or its error names the counterpart."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import genai_live
from genai_live import Client, LiveCallbacks, Session, _foreign_names, errors, types
from genai_live._backends import MLDEV
from genai_live._client_messages.inputs import client_content
from genai_live._client_messages.setup import config_fields
from genai_live.errors import CloseInfo, Phase, SentBy
from genai_live.music import LiveMusic, MusicSession
from genai_live.tokens import AuthTokens
from genai_live.types._base import names_of
from tests.rest_servers import rest_server
from tests.servers import answer_setup, session_with

NAMES = json.loads((Path(__file__).parent / "data" / "foreign_names.json").read_text(encoding="utf-8"))
PYTHON, JAVASCRIPT = NAMES["google-genai"], NAMES["@google/genai"]

CLIENT = Client("key")
MESSAGE = types.LiveServerMessage()
OWNERS: dict[str, Any] = {
    "package": genai_live,
    "Client": CLIENT,
    "AsyncClient": CLIENT.aio,
    "AsyncLive": CLIENT.live,
    "AsyncSession": Session,
    "AsyncLiveMusic": LiveMusic,
    "AsyncMusicSession": MusicSession,
    "AsyncTokens": CLIENT.auth_tokens,
    "live": importlib.import_module("genai_live.live"),
    "live_music": importlib.import_module("genai_live.music"),
    "client": importlib.import_module("genai_live.client"),
    "errors": errors,
    "APIError": errors.APIError("words", 403, "body"),
    "types": types,
    "models": types.Content,
    "Live": CLIENT.live,
    "Session": Session,
    "message": MESSAGE,
    "error": errors.LiveError("words"),
    "close": CloseInfo(1000, "", SentBy.SERVER, Phase.IDLE),
}
"""Here, who answers to the names of each of their classes and modules. A class stands for its objects."""


def rows(surface: dict[str, Any], *owners: str) -> list[Any]:
    return [pytest.param(owner, name, id=f"{owner}.{name}") for owner in owners for name in surface[owner]]


def answer(owner: Any, name: str) -> str:
    """ "works", or what the error says to do."""
    if inspect.isclass(owner) and not issubclass(owner, types.Message):
        owner = owner.__new__(owner)  # what it lacks, its class lacks
        if hasattr(type(owner), name):
            return "works"
    try:
        getattr(owner, name)
    except AttributeError as error:
        words = str(error)
    else:
        return "works"
    found = re.fullmatch(rf"\w[\w.]* has no '{name}': (.+)", words)
    assert found, f"{words} names no counterpart"
    return found[1]


@pytest.mark.parametrize(("owner", "name"), rows(PYTHON, *(key for key in OWNERS if key in PYTHON)))
def test_a_name_of_google_genai_works_or_its_error_names_the_counterpart(owner: str, name: str) -> None:
    assert answer(OWNERS[owner], name)


@pytest.mark.parametrize(("owner", "name"), rows(JAVASCRIPT, "package", "Live", "Session", "message", "error", "close"))
def test_a_name_of_the_javascript_page_works_or_its_error_names_the_counterpart(owner: str, name: str) -> None:
    assert answer(OWNERS[owner], name)


@pytest.mark.parametrize("name", JAVASCRIPT["callbacks"])
def test_a_callback_of_the_javascript_page_is_taken(name: str) -> None:
    assert list(vars(LiveCallbacks.of({name: print})).values()).count(print) == 1


@pytest.mark.parametrize("name", JAVASCRIPT["LiveConnectParameters"])
def test_a_parameter_of_connect_on_the_javascript_page_is_one_here(name: str) -> None:
    assert name in inspect.signature(CLIENT.live.connect).parameters
    assert name in {field.name for field in types.fields_of(types.LiveConnectParameters)}


@pytest.mark.parametrize("key", JAVASCRIPT["config"])
def test_a_key_of_the_javascript_pages_config_is_taken_or_its_error_says_what_to_do(key: str) -> None:
    values: dict[str, Any] = {"responseModalities": ["AUDIO"], "tools": [], "audioConfig": {"sampleRateHertz": 16_000}}
    if names_of(types.LiveConnectConfig).get(key):
        assert config_fields(MLDEV, {key: values[key]}) is not None
    else:
        with pytest.raises(errors.ConfigError, match=f"config.{key}: unknown key; .*audio/pcm;rate=16000"):
            config_fields(MLDEV, {key: values[key]})


@pytest.mark.parametrize(
    ("method", "name"), [(method, name) for method, names in JAVASCRIPT["arguments"].items() for name in names]
)
def test_an_argument_of_the_javascript_page_is_one_here_in_pythons_spelling(method: str, name: str) -> None:
    function = getattr(Session, _foreign_names._snake_case(method))
    assert _foreign_names._snake_case(name) in inspect.signature(function).parameters


def test_a_name_that_nobody_has_gets_no_advice() -> None:
    with pytest.raises(AttributeError, match=r"^Client has no 'wheels'$"):
        _ = CLIENT.wheels  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner in _foreign_names.COUNTERPARTS for name in _foreign_names.COUNTERPARTS[owner]]
)
def test_no_row_of_the_table_is_about_a_name_that_works(owner: str, name: str) -> None:
    mine = {"Live": CLIENT.live, "LiveMusic": LiveMusic, "AuthTokens": AuthTokens, "Session": Session}
    found: Any = mine.get(owner) or getattr(types, owner, None) if owner[0].isupper() else importlib.import_module(owner)
    if found is None:
        found = getattr(errors, owner, None) or getattr(genai_live, owner, types.Message)
    assert answer(found, name) == _foreign_names.COUNTERPARTS[owner][name]


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, methods in PYTHON["methods"].items() for method in methods]
)
def test_a_method_of_a_type_works_with_the_arguments_of_google_genai_or_names_the_counterpart(name: str, method: str) -> None:
    cls = getattr(types, name)
    if answer(cls, method) == "works" and PYTHON["methods"][name][method] is not None:
        assert set(PYTHON["methods"][name][method]) <= set(inspect.signature(getattr(cls, method)).parameters)


@pytest.mark.parametrize("call", PYTHON["arguments"])
def test_a_call_takes_the_arguments_of_google_genai_or_names_the_counterpart(call: str) -> None:
    owner, _, method = call.partition(".")
    function = getattr(OWNERS[owner], method) if method else Client.__init__
    unknown = set(PYTHON["arguments"][call]) - set(inspect.signature(function).parameters)
    assert unknown <= set(_foreign_names._ARGUMENTS)


# What works, in the words of google-genai.


def test_a_dict_type_makes_a_dict_and_an_or_dict_is_for_annotations() -> None:
    config: types.LiveConnectConfigDict = types.LiveConnectConfigDict(response_modalities=["AUDIO"])
    assert config == {"response_modalities": ["AUDIO"]}
    either: types.LiveConnectConfigOrDict = config
    assert types.LiveConnectConfigOrDict == types.LiveConnectConfig | dict[str, Any]
    assert either is config


def test_every_class_that_google_genai_has_twice_has_its_twins_here() -> None:
    twice = [name for name in PYTHON["types"] if f"{name}Dict" in PYTHON["types"] and name in dir(types)]
    assert len(twice) > 150
    assert {answer(types, f"{name}{end}") for name in twice for end in ("Dict", "OrDict")} == {"works"}


def test_user_and_model_content_take_text_parts_and_lists() -> None:
    hello = types.Part(text="Hello")
    assert types.UserContent("Hello").parts == types.UserContent([hello]).parts == types.UserContent(parts=hello).parts == [hello]
    assert (types.UserContent("Hello").role, types.ModelContent("Hello").role) == ("user", "model")
    assert types.UserContent.from_dict(types.UserContent("Hello").to_dict()) == types.UserContent("Hello")


def test_user_content_is_sent_as_content() -> None:
    turns = [types.UserContent("Hi"), types.ModelContent(["Hello", types.Part("!")])]  # type: ignore[misc,arg-type]
    assert client_content(turns, True, MLDEV)["clientContent"]["turns"] == [
        {"parts": [{"text": "Hi"}], "role": "user"},
        {"parts": [{"text": "Hello"}, {"text": "!"}], "role": "model"},
    ]


def test_a_part_takes_one_value_without_a_keyword_and_other_types_say_their_keywords() -> None:
    made: Any = types.Part
    assert made("Hi") == made({"text": "Hi"}) == made(made("Hi")) == types.Part(text="Hi")
    file = types.FileData(file_uri="gs://b/a.txt", mime_type="text/plain", display_name="a")
    uploaded = types.File(uri="gs://b/a.txt", mime_type="text/plain", display_name="a", name="files/a", size_bytes=3)
    assert made(uploaded) == made({"fileUri": "gs://b/a.txt", "mime_type": "text/plain", "display_name": "a"})
    assert made(uploaded) == types.Part(file_data=file)
    with pytest.raises(errors.ConfigError, match="uri and its mime_type, and one of them is missing"):
        made(types.File(uri="gs://b/a.txt"))
    for wrong in (lambda: made(3), lambda: made("a", "b"), lambda: made("a", text="b")):
        with pytest.raises(TypeError, match="Part takes keyword arguments"):
            wrong()
    with pytest.raises(TypeError, match=r"Content takes keyword arguments: Content\(parts=..., role=...\)"):
        types.Content("user")  # type: ignore[misc,arg-type]


def test_parts_are_made_as_google_genai_makes_them() -> None:
    level = types.PartMediaResolutionLevel.MEDIA_RESOLUTION_LOW
    low = types.PartMediaResolution(level=level)
    picture = types.Part.from_bytes(data=b"a", mime_type="image/png", media_resolution=level)
    assert (picture.inline_data, picture.media_resolution) == (types.Blob(data=b"a", mime_type="image/png"), low)
    assert types.Part.from_uri(file_uri="gs://b/film.mp4", media_resolution={"level": level}) == types.Part(
        file_data=types.FileData(file_uri="gs://b/film.mp4", mime_type="video/mp4"), media_resolution=low
    )
    with pytest.raises(errors.ConfigError, match="mime_type: is missing, and the ending of 'gs://b/film' does not say it"):
        types.Part.from_uri(file_uri="gs://b/film")
    uploaded = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"
    assert types.FunctionResponsePart.from_uri(uploaded).file_data == types.FunctionResponseFileData(file_uri=uploaded)
    for unknown in ("gs://b/film", "files/abc-123", f"https://b.example/{uploaded}", f"{uploaded}/more"):
        with pytest.raises(errors.ConfigError, match="mime_type: is missing"):
            types.FunctionResponsePart.from_uri(unknown)
    part = types.FunctionResponsePart.from_bytes(data=b"a", mime_type="image/png", display_name="a.png")
    assert types.Part.from_function_response(
        name="f", response={"a": 1}, parts=[part]
    ).function_response == types.FunctionResponse(name="f", response={"a": 1}, parts=[part])
    assert types.Part.from_executable_code(code="1", language="PYTHON").executable_code == types.ExecutableCode(
        code="1", language="PYTHON"
    )
    assert types.Part.from_code_execution_result(outcome="OUTCOME_OK", output="1").code_execution_result == (
        types.CodeExecutionResult(outcome="OUTCOME_OK", output="1")
    )


def test_model_dump_gives_pythons_names_and_values() -> None:
    content = types.Content(role="user", parts=[types.Part(inline_data=types.Blob(data=b"\xff", mime_type="image/png"))])
    assert content.model_dump(exclude_none=True) == {
        "parts": [{"inline_data": {"data": b"\xff", "mime_type": "image/png"}}],
        "role": "user",
    }
    assert types.Transcription(text="a").model_dump(include={"text", "finished"}) == {"text": "a", "finished": None}
    assert types.Transcription(text="a").model_dump(exclude={"text"}, exclude_none=True) == {}
    assert content.model_dump(mode="json", by_alias=True, exclude_none=True) == content.to_dict()
    assert json.loads(content.model_dump_json(exclude_none=True, indent=2)) == content.to_json_dict()
    assert types.LiveServerGoAway(time_left=9.5).model_dump_json() == '{"time_left":"9.5s"}'


def test_model_dump_is_what_google_genai_gives() -> None:
    theirs = pytest.importorskip("google.genai.types", reason="google-genai is in the extra test")
    data: dict[str, Any] = {
        "serverContent": {
            "modelTurn": {"role": "model", "parts": [{"text": "a"}, {"inlineData": {"data": "AAE=", "mimeType": "audio/pcm"}}]},
            "turnCompleteReason": "MALFORMED_FUNCTION_CALL",
        },
        "toolCall": {"functionCalls": [{"name": "f", "args": {"some_key": [1]}, "id": "1"}]},
    }
    for options in ({"exclude_none": True}, {"mode": "json", "exclude_none": True}, {"by_alias": True, "exclude_unset": True}):
        mine = types.LiveServerMessage.model_validate(data).model_dump(**options)  # type: ignore[arg-type]
        assert mine == theirs.LiveServerMessage.model_validate(data).model_dump(**options)


def test_models_are_validated_and_copied() -> None:
    blob = types.Blob.model_validate({"mimeType": "image/png"})
    assert types.Blob.model_validate(blob) is blob
    assert types.Blob.model_validate_json('{"mimeType": "image/png"}') == blob
    copied = blob.model_copy(update={"display_name": "a"})
    assert (copied.display_name, blob.display_name) == ("a", None)
    content = types.Content(parts=[types.Part(text="a")])
    assert content.model_copy().parts is content.parts
    assert content.model_copy(deep=True).parts is not content.parts


def test_the_clients_aclose_is_close() -> None:
    assert CLIENT.aio.aclose() is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("code", [1000, 1011])
def test_the_end_of_a_session_is_an_api_error_with_the_close_code_as_with_google_genai(code: int) -> None:
    def ends(connection: Any) -> None:
        answer_setup(connection)
        connection.recv()
        connection.close(code, "enough")

    with session_with(ends) as session, pytest.raises(errors.APIError) as raised:
        session.send_client_content(turns="Hi")
        for _ in session.receive():
            continue
    assert (raised.value.code, raised.value.status) == (code, None)
    assert "enough" in raised.value.message


def test_a_refused_request_is_a_client_or_a_server_error() -> None:
    for status, kind in ((403, errors.ClientError), (503, errors.ServerError)):
        with rest_server(lambda _, status=status: (status, "{}")) as server, pytest.raises(kind) as raised:
            Client("key", http_options={"base_url": server.url}).auth_tokens.create()
        assert (raised.value.code, raised.value.status, raised.value.body) == (status, status, "{}")


# What is told in a sentence.


@contextmanager
def told(words: str, error: type[BaseException] = AttributeError) -> Iterator[None]:
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        yield


def test_what_is_not_of_the_live_api_is_google_genais() -> None:
    with told("Client has no 'models': only the Live API is here, so use client.models of google-genai beside this library"):
        _ = CLIENT.models  # type: ignore[attr-defined]
    with told("genai_live.types has no 'TuningJob': only types of the Live API are here, google.genai.types has the others"):
        _ = types.TuningJob  # type: ignore[attr-defined]


def test_a_name_in_camel_case_is_told_its_spelling() -> None:
    with told("LiveServerMessage has no 'serverContent': in Python it is server_content"):
        _ = MESSAGE.serverContent  # type: ignore[attr-defined]
    with told("Client.__init__() has no argument 'apiKey': in Python it is api_key", TypeError):
        Client(apiKey="key")  # type: ignore[call-arg]
    with told("genai_live has no 'Modality': it is types.Modality"):
        _ = genai_live.Modality  # type: ignore[attr-defined]


def test_the_deprecated_ways_to_send_name_the_ones_that_stand() -> None:
    with session_with() as session:
        with pytest.raises(
            AttributeError, match=r"Session has no 'send': write send_client_content\(turns=..., turn_complete=True\)"
        ):
            session.send(input="Hi", end_of_turn=True)  # type: ignore[attr-defined]
        with told(
            "Session has no 'start_stream': stream_audio(source, wait=False) sends the sound while receive() gives the messages"
        ):
            session.start_stream(stream=None, mime_type="audio/pcm")  # type: ignore[attr-defined]


def run(coroutine: Any) -> None:
    """Drives a coroutine that waits for nothing."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_async_with_and_async_for_say_to_drop_async() -> None:
    async def async_with(held: Any) -> None:
        async with held:
            raise AssertionError("not reached")

    async def async_for(held: Any) -> None:
        async for _ in held:
            raise AssertionError("not reached")

    with session_with() as session:
        with told("Client is synchronous: write 'with' instead of 'async with'", errors.NotAsync):
            run(async_with(CLIENT.aio))
        with told("Session is synchronous: write 'with' instead of 'async with'", errors.NotAsync):
            run(async_with(session))
        with told("Session is synchronous: write 'for' instead of 'async for'", errors.NotAsync):
            run(async_for(session))
        with told("TurnIterator is synchronous: write 'for' instead of 'async for'", errors.NotAsync):
            run(async_for(session.receive()))


def test_the_guide_quotes_what_python_says_of_await() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "migrating.md").read_text(encoding="utf-8")

    async def awaiting(value: Any) -> None:
        await value

    with session_with() as session:
        for value in (session.send_client_content(turns="Hi"), session):  # type: ignore[func-returns-value]
            with pytest.raises(TypeError) as raised:
                run(awaiting(value))
            assert f"`{raised.value}`" in guide


def test_a_property_that_fails_with_an_attribute_error_keeps_its_own_words() -> None:
    class Broken(Client):
        @property
        def broken(self) -> object:
            return object().missing  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="'object' object has no attribute 'missing'"):
        _ = Broken("key").broken
