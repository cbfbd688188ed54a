"""Through an HTTP proxy to the server: CONNECT. Blocks, within one deadline, on the thread that dials."""

from __future__ import annotations

from genai_live._network.http_answer import Answer
from genai_live._network.proxy import Proxy, proxy_verdict, refused
from genai_live._network.tcp import Line
from genai_live._secret import redacted
from genai_live.errors import ConnectError


def through_http(line: Line, proxy: Proxy, host: str, port: int) -> None:
    """CONNECT, RFC 9110 section 9.3.6, on a line that is connected to the proxy.

    Raises:
        ConnectError: the proxy refused; with its ``status`` and ``body``.
        OSError: the connection ended, or the deadline passed.
        http.client.HTTPException: this is not an HTTP proxy.
    """
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    line.send(_request(proxy, authority))
    answer = Answer(line, method="CONNECT")
    if not 200 <= answer.status < 300:
        raise _refused(proxy, authority, answer)


def _request(proxy: Proxy, authority: str) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _refused(proxy: Proxy, authority: str, answer: Answer) -> ConnectError:
    schemes = answer.headers.get_all("Proxy-Authenticate") or []
    wants = f" (it asks for {', '.join(schemes)})" if schemes else ""
    said = redacted(f"{answer.reason}{wants}", proxy.secrets)
    error = refused(proxy, f"answered CONNECT {authority} with {answer.status} {said}", proxy_verdict(answer.status, proxy))
    error.status = answer.status
    error.body = redacted(answer.body(), proxy.secrets)
    return error
