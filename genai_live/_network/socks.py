"""SOCKS 4, 4a, 5 and 5h (RFC 1928, RFC 1929): asks a proxy for a connection. Blocks, within a deadline, on the thread that dials.

Neither PySocks nor python-socks. An attempt that waits inside PySocks cannot be ended from another thread on Windows, and its
last release is of 2019. urllib3, which fetches Google's tokens, takes no python-socks, so that there would be two to install. And
what is to be written around either of them is as long as this.
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from genai_live._close_reasons import Verdict
from genai_live._network.proxy import FORBIDDEN, Proxy, refused
from genai_live._network.tcp import Line, look_up, no_name
from genai_live.errors import ConfigError, ErrorKind

_CONNECT = 1
_NO_LOGIN, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ADDRESS_BYTES = {_IPV4: 4, _IPV6: 16}
_GRANTED_4 = 90

_UNREACHED = Verdict(ErrorKind.NETWORK, True, "The proxy could not reach the server; try again, or check the address.")
_REPLIES_5 = {
    1: ("general failure", _UNREACHED),
    2: ("connection not allowed by ruleset", FORBIDDEN),
    3: ("network unreachable", _UNREACHED),
    4: ("host unreachable", _UNREACHED),
    5: ("connection refused", _UNREACHED),
    6: ("TTL expired", _UNREACHED),
    7: ("command not supported", FORBIDDEN),
    8: ("address type not supported", FORBIDDEN),
}
"""RFC 1928 section 6."""
_LOGIN_4 = Verdict(ErrorKind.AUTH, False, "The proxy wants to know the user: put the name into its URL.")
_REPLIES_4 = {91: ("request rejected or failed", _UNREACHED), 92: ("no identd", _LOGIN_4), 93: ("another user", _LOGIN_4)}
"""The SOCKS 4 protocol's own; it has no RFC."""
_WRONG_LOGIN = Verdict(ErrorKind.AUTH, False, "Check the user name and password in the proxy's URL.")
_NO_PROXY_THERE = Verdict(ErrorKind.OTHER, False, "Whatever answers there speaks another protocol: check the proxy's address.")


def through_socks(line: Line, proxy: Proxy, host: str, port: int) -> None:
    """Asks for ``host:port`` on a line that is connected to the proxy.

    Raises:
        ConnectError: the proxy refused, or the server is not a proxy.
        ConfigError: user name or password are longer than SOCKS can say.
        OSError: the connection ended, the deadline passed, or a name that has to be looked up here is not known.
    """
    (_through_4 if proxy.scheme.startswith("socks4") else _through_5)(line, proxy, host, port)


def _through_5(line: Line, proxy: Proxy, host: str, port: int) -> None:
    methods = bytes((_NO_LOGIN,)) if proxy.user is None else bytes((_NO_LOGIN, _PASSWORD))
    line.send(bytes((5, len(methods))) + methods)
    version, method = line.receive_all(2)
    if version != 5 or method not in (*methods, _NO_METHOD):
        raise refused(proxy, "answered, but not in SOCKS 5", _NO_PROXY_THERE)
    if method == _NO_METHOD:
        raise refused(proxy, "asks for a login that was not given", _WRONG_LOGIN)
    if method == _PASSWORD:
        line.send(b"\1" + _short(proxy, "user") + _short(proxy, "password"))
        if line.receive_all(2)[1] != 0:
            raise refused(proxy, "did not accept the login", _WRONG_LOGIN)
    line.send(bytes((5, _CONNECT, 0)) + _address_5(proxy, host, port))
    version, reply, _, kind = line.receive_all(4)
    if reply:
        words, verdict = _REPLIES_5.get(reply, (f"refusal {reply}", _UNREACHED))
        raise refused(proxy, f"refused to connect to {host}:{port}: {words}", verdict)
    rest = line.receive_all(1)[0] if kind == _NAME else _ADDRESS_BYTES.get(kind)
    if version != 5 or rest is None:
        raise refused(proxy, "answered, but not in SOCKS 5", _NO_PROXY_THERE)
    line.receive_all(rest + 2)  # the address and port that the proxy connects from


def _short(proxy: Proxy, name: str) -> bytes:
    secret = getattr(proxy, name)
    data: bytes = secret.reveal().encode() if secret is not None else b""
    if len(data) > 255:
        raise ConfigError(f"the {name} of a SOCKS proxy has at most 255 bytes, not {len(data)}", proxy.source)
    return bytes((len(data),)) + data


def _address_5(proxy: Proxy, host: str, port: int) -> bytes:
    if proxy.resolves_names and not _is_address(host):
        name = _name(host)
        return bytes((_NAME, len(name))) + name + struct.pack("!H", port)
    # IPv4 where there is one: the proxy may have no IPv6, and tries no other address.
    family, *_, where = min(look_up(host, port), key=lambda address: address[0] != socket.AF_INET)
    kind = _IPV6 if family == socket.AF_INET6 else _IPV4
    return bytes((kind,)) + socket.inet_pton(family, where[0].partition("%")[0]) + struct.pack("!H", port)


def _through_4(line: Line, proxy: Proxy, host: str, port: int) -> None:
    user = proxy.user.reveal().encode() if proxy.user is not None else b""
    name, address = b"", bytes((0, 0, 0, 1))  # an address of this form says that a name follows
    if proxy.resolves_names and not _is_address(host):
        name = _name(host) + b"\0"
    else:
        found = [each for each in look_up(host, port) if each[0] == socket.AF_INET]
        if not found:
            raise OSError(f"{host} has no IPv4 address, and SOCKS 4 knows no other; use socks5://")
        address = socket.inet_aton(found[0][4][0])
    line.send(struct.pack("!BBH", 4, _CONNECT, port) + address + user.replace(b"\0", b"") + b"\0" + name)
    version, reply = line.receive_all(8)[:2]
    if version != 0 or not _GRANTED_4 <= reply <= max(_REPLIES_4):
        raise refused(proxy, "answered, but not in SOCKS 4", _NO_PROXY_THERE)
    if reply != _GRANTED_4:
        words, verdict = _REPLIES_4[reply]
        raise refused(proxy, f"refused to connect to {host}:{port}: {words}", verdict)


def _name(host: str) -> bytes:
    try:
        name = host.encode("idna")
    except UnicodeError:
        name = b""
    if not 0 < len(name) <= 255:
        raise no_name(host)
    return name


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
