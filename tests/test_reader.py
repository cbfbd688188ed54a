"""The reader's loop, with connections that misbehave: one thread that serves them all, and that none of them can kill."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from genai_live import errors
from genai_live._connection.reader import ENDED, Reader
from genai_live._deadline import Deadline
from tests.raw_peer import beside, opened
from tests.servers import MODEL, PATIENCE, client_of, live_server
from tests.waiting import until

NEVER = float("inf")


class Stub:
    """A connection that counts what the reader does with it, and does what a test says."""

    def __init__(self) -> None:
        self.socket, self.peer = socket.socketpair()
        self.socket.setblocking(False)
        self.registered = 0
        self.needs_attention = False
        self.over = False
        self.ready, self.retired, self.timed = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
        self.retirements = 0
        self.failures: list[Exception] = []
        self.do_on_ready: Callable[[], object] = lambda: None
        self.do_on_time: Callable[[float], float] = lambda now: NEVER
        self.do_on_wanted: Callable[[], object] = lambda: None
        self.dials = True

    @property
    def fileno(self) -> int:
        return self.socket.fileno()

    def dial(self, deadline: Deadline) -> bool:
        if not self.dials:
            self.socket.close()
            self.peer.close()
        return self.dials

    def on_ready(self, events: int) -> None:
        self.socket.recv(100)
        self.ready.release()
        self.do_on_ready()

    def on_time(self, now: float) -> float:
        self.timed.release()
        return self.do_on_time(now)

    def wanted(self) -> int:
        self.do_on_wanted()
        return ENDED if self.over else selectors.EVENT_READ

    def fail(self, error: Exception) -> None:
        self.failures.append(error)
        self.over = self.needs_attention = True

    def retire(self) -> None:
        self.retirements += 1
        self.socket.close()
        self.peer.close()
        self.retired.set()

    def end(self, reader: Reader) -> None:
        self.over = self.needs_attention = True
        reader.attend(self)
        assert self.retired.wait(PATIENCE)


@contextmanager
def reading(*stubs: Stub, shared: bool = True) -> Iterator[Reader]:
    reader = Reader(shared=shared)
    for stub in stubs:
        reader.start(stub, Deadline(PATIENCE))
        if stub.dials:
            assert stub.timed.acquire(timeout=PATIENCE)
    try:
        yield reader
    finally:
        for stub in stubs:
            if stub.dials:
                stub.end(reader)


def is_served(stub: Stub) -> bool:
    stub.peer.send(b"x")
    return stub.ready.acquire(timeout=PATIENCE)


def broken() -> Any:
    raise ZeroDivisionError("a defect")


@pytest.mark.parametrize("shared", [False, True])
def test_bytes_are_served_and_the_end_is_retired_once(shared: bool) -> None:
    stub = Stub()
    with reading(stub, shared=shared):
        assert is_served(stub)
    assert stub.retirements == 1


def test_one_thread_serves_many_connections() -> None:
    stubs = [Stub() for _ in range(20)]
    served_on: set[int] = set()
    for stub in stubs:
        stub.do_on_ready = lambda: served_on.add(threading.get_ident())
    with reading(*stubs):
        assert all(is_served(stub) for stub in stubs)
    assert len(served_on) == 1


def test_a_dial_that_fails_leaves_nothing_to_read() -> None:
    stub = Stub()
    stub.dials = False
    with reading(stub) as reader:
        reader.join(Deadline(PATIENCE))
    assert stub.retirements == 0
    assert stub.timed.acquire(blocking=False) is False


@pytest.mark.parametrize("shared", [False, True])
def test_an_attempt_that_was_given_up_before_it_is_read_leaves_no_thread(shared: bool) -> None:
    stub = Stub()
    stub.over = True
    reader = Reader(shared=shared)
    reader.start(stub, Deadline(PATIENCE))
    assert stub.retired.wait(PATIENCE)
    until(lambda: reader._thread is None or not reader._thread.is_alive())


@pytest.mark.parametrize("where", ["on_ready", "on_time", "wanted"])
def test_a_defect_in_one_connection_ends_it_and_no_other(where: str) -> None:
    bad, good = Stub(), Stub()
    with reading(good) as reader:
        if where == "on_ready":
            bad.do_on_ready = broken
        reader.start(bad, Deadline(PATIENCE))
        assert bad.timed.acquire(timeout=PATIENCE)
        if where == "on_time":
            bad.do_on_time = lambda now: broken()
        if where == "wanted":
            bad.do_on_wanted = lambda: None if bad.over else broken()
        bad.needs_attention = True
        bad.peer.send(b"x")
        reader.attend(bad)
        assert bad.retired.wait(PATIENCE)
        assert isinstance(bad.failures[0], ZeroDivisionError)
        assert bad.retirements == 1
        assert is_served(good)


def test_a_descriptor_that_is_gone_ends_the_connection_and_no_other() -> None:
    bad, good = Stub(), Stub()
    with reading(good, bad) as reader:
        assert is_served(bad)  # so it is registered by now
        bad.registered = 0  # the reader will try to register what is registered
        bad.needs_attention = True
        reader.attend(bad)
        assert bad.retired.wait(PATIENCE)
        assert is_served(good)


def test_a_time_that_is_due_is_kept_and_infinity_is_no_error() -> None:
    stub = Stub()
    with reading(stub) as reader:
        stub.do_on_time = lambda now: now + 0.01
        reader.attend(stub)
        for _ in range(5):
            assert stub.timed.acquire(timeout=PATIENCE)
        stub.do_on_time = lambda now: 1e300
        assert is_served(stub)


def test_the_last_connection_ends_the_thread_and_the_next_one_starts_another() -> None:
    reader = Reader(shared=True)
    for _ in range(20):
        stub = Stub()
        reader.start(stub, Deadline(PATIENCE))
        assert stub.timed.acquire(timeout=PATIENCE)
        assert is_served(stub)
        stub.end(reader)


def test_one_that_comes_asks_or_goes_costs_the_others_nothing() -> None:
    stubs = [Stub() for _ in range(20)]
    with reading(*stubs) as reader:
        other = Stub()
        reader.start(other, Deadline(PATIENCE))
        assert other.timed.acquire(timeout=PATIENCE)
        reader.attend(other)
        assert other.timed.acquire(timeout=PATIENCE)
        other.end(reader)
        assert all(is_served(stub) for stub in stubs)
        assert not any(stub.timed.acquire(blocking=False) for stub in stubs)


def test_a_time_that_moves_away_is_kept_and_one_that_comes_nearer_too() -> None:
    stub, other = Stub(), Stub()
    other.do_on_time = lambda now: now + 0.005
    with reading(stub, other) as reader:
        stub.do_on_time = lambda now: now + 3_600
        reader.attend(stub)
        assert stub.timed.acquire(timeout=PATIENCE)
        stub.do_on_time = lambda now: now + 0.01
        reader.attend(stub)
        for _ in range(5):
            assert stub.timed.acquire(timeout=PATIENCE)
        assert all(other.timed.acquire(timeout=PATIENCE) for _ in range(5))


def test_connections_that_come_while_others_end_are_all_read() -> None:
    reader = Reader(shared=True)

    def come_and_go() -> None:
        for _ in range(50):
            stub = Stub()
            reader.start(stub, Deadline(PATIENCE))
            assert stub.timed.acquire(timeout=PATIENCE)
            stub.end(reader)

    for each in [beside(come_and_go) for _ in range(4)]:
        each.result(PATIENCE)


def test_the_reader_knows_its_own_thread() -> None:
    seen: list[bool] = []
    stub = Stub()
    with reading(stub) as reader:
        stub.do_on_ready = lambda: seen.append(reader.is_current)
        assert is_served(stub)
        assert not reader.is_current
    assert seen == [True]


class Steps:
    """Work that is due at once, so many times; notes the thread that serves it."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.threads: set[threading.Thread] = set()
        self.over = threading.Event()

    def step(self, now: float) -> float | None:
        self.threads.add(threading.current_thread())
        self.left -= 1
        if self.left > 0:
            return now
        self.over.set()
        return None


def test_a_shared_reader_serves_what_is_due_on_the_thread_that_reads() -> None:
    stub = Stub()
    read_on: list[threading.Thread] = []
    stub.do_on_ready = lambda: read_on.append(threading.current_thread())
    with reading(stub) as reader:
        works = [Steps(3), Steps(5)]
        for work in works:
            reader.pace(work)
        assert all(work.over.wait(PATIENCE) for work in works)
        assert is_served(stub)
        assert works[0].threads == works[1].threads == set(read_on)


def test_work_that_is_always_due_keeps_no_connection_waiting() -> None:
    stub = Stub()
    endless = Steps(1 << 62)
    with reading(stub) as reader:
        reader.pace(endless)
        assert is_served(stub)
        endless.left = 1
        assert endless.over.wait(PATIENCE)


def test_work_outlives_the_connections_and_the_thread_ends_with_it() -> None:
    """A session that reconnects has no connection for a while, and its sound goes on."""
    reader = Reader(shared=True)
    for _ in range(5):
        work = Steps(2)
        reader.pace(work)
        assert work.over.wait(PATIENCE)
        for thread in work.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_work_that_waits_can_be_hurried() -> None:
    served = threading.Semaphore(0)

    class Waits:
        def step(self, now: float) -> float | None:
            served.release()
            return NEVER

    work = Waits()
    reader = Reader(shared=True)
    reader.pace(work)
    for _ in range(3):
        assert served.acquire(timeout=PATIENCE)
        reader.hurry(work)
    work.step = lambda now: None  # type: ignore[method-assign]
    reader.hurry(work)


def test_work_that_hurries_itself_while_it_is_served_is_served_once_more() -> None:
    reader, served = Reader(shared=True), []
    over = threading.Event()

    class HurriesItself:
        def step(self, now: float) -> float | None:
            served.append(now)
            if len(served) == 2:
                over.set()
                return None
            reader.hurry(self)
            return NEVER

    reader.pace(HurriesItself())
    assert over.wait(PATIENCE)


def test_no_thread_for_work_is_told_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reader, work = Reader(shared=True), Steps(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            reader.pace(work)
    reader.hurry(work)
    assert work.threads == set()


def test_no_descriptor_for_the_reader_leaves_work_to_the_next_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> Any:
        raise OSError(24, "Too many open files")

    reader, work = Reader(shared=True), Steps(3)
    with monkeypatch.context() as patch:
        patch.setattr("genai_live._connection.reader.socket", SimpleNamespace(socketpair=none_left))
        reader.pace(work)
        for thread in threading.enumerate():
            if thread.name == "genai-live-reader":
                thread.join(PATIENCE)
    reader.hurry(work)
    assert work.over.wait(PATIENCE)


def test_no_descriptor_for_the_reader_is_told_by_connect_and_hangs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> Any:
        raise OSError(24, "Too many open files")

    told: list[Any] = []
    with live_server() as url:
        client = client_of(url)
        monkeypatch.setattr("genai_live._connection.reader.socket", SimpleNamespace(socketpair=none_left))
        with pytest.raises(errors.ConnectError, match="Too many open files"):
            client.live.connect(model=MODEL, callbacks={"on_close": told.append}, timeout=PATIENCE)
    assert len(told) == 1


@pytest.mark.parametrize("shared_reader", [False, True])
def test_no_thread_for_the_reader_is_told_by_connect_and_the_next_connect_tries_again(
    shared_reader: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def none_left(thread: threading.Thread) -> None:
        if thread.name.startswith("genai-live-reader"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with live_server() as url:
        client = client_of(url, shared_reader=shared_reader)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(errors.ConnectError, match="can't start new thread"):
                client.live.connect(model=MODEL, timeout=PATIENCE)
        with client.live.connect(model=MODEL, timeout=PATIENCE) as session:
            assert session.ask("and now?", timeout=PATIENCE).text == "and now?"


def test_a_defect_while_a_message_is_taken_is_told_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened() as (session, peer):
        monkeypatch.setattr(session._connection.protocol, "receive", lambda payload: broken())
        waiting = beside(session.collect)
        peer.send(b"\x82\x02{}")
        error = waiting.exception(PATIENCE)
        assert isinstance(error, errors.ConnectionLost)
        assert error.reason == "internal error: ZeroDivisionError: a defect"
        assert session._connection._connection.ended.wait(PATIENCE)
    assert "ZeroDivisionError" in caplog.text


# Selectors of other systems.


class Refusing(selectors.SelectSelector):
    """Windows' select: so many descriptors and no more, and one that is closed spoils it for all."""

    most = 6

    def select(self, timeout: float | None = None) -> Any:
        if len(self.get_map()) > self.most:
            raise ValueError("too many file descriptors in select()")
        return super().select(timeout)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "DefaultSelector", Refusing)


@pytest.mark.usefixtures("refusing")
def test_a_connection_too_many_for_the_selector_ends_alone_and_leaves_its_place() -> None:
    stubs = [Stub() for _ in range(Refusing.most - 1)]
    with reading(*stubs) as reader:
        for _ in range(3):
            beyond = Stub()
            reader.start(beyond, Deadline(PATIENCE))
            assert beyond.retired.wait(PATIENCE)
            assert "5 sessions at most: open more on another Client" in str(beyond.failures[0])
            assert all(is_served(stub) for stub in stubs)
        stubs.pop().end(reader)
        again = Stub()
        reader.start(again, Deadline(PATIENCE))
        assert is_served(again)
        again.end(reader)


@pytest.mark.usefixtures("refusing")
def test_who_was_read_before_is_never_the_one_too_many() -> None:
    """A connection that pauses leaves the selector, and comes back to it after another one has come."""
    stubs = [Stub() for _ in range(Refusing.most - 1)]
    with reading(*stubs) as reader:
        paused = stubs[0]
        watched = [0]
        paused.wanted = lambda: ENDED if paused.over else watched[0]  # type: ignore[method-assign]
        paused.needs_attention = True
        reader.attend(paused)
        beyond = Stub()
        reader.start(beyond, Deadline(PATIENCE))
        assert is_served(beyond)
        watched[0] = selectors.EVENT_READ
        paused.needs_attention = True
        reader.attend(paused)
        assert beyond.retired.wait(PATIENCE)
        assert all(is_served(stub) for stub in stubs)


@pytest.mark.parametrize("closed", [1, 2])
@pytest.mark.usefixtures("refusing")
def test_a_descriptor_that_somebody_closed_ends_its_own_connection_and_no_other(closed: int) -> None:
    good = [Stub(), Stub()]
    with reading(*good) as reader:
        bad = [Stub() for _ in range(closed)]
        for stub in bad:
            reader.start(stub, Deadline(PATIENCE))
            assert is_served(stub)
        for stub in bad:
            stub.socket.close()
        reader.attend(bad[0])
        for stub in bad:
            assert stub.retired.wait(PATIENCE)
            assert isinstance(stub.failures[0], OSError)
        assert all(is_served(stub) for stub in good)


@pytest.mark.usefixtures("refusing")
def test_the_session_too_many_is_told_why_and_the_others_go_on() -> None:
    with live_server() as url:
        client = client_of(url, shared_reader=True)
        sessions = [client.live.connect(model=MODEL, timeout=PATIENCE) for _ in range(Refusing.most - 1)]
        try:
            with pytest.raises(errors.ConnectError, match="sessions at most: open more on another Client") as raised:
                client.live.connect(model=MODEL, timeout=PATIENCE)
            assert "internal error" not in str(raised.value)
            for session in sessions:
                assert session.ask("still there?", timeout=PATIENCE).text == "still there?"
            with client_of(url, shared_reader=True).live.connect(model=MODEL, timeout=PATIENCE) as another:
                assert another.ask("and you?", timeout=PATIENCE).text == "and you?"
        finally:
            for session in sessions:
                session.close()
