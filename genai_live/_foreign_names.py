"""Names of Google's other clients, and what to use here instead. Loaded when somebody asks for one; pure, on any thread.

``missing`` makes the AttributeError of every class and module of this library that users hold: it names the counterpart of
google-genai's and @google/genai's names, the Python spelling of a name in camelCase, or the nearest name there is.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

_BESIDE = "only the Live API is here, so use {} of google-genai beside this library"
_SYNCHRONOUS = "this library is synchronous, and its class is {}"
_SETTLED = "sound is 16-bit PCM, and its rate is part of the MIME type, as in 'audio/pcm;rate=16000'"
_AS_JSON = "write to_dict() or to_json(), which give it as JSON has it"
_NO_PYDANTIC = "types here are dataclasses and not models of pydantic, so there is nothing to set or to build"
_REQUESTS = (
    "agents", "batches", "caches", "chats", "credentials", "decisions", "documents", "environments", "file_search_stores",
    "files", "interactions", "local_tokenizer", "models", "operations", "pagers", "triggers", "tunings", "voices", "webhooks",
)  # fmt: skip
"""What a client of google-genai, or a module of its package, has for everything but the Live API."""

_MESSAGE = {
    "model_fields": "write types.fields_of(cls)",
    "model_fields_set": "write to_dict(), which leaves out what is not set",
    "model_json_schema": "write types.describe(cls), which gives the fields and their meanings",
    "model_construct": "call the class: values are checked where they are sent",
    "model_extra": "it is extra",
    "dict": _AS_JSON,
    "json": _AS_JSON,
    "copy": "write copy.copy(message) or copy.deepcopy(message)",
    "parse_obj": "write from_dict(data)",
    "parse_raw": "write from_json(text)",
    "parse_file": "write from_json(pathlib.Path(...).read_bytes())",
    "from_orm": "write from_dict(data)",
    "validate": "write from_dict(data)",
    "model_validate_strings": "write from_dict(data)",
    "construct": "call the class: values are checked where they are sent",
    "schema": "write types.describe(cls), which gives the fields and their meanings",
    "schema_json": "write types.describe(cls), which gives the fields and their meanings",
    "model_config": _NO_PYDANTIC,
    "model_computed_fields": _NO_PYDANTIC,
    "model_parametrized_name": _NO_PYDANTIC,
    "model_post_init": _NO_PYDANTIC,
    "model_rebuild": _NO_PYDANTIC,
    "update_forward_refs": _NO_PYDANTIC,
    "as_image": "write PIL.Image.open(io.BytesIO(blob.data))",
}

COUNTERPARTS: dict[str, Mapping[str, str]] = {
    "Client": {
        **{name: _BESIDE.format(f"client.{name}") for name in _REQUESTS},
        "fileSearchStores": _BESIDE.format("client.file_search_stores"),
        "apiClient": "a client's settings are not to be read; repr(client) shows them without the key",
    },
    "Live": {"vertexai": "it is client.vertexai"},
    "LiveMusic": {"vertexai": "it is client.vertexai"},
    "AuthTokens": {"vertexai": "it is client.vertexai"},
    "Session": {
        "send": "write send_client_content(turns=..., turn_complete=True), send_realtime_input(audio=...) or"
        " send_tool_response(function_responses=...)",
        "start_stream": "stream_audio(source, wait=False) sends the sound while receive() gives the messages",
        "sendClientContent": "in Python it is send_client_content(turns=..., turn_complete=True)",
        "sendRealtimeInput": "in Python it is send_realtime_input(audio=...), or media= for any Blob",
        "sendToolResponse": "in Python it is send_tool_response(function_responses=[...])",
        "_ws": "the WebSocket is conn, to look at; close() ends the session",
    },
    "LiveServerMessage": {
        "audioResponse": "speech is message.audio, which knows its rate, or message.data, which is its bytes",
        "textResponse": "text is message.text, and spoken words are message.model_text",
    },
    "LiveError": {
        "error": "on_error is given the error itself",
        "message": "the sentence is str(error), and advice says what to do",
        "details": "the service's answer is body, where there was one",
        "response": "the service's answer is status and body",
    },
    "CloseInfo": {"wasClean": "it is clean", "close_info": "on_close is given the CloseInfo itself"},
    "Message": _MESSAGE,
    "Blob": {"type": "it is mime_type"},
    "FunctionDeclaration": {
        "from_callable": "put the function itself into config['tools'], or call genai_live.tools.declaration(function)",
        "from_callable_with_api_option": "put the function itself into config['tools'], or call"
        " genai_live.tools.declaration(function)",
    },
    "FunctionResponse": {
        "from_mcp_response": "write FunctionResponse(id=call.id, name=call.name, response={'output': ...}), with plain JSON of"
        " what the MCP server answered",
    },
    "Schema": {
        "from_json_schema": "JSON Schema goes as it is into FunctionDeclaration(parameters_json_schema=...)",
        "json_schema": "a Schema is sent as it is; JSON Schema goes into FunctionDeclaration(parameters_json_schema=...)",
    },
    "UsageMetadata": {"initial_prompt_token_count": "it is prompt_token_count"},
    "genai_live": {
        **{name: _BESIDE.format(f"genai.{name}") for name in _REQUESTS},
        "GoogleGenAI": "in Python it is Client(api_key=...)",
        "live_music": "it is genai_live.music",
        "version": "it is genai_live.__version__",
    },
    "genai_live.live": {
        "AsyncSession": _SYNCHRONOUS.format("genai_live.Session"),
        "AsyncLive": _SYNCHRONOUS.format("genai_live.Live"),
        "ConnectionClosed": "the end of a session is genai_live.errors.SessionClosed",
    },
    "genai_live.music": {
        "AsyncMusicSession": _SYNCHRONOUS.format("MusicSession"),
        "AsyncLiveMusic": _SYNCHRONOUS.format("LiveMusic"),
        "ConnectionClosed": "the end of a session is genai_live.errors.SessionClosed",
    },
    "genai_live.client": {
        "AsyncClient": _SYNCHRONOUS.format("Client"),
        "DebugConfig": "`genai-live record` writes down what a session says, and the emulator replays it",
    },
    "genai_live.errors": {
        "UnknownFunctionCallArgumentError": "a function that cannot be called with a model's arguments raises its own error",
        "UnsupportedFunctionError": "a function that cannot be a tool raises ConfigError",
        "FunctionInvocationError": "a function that cannot be called with a model's arguments raises its own error",
        "ContinuationInterruptedError": "a turn that was lost with its connection raises TurnLost",
        "UnknownApiResponseError": "an answer that cannot be understood raises DecodeError, or APIError for a REST request",
        "ExperimentalWarning": "nothing here warns of experiments; all of the Live API is experimental to Google",
    },
    "genai_live.types": {
        "AudioEncoding": _SETTLED,
        "LiveCallbacks": "it is genai_live.LiveCallbacks",
        "LiveSendClientContentParameters": "its fields are arguments: send_client_content(turns=..., turn_complete=...)",
        "LiveSendToolResponseParameters": "its fields are arguments: send_tool_response(function_responses=...)",
        "LiveMusicConnectParameters": "its fields are arguments: client.live.music.connect(model=..., callbacks=...)",
        "LiveMusicSetConfigParameters": "its field is an argument: set_music_generation_config(config)",
        "LiveMusicSetWeightedPromptsParameters": "its field is an argument: set_weighted_prompts(prompts)",
        "CreateAuthTokenParameters": "its field is an argument: client.auth_tokens.create(config=...)",
        "GenerateContentConfig": "the config of a Live session is LiveConnectConfig",
        "GenerateContentResponse": "a Live session gives LiveServerMessage, and ask() gives a Turn",
        "GenerateContentResponseUsageMetadata": "it is UsageMetadata",
        "GenerationConfigThinkingConfig": "it is ThinkingConfig",
        "FinishReason": "a Live turn ends for a TurnCompleteReason",
        "ToolConfig": "Live sessions take no tool_config; leave a tool out to keep the model from it",
        "FunctionCallingConfig": "Live sessions take no tool_config; leave a tool out to keep the model from it",
        "FunctionCallingConfigMode": "Live sessions take no tool_config; leave a tool out to keep the model from it",
        "AutomaticFunctionCallingConfig": "a Live session has no such setting; put functions into config['tools']",
        "JSONSchema": "JSON Schema is a dict, and goes as it is into FunctionDeclaration(parameters_json_schema=...)",
        "JSONSchemaType": "JSON Schema is a dict, and goes as it is into FunctionDeclaration(parameters_json_schema=...)",
        "Image": "send a picture of Pillow's, or Blob(data=..., mime_type='image/jpeg')",
        "HttpxClient": "connections are this library's own, set by http_options",
        "HttpxAsyncClient": "connections are this library's own, set by http_options",
    },
}
"""For each class, and each module by its full name: a name that it does not have, and a sentence's end that says what to do."""

_OTHER_TYPES = "only types of the Live API are here, google.genai.types has the others"

_SLIP_OF_A_TYPE = 0.9
"""How alike (difflib ratio) two names of types are when one is misspelt: many of Google's differ in one word of three."""


_ARGUMENTS = {
    "debug_config": "`genai-live record` writes down what a session says, and the emulator replays it",
    "googleAuthOptions": "google-auth credentials are credentials=",
}
"""Arguments of other clients' calls, and what is here instead."""


def misfit(function: Callable[..., Any], error: TypeError) -> TypeError:
    """The error for a call of ``function`` that Python refused as ``error``: better, where it has a foreign argument."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    name = found[1] if found else ""
    hint = _ARGUMENTS.get(name, "")
    if not hint and _snake_case(name) != name and _snake_case(name) in inspect.signature(function).parameters:
        hint = f"in Python it is {_snake_case(name)}"
    return TypeError(f"{function.__qualname__}() has no argument {name!r}: {hint}") if hint else error


@functools.lru_cache(maxsize=1_000)  # a program may ask each message for a name that it does not have
def missing(owner: type | ModuleType, name: str) -> str:
    """The sentence about a name that a class or a module of this library does not have."""
    whose, tables = _described(owner)
    names = (name, name.removesuffix("OrDict"), name.removesuffix("Dict"))
    hints = (COUNTERPARTS[table][each] for table in tables for each in names if each in COUNTERPARTS.get(table, ()))
    hint = next(hints, None)
    if hint is None and isinstance(owner, ModuleType) and whose == "genai_live" and name in owner.types.__all__:
        hint = f"it is types.{name}"
    if hint is None:
        hint = _spelled_here(owner, name) or ("" if name.startswith("_") else _nearest(owner, name))
    return f"{whose} has no {name!r}{hint and f': {hint}'}"


def _described(owner: type | ModuleType) -> tuple[str, list[str]]:
    """The owner's name, and whose tables are asked for it, in this order."""
    if isinstance(owner, type):
        return owner.__name__, [base.__name__ for base in owner.__mro__]
    return owner.__name__, [owner.__name__, *(["genai_live.types"] if owner.__name__ == "genai_live" else [])]


def _spelled_here(owner: type | ModuleType, name: str) -> str:
    snake = _snake_case(name)
    return f"in Python it is {snake}" if snake != name and snake in _names(owner) else ""


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _nearest(owner: type | ModuleType, name: str) -> str:
    is_type = isinstance(owner, ModuleType) and owner.__name__ == "genai_live.types" and name[:1].isupper()
    near = difflib.get_close_matches(name, _names(owner), n=1, cutoff=_SLIP_OF_A_TYPE if is_type else 0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return _OTHER_TYPES if is_type else ""


def _names(owner: type | ModuleType) -> list[str]:
    return [name for name in {*dir(owner), *getattr(owner, "__dataclass_fields__", ())} if not name.startswith("_")]
