"""Credentials as the headers of one connection. Waits on the caller's thread; Google's tokens are fetched on one of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from genai_live import _process, _public, _threads
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live._secret import Sealed, Secret, without_frames
from genai_live.errors import ConnectTimeout, CredentialsError, ErrorKind, LiveError, Phase

if TYPE_CHECKING:
    from genai_live._network.options import ConnectionOptions

__all__ = [
    "AUTHORIZATION_HEADER",
    "CLOUD_PLATFORM_SCOPE",
    "KEY_HEADER",
    "TOKEN_REQUEST_SECONDS",
    "Auth",
    "GoogleAuth",
    "StaticAuth",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

CLOUD_PLATFORM_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""The OAuth scope that Vertex AI asks for."""
KEY_HEADER = "x-goog-api-key"
"""The header for an API key: a header, because a URL ends up in logs and in proxies."""
AUTHORIZATION_HEADER = "authorization"
"""The header for everything else."""
TOKEN_REQUEST_SECONDS = 30.0
"""Seconds that one HTTP request for a Google token may wait: google-auth's own 120 would outlive most deadlines."""
_NO_CREDENTIALS_ADVICE = (
    "Run 'gcloud auth application-default login', set GOOGLE_APPLICATION_CREDENTIALS, or pass credentials= or api_key=."
)


class Auth(Protocol):
    """Gives the headers that make one connection authorised; asked again for every connection, on the thread that dials."""

    def headers(self, deadline: Deadline) -> Mapping[str, Secret | str]:
        """Headers; may block for as long as ``deadline.left()`` says (seconds, None for no limit).

        Raises:
            CredentialsError: there are no usable credentials.
            ConnectTimeout: the deadline passed first.
        """
        ...


class StaticAuth:
    """Headers that never change: an API key, an ephemeral token, a password, or nothing at all."""

    def __init__(self, headers: Mapping[str, Secret | str]) -> None:
        self._headers = dict(headers)

    def headers(self, deadline: Deadline) -> dict[str, Secret | str]:
        """A copy of the headers; never blocks."""
        return dict(self._headers)

    def __repr__(self) -> str:
        return f"StaticAuth({', '.join(self._headers) or 'nothing'})"


class GoogleAuth:
    """google-auth credentials, explicit or the environment's default ones, refreshed when they are no longer valid.

    One object serves all connections and threads of a client. Threads that find the token expired wait for the same refresh,
    each no longer than its own deadline; the refresh has a thread of its own, because neither a credential helper nor a metadata
    server knows when to give up.
    """

    def __init__(self, credentials: Any, options: ConnectionOptions) -> None:
        self._kept = Sealed(credentials)
        self._explicit = credentials is not None
        self._options = options
        self._project: str | None = None
        self._loading = _SingleFlight(self._load, "genai-live-credentials")
        self._refreshing = _SingleFlight(self._refresh, "genai-live-credentials")

    @property
    def _credentials(self) -> Any:
        return self._kept.reveal()

    def headers(self, deadline: Deadline) -> dict[str, Secret | str]:
        """Authorization, and the quota project where the credentials name one. Blocks while a token is fetched."""
        credentials = self._credentials
        if credentials is None or not credentials.valid:
            self._refreshing.result(deadline, "a Google access token")
            credentials = self._credentials
        headers: dict[str, str] = {}
        credentials.apply(headers)
        return {name.lower(): Secret(value) if name.lower() == AUTHORIZATION_HEADER else value for name, value in headers.items()}

    def project(self, deadline: Deadline) -> str | None:
        """The project of the credentials, None when they name none. Blocks at its first call, within the deadline."""
        if self._explicit:
            return getattr(self._credentials, "project_id", None) or None
        if self._credentials is None:
            self._loading.result(deadline, "Google's default credentials")
        return self._project

    def _load(self) -> None:
        """On the credentials thread: finds the default credentials, or gives the explicit ones the scope they lack."""
        import google.auth  # 60 ms, and only these credentials need it
        from google.auth.credentials import with_scopes_if_required

        if self._explicit:
            self._kept = Sealed(with_scopes_if_required(self._credentials, [CLOUD_PLATFORM_SCOPE]))  # type: ignore[no-untyped-call]
        elif self._credentials is None:
            found, self._project = google.auth.default(scopes=[CLOUD_PLATFORM_SCOPE], request=self._request())
            self._kept = Sealed(found)

    def _refresh(self) -> None:
        """On the credentials thread: a valid token, from wherever the credentials get it."""
        self._load()
        if not self._credentials.valid:
            self._credentials.refresh(self._request())
            if getattr(self._credentials, "token", "") is None:  # what would go out is "Bearer None"
                raise CredentialsError("the credentials have no access token, not after a refresh either", Phase.CREDENTIALS)

    def _request(self) -> Any:
        from google.auth.transport.requests import Request

        from genai_live._network.google_session import session

        request = Request(session(self._options))

        def within_limits(
            url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **more: Any
        ) -> Any:
            seconds = TOKEN_REQUEST_SECONDS if timeout is None else min(timeout, TOKEN_REQUEST_SECONDS)
            return request(url, method=method, body=body, headers=headers, timeout=seconds, **more)

        return within_limits

    def __repr__(self) -> str:
        kind = type(self._credentials).__name__ if self._credentials is not None else "default credentials"
        return f"GoogleAuth({kind})"


class _Flight:
    """One run of a piece of work: when it is over, and why it failed."""

    def __init__(self) -> None:
        self.over = Flag()
        self.error: BaseException | None = None


class _SingleFlight:
    """Runs a piece of work once for all threads that ask for it at the same time, on a daemon thread."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()  # protects _flight and _process; no other lock is taken while it is held
        self._flight: _Flight | None = None
        self._process = _process.current

    def result(self, deadline: Deadline, what: str) -> None:
        """Waits for the work under way, or starts it.

        Raises:
            CredentialsError: the work failed.
            ConnectTimeout: the deadline passed.
        """
        flight = self._join()
        if not deadline.wait(flight.over):
            self._abandon(flight)
            message = f"getting {what} took longer than the time for connecting. Check the network and the credentials' source."
            raise ConnectTimeout(message, Phase.CREDENTIALS)
        if isinstance(flight.error, LiveError) or (flight.error is not None and not isinstance(flight.error, Exception)):
            raise flight.error
        if flight.error is not None:
            raise _failure(flight.error, what) from without_frames(flight.error)

    def _join(self) -> _Flight:
        if self._process is not _process.current:
            self._lock, self._flight, self._process = threading.Lock(), None, _process.current
        with self._lock:
            if self._flight is None:
                self._flight = _Flight()
                _threads.start(threading.Thread(target=self._fly, args=(self._flight,), name=self._name, daemon=True))
            return self._flight

    def _abandon(self, flight: _Flight) -> None:
        """Lets the next caller try anew: this flight may hang for ever."""
        with self._lock:
            if self._flight is flight:
                self._flight = None

    def _fly(self, flight: _Flight) -> None:
        try:
            self._work()
        except BaseException as error:
            flight.error = error
        self._abandon(flight)
        flight.over.set()


def _failure(error: BaseException, what: str) -> CredentialsError:
    """The library's error for whatever google-auth, or the caller's own credentials object, raised.

    It is chained to that without its frames, which hold the refresh token, or the private key.
    """
    words = " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
    retryable = bool(getattr(error, "retryable", False)) or type(error).__name__ == "TransportError"
    advice = "Check the network, then try again." if retryable else _NO_CREDENTIALS_ADVICE
    failure = CredentialsError(f"{what} could not be fetched: {words or type(error).__name__}. {advice}", Phase.CREDENTIALS)
    failure.advice, failure.retryable = advice, retryable
    if retryable:
        failure.kind = ErrorKind.NETWORK
    return failure
