"""Keepalive kills no healthy link and finds every dead one: the decisions alone, then links that are slow, or gone."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import sys
import threading
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_live import Client, Session, errors
from genai_live._connection.keepalive import KeepAlive, Need
from genai_live._network.options import ConnectionOptions
from genai_live._network.transport import TransportLost
from tests.processes import ROOT
from tests.raw_peer import BINARY, PING, PONG, TEXT, Peer, beside, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, text_part
from tests.waiting import until

# Decisions.


def by_default() -> KeepAlive:
    options = ConnectionOptions()
    return KeepAlive(options.ping_interval, options.silence_limit)


def test_a_ping_is_due_after_the_interval_without_any_byte_and_only_then() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(100.0)
    assert keepalive.look(119.9) == (Need.NOTHING, 120.0)
    assert keepalive.look(120.0)[0] is Need.PING
    assert keepalive.look(120.1)[0] is Need.NOTHING


def test_any_byte_puts_the_ping_off() -> None:
    keepalive = KeepAlive(20, 60)
    for second in range(0, 1000, 19):
        keepalive.heard(float(second))
        assert keepalive.look(second + 18.0)[0] is Need.NOTHING


def test_a_server_that_streams_and_never_pongs_is_alive() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(0.0)
    assert keepalive.look(20.0)[0] is Need.PING
    for second in range(21, 1000):
        keepalive.heard(float(second))
        assert keepalive.look(second + 0.5)[0] is Need.NOTHING


def test_pongs_that_come_thirty_seconds_late_are_tolerated_by_default() -> None:
    keepalive = by_default()
    keepalive.heard(0.0)
    now = 0.0
    for _ in range(10):
        now += 20.0
        assert keepalive.look(now)[0] is Need.PING
        assert keepalive.look(now + 29.9)[0] is Need.NOTHING
        now += 30.0
        keepalive.heard(now)


def test_silence_after_a_ping_ends_the_connection_at_the_limit() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(0.0)
    assert keepalive.look(20.0) == (Need.PING, 40.0)
    assert keepalive.look(40.0) == (Need.NOTHING, 60.0)
    assert keepalive.look(59.9)[0] is Need.NOTHING
    assert keepalive.look(60.0)[0] is Need.END


def test_a_process_that_was_stopped_gives_the_server_its_time_to_answer() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(0.0)
    assert keepalive.look(10_000.0) == (Need.PING, 10_020.0)
    assert keepalive.look(10_020.0) == (Need.NOTHING, 10_040.0)
    assert keepalive.look(10_040.0)[0] is Need.END


def test_a_process_that_was_stopped_while_a_ping_was_out_gives_the_server_that_time_again() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(0.0)
    assert keepalive.look(20.0) == (Need.PING, 40.0)
    assert keepalive.look(10_000.0) == (Need.NOTHING, 10_020.0), "nobody could hear a pong since 20.0"
    assert keepalive.look(10_020.0)[0] is Need.NOTHING
    assert keepalive.look(10_040.0)[0] is Need.END


def test_without_an_interval_half_of_the_limit_has_to_do() -> None:
    keepalive = KeepAlive(float("inf"), 60)
    keepalive.heard(0.0)
    assert keepalive.look(29.0) == (Need.NOTHING, 30.0)
    assert keepalive.look(30.0)[0] is Need.PING
    assert keepalive.look(60.0)[0] is Need.END


def test_without_a_limit_nothing_ends() -> None:
    keepalive = KeepAlive(20, None)
    keepalive.heard(0.0)
    assert keepalive.look(20.0)[0] is Need.PING
    assert keepalive.look(1e9)[0] is Need.NOTHING
    assert KeepAlive(None, None).look(1e9)[0] is Need.NOTHING


def test_a_reader_that_was_paused_blames_nobody() -> None:
    keepalive = KeepAlive(20, 60)
    keepalive.heard(0.0)
    keepalive.look(20.0)
    keepalive.excuse(500.0)
    assert keepalive.look(500.0)[0] is Need.NOTHING
    now = 500.0
    while (looked := keepalive.look(now))[0] is not Need.END:
        now = looked[1]
    assert now >= 560.0


@given(
    st.floats(0.1, 100),
    st.floats(0.1, 100),
    st.lists(st.tuples(st.sampled_from(["look", "heard", "excuse"]), st.floats(0.001, 200)), max_size=40),
)
def test_only_a_ping_that_had_its_time_and_a_silence_as_long_as_the_limit_end_a_connection(
    interval: float, limit: float, steps: list[tuple[str, float]]
) -> None:
    keepalive = KeepAlive(interval, limit)
    now = last_byte = 1000.0
    pinged_at = None
    keepalive.heard(now)
    for step, pause in steps:
        now += pause
        if step == "heard":
            keepalive.heard(now)
            last_byte, pinged_at = now, None
        elif step == "excuse":
            keepalive.excuse(now)
            last_byte = now
        else:
            need, look_again = keepalive.look(now)
            assert look_again >= now
            if need is Need.PING:
                assert pinged_at is None
                pinged_at = now
            elif need is Need.END:
                assert pinged_at is not None
                assert now - last_byte >= limit - 1e-6
                assert now - pinged_at >= limit - keepalive.ping_after - 1e-6
                return


# Links that are slow, and live.

SHORT = {"ping_interval": 0.1, "silence_limit": 1.4}
"""Seconds; what a test does beside them takes longer than the limit, so that a wrong decision would be seen."""
LONGER = 2.2
"""Seconds: well over the limit."""
A_MOMENT = 0.3
"""Seconds in which a wrong decision about what has just been is seen."""


@contextmanager
def answering(session: Session, peer: Peer) -> Iterator[list[int]]:
    """A peer that answers pings; gives the list of what it got."""
    got: list[int] = []
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            opcode, payload = peer.read_frame()
            got.append(opcode)
            if opcode == PING:
                peer.send(frame(PONG, payload))

    answers = beside(answer)
    try:
        yield got
    finally:
        stop.set()
        session.close(0.1)
        answers.exception(PATIENCE)


def live_for(seconds: float, session: Session) -> None:
    """Waits, and finds the session open."""
    assert not session._connection._connection.ended.wait(seconds), session.close_info


@pytest.mark.waits
def test_an_idle_link_whose_peer_pongs_stays_open_and_a_turn_goes_on_after_it() -> None:
    with opened(http_options=SHORT) as (session, peer), answering(session, peer) as got:
        live_for(LONGER, session)
        assert got.count(PING) >= 3
        asking = beside(session.ask, "still there?", PATIENCE)
        until(lambda: TEXT in got)
        peer.send(frame(BINARY, text_part("yes")) + frame(BINARY, TURN_COMPLETE))
        assert asking.result(PATIENCE).text == "yes"


@pytest.mark.waits
def test_a_link_with_traffic_is_not_pinged() -> None:
    with opened(http_options={"ping_interval": 5.0}) as (session, peer), answering(session, peer) as got:
        for _ in range(20):
            peer.send(frame(BINARY, text_part("x")))
            live_for(0.02, session)
        assert PING not in got


@pytest.mark.waits
def test_a_server_that_streams_and_ignores_pings_stays_connected() -> None:
    with opened(http_options=SHORT) as (session, peer):
        for _ in range(40):
            peer.send(frame(BINARY, text_part("x")))
            live_for(0.05, session)


@pytest.mark.waits
def test_bytes_of_one_long_message_count_as_life() -> None:
    whole = frame(BINARY, text_part("x" * 400_000))
    with opened(http_options=SHORT) as (session, peer):
        for piece in range(0, len(whole), len(whole) // 40):
            peer.send(whole[piece : piece + len(whole) // 40])
            live_for(0.05, session)
        assert len(next(iter(session)).text or "") == 400_000


@pytest.mark.waits
def test_a_callback_that_takes_longer_than_the_limit_kills_nothing() -> None:
    done = threading.Event()

    def on_message(_: object) -> None:
        threading.Event().wait(LONGER)
        done.set()

    with opened(http_options=SHORT, callbacks={"on_message": on_message}) as (session, peer), answering(session, peer):
        peer.send(frame(BINARY, text_part("x")))
        assert done.wait(PATIENCE)
        live_for(A_MOMENT, session)
        assert session.stats.slow_callbacks == 1


@pytest.mark.waits
def test_a_consumer_that_stops_for_longer_than_the_limit_loses_nothing() -> None:
    count = 300
    with opened(http_options={**SHORT, "queue_bytes": 20_000}, receive_buffer=4096) as (session, peer):
        sending = beside(send_all, peer, [frame(BINARY, text_part(f"{n}" + "x" * 5000)) for n in range(count)])
        live_for(LONGER, session)
        assert session.stats.waiting_bytes < 2_000_000
        received = [int((message.text or "").rstrip("x")) for _, message in zip(range(count), session, strict=False)]
        assert received == list(range(count))
        sending.result(PATIENCE)


def send_all(peer: Peer, frames: list[bytes]) -> None:
    for each in frames:
        peer.send(each)


@pytest.mark.waits
def test_another_session_of_a_shared_reader_that_takes_long_kills_nothing() -> None:
    inside, done = threading.Event(), threading.Event()

    def on_message(_: object) -> None:
        inside.set()
        threading.Event().wait(LONGER)
        done.set()

    with door() as entrance:
        client = Client(api_key="k", http_options={"base_url": entrance.url, **SHORT}, shared_reader=True)
        connecting = beside(client.live.connect, model=MODEL, callbacks={"on_message": on_message})
        slow_peer = entrance.accept()
        slow_peer.open()
        slow = connecting.result(PATIENCE)
        connecting = beside(client.live.connect, model=MODEL)
        peer = entrance.accept()
        peer.open()
        other = connecting.result(PATIENCE)
        with answering(slow, slow_peer):
            assert peer.read_frame()[0] == PING
            slow_peer.send(frame(BINARY, text_part("x")))
            assert inside.wait(PATIENCE)
            peer.send(frame(PONG))  # it answers in time, and for a while nobody is there to read it
            with answering(other, peer):
                assert done.wait(PATIENCE)
                live_for(A_MOMENT, other)


PEER_IN_ANOTHER_PROCESS = """
import sys
from tests.raw_peer import *
with door() as entrance:
    print(entrance.url, flush=True)
    peer = entrance.accept()
    peer.open()
    peer.answer_pings_until(threading.Event())
"""


def hold_the_lock(seconds: float) -> None:
    """sum() over a range is one call into C: it lets no other thread run until it is done."""
    a_million = min(timeit.repeat(lambda: sum(range(1_000_000)), number=1, repeat=3))
    sum(range(int(seconds / a_million * 1_000_000)))


def test_a_lock_of_the_interpreter_held_by_another_thread_kills_nothing() -> None:
    command = [sys.executable, "-c", PEER_IN_ANOTHER_PROCESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            options: dict[str, Any] = {"ping_interval": 0.1, "silence_limit": 0.7}
            with client_of(process.stdout.readline().strip(), **options).live.connect(model=MODEL) as session:
                hold_the_lock(2 * options["silence_limit"])
                live_for(A_MOMENT, session)
        finally:
            process.kill()


# Links that are dead.


@pytest.mark.waits
def test_a_peer_that_went_silent_is_found_in_receive_and_never_told_as_the_servers_close() -> None:
    with opened(http_options=SHORT) as (session, _):
        receiving = beside(session.collect)
        error = receiving.exception(PATIENCE)
        assert isinstance(error, errors.ConnectionLost)
        assert (error.code, error.sent_by) == (1006, errors.SentBy.NETWORK)
        assert "no byte came" in error.reason
        assert error.retryable


@pytest.mark.waits
def test_a_peer_that_went_silent_is_found_in_send() -> None:
    with opened(http_options=SHORT, receive_buffer=4096) as (session, _):
        error = beside(send_for_ever, session).exception(PATIENCE)
        assert isinstance(error, errors.ConnectionLost)
        assert error.close_info is session.close_info
        assert "no byte came" in error.reason


def send_for_ever(session: Session) -> None:
    while True:
        session.send_realtime_input(audio=bytes(3200))


def test_a_ping_that_cannot_be_written_ends_the_session_as_every_loss_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    with opened(http_options={"ping_interval": 0.2}, callbacks={"on_error": seen.append}) as (session, _):

        def broken(_: bytes) -> None:
            raise TransportLost("no route to host")

        monkeypatch.setattr(session._connection.transport, "write_soon", broken)
        with pytest.raises(errors.ConnectionLost, match="writing failed: no route to host"):
            list(session)
        assert session._connection._connection.ended.wait(PATIENCE)
        assert [type(each) for each in seen] == [errors.ConnectionLost]


CABLES = itertools.count()
"""Two tests pull one, at the same time."""
NEAR, FAR = "10.213.0.1", "10.213.0.2"
NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of setns(2)."""


@contextmanager
def cable() -> Iterator[tuple[Callable[[], str], Callable[[], object]]]:
    """A peer in a network of its own, and how to pull the plug: from then on packets vanish, and nobody sends RST.

    This thread, and those that it starts, are in another: browsers break off what they load where the machine's own changes.
    """
    ip, name = shutil.which("ip"), f"gl{os.getpid()}-{next(CABLES)}"
    near, far = f"{name}-near", f"{name}-far"
    if ip is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs the right to make network namespaces")

    def run(*arguments: str) -> bool:
        return subprocess.run([ip, *arguments], capture_output=True, check=False).returncode == 0

    made = (
        run("netns", "add", near)
        and run("netns", "add", far)
        and run("-n", near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", far)
        and run("-n", near, "addr", "add", f"{NEAR}/30", "dev", "cable")
        and run("-n", near, "link", "set", "cable", "up")
        and run("-n", far, "addr", "add", f"{FAR}/30", "dev", "cable")
        and run("-n", far, "link", "set", "cable", "up")
    )
    process: subprocess.Popen[str] | None = None

    def start() -> str:
        nonlocal process
        code = PEER_IN_ANOTHER_PROCESS.replace("door()", f"door(address='{FAR}')")
        command = [ip, "netns", "exec", far, sys.executable, "-c", code]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    try:
        if not made:
            pytest.skip("this machine does not allow network namespaces")
        with in_network(near):
            yield start, lambda: subprocess.run([ip, "-n", far, "link", "set", "cable", "down"], check=True)
    finally:
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        run("netns", "del", far)
        run("netns", "del", near)


@contextmanager
def in_network(name: str) -> Iterator[None]:
    """This thread, and those that it starts, are in another network."""
    set_namespace = ctypes.CDLL(None, use_errno=True).setns
    with open("/proc/thread-self/ns/net") as before, open(f"/var/run/netns/{name}") as there:
        assert set_namespace(there.fileno(), NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert set_namespace(before.fileno(), NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.waits
@pytest.mark.parametrize("calls", ["receive", "send"])
def test_a_peer_that_vanished_without_a_word_is_found(calls: str) -> None:
    with cable() as (start, pull), client_of(start(), ping_interval=0.3, silence_limit=1.5).live.connect(model=MODEL) as session:
        live_for(A_MOMENT, session)
        calling = beside(session.collect) if calls == "receive" else beside(send_slowly, session)
        pull()
        error = calling.exception(PATIENCE)
        assert isinstance(error, errors.ConnectionLost)
        assert (error.code, error.sent_by) == (1006, errors.SentBy.NETWORK)
        assert error.close_info is session.close_info


def send_slowly(session: Session) -> None:
    while not session._connection._connection.ended.wait(0.02):
        session.send_realtime_input(audio=bytes(640))
    session.send_realtime_input(audio=bytes(640))
