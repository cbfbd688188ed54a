"""Ephemeral tokens: the request and its field mask, over a real HTTP server, and what is made of its answers."""

from __future__ import annotations

import datetime
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from genai_live import ApiClient, types
from genai_live._backends import MLDEV
from genai_live.errors import APIError, ConfigError, ConnectError, ConnectTimeout, ErrorKind
from genai_live.tokens import AuthTokens, field_mask
from tests.rest_servers import Answer, Request, RestServer, rest_server
from tests.servers import AUTHORITY, PATIENCE

KEY = "AIza-the-secret-key"
MADE = {"name": "auth_tokens/made", "uses": 1, "expireTime": "2026-01-02T03:04:05Z"}


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server(lambda _: (200, MADE)) as running:
        yield running


def tokens_of(server: RestServer, **http_options: Any) -> AuthTokens:
    return AuthTokens(ApiClient(KEY, http_options={"base_url": server.url, **http_options}))


def body_of(server: RestServer, config: Any = None) -> Any:
    tokens_of(server).create(config=config)
    return server.requests[-1].json


# The request.


def test_a_token_is_asked_of_v1beta_with_the_key_in_a_header_only(server: RestServer) -> None:
    token = tokens_of(server).create()
    (request,) = server.requests
    assert request.path == "/v1beta/auth_tokens"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.json == {}
    assert token == types.AuthToken(
        name="auth_tokens/made", uses=1, expire_time=datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    )


def test_the_token_itself_is_not_shown(server: RestServer) -> None:
    assert "made" not in repr(tokens_of(server).create())


def test_http_options_name_another_version_or_more_headers(server: RestServer) -> None:
    tokens_of(server, api_version="v1alpha").create()
    tokens_of(server).create({"httpOptions": {"api_version": "v9", "headers": {"X-Trace": "1"}}})
    assert [request.path for request in server.requests] == ["/v1alpha/auth_tokens", "/v9/auth_tokens"]
    assert server.requests[1].headers["x-trace"] == "1"
    assert server.requests[1].headers["x-goog-api-key"] == KEY


def test_times_and_uses_are_sent(server: RestServer) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    given = {"uses": 0, "expire_time": moment, "newSessionExpireTime": "2026-01-02T03:05:05Z"}
    for config in (given, types.CreateAuthTokenConfig(**given)):
        assert body_of(server, config) == {
            "uses": 0,
            "expireTime": "2026-01-02T03:04:05+00:00",
            "newSessionExpireTime": "2026-01-02T03:05:05Z",
        }


CONSTRAINTS = {
    "model": "m",
    "config": {
        "response_modalities": ["AUDIO"],
        "temperature": 0.5,
        "systemInstruction": "be brief",
        "tools": [{"google_search": {}}, {"function_declarations": [{"name": "a"}]}],
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT"}],
        "realtime_input_config": {"turn_coverage": "TURN_INCLUDES_ALL_INPUT"},
        "input_audio_transcription": {},
        "labels": {"a": "b"},
    },
}
INNER = {
    "model": "models/m",
    "generationConfig": {"responseModalities": ["AUDIO"], "temperature": 0.5},
    "systemInstruction": {"role": "user", "parts": [{"text": "be brief"}]},
    "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "a"}]}],
    "inputAudioTranscription": {},
    "realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_ALL_INPUT"},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT"}],
    "labels": {"a": "b"},
}
SET_FIELDS = {
    "model", "generationConfig.responseModalities", "generationConfig.temperature", "systemInstruction.role",
    "systemInstruction.parts", "tools", "inputAudioTranscription", "realtimeInputConfig.turnCoverage", "safetySettings", "labels",
}  # fmt: skip


def test_constraints_are_the_inner_setup_object(server: RestServer) -> None:
    assert body_of(server, {"live_connect_constraints": CONSTRAINTS}) == {"bidiGenerateContentSetup": INNER}
    held = types.LiveConnectConstraints(model="m", config=types.LiveConnectConfig(**CONSTRAINTS["config"]))  # type: ignore[arg-type]
    assert body_of(server, types.CreateAuthTokenConfig(live_connect_constraints=held)) == {"bidiGenerateContentSetup": INNER}
    assert body_of(server, {"bidiGenerateContentSetup": CONSTRAINTS}) == {"bidiGenerateContentSetup": INNER}


def test_constraints_may_lack_a_model_or_be_empty(server: RestServer) -> None:
    assert body_of(server, {"live_connect_constraints": {"config": {"seed": 0}}}) == {
        "bidiGenerateContentSetup": {"generationConfig": {"seed": 0}}
    }
    assert body_of(server, {"live_connect_constraints": {}}) == {}


# The lock: which fields a session cannot choose.


def mask(server: RestServer, constraints: Any, lock: Any) -> set[str] | None:
    given = {"live_connect_constraints": constraints, "lock_additional_fields": lock}
    text = body_of(server, {name: value for name, value in given.items() if value is not None}).get("fieldMask")
    if text is None:
        return None
    names = text.split(",")
    assert len(set(names)) == len(names)
    return set(names)


def test_without_a_lock_there_is_no_mask(server: RestServer) -> None:
    assert mask(server, None, None) is None
    assert mask(server, CONSTRAINTS, None) is None


def test_an_empty_lock_masks_the_set_fields(server: RestServer) -> None:
    assert mask(server, CONSTRAINTS, []) == SET_FIELDS
    assert mask(server, None, []) is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("top_k", "generationConfig.topK"),
        ("topK", "generationConfig.topK"),
        ("media_resolution", "generationConfig.mediaResolution"),
        ("thinkingConfig", "generationConfig.thinkingConfig"),
        ("enable_affective_dialog", "generationConfig.enableAffectiveDialog"),
        ("frequency_penalty", "generationConfig.frequencyPenalty"),
        ("output_audio_transcription", "outputAudioTranscription"),
        ("outputAudioTranscription", "outputAudioTranscription"),
        ("generationConfig.topK", "generationConfig.topK"),
        ("generation_config.top_k", "generationConfig.topK"),
        ("realtime_input_config.activity_handling", "realtimeInputConfig.activityHandling"),
        ("brandNew", "brandNew"),
    ],
)
def test_a_locked_name_in_either_spelling_becomes_its_path(server: RestServer, name: str, path: str) -> None:
    assert mask(server, CONSTRAINTS, [name]) == SET_FIELDS | {path}
    assert mask(server, None, [name]) == {path}


def test_a_field_that_is_set_and_locked_is_named_once(server: RestServer) -> None:
    assert mask(server, CONSTRAINTS, ["temperature", "tools", "temperature"]) == SET_FIELDS


def test_generation_config_in_constraints_is_merged(server: RestServer) -> None:
    config = {"temperature": 0.0, "generation_config": {"temperature": 1.0, "top_p": 0.5}}
    assert body_of(server, {"live_connect_constraints": {"config": config}})["bidiGenerateContentSetup"] == {
        "generationConfig": {"temperature": 0.0, "topP": 0.5}
    }


def test_the_order_of_a_mask_is_that_of_the_setup() -> None:
    assert field_mask({"model": "m", "tools": []}, ("top_p", "seed")) == "model,tools,generationConfig.topP,generationConfig.seed"


# What is refused before anything is sent.


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"use": 1}, "config.use: unknown key; did you mean 'uses'?"),
        ({"uses": "1x"}, "config.uses: must be a whole number"),
        ({"uses": -1}, "config.uses: is negative"),
        ({"expire_time": datetime.datetime(2026, 1, 1)}, "config.expire_time: this datetime has no time zone"),
        ({"lock_additional_fields": "top_k"}, "config.lock_additional_fields: must be a list of field names"),
        (
            {"live_connect_constraints": {"modle": "m"}},
            "config.live_connect_constraints.modle: unknown key; did you mean 'model'?",
        ),
        ({"live_connect_constraints": {"config": {"topp": 1}}}, "config.live_connect_constraints.config.topp: unknown key"),
        (
            {"live_connect_constraints": {"config": {"explicit_vad_signal": True}}},
            "config.live_connect_constraints.config.explicit_vad_signal: the Gemini Developer API does not have this field",
        ),
        ({"live_connect_constraints": {"config": {"http_options": {}}}}, "config.live_connect_constraints.config.http_options: "),
        ("x", "config: must be CreateAuthTokenConfig or a dict of it, not str"),
    ],
)
def test_a_wrong_config_is_refused_with_its_path(server: RestServer, config: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tokens_of(server).create(config)
    assert words in str(caught.value)
    assert not server.requests


def test_vertex_ai_makes_no_tokens() -> None:
    with pytest.raises(ConfigError, match=f"belong to {MLDEV}"):
        AuthTokens(ApiClient(KEY, vertexai=True)).create()


def test_a_token_makes_no_tokens() -> None:
    with pytest.raises(ConfigError, match="an ephemeral token cannot make tokens"):
        AuthTokens(ApiClient("auth_tokens/x")).create()


# Answers that are none.

FORBIDDEN = {"error": {"code": 403, "message": "Permission denied: enable the API.", "status": "PERMISSION_DENIED"}}


def test_a_refusal_has_status_body_and_the_services_words() -> None:
    with (
        rest_server(lambda _: (403, FORBIDDEN)) as server,
        pytest.raises(APIError, match="Permission denied: enable the API") as caught,
    ):
        tokens_of(server).create()
    assert caught.value.status == 403
    assert '"PERMISSION_DENIED"' in caught.value.body
    assert caught.value.kind is ErrorKind.AUTH
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("body", ["", "<html>", "[1]", "null"])
def test_an_answer_that_is_no_object_is_an_error(body: str) -> None:
    with rest_server(lambda _: (200, body)) as server, pytest.raises(APIError):
        tokens_of(server).create()


def test_a_version_without_tokens_is_told_with_those_that_have_them() -> None:
    with rest_server(lambda _: (404, {})) as server, pytest.raises(APIError, match="'v1beta' or 'v1alpha'") as caught:
        tokens_of(server, api_version="v1").create()
    assert caught.value.status == 404


def test_the_key_follows_no_redirect() -> None:
    with rest_server(lambda _: (302, {})) as server:
        with pytest.raises(APIError) as caught:
            tokens_of(server).create()
        assert caught.value.status == 302
        assert [request.path for request in server.requests] == ["/v1beta/auth_tokens"]


def test_no_connection_is_a_connect_error_without_the_key() -> None:
    with pytest.raises(ConnectError) as caught:
        AuthTokens(ApiClient(KEY, http_options={"base_url": "http://127.0.0.1:1"})).create()
    assert caught.value.retryable
    assert caught.value.__cause__ is None
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_silent_server_ends_with_the_timeout() -> None:
    release = threading.Event()

    def silent(_: Request) -> Answer:
        release.wait(PATIENCE)
        return 200, MADE

    with rest_server(silent) as server:
        with pytest.raises(ConnectTimeout):
            tokens_of(server, timeout=200).create()
        release.set()


def test_retry_options_try_again_what_may_pass() -> None:
    answers: list[Answer] = [(503, {}), (429, {}), (200, MADE)]
    with rest_server(lambda _: answers.pop(0)) as server:
        options = {"attempts": 3, "initial_delay": 0, "jitter": 0}
        assert tokens_of(server, retry_options=options).create().name == "auth_tokens/made"
        assert len(server.requests) == 3


def test_without_retry_options_nothing_is_tried_again() -> None:
    with rest_server(lambda _: (503, {})) as server:
        with pytest.raises(APIError):
            tokens_of(server).create()
        assert len(server.requests) == 1


# The same certificates as the WebSocket.


def test_a_private_authority_is_trusted_through_ca_bundle_whatever_the_environment_says(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(bundle))
    with rest_server(lambda _: (200, MADE), tls=True) as server:
        assert tokens_of(server, ca_bundle=str(bundle)).create().name == "auth_tokens/made"
        with pytest.raises(ConnectError):
            tokens_of(server).create()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        assert tokens_of(server).create().name == "auth_tokens/made"
