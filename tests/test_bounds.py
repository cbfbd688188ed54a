"""Nothing waits without a bound: connecting, sending, receiving and closing return within their limit, whatever the peer does."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Client, Session, errors
from genai_live._connection.protocol import Sent
from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.dial import Dialler, Plan
from genai_live._network.rest import request_deadline
from genai_live._secret import Secret
from genai_live.errors import Phase
from genai_live.live import Live
from genai_live.types import HttpOptions
from tests.raw_peer import BINARY, PING, TEXT, Door, Peer, beside, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, live_server, refusing, text_part
from tests.waiting import stalls_in, until

LIMIT = 0.3
"""Seconds that a call is given where it must use them up."""
PROMISED = 0.5
"""Seconds that a call may take beyond its limit."""
LOADED = 3.0
"""Seconds that a busy machine may add. What is without a bound does not return in PATIENCE either."""
FULL = bytes(4_000_000)
"""More than the buffers of both sides hold."""


@contextmanager
def returns_within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds + PROMISED + LOADED


# Connecting.


def drip(peer: Peer, data: bytes, stop: threading.Event) -> None:
    """Sends for ever, and never enough: a timeout for each call, instead of for all, would never pass."""
    while not stop.wait(0.02):
        peer.send(data)


def stall_tls(entrance: Door, stop: threading.Event) -> None:
    entrance.accept_tcp()


def stall_upgrade(entrance: Door, stop: threading.Event) -> None:
    entrance.accept()


def drip_upgrade(entrance: Door, stop: threading.Event) -> None:
    peer = entrance.accept()
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nX-Padding: ")
    drip(peer, b"x", stop)


def drip_refusal(entrance: Door, stop: threading.Event) -> None:
    peer = entrance.accept()
    peer.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000\r\n\r\n")
    drip(peer, b"x", stop)


def stall_setup(entrance: Door, stop: threading.Event) -> None:
    entrance.accept().upgrade()


def drip_setup(entrance: Door, stop: threading.Event) -> None:
    peer = entrance.accept()
    peer.upgrade()
    drip(peer, frame(PING) + frame(BINARY, text_part("not yet")), stop)


STALLS: dict[str, tuple[Callable[[Door, threading.Event], None], Phase, bool]] = {
    "TLS": (stall_tls, Phase.TLS, True),
    "upgrade": (stall_upgrade, Phase.UPGRADE, False),
    "upgrade over TLS": (stall_upgrade, Phase.UPGRADE, True),
    "an upgrade that comes byte by byte": (drip_upgrade, Phase.UPGRADE, False),
    "setup": (stall_setup, Phase.SETUP, False),
    "setup over TLS": (stall_setup, Phase.SETUP, True),
    "a setup that never completes": (drip_setup, Phase.SETUP, False),
}


@pytest.mark.waits
@pytest.mark.parametrize("name", STALLS)
def test_a_stall_in_any_phase_of_connecting_ends_in_time_and_is_named(name: str) -> None:
    stall, phase, tls = STALLS[name]

    def connect(limit: float) -> None:
        stop = threading.Event()
        with door(tls=tls) as entrance:
            stalling = beside(stall, entrance, stop)
            try:
                with returns_within(limit):
                    client_of(entrance.url).live.connect(model=MODEL, timeout=limit)
            finally:
                stop.set()
                stalling.exception(PATIENCE)

    check_told(stalls_in(phase, connect))


@pytest.mark.waits
def test_a_refusal_whose_body_never_ends_is_told_in_time() -> None:
    stop = threading.Event()
    with door() as entrance:
        client = client_of(entrance.url)

        def connect() -> None:
            with returns_within(LIMIT), pytest.raises(errors.ConnectError):
                client.live.connect(model=MODEL, timeout=LIMIT)

        connecting = beside(connect)
        refusing = beside(drip_refusal, entrance, stop)
        connecting.result(PATIENCE)
        stop.set()
        refusing.exception(PATIENCE)


def connect_in_time(client: Client, phase: Phase) -> None:
    with returns_within(LIMIT), pytest.raises(errors.ConnectTimeout) as raised:
        client.live.connect(model=MODEL, timeout=LIMIT)
    assert raised.value.phase is phase
    check_told(raised.value)


def check_told(error: errors.ConnectTimeout) -> None:
    assert str(error.phase) in str(error)
    assert ("no setupComplete came" in str(error)) == (error.phase is Phase.SETUP)  # other messages may have come
    assert isinstance(error, TimeoutError)


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def never(*arguments: Any, **named: Any) -> list[Any]:
        answered.wait(PATIENCE)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        connect_in_time(client_of("http://nowhere.example"), Phase.NAME_LOOKUP)
    finally:
        answered.set()


@pytest.mark.waits
def test_credentials_that_do_not_come_are_not_waited_for() -> None:
    asked, answered = threading.Event(), threading.Event()

    class Slow:
        def headers(self, deadline: object) -> dict[str, Any]:
            asked.set()
            answered.wait(PATIENCE)
            return {}

    client = client_of("http://127.0.0.1:9")
    with returns_within(LIMIT), pytest.raises(errors.ConnectTimeout) as raised:
        Live(client._api_client, Slow()).connect(model=MODEL, timeout=LIMIT)
    answered.set()
    assert asked.is_set()
    assert raised.value.phase is Phase.CREDENTIALS


@pytest.mark.waits
def test_a_proxy_that_does_not_answer_is_not_waited_for() -> None:
    with door() as proxy:
        client = client_of("http://service.example", proxy=proxy.url)
        connect_in_time(client, Phase.PROXY)


@pytest.mark.waits
def test_a_setup_larger_than_the_peer_takes_ends_in_time() -> None:
    config = {"system_instruction": "x" * 8_000_000}

    def connect(limit: float) -> None:
        with door(receive_buffer=4096) as entrance:
            upgrading = beside(lambda: entrance.accept().upgrade())
            try:
                with returns_within(limit):
                    client_of(entrance.url).live.connect(model=MODEL, config=config, timeout=limit)
            finally:
                upgrading.exception(PATIENCE)

    stalls_in(Phase.SETUP, connect)


# Asking for a token.


def stall_answer(entrance: Door, stop: threading.Event) -> None:
    entrance.accept()
    stop.wait(PATIENCE)


def drip_head(entrance: Door, stop: threading.Event) -> None:
    peer = entrance.accept()
    peer.send(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    drip(peer, b"x", stop)


def drip_answer(entrance: Door, stop: threading.Event) -> None:
    peer = entrance.accept()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    drip(peer, b" ", stop)


@pytest.mark.waits
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("stall", [stall_tls, stall_answer, drip_head, drip_answer])
def test_a_token_that_does_not_come_is_not_waited_for_and_leaves_nothing(
    stall: Callable[[Door, threading.Event], None], tls: bool
) -> None:
    stop = threading.Event()
    with door(tls=tls) as entrance:
        stalling = beside(stall, entrance, stop)
        client = client_of(entrance.url, timeout=LIMIT * 1000)
        with returns_within(LIMIT), pytest.raises(errors.ConnectTimeout, match=r"http_options\.timeout"):
            client.auth_tokens.create()
        until(lambda: not [thread for thread in threading.enumerate() if thread.name == "genai-live-rest"])
        stop.set()
        stalling.exception(PATIENCE)


@pytest.mark.parametrize("stall", [stall_tls, stall_answer, drip_head, drip_answer])
def test_nor_does_a_token_leave_anything_where_shutting_a_socket_down_wakes_nobody(
    stall: Callable[[Door, threading.Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows (python/cpython#91913); and Ctrl-C, or whatever else ends the call, comes long before the limit."""
    monkeypatch.setattr(tcp, "shut_down", lambda sock: None)
    stop = threading.Event()
    with door(tls=True) as entrance:
        stalling = beside(stall, entrance, stop)
        monkeypatch.setattr(Deadline, "wait", interrupted_when(lambda: entrance.was_entered))
        with pytest.raises(KeyboardInterrupt):
            client_of(entrance.url, timeout=PATIENCE * 10_000).auth_tokens.create()
        until(lambda: not [thread for thread in threading.enumerate() if thread.name == "genai-live-rest"])
        stop.set()
        stalling.exception(PATIENCE)


def interrupted_when(true: Callable[[], object]) -> Callable[[Deadline, threading.Event], bool]:
    """A wait that Ctrl-C ends at a certain moment."""

    def wait(deadline: Deadline, event: threading.Event) -> bool:
        until(true)
        raise KeyboardInterrupt

    return wait


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 30}, r"within 0\.03 s: http_options\.timeout is 30, in milliseconds\. Raise it"),
        ({"timeout": 3}, r"within 0\.003 s: http_options\.timeout is 3, in milliseconds\. Raise it"),
        ({"timeout": 0.5}, r"within 0\.0005 s: http_options\.timeout is 0\.5, in milliseconds\. Raise it"),
    ],
)
def test_a_time_that_was_meant_in_seconds_is_told_with_its_unit_and_its_setting(options: dict[str, Any], words: str) -> None:
    with door() as entrance:
        with pytest.raises(errors.ConnectTimeout, match=words):
            client_of(entrance.url, **options).auth_tokens.create()
        api_client = client_of(entrance.url, **options)._api_client
        endpoint = api_client.live_endpoint()
        plan = Plan(Secret(endpoint.url), endpoint.safe_url, lambda deadline: {}, b"", api_client.options)
        with pytest.raises(errors.ConnectTimeout, match=words):
            Dialler(plan).open(api_client.request_deadline(), lambda: None)
        with pytest.raises(errors.ConnectTimeout, match=words):
            client_of(entrance.url, **options).live.connect(model=MODEL, timeout=PATIENCE)


def test_the_default_of_a_token_request_is_told_with_its_unit_too() -> None:
    assert "http_options.timeout, in milliseconds, is 30000 where it is not set" in request_deadline(HttpOptions(), 30.0).advice


def test_a_token_server_whose_name_is_not_found_out_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def never(*arguments: Any, **named: Any) -> list[Any]:
        answered.wait(PATIENCE)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        with returns_within(LIMIT), pytest.raises(errors.ConnectTimeout):
            client_of("http://nowhere.example", timeout=LIMIT * 1000).auth_tokens.create()
    finally:
        answered.set()


def test_an_answer_without_an_end_is_not_read_for_ever() -> None:
    def flood(entrance: Door) -> None:
        peer = entrance.accept()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            peer.send(b" " * 100_000)

    with door() as entrance:
        flooding = beside(flood, entrance)
        with pytest.raises(errors.APIError, match="other than a JSON object") as raised:
            client_of(entrance.url).auth_tokens.create()
        assert isinstance(flooding.exception(PATIENCE), ConnectionError)
        assert len(raised.value.body) < 2_000_000


# Sending to a peer that stopped reading.


def fill(session: Session) -> None:
    while True:
        session.send_realtime_input(audio=FULL)


@pytest.mark.waits
@pytest.mark.parametrize("tls", [False, True])
def test_every_sender_to_a_peer_that_does_not_read_returns_in_time_with_the_same_end(tls: bool) -> None:
    with opened(tls=tls, receive_buffer=4096, http_options={"write_timeout": LIMIT}) as (session, _):
        with returns_within(2 * LIMIT):  # a sender that began while another was waiting has its own limit
            senders = [beside(fill, session) for _ in range(4)]
            ends = [sender.exception(PATIENCE) for sender in senders]
        assert all(isinstance(end, errors.ConnectionLost) and end.close_info is session.close_info for end in ends)


@pytest.mark.waits
def test_ask_spends_its_timeout_on_sending_and_the_session_lives_on() -> None:
    with opened(receive_buffer=4096) as (session, peer):
        with returns_within(LIMIT), pytest.raises(errors.ReceiveTimeout, match="does not read"):
            session.ask([{"inline_data": {"data": FULL, "mime_type": "image/png"}}], timeout=LIMIT)
        later = beside(session.ask, "and now?", PATIENCE)
        peer.read_message()  # what was begun has come whole
        assert peer.read_message() == {"realtimeInput": {"text": "and now?"}}
        peer.send(frame(BINARY, TURN_COMPLETE))
        later.result(PATIENCE)


@pytest.mark.waits
def test_finish_spends_its_timeout_on_sending_too() -> None:
    with opened(receive_buffer=4096) as (session, _):
        beside(fill, session)
        until(lambda: session._sound.unsent_bytes() > 0)
        session._protocol.sound.sent = True
        with returns_within(LIMIT + 0.1):
            session.finish(timeout=LIMIT)
        assert session.close_info is not None


# Closing.


def is_left_alone(session: Session, peer: Peer) -> None:
    pass


def has_a_receiver(session: Session, peer: Peer) -> None:
    beside(list, session)


def has_a_sender_that_waits(session: Session, peer: Peer) -> None:
    beside(fill, session)
    until(lambda: session._sound.unsent_bytes() > 0)


def has_a_full_queue(session: Session, peer: Peer) -> None:
    beside(flood, peer)
    until(lambda: session._connection.delivery.paused)


def flood(peer: Peer) -> None:
    while True:
        peer.send(frame(BINARY, text_part("x" * 10_000)))


SITUATIONS = {each.__name__: each for each in (is_left_alone, has_a_receiver, has_a_sender_that_waits, has_a_full_queue)}
QUIET = {"write_timeout": PATIENCE, "queue_bytes": 50_000}


def at_once(session: Session) -> None:
    others = [beside(session.close, LIMIT) for _ in range(5)]
    session.close(LIMIT)
    for other in others:
        other.result(PATIENCE)


def again(session: Session) -> None:
    for _ in range(3):
        session.close(LIMIT)


CLOSINGS: dict[str, Callable[[Session], object]] = {
    "close": lambda session: session.close(LIMIT),
    "close without patience": lambda session: session.close(0),
    "close again and again": again,
    "close by six threads at once": at_once,
    "finish": lambda session: session.finish(timeout=LIMIT),
}


OVER_TLS = ("close", "close by six threads at once")


@pytest.mark.waits
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(
    ("closing", "tls", "shared_reader"),
    [*((each, False, False) for each in CLOSINGS), *((each, True, False) for each in OVER_TLS), ("close", False, True)],
)
def test_closing_beside_a_mute_peer_returns_in_time(closing: str, situation: str, tls: bool, shared_reader: bool) -> None:
    with opened(tls=tls, receive_buffer=4096, shared_reader=shared_reader, http_options=QUIET) as (session, peer):
        SITUATIONS[situation](session, peer)
        with returns_within(LIMIT):
            CLOSINGS[closing](session)
        assert session.close_info is not None
        until(session._connection._connection.ended.is_set)


@pytest.mark.waits
def test_leaving_the_with_block_beside_a_mute_peer_takes_the_default_limit() -> None:
    with opened() as (session, _), returns_within(2.0), session:
        beside(list, session)


@pytest.mark.waits
@pytest.mark.parametrize("situation", SITUATIONS)
def test_abort_never_blocks(situation: str) -> None:
    with opened(receive_buffer=4096, http_options=QUIET) as (session, peer):
        SITUATIONS[situation](session, peer)
        with returns_within(0.0):
            session._connection.abort()
        assert session._connection._connection.ended.wait(PATIENCE)


@pytest.mark.waits
def test_a_sender_that_waits_is_told_of_the_close_by_another_thread() -> None:
    with opened(receive_buffer=4096, http_options=QUIET) as (session, _):
        sending = beside(fill, session)
        until(lambda: session._sound.unsent_bytes() > 0)
        session.close(LIMIT)
        error = sending.exception(PATIENCE)
        assert isinstance(error, errors.SessionClosed)
        assert error.close_info is session.close_info


@pytest.mark.waits
def test_close_in_a_callback_while_a_sender_waits_ends_both() -> None:
    held: list[Session] = []
    took: list[float] = []
    ready = threading.Event()

    def on_message(_: object) -> None:
        ready.wait(PATIENCE)
        started = time.monotonic()
        held[0].close(LIMIT)
        took.append(time.monotonic() - started)

    with opened(receive_buffer=4096, http_options=QUIET, callbacks={"on_message": on_message}) as (session, peer):
        held.append(session)
        sending = beside(fill, session)
        until(lambda: session._sound.unsent_bytes() > 0)
        peer.send(frame(BINARY, text_part("now")))
        ready.set()
        assert isinstance(sending.exception(PATIENCE), errors.SessionClosed)
        assert session._connection._connection.ended.wait(PATIENCE)
        assert took[0] < LIMIT + PROMISED + LOADED


@pytest.mark.waits
@pytest.mark.parametrize("receiver", ["iteration", "receive", "collect"])
def test_close_and_a_receiver_return_while_a_callback_still_runs(receiver: str) -> None:
    waiting: Callable[[Session], object] = {
        "iteration": list,
        "receive": lambda s: list(s.receive()),
        "collect": lambda s: s.collect(),
    }[receiver]
    inside, release = threading.Event(), threading.Event()

    def on_message(_: object) -> None:
        inside.set()
        release.wait(PATIENCE)

    with opened(callbacks={"on_message": on_message}) as (session, peer):
        peer.send(frame(BINARY, text_part("x")))
        assert inside.wait(PATIENCE)
        receiving = beside(waiting, session)
        with returns_within(LIMIT):
            session.close(LIMIT)
            error = receiving.exception(PATIENCE)
        assert error is None or isinstance(error, errors.SessionClosed)
        assert not release.is_set()
        release.set()
        assert session._connection._connection.ended.wait(PATIENCE)


@pytest.mark.waits
@pytest.mark.parametrize("callback", ["on_message", "on_error", "on_close"])
@pytest.mark.parametrize("on_executor", [False, True])
def test_close_in_every_callback_returns(callback: str, on_executor: bool) -> None:
    held: list[Session] = []
    ready, closed = threading.Event(), threading.Event()

    def close(_: object) -> None:
        ready.wait(PATIENCE)
        held[0].close(LIMIT)
        closed.set()

    with ThreadPoolExecutor(1) as pool:
        callbacks = {callback: close, "executor": pool if on_executor else None}
        with opened(callbacks=callbacks) as (session, peer):
            held.append(session)
            peer.send(frame(BINARY, text_part("x")) + frame(BINARY, b"not JSON"))
            if callback == "on_close":
                peer.end()
            ready.set()
            assert closed.wait(PATIENCE)
            assert session._connection._connection.ended.wait(PATIENCE)


@pytest.mark.waits
def test_sessions_that_close_each_other_in_their_callbacks_do_not_wait_for_ever() -> None:
    held: list[Session] = []
    both = threading.Barrier(2)
    done = threading.Semaphore(0)

    def closes(other: int) -> Callable[[object], None]:
        def on_message(_: object) -> None:
            both.wait(PATIENCE)
            held[other].close(LIMIT)
            done.release()

        return on_message

    with opened(callbacks={"on_message": closes(1)}) as (a, peer_a), opened(callbacks={"on_message": closes(0)}) as (b, peer_b):
        held.extend((a, b))
        peer_a.send(frame(BINARY, text_part("x")))
        peer_b.send(frame(BINARY, text_part("x")))
        assert done.acquire(timeout=PATIENCE)
        assert done.acquire(timeout=PATIENCE)


def everything(session: Session) -> list[object]:
    return list(session)


def test_a_hundred_receivers_learn_of_a_close_by_another_thread() -> None:
    with door() as entrance:
        client = client_of(entrance.url)
        for _ in range(100):
            connecting = beside(client.live.connect, model=MODEL)
            peer = entrance.accept()
            peer.open()
            session = connecting.result(PATIENCE)
            receiving = beside(everything, session)
            closing = beside(session.close, PATIENCE)
            peer.read_close()
            peer.send(frame(8, b"\x03\xe8"))
            closing.result(PATIENCE)
            assert receiving.result(PATIENCE) == []


@pytest.mark.waits
def test_close_before_there_is_a_socket_gives_the_attempt_up() -> None:
    asked = threading.Event()
    seen: list[Any] = []

    def factory(url: str, headers: object, timeout: float | None) -> Any:
        asked.set()
        stop.wait(PATIENCE)
        raise OSError("given up")

    stop = threading.Event()
    live = Live(client_of("http://127.0.0.1:9")._api_client, websocket_factory=factory)
    connecting = beside(live.connect, model=MODEL, callbacks={"on_close": seen.append}, timeout=LIMIT)
    assert asked.wait(PATIENCE)
    with pytest.raises(errors.ConnectTimeout):
        connecting.result(PATIENCE)
    stop.set()
    until(lambda: len(seen) == 1)


@pytest.mark.waits
def test_close_without_a_limit_ends_with_the_limit_of_silence() -> None:
    limit = 1.5  # holds for the answer to the setup too, which may take a moment on a busy machine
    with opened(http_options={"ping_interval": limit / 4, "silence_limit": limit}) as (session, _), returns_within(limit):
        session.close(timeout=None)


@pytest.mark.parametrize("limit", [float("inf"), 1e300, 1e12])
def test_limits_beyond_what_the_system_can_wait_are_no_limits(limit: float) -> None:
    limits: dict[str, Any] = dict.fromkeys(("ping_interval", "silence_limit", "write_timeout"), limit)
    with live_server() as url, client_of(url, **limits).live.connect(model=MODEL, timeout=limit) as session:
        assert session.ask("Hello", timeout=limit).text == "Hello"
        session.finish(timeout=limit)


# Nothing is left behind.


def resources() -> tuple[int, int]:
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    return threading.active_count(), descriptors


def settled(before: tuple[int, int]) -> bool:
    now = resources()
    return now[0] <= before[0] and now[1] <= before[1]


def growth(rounds: int, once: Callable[[], object]) -> int:
    """Bytes that tracemalloc counts more after ``rounds`` than before, beside threads and descriptors that must be gone."""
    for _ in range(20):
        once()
    gc.collect()
    before, trace = resources(), threading.gettrace()
    threading.settrace(None)  # coverage keeps something of each thread that it follows
    tracemalloc.start()
    try:
        once()
        gc.collect()
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(rounds):
            once()
        until(lambda: settled(before))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
        threading.settrace(trace)


ALLOWED = 200_000
"""Bytes for sixty rounds: what leaks a session's queue, error or thread once in a round is well beyond."""


def test_sessions_leave_no_thread_no_descriptor_and_no_memory() -> None:
    with live_server() as url:
        client = client_of(url)
        assert growth(60, lambda: client.live.connect(model=MODEL).close()) < ALLOWED


def test_a_question_that_nobody_waited_for_is_not_kept_once_it_is_out() -> None:
    with opened() as (session, peer):

        def ask() -> None:
            session._connection.send(b'{"realtimeInput":{"text":"%b"}}' % (b"x" * 50_000), Sent.QUESTION, wait=False)
            peer.read_message()

        assert growth(60, ask) < ALLOWED


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("then", [b"HTTP/1.1 503 No\r\n\r\n", b"", TEXT.to_bytes(1, "big") * 40])
def test_connects_that_fail_leave_no_thread_no_descriptor_and_no_memory(then: bytes, tls: bool) -> None:
    with door(tls=tls) as entrance:
        client = client_of(entrance.url)

        def fail() -> None:
            connecting = beside(attempt)
            peer = entrance.accept()
            peer.socket.recv(65_536)
            peer.send(then)
            peer.end()
            entrance.forget()
            connecting.result(PATIENCE)

        def attempt() -> None:
            with pytest.raises(errors.ConnectError):
                client.live.connect(model=MODEL)

        assert growth(60, fail) < ALLOWED


def test_a_refused_port_leaves_nothing() -> None:
    with refusing() as url:
        client = client_of(url)

        def fail() -> None:
            with pytest.raises(errors.ConnectError):
                client.live.connect(model=MODEL)

        assert growth(60, fail) < ALLOWED
