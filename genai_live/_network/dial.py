"""From a plan to a connected transport: credentials, name lookup, TCP, proxy, TLS, upgrade. Runs on the thread that dials.

It blocks, within one deadline.

TCP and TLS are the standard library's, the upgrade is websocket-client's (over a socket handed to it), because only so every
step has a name (``Dialler.phase``), shares one deadline, and can be ended from another thread.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from genai_live._close_reasons import as_connect_error
from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.headers import check_headers, revealed, secrets_in
from genai_live._network.options import ConnectionOptions
from genai_live._network.proxy import Proxy
from genai_live._network.tls_in_tls import TlsInTls
from genai_live._network.transport import Transport, TransportLost, WriteTimedOut
from genai_live._network.trust import refusal, trust
from genai_live._network.tunnel import through_http, through_socks
from genai_live._network.upgrade import upgrade
from genai_live._secret import Secret, redacted, without_frames
from genai_live.errors import ConfigError, ConnectError, ConnectTimeout, ErrorKind, LiveError, Phase

if TYPE_CHECKING:
    import websocket


WebSocketFactory = Callable[[str, Mapping[str, str], "float | None"], "websocket.WebSocket"]
"""Opens a WebSocket: gets the URL, the headers with credentials, and the seconds left. Runs on the thread that dials."""


@dataclass(frozen=True, repr=False)
class Plan:
    """All that is needed to open a connection, made before anything is sent."""

    url: str
    safe_url: str
    """The URL as it may be shown."""
    headers: Callable[[Deadline], Mapping[str, str | Secret]]
    """Fetches fresh credentials; blocks within the deadline."""
    setup: bytes
    """The first message, as JSON."""
    options: ConnectionOptions
    websocket_factory: WebSocketFactory | None = None


class Dialler:
    """Opens one transport by a plan. ``phase`` says where it is; ``abort`` from another thread ends it."""

    def __init__(self, plan: Plan) -> None:
        self.phase = Phase.CREDENTIALS
        """The step that is under way, or was the last."""
        self.secrets: list[Secret] = []
        """Credentials that were sent: a server may repeat them in a reason."""
        self._plan = plan
        self._proxy: Proxy | None = None
        self._held = tcp.Held()

    def open(self, deadline: Deadline, want_write: Callable[[], None]) -> Transport:
        """Fetches credentials and opens the WebSocket; ``want_write`` is what the transport calls when bytes wait.

        Raises:
            HandshakeRejected: an HTTP status other than 101.
            ConnectTimeout: the deadline passed; ``phase`` says in which step.
            ConnectError: any other failure of the network, a proxy, the server or the ``websocket_factory``.
            ConfigError: a header, a proxy or a certificate bundle that cannot be used.
        """
        headers = self._plan.headers(deadline)
        self.secrets = secrets_in(headers, self._plan.url, self._plan.safe_url)
        if self._plan.websocket_factory is not None:
            self.phase = Phase.UPGRADE
            opened = self._from_factory(self._plan.websocket_factory, headers, deadline)
        else:
            opened = self._dialled(headers, deadline)
        return Transport(opened, self._plan.options.max_message_bytes, want_write)

    def abort(self) -> None:
        """Ends the attempt: the thread in ``open`` fails soon. Any thread, never blocks."""
        self._held.abort()

    def failure(self, error: BaseException, phase: Phase) -> ConnectError:
        """What connect() raises for whatever went wrong in ``phase``."""
        if isinstance(error, ConnectError):
            return error
        if isinstance(error, LiveError):
            return as_connect_error(error, phase)
        if isinstance(error, TransportLost):
            kind = ConnectTimeout if isinstance(error, WriteTimedOut) else ConnectError
            failure = kind(f"connecting to {self._plan.safe_url} failed in phase {phase.value!r}: {error}", phase)
            failure.kind, failure.retryable = ErrorKind.NETWORK, True
            return failure
        failure = ConnectError(f"connecting to {self._plan.safe_url} failed: {type(error).__name__}: {error}", phase)
        failure.__cause__ = error
        return failure

    def _from_factory(
        self, factory: WebSocketFactory, headers: Mapping[str, str | Secret], deadline: Deadline
    ) -> websocket.WebSocket:
        try:
            opened = factory(self._plan.url, revealed(headers), deadline.left())
        except Exception as error:
            words = redacted(f"{type(error).__name__}: {error}", self.secrets)
        else:
            if getattr(opened, "sock", None) is None:
                words = f"expected a connected websocket.WebSocket from it, got {type(opened).__name__}"
                raise ConfigError(words, "websocket_factory")
            return opened
        # Not chained: the frames of whatever the factory called hold the headers.
        raise ConnectError(f"connecting to {self._plan.safe_url} failed: the websocket_factory raised {words}", Phase.UPGRADE)

    def _dialled(self, headers: Mapping[str, str | Secret], deadline: Deadline) -> websocket.WebSocket:
        self.phase = Phase.NAME_LOOKUP
        try:
            return self._steps(headers, deadline)
        except LiveError as error:
            failure = error
        except Exception as error:
            failure = self._named(error, deadline)
        self._held.close()
        # Here, and with no frame of what happened: the frames below hold credentials in their variables.
        raise without_frames(failure)

    def _steps(self, headers: Mapping[str, str | Secret], deadline: Deadline) -> websocket.WebSocket:
        check_headers(headers)
        parts = urlsplit(self._plan.url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        self._proxy = self._plan.options.proxy_for(host, port, secure=secure)
        sock = self._tcp(host, port, deadline) if self._proxy is None else self._tunnel(self._proxy, host, port, deadline)
        if secure:
            self.phase = Phase.TLS
            sock = self._tls(sock, host, deadline)
        self.phase = Phase.UPGRADE
        return upgrade(sock, self._plan.url, self._plan.safe_url, headers, deadline)

    def _tcp(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        self.phase = Phase.NAME_LOOKUP
        addresses = tcp.look_up(host, port)
        self.phase = Phase.DIALLING
        return tcp.connect(addresses, deadline, self._held)

    def _tunnel(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        if proxy.is_socks:
            self.phase = Phase.PROXY
            sock = through_socks(proxy, host, port, deadline, self._held)
            self._held.add(sock)
            return sock
        sock = self._tcp(proxy.host, proxy.port, deadline)
        self.phase = Phase.PROXY
        if proxy.scheme == "https":
            sock = self._tls(sock, proxy.host, deadline)
        through_http(sock, proxy, host, port, deadline)
        return sock

    def _tls(self, sock: socket.socket, host: str, deadline: Deadline) -> socket.socket:
        context = trust(self._plan.options.ssl_context, self._plan.options.ca_bundle).context
        sock.settimeout(deadline.left_or_raise())
        secured: ssl.SSLSocket | TlsInTls
        if isinstance(sock, ssl.SSLSocket):
            secured = TlsInTls(sock, context, host)
        else:
            # The handshake comes apart, because only a socket that is held can be ended by another thread.
            secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        self._held.add(secured)
        secured.settimeout(deadline.left_or_raise())
        secured.do_handshake()
        return secured

    def _named(self, error: Exception, deadline: Deadline) -> ConnectError:
        """The library's error for a foreign one, with the phase and what to do."""
        through = f" through the proxy {self._proxy}" if self._proxy is not None else ""
        where = f"connecting to {self._plan.safe_url}{through} failed in phase {self.phase.value!r}"
        if self._held.aborted:
            return ConnectError(f"{where}: it was given up", self.phase)
        if isinstance(error, TimeoutError) or deadline.passed:
            return ConnectTimeout(f"{where}: the time was used up. Try a longer timeout, or check the network.", self.phase)
        words, advice, kind = self._meaning(error)
        failure = ConnectError(f"{where}: {words}. {advice}", self.phase)
        failure.kind, failure.retryable, failure.advice = kind, kind is ErrorKind.NETWORK, advice
        return failure

    def _meaning(self, error: Exception) -> tuple[str, str, ErrorKind]:
        """What happened, what to do, and what it is about."""
        words = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
        if isinstance(error, ssl.SSLCertVerificationError):
            return *refusal(error, trust(self._plan.options.ssl_context, self._plan.options.ca_bundle).store), ErrorKind.OTHER
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return words, "The server may not speak TLS on this port: check the scheme and port of the address.", ErrorKind.OTHER
        if isinstance(error, socket.gaierror):
            return words, "Check the host's name, the region and the network.", ErrorKind.NETWORK
        if type(error).__name__ == "SOCKS5AuthError":
            return words, "Check the user name and password in the proxy's URL.", ErrorKind.AUTH
        if isinstance(error, OSError) or type(error).__name__ == "WebSocketConnectionClosedException":
            return words, "Check the network and the address.", ErrorKind.NETWORK
        advice = "Whatever answers there speaks another protocol: check the address, its port, and the proxy."
        return words, advice, ErrorKind.OTHER
