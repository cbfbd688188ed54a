"""Arguments and environment to frozen settings: which backend, whose key, what address. Pure: runs on any thread."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from genai_live import _backends
from genai_live._arguments import flag, number_from_0
from genai_live._backends import EMULATOR_VARIABLE, EPHEMERAL_TOKEN_API_VERSION, EPHEMERAL_TOKEN_PREFIX, MLDEV, VERTEX, Backend
from genai_live._secret import SHOWN, Sealed, Secret
from genai_live._validation import spelled, unknown_key, warn_once, written
from genai_live.errors import ConfigError, ErrorKind
from genai_live.types import HttpOptions, HttpRetryOptions, Message, fields_of

EMULATED_PROJECT = "emulated-project"
"""The project in Vertex AI resource names when an emulator answers and no project was given."""
API_VERSION_VARIABLE = "GOOGLE_GENAI_API_VERSION"
"""A literal API version, or "beta"."""
_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_VERTEX_VARIABLES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
_TRUE_TEXTS = frozenset({"true", "1"})
_KEY_ADVICE = "pass api_key=, set GEMINI_API_KEY, or make a key at https://aistudio.google.com/apikey"
AUTH_HEADERS = frozenset({"authorization", "x-goog-api-key"})
"""Headers of the caller's own that make a key unnecessary."""
_NOT_USED = (
    "client_args", "async_client_args", "extra_body", "httpx_client", "httpx_async_client", "aiohttp_client",
    "base_url_resource_scope",
)  # fmt: skip
"""Members of Google's HttpOptions for packages that are not used here."""
_TLS_SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}

_is_header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch  # RFC 9110, section 5.6.2
_ends_in_port = re.compile(r"(?:[^/@]*@)?[^/@]+:[0-9]+/?").fullmatch
_is_word = re.compile(r"[A-Za-z0-9.-]+").fullmatch
_is_path_step = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_:.-]*[A-Za-z0-9])?").fullmatch
_is_location = re.compile(r"[A-Za-z0-9-]+").fullmatch
_is_visible_ascii = re.compile(r"[\x21-\x7e]+").fullmatch

_log = logging.getLogger("genai_live")


@dataclass(frozen=True, repr=False)
class Arguments:
    """What the caller passed to Client, checked for its types but for nothing else."""

    api_key: Secret | None = None
    vertexai: bool | None = None
    credentials: Any = None
    project: str | None = None
    location: str | None = None
    http_options: HttpOptions | None = None


@dataclass(frozen=True)
class Address:
    """Where the servers of a client are: an http(s) or ws(s) URL in parts, its credential apart."""

    secure: bool
    authority: str
    """host, or host:port; an IPv6 address in brackets."""
    host: str
    path: str
    """Without a slash at its end; empty, or beginning with one slash."""
    query: Secret | None
    user_info: Secret | None


@dataclass(frozen=True, repr=False)
class Settings:
    """What all arguments and variables amount to."""

    backend: Backend
    address: Address
    """Its ``user_info`` is sent as Basic authorisation where nothing else authorises."""
    api_version: str
    """The API version in every path."""
    http_options: Sealed[HttpOptions]
    """Sealed, as the credentials: headers, base URL and proxy may hold keys and passwords."""
    api_key: Secret | None = None
    """The key or ephemeral token; None where google-auth credentials or nothing authorises."""
    uses_google_auth: bool = False
    """True when connections are authorised by google-auth credentials."""
    credentials: Sealed[Any] | None = None
    project: str | None = None
    """The Google Cloud project, as far as it is known without asking the default credentials."""
    location: str | None = None
    """The Google Cloud location; None on the Developer API."""
    gateway: bool = False
    """True when the base URL is used as it stands: a gateway that does its own routing and authorisation."""
    emulated: bool = False
    """True when GENAI_LIVE_EMULATOR_HOST chose the address: no key is needed, and none of the environment's is sent."""

    @property
    def is_ephemeral(self) -> bool:
        """True when the key is an ephemeral token."""
        return self.api_key is not None and is_ephemeral(self.api_key)


def is_ephemeral(key: Secret) -> bool:
    """True for the name of an ephemeral token."""
    return key.reveal().startswith(EPHEMERAL_TOKEN_PREFIX)


def check_arguments(
    *,
    api_key: object = None,
    vertexai: object = None,
    enterprise: object = None,
    credentials: object = None,
    project: object = None,
    location: object = None,
    http_options: object = None,
) -> Arguments:
    """The arguments of Client, with a sentence for each that is of the wrong type.

    Raises:
        ConfigError: one of them is of the wrong type, or two contradict each other.
    """
    for name, value in (("vertexai", vertexai), ("enterprise", enterprise)):
        if value is not None:
            flag(value, name)
    if None not in (vertexai, enterprise) and vertexai != enterprise:
        raise ConfigError(f"enterprise={enterprise} and vertexai={vertexai} contradict each other; they mean the same thing")
    if credentials is not None and api_key:
        raise ConfigError("pass either api_key or credentials: a connection uses one of them")
    for method in ("refresh", "apply", "valid"):
        if credentials is not None and not hasattr(credentials, method):
            raise ConfigError(f"must be google.auth credentials, not {type(credentials).__name__}", "credentials")
    return Arguments(
        api_key=_key(api_key, "api_key"),
        vertexai=vertexai if enterprise is None else enterprise,  # type: ignore[arg-type]
        credentials=credentials,
        project=_text(project, "project"),
        location=_text(location, "location"),
        http_options=read_http_options(http_options),
    )


def _text(value: object, name: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigError(f"must be a str, not {type(value).__name__}", name)
    return value.strip() or None


def _key(value: object, source: str) -> Secret | None:
    text = _text(value, source)
    if text is None:
        return None
    if not _is_visible_ascii(text):
        raise ConfigError("contains white space or a character that no API key has; copy the key again", source)
    return Secret(text)


def read_http_options(given: object, path: str = "http_options") -> HttpOptions:
    """A copy of the caller's ``http_options``.

    Raises:
        ConfigError: for an unknown name or a value of the wrong type.
    """
    copy = _copied(HttpOptions, {} if given is None else given, path)
    direct = isinstance(copy.proxy, str) and not copy.proxy.strip()  # that is a choice; None leaves it to the environment
    for name in ("base_url", "api_version", "proxy"):
        setattr(copy, name, _text(getattr(copy, name), f"{path}.{name}"))
    copy.proxy = "" if direct else copy.proxy
    copy.headers = _headers(copy.headers, f"{path}.headers")
    if copy.retry_options is not None:
        copy.retry_options = _retry_options(copy.retry_options, f"{path}.retry_options")
    for name in _NOT_USED:
        if getattr(copy, name) is not None:
            warn_once(f"{path}.{name} does nothing here; use proxy, ca_bundle, ssl_context and max_message_bytes instead")
    return copy


M = TypeVar("M", bound=Message)


def _copied(cls: type[M], given: object, path: str) -> M:
    known, unknown = spelled(cls, given, path)
    if unknown:
        raise unknown_key(cls, next(iter(unknown)), path)
    return cls(**known)


def _retry_options(given: object, path: str) -> HttpRetryOptions:
    copy = _copied(HttpRetryOptions, given, path)
    for field in fields_of(HttpRetryOptions):
        value = getattr(copy, field.name)
        if value is None:
            continue
        written(field, value, f"{path}.{field.name}")  # raises: a wrong type
        if field.shape != "list":  # JSON allows numbers as text; durations must be real numbers
            number_from_0(value, f"{path}.{field.name}")
    return copy


def _headers(given: object, path: str) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ConfigError(f"must be a dict of str, not {type(given).__name__}", path)
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError(f"must be str for {name!r}, not {type(value).__name__}", path)
        if not _is_header_name(name):
            raise ConfigError(f"{name!r} is not the name of an HTTP header", path)
        if any(character in value for character in "\r\n\0"):
            raise ConfigError(f"the value of {name!r} contains a line break, which would start another header", path)
    return dict(given)


def resolve(arguments: Arguments, environment: Mapping[str, str]) -> Settings:
    """Settings for these arguments in this environment: arguments beat variables, and the backend is chosen first.

    Raises:
        ConfigError: they contradict each other, or something that is needed is missing.
    """
    backend = VERTEX if wants_vertex(arguments.vertexai, environment) else MLDEV
    options = arguments.http_options or HttpOptions()
    emulator = None if options.base_url else environment.get(EMULATOR_VARIABLE, "").strip() or None
    custom = options.base_url or (
        _emulator_url(emulator) if emulator else _text(environment.get(backend.base_url_variable), "base_url")
    )
    source = "http_options.base_url" if options.base_url else EMULATOR_VARIABLE if emulator else backend.base_url_variable
    address = parse_address(custom, source) if custom else None
    resolve_backend = _resolve_vertex if backend.is_vertex else _resolve_mldev
    settings = resolve_backend(arguments, environment, address, options, bool(emulator))
    return replace(settings, api_version=_api_version(settings, options, environment))


def wants_vertex(argument: bool | None, environment: Mapping[str, str]) -> bool:
    """Which backend an argument, or else the environment, chooses."""
    if argument is not None:
        return argument
    found = {name: environment[name].strip().lower() in _TRUE_TEXTS for name in _VERTEX_VARIABLES if environment.get(name)}
    if len(set(found.values())) > 1:
        _log.warning("%s and %s contradict each other; the first one counts", *_VERTEX_VARIABLES)
    return next(iter(found.values()), False)


def _environment_key(environment: Mapping[str, str]) -> Secret | None:
    found = [name for name in _KEY_VARIABLES if environment.get(name, "").strip()]
    if len(found) > 1:
        _log.warning("%s and %s are both set; the first one is used", *found)
    return _key(environment[found[0]], found[0]) if found else None


def _emulator_url(host: str) -> str:
    if "://" in host:
        return host
    if not _ends_in_port(host):
        shown = host if _is_word(host) else SHOWN  # a password may stand in what is not an address
        raise ConfigError(f"{shown!r} is not host:port, such as 127.0.0.1:8765", EMULATOR_VARIABLE)
    return f"http://{host}"


def _resolve_mldev(
    arguments: Arguments, environment: Mapping[str, str], address: Address | None, options: HttpOptions, emulated: bool
) -> Settings:
    for name in ("project", "location", "credentials"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"belongs to {VERTEX}; pass vertexai=True as well, or leave it out", name)
    key = arguments.api_key or (None if emulated else _environment_key(environment))
    own_headers = AUTH_HEADERS & {name.lower() for name in options.headers or {}}
    if key is None and not own_headers and (address is None or _backends.is_google_host(address.host)):
        error = ConfigError(f"{MLDEV} needs an API key: {_KEY_ADVICE}")
        error.kind = ErrorKind.AUTH  # tells a program that nothing was set from one that set something wrong
        raise error
    address = address or parse_address(_backends.default_base_url(MLDEV, None), "base_url")
    return Settings(MLDEV, address, "", Sealed(options), api_key=key, emulated=emulated)


def _resolve_vertex(
    arguments: Arguments, environment: Mapping[str, str], address: Address | None, options: HttpOptions, emulated: bool
) -> Settings:
    key, project, location = _vertex_credentials(arguments, environment, emulated)
    _check_place(project, location)
    if key is not None and is_ephemeral(key):
        raise ConfigError(f"ephemeral tokens belong to {MLDEV}; {VERTEX} takes google-auth credentials or an API key", "api_key")
    custom = address is not None and not _backends.is_google_host(address.host)
    explicit = arguments.credentials is not None or (arguments.project and arguments.location)
    if custom and not emulated and key is None and not explicit:
        assert address is not None
        return Settings(VERTEX, address, "", Sealed(options), gateway=True)
    if key is None:
        location = location or _backends.GLOBAL_LOCATION
    if emulated and key is None:
        project = project or EMULATED_PROJECT
    if arguments.credentials is not None and project is None:
        project = getattr(arguments.credentials, "project_id", None) or _raise_no_project()
    return Settings(
        VERTEX,
        address or parse_address(_backends.default_base_url(VERTEX, location), "base_url"),
        "",
        Sealed(options),
        api_key=key,
        uses_google_auth=key is None and not emulated,
        credentials=Sealed(arguments.credentials),
        project=project,
        location=location,
        emulated=emulated,
    )


def _check_place(project: str | None, location: str | None) -> None:
    """The location becomes part of a host's name, and the connection carries credentials there."""
    if project is not None:
        _path_step(project, "project")
    if location is not None and not _is_location(location):
        raise ConfigError(f"{location!r} is not a location such as 'us-central1', 'eu' or 'global'", "location")


def _raise_no_project() -> str:
    raise ConfigError(
        f"{VERTEX} needs a project: pass project= or set GOOGLE_CLOUD_PROJECT; these credentials name none", "project"
    )


def _vertex_credentials(
    arguments: Arguments, environment: Mapping[str, str], emulated: bool
) -> tuple[Secret | None, str | None, str | None]:
    """Key, project and location, of which a more explicit one drives out what it makes meaningless."""
    env_key = None if emulated else _environment_key(environment)
    env_project = environment.get("GOOGLE_CLOUD_PROJECT", "").strip() or None
    env_location = environment.get("GOOGLE_CLOUD_LOCATION", "").strip() or None
    project, location = arguments.project or env_project, arguments.location or env_location
    placed = arguments.project or arguments.location
    if arguments.api_key:
        # An express key belongs to a project of its own: one that only the environment names is another.
        return (arguments.api_key, project, location) if placed else (arguments.api_key, None, None)
    if arguments.credentials is not None or project or location:
        if env_key is not None:
            _log.info("the API key in the environment is not used: credentials, project or location are given")
        return None, project, location
    return env_key, None, None


def _api_version(settings: Settings, options: HttpOptions, environment: Mapping[str, str]) -> str:
    if options.api_version:
        return _path_step(options.api_version, "http_options.api_version")
    if settings.is_ephemeral:
        return EPHEMERAL_TOKEN_API_VERSION
    named = environment.get(API_VERSION_VARIABLE, "").strip()
    if named == "beta":
        return settings.backend.beta_api_version
    return _path_step(named, API_VERSION_VARIABLE) if named else settings.backend.api_version


def _path_step(text: str, source: str) -> str:
    """The text, which becomes a step of a path or a label of a host.

    Raises:
        ConfigError: where it would be more than that.
    """
    if not _is_path_step(text):
        raise ConfigError(f"{text!r} is not one word of letters, digits and -._:", source)
    return text


def parse_address(url: str, source: str) -> Address:
    """The parts of a base URL, its path without doubled slashes.

    Raises:
        ConfigError: another scheme than http, https, ws and wss, no host, or a fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("is not a URL such as https://host:port/path", source) from None
    # urlsplit drops line breaks and tabs, and lets blanks through.
    secure = _TLS_SCHEMES.get(parts.scheme.lower()) if "://" in url and not re.search(r"\s", url) else None
    # Without its number a port is most likely the scheme of another URL, whose user and password would be a path here.
    if secure is None or not parts.hostname or parts.fragment or parts.netloc.endswith(":"):
        raise ConfigError("is not a URL such as https://host:port/path, of scheme http, https, ws or wss", source)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(
        secure=secure,
        authority=host if port is None else f"{host}:{port}",
        host=parts.hostname,
        path=re.sub("/+", "/", parts.path).rstrip("/"),
        query=Secret(parts.query) if parts.query else None,
        user_info=_user_info(parts),
    )


def _user_info(parts: SplitResult) -> Secret | None:
    if parts.username is None:
        return None
    return Secret(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
