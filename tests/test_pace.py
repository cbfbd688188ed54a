"""When a chunk of a stream is due, for every kind of source: a table, and a clock that the test passes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from genai_live._streaming.pace import AHEAD, Pace, pace_of
from genai_live._streaming.sound_source import PULLED_AHEAD

CHUNK = 0.04
"""Seconds of sound in a chunk."""
SAMPLES = 640
MINUTES = 10
COUNT = int(MINUTES * 60 / CHUNK)


def sent(pace: Pace, given: Sequence[float], ahead: int) -> list[float]:
    """When each chunk goes out, of a source that gives each at ``given`` at the earliest and is pulled so many ahead."""
    times: list[float] = []
    asked = 0.0
    for index, at in enumerate(given):
        if index > ahead:
            asked = max(asked, times[index - ahead - 1])  # the source waits for room
        came = max(asked, at)
        pace.came(asked, came)
        now = max(came, times[-1] if times else 0.0)
        times.append(max(now, pace.due(now)))
        pace.sent(SAMPLES, times[-1])
        asked = came
    return times


def microphone(clock: float = 1.0, *, first: float = 0.0, block: int = 1) -> list[float]:
    """A device whose clock runs ``clock`` times as fast, that gives ``block`` chunks at once, and nothing before ``first``."""
    return [max(first, (index // block + 1) * block * CHUNK / clock) for index in range(COUNT)]


def stalled(*, lost: bool) -> list[float]:
    """A device that gives nothing for three seconds, and then all that it has recorded meanwhile, or nothing of it."""
    begin, pause = 60.0, 3.0
    return [at + pause if lost and at > begin else max(at, begin + pause) if at > begin else at for at in microphone()]


DEVICES: dict[str, list[float]] = {
    "an even one": microphone(),
    "first block 0.3 s late, then a burst": microphone(first=0.3),
    "a second was recorded before it is asked": [max(0.0, at - AHEAD) for at in microphone()],
    "its clock is 2 % fast": microphone(1.02),
    "its clock is 2 % slow": microphone(0.98),
    "one stall of 3 s, the sound of which is lost": stalled(lost=True),
    "one stall of 3 s, the sound of which comes in a burst": stalled(lost=False),
    "blocks of 100 ms": microphone(block=5),
    "blocks of 2 s, fast": microphone(1.02, block=50),
}


@pytest.mark.parametrize("ahead", [0, PULLED_AHEAD])
@pytest.mark.parametrize("device", DEVICES)
def test_a_microphone_is_never_delayed(device: str, ahead: int) -> None:
    given = DEVICES[device]
    assert sent(pace_of(None, 40, may_block=True), given, ahead) == given


FILE = [0.0] * COUNT
SPOKEN = [index * CHUNK for index in range(COUNT)]
PACES: dict[str, tuple[Callable[[], Pace], list[float]]] = {
    "a list, or what else is in memory": (lambda: pace_of(None, 40, may_block=False), SPOKEN),
    "a generator that reads a file": (lambda: pace_of(None, 40, may_block=True), [max(0.0, at - AHEAD) for at in SPOKEN]),
    "realtime=True": (lambda: pace_of(True, 40, may_block=True), SPOKEN),
    "realtime=False": (lambda: pace_of(False, 40, may_block=True), FILE),
}


@pytest.mark.parametrize("ahead", [0, PULLED_AHEAD])
@pytest.mark.parametrize("name", PACES)
def test_sound_that_is_there_at_once_is_paced_as_speech_unless_the_caller_says_otherwise(name: str, ahead: int) -> None:
    new_pace, expected = PACES[name]
    assert sent(new_pace(), FILE, ahead) == pytest.approx(expected)


@pytest.mark.parametrize("ahead", [0, PULLED_AHEAD])
def test_a_generator_that_has_run_ahead_makes_up_for_no_pause(ahead: int) -> None:
    before, pause = 500, 60.0
    times = sent(pace_of(None, 40, may_block=True), [0.0] * before + [pause] * (COUNT - before), ahead)
    assert times[before - 1] == pytest.approx((before - 1) * CHUNK - AHEAD)
    assert times[before:] == pytest.approx([pause + max(0.0, index * CHUNK - AHEAD) for index in range(COUNT - before)])


def test_strict_pacing_holds_a_fast_microphone_back() -> None:
    given = microphone(1.02)
    times = sent(pace_of(True, 40, may_block=True), given, 0)
    assert times[-1] - given[-1] == pytest.approx(MINUTES * 60 * 0.02 / 1.02, abs=0.2)
