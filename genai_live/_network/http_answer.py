"""An HTTP answer read from a socket: within one deadline, and after bytes that somebody else has taken. Blocks; any thread."""

from __future__ import annotations

import contextlib
import io
from http.client import HTTPException, HTTPMessage, HTTPResponse, parse_headers
from typing import Any

from genai_live._deadline import Deadline
from genai_live._network.tcp import Line

FIRST_SERVER_FAULT = 500
"""From this status on, the server is at fault and not the request (RFC 9110 section 15.6)."""
BODY_BYTES = 65_536
"""Bytes of a refusal's body that are read: a gateway's page for browsers can be long."""
BODY_WAIT = 2.0
"""Seconds that a refusal's body is waited for, and at most half of those that are left: the status alone says most, and must not
be lost to a body that never comes."""
SWITCHING_PROTOCOLS = 101
MOST_INTERIM = 16
"""Interim answers that are passed over before the one that counts: servers send one or two."""
_WORDS = 300
"""Characters of a body that an error's sentence quotes."""


def is_interim(status: int) -> bool:
    """True for 100 Continue, 103 Early Hints and their like: another answer follows (RFC 9110, section 15.2)."""
    return 100 <= status < 200 and status != SWITCHING_PROTOCOLS


class FinalResponse(HTTPResponse):
    """What the standard library makes of 100 alone, of every interim answer: passes over it."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # what begin() calls
            if not is_interim(status):
                return version, status, reason
            parse_headers(self.fp)
        raise HTTPException(f"more than {MOST_INTERIM} interim answers")


class Answer:
    """Status and headers, read when it is made; the body when it is asked for.

    Raises:
        OSError: the connection ended, or the deadline passed (TimeoutError).
        http.client.HTTPException: this is not HTTP.
    """

    def __init__(self, line: Line, *, method: str, begun: bytes = b"") -> None:
        self._source = _Source(line, begun)
        self._response = FinalResponse(self._source, method=method)  # type: ignore[arg-type]  # it asks for makefile() alone
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
        """As much of a refusal's body as comes soon."""
        left = self._source.line.deadline.left()
        self._source.line = self._source.line.within(Deadline(BODY_WAIT if left is None else min(BODY_WAIT, left / 2)))
        data = bytearray()
        with contextlib.suppress(OSError, HTTPException):  # what came before counts
            self._read_into(data, BODY_BYTES)
        return data.decode("utf-8", "replace")

    def content(self, most: int) -> bytes:
        """The body, or its first bytes where it is longer; raises what making an Answer does."""
        data = bytearray()
        self._read_into(data, most)
        if self._response.length and len(data) < most:
            raise OSError("the connection ended within the answer")
        return bytes(data)

    def _read_into(self, data: bytearray, most: int) -> None:
        while len(data) < most and (piece := self._response.read1(most - len(data))):
            data += piece


def quoted(body: str) -> str:
    """The beginning of a body for an error's sentence: on one line, after a colon; empty when there is nothing to quote."""
    words = " ".join(body.split())
    if words.startswith("<"):  # a page for browsers, whose first 300 characters say nothing
        return ""
    return f": {words[:_WORDS]}" if words else ""


class _Source:
    """What HTTPResponse takes for a socket."""

    def __init__(self, line: Line, begun: bytes) -> None:
        self.line = line
        self.begun = begun

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
            data = source.line.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)
