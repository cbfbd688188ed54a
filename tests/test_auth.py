"""Credentials as headers: refreshed once for all threads, never longer than the deadline; against a real token server."""

from __future__ import annotations

import base64
import datetime
import json
import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import google.oauth2.credentials
import google.oauth2.service_account
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from genai_live import ApiClient, _deadline
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live._secret import Secret
from genai_live.api_client import auth_for
from genai_live.auth import CLOUD_PLATFORM_SCOPE
from genai_live.errors import ConfigError, ConnectTimeout, CredentialsError, ErrorKind, Phase
from tests.rest_servers import Answer, Request, RestServer, rest_server
from tests.servers import PATIENCE

PAST = datetime.datetime(2001, 1, 1)
THREADS = 8


def granted(_: Request) -> Answer:
    return 200, {"access_token": "ya29.fresh", "expires_in": 3600}


def expired(server: RestServer, **fields: Any) -> Any:
    """User credentials whose token has run out, refreshed by ``server``."""
    return google.oauth2.credentials.Credentials(
        token="ya29.old",
        refresh_token="refresh",
        token_uri=f"{server.url}/token",
        client_id="id",
        client_secret="secret",
        expiry=PAST,
        **fields,
    )


def vertex(credentials: Any = None, **arguments: Any) -> ApiClient:
    return ApiClient(vertexai=True, **{"project": "p", "location": "l", **arguments}, credentials=credentials)


def headers_of(client: ApiClient, seconds: float = PATIENCE) -> dict[str, str]:
    shown = auth_for(client).headers(Deadline(seconds))
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in shown.items()}


@pytest.fixture
def service_account(tmp_path: Path) -> Callable[..., str]:
    """Writes the file of a service account whose tokens come from a server of the test's; gives its path."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

    def write(server: RestServer, **fields: Any) -> str:
        account = {
            "type": "service_account",
            "project_id": "project-of-the-file",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": "robot@example.com",
            "token_uri": f"{server.url}/token",
            **fields,
        }
        path = tmp_path / "account.json"
        path.write_text(json.dumps(account))
        return str(path)

    return write


def test_a_valid_token_is_used_as_it_is_and_wrapped() -> None:
    with rest_server(granted) as server:
        client = vertex(google.oauth2.credentials.Credentials(token="ya29.valid"))
        shown = auth_for(client).headers(Deadline(1))
        assert not server.requests
    assert repr(shown) == "{'authorization': <set>}"
    assert headers_of(client) == {"authorization": "Bearer ya29.valid"}


def test_an_expired_token_is_refreshed() -> None:
    with rest_server(granted) as server:
        assert headers_of(vertex(expired(server))) == {"authorization": "Bearer ya29.fresh"}
        assert len(server.requests) == 1


def test_eight_threads_with_an_expired_token_make_one_refresh() -> None:
    all_are_there = threading.Barrier(THREADS)
    found: list[dict[str, str]] = []
    with rest_server(granted) as server:
        client = vertex(expired(server))

        def connect() -> None:
            all_are_there.wait(PATIENCE)
            found.append(headers_of(client))

        threads = [threading.Thread(target=connect) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(server.requests) == 1
    assert found == [{"authorization": "Bearer ya29.fresh"}] * THREADS


def test_every_connection_asks_again_and_finds_a_token_that_ran_out() -> None:
    with rest_server(granted) as server:
        credentials = expired(server)
        client = vertex(credentials)
        headers_of(client)
        credentials.expiry = PAST
        assert headers_of(client) == {"authorization": "Bearer ya29.fresh"}
        assert len(server.requests) == 2


def test_the_quota_project_is_sent() -> None:
    client = vertex(google.oauth2.credentials.Credentials(token="t", quota_project_id="payer"))
    assert headers_of(client) == {"authorization": "Bearer t", "x-goog-user-project": "payer"}


def test_a_header_of_the_callers_own_is_left_to_the_caller() -> None:
    credentials = google.oauth2.credentials.Credentials(token="t", quota_project_id="payer")
    assert headers_of(vertex(credentials, http_options={"headers": {"X-Goog-User-Project": "mine"}})) == {
        "authorization": "Bearer t"
    }
    assert headers_of(vertex(credentials, http_options={"headers": {"AUTHORIZATION": "mine"}})) == {}


def test_a_silent_token_server_ends_with_the_deadline_and_the_phase() -> None:
    asked, answer = threading.Event(), threading.Event()

    def silent(request: Request) -> Answer:
        asked.set()
        answer.wait(PATIENCE)
        return granted(request)

    with rest_server(silent) as server:
        client = vertex(expired(server))
        with pytest.raises(ConnectTimeout) as caught:
            headers_of(client, 0.2)
        assert caught.value.phase is Phase.CREDENTIALS
        assert isinstance(caught.value, TimeoutError)
        assert asked.wait(PATIENCE)
        answer.set()


def test_the_wait_for_a_token_is_one_that_ctrl_c_ends_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it interrupts no wait for a lock, so that every one is short."""
    asked: list[float] = []
    wait = Flag.wait

    def noted(flag: Flag, timeout: float | None = None) -> bool:
        assert timeout is not None
        asked.append(timeout)
        if len(asked) > 3:
            raise KeyboardInterrupt
        return wait(flag, timeout)

    monkeypatch.setattr(_deadline, "WAIT_SLICE", 0.01)
    done = threading.Event()

    def never(request: Request) -> Answer:
        done.wait(PATIENCE)
        return granted(request)

    with rest_server(never) as server:
        client = vertex(expired(server))
        monkeypatch.setattr(Flag, "wait", noted)
        with pytest.raises(KeyboardInterrupt):
            auth_for(client).headers(Deadline(None))
        monkeypatch.undo()
        assert asked == [0.01] * 4
        done.set()
        assert headers_of(client)


def test_after_a_refresh_that_hangs_the_next_caller_starts_another() -> None:
    release = threading.Event()
    first = threading.Event()

    def hangs_once(request: Request) -> Answer:
        if not first.is_set():
            first.set()
            release.wait(PATIENCE)
        return granted(request)

    with rest_server(hangs_once) as server:
        client = vertex(expired(server))
        with pytest.raises(ConnectTimeout):
            headers_of(client, 0.2)
        assert first.wait(PATIENCE)
        assert headers_of(client) == {"authorization": "Bearer ya29.fresh"}
        release.set()


def test_a_refused_refresh_is_a_credentials_error_for_all_who_wait_and_the_next_caller_tries_again() -> None:
    with rest_server(
        lambda _: (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    ) as server:
        client = vertex(expired(server))
        for _ in range(2):
            with pytest.raises(CredentialsError, match="revoked") as caught:
                headers_of(client)
        assert caught.value.phase is Phase.CREDENTIALS
        assert caught.value.kind is ErrorKind.AUTH
        assert "gcloud auth application-default login" in str(caught.value)
        assert len(server.requests) == 2
        for secret in ("ya29.old", "refresh_token=refresh", "client_secret"):
            assert secret not in "".join(traceback.format_exception(caught.value))


def test_credentials_of_the_callers_own_may_raise_anything() -> None:
    class Broken:
        valid = False

        def refresh(self, request: object) -> None:
            raise OSError("the helper is gone")

        def apply(self, headers: dict[str, str]) -> None:
            raise AssertionError

    with pytest.raises(CredentialsError, match="the helper is gone") as caught:
        headers_of(vertex(Broken()))
    assert isinstance(caught.value.__cause__, OSError)


def test_no_default_credentials_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    with pytest.raises(CredentialsError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        headers_of(vertex())


def test_default_credentials_give_token_and_project(service_account: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    with rest_server(granted) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", service_account(server, quota_project_id="payer"))
        client = vertex(project=None)
        assert client.settings.project is None
        assert client.model_path("m") == "projects/project-of-the-file/locations/l/publishers/google/models/m"
        assert not server.requests
        assert headers_of(client)["authorization"] == "Bearer ya29.fresh"
        assert headers_of(client)["authorization"] == "Bearer ya29.fresh"
        assert len(server.requests) == 1


def test_default_credentials_without_a_project_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = google.oauth2.credentials.Credentials(token="t")
    monkeypatch.setattr(google.auth, "default", lambda **_: (found, None))
    with pytest.raises(ConfigError, match="needs a project: pass project= or set GOOGLE_CLOUD_PROJECT"):
        vertex(project=None).model_path("m")


def test_a_search_for_default_credentials_that_hangs_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hangs(**_: Any) -> Any:
        release.wait(PATIENCE)
        raise OSError

    monkeypatch.setattr(google.auth, "default", hangs)
    with pytest.raises(ConnectTimeout, match="default credentials"):
        vertex(project=None).load_project(Deadline(0.2))
    release.set()


def test_explicit_credentials_without_a_project_are_told_and_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.auth, "default", lambda **_: pytest.fail("searched for default credentials"))
    with pytest.raises(ConfigError, match="these credentials name none"):
        vertex(google.oauth2.credentials.Credentials(token="t"), project=None)


def test_service_account_credentials_get_the_scope_they_lack(service_account: Callable[..., str]) -> None:
    with rest_server(granted) as server:
        path = service_account(server)
        credentials = google.oauth2.service_account.Credentials.from_service_account_file(path)  # type: ignore[no-untyped-call]
        client = vertex(credentials, project=None)
        assert client.settings.project == "project-of-the-file"
        assert headers_of(client)["authorization"] == "Bearer ya29.fresh"  # older ones of google-auth add a header
        (request,) = server.requests
    claims = request.body.decode().split("assertion=")[1].split(".")[1]
    assert CLOUD_PLATFORM_SCOPE in json.loads(base64.urlsafe_b64decode(claims + "=="))["scope"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_refreshes_for_itself() -> None:
    asked, release = threading.Event(), threading.Event()

    def first_one_hangs(request: Request) -> Answer:
        if len(server.requests) == 1:
            asked.set()
            release.wait(PATIENCE)
        return granted(request)

    with rest_server(first_one_hangs) as server:
        client = vertex(expired(server))
        waiting = threading.Thread(target=lambda: headers_of(client))
        waiting.start()
        assert asked.wait(PATIENCE)
        child = os.fork()
        if child == 0:
            os._exit(0 if headers_of(client) == {"authorization": "Bearer ya29.fresh"} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        release.set()
        waiting.join(PATIENCE)


def test_repr_names_the_kind_and_no_token() -> None:
    client = vertex(google.oauth2.credentials.Credentials(token="ya29.valid"))
    assert repr(auth_for(client)) == "GoogleAuth(Credentials)"
    assert repr(auth_for(ApiClient("the-key"))) == "StaticAuth(x-goog-api-key)"
