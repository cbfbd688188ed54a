"""Every error of the library, and the record of how a session ended. Plain data, used on any thread.

::

    LiveError
    ├── ConfigError (ValueError)             an argument or a setting is wrong; nothing was sent
    ├── WrongThread (RuntimeError)           a call that would wait for itself, or a second receiver
    ├── NotAsync (TypeError)                 ``async with`` or ``async for``: nothing here is asynchronous
    ├── DecodeError                          one message could not be understood; the session goes on
    ├── CallbackError                        a callback of the caller raised; the session goes on
    ├── ToolError                            a tool's own words for the model; the session goes on
    ├── SoundSourceError                     an iterable of stream_audio(wait=False) raised; the session goes on
    ├── ReceiveTimeout (TimeoutError)        no end of the turn within the caller's timeout
    ├── TurnLost (ConnectionError)           the turn was lost with a connection; the session goes on over another
    ├── NotConnected (ConnectionError)       the session is between two connections, and this needs one
    ├── OutboxFull                           too much waits for a connection; nothing was sent, the session goes on
    ├── DeviceError                          microphone, loudspeaker or another end of sound failed
    ├── EndFull                              too much sound waits to be played; this piece was not taken
    └── APIError                             the service refused or ended something, or was not reached
        ├── ServiceError                     a session was answered with an error message; it goes on unless the service ends it
        ├── ClientError                      a REST request was answered with HTTP 4xx: ``status`` and ``body``
        ├── ServerError                      a REST request was answered with HTTP 5xx
        ├── ConnectError (ConnectionError)   connect() failed; ``phase`` says where
        │   ├── ConnectTimeout (TimeoutError)    the time for connecting was used up
        │   ├── CredentialsError             no usable credentials
        │   ├── HandshakeRejected            an HTTP answer other than 101: ``status`` and ``body``
        │   └── SetupRejected                closed before setupComplete: ``close_info``
        │       └── SetupError (ServiceError)    the setup was answered with an error message
        └── SessionClosed (ConnectionError)  the session has ended; ``close_info`` says how
            ├── ClosedByServer               the server sent a Close frame
            ├── ConnectionLost               the network, a time limit or a broken frame ended it
            └── ForkedSession                used in a child process of the one that opened it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from genai_live import _public

__all__ = [
    "ABNORMAL_CLOSURE",
    "NORMAL_CLOSURE",
    "APIError",
    "CallbackError",
    "ClientError",
    "CloseInfo",
    "ClosedByServer",
    "ConfigError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "CredentialsError",
    "DecodeError",
    "DeviceError",
    "EndFull",
    "ErrorKind",
    "ForkedSession",
    "HandshakeRejected",
    "LiveError",
    "NotAsync",
    "NotConnected",
    "OutboxFull",
    "Phase",
    "ReceiveTimeout",
    "SentBy",
    "ServerError",
    "ServiceError",
    "SessionClosed",
    "SetupError",
    "SetupRejected",
    "SoundSourceError",
    "ToolError",
    "TurnLost",
    "WrongThread",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)


class Phase(str, Enum):
    """Where a session was when something happened to it."""

    CREDENTIALS = "credentials"
    NAME_LOOKUP = "name lookup"
    DIALLING = "dialling"
    PROXY = "proxy"
    TLS = "TLS"
    UPGRADE = "upgrade"
    SETUP = "setup"
    IDLE = "idle"
    TURN = "mid-turn"
    TOOL = "tool pending"
    CLOSING = "closing"

    def __str__(self) -> str:
        return self.value


class SentBy(str, Enum):
    """Who ended a session."""

    CLIENT = "client"
    SERVER = "server"
    NETWORK = "network"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class CloseInfo:
    """How a session ended: the same record for every observer, the first time and every later time."""

    code: int
    """Close code of RFC 6455 section 7.4; 1006 when no Close frame was seen, 1005 when it carried no code."""
    reason: str
    """The peer's own words, verbatim (a reason has at most 123 bytes and may be cut in mid-sentence), or ours."""
    sent_by: SentBy
    """Who ended it: this client, the server, or the network (which includes this client's own time limits)."""
    phase: Phase
    """What the session was doing."""
    turn_open: bool = False
    """True when an answer was under way or due: something was lost."""

    @property
    def clean(self) -> bool:
        """True when nothing was lost: closed by this program, or closed with 1000 by the server between turns."""
        return self.sent_by is SentBy.CLIENT or (
            self.sent_by is SentBy.SERVER and self.code == NORMAL_CLOSURE and not self.turn_open
        )

    if not TYPE_CHECKING:
        __getattr__ = _public.find

    def __str__(self) -> str:
        words = f' "{self.reason}"' if self.reason else ""
        mid_turn = ", an answer was still due" if self.turn_open else ""
        return f"closed by {self.sent_by} in phase {self.phase.value!r} with code {self.code}{words}{mid_turn}"


NORMAL_CLOSURE = 1000
"""RFC 6455 section 7.4.1: the purpose for which the connection was established has been fulfilled."""


ABNORMAL_CLOSURE = 1006
"""RFC 6455 section 7.4.1: the connection ended without a Close frame."""


class ErrorKind(str, Enum):
    """What an error is about, whatever the code and words it came with."""

    AUTH = "auth"
    QUOTA = "quota"
    MODEL_NOT_FOUND = "model not found"
    BAD_REQUEST = "bad request"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"
    NETWORK = "network"
    OTHER = "other"

    def __str__(self) -> str:
        return self.value


class LiveError(Exception):
    """Base of every error that the library raises."""

    kind: ErrorKind = ErrorKind.OTHER
    retryable: bool = False
    """True when the same call may succeed later without a change."""
    advice: str = ""
    """What to do next, one sentence; empty when there is nothing to say."""

    if not TYPE_CHECKING:
        __getattr__ = _public.find

    def _render_traceback_(self) -> list[str]:
        from genai_live import _folding

        return _folding.rendered(self)

    def __reduce__(self) -> tuple[Callable[..., LiveError], tuple[type[LiveError], tuple[Any, ...], dict[str, Any]]]:
        # Exceptions are unpickled by calling the class with ``args``, which fits no constructor here that takes more than a text;
        # task queues send errors between processes.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(cls: type[LiveError], args: tuple[Any, ...], state: dict[str, Any]) -> LiveError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(LiveError, ValueError):
    """An argument or a setting is wrong; nothing has been sent."""

    kind = ErrorKind.BAD_REQUEST

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class WrongThread(LiveError, RuntimeError):
    """The call would wait for its own thread, or another thread is already waiting for the same thing."""


class NotAsync(LiveError, TypeError):
    """``async with`` or ``async for`` was used: this library is synchronous, and the same line without ``async`` works."""

    def __init__(self, used: object, word: str) -> None:
        super().__init__(f"{type(used).__name__} is synchronous: write {word!r} instead of 'async {word}'")


class DecodeError(LiveError):
    """One message of the server could not be understood; the session goes on."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(f"a message of {size} bytes could not be understood and was skipped: {message}")
        self.size = size


class CallbackError(LiveError):
    """A callback of the caller raised; ``__cause__`` is what it raised, and the session goes on."""


class ToolError(LiveError):
    """What a tool raises to have the model told these very words; of any other error the model hears only that there was one.

    ``tools.arguments`` raises it for arguments that do not fit.
    """


class SoundSourceError(LiveError):
    """What ``stream_audio(wait=False)`` sent has ended early: ``__cause__`` is what its iterable raised, and the session goes on.

    No end of the sound was sent. ``on_error`` gets it; the stream's handle has the cause itself.
    """


class ReceiveTimeout(LiveError, TimeoutError):
    """The turn did not end within the caller's timeout; the session is still usable.

    ``messages`` are those that ``ask`` or ``collect`` had taken by then; ``receive`` has handed them out already.
    """

    retryable = True

    def __init__(self, message: str, messages: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.messages = messages


class TurnLost(LiveError, ConnectionError):
    """The rest of the model's turn was lost with a connection; the session goes on over another one, so ask again.

    ``messages`` are those that ``ask`` or ``collect`` had taken by then; ``close_info`` says how the connection ended.
    """

    kind = ErrorKind.NETWORK
    retryable = True

    def __init__(self, close_info: CloseInfo, messages: tuple[object, ...] = ()) -> None:
        super().__init__(f"the model's turn was lost with its connection ({close_info}); the session reconnects, so ask again")
        self.close_info = close_info
        self.messages = messages


class NotConnected(LiveError, ConnectionError):
    """The session is between two connections, and the call needs one; the session goes on."""

    kind = ErrorKind.NETWORK
    retryable = True


class OutboxFull(LiveError):
    """The session is reconnecting and its outbox is full; nothing was sent."""

    retryable = True


class DeviceError(LiveError):
    """A microphone, a loudspeaker or another end of sound cannot be opened, or is gone; the session is not touched."""


class EndFull(LiveError):
    """Ten minutes of sound wait to be played; this piece was not taken."""

    retryable = True


class APIError(LiveError):
    """The service refused or ended something, or was not reached. Google's SDK has one error of this name for all of it.

    Raised as such, or as ClientError or ServerError, for the answer to a REST request.
    """

    status: int | str | None = None
    """The HTTP status, where a server or a proxy answered with one; of a ServiceError its name."""
    body: str = ""
    """The body of that answer, as far as it came; at most 64 KiB."""

    def __init__(self, message: str, status: int | None = None, body: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = body

    @property
    def code(self) -> int | None:
        """The HTTP status; of a connection or a session that ended, the close code."""
        return self.status if isinstance(self.status, int) else None

    @property
    def message(self) -> str:
        """The sentence of this error, as ``str(error)`` gives it."""
        return str(self)


class ServiceError(APIError):
    """The service answered with an error message in place of an answer; the session goes on, unless the service ends it.

    ``code`` is the service's number (as in HTTP), ``status`` its name ("RESOURCE_EXHAUSTED"), ``reason`` its own words; each is
    None or empty where it said nothing. ``messages`` are those of the turn that ``ask`` or ``collect`` had taken by then.
    """

    code: int | None = None
    status: str = ""

    def __init__(self, message: str, code: int | None, status: str, reason: str, messages: tuple[object, ...] = ()) -> None:
        APIError.__init__(self, message)  # not super(): of a SetupError that is SetupRejected, which is made on its own
        self.code = code
        self.status = status
        self.reason = reason
        self.messages = messages


class ClientError(APIError):
    """A REST request was answered with HTTP 4xx: the service refuses it as it stands."""


class ServerError(APIError):
    """A REST request was answered with HTTP 5xx: the service failed."""


class ConnectError(APIError, ConnectionError):
    """connect() failed: no session was opened and nothing is left behind."""

    status: int | None = None

    def __init__(self, message: str, phase: Phase, close_info: CloseInfo | None = None) -> None:
        super().__init__(message)
        self.phase = phase
        self.close_info = close_info or CloseInfo(ABNORMAL_CLOSURE, message, SentBy.NETWORK, phase)

    @property
    def code(self) -> int:
        """Close code, as in ``close_info``; 1006 when the server sent none."""
        return self.close_info.code

    @property
    def reason(self) -> str:
        """The server's own words, as in ``close_info``; this error's sentence when the server sent none."""
        return self.close_info.reason


class ConnectTimeout(ConnectError, TimeoutError):
    """The time for connecting was used up in ``phase``."""

    kind = ErrorKind.NETWORK
    retryable = True


class CredentialsError(ConnectError):
    """There are no usable credentials."""

    kind = ErrorKind.AUTH


class HandshakeRejected(ConnectError):
    """The server answered the upgrade with an HTTP status other than 101."""

    def __init__(self, message: str, status: int, body: str) -> None:
        super().__init__(message, Phase.UPGRADE, CloseInfo(ABNORMAL_CLOSURE, message, SentBy.SERVER, Phase.UPGRADE))
        self.status = status
        self.body = body


class SetupRejected(ConnectError):
    """The connection ended after the upgrade and before setupComplete."""

    def __init__(self, message: str, close_info: CloseInfo) -> None:
        super().__init__(message, Phase.SETUP, close_info)


class SetupError(ServiceError, SetupRejected):
    """The service answered the setup with an error message; ``code`` and ``status`` are the service's."""

    code: int | None = None  # type: ignore[assignment]  # a property of ConnectError, a value of ServiceError
    status: str = ""  # type: ignore[assignment]  # of ConnectError the HTTP status, which was 101 here
    reason: str = ""

    def __init__(self, message: str, error: ServiceError) -> None:
        SetupRejected.__init__(self, message, CloseInfo(ABNORMAL_CLOSURE, error.reason, SentBy.SERVER, Phase.SETUP))
        ServiceError.__init__(self, message, error.code, error.status, error.reason)


class SessionClosed(APIError, ConnectionError):
    """The session has ended; ``close_info`` says how, and it is the same for every observer."""

    def __init__(self, message: str, close_info: CloseInfo) -> None:
        super().__init__(message)
        self.close_info = close_info

    @property
    def code(self) -> int:
        """Close code, as in ``close_info``."""
        return self.close_info.code

    @property
    def reason(self) -> str:
        """The reason of the side that ended the session, as in ``close_info``."""
        return self.close_info.reason

    @property
    def phase(self) -> Phase:
        """What the session was doing when it ended."""
        return self.close_info.phase

    @property
    def sent_by(self) -> SentBy:
        """Who ended the session."""
        return self.close_info.sent_by


class ClosedByServer(SessionClosed):
    """The server ended the session with a Close frame."""


class ConnectionLost(SessionClosed):
    """The network, one of this client's time limits, or a broken frame ended the session; no server close was seen."""

    kind = ErrorKind.NETWORK
    retryable = True


class ForkedSession(SessionClosed):
    """The session belongs to the process that opened it, and this is a child of that process."""
