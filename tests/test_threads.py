"""How the library starts its threads: as ``Thread.start`` does, but Ctrl-C at any moment of it leaves nothing behind."""

from __future__ import annotations

import threading
from types import ModuleType

import pytest

from genai_live import _flag, _threads
from tests.raw_peer import beside
from tests.striking import struck_at
from tests.waiting import PATIENCE, until

NAME = "started by a test"


def thread_that_sets(ran: threading.Event) -> threading.Thread:
    return threading.Thread(target=ran.set, name=NAME, daemon=True)


def test_a_thread_runs_when_start_returns_whoever_starts_it() -> None:
    for start in (_threads.start, lambda thread: beside(_threads.start, thread).result(PATIENCE)):
        ran = threading.Event()
        thread = thread_that_sets(ran)
        start(thread)
        assert thread.ident is not None
        assert ran.wait(PATIENCE)


def test_who_starts_a_thread_is_told_that_the_process_may_start_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        _threads.start(thread_that_sets(threading.Event()))


@pytest.mark.parametrize("where", ["line", "return"])
@pytest.mark.parametrize("module", [threading, _threads, _flag], ids=["threading", "start", "flag"])
def test_ctrl_c_anywhere_in_start_leaves_a_thread_that_runs_to_its_end_or_none(module: ModuleType, where: str) -> None:
    line, struck = 1, True
    while struck:
        thread = thread_that_sets(threading.Event())
        struck = struck_at(line, module, lambda thread=thread: _threads.start(thread), where)  # type: ignore[misc]
        until(lambda: NAME not in [each.name for each in threading.enumerate()])
        line += 1
    assert line > 2
