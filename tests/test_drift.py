"""Two sound cards with clocks of their own: their drift is told by times alone, and taken out of what is compared."""

from __future__ import annotations

import math
import random

import pytest

from genai_live.voice.sound_cards.conversion import Stretcher
from genai_live.voice.sound_cards.drift import Drift

numpy = pytest.importorskip("numpy")

PPM = 1e-6


def drift_of(distances: list[float], every: float = 0.04) -> Drift:
    """After looks at that interval."""
    drift = Drift()
    for number, distance in enumerate(distances):
        drift.note(number * every, distance)
    return drift


def drifting(pace: float, seconds: float, rough: float = 0.0, every: float = 0.04) -> list[float]:
    chance = random.Random(1)
    return [number * every * pace + chance.uniform(-rough, rough) for number in range(round(seconds / every))]


@pytest.mark.parametrize("pace", [50 * PPM, -50 * PPM, 200 * PPM])
def test_clocks_that_run_apart_are_told_before_they_are_a_millisecond_apart(pace: float) -> None:
    assert drift_of(drifting(pace, 0.001 / abs(pace), rough=0.0001)).pace == pytest.approx(pace, rel=0.2)


def test_a_rough_clock_takes_longer_to_tell_it() -> None:
    distances = drifting(100 * PPM, 120, rough=0.002)
    assert drift_of(distances[:125]).pace == 0
    assert drift_of(distances).pace == pytest.approx(100 * PPM, rel=0.2)


@pytest.mark.parametrize("rough", [0.0, 0.0001, 0.001, 0.005])
def test_clocks_that_run_alike_have_no_drift_however_rough_they_are(rough: float) -> None:
    assert drift_of(drifting(0.0, 600, rough)).pace == 0


@pytest.mark.parametrize("at", range(1, 60, 4))
@pytest.mark.parametrize("step", [0.0009, -0.02, 0.6])
def test_sound_that_was_lost_once_is_no_drift(step: float, at: int) -> None:
    assert drift_of([step * (number >= at * 25) for number in range(60 * 25)]).pace == 0


def test_a_drift_that_changes_is_followed() -> None:
    cold, warm = drifting(50 * PPM, 300), drifting(60 * PPM, 300)
    assert drift_of(cold + [cold[-1] + distance for distance in warm]).pace == pytest.approx(60 * PPM, abs=2 * PPM)


def test_what_no_quartz_does_is_no_drift() -> None:
    assert drift_of(drifting(0.01, 60)).pace == 0


@pytest.mark.parametrize("pace", [200 * PPM, -200 * PPM])
@pytest.mark.parametrize("size", [1, 37, 256, 960])
def test_stretched_sound_is_the_same_sound_longer_whatever_the_length_of_its_pieces(pace: float, size: int) -> None:
    rate, stretcher = 24_000, Stretcher()
    sine = numpy.rint(numpy.sin(numpy.arange(rate) * 2 * math.pi * 500 / rate) * 20_000).astype("<i2")
    stretched = numpy.concatenate([stretcher.stretch(sine[at : at + size], pace) for at in range(0, rate, size)])
    assert abs(len(stretched) - rate * (1 + pace)) <= 3
    places = (numpy.arange(len(stretched)) / (1 + pace) - 2) * 2 * math.pi * 500 / rate  # it is two samples late
    assert numpy.abs(stretched[10:] - numpy.sin(places)[10:] * 20_000).max() < 20
