"""What a client knows, frozen: backend, addresses, model names, headers. No network when it is made; runs on any thread."""

from __future__ import annotations

import base64
import os
import platform
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from genai_live import _backends, _default_credentials, _public, _settings
from genai_live._backends import CONSTRAINED_METHOD, EMULATOR_VARIABLE, LIVE_METHOD, MUSIC_METHOD, Backend
from genai_live._deadline import Deadline
from genai_live._network.headers import hidden
from genai_live._network.options import ConnectionOptions
from genai_live._network.rest import request_deadline
from genai_live._secret import Sealed, Secret
from genai_live._tracebacks import opaque
from genai_live._version import __version__
from genai_live.auth import AUTHORIZATION_HEADER, KEY_HEADER, Auth, GoogleAuth, StaticAuth
from genai_live.errors import ConfigError
from genai_live.types import HttpOptions

__all__ = ["PROJECT_SECONDS", "ApiClient", "Endpoint", "auth_for"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

PROJECT_SECONDS = 30.0
"""Seconds to look for the project of the default credentials when no deadline is given: the default time for connecting."""
_SESSION_OPTIONS = ("base_url", "api_version", "headers")
"""The members of http_options that one session may have of its own."""


@dataclass(frozen=True, repr=False)
class Endpoint:
    """One address to connect to. ``repr`` and ``str`` give ``safe_url``."""

    url: str
    """The address itself. It holds no credential of the library's, but a query that the caller put into the base URL."""
    safe_url: str
    """The same with that query as ``<set>``: for logs and errors."""

    def __repr__(self) -> str:
        return f"Endpoint({self.safe_url})"

    def __str__(self) -> str:
        return self.safe_url


class ApiClient:
    """Arguments and environment as settings that never change; made in microseconds, shared by all threads.

    The environment is read once, here. Credentials and project of Google's default credentials are looked up when a connection
    first needs them; without a project, a machine where there can be none is told so at once.

    Args:
        api_key: A key of the Developer API, a Vertex AI express key, or the name of an ephemeral token (``auth_tokens/...``).
        vertexai: True for Vertex AI; None asks GOOGLE_GENAI_USE_ENTERPRISE, then GOOGLE_GENAI_USE_VERTEXAI.
        enterprise: Another name of ``vertexai``.
        credentials: google-auth credentials for Vertex AI.
        project: Google Cloud project for Vertex AI.
        location: Google Cloud location for Vertex AI, "global" by default.
        http_options: HttpOptions or a dict; never changed.

    Raises:
        ConfigError: arguments contradict each other, or something that is needed is missing.
    """

    __slots__ = ("_given", "google", "options", "settings")

    settings: _settings.Settings
    """What arguments and variables amount to: backend, address, API version, key, project, location."""

    @opaque
    def __init__(
        self,
        api_key: str | None = None,
        *,
        vertexai: bool | None = None,
        enterprise: bool | None = None,
        credentials: Any = None,
        project: str | None = None,
        location: str | None = None,
        http_options: HttpOptions | Mapping[str, Any] | None = None,
    ) -> None:
        arguments = _settings.check_arguments(
            api_key=api_key,
            vertexai=vertexai,
            enterprise=enterprise,
            credentials=credentials,
            project=project,
            location=location,
            http_options=http_options,
        )
        self._resolve(arguments, {name: value for name, value in os.environ.items() if name in _VARIABLES})
        if self.google is not None and not self.settings.project and not _default_credentials.may_be_there(os.environ):
            raise ConfigError(
                "Vertex AI needs a project: pass project= or set GOOGLE_CLOUD_PROJECT; there are no default credentials on this"
                " machine that could name one, which 'gcloud auth application-default login' makes",
                "project",
            )

    def _resolve(self, arguments: _settings.Arguments, environment: Mapping[str, str]) -> None:
        self._given = Sealed((arguments, environment))
        self.settings = settings = _settings.resolve(arguments, environment)
        self.options = ConnectionOptions.of(settings.http_options.reveal(), emulated=settings.emulated)
        credentials = settings.credentials.reveal() if settings.credentials is not None else None
        self.google = GoogleAuth(credentials, self.options) if settings.uses_google_auth else None

    @property
    def backend(self) -> Backend:
        """Which of the two services this is."""
        return self.settings.backend

    @property
    def vertexai(self) -> bool:
        """True for Vertex AI."""
        return self.backend.is_vertex

    @property
    def http_options(self) -> HttpOptions:
        """A copy of the caller's options; not to be changed."""
        return self.settings.http_options.reveal()

    def request_deadline(self) -> Deadline:
        """How long one request may take by ``http_options.timeout``, counted from now; no limit when it is not set."""
        return request_deadline(self.http_options, None)

    @property
    def has_credentials(self) -> bool:
        """True when something authorises: a key or token, google-auth, a password in the base URL, a header of the caller's own.

        False for a client that needs none, of an emulator or a gateway. Whether they are valid, the service says.
        """
        own = {name.lower() for name in self.http_options.headers or {}}
        return bool(self.settings.api_key or self.google or self.settings.address.user_info or own & _settings.AUTH_HEADERS)

    def load_project(self, deadline: Deadline) -> str | None:
        """The project, asked of Google's default credentials when none was given. Blocks at the first call only.

        Raises:
            ConfigError: the default credentials name no project.
            CredentialsError: there are no default credentials.
            ConnectTimeout: the deadline passed.
        """
        if self.google is None or self.settings.project:
            return self.settings.project
        project = self.google.project(deadline)
        if not project:
            raise ConfigError(
                "Vertex AI needs a project: pass project= or set GOOGLE_CLOUD_PROJECT; the default credentials name none",
                "project",
            )
        return project

    def model_path(self, model: str, deadline: Deadline | None = None) -> str:
        """The resource name of a model, as the setup message has it. Blocks only where ``load_project`` does.

        Raises:
            ConfigError: it cannot be a model's name; and what ``load_project`` raises.
        """
        _backends.check_model(model)
        if self.settings.gateway:  # it knows its project itself, as all three of Google's clients take it
            return _backends.model_path(self.backend, model)
        project = self.load_project(deadline or Deadline(PROJECT_SECONDS)) if self.backend.is_vertex else None
        return _backends.model_path(self.backend, model, project, self.settings.location)

    def live_endpoint(self, method: str = LIVE_METHOD) -> Endpoint:
        """The WebSocket address of a method; an ephemeral token turns BidiGenerateContent into its constrained form.

        Raises:
            ConfigError: the backend does not have the method.
        """
        if method == MUSIC_METHOD and self.backend.is_vertex:
            raise ConfigError(f"Lyria sessions belong to {self.backend.other}: make a Client with an API key and vertexai=False")
        if self.settings.gateway:
            return self._endpoint("ws", "" if self.settings.address.path else "/")
        if self.settings.is_ephemeral and method == LIVE_METHOD:
            method = CONSTRAINED_METHOD
        return self._endpoint("ws", self.backend.socket_path(self.settings.api_version, method))

    def rest_endpoint(self, path: str, api_version: str | None = None, query: str = "") -> Endpoint:
        """The HTTP address of a REST resource such as "auth_tokens", by default of the client's API version."""
        return self._endpoint("http", f"/{api_version or self.settings.api_version}/{path}", query)

    def _endpoint(self, scheme: str, path: str, query: str = "") -> Endpoint:
        address = self.settings.address
        url = f"{scheme}{'s' if address.secure else ''}://{address.authority}{address.path}{path}{'?' if query else ''}{query}"
        if address.query is None:
            return Endpoint(url, url)
        joint = "&" if query else "?"
        return Endpoint(f"{url}{joint}{address.query.reveal()}", f"{url}{joint}{address.query}")

    def request_headers(self) -> dict[str, str]:
        """The headers of every request, credentials excepted; the caller's own win, whatever their spelling."""
        label = f"genai-live/{__version__} gl-python/{platform.python_version()}"
        headers = {"user-agent": label, "x-goog-api-client": label, "content-type": "application/json"}
        own = self.http_options.headers or {}
        names = {name.lower() for name in own}
        return {**{name: value for name, value in headers.items() if name not in names}, **own}

    def hidden_headers(self) -> dict[str, str | Secret]:
        """The same, with the caller's own as Secrets: they may hold credentials, so none of them is shown anywhere."""
        own = hidden(self.http_options.headers or {})
        return {name: own.get(name, value) for name, value in self.request_headers().items()}

    def with_options(self, http_options: HttpOptions | Mapping[str, Any] | None) -> ApiClient:
        """The same client with another base_url, api_version or more headers, for one session; itself when nothing changes.

        Raises:
            ConfigError: any other member, and what making a client raises.
        """
        return self._with(_settings.read_http_options(http_options, "config.http_options"), _SESSION_OPTIONS)

    def with_request_options(self, http_options: HttpOptions | Mapping[str, Any] | None) -> ApiClient:
        """The same client with options of one REST request laid over its own; itself when nothing changes.

        Raises:
            ConfigError: an unknown option, or one of the wrong type.
        """
        return self._with(_settings.read_http_options(http_options, "config.http_options"), None)

    def _with(self, options: HttpOptions, allowed: tuple[str, ...] | None) -> ApiClient:
        changes = {name: value for name, value in vars(options).items() if value is not None and name != "extra"}
        if not changes:
            return self
        for name in changes:
            if allowed is not None and name not in allowed:
                message = f"is an option of the whole Client; one session may set {', '.join(allowed)}"
                raise ConfigError(message, f"config.http_options.{name}")
        merged = HttpOptions(**{name: value for name, value in vars(self.http_options).items() if name != "extra"})
        merged.headers = _merged_headers(merged.headers, changes.pop("headers", None))
        for name, value in changes.items():
            setattr(merged, name, value)
        return self._replaced(merged)

    def _replaced(self, http_options: HttpOptions) -> ApiClient:
        arguments, environment = self._given.reveal()
        copy = ApiClient.__new__(ApiClient)
        copy._resolve(replace(arguments, http_options=http_options), environment)
        if copy.google is not None and self.google is not None:
            copy.google = self.google  # one set of credentials, one refresh
        return copy

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds credentials and is not pickled: make a new one in the other process")

    def __repr__(self) -> str:
        settings = self.settings
        shown = {
            "backend": settings.backend.name,
            "api_key": settings.api_key,
            "google": self.google,
            "project": settings.project,
            "location": settings.location,
            "emulated": settings.emulated or None,
            "endpoint": self.live_endpoint().safe_url,
        }
        return f"ApiClient({', '.join(f'{name}={value}' for name, value in shown.items() if value is not None)})"


_VARIABLES = frozenset(
    {
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GENAI_USE_ENTERPRISE",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_VERTEX_BASE_URL",
        _settings.API_VERSION_VARIABLE,
        EMULATOR_VARIABLE,
    }
)
"""The environment variables that decide anything here; certificates and proxies are read where connections are made."""


def _merged_headers(own: Mapping[str, str] | None, more: Mapping[str, str] | None) -> dict[str, str] | None:
    if not more:
        return dict(own) if own else None
    names = {name.lower() for name in more}
    return {**{name: value for name, value in (own or {}).items() if name.lower() not in names}, **more}


def auth_for(api_client: ApiClient, method: str = LIVE_METHOD) -> Auth:
    """The credentials of a client for one of the three WebSocket methods; what the caller's own headers say is left to them.

    Never blocks. All connections of a client share one GoogleAuth.
    """
    given = {name.lower() for name in api_client.http_options.headers or {}}
    if api_client.google is not None and AUTHORIZATION_HEADER not in given:
        return _CallerFirst(api_client.google, given) if given else api_client.google
    headers: dict[str, Secret | str] = {}
    if api_client.settings.address.user_info is not None:
        headers[AUTHORIZATION_HEADER] = _basic(api_client.settings.address.user_info)
    if api_client.settings.api_key is not None:
        # Music has no constrained method: there the token travels as a key.
        if api_client.settings.is_ephemeral and method != MUSIC_METHOD:
            headers[AUTHORIZATION_HEADER] = Secret(f"Token {api_client.settings.api_key.reveal()}")
        else:
            headers[KEY_HEADER] = api_client.settings.api_key
    return StaticAuth({name: value for name, value in headers.items() if name not in given})


def _basic(user_info: Secret) -> Secret:
    """RFC 7617: what a base URL carries before its ``@``."""
    return Secret(f"Basic {base64.b64encode(user_info.reveal().encode()).decode()}")


class _CallerFirst:
    """Another's headers, less those that the caller set in ``http_options``."""

    def __init__(self, auth: Auth, given: Set[str]) -> None:
        self._auth = auth
        self._given = given

    def headers(self, deadline: Deadline) -> dict[str, Secret | str]:
        """As the other one's; blocks as long as that does."""
        return {name: value for name, value in self._auth.headers(deadline).items() if name not in self._given}

    def __repr__(self) -> str:
        return repr(self._auth)
