"""One attempt to reach the server: credentials, socket, upgrade. Blocks; runs on the thread that dials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genai_live._close_reasons import as_connect_error
from genai_live._connection.transport import Transport, TransportLost, WriteTimedOut
from genai_live._deadline import Deadline
from genai_live._network.dial import Dialler
from genai_live._network.headers import revealed, secrets_in
from genai_live._network.options import ConnectionOptions
from genai_live._secret import Secret, redacted
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


class Attempt:
    """Opens a transport by a plan. ``phase`` says where it is; ``abort`` from another thread ends it."""

    def __init__(self, plan: Plan) -> None:
        self.secrets: list[Secret] = []
        """What was sent as a credential: a server may repeat it in a reason."""
        self._plan = plan
        self._dialler = Dialler(plan.url, plan.safe_url, plan.options)
        self._fetching_credentials = True

    @property
    def phase(self) -> Phase:
        """The step that is under way, or was the last."""
        return Phase.CREDENTIALS if self._fetching_credentials else self._dialler.phase

    def abort(self) -> None:
        """Ends the attempt: the thread in ``open`` fails soon. Any thread, never blocks."""
        self._dialler.abort()

    def open(self, deadline: Deadline, want_write: Callable[[], None]) -> Transport:
        """Fetches credentials and opens the WebSocket. Raises what ``failure`` names."""
        headers = self._plan.headers(deadline)
        self._fetching_credentials = False
        self.secrets = secrets_in(headers, self._plan.url, self._plan.safe_url)
        return Transport(self._websocket(headers, deadline), self._plan.options.max_message_bytes, want_write)

    def _websocket(self, headers: Mapping[str, str | Secret], deadline: Deadline) -> websocket.WebSocket:
        if self._plan.websocket_factory is None:
            return self._dialler.open(headers, deadline)
        self._dialler.phase = Phase.UPGRADE
        try:
            opened = self._plan.websocket_factory(self._plan.url, revealed(headers), deadline.left())
        except Exception as error:
            words = redacted(f"{type(error).__name__}: {error}", self.secrets)
        else:
            return _checked(opened)
        # Not chained: the frames of whatever the factory called hold the headers.
        raise ConnectError(f"{self._failed} the websocket_factory raised {words}", Phase.UPGRADE)

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
        failure = ConnectError(f"{self._failed} {type(error).__name__}: {error}", phase)
        failure.__cause__ = error
        return failure

    @property
    def _failed(self) -> str:
        return f"connecting to {self._plan.safe_url} failed:"


def _checked(opened: websocket.WebSocket) -> websocket.WebSocket:
    if getattr(opened, "sock", None) is None:
        words = f"expected a connected websocket.WebSocket from it, got {type(opened).__name__}"
        raise ConfigError(words, "websocket_factory")
    return opened
