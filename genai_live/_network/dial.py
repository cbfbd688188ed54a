"""From a plan to a connected transport: credentials, the way to the server, upgrade. Runs on the thread that dials.

It blocks, within one deadline.

The upgrade is websocket-client's, over a socket handed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genai_live._close_reasons import as_connect_error
from genai_live._deadline import Deadline
from genai_live._network.headers import check_headers, revealed, secrets_in
from genai_live._network.options import ConnectionOptions
from genai_live._network.route import Route
from genai_live._network.transport import Transport, TransportLost, WriteTimedOut
from genai_live._network.upgrade import upgrade, websocket_client
from genai_live._secret import Secret, redacted, without_frames
from genai_live.errors import ConfigError, ConnectError, ConnectTimeout, ErrorKind, LiveError, Phase

if TYPE_CHECKING:
    import websocket


WebSocketFactory = Callable[[str, Mapping[str, str], "float | None"], "websocket.WebSocket"]
"""Opens a WebSocket: gets the URL, the headers with credentials, and the seconds left. Runs on the thread that dials."""


@dataclass(frozen=True, repr=False)
class Plan:
    """All that is needed to open a connection, made before anything is sent."""

    url: Secret
    """The base URL of the caller may hold a credential in its query."""
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
        self.secrets: list[Secret] = []
        """Credentials that were sent: a server may repeat them in a reason."""
        self._plan = plan
        self._route = Route(plan.safe_url, plan.options)
        self._route.phase = Phase.CREDENTIALS

    @property
    def phase(self) -> Phase:
        """The step that is under way, or was the last."""
        return self._route.phase

    def open(self, deadline: Deadline, want_write: Callable[[], None]) -> Transport:
        """Fetches credentials and opens the WebSocket; ``want_write`` is what the transport calls when bytes wait.

        Raises:
            HandshakeRejected: an HTTP status other than 101.
            ConnectTimeout: the deadline passed; ``phase`` says in which step.
            ConnectError: any other failure of the network, a proxy, the server or the ``websocket_factory``.
            ConfigError: a header, a proxy or a certificate bundle that cannot be used, or no websocket-client.
        """
        headers = self._plan.headers(deadline)
        self.secrets = secrets_in(headers, self._plan.url.reveal(), self._plan.safe_url)
        if self._plan.websocket_factory is not None:
            self._route.phase = Phase.UPGRADE
            opened = self._from_factory(self._plan.websocket_factory, headers, deadline)
        else:
            opened = self._dialled(headers, deadline)
        return Transport(opened, self._plan.options.max_message_bytes, want_write)

    def abort(self) -> None:
        """Ends the attempt: the thread in ``open`` fails soon. Any thread, never blocks."""
        self._route.abort()

    def failure(self, error: BaseException, phase: Phase) -> ConnectError:
        """What connect() raises for whatever went wrong in ``phase``."""
        if isinstance(error, ConnectError):
            return error
        if isinstance(error, LiveError):
            return as_connect_error(error, phase)
        if isinstance(error, TransportLost):
            kind = ConnectTimeout if isinstance(error, WriteTimedOut) else ConnectError
            failure = kind(self._told(f"{error}, in phase {phase.value!r}"), phase)
            failure.kind, failure.retryable = ErrorKind.NETWORK, True
            return failure
        failure = ConnectError(self._told(f"{type(error).__name__}: {error}"), phase)
        failure.__cause__ = error
        return failure

    def took_too_long(self, phase: Phase, deadline: Deadline) -> ConnectTimeout:
        """What connect() raises where the time was used up in ``phase``."""
        words = "no setupComplete came" if phase is Phase.SETUP else "the time was used up"
        return ConnectTimeout(self._told(f"{words} in phase {phase.value!r}{deadline.advice}"), phase)

    def _told(self, words: str) -> str:
        """What is wrong comes first, the address, which is long, last."""
        return f"{words} ({self._plan.safe_url})"

    def _from_factory(
        self, factory: WebSocketFactory, headers: Mapping[str, str | Secret], deadline: Deadline
    ) -> websocket.WebSocket:
        try:
            opened = factory(self._plan.url.reveal(), revealed(headers), deadline.left())
        except Exception as error:
            words = redacted(f"{type(error).__name__}: {error}", self.secrets)
        else:
            if getattr(opened, "sock", None) is None:
                words = f"must be a connected websocket.WebSocket from it, not {type(opened).__name__}"
                raise ConfigError(words, "websocket_factory")
            return opened
        # Not chained: the frames of whatever the factory called hold the headers.
        raise ConnectError(self._told(f"the websocket_factory raised {words}"), Phase.UPGRADE)

    def _dialled(self, headers: Mapping[str, str | Secret], deadline: Deadline) -> websocket.WebSocket:
        plan, self._route.phase = self._plan, Phase.NAME_LOOKUP
        try:
            websocket_client()  # before anybody is dialled in vain
            check_headers(headers)
            line = self._route.open(deadline)
            self._route.phase = Phase.UPGRADE
            return upgrade(line, plan.url.reveal(), plan.safe_url, headers)
        except Exception as error:
            failure = self._route.failure(error, deadline, plan.safe_url, self.secrets)
        self._route.close()
        # Here, and with no frame of what happened: the frames below hold credentials in their variables.
        raise without_frames(failure)
