"""Pairs of what was heard and what was played: the distance between them stays, whatever a busy machine loses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genai_live.voice.sound_cards.echo import TOGETHER
from genai_live.voice.sound_cards.pairing import SILENCE, Pairing

FRAME = 160


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * FRAME


def number_of(pcm: bytes) -> int:
    return int.from_bytes(pcm[:2], "little")


def paired(pairing: Pairing) -> list[tuple[int, int]]:
    return [(number_of(heard.pcm), number_of(played.pcm)) for heard, played in pairing.take()]


def test_what_was_played_before_anything_was_heard_is_passed_over_but_for_the_frames_that_nobody_waits_for() -> None:
    pairing = Pairing()
    for number in range(1, 6):
        pairing.far.add(frame(number), 0.0)
    pairing.near.add(frame(1), 0.0)
    assert paired(pairing) == [(1, 3)]
    for number in (2, 3):
        pairing.near.add(frame(number), number * 0.01)
    assert paired(pairing) == [(2, 4), (3, 5)]


@pytest.mark.parametrize(("card", "ahead"), [(0.02, 0), (0.031, 1), (0.05, 2), (0.2, 2)])
def test_what_comes_late_is_put_ahead_so_that_nobody_waits_for_it_but_never_behind_its_echo(card: float, ahead: int) -> None:
    pairing = Pairing()
    pairing.near.add(frame(1), 0.0)
    pairing.far.add(frame(99), card)
    ((_, played),) = pairing.take()
    assert len(pairing.far.waiting) == ahead
    assert played.at == pytest.approx(card - ahead * 0.01)
    assert played is not SILENCE


def test_the_distance_is_chosen_anew_until_something_is_played_for_cards_begin_as_they_like() -> None:
    pairing = Pairing()
    for number in range(20):  # half of what is played is lost
        pairing.near.add(frame(1), number * 0.01)
        if number % 2:
            pairing.far.add(b"\1\0\377\377" * (FRAME // 2), number * 0.01 + 0.06)  # silence, as converters make it
        pairing.take()
    assert len(pairing.near.waiting) == 0
    distances = run(pairing, 1, lambda number: number * 0.01 + 0.06, begin=20)
    assert distances[1:] == pytest.approx([0.04] * 99)


def test_what_was_heard_waits_for_its_partner_so_that_the_distance_stays() -> None:
    pairing = Pairing()
    pairing.near.add(frame(1), 0.0)
    pairing.near.add(frame(2), 0.01)
    assert paired(pairing) == []
    pairing.far.add(frame(7), 0.02)
    assert paired(pairing) == [(1, 7)]
    pairing.near.add(frame(3), 0.02)
    pairing.far.add(frame(8) + frame(9), 0.03)
    assert paired(pairing) == [(2, 8), (3, 9)]


def test_a_loudspeaker_that_hangs_does_not_make_the_microphone_deaf() -> None:
    pairing = Pairing()
    for number in range(40):
        pairing.near.add(frame(number + 1), number * 0.01)
    assert len(list(pairing.take())) >= 20


def run(pairing: Pairing, seconds: float, far_at: Callable[[int], float | None], begin: int = 0) -> list[float]:
    """Distances in seconds of all pairs, of blocks that come every 10 ms; a block that is None did not come."""
    distances = []
    for number in range(begin, begin + int(seconds * 100)):
        pairing.near.add(frame(1), number * 0.01)
        if (at := far_at(number)) is not None:
            pairing.far.add(frame(99), at)
        distances += [played.at - heard.at for heard, played in pairing.take() if played is not SILENCE]
    return distances


def test_where_a_loudspeaker_ran_empty_the_distance_is_put_right() -> None:
    pairing = Pairing()
    before = run(pairing, 2, lambda number: number * 0.01 + 0.04)
    # A tenth of a second is lost: the card plays what follows so much later.
    after = run(pairing, 3, lambda number: number * 0.01 + 0.04 if number >= 210 else None, begin=200)
    assert after[-100:] == pytest.approx(before[-100:])


def test_where_two_cards_have_two_clocks_the_distance_is_kept() -> None:
    pairing = Pairing()
    distances = run(pairing, 120, lambda number: number * 0.01 * 1.0005 + 0.04)  # 0.06 s apart after two minutes
    assert max(distances) - min(distances) < 0.035


def test_where_a_microphone_lost_sound_the_distance_is_put_right() -> None:
    pairing = Pairing()
    before = run(pairing, 2, lambda number: number * 0.01 + 0.04)
    for number in range(200, 210):
        pairing.far.add(frame(99), number * 0.01 + 0.04)
    after = run(pairing, 3, lambda number: number * 0.01 + 0.04, begin=210)
    assert after[-100:] == pytest.approx(before[-100:])


@pytest.mark.parametrize("lost", [90, 96, 100, 109, 130])
def test_what_a_busy_machine_loses_about_the_first_sound_does_not_keep_the_microphone_behind(lost: int) -> None:
    pairing, waiting, distances = Pairing(), [], []
    for number in range(300):
        pairing.near.add(frame(1), number * 0.01 - 0.015)
        if not lost <= number < lost + 14:
            pairing.far.add(frame(99 if number >= 100 else 0), number * 0.01 + 0.033)
        distances += [played.at - heard.at for heard, played in pairing.take(TOGETHER)]
        waiting.append(len(pairing.near.waiting))
    assert max(waiting[lost:]) > 10
    assert max(waiting[-100:]) < TOGETHER
    assert distances[-100:] == pytest.approx([0.028] * 100)
