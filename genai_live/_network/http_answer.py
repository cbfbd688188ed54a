"""An HTTP answer read from a socket: within one deadline, and after bytes that somebody else has taken. Blocks; any thread."""

from __future__ import annotations

import contextlib
import io
import socket
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any

from genai_live._deadline import Deadline

BODY_BYTES = 65_536
"""Bytes of a refusal's body that are read: a gateway's page for browsers can be long."""
BODY_WAIT = 2.0
"""Seconds that a refusal's body is waited for, and at most half of those that are left: the status alone says most, and must not
be lost to a body that never comes."""
_WORDS = 300
"""Characters of a body that an error's sentence quotes."""


class Answer:
    """Status and headers, read when it is made; the body when it is asked for.

    Raises:
        OSError: the connection ended, or the deadline passed (TimeoutError).
        http.client.HTTPException: this is not HTTP.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, *, method: str, begun: bytes = b"") -> None:
        self._source = _Source(sock, deadline, begun)
        self._response = HTTPResponse(self._source, method=method)  # type: ignore[arg-type]  # it asks for makefile() alone
        self._response.begin()

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def reason(self) -> str:
        """The words beside the status code."""
        return self._response.reason

    @property
    def headers(self) -> HTTPMessage:
        """The headers."""
        return self._response.headers

    def body(self) -> str:
        """As much of the body as comes soon."""
        left = self._source.deadline.left()
        self._source.deadline = Deadline(BODY_WAIT if left is None else min(BODY_WAIT, left / 2))
        data = bytearray()
        with contextlib.suppress(OSError, HTTPException):  # what came before counts
            while len(data) < BODY_BYTES and (piece := self._response.read1(BODY_BYTES - len(data))):
                data += piece
        return data.decode("utf-8", "replace")


def quoted(body: str) -> str:
    """The beginning of a body for an error's sentence: on one line, after a colon; empty when there is nothing to quote."""
    words = " ".join(body.split())
    if words.startswith("<"):  # a page for browsers, whose first 300 characters say nothing
        return ""
    return f": {words[:_WORDS]}" if words else ""


class _Source:
    """What HTTPResponse takes for a socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline, begun: bytes) -> None:
        self.deadline = deadline
        self.begun = begun
        self.sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        """A buffered reader over the socket."""
        return io.BufferedReader(_Bytes(self))


class _Bytes(io.RawIOBase):
    """Bytes of a source, each read within its deadline."""

    def __init__(self, source: _Source) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        source = self._source
        data, source.begun = source.begun[: len(buffer)], source.begun[len(buffer) :]
        if not data:
            source.sock.settimeout(source.deadline.left_or_raise())
            data = source.sock.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)
