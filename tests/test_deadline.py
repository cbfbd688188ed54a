"""Deadlines: one limit for several steps, infinity as no limit, and arguments that are not a time named."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from genai_live import _deadline
from genai_live._deadline import Deadline
from genai_live.errors import ConfigError


def test_without_a_limit_it_never_passes() -> None:
    for deadline in (Deadline(None), Deadline(float("inf")), Deadline(1e300)):
        assert deadline.left() is None
        assert not deadline.passed
        assert repr(deadline) == "Deadline(none)"


def test_what_is_left_shrinks_and_is_never_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    deadline = Deadline(5)
    assert deadline.left() == 5
    clock[0] = 104.0
    assert (deadline.left(), deadline.passed) == (1, False)
    clock[0] = 200.0
    assert (deadline.left(), deadline.passed) == (0.0, True)
    assert repr(deadline) == "Deadline(0.000 s left of 5)"


def test_zero_has_passed_at_once() -> None:
    assert Deadline(0).passed
    assert Deadline(0).left() == 0


def test_the_earlier_of_two_is_chosen() -> None:
    soon, late, never = Deadline(1), Deadline(100), Deadline(None)
    assert soon.or_earlier(late) is soon
    assert late.or_earlier(soon) is soon
    assert never.or_earlier(soon) is soon
    assert soon.or_earlier(never) is soon
    assert never.or_earlier(Deadline(None)).left() is None


@pytest.mark.parametrize("timeout", [0, 0.5, 3, float("inf"), None])
def test_a_callers_number_of_seconds_is_taken(timeout: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert Deadline.of(timeout).left() == (None if timeout in (None, float("inf")) else timeout)


@pytest.mark.parametrize(
    ("timeout", "words"),
    [("5", "not str"), (True, "not bool"), ([1], "not list"), (-1, "not -1"), (float("nan"), "not nan"), (b"1", "not bytes")],
)
def test_what_is_no_number_of_seconds_is_refused_by_name(timeout: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Deadline.of(timeout, "patience")
    assert raised.value.path == "patience"
    assert "None for no limit" in str(raised.value)


# Windows, where Ctrl-C does not interrupt a wait for a lock: no wait of a caller's thread is a long one


class Busy:
    """An event, a lock and a condition that never come; notes for how long each wait is."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return False

    def acquire(self, *, timeout: float) -> bool:
        return self.wait(timeout)

    def wait_for(self, true: object, timeout: float | None = None) -> bool:
        return self.wait(timeout)

    def is_set(self) -> bool:
        return False


WAITS: dict[str, Callable[[Deadline, Any], bool]] = {
    "an event": lambda deadline, busy: deadline.wait(busy),
    "a lock": lambda deadline, busy: deadline.acquire(busy),
    "a condition": lambda deadline, busy: deadline.wait_for(busy, bool),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes with every look at it."""
    seconds = itertools.count(100.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("what", WAITS)
def test_where_ctrl_c_ends_no_wait_for_a_lock_every_wait_is_short(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "WAIT_SLICE", 0.1)
    busy = Busy()
    assert not WAITS[what](Deadline(4), busy)
    assert busy.waits == [0.1, 0.1, 0.1, 0.0]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("what", WAITS)
def test_and_elsewhere_it_is_as_long_as_what_is_left(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "WAIT_SLICE", None)
    busy = Busy()
    assert not WAITS[what](Deadline(4), busy)
    assert busy.waits[0] == 3


def test_the_end_of_the_sentence_says_how_long_it_was_and_by_which_setting() -> None:
    assert Deadline(2).advice == " within 2 s. Try a longer timeout, or check the network."
    named = Deadline(0.03, "http_options.timeout is 30, in milliseconds")
    assert named.advice == " within 0.03 s: http_options.timeout is 30, in milliseconds. Raise it, or check the network."
    assert Deadline(None).advice == ". Try a longer timeout, or check the network."
    assert Deadline(30).or_earlier(named).advice == named.advice
