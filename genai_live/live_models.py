"""Which models talk live, as the service lists them. Blocks on the caller's thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from genai_live import _public
from genai_live._deadline import Deadline
from genai_live._network import rest
from genai_live._network.headers import hidden
from genai_live.api_client import ApiClient, auth_for
from genai_live.errors import ConfigError
from genai_live.families import ModelFamily, family_of

__all__ = ["LiveModel", "live_models"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

LIVE_METHOD = "bidiGenerateContent"
"""The method of a model that talks live, in the lists of the Developer API."""

NAMED_SO = ("live", "native-audio")
"""Words in the name of every model that was seen to talk live on Vertex AI."""

PAGE = 1_000
"""Models of one answer: the most that the service gives."""

PAGES = 100
"""Answers after which a list is taken to go round in a circle."""


@dataclass(frozen=True)
class LiveModel:
    """One model that talks live."""

    name: str
    """The name that ``connect(model=...)`` takes."""
    display_name: str
    description: str
    input_token_limit: int | None
    """Tokens of context; None where the list does not say."""
    output_token_limit: int | None
    family: ModelFamily = field(repr=False)
    """The row of ``genai_live.families`` that this library treats it by."""


def live_models(api_client: ApiClient) -> tuple[LiveModel, ...]:
    """All models that talk live, in the service's order. Blocks up to http_options.timeout for each thousand models.

    The Developer API says which methods a model has. Vertex AI does not: there the name has to say it.

    Raises:
        ConfigError: the client has an ephemeral token, which may not ask.
        APIError: the service refused, with ``status`` and ``body``.
        ConnectError: no answer.
    """
    if api_client.settings.is_ephemeral:
        raise ConfigError("an ephemeral token may not list models; use the API key itself", "api_key")
    if api_client.backend.is_vertex:
        listed, talks_live = _listed(api_client, "publishers/google/models", "publisherModels"), _is_named_so
    else:
        listed, talks_live = _listed(api_client, "models", "models"), _has_the_method
    return tuple(_model(given, api_client) for given in listed if talks_live(given))


def _listed(api_client: ApiClient, path: str, member: str) -> Iterator[Mapping[str, Any]]:
    """Every object of a list, page by page."""
    headers = {**api_client.hidden_headers(), **hidden(auth_for(api_client).headers(Deadline(None)))}
    token = ""
    for _ in range(PAGES):
        query = f"pageSize={PAGE}" + (f"&pageToken={quote(token, safe='')}" if token else "")
        endpoint = api_client.rest_endpoint(path, query=query)
        answer = rest.request(endpoint, headers, options=api_client.options, http_options=api_client.http_options)
        yield from (each for each in answer.get(member) or () if isinstance(each, Mapping))
        token = str(answer.get("nextPageToken") or "")
        if not token:
            return


def _has_the_method(given: Mapping[str, Any]) -> bool:
    return LIVE_METHOD in (given.get("supportedGenerationMethods") or ())


def _is_named_so(given: Mapping[str, Any]) -> bool:
    return any(word in str(given.get("name")) for word in NAMED_SO)


def _model(given: Mapping[str, Any], api_client: ApiClient) -> LiveModel:
    name = str(given.get("name") or "").rpartition("/")[2]
    limits = (given.get(key) for key in ("inputTokenLimit", "outputTokenLimit"))
    input_limit, output_limit = (limit if isinstance(limit, int) else None for limit in limits)
    words = str(given.get("displayName") or name), str(given.get("description") or "")
    return LiveModel(name, *words, input_limit, output_limit, family_of(name, api_client))
