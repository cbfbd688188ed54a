"""The two services' hosts, versions, paths and model names."""

from __future__ import annotations

import pytest

from genai_live._backends import (
    CONSTRAINED_METHOD,
    LIVE_METHOD,
    MLDEV,
    MUSIC_METHOD,
    VERTEX,
    default_base_url,
    is_google_host,
    model_path,
)
from genai_live.errors import ConfigError

MODEL_NAMES = [
    # name, Developer API, Vertex AI with project and location, Vertex AI with neither
    ("m", "models/m", "projects/P/locations/L/publishers/google/models/m", "publishers/google/models/m"),
    ("models/m", "models/m", "models/m", "models/m"),
    (
        "tunedModels/m",
        "tunedModels/m",
        "projects/P/locations/L/publishers/tunedModels/models/m",
        "publishers/tunedModels/models/m",
    ),
    ("pub/m", "models/pub/m", "projects/P/locations/L/publishers/pub/models/m", "publishers/pub/models/m"),
    ("pub/a/b", "models/pub/a/b", "projects/P/locations/L/publishers/pub/models/a/b", "publishers/pub/models/a/b"),
    (
        "publishers/x/models/y",
        "models/publishers/x/models/y",
        "projects/P/locations/L/publishers/x/models/y",
        "publishers/x/models/y",
    ),
    ("projects/a/b", "models/projects/a/b", "projects/a/b", "projects/a/b"),
]


@pytest.mark.parametrize(("name", "mldev", "vertex", "express"), MODEL_NAMES)
def test_a_model_name_becomes_the_resource_name_of_its_backend(name: str, mldev: str, vertex: str, express: str) -> None:
    assert model_path(MLDEV, name) == mldev
    assert model_path(VERTEX, name, "P", "L") == vertex
    assert model_path(VERTEX, name) == express


@pytest.mark.parametrize("name", ["", "a..b", "a?b", "a&b", "two words", "line\nbreak", None, 3, b"m"])
def test_what_cannot_be_a_model_name_is_refused(name: object) -> None:
    for backend in (MLDEV, VERTEX):
        with pytest.raises(ConfigError, match=r"^model: "):
            model_path(backend, name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "https://aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
    ],
)
def test_a_location_of_vertex_ai_has_its_host(location: str | None, host: str) -> None:
    assert default_base_url(VERTEX, location) == host


def test_the_developer_api_has_one_host() -> None:
    assert default_base_url(MLDEV, None) == "https://generativelanguage.googleapis.com"


def test_methods_have_the_paths_of_the_protocol() -> None:
    service = "/ws/google.ai.generativelanguage.v1beta.GenerativeService."
    assert MLDEV.socket_path("v1beta", LIVE_METHOD) == service + "BidiGenerateContent"
    assert MLDEV.socket_path("v1beta", CONSTRAINED_METHOD) == service + "BidiGenerateContentConstrained"
    assert MLDEV.socket_path("v1beta", MUSIC_METHOD) == service + "BidiGenerateMusic"
    assert VERTEX.socket_path("v1beta1", LIVE_METHOD) == "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


def test_each_backend_knows_the_other() -> None:
    assert MLDEV.other is VERTEX
    assert VERTEX.other is MLDEV
    assert not MLDEV.is_vertex


def test_only_hosts_below_googles_domain_are_googles() -> None:
    assert is_google_host("us-central1-aiplatform.googleapis.com")
    assert not is_google_host("googleapis.com.example.org")
    assert not is_google_host("notgoogleapis.com")
    assert not is_google_host(None)
