"""The WebSocket upgrade, by websocket-client over a socket of ours. Blocks, within one deadline, on the thread that dials.

websocket-client's trace and every traceback see ``<set>`` where a credential stands: it is filled in below them, and taken out
where the server's answer repeats it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from genai_live._close_reasons import judged, of_status, on_the_way_in
from genai_live._deadline import Deadline
from genai_live._network.headers import secrets_in
from genai_live._network.http_answer import Answer, quoted
from genai_live._secret import SHOWN, Secret, redacted
from genai_live.errors import HandshakeRejected

if TYPE_CHECKING:
    import websocket

SWITCHING_PROTOCOLS = 101
_HEAD_BYTES = 65_536
"""Largest head of an answer that is read: RFC 9110 sets no limit, servers commonly send below 8 KiB."""
_END_OF_HEAD = (b"\r\n\r\n", b"\n\n")
_COOKIE_OF_ANOTHER = re.compile(rb"\r\nCookie: (?!%b\r\n)[^\r\n]*" % SHOWN.encode())


def upgrade(
    sock: socket.socket, url: str, safe_url: str, headers: Mapping[str, str | Secret], deadline: Deadline
) -> websocket.WebSocket:
    """Returns the WebSocket after the upgrade; its ``sock`` is the socket.

    Raises:
        HandshakeRejected: an HTTP status other than 101.
        OSError: the connection ended, or the deadline passed.
        websocket.WebSocketException: the answer is none to an upgrade.
    """
    import websocket  # 25 ms: only a process that connects pays for it

    connection = websocket.WebSocket(skip_utf8_validation=True)
    handshake = _HandshakeSocket(sock, url, safe_url, headers, deadline)
    try:
        connection.connect(
            safe_url,
            socket=handshake,
            header={name: str(value) for name, value in headers.items()},
            suppress_origin=True,  # an Origin header is for browsers
            redirect_limit=0,  # a redirect would be dialled without our rules, and would take the credential to another host
        )
        if connection.getstatus() != SWITCHING_PROTOCOLS:  # before 1.9.1 a redirect at the limit counted as an upgrade
            raise websocket.WebSocketException("the answer is no upgrade")
    except (websocket.WebSocketException, _BodyFollows):
        answer = handshake.refusal()
        if answer is None:
            raise
    else:
        connection.sock = sock
        return connection
    raise _rejected(safe_url, answer, secrets_in(headers, url, safe_url))


def _rejected(safe_url: str, answer: Answer, secrets: list[Secret]) -> HandshakeRejected:
    body = redacted(answer.body(), secrets)
    verdict = on_the_way_in(of_status(answer.status, body), safe_url)
    words = f"{safe_url} refused the upgrade with HTTP {answer.status}{quoted(body)}"
    error = HandshakeRejected(f"{words}. {verdict.advice}".rstrip(), answer.status, body)
    judged(error, verdict)
    return error


class _BodyFollows(Exception):
    """The head is over: what follows is read by our rules."""


class _HandshakeSocket:
    """What websocket-client speaks through: fills in the credentials, keeps the deadline, and remembers the answer."""

    def __init__(
        self, sock: socket.socket, url: str, safe_url: str, headers: Mapping[str, str | Secret], deadline: Deadline
    ) -> None:
        self._sock = sock
        self._headers = headers
        self._deadline = deadline
        self._secrets = secrets_in(headers, url, safe_url)
        self._head = b""
        """The answer's head, without what it repeats of the request's credentials."""
        self._taken = 0
        """Bytes of it that websocket-client has."""
        self._query: tuple[bytes, Secret] | None = None
        if url != safe_url:
            shown = safe_url.partition("?")[2]
            self._query = f"?{shown} HTTP/1.1\r\n".encode(), Secret(url.partition("?")[2])

    def send(self, data: bytes) -> int:
        self._sock.settimeout(self._deadline.left_or_raise())
        self._sock.sendall(self._filled_in(data))
        return len(data)

    def _filled_in(self, data: bytes) -> bytes:
        # websocket-client keeps cookies for the whole process: those of another client's session are not this one's.
        data = _COOKIE_OF_ANOTHER.sub(b"", data)
        if self._query is not None:
            shown, query = self._query
            data = data.replace(shown, f"?{query.reveal()} HTTP/1.1\r\n".encode(), 1)
        for name, value in self._headers.items():
            if isinstance(value, Secret):
                filled = f"\r\n{name}: {value.reveal()}\r\n".encode("latin-1")
                data = data.replace(f"\r\n{name}: {SHOWN}\r\n".encode(), filled, 1)
        return data

    def recv(self, size: int) -> bytes:
        if not self._head:
            self._head = redacted(self._read_head().decode("latin-1"), self._secrets).encode("latin-1")
        data = self._head[self._taken : self._taken + size]
        self._taken += len(data)
        if not data and self._head.endswith(_END_OF_HEAD):
            raise _BodyFollows
        return data

    def _read_head(self) -> bytes:
        """The head, byte by byte, for what follows it is a body, or frames; what there is of it where the connection ends."""
        head = bytearray()
        while not head.endswith(_END_OF_HEAD):
            if len(head) > _HEAD_BYTES:
                raise OSError(f"the answer's headers are longer than {_HEAD_BYTES} bytes")
            self._sock.settimeout(self._deadline.left_or_raise())
            data = self._sock.recv(1)
            if not data:
                break
            head += data
        return bytes(head)

    def refusal(self) -> Answer | None:
        """The answer if it is one, and not the upgrade that was asked for."""
        if not self._head.endswith(_END_OF_HEAD):
            return None
        answer = Answer(self._sock, self._deadline, method="GET", begun=self._head)
        return None if answer.status == SWITCHING_PROTOCOLS else answer

    def gettimeout(self) -> float | None:
        return self._deadline.left()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """Leaves the socket open: its refusal is still to be read, and whoever dialled closes it."""
