"""Tests that mostly wait do it at the same time: those of one module with the mark ``waits`` run when the first of them does.

Each runs on a thread of its own, and is told as if it had run alone. So such a test takes no fixture, changes nothing that others
see (settings, warnings, output), and says nothing about the threads of the whole process.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from concurrent.futures import Future

import pytest

AT_ONCE = 16
"""Tests that run at the same time: waiting costs nothing, and what else they do is little."""


class SideBySide:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._ends: dict[str, Future[None]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if pyfuncitem.get_closest_marker("waits") is None:
            return None
        if pyfuncitem.nodeid not in self._ends:
            self._run([pyfuncitem, *(each for each in others(pyfuncitem) if each.nodeid not in self._ends)])
        self._ends[pyfuncitem.nodeid].result()
        return True

    def _run(self, tests: list[pytest.Function]) -> None:
        """Returns when all of them have ended: what comes after them has the machine for itself."""
        waiting: queue.SimpleQueue[pytest.Function] = queue.SimpleQueue()
        for test in tests:
            self._ends[test.nodeid] = Future()
            waiting.put(test)

        def work() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    run(test := waiting.get_nowait(), self._ends[test.nodeid])

        workers = [threading.Thread(target=work, name="side by side", daemon=True) for _ in tests[:AT_ONCE]]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def others(test: pytest.Function) -> list[pytest.Function]:
    """The tests that may run beside this one."""
    chosen = [each for each in test.session.items if isinstance(each, pytest.Function) and each.path == test.path]
    return [each for each in chosen if each is not test and each.get_closest_marker("waits") and not skipped(each)]


def skipped(test: pytest.Function) -> bool:
    return any(mark.args[0] for mark in test.iter_markers("skipif"))


def run(test: pytest.Function, end: Future[None]) -> None:
    try:
        parameters = test.callspec.params if hasattr(test, "callspec") else {}
        test.obj(**parameters)
    except BaseException as error:  # pytest's own too, such as that of a test that skips itself
        end.set_exception(error)
    else:
        end.set_result(None)
