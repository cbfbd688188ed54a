"""connect() in each of its steps: a stall ends in time and names the step, a failure is told with what the other side said."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Client, Live, errors
from genai_live._deadline import Deadline
from genai_live._network.http_answer import Answer
from genai_live._network.options import ConnectionOptions
from genai_live._network.tcp import Held, Line
from genai_live.api_client import ApiClient
from genai_live.auth import GoogleAuth
from genai_live.errors import Phase
from tests.raw_peer import beside
from tests.servers import MODEL, PATIENCE, answer_every_text, client_of, live_server, raw_server, refusing
from tests.stalls import deaf_listener, drip, hold, stall_in_setup
from tests.waiting import LIMITS

GRACE = 0.5
"""Seconds that connect() may take beyond its timeout. A machine under load may be late once: what is always late is a defect."""


# Connecting to a server that stalls


class Blocker:
    """Something in the process that does not come back until the test lets it."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.released.wait(PATIENCE)
        raise OSError("released")

    headers = __call__


@contextmanager
def stalled(phase: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Live]]:
    """Something that stalls in a phase; gives what makes the ``Live`` that runs into it."""
    blocker = Blocker()
    try:
        if phase == "credentials":
            api_client = ApiClient("test-key", http_options={"base_url": "http://127.0.0.1:1"})
            yield lambda: Live(api_client, auth=blocker)
        elif phase == ALONE:
            monkeypatch.setattr(socket, "getaddrinfo", blocker)
            yield lambda: client_of("http://name.invalid").live
        elif phase == "dialling":
            with deaf_listener() as url:
                yield lambda: client_of(url).live
        else:
            server, url_of = STALLS[phase]
            with raw_server(server) as url:
                yield lambda: url_of(url).live
    finally:
        blocker.released.set()


STALLS: dict[str, tuple[Callable[[socket.socket], None], Callable[[str], Client]]] = {
    "proxy": (hold, lambda url: client_of("http://service.invalid", proxy=url)),
    "proxy, drop by drop": (drip, lambda url: client_of("http://service.invalid", proxy=url)),
    "proxy, SOCKS": (hold, lambda url: client_of("http://service.invalid", proxy=url.replace("http", "socks5h"))),
    "proxy, TLS": (hold, lambda url: client_of("http://service.invalid", proxy=url.replace("http", "https"))),
    "TLS": (hold, lambda url: client_of(url.replace("http", "https"))),
    "upgrade": (hold, client_of),
    "upgrade, drop by drop": (drip, client_of),
    "setup": (stall_in_setup, client_of),
}


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("genai-live")]


ALONE = "name lookup"
"""Changed for the whole process; the others wait at the same time."""


@pytest.mark.parametrize(
    "phase", [ALONE, *(pytest.param(phase, marks=pytest.mark.waits) for phase in ("credentials", "dialling", *STALLS))]
)
def test_a_stall_ends_within_the_timeout_and_names_the_phase(phase: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, stalled(phase, monkeypatch) as make:
        live = make()
        for limit in LIMITS:
            begun = time.monotonic()
            with pytest.raises(errors.ConnectTimeout) as raised:
                live.connect(model=MODEL, timeout=limit)
            late = time.monotonic() - begun - limit
            if late < GRACE and raised.value.phase is Phase(phase.partition(",")[0]):
                break
    assert late < GRACE
    assert raised.value.phase is Phase(phase.partition(",")[0])
    assert repr(raised.value.phase.value) in str(raised.value)
    assert isinstance(raised.value, TimeoutError)
    # What was abandoned ends by itself, and closes what it opened: pytest turns an unclosed socket into a failure.
    for thread in own_threads():
        thread.join(PATIENCE)
        assert not thread.is_alive()


# Failures


def answering(head: str, *pieces: bytes, then: Callable[[socket.socket], None] | None = None) -> Callable[[socket.socket], None]:
    """A server that answers every request with these bytes and leaves."""

    def handler(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {head}\r\n\r\n".encode())
        for piece in pieces:
            connection.sendall(piece)
        if then is not None:
            then(connection)
        connection.shutdown(socket.SHUT_RDWR)

    return handler


BODY = b'{"error": {"code": 403, "message": "Method doesn\'t allow unregistered callers."}}'


@pytest.mark.parametrize(
    "server",
    [
        answering(f"403 Forbidden\r\nContent-Length: {len(BODY)}", BODY),
        answering("403 Forbidden\r\nTransfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        answering("403 Forbidden\r\nConnection: close", BODY[:10], BODY[10:]),
        answering(f"403 Forbidden\r\nContent-Length: {len(BODY)}\r\nX-Long: {'x' * 20_000}", BODY),
    ],
    ids=["with its length", "in chunks", "until the end", "after long headers"],
)
def test_a_refused_upgrade_has_its_status_and_body_however_it_is_sent(server: Callable[[socket.socket], None]) -> None:
    with raw_server(server) as url, pytest.raises(errors.HandshakeRejected, match="unregistered callers") as raised:
        client_of(url, connect_retries=5).live.connect(model=MODEL, timeout=PATIENCE)
    error = raised.value
    assert (error.status, error.body, error.phase) == (403, BODY.decode(), Phase.UPGRADE)
    assert (error.kind, error.retryable) == (errors.ErrorKind.AUTH, False)


@pytest.mark.parametrize(("key", "more"), [("a-key", ""), ("auth_tokens/one", "instead of 'v1beta'")])
def test_an_address_that_is_not_served_is_told_with_the_setting_of_the_version(key: str, more: str) -> None:
    with live_server(process_request=answering_first([404])) as url, pytest.raises(errors.HandshakeRejected) as raised:
        Client(key, http_options={"base_url": url}).live.connect(model=MODEL, timeout=PATIENCE)
    assert "http_options={'api_version': 'v1beta'}" in str(raised.value)
    assert ("'api_version': 'v1alpha'" in str(raised.value)) is bool(more)
    assert more in str(raised.value)


@pytest.mark.waits
def test_a_status_is_not_lost_to_a_body_that_never_comes() -> None:
    server = answering("403 Forbidden\r\nContent-Length: 1000", b"begun", then=hold)
    with raw_server(server) as url, pytest.raises(errors.HandshakeRejected) as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert (raised.value.status, raised.value.body) == (403, "begun")


def test_waiting_for_a_body_leaves_time_to_tell_the_status() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\nbegun")
        deadline = Deadline(1.0)
        assert Answer(Line(near, deadline, Held()), method="GET").body() == "begun"
        assert not deadline.passed


def test_a_body_without_end_is_cut() -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65_536)

    server = answering("500 No\r\nConnection: close", then=flood)
    with raw_server(server) as url, pytest.raises(errors.HandshakeRejected) as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert len(raised.value.body) == 65_536
    assert len(str(raised.value)) < 1000


def test_headers_without_end_are_an_error_too() -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            connection.sendall(b"X-More: " + b"x" * 60_000 + b"\r\n")

    with raw_server(flood) as url, pytest.raises(errors.ConnectError, match="longer than 65536 bytes") as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert raised.value.phase is Phase.UPGRADE


@pytest.mark.parametrize("status", [200, 302, 401, 404, 429, 500])
def test_every_status_but_101_is_a_refusal(status: int) -> None:
    server = answering(f"{status} Words\r\nContent-Length: 2\r\nLocation: http://elsewhere.invalid/", b"no")
    with raw_server(server) as url, pytest.raises(errors.HandshakeRejected, match=f"HTTP {status}") as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert (raised.value.status, raised.value.body) == (status, "no")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_also_where_websocket_client_takes_it_for_an_upgrade(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As before 1.9.1: once it may not follow, it looks no more.
    monkeypatch.setattr("websocket._core.SUPPORTED_REDIRECT_STATUSES", ())
    server = answering(f"{status} Words\r\nContent-Length: 2\r\nLocation: http://elsewhere.invalid/", b"no")
    with raw_server(server) as url, pytest.raises(errors.HandshakeRejected, match=f"HTTP {status}") as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert (raised.value.status, raised.value.body) == (status, "no")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (answering("101 Hi\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no"), "another protocol"),
        (answering("101 Switching Protocols"), "another protocol"),
        (lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n\r\n"), "another protocol"),
        (lambda connection: connection.shutdown(socket.SHUT_RDWR), "network"),
    ],
    ids=["wrong accept", "no upgrade", "not HTTP", "hangs up"],
)
def test_what_is_no_websocket_server_is_told_so(server: Callable[[socket.socket], None], words: str) -> None:
    with raw_server(server) as url, pytest.raises(errors.ConnectError, match=words) as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert raised.value.phase is Phase.UPGRADE
    assert raised.value.retryable == (words == "network")


def test_a_port_where_nobody_listens_fails_in_dialling() -> None:
    with refusing() as url, pytest.raises(errors.ConnectError, match="refused") as raised:
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert (raised.value.phase, raised.value.retryable) == (Phase.DIALLING, True)


def test_a_name_that_nobody_knows_fails_in_name_lookup() -> None:
    with pytest.raises(errors.ConnectError, match="host's name") as raised:
        client_of("http://no-such-host.invalid").live.connect(model=MODEL, timeout=PATIENCE)
    assert raised.value.phase is Phase.NAME_LOOKUP


WRONG_FIRST: list[tuple[Callable[[socket.socket], None] | None, str]] = [
    (None, "Connection refused, in phase 'dialling'. "),
    (answering("404 Not Found"), "the upgrade was refused with HTTP 404"),
    (answering("101 Switching Protocols"), "Invalid WebSocket Header, in phase 'upgrade'. "),
    (lambda sock: sock.close(), "Connection "),
    (hold, "the time was used up in phase 'upgrade' within 0.3 s. "),
]


@pytest.mark.parametrize(("server", "words"), WRONG_FIRST, ids=[words for _, words in WRONG_FIRST])
def test_an_error_of_connecting_begins_with_what_is_wrong_and_ends_with_the_address(
    server: Callable[[socket.socket], None] | None, words: str
) -> None:
    with refusing() if server is None else raw_server(server) as url, pytest.raises(errors.ConnectError) as raised:
        client_of(url).live.connect(model=MODEL, timeout=0.3 if server is hold else PATIENCE)
    told = str(raised.value)
    assert told.startswith(words)
    assert told.endswith(f"({ApiClient('k', http_options={'base_url': url}).live_endpoint().safe_url})")
    assert told.count("://") == 1


def test_credentials_that_fail_are_told_in_their_phase() -> None:
    class Broken:
        valid = False

        def refresh(self, request: Any) -> None:
            raise RuntimeError("the vault is closed")

        def apply(self, headers: dict[str, str]) -> None:
            raise AssertionError

    api_client = ApiClient(api_key="test-key", http_options={"base_url": "http://127.0.0.1:1"})
    with pytest.raises(errors.CredentialsError, match="the vault is closed") as raised:
        Live(api_client, auth=GoogleAuth(Broken(), ConnectionOptions())).connect(model=MODEL, timeout=PATIENCE)
    assert raised.value.phase is Phase.CREDENTIALS


# Trying again


def answering_first(statuses: list[int]) -> Callable[[ServerConnection, Any], Any]:
    """For ``process_request`` of a server: refuses with these, one after the other, then lets everybody in."""

    def process(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(statuses.pop(0), "words\n") if statuses else None

    return process


@pytest.mark.waits
def test_503_503_101_opens_a_session_when_retries_are_asked_for() -> None:
    statuses = [503, 503]
    told: list[Any] = []
    callbacks = {"on_open": lambda: told.append("open"), "on_error": told.append, "on_close": lambda info: told.append(info.code)}
    with live_server(process_request=answering_first(statuses)) as url:
        options = {"connect_retries": 2}
        with client_of(url, **options).live.connect(model=MODEL, timeout=PATIENCE, callbacks=callbacks) as session:
            assert session.ask("Hello", timeout=PATIENCE).text == "Hello"
            assert told == ["open"]
    assert statuses == []


@pytest.mark.waits
def test_when_the_last_try_fails_its_end_is_told_once() -> None:
    statuses = [500, 502, 503, 504]
    told: list[Any] = []
    callbacks = {"on_error": told.append, "on_close": lambda info: told.append(info.phase)}
    with live_server(process_request=answering_first(statuses)) as url, pytest.raises(errors.HandshakeRejected) as raised:
        client_of(url, connect_retries=2).live.connect(model=MODEL, timeout=PATIENCE, callbacks=callbacks)
    assert raised.value.status == 503
    assert statuses == [504]
    assert told == [raised.value, Phase.UPGRADE]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429])
def test_4xx_is_one_try(status: int) -> None:
    statuses = [status, 503]
    with live_server(process_request=answering_first(statuses)) as url, pytest.raises(errors.HandshakeRejected) as raised:
        client_of(url, connect_retries=5).live.connect(model=MODEL, timeout=PATIENCE)
    assert raised.value.status == status
    assert statuses == [503]


def test_without_retries_503_is_one_try() -> None:
    statuses = [503, 503]
    with live_server(process_request=answering_first(statuses)) as url, pytest.raises(errors.HandshakeRejected):
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    assert statuses == [503]


@pytest.mark.waits
def test_a_service_that_comes_up_late_is_reached_within_the_timeout() -> None:
    """Nobody listens at first: the network's own failure."""
    tries = threading.Semaphore(0)

    class Counts:
        def headers(self, deadline: object) -> dict[str, str]:
            tries.release()
            return {}

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    client = client_of(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_retries=1000)
    connecting = beside(Live(client._api_client, auth=Counts()).connect, model=MODEL, timeout=PATIENCE)
    for _ in range(2):  # credentials for a second try: the first was refused
        assert tries.acquire(timeout=PATIENCE)
    listener.listen()
    with live_server(answer_every_text, listener=listener), connecting.result(PATIENCE) as session:
        assert session.ask("Hello", timeout=PATIENCE).text == "Hello"


@pytest.mark.waits
def test_unavailable_in_setup_is_tried_again_and_a_bad_request_is_not() -> None:
    unavailable, invalid = "The service is currently unavailable.", "Request contains an invalid argument."
    for code, reason, tries in ((1011, unavailable, 2), (1007, invalid, 1)):
        seen: list[str] = []

        def handler(connection: ServerConnection, code: int = code, reason: str = reason, seen: list[str] = seen) -> None:
            seen.append(json.loads(connection.recv())["setup"]["model"])
            connection.close(code, reason)

        with live_server(handler) as url, pytest.raises(errors.SetupRejected, match=reason):
            client_of(url, connect_retries=1).live.connect(model=MODEL, timeout=PATIENCE)
        assert len(seen) == tries


@pytest.mark.waits
def test_the_timeout_spans_all_tries() -> None:
    statuses = [503] * 1000
    with live_server(process_request=answering_first(statuses)) as url:
        for limit in LIMITS[1:]:
            begun = time.monotonic()
            with pytest.raises(errors.ConnectError):
                client_of(url, connect_retries=1000).live.connect(model=MODEL, timeout=limit)
            late = time.monotonic() - begun - limit
            if late < GRACE:
                break
    assert late < GRACE
    assert len(statuses) > 900, "tries follow each other with pauses, not at once"


@pytest.mark.parametrize("retries", [-1, 1.5, True, "2"])
def test_retries_are_a_whole_number(retries: Any) -> None:
    with pytest.raises(errors.ConfigError, match="whole number") as raised:
        client_of("http://127.0.0.1:1", connect_retries=retries)
    assert raised.value.path == "http_options.connect_retries"
