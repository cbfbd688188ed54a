"""The limits and network settings of a connection, with their defaults and reasons. Plain data: runs on any thread."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from genai_live._arguments import file_path, number_above_0, whole_number
from genai_live._network.proxy import Proxy, environment_proxy, parse_proxy
from genai_live._network.trust import is_context
from genai_live._secret import Secret
from genai_live.errors import ConfigError

if TYPE_CHECKING:
    from genai_live.types import HttpOptions

PING_INTERVAL = 20.0
"""Seconds without any byte before a ping: shorter than the 60 s after which common proxies reap idle connections."""
SILENCE_LIMIT = 60.0
"""Seconds without any byte before the connection is lost. Pongs of the service were seen 30 s late, so 20 s + 30 s must pass."""
WRITE_TIMEOUT = 30.0
"""Seconds that one write may wait for a peer that does not read."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message taken. The service documents no limit; a minute of 24 kHz audio in base64 is 4 MB."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Bytes of messages that may wait for a receiver before the reader pauses: about 15 minutes of 24 kHz audio."""


@dataclass(frozen=True)
class ConnectionOptions:
    """How one connection reaches the server, and what it tolerates; seconds and bytes, None for no limit."""

    proxy: Proxy | None = None
    ssl_context: ssl.SSLContext | None = None
    ca_bundle: str | None = None
    connect_retries: int = 0
    ping_interval: float | None = PING_INTERVAL
    silence_limit: float | None = SILENCE_LIMIT
    write_timeout: float | None = WRITE_TIMEOUT
    max_message_bytes: int = MAX_MESSAGE_BYTES
    queue_bytes: int = QUEUE_BYTES
    ignore_environment_proxies: bool = False
    """True where ``proxy`` is "", and for an emulator named by GENAI_LIVE_EMULATOR_HOST: it stands on this machine or beside it,
    not behind a proxy."""

    def __post_init__(self) -> None:
        for name in ("ping_interval", "silence_limit", "write_timeout", "max_message_bytes", "queue_bytes"):
            _check_limit(name, getattr(self, name))
        whole_number(self.connect_retries, "http_options.connect_retries", 0)
        if self.ssl_context is not None and not is_context(self.ssl_context):
            raise ConfigError(f"must be an ssl.SSLContext, not {type(self.ssl_context).__name__}", "http_options.ssl_context")

    def proxy_for(self, host: str, port: int, *, secure: bool) -> Proxy | None:
        """The proxy for one host: the caller's, else the environment's; None goes direct.

        Raises:
            ConfigError: the environment names a proxy in a form that cannot be read.
        """
        if self.proxy is not None or self.ignore_environment_proxies:
            return self.proxy
        return environment_proxy(host, port, secure=secure)

    @classmethod
    def of(cls, http_options: HttpOptions | None, *, emulated: bool = False) -> ConnectionOptions:
        """Takes what ``http_options`` sets; the rest keeps its default. ``float("inf")`` switches a time limit off.

        Raises:
            ConfigError: a limit that is not a number above 0, or no proxy or certificate bundle where one belongs.
        """
        names = [field.name for field in fields(cls) if field.name != "ignore_environment_proxies"]
        given = {name: getattr(http_options, name, None) for name in names}
        _check_limit("timeout", getattr(http_options, "timeout", None))
        direct = emulated or given["proxy"] == ""
        given["proxy"] = parse_proxy(Secret(given["proxy"])) if given["proxy"] else None
        if given["ca_bundle"] is not None:
            given["ca_bundle"] = _path(given["ca_bundle"])
        return cls(ignore_environment_proxies=direct, **{name: value for name, value in given.items() if value is not None})


def _check_limit(name: str, value: object) -> None:
    if value is not None:
        number_above_0(value, f"http_options.{name}")


def _path(given: object) -> str:
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(f"must be the path of a PEM file, not {type(given).__name__}", "http_options.ca_bundle")
    return file_path(given, "http_options.ca_bundle")
