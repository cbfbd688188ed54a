"""The two services that speak the Live protocol: their hosts, API versions, paths and model names. Pure: runs on any thread."""

from __future__ import annotations

from dataclasses import dataclass

from genai_live.errors import ConfigError

LIVE_METHOD = "BidiGenerateContent"
"""The method that a Live session calls."""
CONSTRAINED_METHOD = "BidiGenerateContentConstrained"
"""The method that a Live session calls with an ephemeral token instead of a key."""
MUSIC_METHOD = "BidiGenerateMusic"
"""The method that a music session calls."""
EMULATOR_VARIABLE = "GENAI_LIVE_EMULATOR_HOST"
"""The environment variable with the host:port of an emulator, to which every client then talks, without a key."""
EPHEMERAL_TOKEN_PREFIX = "auth_tokens/"
"""What the name of an ephemeral token starts with; the name is used where an API key would be."""
EPHEMERAL_TOKEN_API_VERSION = "v1beta"
"""The version of the Developer API that tokens are made on and connect to. So says the newest text of Google's WebSocket guide,
the one that names gemini-3.1-flash-live; older texts, and Google's SDKs, have the other version."""
OTHER_TOKEN_API_VERSION = "v1alpha"
"""The version on which a token may have been made by somebody else."""
GLOBAL_LOCATION = "global"
"""Vertex AI's location that is not a region: the host without a prefix."""
MULTI_REGIONS = frozenset({"us", "eu"})
"""Vertex AI's locations that span regions, and have hosts of another form."""
GOOGLE_DOMAIN = "googleapis.com"
"""A base URL below this domain is Google's own service, reached with the usual paths and credentials."""

# A model name becomes part of a resource path: these would change the path's meaning (protocol: model names).
_FORBIDDEN_IN_MODEL = ("..", "?", "&")


@dataclass(frozen=True)
class Backend:
    """One of the two services: everything about it that is a constant."""

    name: str
    """"mldev" or "vertex": the word that the tables of fields use."""
    title: str
    """What Google calls the service; for error messages."""
    api_version: str
    """The API version when none is given."""
    beta_api_version: str
    """What GOOGLE_GENAI_API_VERSION=beta means here."""
    base_url_variable: str
    """The environment variable that replaces the host."""
    service: str
    """The RPC service in the path, with a place for the version, up to the method's name."""

    @property
    def is_vertex(self) -> bool:
        """True for Vertex AI."""
        return self.name == "vertex"

    @property
    def other(self) -> Backend:
        """The other one of the two."""
        return MLDEV if self.is_vertex else VERTEX

    def socket_path(self, api_version: str, method: str) -> str:
        """The path of a WebSocket method, beginning with one slash."""
        return f"/ws/{self.service.format(version=api_version)}{method}"

    def __str__(self) -> str:
        return self.title


MLDEV = Backend(
    name="mldev",
    title="the Gemini Developer API",
    # Not the v1 of Google's newest SDKs: their own tests against the service pin v1beta, because Live is served there only.
    api_version="v1beta",
    beta_api_version="v1beta",
    base_url_variable="GOOGLE_GEMINI_BASE_URL",
    service="google.ai.generativelanguage.{version}.GenerativeService.",
)
"""The Gemini Developer API: API keys and ephemeral tokens."""

VERTEX = Backend(
    name="vertex",
    title="Vertex AI",
    api_version="v1beta1",
    beta_api_version="v1beta1",
    base_url_variable="GOOGLE_VERTEX_BASE_URL",
    service="google.cloud.aiplatform.{version}.LlmBidiService/",
)
"""Vertex AI: google-auth credentials with a project, or an express-mode API key."""


def default_base_url(backend: Backend, location: str | None) -> str:
    """The service's own address for a location, without a trailing slash (None and "global" are the host without a region)."""
    if not backend.is_vertex:
        return f"https://generativelanguage.{GOOGLE_DOMAIN}"
    if not location or location == GLOBAL_LOCATION:
        return f"https://aiplatform.{GOOGLE_DOMAIN}"
    if location in MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.{GOOGLE_DOMAIN}"
    return f"https://{location}-aiplatform.{GOOGLE_DOMAIN}"


def is_google_host(host: str | None) -> bool:
    """True for a host of Google's own APIs, whatever the region."""
    return host is not None and (host == GOOGLE_DOMAIN or host.endswith("." + GOOGLE_DOMAIN))


def check_model(model: object) -> str:
    """Returns the model's name as it is.

    Raises:
        ConfigError: when it cannot be one.
    """
    if not isinstance(model, str):
        raise ConfigError(f"must be a str such as 'gemini-live-2.5-flash-preview', not {type(model).__name__}", "model")
    if not model:
        raise ConfigError("is empty; name a Live model such as 'gemini-live-2.5-flash-preview'", "model")
    found = next((text for text in _FORBIDDEN_IN_MODEL if text in model), None)
    if found or any(character.isspace() for character in model):
        what = repr(found) if found else "white space"
        raise ConfigError(f"{model!r} contains {what}, which no model name does", "model")
    if not model.isprintable():  # half of a surrogate pair too, which UTF-8 cannot say
        raise ConfigError(f"{model!r} contains a character that no model name does", "model")
    return model


def model_path(backend: Backend, model: str, project: str | None = None, location: str | None = None) -> str:
    """The resource name that goes into the setup message.

    Raises:
        ConfigError: for a name that cannot be a model's.
    """
    check_model(model)
    if not backend.is_vertex:
        return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    path = _publisher_path(model)
    if path.startswith("publishers/") and project and location:
        return f"projects/{project}/locations/{location}/{path}"
    return path


def _publisher_path(model: str) -> str:
    if model.startswith(("projects/", "models/", "publishers/")):
        return model
    publisher, slash, name = model.partition("/")
    return f"publishers/{publisher}/models/{name}" if slash else f"publishers/google/models/{model}"
