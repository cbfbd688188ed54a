"""Through a proxy to the server: HTTP CONNECT and SOCKS. Blocks, within one deadline, on the thread that dials."""

from __future__ import annotations

import socket
from typing import Any

from genai_live._close_reasons import judged
from genai_live._deadline import Deadline
from genai_live._network.http_answer import Answer
from genai_live._network.proxy import Proxy, proxy_verdict
from genai_live._network.tcp import Held, look_up
from genai_live._secret import redacted
from genai_live.errors import ConfigError, ConnectError, Phase


def through_http(sock: socket.socket, proxy: Proxy, host: str, port: int, deadline: Deadline) -> None:
    """CONNECT, RFC 9110 section 9.3.6, on a socket that is connected to the proxy.

    Raises:
        ConnectError: the proxy refused; with its ``status`` and ``body``.
        OSError: the connection ended, or the deadline passed.
        http.client.HTTPException: this is no HTTP proxy.
    """
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    sock.settimeout(deadline.left_or_raise())
    sock.sendall(_request(proxy, authority))
    answer = Answer(sock, deadline, method="CONNECT")
    if not 200 <= answer.status < 300:
        raise _refused(proxy, authority, answer)


def _request(proxy: Proxy, authority: str) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _refused(proxy: Proxy, authority: str, answer: Answer) -> ConnectError:
    meaning = proxy_verdict(answer.status, proxy)
    schemes = answer.headers.get_all("Proxy-Authenticate") or []
    wants = f" (it asks for {', '.join(schemes)})" if schemes else ""
    said = redacted(f"{answer.reason}{wants}", proxy.secrets)
    words = f"the proxy {proxy} answered CONNECT {authority} with {answer.status} {said}"
    error = ConnectError(f"{words}. {meaning.advice}", Phase.PROXY)
    judged(error, meaning)
    error.status = answer.status
    error.body = redacted(answer.body(), proxy.secrets)
    return error


def through_socks(proxy: Proxy, host: str, port: int, deadline: Deadline, held: Held) -> socket.socket:
    """SOCKS 4, 4a, 5 and 5h, by PySocks, at the first of the proxy's addresses that answers.

    Raises:
        ConfigError: PySocks is not installed.
        OSError: the proxy cannot be reached, or refused.
    """
    try:
        import socks  # only such a proxy needs it
    except ImportError:
        raise ConfigError(f"the proxy {proxy} needs the package PySocks: pip install PySocks", "http_options.proxy") from None
    addresses = look_up(proxy.host, proxy.port)
    failure: OSError = OSError("the proxy's name has no address")
    for tried, (family, kind, protocol, _, where) in enumerate(addresses):
        sock = socks.socksocket(family, kind, protocol)
        held.add(sock)
        left = deadline.left_or_raise()
        sock.settimeout(None if left is None else left / (len(addresses) - tried))
        _set_proxy(sock, proxy, where[0])
        try:
            sock.connect((host, port))
        except socks.ProxyConnectionError as error:
            failure = error.socket_err or error  # the next address may answer
        except socks.GeneralProxyError as error:
            raise error.socket_err or error from None
        else:
            # From here on a plain one: PySocks' own asks the peer's name before it takes a timeout.
            return socket.socket(fileno=sock.detach())
    raise failure


def _set_proxy(sock: Any, proxy: Proxy, address: str) -> None:
    import socks

    kind = socks.SOCKS4 if proxy.scheme.startswith("socks4") else socks.SOCKS5
    user, password = (secret.reveal() if secret else None for secret in (proxy.user, proxy.password))
    sock.set_proxy(kind, address, proxy.port, proxy.resolves_names, user, password)
