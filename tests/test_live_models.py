"""Which models talk live: asked of the service's list over a real HTTP server, and of the emulator."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.errors import APIError, ClientError, ConfigError
from tests.rest_servers import Answer, Request, rest_server

KEY = "AIza-the-secret-key"
LIVE = {"name": "models/a-live", "displayName": "A", "inputTokenLimit": 7, "supportedGenerationMethods": ["bidiGenerateContent"]}
OTHER = {"name": "models/b", "supportedGenerationMethods": ["generateContent"]}


def client_of(url: str, **settings: Any) -> Client:
    return Client(settings.pop("api_key", KEY), http_options={"base_url": url}, **settings)


def on_vertex(url: str) -> Client:
    options = {"base_url": url, "headers": {"Authorization": "Bearer token"}}
    return Client(vertexai=True, project="p", location="us-central1", http_options=options)


def test_models_are_those_that_have_the_live_method() -> None:
    with rest_server(lambda _: (200, {"models": [OTHER, LIVE, {"name": "models/bare"}]})) as server:
        (model,) = client_of(server.url).live.models()
    assert (model.name, model.display_name, model.input_token_limit, model.output_token_limit) == ("a-live", "A", 7, None)


def test_the_list_is_asked_for_with_the_key_in_a_header_only_and_without_a_body() -> None:
    with rest_server(lambda _: (200, {})) as server:
        assert client_of(server.url).live.models() == ()
    (request,) = server.requests
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers["x-goog-api-key"] == KEY
    assert request.path == "/v1beta/models?pageSize=1000"


def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    def answer(request: Request) -> Answer:
        page = parse_qs(urlsplit(request.path).query).get("pageToken", ["first"])[0]
        following = {"first": "second & third", "second & third": "last"}.get(page)
        return 200, {"models": [{**LIVE, "name": f"models/{page}"}], **({"nextPageToken": following} if following else {})}

    with rest_server(answer) as server:
        assert [model.name for model in client_of(server.url).live.models()] == ["first", "second & third", "last"]


def test_a_base_url_keeps_its_query_beside_that_of_the_list() -> None:
    with rest_server(lambda _: (200, {})) as server:
        client_of(server.url + "/behind?tenant=7").live.models()
    assert server.requests[0].path == "/behind/v1beta/models?pageSize=1000&tenant=7"


def test_on_vertex_the_name_says_which_model_talks_live() -> None:
    names = ("gemini-2.5-flash", "gemini-live-2.5-flash-native-audio", "gemini-3.8-live")
    listed = {"publisherModels": [{"name": f"publishers/google/models/{name}"} for name in names]}
    with rest_server(lambda _: (200, listed)) as server:
        models = on_vertex(server.url).live.models()
    assert [model.name for model in models] == ["gemini-live-2.5-flash-native-audio", "gemini-3.8-live"]
    assert server.requests[0].path == "/v1beta1/publishers/google/models?pageSize=1000"


def test_a_refusal_is_told_with_the_services_words_and_without_the_key() -> None:
    with (
        rest_server(lambda _: (403, {"error": {"message": f"{KEY} may not"}})) as server,
        pytest.raises(ClientError, match="may not") as told,
    ):
        client_of(server.url).live.models()
    assert told.value.status == 403
    assert KEY not in str(told.value)


def test_an_ephemeral_token_may_not_list_models() -> None:
    with pytest.raises(ConfigError, match="use the API key itself"):
        client_of("http://127.0.0.1:9", api_key="auth_tokens/t").live.models()


@pytest.mark.parametrize("client", [client_of, on_vertex], ids=["developer", "vertex"])
def test_the_emulator_lists_models_that_can_be_connected_to(client: Any) -> None:
    with LiveEmulator(voice=False) as emulator:
        names = [model.name for model in client(emulator.url).live.models()]
        assert "gemini-3.8-live" in names
        assert "gemini-2.5-flash" not in names
        with client(emulator.url).live.connect(model="gemini-3.8-live", config={"response_modalities": ["AUDIO"]}):
            pass


def test_the_emulator_lists_nothing_to_a_wrong_key() -> None:
    with LiveEmulator(voice=False) as emulator, pytest.raises(APIError, match="API key not valid"):
        client_of(emulator.url, api_key="invalid").live.models()
