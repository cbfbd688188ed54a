"""One request over the way that the WebSocket takes, with errors of this library. The caller waits; a thread sends.

A name lookup keeps no limit: so the caller waits beside the request, and ends it when the time is over.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from genai_live import _json, _threads
from genai_live._close_reasons import judged, of_status, on_the_way_in
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live._network.headers import check_headers, revealed, secrets_in
from genai_live._network.http_answer import Answer
from genai_live._network.options import ConnectionOptions
from genai_live._network.route import Route
from genai_live._secret import Secret, redacted, without_frames
from genai_live.errors import APIError, ClientError, ConnectError, ConnectTimeout, LiveError, Phase, ServerError
from genai_live.types import HttpOptions, HttpRetryOptions

REQUEST_SECONDS = 30.0
"""Seconds for a request when http_options.timeout does not say: as long as connecting may take."""
_MILLISECONDS = 1000
"""In a second: the unit of http_options.timeout, as in Google's SDK."""
_WORDS_OF_BODY = 300
"""Characters of a body that an error's sentence quotes; ``body`` has all of it."""
_ANSWER_BYTES = 1 << 20
"""Bytes of an answer that are read: a token's takes less than a thousand."""
_RETRY_STATUSES = (408, 429, 500, 502, 503, 504)
"""HTTP statuses worth another try when http_options.retry_options does not list them: Google's own clients' choice."""


class Address(Protocol):
    """Where to send: an Endpoint."""

    @property
    def url(self) -> str:
        """The address itself."""

    @property
    def safe_url(self) -> str:
        """The address as errors show it."""


class _Retry(NamedTuple):
    """How often a request is tried, and how long it pauses between: http_options.retry_options, with Google's defaults."""

    attempts: int = 5
    initial_delay: float = 1.0
    max_delay: float = 60.0
    exp_base: float = 2.0
    jitter: float = 1.0
    http_status_codes: Sequence[int] = _RETRY_STATUSES

    @classmethod
    def of(cls, given: HttpRetryOptions | None) -> _Retry:
        """Once, where nothing is given."""
        if given is None:
            return cls(attempts=1)
        return cls(**{name: value for name in cls._fields if (value := getattr(given, name)) is not None})

    def pause(self, tried: int) -> float:
        """Seconds to wait after so many tries."""
        try:
            planned = self.initial_delay * self.exp_base ** (tried - 1)
        except OverflowError:  # hundreds of tries, with pauses that are cut short by ``max_delay``
            planned = self.max_delay
        return min(self.max_delay, planned + random.uniform(0, self.jitter))


def request_deadline(http_options: HttpOptions, default: float | None) -> Deadline:
    """How long a request may take by ``http_options.timeout``, counted from now; ``default`` seconds where that is not set."""
    milliseconds = http_options.timeout
    if milliseconds is not None:
        return Deadline(milliseconds / _MILLISECONDS, f"http_options.timeout is {milliseconds:g}, in milliseconds")
    if default is None:
        return Deadline(None)
    return Deadline(default, f"http_options.timeout, in milliseconds, is {default * _MILLISECONDS:g} where it is not set")


def request(
    address: Address,
    headers: Mapping[str, str | Secret],
    body: bytes | None = None,
    *,
    options: ConnectionOptions,
    http_options: HttpOptions,
) -> dict[str, Any]:
    """Posts JSON, or asks for a resource where there is no ``body``; returns the JSON object of the answer.

    Blocks up to http_options.timeout, over all tries.

    Raises:
        APIError: an answer of another status than 2xx, or one that is not a JSON object.
        ConnectTimeout: no answer in time.
        ConnectError: no connection.
    """
    check_headers(headers)
    outcome: dict[str, Any] | BaseException
    deadline, retry = request_deadline(http_options, REQUEST_SECONDS), _Retry.of(http_options.retry_options)
    try:
        outcome = _Request(address, headers, body, options).within(deadline, retry)
    except BaseException as error:  # Ctrl-C too
        outcome = error
    if isinstance(outcome, BaseException):
        # Raised here, and with no frame of what happened: the frames below hold the key.
        raise without_frames(outcome)
    return outcome


class _Request:
    """One request, and its further tries: POST with a body, GET without one."""

    def __init__(
        self, address: Address, headers: Mapping[str, str | Secret], body: bytes | None, options: ConnectionOptions
    ) -> None:
        self._address = address
        self._headers = headers
        self._method = "GET" if body is None else "POST"
        self._body = body or b""
        self._options = options
        self._secrets = secrets_in(headers, address.url, address.safe_url)
        self._ended = Flag()
        """Set when nobody waits any more."""
        self._route = Route(address.safe_url, options)

    def within(self, deadline: Deadline, retry: _Retry) -> dict[str, Any] | BaseException:
        """The answer, or the error of the last try. Caller's thread; Ctrl-C ends the request too."""
        outcomes: list[dict[str, Any] | BaseException] = []
        done = Flag()

        def run() -> None:
            try:
                outcomes.append(self._outcome(deadline, retry))
            except BaseException as error:  # the caller's to see, whatever it is
                outcomes.append(error)
            done.set()

        in_time = False
        try:
            _threads.start(threading.Thread(target=run, name="genai-live-rest", daemon=True))  # waits until it runs
            in_time = deadline.wait(done)
        finally:
            if not in_time:
                self._ended.set()
                self._route.abort()
        return outcomes[0] if in_time else self._timed_out(deadline)  # an outcome that arrives later only reports our abort

    def _outcome(self, deadline: Deadline, retry: _Retry) -> dict[str, Any] | LiveError:
        tried = 0
        while True:
            tried += 1
            outcome = self._attempt(deadline)
            status = outcome.status if isinstance(outcome, APIError) else None
            again = isinstance(outcome, ConnectError) or status in retry.http_status_codes
            pause = retry.pause(tried)
            if not again or tried >= retry.attempts or pause >= (deadline.left() or 0.0) or self._ended.wait(pause):
                return outcome
            self._route = Route(self._address.safe_url, self._options)

    def _attempt(self, deadline: Deadline) -> dict[str, Any] | LiveError:
        route, address = self._route, self._address
        when = ""
        try:
            if self._ended.is_set():  # before the route was there to be aborted
                route.abort()
            line = route.open(deadline)
            when = "while the answer was waited for"
            line.send(self._serialised())
            answer = Answer(line, method=self._method)
            content = answer.content(_ANSWER_BYTES)
        except Exception as error:
            return route.failure(error, deadline, address.safe_url, self._secrets, when)
        finally:
            route.close()
        text = redacted(content.decode("utf-8", "replace"), self._secrets)
        if not 200 <= answer.status < 300:  # a redirect too: it would take the key to another host
            return _refused(address, answer.status, text)
        try:
            data = _json.loads(content)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            return APIError(f"the answer is something other than a JSON object ({address.safe_url})", answer.status, text)
        return data

    def _serialised(self) -> bytes:
        """RFC 9112: the request's head and body. The one place where the credentials are text."""
        parts = urlsplit(self._address.url)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        own = {"host": parts.netloc, **{name.lower(): value for name, value in revealed(self._headers).items()}}
        length = {"content-length": str(len(self._body))} if self._method == "POST" else {}
        headers = {**own, **length, "connection": "close"}
        lines = [f"{self._method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self._body

    def _timed_out(self, deadline: Deadline) -> ConnectTimeout:
        words = f"the time was used up{deadline.advice} ({self._address.safe_url})"
        return ConnectTimeout(words, Phase.DIALLING)


def _refused(address: Address, status: int, text: str) -> APIError:
    verdict = on_the_way_in(of_status(status, text), address.safe_url)
    words = f": {' '.join(_service_words(text).split())[:_WORDS_OF_BODY]}" if text.strip() else ""
    kind = {4: ClientError, 5: ServerError}.get(status // 100, APIError)
    sentences = f"the answer is HTTP {status}{words}. {verdict.advice}".rstrip()
    error = kind(f"{sentences} ({address.safe_url})", status, text)
    judged(error, verdict)
    return error


def _service_words(text: str) -> str:
    """The service's own sentence, where the body has Google's form of an error."""
    try:
        return str(_json.loads(text.encode())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text
