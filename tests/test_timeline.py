"""Where blocks of sound belong in time: lost sound is found by their times, and rough clocks are not believed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from genai_live.voice.sound_cards.card_clock import CardClock
from genai_live.voice.sound_cards.timeline import Timeline

RATE, BLOCK = 24_000, 256


def missing(times: list[float]) -> list[int]:
    """What a timeline says of blocks that come at these times; what is missing is there afterwards."""
    timeline, found = Timeline(RATE), []
    for at in times:
        found.append(timeline.missing(at))
        timeline.take(BLOCK + found[-1])
    return found


def steady(count: int, begin: float = 0.0, first: int = 0) -> list[float]:
    return [begin + (first + number) * BLOCK / RATE for number in range(count)]


def test_blocks_that_follow_each_other_lack_nothing() -> None:
    assert not any(missing(steady(1_000)))


@pytest.mark.parametrize("lost", [36, 128, 640, 3_360])
def test_lost_samples_are_counted_at_the_second_block_after_them(lost: int) -> None:
    found = missing(steady(100) + steady(100, lost / RATE, first=100))
    assert found[101] == lost
    assert sum(map(abs, found)) == lost


def test_two_losses_in_a_row_are_two() -> None:
    found = missing(steady(50) + steady(2, 128 / RATE, first=50) + steady(1, 256 / RATE, first=52) + steady(50, 384 / RATE, 53))
    assert found[50:55] == [0, 128, 0, 0, 256]
    assert sum(map(abs, found)) == 384


def test_sound_that_comes_twice_is_too_much() -> None:
    found = missing(steady(50) + steady(50, -128 / RATE, first=50))
    assert found[51] == -128


def test_two_clocks_that_go_differently_lose_nothing() -> None:
    assert not any(missing([at * 1.0005 for at in steady(10_000)]))


@pytest.mark.parametrize("seed", range(5))
def test_a_rough_clock_is_not_believed_but_where_much_is_missing(seed: int) -> None:
    rough = random.Random(seed)
    times = steady(500) + steady(500, 0.2, first=500)
    found = missing([at + rough.uniform(-0.005, 0.005) for at in times])
    assert not any(found[:501])
    assert found[501] == pytest.approx(0.2 * RATE, abs=0.01 * RATE)
    assert not any(found[502:])


LATENESS: dict[str, Callable[[float, random.Random], float]] = {
    "one callback in 100, by 1 to 5 ms": lambda at, chance: at + (chance.random() < 0.01) * chance.uniform(0.001, 0.005),
    "exponential": lambda at, chance: at + chance.expovariate(1 / 0.0003),
    "as the delay of ALSA": lambda at, chance: at + abs(chance.gauss(0.0, 0.001)),
    "ticks of 15.6 ms": lambda at, chance: at // 0.0156 * 0.0156,
}


@pytest.mark.parametrize("kind", LATENESS)
def test_callbacks_that_are_late_for_themselves_lose_nothing(kind: str) -> None:
    chance, late = random.Random(3), LATENESS[kind]
    assert sum(map(bool, missing([late(at, chance) for at in steady(60_000)]))) <= 4  # in ten minutes, there and back


def test_a_card_whose_clock_is_put_back_tells_the_time_again_at_once() -> None:
    clock = CardClock(0.02)
    for number in range(200):
        called = number * 0.01 - (60.0 if number > 100 else 0.0)
        assert clock.at(500.0 + number * 0.01, called, called + 0.03) == pytest.approx(500.03 + number * 0.01)


def test_a_laptop_that_has_slept_has_lost_nothing() -> None:
    assert not any(missing(steady(100) + steady(100, 3600.0)))


def test_a_callback_that_comes_late_tells_the_time_all_the_same() -> None:
    clock, late = CardClock(0.02), random.Random(1)
    for number in range(1_000):
        called = number * 0.01
        now = 500.0 + called + late.choice([0.0, 0.0001, 0.005, 0.02])
        if number > 64:
            assert clock.at(now, called, called + 0.03) == pytest.approx(500.03 + called, abs=2e-4)
        else:
            clock.at(now, called, called + 0.03)


@pytest.mark.parametrize(("called", "sounds"), [(0.0, 0.0), (5.0, 4.0), (5.0, 9.0)])
def test_a_driver_that_says_what_cannot_be_is_not_believed(called: float, sounds: float) -> None:
    assert CardClock(0.02).at(100.0, called, sounds) == 100.02


def test_a_microphone_heard_before_its_callback() -> None:
    assert CardClock(-0.02).at(100.0, 7.0, 6.99) == pytest.approx(99.99)
    assert CardClock(-0.02).at(100.0, 7.0, 7.01) == 99.98
