"""TLS inside TLS: a secure server behind a proxy that is itself reached over TLS. Used under the locks of its user, any thread.

The standard library wraps a TLS connection in another one only through memory: this is the socket around that. It raises what an
``ssl.SSLSocket`` raises, without blocking and with a timeout, so the layers above need not know.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

_RECORD_BYTES = 16_384
"""Largest piece of text that one TLS record holds (RFC 8446, section 5.1): what one ``send`` takes."""
_READ_BYTES = 65_536


class TlsInTls(socket.socket):
    """The inner connection. Takes over the outer one, and closes it."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str) -> None:
        # A descriptor of its own for the same connection: to be selected, shut down and closed like any socket's.
        super().__init__(fileno=socket.dup(outer.fileno()))
        self._outer = outer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._arrived, self._leaving, server_hostname=host)
        self._unsent = b""
        """Encrypted bytes that the outer connection did not take yet."""
        self._taken = 0
        """Bytes of the last ``send`` that are encrypted already: a caller that tries again sends the same ones."""

    def settimeout(self, value: float | None, /) -> None:
        """As a socket's; both descriptors share it."""
        super().settimeout(value)
        self._outer.settimeout(value)

    def setblocking(self, flag: bool, /) -> None:
        """As a socket's."""
        self.settimeout(None if flag else 0.0)

    def do_handshake(self) -> None:
        """As an SSLSocket's: blocks up to the timeout for each step."""
        while True:
            try:
                self._inner.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            else:
                self._flush()
                return

    def pending(self) -> int:
        """Bytes that are here already, in any layer."""
        return self._inner.pending() + self._arrived.pending + self._outer.pending()

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As an SSLSocket's; empty at the end."""
        while True:
            try:
                return self._inner.read(size)
            except ssl.SSLWantReadError:
                self._answer()
                self._feed()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As an SSLSocket's: after SSLWantWriteError the same data is to be sent again."""
        if not self._taken:
            self._taken = self._inner.write(memoryview(data)[:_RECORD_BYTES])
        self._flush()
        taken, self._taken = self._taken, 0
        return taken

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As a socket's; with a timeout."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def close(self) -> None:
        """Closes both layers, without a word to the peer."""
        super().close()
        self._outer.close()

    def _feed(self) -> None:
        data = self._outer.recv(_READ_BYTES)
        if data:
            self._arrived.write(data)
        else:
            self._arrived.write_eof()

    def _answer(self) -> None:
        """Sends what reading made necessary, such as the answer to a new key; what is not taken waits for the next write."""
        with suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self._flush()

    def _flush(self) -> None:
        self._unsent += self._leaving.read()
        while self._unsent:
            self._unsent = self._unsent[self._outer.send(self._unsent) :]
