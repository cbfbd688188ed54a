"""Checks header values, and hides the credentials among them. Pure: runs on any thread."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from genai_live._secret import Secret
from genai_live.errors import ConfigError


def check_headers(headers: Mapping[str, str | Secret]) -> None:
    """Refuses what would start another header, or cannot be written into one (RFC 9110, section 5.5).

    Raises:
        ConfigError: names the header, and never shows its value.
    """
    for name in headers:
        flaw = _flaw(_revealed(headers[name]))
        if flaw:
            raise ConfigError(f"the value of the header {name!r} contains {flaw}; look where it comes from")


def hidden(headers: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
    """All values as Secrets: for headers of other people, who may put a credential anywhere."""
    return {name: value if isinstance(value, Secret) else Secret(value) for name, value in headers.items()}


def secrets_in(headers: Mapping[str, str | Secret], url: str, safe_url: str) -> list[Secret]:
    """The credentials of a request: values of headers, and of the query that ``safe_url`` hides, as sent and as read."""
    secrets = [value for value in headers.values() if isinstance(value, Secret)]
    if url != safe_url:
        query = url.partition("?")[2]
        sent = (part.partition("=")[2] or part for part in query.split("&"))  # names are public, and servers ask for them by name
        secrets += [Secret(value) for value in (*sent, *(value for _, value in parse_qsl(query)))]
    return secrets


def revealed(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Names and values as they are sent; only for frames that no traceback shows."""
    return {name: _revealed(value) for name, value in headers.items()}


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _flaw(value: str) -> str | None:
    if any(character in value for character in "\r\n\0"):
        return "a line break, which would start another header"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "a character that no HTTP header can carry"
    return None
