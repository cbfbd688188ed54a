"""REST by the WebSocket's rules for proxies and certificates, with errors of this library. The caller waits; a thread sends.

Neither a name lookup nor an answer that comes byte by byte keeps a limit of its own: so the caller waits beside the request, and
ends it when the time is over. Requests' own environment handling stays off: it would let REQUESTS_CA_BUNDLE overrule a bundle
that the caller named, and ~/.netrc overrule the credential.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from genai_live import _json
from genai_live._close_reasons import Verdict, judged, of_status, on_the_way_in
from genai_live._deadline import Deadline
from genai_live._network.headers import check_headers, revealed, secrets_in
from genai_live._network.options import ConnectionOptions
from genai_live._network.proxy import Proxy, proxy_verdict
from genai_live._network.tcp import Held, no_name
from genai_live._network.trust import refusal, trust
from genai_live._secret import Secret, redacted, without_frames
from genai_live.errors import (
    APIError,
    ClientError,
    ConfigError,
    ConnectError,
    ConnectTimeout,
    ErrorKind,
    LiveError,
    Phase,
    ServerError,
)
from genai_live.types import HttpOptions, HttpRetryOptions

REQUEST_SECONDS = 30.0
"""Seconds for a request when http_options.timeout does not say: as long as connecting may take."""
_MILLISECONDS = 1000
_TUNNEL_REFUSED = re.compile(r"^Tunnel connection failed: (\d{3})")
"""How http.client says that a proxy refused CONNECT: the only trace of the status."""
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
        ...

    @property
    def safe_url(self) -> str:
        """The address as errors show it."""
        ...


class _Retry(NamedTuple):
    """http_options.retry_options with defaults filled in; one attempt when there are none."""

    attempts: int
    delay: float
    max_delay: float
    base: float
    jitter: float
    statuses: tuple[int, ...]

    @classmethod
    def of(cls, given: HttpRetryOptions | Mapping[str, Any] | None) -> _Retry:
        if given is None:
            return cls(1, 0.0, 0.0, 1.0, 0.0, ())
        options = given if isinstance(given, HttpRetryOptions) else HttpRetryOptions(**given)
        return cls(
            _or(options.attempts, 5),
            _or(options.initial_delay, 1.0),
            _or(options.max_delay, 60.0),
            _or(options.exp_base, 2.0),
            _or(options.jitter, 1.0),
            tuple(_or(options.http_status_codes, _RETRY_STATUSES)),
        )

    def pause(self, tried: int) -> float:
        """Seconds to wait after so many tries."""
        try:
            planned = self.delay * self.base ** (tried - 1)
        except OverflowError:  # hundreds of tries, with pauses that are cut short by ``max_delay``
            planned = self.max_delay
        return min(self.max_delay, planned + random.uniform(0, self.jitter))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def seconds_for(http_options: HttpOptions) -> float:
    """Seconds that a request may take: http_options.timeout, which is in milliseconds, as in Google's SDK."""
    if http_options.timeout is None:
        return REQUEST_SECONDS
    if isinstance(http_options.timeout, bool) or not isinstance(http_options.timeout, (int, float)) or http_options.timeout <= 0:
        raise ConfigError("expected a number of milliseconds above 0", "http_options.timeout")
    return http_options.timeout / _MILLISECONDS


def post(
    address: Address, headers: Mapping[str, str | Secret], body: bytes, *, options: ConnectionOptions, http_options: HttpOptions
) -> dict[str, Any]:
    """Sends JSON and returns the JSON object of the answer. Blocks up to http_options.timeout, over all tries.

    Raises:
        APIError: an answer of another status than 2xx, or one that is no JSON object.
        ConnectTimeout: no answer in time.
        ConnectError: no connection.
    """
    check_headers(headers)
    outcome: dict[str, Any] | BaseException
    deadline, retry = Deadline(seconds_for(http_options)), _Retry.of(http_options.retry_options)
    try:
        outcome = _Post(address, headers, body, options).within(deadline, retry)
    except BaseException as error:  # Ctrl-C too
        outcome = error
    if isinstance(outcome, BaseException):
        # Raised here, and with no frame of what happened: requests' exceptions and the frames below hold the key.
        raise without_frames(outcome)
    return outcome


class _Post:
    """One request, and its further tries."""

    def __init__(self, address: Address, headers: Mapping[str, str | Secret], body: bytes, options: ConnectionOptions) -> None:
        self._address = address
        self._headers = headers
        self._body = body
        self._options = options
        self._held = Held()

    def within(self, deadline: Deadline, retry: _Retry) -> dict[str, Any] | BaseException:
        """The answer, or the error of the last try. Caller's thread; Ctrl-C ends the request too."""
        outcomes: list[dict[str, Any] | BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                outcomes.append(self._outcome(deadline, retry))
            except BaseException as error:  # the caller's to see, whatever it is
                outcomes.append(error)
            done.set()

        in_time = False
        try:
            threading.Thread(target=run, name="genai-live-rest", daemon=True).start()  # it waits too, for the thread to run
            in_time = deadline.wait(done)
        finally:
            if not in_time:
                self._held.abort()
        return outcomes[0] if in_time else self._timed_out()  # later an outcome tells of the abort

    def _outcome(self, deadline: Deadline, retry: _Retry) -> dict[str, Any] | LiveError:
        tried = 0
        try:
            with session(self._options, self._address, self._held) as rest:
                while True:
                    tried += 1
                    outcome = self._attempt(rest, deadline)
                    again = isinstance(outcome, ConnectError) or (
                        isinstance(outcome, APIError) and outcome.status in retry.statuses
                    )
                    pause = retry.pause(tried)
                    if not again or tried >= retry.attempts or pause >= (deadline.left() or 0.0):
                        return outcome
                    time.sleep(pause)
        finally:
            self._held.close()

    def _attempt(self, rest: requests.Session, deadline: Deadline) -> dict[str, Any] | LiveError:
        address, left = self._address, deadline.left()
        if left == 0:  # which requests takes for a mistake
            return self._timed_out()
        try:
            # A redirect would take the key to another host.
            with rest.post(
                address.safe_url,
                data=self._body,
                headers=revealed(self._headers),
                timeout=left,
                allow_redirects=False,
                stream=True,
            ) as answer:
                content = _beginning(answer)
        except requests.RequestException as error:
            return self._named(error)
        except LiveError:  # of the environment's proxy, on the way
            raise
        except ValueError:  # urllib3 says so where it meets a label that is empty or too long, and requests passes it on
            return no_name(urlsplit(address.safe_url).hostname or "")
        text = redacted(content.decode("utf-8", "replace"), self._secrets())
        if not answer.ok or answer.is_redirect:
            return _refused(address, answer.status_code, text)
        try:
            data = _json.loads(content)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            return APIError(f"{address.safe_url} answered with something other than a JSON object", answer.status_code, text)
        return data

    def _timed_out(self) -> ConnectTimeout:
        words = "the time was used up. Try a longer http_options.timeout, or check the network."
        return ConnectTimeout(f"{self._where()}: {words}", Phase.DIALLING)

    def _where(self) -> str:
        proxy = self._proxy()
        through = f" through the proxy {proxy}" if proxy is not None else ""
        return f"the request to {self._address.safe_url}{through} failed"

    def _secrets(self) -> list[Secret]:
        """What the service, and a proxy before it, may repeat."""
        proxy = self._proxy()
        mine = secrets_in(self._headers, self._address.url, self._address.safe_url)
        return mine if proxy is None else mine + proxy.secrets

    def _proxy(self) -> Proxy | None:
        parts = urlsplit(self._address.safe_url)
        secure = parts.scheme == "https"
        return self._options.proxy_for(parts.hostname or "", parts.port or (443 if secure else 80), secure=secure)

    def _named(self, error: requests.RequestException) -> ConnectError:
        """The library's error for one of requests', which is not chained: it holds the request, and that holds the key."""
        if isinstance(error, requests.Timeout):
            return self._timed_out()
        proxy = self._proxy()
        phase, words, advice, kind = self._meaning(error)
        meaning, refused = Verdict(kind, kind is ErrorKind.NETWORK, advice), _TUNNEL_REFUSED.search(words)
        if refused is not None and proxy is not None:
            meaning = proxy_verdict(int(refused[1]), proxy)
        failure = ConnectError(f"{self._where()}: {redacted(words, self._secrets())}. {meaning.advice}", phase)
        judged(failure, meaning)
        failure.status = int(refused[1]) if refused else None
        return failure

    def _meaning(self, error: requests.RequestException) -> tuple[Phase, str, str, ErrorKind]:
        """Where it happened, what, what to do, and what it is about."""
        refused = _within(error, ssl.SSLCertVerificationError)
        if refused is not None:
            return Phase.TLS, *refusal(refused, trust(self._options.ssl_context, self._options.ca_bundle).store), ErrorKind.OTHER
        if isinstance(error, requests.exceptions.InvalidSchema):
            return Phase.PROXY, "a SOCKS proxy needs the package PySocks", "pip install PySocks", ErrorKind.BAD_REQUEST
        if isinstance(error, requests.exceptions.SSLError):
            advice = "The server may not speak TLS on this port: check the scheme and port of the address."
            return Phase.TLS, "no TLS connection", advice, ErrorKind.OTHER
        failed = _within(error, OSError)
        words = (failed.strerror or str(failed)) if failed is not None else "no connection"
        if isinstance(error, requests.exceptions.ProxyError):
            return Phase.PROXY, words, "Check http_options.proxy and the proxy variables.", ErrorKind.NETWORK
        if isinstance(failed, socket.gaierror):
            return Phase.NAME_LOOKUP, words, "Check the host's name, the region and the network.", ErrorKind.NETWORK
        return Phase.DIALLING, words, "Check the network and the address.", ErrorKind.NETWORK


def _beginning(answer: requests.Response) -> bytes:
    content = bytearray()
    for piece in answer.iter_content(65_536):
        content += piece
        if len(content) > _ANSWER_BYTES:
            break  # what it is, is seen already
    return bytes(content)


_E = TypeVar("_E", bound=BaseException)


def _within(error: BaseException, kind: type[_E]) -> _E | None:
    """The innermost error of a kind: requests wraps urllib3's, and that wraps the system's, each in an attribute of its own."""
    found: _E | None = None
    chain: list[Any] = [error]
    seen: set[int] = set()
    while chain:
        each = chain.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            if isinstance(each, kind) and not isinstance(each, requests.RequestException):
                found = each
            chain += each.__context__, each.__cause__, getattr(each, "reason", None), *each.args
    return found


def _refused(address: Address, status: int, text: str) -> APIError:
    verdict = on_the_way_in(of_status(status, text), address.safe_url)
    words = f": {' '.join(_service_words(text).split())[:_WORDS_OF_BODY]}" if text.strip() else ""
    kind = {4: ClientError, 5: ServerError}.get(status // 100, APIError)
    error = kind(f"{address.safe_url} answered with HTTP {status}{words}. {verdict.advice}".rstrip(), status, text)
    judged(error, verdict)
    return error


def _service_words(text: str) -> str:
    """The service's own sentence, where the body has Google's form of an error."""
    try:
        return str(_json.loads(text.encode())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text


def session(options: ConnectionOptions, address: Address | None = None, held: Held | None = None) -> requests.Session:
    """A new session for these options; to be closed by its owner. What is sent to ``safe_url`` reaches the address itself.

    ``held`` gets a second descriptor of every connection, by which another thread can end it.

    Raises:
        ConfigError: the CA bundle cannot be read.
    """
    new = requests.Session()
    new.trust_env = False
    adapter = _Adapter(options, address, held)
    new.mount("https://", adapter)
    new.mount("http://", adapter)
    return new


class _Adapter(HTTPAdapter):
    """Sends through the proxy and with the TLS context that the options choose, whatever the session was told."""

    def __init__(self, options: ConnectionOptions, address: Address | None, held: Held | None) -> None:
        self._options = options
        self._held = held
        self._context = trust(options.ssl_context, options.ca_bundle).context
        has_query = address is not None and address.url != address.safe_url
        self._query = Secret(address.url.partition("?")[2]) if address is not None and has_query else None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if not proxy.startswith("socks"):
            kwargs["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        # Without cert_reqs in the second part urllib3 leaves the context's own verification as it is.
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if self._query is not None:
            pool.ConnectionCls = _filling_in(pool.ConnectionCls, self._query)
        if self._held is not None:
            pool.ConnectionCls = _held_by(self._held, pool.ConnectionCls)
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Loads nothing: the context has its certificates already."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        secure = parts.scheme == "https"
        proxy = self._options.proxy_for(parts.hostname or "", parts.port or (443 if secure else 80), secure=secure)
        kwargs["proxies"] = {parts.scheme: proxy.url.reveal()} if proxy is not None else {}
        return super().send(request, *args, **kwargs)


def _filling_in(connection: Any, query: Secret) -> Any:
    """A connection that sends the query in place of ``<set>``: below urllib3, which logs the path of every request."""

    class Filling(connection):  # type: ignore[misc]  # which of urllib3's it is, the pool knows
        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            super().putrequest(method, f"{url.partition('?')[0]}?{query.reveal()}", *args, **kwargs)

    return Filling


def _held_by(held: Held, connection: Any) -> Any:
    """A connection that another thread can end; by a descriptor of its own, because TLS takes over that of the socket."""

    class Holding(connection):  # type: ignore[misc]  # which of urllib3's it is, the pool knows
        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            try:
                held.add(sock.dup())
            except BaseException:
                sock.close()
                raise
            return sock

    return Holding
