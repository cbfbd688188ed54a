"""Context variables of the thread that connected: seen by callbacks, on readers and executors, and by the sources of streams."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from websockets.sync.server import ServerConnection

from genai_live import LiveCallbacks
from genai_live._connection.dispatch import Dispatcher
from genai_live.errors import LiveError
from tests.raw_peer import beside
from tests.servers import (
    MODEL,
    PATIENCE,
    answer_every_text,
    answer_setup,
    client_of,
    live_server,
    session_with,
    wait_until_closed,
)

request = contextvars.ContextVar("request", default="none")


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    token = request.set("none")
    yield
    request.reset(token)


@pytest.mark.parametrize("way", ["reader", "shared reader", "executor"])
def test_every_callback_sees_the_variables_of_the_thread_that_connected(way: str) -> None:
    seen: list[tuple[str, str]] = []
    with ThreadPoolExecutor(1) as pool, live_server() as url:
        executor: Executor | None = pool if way == "executor" else None
        callbacks = LiveCallbacks(
            on_open=lambda: seen.append(("open", request.get())),
            on_message=lambda message: seen.append(("message", request.get())),
            on_close=lambda info: seen.append(("close", request.get())),
            executor=executor,
        )
        client = client_of(url, shared_reader=way == "shared reader")
        others = [client.live.connect(model=MODEL)]
        request.set("r-1")
        with client.live.connect(model=MODEL, callbacks=callbacks) as session:
            request.set("r-2")
            session.ask("hello", timeout=PATIENCE)
        others.pop().close()
    assert seen == [("open", "r-1"), ("message", "r-1"), ("message", "r-1"), ("close", "r-1")]


def test_sessions_of_one_reader_keep_their_variables_apart() -> None:
    seen: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    with live_server() as url:
        client = client_of(url, shared_reader=True)
        sessions = []
        for name in ("r-1", "r-2"):
            request.set(name)
            callbacks = {"on_message": lambda message, name=name: seen.put((name, request.get()))}
            sessions.append(client.live.connect(model=MODEL, callbacks=callbacks))
        for session in sessions:
            session.ask("hello", timeout=PATIENCE)
            session.close()
    assert {seen.get(timeout=PATIENCE) for _ in range(4)} == {("r-1", "r-1"), ("r-2", "r-2")}


def test_callbacks_of_every_connection_see_them() -> None:
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()
    dropped = threading.Event()

    def drop_once(connection: ServerConnection) -> None:
        if not dropped.is_set():
            dropped.set()
            answer_setup(connection)
            connection.socket.close()
        else:
            answer_every_text(connection)

    request.set("r-1")
    callbacks = {"on_message": lambda message: seen.put(request.get())}
    with session_with(drop_once, callbacks=callbacks, reconnect={"fresh_session": True}):
        assert [seen.get(timeout=PATIENCE) for _ in range(2)] == ["r-1"] * 2, "reconnecting, reconnected"


def test_one_callback_finds_what_another_has_set_and_the_caller_does_not() -> None:
    seen: list[str] = []
    calls = Dispatcher(LiveCallbacks())
    calls.call(request.set, "set by a callback")
    calls.call(lambda: seen.append(request.get()))
    assert seen == ["set by a callback"]
    assert request.get() == "none"


def test_on_error_for_a_callback_that_raised_sees_them_too() -> None:
    seen: list[str] = []

    def on_error(error: LiveError) -> None:
        seen.append(request.get())

    def fails() -> None:
        request.set("set before it raised")
        raise ValueError

    Dispatcher(LiveCallbacks(on_error=on_error)).call(fails)
    assert seen == ["set before it raised"]


def test_a_callback_on_another_thread_meanwhile_sees_them_too() -> None:
    """A connect() that fails reports on its own thread, while the reader may still be inside on_error."""
    request.set("r-1")
    calls = Dispatcher(LiveCallbacks())
    inside, goes_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def long() -> None:
        inside.set()
        goes_on.wait(PATIENCE)
        seen.append(request.get())

    running = beside(calls.call, long)
    assert inside.wait(PATIENCE)
    request.set("r-2")
    calls.call(lambda: seen.append(request.get()))
    goes_on.set()
    running.result(PATIENCE)
    assert seen == ["r-1", "r-1"]
    assert calls.errors == 0


def test_a_source_that_is_pulled_beside_sees_them_from_its_first_line_to_its_last() -> None:
    seen: list[str] = []

    def source() -> Iterator[bytes]:
        try:
            seen.append(request.get())
            yield bytes(1_280)
        finally:
            seen.append(request.get())

    request.set("r-1")
    with session_with(wait_until_set_up) as session:
        request.set("r-2")
        for _ in range(2):
            assert session.stream_audio(source(), wait=False).wait(PATIENCE)
            for thread in threading.enumerate():
                if thread.name == "genai-live-source":
                    thread.join(PATIENCE)
    assert seen == ["r-1"] * 4


def wait_until_set_up(connection: ServerConnection) -> None:
    answer_setup(connection)
    wait_until_closed(connection)
