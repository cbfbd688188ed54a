"""Dialling: addresses beside each other, an end from another thread, TLS inside TLS, and the bytes of the upgrade."""

from __future__ import annotations

import errno
import gc
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import errors
from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.dial import Dialler, Plan
from genai_live._network.options import ConnectionOptions
from genai_live._network.tcp import Held, interleaved
from genai_live._network.tls_in_tls import TlsInTls
from genai_live._secret import Secret
from genai_live.errors import Phase
from tests.proxies import http_proxy, socks5_proxy
from tests.raw_peer import BINARY, Peer, beside, frame
from tests.servers import (
    AUTHORITY,
    MODEL,
    PATIENCE,
    SETUP_COMPLETE,
    TURN_COMPLETE,
    client_of,
    live_server,
    raw_server,
    refusing,
    served,
    text_part,
    wait_until_closed,
)
from tests.stalls import deaf_listener
from tests.waiting import tcp_pair

V4, V6 = socket.AF_INET, socket.AF_INET6


def address(family: int, name: str, port: int = 1) -> Any:
    return (family, socket.SOCK_STREAM, 6, "", (name, port))


def at(url: str) -> Any:
    return address(V4, "127.0.0.1", int(url.rpartition(":")[2]))


@contextmanager
def held() -> Iterator[Held]:
    sockets = Held()
    try:
        yield sockets
    finally:
        sockets.close()


# Addresses


def test_families_take_turns_beginning_with_the_resolvers_choice() -> None:
    six, four = [address(V6, f"::{n}") for n in range(3)], [address(V4, f"10.0.0.{n}") for n in range(1)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], six[2]]
    assert interleaved([*four, *six]) == [four[0], *six]
    assert interleaved([]) == []


@pytest.mark.waits
def test_an_address_that_does_not_answer_costs_a_moment_and_not_the_timeout() -> None:
    with deaf_listener() as deaf, raw_server(lambda connection: connection.sendall(b"hello")) as good, held() as sockets:
        sock = tcp.connect([at(deaf), at(deaf), at(good)], Deadline(PATIENCE), sockets)
        sock.settimeout(PATIENCE)
        assert sock.recv(5) == b"hello"
        assert [each.fileno() >= 0 for each in sockets._sockets] == [False, False, True], "the losers are closed"


def test_an_address_that_refuses_costs_nothing() -> None:
    with (
        refusing() as gone,
        raw_server(lambda connection: connection.sendall(b"hello")) as good,
        held() as sockets,
    ):
        tcp.connect([at(gone), at(good)], Deadline(PATIENCE), sockets)


def test_when_all_refuse_the_last_reason_is_told() -> None:
    with refusing() as gone, held() as sockets, pytest.raises(ConnectionRefusedError):
        tcp.connect([at(gone), at(gone)], Deadline(PATIENCE), sockets)
    with held() as sockets, pytest.raises(OSError, match="no address"):
        tcp.connect([], Deadline(PATIENCE), sockets)


@pytest.mark.waits
def test_when_none_answers_the_deadline_holds_for_all_of_them() -> None:
    with deaf_listener() as deaf, held() as sockets, pytest.raises(TimeoutError):
        tcp.connect([at(deaf)] * 3, Deadline(0.6), sockets)


def test_small_messages_are_not_kept_back() -> None:
    with live_server() as url, client_of(url).live.connect(model=MODEL) as session:
        assert session.conn.sock is not None
        assert session.conn.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Ending an attempt from another thread


def plan_for(url: str, options: ConnectionOptions, headers: Mapping[str, str | Secret] | None = None) -> Plan:
    return Plan(Secret(url), url, lambda deadline: headers or {}, b"", options)


def dialler_to(url: str, **options: Any) -> Dialler:
    return Dialler(plan_for(url, ConnectionOptions.of(client_of(url, **options)._api_client.http_options)))


def silent(reached: threading.Event) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        while connection.recv(65_536):
            reached.set()

    return handler


@contextmanager
def stalling(phase: str) -> Iterator[tuple[Dialler, threading.Event]]:
    """A dialler that will stall in a phase without any timeout, and the event that says it is there."""
    reached = threading.Event()
    if phase == "dialling":
        with deaf_listener() as url:
            reached.set()
            yield dialler_to(url.replace("http", "ws")), reached
        return
    with raw_server(silent(reached)) as url:
        secure = url.replace("http", "wss")
        yield (
            {
                "proxy": lambda: dialler_to("ws://service.invalid", proxy=url),
                "proxy, SOCKS": lambda: dialler_to("ws://service.invalid", proxy=url.replace("http", "socks5h")),
                "proxy, TLS": lambda: dialler_to("ws://service.invalid", proxy=url.replace("http", "https")),
                "TLS": lambda: dialler_to(secure),
                "upgrade": lambda: dialler_to(url.replace("http", "ws")),
            }[phase](),
            reached,
        )


@pytest.fixture(params=["wakes", "wakes nobody"])
def _shutting_down(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows wakes nobody who waits for a socket when another thread shuts it down (python/cpython#91913)."""
    if request.param == "wakes nobody":
        monkeypatch.setattr(tcp, "shut_down", lambda sock: None)


@pytest.mark.usefixtures("_shutting_down")
@pytest.mark.parametrize("phase", ["dialling", "proxy", "proxy, SOCKS", "proxy, TLS", "TLS", "upgrade"])
def test_an_attempt_without_timeout_ends_when_another_thread_ends_it(phase: str) -> None:
    failures: list[errors.ConnectError] = []

    def dial() -> None:
        try:
            dialler.open(Deadline(None), lambda: None)
        except errors.ConnectError as error:
            failures.append(error)

    with stalling(phase) as (dialler, reached):
        thread = threading.Thread(target=dial, daemon=True)
        thread.start()
        assert reached.wait(PATIENCE)
        while dialler.phase is Phase.NAME_LOOKUP and thread.is_alive():
            thread.join(0.01)
        dialler.abort()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert failures[0].phase is Phase(phase.partition(",")[0])
        assert all(sock.fileno() < 0 for sock in dialler._route._held._sockets), "whatever was opened is closed"


def test_an_attempt_that_was_ended_before_it_began_opens_nothing() -> None:
    with live_server() as url:
        dialler = dialler_to(url.replace("http", "ws"))
        dialler.abort()
        with pytest.raises(errors.ConnectError, match="given up"):
            dialler.open(Deadline(PATIENCE), lambda: None)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
def test_failed_attempts_leave_no_descriptor_and_no_thread_even_while_their_errors_are_kept() -> None:
    kept, there_before = [], set(threading.enumerate())  # such as a pacing thread that another test has left to run out

    def hangs_up(connection: socket.socket) -> None:
        connection.recv(10)
        connection.close()

    with raw_server(hangs_up) as url, http_proxy(answer=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        clients = [client_of(url), client_of(url.replace("http", "https")), client_of("http://service.invalid", proxy=proxy.url)]
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            for client in clients:
                with pytest.raises(errors.ConnectError) as raised:
                    client.live.connect(model=MODEL, timeout=PATIENCE)
                kept.append(raised.value)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert not [thread for thread in set(threading.enumerate()) - there_before if thread.name.startswith("genai-live")]


SOCKS_ANSWERS = ((b"\5", True), (b"\2", False), (b"\1\0", True), (b"\5\0", True), (b"\0\3\11h", False))
"""Pieces of what a proxy says, and whether it waits for the client before."""


@pytest.mark.parametrize("stops_at", range(len(SOCKS_ANSWERS)))
def test_a_socks_proxy_that_stops_answering_halfway_keeps_no_attempt(stops_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "shut_down", lambda sock: None)
    asked = threading.Event()

    def handler(connection: socket.socket) -> None:
        for answer, to_a_request in SOCKS_ANSWERS[: stops_at + 1]:
            if to_a_request:
                connection.recv(65_536)
            connection.sendall(answer)
        asked.set()
        while connection.recv(65_536):
            continue

    with raw_server(handler) as url:
        dialler = dialler_to("ws://service.invalid", proxy=url.replace("http://", "socks5h://user:password@"))
        dialling = beside(dialler.open, Deadline(None), lambda: None)
        assert asked.wait(PATIENCE)
        dialler.abort()
        error = dialling.exception(PATIENCE)
        assert isinstance(error, errors.ConnectError)
        assert (error.phase, "given up" in str(error)) == (Phase.PROXY, True)


@pytest.mark.parametrize("where", ["connect", "recv"])
def test_a_connection_that_the_system_gives_up_is_lost_and_no_time_was_used_up(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ETIMEDOUT is a TimeoutError, and says that the network does not answer, whatever the caller's limit."""
    gone = TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    def given_up(*_: object, **__: object) -> Any:
        raise gone

    with raw_server(silent(threading.Event())) as url:
        if where == "connect":
            monkeypatch.setattr(tcp, "connect", given_up)
        else:
            monkeypatch.setattr(tcp.Line, "receive", lambda line, size: line.wait(given_up))
        with pytest.raises(errors.ConnectError, match=r"^Connection timed out, in phase .*\. Check the network") as raised:
            dialler_to(url.replace("http", "ws")).open(Deadline(PATIENCE), lambda: None)
    assert type(raised.value) is errors.ConnectError
    assert (raised.value.kind, raised.value.retryable) == (errors.ErrorKind.NETWORK, True)


# The upgrade


class Recorded:
    """A server that keeps the head of each upgrade, and then is a good server."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65_536)
        self.heads.append(head.decode("latin-1"))
        cookie = b"Set-Cookie: session=of-another; domain=127.0.0.1"
        connection.sendall(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n%b\r\n\r\n" % cookie)


def heads_of(url_suffix: str = "", **http_options: Any) -> list[str]:
    server = Recorded()
    with raw_server(server) as url:
        for _ in range(2):
            with pytest.raises(errors.HandshakeRejected):
                client_of(url + url_suffix, **http_options).live.connect(model=MODEL, timeout=PATIENCE)
    return server.heads


def test_every_header_is_sent_whole_and_once() -> None:
    headers = {"Authorization": "Bearer own", "X-Trace": "1", "X-Odd": "<set>", "Cookie": "mine=1"}
    (head, _) = heads_of(headers=headers)
    lines = head.split("\r\n")
    for name, value in headers.items():
        assert lines.count(f"{name}: {value}") == 1
    assert lines.count("x-goog-api-key: test-key") == 1
    assert not [line for line in lines if line.lower().startswith("origin")]


def test_a_cookie_of_one_connection_is_not_sent_with_the_next() -> None:
    assert not [head for head in heads_of() if "cookie" in head.lower()]


def test_a_query_of_the_callers_base_url_is_sent_as_it_stands() -> None:
    (head, _) = heads_of("/gateway?key=query-canary&b=2")
    assert head.startswith("GET /gateway/ws/google.ai.generativelanguage.")
    assert head.split("\r\n")[0].endswith("BidiGenerateContent?key=query-canary&b=2 HTTP/1.1")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u4f60\u597d"])
def test_a_header_that_would_start_another_is_refused_and_not_shown(value: str) -> None:
    with raw_server(lambda connection: None) as url, pytest.raises(errors.ConfigError, match=r"'x-token'") as raised:
        Dialler(plan_for(url, ConnectionOptions(), {"x-token": Secret(value)})).open(Deadline(PATIENCE), lambda: None)
    assert value not in str(raised.value)


def test_what_comes_in_one_record_with_the_answer_to_the_upgrade_is_not_left_in_memory() -> None:
    """OpenSSL then holds it, and no descriptor becomes readable."""

    def handler(connection: socket.socket) -> None:
        with served().wrap_socket(connection, server_side=True) as secure:
            peer = Peer(secure)
            held_back: list[bytes] = []
            peer.send = held_back.append  # type: ignore[method-assign, assignment]
            peer.upgrade()
            early = [SETUP_COMPLETE, text_part("early"), TURN_COMPLETE]
            secure.sendall(b"".join(held_back) + b"".join(frame(BINARY, each) for each in early))
            while secure.recv(65_536):
                continue

    with raw_server(handler) as url:
        client = client_of(url.replace("http://127.0.0.1", "https://localhost"))
        with client.live.connect(model=MODEL, timeout=PATIENCE) as session:
            assert session.collect(PATIENCE).text == "early"
            session.close(timeout=0.1)


# TLS in TLS


@contextmanager
def tls_in_tls() -> Iterator[tuple[TlsInTls, ssl.SSLSocket, ssl.SSLObject, tuple[ssl.MemoryBIO, ssl.MemoryBIO]]]:
    """Both ends of such a connection: the client's socket; the server's outer socket, inner object and its memory."""
    server_context, client_context = served(), ssl.create_default_context()
    AUTHORITY.configure_trust(client_context)
    near, far = tcp_pair()
    arrived, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner_far = server_context.wrap_bio(arrived, leaving, server_side=True)
    outer_far: list[ssl.SSLSocket] = []

    def serve() -> None:
        outer_far.append(server_context.wrap_socket(far, server_side=True))
        while True:
            try:
                inner_far.do_handshake()
            except ssl.SSLWantReadError:
                outer_far[0].sendall(leaving.read())
                arrived.write(outer_far[0].recv(65_536))
            else:
                outer_far[0].sendall(leaving.read())
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    near.settimeout(PATIENCE)
    outer_near = client_context.wrap_socket(near, server_hostname="localhost")
    with TlsInTls(outer_near, client_context, "localhost") as sock:
        sock.settimeout(PATIENCE)
        sock.do_handshake()
        thread.join(PATIENCE)
        with outer_far[0]:
            yield sock, outer_far[0], inner_far, (arrived, leaving)


def test_without_blocking_it_raises_what_an_ssl_socket_raises() -> None:
    with tls_in_tls() as (sock, far, inner, (arrived, _)):
        sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            while True:
                sock.recv(10)
        data, sent = os.urandom(4_000_000), 0
        with pytest.raises(ssl.SSLWantWriteError):
            while True:
                sent += sock.send(data[sent:])
        with pytest.raises(ssl.SSLWantWriteError):
            sock.send(data[sent:])
        got = b""
        far.settimeout(PATIENCE)
        while len(got) < len(data):
            try:
                got += inner.read(65_536)
            except ssl.SSLWantReadError:
                # Room was made: the same bytes again, as OpenSSL wants it.
                try:
                    while sent < len(data):
                        sent += sock.send(data[sent : sent + 100_000])
                except ssl.SSLWantWriteError:
                    pass
                arrived.write(far.recv(65_536))
        assert got == data


def test_many_records_in_one_are_all_pending() -> None:
    with tls_in_tls() as (sock, far, inner, (_, leaving)):
        for number in range(50):
            inner.write(b"%03d" % number)
        far.sendall(leaving.read())
        assert [sock.recv(65_536) for _ in range(50)] == [b"%03d" % number for number in range(50)]


def test_the_end_is_the_end_however_it_comes() -> None:
    with tls_in_tls() as (sock, far, inner, (_, leaving)):
        inner.write(b"last")
        far.sendall(leaving.read())
        far.shutdown(socket.SHUT_RDWR)
        assert sock.recv(10) == b"last"
        assert sock.recv(10) == b""
    with tls_in_tls() as (sock, far, inner, (_, leaving)):
        with pytest.raises(ssl.SSLWantReadError):
            inner.unwrap()
        far.sendall(leaving.read())
        assert sock.recv(10) == b""


def test_closing_closes_both_layers_and_shutting_down_reaches_the_peer() -> None:
    with tls_in_tls() as (sock, far, _, _):
        tcp.shut_down(sock)
        far.settimeout(PATIENCE)
        assert far.recv(10) == b""
        outer = sock._outer
        sock.close()
        assert (sock.fileno(), outer.fileno()) == (-1, -1)


def test_a_socks_proxy_hands_over_a_plain_socket() -> None:
    with live_server(wait_until_closed) as url, socks5_proxy() as proxy:
        websocket = dialler_to(url.replace("http", "ws"), proxy=proxy.url).open(Deadline(PATIENCE), lambda: None).websocket
        assert type(websocket.sock) is socket.socket
        websocket.sock.close()
