"""The HTTP request that opens a connection: head, route, credentials; and plain HTTP answers. Pure: runs on any thread.

Sources: RFC 9112 for the head; protocol topic "Endpoints, authentication, headers" for paths and the ways a credential travels.
"""

from __future__ import annotations

import http
import json
import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

_LIVE = re.compile(
    r"/ws/google\.ai\.generativelanguage\.(?P<version>v[0-9a-z]+)\.GenerativeService\."
    r"(?P<method>BidiGenerateContentConstrained|BidiGenerateContent|BidiGenerateMusic)$"
)
_VERTEX = re.compile(r"/ws/google\.cloud\.aiplatform\.(?P<version>v[0-9a-z]+)\.LlmBidiService/(?P<method>BidiGenerateContent)$")
_TOKENS = re.compile(r"/(?P<version>v[0-9a-z]+)/(?P<method>auth_tokens)$")
_MODELS = re.compile(r"/(?P<version>v[0-9a-z]+)/(?P<method>models)$")
_PUBLISHER_MODELS = re.compile(r"/(?P<version>v[0-9a-z]+)/publishers/google/(?P<method>models)$")

TOKEN_PREFIX = "auth_tokens/"
"""How the name of every ephemeral token begins."""


class BadRequest(ValueError):
    """The bytes are not an HTTP request."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    head_bytes: int
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query; runs of slashes are one, because clients put the path behind a base that ends in one."""
        return re.sub(r"/{2,}", "/", urlsplit("//host" + self.target).path if self.target.startswith("/") else self.target)

    @property
    def query(self) -> dict[str, str]:
        """The query's first value for each name. A ``+`` stays a plus: keys are not form data."""
        text = self.target.partition("?")[2].replace("+", "%2B")
        return dict(reversed(parse_qsl(text, keep_blank_values=True)))

    @property
    def wants_websocket(self) -> bool:
        """True for an upgrade request."""
        return self.method == "GET" and "websocket" in self.headers.get("upgrade", "").lower()

    @property
    def content_length(self) -> int:
        """Bytes of the body that is still to come with this request."""
        length = self.headers.get("content-length", "0")
        return int(length) if re.fullmatch(r"[0-9]{1,15}", length) else 0

    def with_body(self, body: bytes) -> Request:
        """The same request with its body."""
        return replace(self, body=body)


def parse_head(data: bytes) -> Request:
    """Reads a request head that ends in an empty line.

    Raises:
        BadRequest: with the status and the words to answer.
    """
    line, _, rest = data.partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
    except ValueError:
        raise BadRequest("The first line is not an HTTP request line.") from None
    if not target.isprintable():
        raise BadRequest("The target of the request holds a character that no target has.")
    if not version.startswith("HTTP/1."):
        raise BadRequest(f"The emulator speaks HTTP/1.1, not {version}.")
    headers: dict[str, str] = {}
    for header in rest.split(b"\r\n"):
        name, colon, value = header.decode("latin-1").partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Request(method, target, headers, len(data))


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, after which the connection is closed."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def error(cls, status: int, message: str) -> Answer:
        """An error in the form of Google's REST services: ``{"error": {"code", "message", "status"}}``."""
        word = _STATUS_WORDS.get(status, "UNKNOWN")
        return cls.json(status, {"error": {"code": status, "message": message, "status": word}})

    @classmethod
    def json(cls, status: int, value: object) -> Answer:
        """An answer with a JSON body."""
        return cls(status, json.dumps(value, indent=2).encode() + b"\n", {"Content-Type": "application/json; charset=UTF-8"})

    def serialise(self) -> bytes:
        """The answer as bytes for the wire."""
        try:
            phrase = http.HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        headers = {"Connection": "close", "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


_STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
"""google.rpc.Code names for HTTP statuses (google/rpc/code.proto)."""


@dataclass(frozen=True)
class Route:
    """What a path asks for."""

    backend: str
    """``mldev`` (Gemini Developer API) or ``vertex``."""
    method: str
    """``BidiGenerateContent``, ``BidiGenerateContentConstrained``, ``BidiGenerateMusic``, ``auth_tokens`` or ``models``."""
    version: str
    """``v1``, ``v1beta``, ``v1alpha``, ``v1beta1``."""


_PATHS = (("mldev", _LIVE), ("vertex", _VERTEX), ("mldev", _TOKENS), ("vertex", _PUBLISHER_MODELS), ("mldev", _MODELS))


def find_route(path: str) -> Route | None:
    """The route of a path, whatever prefix a base URL put before it; None for a path that does not exist."""
    for backend, pattern in _PATHS:
        if found := pattern.search(path):
            return Route(backend, found["method"], found["version"])
    return None


_VERSIONS = {"mldev": frozenset({"v1beta", "v1alpha"}), "vertex": frozenset({"v1beta1", "v1"})}
"""The API versions that serve Live, music and tokens. That v1 of the Developer API does not, Google's own tests say."""


def is_served(route: Route) -> bool:
    """True when the service has the method in this API version; models are listed in all of them."""
    return route.method == "models" or route.version in _VERSIONS[route.backend]


@dataclass(frozen=True)
class Credential:
    """How a client said who it is; never shown."""

    kind: str
    """``key``, ``token`` (ephemeral) or ``bearer``."""
    value: str = field(repr=False)


def find_credential(request: Request) -> Credential | None:
    """The credential of a request: Authorization header, key header, or query; None when there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if value and scheme.lower() in ("bearer", "token"):
        return _credential("bearer", value.strip())
    query = request.query
    for key in (request.headers.get("x-goog-api-key"), query.get("access_token"), query.get("key")):
        if key:
            return _credential("key", key)
    return None


def _credential(kind: str, value: str) -> Credential:
    return Credential("token" if value.startswith(TOKEN_PREFIX) else kind, value)
