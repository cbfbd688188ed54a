"""Arguments and environment to settings: precedence, addresses, headers, and what is never shown."""

from __future__ import annotations

import copy
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import google.oauth2.credentials
import pytest

from genai_live import ApiClient, _default_credentials, types
from genai_live._backends import MLDEV, MUSIC_METHOD, VERTEX
from genai_live._deadline import Deadline
from genai_live._secret import Secret
from genai_live.api_client import auth_for
from genai_live.errors import ConfigError

KEY = "AIza-the-secret-key"
TOKEN = "auth_tokens/0123456789"


def credentials(**fields: Any) -> Any:
    return google.oauth2.credentials.Credentials(token="ya29.secret", **fields)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_


def headers(client: ApiClient) -> dict[str, str]:
    shown = auth_for(client).headers(Deadline(5))
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in shown.items()}


# Which backend.


def test_the_developer_api_is_the_default() -> None:
    assert ApiClient(KEY).backend is MLDEV


@pytest.mark.parametrize(
    ("variables", "backend"),
    [
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true"}, VERTEX),
        ({"GOOGLE_GENAI_USE_VERTEXAI": " TRUE "}, VERTEX),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "1"}, VERTEX),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "yes"}, MLDEV),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "0"}, MLDEV),
        ({"GOOGLE_GENAI_USE_VERTEXAI": ""}, MLDEV),
        ({"GOOGLE_GENAI_USE_ENTERPRISE": "true"}, VERTEX),
        ({"GOOGLE_GENAI_USE_ENTERPRISE": "true", "GOOGLE_GENAI_USE_VERTEXAI": "false"}, VERTEX),
        ({"GOOGLE_GENAI_USE_ENTERPRISE": "false", "GOOGLE_GENAI_USE_VERTEXAI": "true"}, MLDEV),
    ],
)
def test_the_environment_chooses_the_backend(env: Any, variables: dict[str, str], backend: object) -> None:
    env(**variables)
    assert ApiClient(KEY).backend is backend


def test_contradicting_variables_are_told_and_enterprise_wins(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    env(GOOGLE_GENAI_USE_ENTERPRISE="true", GOOGLE_GENAI_USE_VERTEXAI="false")
    assert ApiClient(KEY).backend is VERTEX
    assert "contradict" in caplog.text


def test_an_argument_beats_the_environment(env: Any) -> None:
    env(GOOGLE_GENAI_USE_VERTEXAI="true")
    assert ApiClient(KEY, vertexai=False).backend is MLDEV
    assert ApiClient(KEY, enterprise=False).backend is MLDEV


def test_vertexai_and_enterprise_mean_the_same_and_must_agree() -> None:
    assert ApiClient(KEY, enterprise=True).backend is VERTEX
    assert ApiClient(KEY, enterprise=True, vertexai=True).backend is VERTEX
    with pytest.raises(ConfigError, match="contradict"):
        ApiClient(KEY, enterprise=True, vertexai=False)


# Whose key.


def test_the_key_comes_from_the_argument_then_google_api_key_then_gemini_api_key(env: Any) -> None:
    env(GEMINI_API_KEY="second")
    assert headers(ApiClient()) == {"x-goog-api-key": "second"}
    env(GOOGLE_API_KEY="first")
    assert headers(ApiClient()) == {"x-goog-api-key": "first"}
    assert headers(ApiClient("argument")) == {"x-goog-api-key": "argument"}


def test_two_keys_in_the_environment_are_told(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    env(GOOGLE_API_KEY="first", GEMINI_API_KEY="second")
    ApiClient()
    assert "GOOGLE_API_KEY and GEMINI_API_KEY are both set" in caplog.text
    assert "second" not in caplog.text


def test_an_empty_key_counts_as_none_and_a_key_is_trimmed(env: Any) -> None:
    env(GOOGLE_API_KEY="", GEMINI_API_KEY="  second\n")
    assert headers(ApiClient("")) == {"x-goog-api-key": "second"}


def test_a_missing_key_is_told_when_the_client_is_made() -> None:
    with pytest.raises(ConfigError, match="needs an API key: pass api_key="):
        ApiClient()


@pytest.mark.parametrize("key", ["two words", "line\r\nx-evil: 1", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiClient(key)
    assert key not in str(caught.value)


def test_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^api_key: must be a str, not bytes"):
        ApiClient(b"key")  # type: ignore[arg-type]


def test_project_location_and_credentials_belong_to_vertex_ai() -> None:
    for name, value in (("project", "p"), ("location", "l"), ("credentials", credentials())):
        with pytest.raises(ConfigError, match=f"^{name}: belongs to Vertex AI"):
            ApiClient(**{name: value})


def test_credentials_and_a_key_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="either api_key or credentials"):
        ApiClient(KEY, vertexai=True, credentials=credentials())


def test_what_are_no_credentials_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^credentials: must be google\.auth credentials, not str"):
        ApiClient(vertexai=True, project="p", credentials="token")


# Vertex AI: what drives out what.

VERTEX_CHOICES = [
    # arguments, environment, key header or None for google-auth, project, location
    ({"credentials": True, "project": "p"}, {"GEMINI_API_KEY": "env"}, None, "p", "global"),
    ({"api_key": "arg"}, {"GOOGLE_CLOUD_PROJECT": "e", "GOOGLE_CLOUD_LOCATION": "el"}, "arg", None, None),
    ({"project": "p", "location": "l"}, {"GEMINI_API_KEY": "env"}, None, "p", "l"),
    ({"location": "l"}, {"GEMINI_API_KEY": "env", "GOOGLE_CLOUD_PROJECT": "e"}, None, "e", "l"),
    ({}, {"GEMINI_API_KEY": "env", "GOOGLE_CLOUD_PROJECT": "e", "GOOGLE_CLOUD_LOCATION": "el"}, None, "e", "el"),
    ({}, {"GEMINI_API_KEY": "env"}, "env", None, None),
    ({"api_key": "arg", "project": "p", "location": "l"}, {}, "arg", "p", "l"),
    ({}, {"GOOGLE_CLOUD_PROJECT": "e"}, None, "e", "global"),
]


@pytest.mark.parametrize(("arguments", "variables", "key", "project", "location"), VERTEX_CHOICES)
def test_on_vertex_ai_the_more_explicit_credential_is_used(
    env: Any, arguments: dict[str, Any], variables: dict[str, str], key: str | None, project: str | None, location: str | None
) -> None:
    env(**variables)
    given = {**arguments, **({"credentials": credentials()} if "credentials" in arguments else {})}
    client = ApiClient(vertexai=True, **given)
    assert (client.settings.api_key and client.settings.api_key.reveal()) == key
    assert (client.google is None) == (key is not None)
    assert (client.settings.project, client.settings.location) == (project, location)


def test_a_key_with_project_and_location_has_the_regional_host_and_the_full_model_name() -> None:
    client = ApiClient(KEY, vertexai=True, project="p", location="us-central1")
    assert client.live_endpoint().url.startswith("wss://us-central1-aiplatform.googleapis.com/ws/")
    assert client.model_path("m") == "projects/p/locations/us-central1/publishers/google/models/m"
    assert headers(client) == {"x-goog-api-key": KEY}


def test_an_express_key_has_the_global_host_and_the_short_model_name() -> None:
    client = ApiClient(KEY, vertexai=True)
    assert client.live_endpoint().url.startswith("wss://aiplatform.googleapis.com/ws/")
    assert client.model_path("m") == "publishers/google/models/m"


def test_credentials_that_know_their_project_give_it() -> None:
    held = credentials()
    held.project_id = "from-credentials"
    assert ApiClient(vertexai=True, credentials=held).settings.project == "from-credentials"


def test_without_a_project_a_machine_without_default_credentials_is_told_at_once(
    env: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_default_credentials, "_MACHINE", tmp_path / "product_name")
    monkeypatch.setattr(sys, "platform", "linux")
    env(CLOUDSDK_CONFIG=str(tmp_path))
    with pytest.raises(ConfigError, match=r"^project: Vertex AI needs a project: pass project= or set GOOGLE_CLOUD_PROJECT"):
        ApiClient(vertexai=True, location="l")
    (tmp_path / "product_name").write_text("Google Compute Engine\n")
    assert ApiClient(vertexai=True).google is not None
    (tmp_path / "product_name").write_text("Standard PC\n")
    env(K_SERVICE="a-service")
    assert ApiClient(vertexai=True).google is not None
    monkeypatch.delenv("K_SERVICE")
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert ApiClient(vertexai=True).google is not None


def test_vertex_ai_has_no_ephemeral_tokens() -> None:
    with pytest.raises(ConfigError, match="ephemeral tokens belong to the Gemini Developer API"):
        ApiClient(TOKEN, vertexai=True)


# Which address.


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws/"),
        ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws/"),
        ("https://host/x/", "wss://host/x/ws/"),
        ("https://host//x//y", "wss://host/x/y/ws/"),
        ("ws://host", "ws://host/ws/"),
        ("wss://host", "wss://host/ws/"),
        ("HTTPS://[::1]:4430", "wss://[::1]:4430/ws/"),
    ],
)
def test_a_base_url_keeps_its_security_and_its_path_and_gets_single_slashes(base_url: str, address: str) -> None:
    url = ApiClient(KEY, http_options={"base_url": base_url}).live_endpoint().url
    assert url == f"{address}google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@pytest.mark.parametrize(
    "base_url",
    ["host:80", "ftp://host", "https://", "https://host/#part", "https://host:port", "//host", "http://a b", "http://a\tb"],
)
def test_what_is_no_base_url_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match=r"^http_options\.base_url: is not a URL"):
        ApiClient(KEY, http_options={"base_url": base_url})


@pytest.mark.parametrize(
    ("arguments", "path"),
    [({"location": "evil.example/"}, "location"), ({"location": "us central1"}, "location"), ({"project": "a/b?c"}, "project")],
)
def test_a_place_that_would_send_credentials_elsewhere_is_refused(env: Any, arguments: dict[str, str], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiClient(vertexai=True, **{"project": "p", **arguments})
    assert caught.value.path == path
    env(**{"GOOGLE_CLOUD_PROJECT": "p", **{f"GOOGLE_CLOUD_{name.upper()}": value for name, value in arguments.items()}})
    with pytest.raises(ConfigError):
        ApiClient(vertexai=True)


def test_each_backend_reads_its_own_base_url_variable(env: Any) -> None:
    env(GOOGLE_GEMINI_BASE_URL="http://gemini", GOOGLE_VERTEX_BASE_URL="http://vertex")
    assert ApiClient(KEY).live_endpoint().url.startswith("ws://gemini/ws/")
    assert ApiClient(KEY, vertexai=True).live_endpoint().url.startswith("ws://vertex/ws/")
    assert ApiClient(KEY, http_options={"base_url": "http://mine"}).live_endpoint().url.startswith("ws://mine/ws/")


def test_a_base_url_of_ones_own_needs_no_key() -> None:
    client = ApiClient(http_options={"base_url": "http://127.0.0.1:1"})
    assert headers(client) == {}


def test_a_base_url_of_googles_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="needs an API key"):
        ApiClient(http_options={"base_url": "https://generativelanguage.googleapis.com"})


def test_a_key_in_the_callers_own_headers_is_enough() -> None:
    client = ApiClient(http_options={"headers": {"X-Goog-Api-Key": KEY}})
    assert headers(client) == {}
    assert client.request_headers()["X-Goog-Api-Key"] == KEY


def test_a_query_and_a_password_of_the_base_url_are_used_and_never_shown() -> None:
    client = ApiClient(http_options={"base_url": "https://user:p%40ss@host/x?secret=1"})
    endpoint = client.live_endpoint()
    assert endpoint.url.startswith("wss://host/x/ws/")
    assert endpoint.url.endswith("BidiGenerateContent?secret=1")
    assert headers(client) == {"authorization": "Basic dXNlcjpwQHNz"}
    for shown in (repr(endpoint), str(endpoint), endpoint.safe_url, repr(client)):
        assert "secret=1" not in shown
        assert "p%40ss" not in shown
        assert "p@ss" not in shown


def test_vertex_ai_behind_a_gateway_is_used_as_it_stands(env: Any) -> None:
    env(GOOGLE_CLOUD_PROJECT="e", GOOGLE_CLOUD_LOCATION="l")
    client = ApiClient(vertexai=True, http_options={"base_url": "https://gateway/live", "headers": {"Authorization": "own"}})
    assert client.settings.gateway
    assert client.live_endpoint().url == "wss://gateway/live"
    assert headers(client) == {}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-live", "publishers/google/models/gemini-live"),
        ("pub/name", "publishers/pub/models/name"),
        ("publishers/google/models/m", "publishers/google/models/m"),
        ("projects/p/locations/l/publishers/google/models/m", "projects/p/locations/l/publishers/google/models/m"),
    ],
)
def test_a_gateway_is_given_the_model_without_the_environments_project(env: Any, model: str, path: str) -> None:
    env(GOOGLE_CLOUD_PROJECT="e", GOOGLE_CLOUD_LOCATION="l")
    assert ApiClient(vertexai=True, http_options={"base_url": "https://gateway/live"}).model_path(model) == path


@pytest.mark.parametrize(
    "arguments", [{"project": "p", "location": "l"}, {"api_key": KEY}, {"credentials": True, "project": "p"}]
)
def test_vertex_ai_at_a_custom_address_with_explicit_credentials_has_the_usual_path(arguments: dict[str, Any]) -> None:
    given = {**arguments, **({"credentials": credentials()} if "credentials" in arguments else {})}
    client = ApiClient(vertexai=True, http_options={"base_url": "http://host:1"}, **given)
    assert client.live_endpoint().url == "ws://host:1/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


def test_music_belongs_to_the_developer_api() -> None:
    assert ApiClient(KEY).live_endpoint(MUSIC_METHOD).url.endswith(".BidiGenerateMusic")
    with pytest.raises(ConfigError, match="belong to the Gemini Developer API"):
        ApiClient(KEY, vertexai=True).live_endpoint(MUSIC_METHOD)


# Which API version.


@pytest.mark.parametrize(
    ("vertexai", "variable", "option", "version"),
    [
        (False, None, None, "v1beta"),
        (True, None, None, "v1beta1"),
        (False, "beta", None, "v1beta"),
        (True, "beta", None, "v1beta1"),
        (False, "v1alpha", None, "v1alpha"),
        (True, "v1", None, "v1"),
        (False, "beta", "v9", "v9"),
    ],
)
def test_the_api_version_comes_from_the_option_then_the_environment(
    env: Any, vertexai: bool, variable: str | None, option: str | None, version: str
) -> None:
    if variable:
        env(GOOGLE_GENAI_API_VERSION=variable)
    client = ApiClient(KEY, vertexai=vertexai, http_options={"apiVersion": option} if option else None)
    assert client.settings.api_version == version
    assert f".{version}." in client.live_endpoint().url


def test_an_ephemeral_token_picks_version_method_and_header_by_itself(env: Any) -> None:
    env(GOOGLE_GENAI_API_VERSION="v1")
    client = ApiClient(TOKEN)
    assert client.live_endpoint().url.endswith("generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained")
    assert headers(client) == {"authorization": f"Token {TOKEN}"}
    assert TOKEN not in client.live_endpoint().url


def test_an_ephemeral_token_with_a_version_of_the_callers_keeps_that() -> None:
    assert ApiClient(TOKEN, http_options={"api_version": "v1alpha"}).settings.api_version == "v1alpha"


def test_an_ephemeral_token_travels_as_a_key_in_music_sessions() -> None:
    shown = auth_for(ApiClient(TOKEN), MUSIC_METHOD).headers(Deadline(1))
    assert list(shown) == ["x-goog-api-key"]


# The emulator.


def test_the_emulator_variable_takes_every_client_to_the_emulator_without_a_key(env: Any) -> None:
    env(GENAI_LIVE_EMULATOR_HOST="127.0.0.1:9999", GEMINI_API_KEY=KEY)
    for client in (ApiClient(), ApiClient(vertexai=True), ApiClient(vertexai=True, credentials=credentials(), project="p")):
        assert client.settings.emulated
        assert client.live_endpoint().url.startswith("ws://127.0.0.1:9999/ws/")
        assert headers(client) == {}
        assert client.google is None


def test_an_emulated_client_of_vertex_ai_has_a_full_model_name(env: Any) -> None:
    env(GENAI_LIVE_EMULATOR_HOST="127.0.0.1:9999")
    assert ApiClient(vertexai=True).model_path("m") == "projects/emulated-project/locations/global/publishers/google/models/m"


def test_a_key_passed_as_an_argument_reaches_the_emulator(env: Any) -> None:
    env(GENAI_LIVE_EMULATOR_HOST="http://127.0.0.1:9999")
    assert headers(ApiClient("mine")) == {"x-goog-api-key": "mine"}


def test_an_explicit_base_url_beats_the_emulator_variable(env: Any) -> None:
    env(GENAI_LIVE_EMULATOR_HOST="127.0.0.1:9999")
    client = ApiClient(KEY, http_options={"base_url": "http://other:1"})
    assert not client.settings.emulated
    assert client.live_endpoint().url.startswith("ws://other:1/")


# Headers and options.


def test_every_request_says_who_sends_it() -> None:
    sent = ApiClient(KEY).request_headers()
    assert sent["user-agent"].startswith("genai-live/")
    assert " gl-python/3." in sent["user-agent"]
    assert sent["x-goog-api-client"] == sent["user-agent"]
    assert sent["content-type"] == "application/json"


def test_the_callers_headers_win_whatever_their_spelling() -> None:
    sent = ApiClient(KEY, http_options={"headers": {"User-Agent": "mine", "X-Trace": "1"}}).request_headers()
    assert sent["User-Agent"] == "mine"
    assert "user-agent" not in sent
    assert sent["X-Trace"] == "1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"headers": {"a": "b\r\nc: d"}}, r"http_options\.headers: the value of 'a' contains a line break"),
        ({"headers": {"a b": "c"}}, "is not the name of an HTTP header"),
        ({"headers": {"a": 1}}, "must be str for 'a', not int"),
        ({"headers": ["a"]}, "must be a dict of str, not list"),
        ({"base_urls": "x"}, r"^http_options\.base_urls: unknown key; did you mean 'base_url'"),
        ({"base_url": 1}, r"http_options\.base_url: must be a str, not int"),
        ({"api_version": "v1/../v2"}, r"http_options\.api_version: 'v1/\.\./v2' is not one word"),
        ({"retry_options": {"atempts": 3}}, r"^http_options\.retry_options\.atempts: unknown key; did you mean 'attempts'"),
        ({"retry_options": {"attempts": "often"}}, r"^http_options\.retry_options\.attempts: must be a whole number"),
        ({"retry_options": 3}, r"^http_options\.retry_options: must be HttpRetryOptions or a dict of it, not int"),
        ("http://x", "^http_options: must be HttpOptions or a dict of it, not str"),
    ],
)
def test_wrong_http_options_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ApiClient(KEY, http_options=given)


def test_options_for_httpx_are_told_to_do_nothing_here(caplog: pytest.LogCaptureFixture) -> None:
    ApiClient(KEY, http_options={"async_client_args": {"max_size": 1}})
    assert "http_options.async_client_args" in caplog.text


def test_the_callers_options_and_later_changes_of_them_are_not_shared() -> None:
    own = {"headers": {"a": "b"}, "baseUrl": "http://x"}
    before = copy.deepcopy(own)
    client = ApiClient(KEY, http_options=own)
    assert own == before
    own["headers"]["a"] = "changed"  # type: ignore[index]
    assert client.request_headers()["a"] == "b"
    held = types.HttpOptions(headers={"a": "b"})
    client = ApiClient(KEY, http_options=held)
    held.headers = {"a": "changed"}
    assert client.request_headers()["a"] == "b"


def test_a_session_may_have_its_own_address_version_and_headers() -> None:
    client = ApiClient(KEY, http_options={"headers": {"A": "1", "B": "2"}})
    other = client.with_options({"base_url": "http://x", "api_version": "v7", "headers": {"a": "3"}})
    assert other.live_endpoint().url.startswith("ws://x/ws/google.ai.generativelanguage.v7.")
    assert other.request_headers() | {"a": "3", "B": "2"} == other.request_headers()
    assert "A" not in other.request_headers()
    assert client.request_headers()["A"] == "1"
    assert headers(other) == {"x-goog-api-key": KEY}


def test_a_session_may_have_no_other_options_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"^config\.http_options\.timeout: is an option of the whole Client"):
        ApiClient(KEY).with_options({"timeout": 1})


def test_a_session_without_options_uses_the_client_itself() -> None:
    client = ApiClient(KEY)
    assert client.with_options(None) is client
    assert client.with_options({}) is client


def test_all_sessions_of_a_client_share_its_google_credentials() -> None:
    client = ApiClient(vertexai=True, project="p", location="l", credentials=credentials())
    assert client.with_options({"api_version": "v1"}).google is client.google


def test_the_environment_is_read_once(env: Any) -> None:
    env(GEMINI_API_KEY=KEY)
    client = ApiClient()
    env(GEMINI_API_KEY="other", GENAI_LIVE_EMULATOR_HOST="127.0.0.1:1")
    assert headers(client.with_options({"api_version": "v1"})) == {"x-goog-api-key": KEY}


# What is shown.


def test_repr_shows_state_and_no_secret() -> None:
    text = repr(
        ApiClient(KEY, vertexai=True, project="p", location="l", http_options={"headers": {"Authorization": "Bearer x1y2"}})
    )
    assert "backend=vertex" in text
    assert "project=p" in text
    assert "api_key=<set>" in text
    assert KEY not in text
    assert "x1y2" not in text
    assert "ya29" not in repr(ApiClient(vertexai=True, project="p", credentials=credentials()))


def test_a_client_with_a_key_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ApiClient(KEY))


def test_making_a_client_takes_no_network_and_next_to_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("google.auth.default", refused)
    started = time.perf_counter()
    for _ in range(100):
        ApiClient(vertexai=True, location="l")
    assert time.perf_counter() - started < 5.0
