"""What is due when: times are passed in, nothing waits."""

from __future__ import annotations

import logging

import pytest

from genai_live._connection.timetable import EARLY, Timed, Timetable, served


class Work:
    """Does nothing when it is due, and comes again when a test says so."""

    def __init__(self, again: float | None = None) -> None:
        self.again = again

    def step(self, now: float) -> float | None:
        return self.again


class Failing:
    def step(self, now: float) -> float | None:
        raise RuntimeError("a bug")


def test_what_is_due_comes_in_the_order_of_its_times_and_nothing_else_does() -> None:
    timetable = Timetable()
    works = [Work() for _ in range(4)]
    for work, due in zip(works, (3.0, 1.0, 2.0, 9.0), strict=True):
        timetable.put(work, due)
    assert timetable.next_due == 1.0
    assert timetable.take(0.5) == []
    assert timetable.take(3.0) == [works[1], works[2], works[0]]
    assert timetable.next_due == 9.0


def test_what_is_due_in_a_moment_shares_the_wake_up() -> None:
    timetable = Timetable()
    works = [Work(), Work(), Work()]
    for work, due in zip(works, (1.0, 1.0 + EARLY / 2, 1.0 + EARLY * 2), strict=True):
        timetable.put(work, due)
    assert timetable.take(1.0) == works[:2]


def test_work_that_is_always_due_keeps_nothing_else_waiting() -> None:
    timetable = Timetable()
    always, other = Work(again=0.0), Work()
    timetable.put(always, 0.0)
    timetable.put(other, 1.0)
    for _ in range(3):
        (taken,) = timetable.take(0.0)
        timetable.put_back(taken, served(taken, 0.0))
    assert timetable.take(1.0) == [always, other]


def test_work_that_is_hurried_while_it_is_served_is_due_at_once() -> None:
    """A source that gets its sound in the moment its stream finds it empty must not wait for the next look."""
    timetable = Timetable()
    work = Work()
    timetable.put(work, 0.0)
    assert timetable.take(0.0) == [work]
    assert timetable.hurry(work, 0.0)
    timetable.put_back(work, 3_600.0)
    assert timetable.take(0.0) == [work]


def test_work_that_is_hurried_is_served_once_and_not_at_its_old_time_too() -> None:
    timetable = Timetable()
    work = Work()
    timetable.put(work, 5.0)
    assert timetable.hurry(work, 1.0)
    assert timetable.take(1.0) == [work]
    timetable.put_back(work, 7.0)
    assert timetable.take(6.0) == []
    assert timetable.take(7.0) == [work]


def test_work_that_is_over_is_gone_and_cannot_be_hurried() -> None:
    timetable = Timetable()
    work = Work()
    timetable.put(work, 0.0)
    assert timetable
    for taken in timetable.take(0.0):
        timetable.put_back(taken, None)
    assert not timetable
    assert not timetable.hurry(work, 0.0)
    assert timetable.take_all() == []


def test_all_work_can_be_taken_whenever_it_is_due() -> None:
    timetable = Timetable()
    works: list[Timed] = [Work(), Work()]
    for work in works:
        timetable.put(work, 1e300)
    assert timetable.take_all() == works


def test_work_that_fails_is_logged_and_over(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert served(Failing(), 0.0) is None
    assert "work that was due failed" in caplog.text


@pytest.mark.parametrize(("again", "next_due"), [(9.0, 5.0), (2.0, 2.0), (None, float("inf"))])
def test_work_that_is_served_before_its_time_keeps_its_time_unless_it_is_due_sooner(again: float | None, next_due: float) -> None:
    timetable, work = Timetable(), Work(again)
    timetable.put(work, 5.0)
    assert timetable.take_all() == [work]
    assert timetable.take_all() == [], "it is served just now"
    timetable.put_back(work, served(work, 1.0))
    assert timetable.take(next_due) == ([] if again is None else [work])
    assert not timetable.take(next_due)


def test_a_time_that_an_earlier_one_has_replaced_wakes_nobody() -> None:
    timetable, work = Timetable(), Work()
    timetable.put(work, 1.0)
    for now in range(100):
        timetable.hurry(work, now / 1_000)
        assert timetable.take(now / 1_000) == [work]
        timetable.put_back(work, 9.0)
    assert timetable.next_due == 9.0
