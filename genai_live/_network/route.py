"""From this machine to a server, for WebSocket and REST: name lookup, TCP, proxy, TLS. Blocks; ``abort``: any thread.

TCP and TLS are the standard library's, because only so every step has a name (``Route.phase``), shares one deadline, and can be
ended from another thread.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.options import ConnectionOptions
from genai_live._network.proxy import Proxy
from genai_live._network.socks import through_socks
from genai_live._network.tcp import Line
from genai_live._network.tls_in_tls import TlsInTls
from genai_live._network.trust import refusal, tls_failure, trust
from genai_live._network.tunnel import through_http
from genai_live._secret import Secret, redacted
from genai_live.errors import ConnectError, ConnectTimeout, ErrorKind, LiveError, Phase

_LOST = ("WebSocketConnectionClosedException", "WebSocketTimeoutException")
"""What websocket-client makes of an end, and of the system's ETIMEDOUT."""
_DEFAULT_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


class Route:
    """One attempt to reach the server of a URL. ``phase`` says where it is; ``abort`` from another thread ends it."""

    def __init__(self, url: str, options: ConnectionOptions) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._secure = parts.scheme in ("wss", "https")
        self._options = options
        self._held = tcp.Held()
        self.phase = Phase.NAME_LOOKUP
        """The step that is under way, or was the last."""
        self.proxy: Proxy | None = None
        """What it goes through; known once it has begun."""

    def open(self, deadline: Deadline) -> Line:
        """A connected socket, TLS included, with this deadline.

        Raises:
            LiveError: a proxy that refused, or a setting that cannot be used.
            OSError, http.client.HTTPException, tcp.GivenUp: any other failure, which ``failure`` turns into the library's.
        """
        self.phase = Phase.NAME_LOOKUP
        self.proxy = self._options.proxy_for(self._host, self._port, secure=self._secure)
        line = self._tcp(self._host, self._port, deadline) if self.proxy is None else self._tunnel(self.proxy, deadline)
        if self._secure:
            self.phase = Phase.TLS
            line = self._tls(line, self._host)
        return line

    def abort(self) -> None:
        """Ends the attempt: the thread in ``open``, or that waits on the line, fails soon. Never blocks."""
        self._held.abort()

    def close(self) -> None:
        """Closes whatever was opened. The thread that dials."""
        self._held.close()

    def failure(
        self, error: Exception, deadline: Deadline, address: str, secrets: Sequence[Secret] = (), when: str = ""
    ) -> LiveError:
        """The library's error for whatever went wrong, with what to do.

        ``address`` stands at its end, ``secrets`` are the credentials that a refusal may repeat, ``when`` takes the place of the
        phase's name.
        """
        if isinstance(error, LiveError):
            return error
        when = when or f"in phase {self.phase.value!r}"
        if self.proxy is not None:
            when += f", through the proxy {self.proxy.named}"
        if self._held.aborted:
            return ConnectError(f"it was given up {when} ({address})", self.phase)
        if deadline.passed or (isinstance(error, TimeoutError) and error.errno is None):  # ETIMEDOUT is the system's
            return ConnectTimeout(f"the time was used up {when}{deadline.advice} ({address})", self.phase)
        words, advice, kind = self._meaning(error)
        words = redacted(words, [*secrets, *(self.proxy.secrets if self.proxy is not None else ())])
        failure = ConnectError(f"{words}, {when}. {advice} ({address})", self.phase)
        failure.kind, failure.retryable, failure.advice = kind, kind is ErrorKind.NETWORK, advice
        return failure

    def _tcp(self, host: str, port: int, deadline: Deadline) -> Line:
        self.phase = Phase.NAME_LOOKUP
        addresses = tcp.look_up(host, port)
        self.phase = Phase.DIALLING
        return Line(tcp.connect(addresses, deadline, self._held), deadline, self._held)

    def _tunnel(self, proxy: Proxy, deadline: Deadline) -> Line:
        line = self._tcp(proxy.host, proxy.port, deadline)
        self.phase = Phase.PROXY
        if proxy.is_socks:
            through_socks(line, proxy, self._host, self._port)
            return line
        if proxy.scheme == "https":
            line = self._tls(line, proxy.host)
        through_http(line, proxy, self._host, self._port)
        return line

    def _tls(self, line: Line, host: str) -> Line:
        context = trust(self._options.ssl_context, self._options.ca_bundle).context
        line.sock.setblocking(True)  # eventlet's TLS sockets never come to block where the one below does not
        secured: ssl.SSLSocket | TlsInTls
        if isinstance(line.sock, ssl.SSLSocket):
            secured = TlsInTls(line.sock, context, host)
        else:
            # The handshake comes apart, because only a socket that is held can be ended by another thread.
            secured = context.wrap_socket(line.sock, server_hostname=host, do_handshake_on_connect=False)
        self._held.add(secured)
        through = Line(secured, line.deadline, self._held)
        through.wait(secured.do_handshake)
        return through

    def _meaning(self, error: Exception) -> tuple[str, str, ErrorKind]:
        """What happened, what to do, and what it is about."""
        words = tcp.words_in(error).rstrip(".")
        if isinstance(error, ssl.SSLCertVerificationError):
            return *refusal(error, trust(self._options.ssl_context, self._options.ca_bundle).store), ErrorKind.OTHER
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return *tls_failure(error, words), ErrorKind.OTHER
        if isinstance(error, socket.gaierror):
            return words, "Check the host's name, the region and the network.", ErrorKind.NETWORK
        if isinstance(error, OSError) or type(error).__name__ in _LOST:
            return words, "Check the network and the address.", ErrorKind.NETWORK
        advice = "Whatever answers there speaks another protocol: check the address, its port, and the proxy."
        return words, advice, ErrorKind.OTHER
