"""How connections are made, and files of the Files API. Never part of a Live message. Declarations only: runs on any thread.

Source: HttpOptions and File of google-genai; the fields below "Of this library" are genai_live's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from genai_live.types._base import Message, message, wire
from genai_live.types.enums import FileSource, FileState, ResourceScope

if TYPE_CHECKING:
    from ssl import SSLContext
else:
    SSLContext = object  # ssl takes ten milliseconds to import, and only the annotation would need it


@message
class HttpRetryOptions(Message):
    """How often and how fast REST calls are tried again."""

    attempts: int | None = wire("Tries in all, the first one included.", local=True)
    initial_delay: float | None = wire("Pause before the second try, seconds.", local=True)
    max_delay: float | None = wire("Longest pause, seconds.", local=True)
    exp_base: float | None = wire("Factor from one pause to the next.", local=True)
    jitter: float | None = wire("Most seconds that chance adds to each pause; 1 by default.", local=True)
    http_status_codes: list[int] | None = wire("HTTP statuses that are worth another try.", local=True)


@message
class HttpOptions(Message):
    """How to reach the service; the same for REST and WebSocket."""

    base_url: str | None = wire('Where the service is: "https://host" is reached over TLS, "http://host" without.', local=True)
    base_url_resource_scope: ResourceScope | str | None = wire("What ``base_url`` stands for.", local=True)
    api_version: str | None = wire('Version in the path: "v1beta" by default, "v1beta1" on Vertex AI.', local=True)
    headers: dict[str, str] | None = wire(
        "Further headers of every request and of the WebSocket upgrade.", local=True, secret=True
    )
    timeout: int | None = wire("Most milliseconds that a REST call, or opening a session, may take.", local=True)
    client_args: dict[str, Any] | None = wire("For httpx, in Google's client; not used here.", local=True, secret=True)
    async_client_args: dict[str, Any] | None = wire(
        "For httpx and websockets, in Google's client; not used here.", local=True, secret=True
    )
    extra_body: dict[str, Any] | None = wire(
        "Further keys for the body of REST calls, in Google's client; not used here.", local=True
    )
    retry_options: HttpRetryOptions | None = wire("How REST calls are tried again.", local=True)
    httpx_client: object | None = wire("An httpx.Client, in Google's client; not used here.", local=True)
    httpx_async_client: object | None = wire("An httpx.AsyncClient, in Google's client; not used here.", local=True)
    aiohttp_client: object | None = wire("An aiohttp.ClientSession, in Google's client; not used here.", local=True)

    # Of this library.
    proxy: str | None = wire(
        'Proxy, such as "http://user:password@host:3128" or "socks5h://host:1080", or "" for none; else the environment decides.',
        local=True,
        secret=True,
    )
    ca_bundle: str | None = wire("Path of a PEM file with the authorities to trust, in place of the default ones.", local=True)
    ssl_context: SSLContext | None = wire("An ssl.SSLContext of the caller's own, in place of ``ca_bundle``.", local=True)
    connect_retries: int | None = wire("Further tries of connect() after failures that may pass; 0 by default.", local=True)
    ping_interval: float | None = wire(
        "Seconds without any byte before this client pings; 20 by default, float('inf') for never.", local=True
    )
    silence_limit: float | None = wire(
        "Seconds without any byte of the server after which the connection is lost; 60 by default, float('inf') for never.",
        local=True,
    )
    write_timeout: float | None = wire(
        "Seconds that writing one frame may take; 30 by default, float('inf') for no limit.", local=True
    )
    max_message_bytes: int | None = wire("Largest message that is accepted, bytes; 64 MiB by default.", local=True)
    queue_bytes: int | None = wire(
        "Messages that wait for the caller, bytes, 64 MiB by default; beyond it the connection is not read.", local=True
    )

    def __repr__(self) -> str:
        # A base URL may hold a password before its host, and a key in its query.
        shown = super().__repr__()
        url = self.base_url
        return shown.replace(repr(url), repr(_masked(url))) if isinstance(url, str) else shown


def _masked(url: str) -> str:
    path, mark, _ = url.partition("?")
    scheme, slashes, rest = path.rpartition("://")
    authority, slash, tail = rest.partition("/")
    _, at, host = authority.rpartition("@")
    return f"{scheme}{slashes}{'<set>@' if at else ''}{host}{slash}{tail}{'?<set>' if mark else ''}"


@message
class FileStatus(Message):
    """Why the processing of a file failed."""

    details: list[dict[str, Any]] | None = wire("Details, for programs.", local=True)
    message: str | None = wire("What happened, for people.", local=True)
    code: int | None = wire("Code of google.rpc.Code.", local=True)


@message
class File(Message):
    """A file that was uploaded to the Files API; taken wherever content is."""

    name: str | None = wire('Resource name, "files/{id}".', local=True)
    display_name: str | None = wire("Name for people.", local=True)
    mime_type: str | None = wire("What it is.", local=True)
    size_bytes: int | None = wire("Size in bytes.", local=True)
    create_time: datetime | str | None = wire("When it was made.", local=True)
    expiration_time: datetime | str | None = wire("When it will be deleted.", local=True)
    update_time: datetime | str | None = wire("When it was last changed.", local=True)
    sha256_hash: str | None = wire("SHA-256 of its bytes, base64.", local=True)
    uri: str | None = wire("What a content refers to it by.", local=True)
    download_uri: str | None = wire("Where it can be fetched; generated files only.", local=True)
    state: FileState | str | None = wire("How far its processing is.", local=True)
    source: FileSource | str | None = wire("Where it came from.", local=True)
    video_metadata: dict[str, Any] | None = wire("Facts about a video, such as its length.", local=True)
    error: FileStatus | None = wire("Why its processing failed.", local=True)
