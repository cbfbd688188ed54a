"""Ephemeral tokens: short-lived keys for programs that must not hold the real one. Blocks on the caller's thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genai_live import _json, _public, _wire
from genai_live._backends import EPHEMERAL_TOKEN_API_VERSION
from genai_live._client_messages.setup import config_fields
from genai_live._deadline import Deadline
from genai_live._network import rest
from genai_live._network.headers import hidden
from genai_live._synchronous import Synchronous
from genai_live._tracebacks import opaque
from genai_live._validation import Checker, spelled, unknown_key
from genai_live.api_client import ApiClient, auth_for
from genai_live.errors import ConfigError
from genai_live.types import (
    AuthToken,
    CreateAuthTokenConfig,
    GenerationConfig,
    LiveClientSetup,
    LiveConnectConfig,
    LiveConnectConstraints,
)
from genai_live.types._base import camel_case, fields_of, names_of

__all__ = ["AuthTokens", "field_mask", "request_body"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

_RESOURCE = "auth_tokens"
_PATH = "config"
_CONSTRAINTS = f"{_PATH}.live_connect_constraints"
_GENERATION = "generationConfig"


class AuthTokens(Synchronous):
    """Makes ephemeral tokens. This is what ``Client.auth_tokens`` is; usable from many threads."""

    def __init__(self, api_client: ApiClient) -> None:
        self._api_client = api_client

    @opaque
    def create(self, config: CreateAuthTokenConfig | Mapping[str, Any] | None = None) -> AuthToken:
        """Makes a token; its ``name`` is the ``api_key`` of a client that may only open the sessions that the token allows.

        Without ``live_connect_constraints`` a session with the token is free. With them, and ``lock_additional_fields`` left
        out, everything is locked to the constraints and to defaults; with a list, the fields that the constraints set and those
        of the list are locked. Field names in the list may be written in either spelling. Uses API version v1beta, as sessions
        with a token do, unless http_options name another.

        Blocks up to http_options.timeout (milliseconds), 30 s by default.

        Raises:
            ConfigError: an unknown key, a wrong value, a Vertex AI client, or a client that has only a token itself.
            APIError: the service refused, with ``status`` and ``body``.
            ConnectError: no answer.
        """
        given = self._checked(config)
        api_client = self._api_client.with_request_options(given.get("http_options"))
        body = request_body(api_client, given)
        version = api_client.http_options.api_version or EPHEMERAL_TOKEN_API_VERSION
        endpoint = api_client.rest_endpoint(_RESOURCE, version)
        headers = {**api_client.hidden_headers(), **hidden(auth_for(api_client).headers(Deadline(None)))}
        options, http_options = api_client.options, api_client.http_options
        answer = rest.request(endpoint, headers, _json.dumps(body), options=options, http_options=http_options)
        return _wire.decode(AuthToken, answer)

    def _checked(self, config: CreateAuthTokenConfig | Mapping[str, Any] | None) -> dict[str, Any]:
        if self._api_client.backend.is_vertex:
            raise ConfigError(
                f"ephemeral tokens belong to {self._api_client.backend.other}: make a Client with an API key for them"
            )
        if self._api_client.settings.is_ephemeral:
            raise ConfigError("an ephemeral token cannot make tokens; use the API key itself", "api_key")
        given, unknown = spelled(CreateAuthTokenConfig, {} if config is None else config, _PATH)
        if unknown:
            raise unknown_key(CreateAuthTokenConfig, next(iter(unknown)), _PATH)
        return given

    def __repr__(self) -> str:
        return f"AuthTokens({self._api_client!r})"


def request_body(api_client: ApiClient, given: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of the request for what is set in a CreateAuthTokenConfig."""
    checker = Checker(api_client.backend, {})
    body: dict[str, Any] = {}
    for field in fields_of(CreateAuthTokenConfig):
        if field.name in ("expire_time", "new_session_expire_time", "uses") and field.name in given:
            body[field.wire] = checker.field(field, given[field.name], f"{_PATH}.{field.name}")
    if body.get("uses", 0) < 0:
        raise ConfigError("is negative; 0 means any number of sessions", f"{_PATH}.uses")
    setup = _constraint_setup(api_client, given.get("live_connect_constraints"))
    if setup:
        body["bidiGenerateContentSetup"] = setup
    mask = field_mask(setup, given.get("lock_additional_fields"))
    if mask:
        body["fieldMask"] = mask
    return body


def _constraint_setup(api_client: ApiClient, constraints: Any) -> dict[str, Any]:
    """The inner setup object: what a session's setup would be, without the word ``setup`` around it."""
    if constraints is None:
        return {}
    given, unknown = spelled(LiveConnectConstraints, constraints, _CONSTRAINTS)
    if unknown:
        raise unknown_key(LiveConnectConstraints, next(iter(unknown)), _CONSTRAINTS)
    config = given.get("config")
    if config is not None and spelled(LiveConnectConfig, config, f"{_CONSTRAINTS}.config")[0].get("http_options") is not None:
        raise ConfigError(
            "is not part of a session's setup; for this request pass it beside the constraints",
            f"{_CONSTRAINTS}.config.http_options",
        )
    model = {"model": api_client.model_path(given["model"])} if "model" in given else {}
    return {**model, **config_fields(api_client.backend, config, f"{_CONSTRAINTS}.config")}


def field_mask(setup: Mapping[str, Any], additional: Any) -> str:
    """Which fields a session cannot choose, as one comma-joined text; empty where the request has no mask.

    No mask beside constraints locks everything; no mask without constraints locks nothing.
    """
    if additional is None:
        return ""
    if not isinstance(additional, (list, tuple)) or not all(isinstance(name, str) for name in additional):
        raise ConfigError(f"must be a list of field names, not {type(additional).__name__}", f"{_PATH}.lock_additional_fields")
    paths = [*_set_paths(setup), *(_wire_path(name) for name in additional)]
    return ",".join(dict.fromkeys(paths))


def _set_paths(setup: Mapping[str, Any]) -> list[str]:
    """The set fields: a message by the fields that are set in it, everything else (lists and maps too) as a whole."""
    messages = {field.wire for field in fields_of(LiveClientSetup) if field.kind == "message" and field.shape == "one"}
    paths: list[str] = []
    for key, value in setup.items():
        paths += [f"{key}.{inner}" for inner in value] if key in messages and value else [key]
    return paths


def _wire_path(name: str) -> str:
    """The path in ``setup`` of a config field's name in either spelling; an unknown name stays as it is."""
    first, dot, rest = name.partition(".")
    config_paths = {field.name: field.path for field in fields_of(LiveConnectConfig)}
    known = names_of(LiveConnectConfig).get(first)
    if known is not None:
        path = config_paths[known]
    elif first in names_of(GenerationConfig):
        generation = {field.name: field.wire for field in fields_of(GenerationConfig)}
        path = f"{_GENERATION}.{generation[names_of(GenerationConfig)[first]]}"
    else:
        path = first
    return f"{path}.{'.'.join(camel_case(step) for step in rest.split('.'))}" if dot else path
