"""The flag that threads wait for: set, cleared, waited for by many, and interrupted at any line."""

from __future__ import annotations

import sys
import threading

from genai_live import _flag
from genai_live._flag import Flag
from tests.raw_peer import beside
from tests.striking import struck_at
from tests.waiting import PATIENCE, until


def test_a_flag_that_is_set_is_not_waited_for() -> None:
    flag = Flag()
    assert not flag.is_set()
    flag.set()
    flag.set()
    assert flag.is_set()
    assert flag.wait()
    assert flag.wait(0)


def test_a_flag_that_is_not_set_in_time_says_so() -> None:
    assert not Flag().wait(0.01)
    assert not Flag().wait(-1)


def test_everybody_who_waits_is_woken() -> None:
    flag = Flag()
    waiting = [beside(flag.wait, PATIENCE if number % 2 else None) for number in range(8)]
    until(lambda: len(flag._waiters) == 8)
    flag.set()
    assert all(each.result(PATIENCE) for each in waiting)
    until(lambda: not flag._waiters)


def test_a_flag_that_was_cleared_is_waited_for_again() -> None:
    flag = Flag()
    flag.set()
    flag.clear()
    assert not flag.wait(0.01)
    waiting = beside(flag.wait, PATIENCE)
    until(lambda: flag._waiters)
    flag.set()
    assert waiting.result(PATIENCE)


def test_whoever_comes_just_as_it_is_set_does_not_wait_for_ever() -> None:
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(500):
            flag, go = Flag(), threading.Barrier(2)
            setting = beside(lambda flag=flag, go=go: (go.wait(PATIENCE), flag.set()))  # type: ignore[misc]
            go.wait(PATIENCE)
            assert flag.wait(PATIENCE)
            setting.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)


def test_ctrl_c_at_any_line_of_a_wait_keeps_nobody_from_setting_it() -> None:
    line = 0
    while True:
        line += 1
        flag = Flag()
        struck = struck_at(line, _flag, lambda flag=flag: flag.wait(0.01))
        beside(flag.set).result(PATIENCE)
        assert flag.wait(0)
        if not struck:
            break
    assert line > 5
