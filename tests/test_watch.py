"""When a stream of sound counts as lost; time is handed in."""

from __future__ import annotations

import pytest

from genai_live.voice.sound_cards.watch import FIRST_BLOCK, LOST_AFTER, Watch

LOOK = 0.01


def lost_after(watch: Watch, begin: float, look: float = LOOK) -> float:
    """Seconds of looks without a block until the stream is lost."""
    now = begin
    while not watch.look(now := now + look, 0):
        assert now - begin < 60
    return now - begin


def test_a_stream_is_lost_within_a_second_of_its_last_block() -> None:
    watch = Watch(100.0)
    for tick in range(500):
        assert not watch.look(100.0 + tick * LOOK, tick % 2)
    assert LOST_AFTER <= lost_after(watch, 104.99) < 1.0 - 0.1


def test_the_first_block_has_five_seconds() -> None:
    watch = Watch(0.0)
    assert FIRST_BLOCK <= lost_after(watch, 0.0) < FIRST_BLOCK + 0.1
    assert not watch.flows


@pytest.mark.parametrize("gap", [0.13, 0.5])
def test_a_gap_that_a_busy_machine_makes_is_no_loss(gap: float) -> None:
    watch = Watch(0.0)
    watch.look(0.0, 1)
    for tick in range(1, int(gap / LOOK)):
        assert not watch.look(tick * LOOK, 0)
    assert not watch.look(gap, 3)


def test_time_in_which_this_process_did_not_run_does_not_count() -> None:
    watch = Watch(0.0)
    watch.look(0.0, 1)
    assert not watch.look(3_600.0, 0)  # a laptop whose lid was closed
    assert not watch.look(3_600.01, 2)
    assert lost_after(watch, 3_600.01) < 1.0


def test_a_machine_that_runs_this_process_seldom_stretches_the_time() -> None:
    watch = Watch(0.0)
    watch.look(0.0, 1)
    assert lost_after(watch, 0.0, look=0.2) > 2 * LOST_AFTER
