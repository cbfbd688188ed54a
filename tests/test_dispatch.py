"""Callbacks are called one at a time and in order, whatever they do, on the reader thread or on an executor."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from genai_live._connection import dispatch
from genai_live._connection.dispatch import Dispatcher
from genai_live.callbacks import LiveCallbacks
from genai_live.errors import CallbackError, LiveError
from tests.raw_peer import beside
from tests.servers import PATIENCE


def dispatcher(executor: Executor | None = None, on_error: Callable[[LiveError], object] | None = None) -> Dispatcher:
    return Dispatcher(LiveCallbacks(on_error=on_error, executor=executor))


def test_without_an_executor_the_function_has_run_when_call_returns() -> None:
    seen: list[Any] = []
    dispatcher().call(lambda *each: seen.append((threading.current_thread(), each)), 1, 2)
    assert seen == [(threading.current_thread(), (1, 2))]


def test_no_function_is_no_work() -> None:
    dispatcher().call(None, 1)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_executor_keeps_the_order_and_runs_one_at_a_time(workers: int) -> None:
    seen: list[int] = []
    busy = threading.Lock()
    done = threading.Event()

    def take(number: int) -> None:
        assert busy.acquire(blocking=False), "two callbacks at once"
        seen.append(number)
        busy.release()
        if number == 999:
            done.set()

    with ThreadPoolExecutor(workers) as pool:
        calls = dispatcher(pool)
        for number in range(1000):
            calls.call(take, number)
        assert done.wait(PATIENCE)
    assert seen == list(range(1000))
    assert calls.errors == 0


def test_an_executor_never_keeps_the_caller_waiting() -> None:
    release = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        calls = dispatcher(pool)
        for _ in range(10):
            calls.call(release.wait, PATIENCE)
        assert not release.is_set()
        release.set()


def test_an_executor_that_was_shut_down_leaves_its_work_to_the_reader() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    seen: list[int] = []
    dispatcher(pool).call(seen.append, 1)
    assert seen == [1]


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_executor_that_fails_leaves_its_work_to_the_reader_and_is_logged(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Executor):
        def submit(self, *arguments: Any, **named: Any) -> Any:
            raise raised

    seen: list[int] = []
    dispatcher(Failing()).call(seen.append, 1)
    assert seen == [1]
    assert f"the executor raised {type(raised).__name__}" in caplog.text


def test_what_waits_for_an_executor_may_be_made_when_its_turn_comes() -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        calls = dispatcher(pool)
        calls.call(seen.append, later=lambda: 1, size=10)
    assert seen == [1]
    assert calls.waiting_bytes == 0
    dispatcher().call(seen.append, later=lambda: 2)
    assert seen == [1, 2]


def test_an_executor_that_cancels_its_queue_loses_no_callback() -> None:
    release, started = threading.Event(), threading.Event()
    seen: list[int] = []
    pool = ThreadPoolExecutor(1)

    def occupy() -> None:
        started.set()
        release.wait(PATIENCE)

    pool.submit(occupy)
    assert started.wait(PATIENCE)
    calls = dispatcher(pool)
    calls.call(seen.append, 1)
    stopping = beside(pool.shutdown, cancel_futures=True)
    release.set()
    stopping.result(PATIENCE)
    calls.call(seen.append, 2)
    assert seen == [1, 2]


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_callback_raises_is_logged_counted_and_reported(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[LiveError] = []

    def fails() -> None:
        raise raised

    calls = dispatcher(on_error=reported.append)
    calls.call(fails)
    assert calls.errors == 1
    (report,) = reported
    assert isinstance(report, CallbackError)
    assert report.__cause__ is raised
    assert "fails" in str(report)
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [raised]


def test_an_on_error_that_raises_is_logged_and_not_called_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    calls_of_on_error: list[LiveError] = []

    def on_error(error: LiveError) -> None:
        calls_of_on_error.append(error)
        raise ValueError("again")

    calls = dispatcher(on_error=on_error)
    calls.call(on_error, LiveError("x"))
    assert len(calls_of_on_error) == 1
    assert calls.errors == 1
    assert "again" in caplog.text


def test_a_slow_callback_is_counted_each_time_and_warned_about_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "SLOW_CALLBACK", 0.0)
    calls = dispatcher()
    for _ in range(3):
        calls.call(threading.Event().wait, 0.001)
    assert calls.slow == 3
    assert calls.longest > 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_executor_that_is_behind_asks_for_a_pause_and_ends_it_when_half_is_done() -> None:
    resumed = threading.Event()
    steps = threading.Semaphore(0)
    with ThreadPoolExecutor(1) as pool:
        calls = Dispatcher(LiveCallbacks(executor=pool), limit_bytes=100, resume=resumed.set)
        for _ in range(9):
            calls.call(steps.acquire, True, PATIENCE, size=10)
        assert not calls.pause_if_full()
        for _ in range(2):
            calls.call(steps.acquire, True, PATIENCE, size=10)
        assert calls.pause_if_full()
        for _ in range(5):
            steps.release()
        assert not resumed.wait(0.05)
        steps.release()
        assert resumed.wait(PATIENCE)
        for _ in range(5):
            steps.release()
    assert not calls.pause_if_full()


def test_what_another_thread_wants_called_waits_for_the_reader_and_wakes_it() -> None:
    seen: list[str] = []
    woken = threading.Event()
    calls = Dispatcher(LiveCallbacks(), resume=woken.set)
    calls.call_soon(None)
    assert not woken.is_set()
    beside(calls.call_soon, seen.append, "soon").result(PATIENCE)
    assert (seen, woken.is_set()) == ([], True)
    calls.call_waiting()
    assert seen == ["soon"]


def test_what_another_thread_wants_called_comes_before_the_end() -> None:
    seen: list[str] = []
    calls = Dispatcher(LiveCallbacks())
    beside(calls.call_soon, seen.append, "soon").result(PATIENCE)
    calls.call(seen.append, "closed")
    assert seen == ["soon", "closed"]


def test_what_another_thread_wants_called_is_the_executors_like_all_else() -> None:
    seen: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        calls = dispatcher(pool)
        calls.call(seen.append, "first")
        beside(calls.call_soon, seen.append, "soon").result(PATIENCE)
        calls.call(seen.append, "closed")
    assert seen == ["first", "soon", "closed"]
