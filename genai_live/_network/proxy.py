"""Which proxy a connection goes through: one rule for the WebSocket and for REST. Runs on any thread; reads the environment."""

from __future__ import annotations

import base64
import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from genai_live._close_reasons import Verdict, judged
from genai_live._network.http_answer import FIRST_SERVER_FAULT
from genai_live._secret import Secret
from genai_live.errors import ConfigError, ConnectError, ErrorKind, Phase

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}
_ALIASES = {"socks": "socks5h"}
"""What GNOME writes into ALL_PROXY: SOCKS of whatever version; a proxy of today speaks 5, and looks names up."""
_OPTION = "http_options.proxy"
_CGI_VARIABLE = "REQUEST_METHOD"
"""Set in a CGI program, where HTTP_PROXY is the request's header ``Proxy`` (CVE-2016-5385)."""
_WITH_SETTINGS = ("win32", "darwin")
"""Systems whose proxies are not in the environment alone."""


class Proxy(NamedTuple):
    """A proxy to go through; ``str`` names it without user and password."""

    scheme: str
    host: str
    port: int
    user: Secret | None
    password: Secret | None
    source: str = _OPTION
    """The setting that names it."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self._authority}"

    @property
    def named(self) -> str:
        """The same with the setting: for errors."""
        return f"{self} ({self.source})"

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """True for SOCKS of any version."""
        return self.scheme.startswith("socks")

    @property
    def resolves_names(self) -> bool:
        """True when the proxy looks names up, False when this machine does, as the scheme says."""
        return self.scheme in ("socks5h", "socks4a")

    @property
    def authorization(self) -> Secret | None:
        """The value of Proxy-Authorization (RFC 7617); None without a user."""
        if self.user is None:
            return None
        pair = f"{self.user.reveal()}:{self.password.reveal() if self.password else ''}"
        return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")

    @property
    def secrets(self) -> list[Secret]:
        """Credentials that a proxy may repeat in its words, and that are never shown."""
        return [secret for secret in (self.authorization, self.user, self.password) if secret is not None]

    @property
    def url(self) -> Secret:
        """The URL with user and password."""
        if self.user is None:
            return Secret(str(self))
        pair = f"{quote(self.user.reveal(), safe='')}:{quote(self.password.reveal(), safe='') if self.password else ''}"
        return Secret(f"{self.scheme}://{pair}@{self._authority}")


def parse_proxy(url: Secret, source: str = _OPTION) -> Proxy:
    """Reads ``http://user:password@host:port`` (also https, socks5, socks5h, socks4, socks4a; a bare ``host:port`` is http).

    Raises:
        ConfigError: another scheme, no host, or no usable port.
    """
    proxy = _read(url.reveal(), source)
    if isinstance(proxy, str):
        raise ConfigError(proxy, source)
    return proxy


def _read(url: str, source: str) -> Proxy | str:
    """The proxy, or what is wrong with it: raised by the caller, whose frame does not hold the password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme = _ALIASES.get(parts.scheme.lower(), parts.scheme.lower())
        port = parts.port or _DEFAULT_PORTS.get(scheme)
    except ValueError:
        return "the port of the proxy is not a number up to 65535, as in http://host:3128"
    if scheme not in _DEFAULT_PORTS or port is None:
        return f"a proxy is http://, https:// or socks5://host:port, not {scheme}://…"
    if not parts.hostname or not parts.hostname.isprintable() or " " in parts.hostname:
        return "a proxy needs a host, as in http://host:port"
    user, password = (Secret(unquote(part)) if part else None for part in (parts.username, parts.password))
    return Proxy(scheme, parts.hostname, port, user, password, source)


FORBIDDEN = Verdict(ErrorKind.OTHER, False, "The proxy does not allow this: ask its operator, or name the host in NO_PROXY.")


def proxy_verdict(status: int, proxy: Proxy) -> Verdict:
    """What a proxy's refusal means: its statuses are about the proxy, where a server's are about the key or the model."""
    if status in (401, 407):  # 407 by RFC 9110; 401 was seen from tinyproxy
        if proxy.user is not None:
            return Verdict(ErrorKind.AUTH, False, "The proxy did not accept the user name and password in its URL.")
        return Verdict(ErrorKind.AUTH, False, "The proxy wants a user name and a password: put them into its URL.")
    if status >= FIRST_SERVER_FAULT:
        return Verdict(ErrorKind.UNAVAILABLE, True, "The proxy could not reach the server; try again, or check the address.")
    return FORBIDDEN


def refused(proxy: Proxy, words: str, verdict: Verdict) -> ConnectError:
    """The error for a proxy that does not let through, with what to do."""
    error = ConnectError(f"the proxy {proxy.named} {words}. {verdict.advice}", Phase.PROXY)
    judged(error, verdict)
    return error


def environment_proxy(host: str, port: int, *, secure: bool) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for this host; None goes direct.

    Where no variable names any proxy, the settings of Windows or macOS do.
    """
    variables = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    named = _named(variables, secure=secure, cgi=_CGI_VARIABLE in os.environ)
    if named is None:
        return _system_proxy(host, port, secure=secure)
    if is_direct(host, port, _of_either_case(variables, "no_proxy")[1]):
        return None
    return parse_proxy(Secret(named[1]), named[0])


def _named(variables: Mapping[str, str], *, secure: bool, cgi: bool) -> tuple[str, str] | None:
    """The variable that counts, and what it says. Windows has all names in upper case, whatever the user wrote."""
    for name in ("https_proxy" if secure else "http_proxy", "all_proxy"):
        variable, url = _of_either_case(variables, name)
        if url and not (variable == "HTTP_PROXY" and cgi):
            return variable, url
    return None


def _of_either_case(variables: Mapping[str, str], name: str) -> tuple[str, str]:
    """Lower case counts first, also when it is empty: as everywhere."""
    variable = name if name in variables else name.upper()
    return variable, variables.get(variable, "").strip()


def _system_proxy(host: str, port: int, *, secure: bool) -> Proxy | None:
    """What the standard library reads in the registry, or in macOS' network settings, as Google's own clients take it.

    SOCKS counts first (RFC 6455 section 4.1).
    """
    if "urllib.request" not in sys.modules and sys.platform not in _WITH_SETTINGS:
        return None  # it would read the environment again; 5 ms to import
    import urllib.request as system

    if system.getproxies_environment():
        return None
    proxies = system.getproxies()
    kind = next((kind for kind in (("socks", "https") if secure else ("socks", "https", "http")) if proxies.get(kind)), None)
    if kind is None or system.proxy_bypass(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"):
        return None
    url = proxies[kind]
    if kind == "socks":  # macOS says http:// of this one too
        url = f"socks5h://{url.rpartition('://')[2]}"
    return parse_proxy(Secret(url), "the system's proxy settings")


def is_direct(host: str, port: int, no_proxy: str) -> bool:
    """True when NO_PROXY names the host: ``*``, a name (with its subdomains), an address, a network such as 10.0.0.0/8.

    Each may end in ``:port``, but for a network; commas or blanks part them.
    """
    return any(_names(entry.lower(), host.lower().rstrip("."), port) for entry in no_proxy.replace(",", " ").split())


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(host, entry)
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").strip(".")
    return host == entry or (bool(entry) and host.endswith(f".{entry}"))


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a name, or an entry that cannot be read
        return False
