"""Which requests a server on this machine takes: by Host and Origin, so that no web page uses it by itself. Pure: any thread.

A page of any site may open a WebSocket to this machine; the browser only tells where the page came from (RFC 6455 section 10.2).
And the name of a site may be pointed at this machine's address (DNS rebinding): then the page's own host is what Host says.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from genai_live._arguments import texts
from genai_live.emulator.server.request import Request
from genai_live.errors import ConfigError

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/\s]+)", re.IGNORECASE)
_USUAL_PORTS = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}


class Admission:
    """Judges requests to one server.

    Args:
        listens_on: The address of the server.
        hosts: Names by which clients may reach it, beside those that need no naming.
        origins: Origins of pages that may use it, such as ``http://localhost:3000``.
        always: True checks at every address; False only beyond loopback, or where something is named.

    Raises:
        ConfigError: a host or an origin that is none.
    """

    def __init__(self, listens_on: str, hosts: Iterable[str] = (), origins: Iterable[str] = (), *, always: bool = False) -> None:
        if not listens_on:
            raise ConfigError("must be an address such as 127.0.0.1, or 0.0.0.0 for all of this machine, not ''", "host")
        self._beyond_loopback = not _is_loopback(listens_on)
        self._hosts = {_plain(listens_on), *(_host_argument(host) for host in texts(hosts, "allowed_hosts"))}
        self._origins = {_origin_argument(origin) for origin in texts(origins, "allowed_origins")}
        self._checks = always or self._beyond_loopback or len(self._hosts) > 1 or bool(self._origins)

    def refusal(self, request: Request) -> str | None:
        """Why a request is not taken, in a sentence with the cure; None when it is."""
        if not self._checks:
            return None
        host = request.headers.get("host")
        if host is None or not self._knows(host):
            said = "no host" if host is None else repr(host)
            return (
                f"The request is for {said}, which is not a name of this server: allowed_hosts (--allow-host) takes more names."
            )
        origin = request.headers.get("origin")
        if origin is None or _normal(origin) in self._origins or _is_of(origin, host):
            return None
        return f"Pages of {origin!r} may not use this server: allowed_origins (--allow-origin) takes those that may."

    def _knows(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = _plain(found["name"])
        # No name was looked up for an address, so nobody can have pointed one here: beyond loopback any address is ours.
        return name in self._hosts or _is_loopback(name) or (self._beyond_loopback and _address(name) is not None)


def _plain(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(_plain(host))
    return address.is_loopback if address is not None else _plain(host) == "localhost"


def _normal(origin: str) -> str:
    """An origin in one spelling: lower case, without the port that its scheme has anyway."""
    text = origin.lower()
    return text.removesuffix(_USUAL_PORTS.get(text.partition(":")[0], ""))


def _is_of(origin: str, host: str) -> bool:
    """True when this server is the page's own, which it says itself: some clients that are not browsers send that."""
    return _normal(origin) in {_normal(f"{scheme}://{host}") for scheme in ("http", "https")}


def _host_argument(host: str) -> str:
    if not _HOST.fullmatch(host) or (":" in host and not host.startswith("[")):
        raise ConfigError("takes names of hosts, without scheme and port", "allowed_hosts")
    return _plain(host)


def _origin_argument(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise ConfigError("takes origins such as http://localhost:3000: a scheme and a host, and no path", "allowed_origins")
    return _normal(origin)
