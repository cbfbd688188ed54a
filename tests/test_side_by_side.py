"""Tests that wait run at the same time, and each has its own end."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.side_by_side import AT_ONCE, SideBySide, others
from tests.waiting import PATIENCE


def items(*functions: Any, **more: Any) -> list[Any]:
    return [SimpleNamespace(nodeid=str(number), obj=function, **more) for number, function in enumerate(functions)]


def test_they_run_at_the_same_time_with_their_parameters() -> None:
    met = threading.Barrier(AT_ONCE)
    seen: list[str] = []

    def meet(what: str) -> None:
        met.wait(PATIENCE)
        seen.append(what)

    plugin = SideBySide()
    plugin._run(items(*[meet] * 2 * AT_ONCE, callspec=SimpleNamespace(params={"what": "x"})))
    assert seen == ["x"] * 2 * AT_ONCE
    assert [end.result() for end in plugin._ends.values()] == [None] * 2 * AT_ONCE


def test_each_is_told_its_own_failure_or_that_it_was_skipped() -> None:
    plugin = SideBySide()
    plugin._run(items(lambda: None, lambda: 1 / 0, lambda: pytest.skip("not here")))
    kinds = [type(end.exception()) for end in plugin._ends.values()]
    assert kinds == [type(None), ZeroDivisionError, pytest.skip.Exception]


@pytest.mark.waits
@pytest.mark.parametrize("which", ["one", "other"])
def test_with_the_mark_a_test_gets_its_parameters(which: str) -> None:
    assert which in ("one", "other")


def test_beside_a_test_run_the_others_with_the_mark_of_its_module(request: pytest.FixtureRequest) -> None:
    chosen = [each for each in request.session.items if each.path == request.path and each.get_closest_marker("waits")]
    for test in chosen:
        assert isinstance(test, pytest.Function)
        assert [each.name for each in others(test)] == [each.name for each in chosen if each is not test]
