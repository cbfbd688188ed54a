"""What users begin with: cheap, shared by threads, and silent about secrets."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from genai_live import Client, Live
from genai_live.emulator import HOST_VARIABLE
from genai_live.errors import ConfigError, ErrorKind
from genai_live.tokens import AuthTokens

KEY = "AIza-the-secret-key"


def test_a_client_offers_live_sessions_and_tokens() -> None:
    client = Client(KEY)
    assert isinstance(client.live, Live)
    assert client.live is client.live
    assert isinstance(client.auth_tokens, AuthTokens)
    assert not client.vertexai
    assert Client(KEY, vertexai=True).vertexai
    assert Client(KEY, enterprise=True).vertexai


def test_a_client_may_stand_in_a_with_statement_like_googles() -> None:
    with Client("key") as client, client.aio as same:
        assert same is client
    client.close()
    assert client.live.connect


def test_repr_says_which_service_and_no_secret() -> None:
    text = repr(Client(KEY, http_options={"headers": {"Authorization": "Bearer x1y2"}}))
    assert text.startswith("Client(backend=mldev, api_key=<set>")
    assert KEY not in text
    assert "x1y2" not in text


def test_a_wrong_argument_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="needs an API key"):
        Client()
    with pytest.raises(ConfigError, match="project: belongs to Vertex AI"):
        Client(KEY, project="p")


def test_nothing_set_is_told_apart_from_something_set_wrong() -> None:
    with pytest.raises(ConfigError) as nothing:
        Client()
    with pytest.raises(ConfigError) as wrong:
        Client("a key")
    assert (nothing.value.kind, wrong.value.kind) == (ErrorKind.AUTH, ErrorKind.BAD_REQUEST)


@pytest.mark.parametrize(
    ("arguments", "has"),
    [
        ({"api_key": KEY}, True),
        ({"api_key": "auth_tokens/0123456789"}, True),
        ({"vertexai": True, "project": "p"}, True),
        ({"http_options": {"headers": {"Authorization": "Bearer x"}}}, True),
        ({"http_options": {"base_url": "http://user:password@gateway.test"}}, True),
        ({"http_options": {"base_url": "http://gateway.test"}}, False),
        ({"vertexai": True, "http_options": {"base_url": "http://gateway.test"}}, False),
    ],
)
def test_a_client_knows_whether_anything_authorises_it(arguments: dict[str, Any], has: bool) -> None:
    assert Client(**arguments).has_credentials is has


def test_a_client_of_an_emulator_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv(HOST_VARIABLE, "localhost:1")
    assert not Client().has_credentials


def test_only_the_key_is_positional() -> None:
    with pytest.raises(TypeError):
        Client(KEY, True)  # type: ignore[misc]


def test_a_client_may_be_made_and_used_on_many_threads() -> None:
    client = Client(KEY)
    seen: set[str] = set()

    def work() -> None:
        seen.add(repr(client))
        seen.add(repr(Client(KEY)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1


def test_making_a_client_starts_no_thread_and_imports_nothing_that_is_not_needed() -> None:
    script = (
        "import sys, threading, genai_live\n"
        "genai_live.Client('key'); genai_live.Client('key', vertexai=True, project='p', location='l')\n"
        "genai_live.Client(vertexai=True, project='p')\n"
        "print(threading.active_count(), [m for m in ('requests', 'google.auth', 'asyncio', 'websocket') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split(" ", 1)[0] == "1"
    for name in ("requests", "google.auth", "asyncio", "websocket"):
        assert f"'{name}'" not in done.stdout
