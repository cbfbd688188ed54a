"""Blocks of a sound card, without one: how long they are, when the next ones come, what of them is heard; time is handed in."""

from __future__ import annotations

from collections import deque

import pytest

from genai_live.voice.sound_cards.playback_position import PlaybackPosition
from genai_live.voice.sound_cards.rhythm import REMEMBERED, Rhythm
from genai_live.voice.sound_cards.streams import Block, whole_quanta

RATE = 24_000


@pytest.mark.parametrize(
    ("block_ms", "rate", "frames"), [(10, 24_000, 256), (10, 48_000, 512), (5, 24_000, 128), (20, 24_000, 512)]
)
def test_a_block_of_the_loudspeaker_is_as_long_as_a_sound_server_takes_at_once(block_ms: int, rate: int, frames: int) -> None:
    assert whole_quanta(block_ms, rate) == frames


@pytest.mark.parametrize("quantum", [256 / 48_000, 512 / 48_000])
def test_blocks_that_come_in_a_sound_servers_rhythm_are_foretold(quantum: float) -> None:
    rhythm = Rhythm(10)
    came = [-(-(number * 0.01 + 0.003) // quantum) * quantum for number in range(200)]  # with the quantum that completes it
    for number, at in enumerate(came[:-4]):
        rhythm.note(at)
        if number > REMEMBERED:
            assert rhythm.expected(1) == pytest.approx(came[number + 1], abs=1e-3)
            assert rhythm.expected(4) == pytest.approx(came[number + 4], abs=1e-3)


def test_nothing_is_foretold_of_a_stream_that_has_not_begun() -> None:
    assert Rhythm(10).expected(4) < 1.0


def block(answer: int, at: float, flushes: int = 0) -> Block:
    return Block(None, answer, at, late=False, flushes=flushes)


def test_what_is_on_its_way_counts_when_its_last_sample_was_heard() -> None:
    blocks = deque([block(240, 1.0), block(120, 1.01)])
    position = PlaybackPosition(blocks, RATE)
    for now, frames in ((1.0, 0), (1.009, 0), (1.0101, 240), (1.0149, 240), (1.0151, 360)):
        position.look(now)
        assert position.frames == frames


def test_a_flush_counts_with_the_first_block_behind_it_and_after_all_that_was_given_before() -> None:
    blocks = deque([block(240, 1.0), block(0, 1.01, flushes=1), block(240, 1.02, flushes=1)])
    position = PlaybackPosition(blocks, RATE)
    position.look(1.009)
    assert (position.frames, position.flushes) == (0, 0)
    position.look(1.0101)
    assert (position.frames, position.flushes) == (240, 1)


def test_every_block_is_passed_on_once_whoever_looks() -> None:
    blocks = deque([block(240, 1.0)])
    position = PlaybackPosition(blocks, RATE)
    position.look(0.0)
    blocks.append(block(0, 1.01))
    position.look(0.0)
    position.look(0.0)
    assert [each.at for each in position.passed] == [1.0, 1.01]
