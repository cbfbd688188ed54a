"""The small parts of a conversation: events that wait, letters that nobody waits for, seconds that were heard, loudness."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_live.audio import SILENCE_DBFS, level_dbfs
from genai_live.voice import Ended, Latency, Level, Waiting
from genai_live.voice.detection import SpeechClock, loudness
from genai_live.voice.event_queue import MOST, EventQueue
from genai_live.voice.latency import Statistics, Stopwatch
from genai_live.voice.mailbox import Mailbox
from genai_live.voice.playback import Playback
from genai_live.voice.transcript import words_heard
from tests.sound_ends import tone
from tests.waiting import PATIENCE

# Events


def test_of_too_many_events_levels_go_first_and_are_counted() -> None:
    events = EventQueue()
    for number in range(10):
        events.put(Level(number, 0.0, 0.0))
    for number in range(MOST):
        events.put(Waiting(number, 1.0))
    assert events.dropped == 10
    events.put(Waiting(MOST, 1.0))
    assert events.dropped == 11
    first = events.take()
    assert isinstance(first, Waiting)
    assert first.at == 1


def test_the_last_event_ends_all_who_wait_for_one() -> None:
    events = EventQueue()
    taken: list[object] = []

    def take_all() -> None:
        while (event := events.take()) is not None:
            taken.append(event)

    threads = [threading.Thread(target=take_all, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(500):
        events.put(Waiting(number, 1.0))
    events.end(Ended(500.0, None))
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert len(taken) == 501
    assert isinstance(events.ended, Ended)


# Letters


def test_letters_are_handed_on_one_at_a_time_and_all_of_them() -> None:
    read: list[int] = []
    inside = 0

    def handle(letter: int) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        read.append(letter)
        inside -= 1

    mailbox = Mailbox(handle)
    mailbox.open()

    def post(start: int) -> None:
        for number in range(start, start + 1_000):
            mailbox.post(number)

    threads = [threading.Thread(target=post, args=(start,)) for start in range(0, 8_000, 1_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(read) == list(range(8_000))
    for start in range(0, 8_000, 1_000):
        mine = [number for number in read if start <= number < start + 1_000]
        assert mine == sorted(mine)


def test_who_posts_while_another_thread_is_at_it_does_not_wait() -> None:
    entered, leave = threading.Event(), threading.Event()
    read: list[str] = []

    def handle(letter: str) -> None:
        read.append(letter)
        if letter == "slow":
            entered.set()
            assert leave.wait(PATIENCE)

    mailbox = Mailbox(handle)
    mailbox.open()
    thread = threading.Thread(target=mailbox.post, args=("slow",))
    thread.start()
    assert entered.wait(PATIENCE)
    mailbox.post("quick")  # returns, although nobody reads it yet
    assert read == ["slow"]
    leave.set()
    thread.join(PATIENCE)
    assert read == ["slow", "quick"]


def test_a_letter_that_posts_another_and_one_that_fails_keep_nothing_back() -> None:
    read: list[str] = []

    def handle(letter: str) -> None:
        read.append(letter)
        if letter == "first":
            mailbox.post("second")
            assert read == ["first"]
            raise ValueError("is logged")

    mailbox = Mailbox(handle)
    mailbox.post("first")
    assert read == []
    mailbox.open()
    assert read == ["first", "second"]


# What was heard


def test_seconds_after_a_flush_count_from_where_the_old_sound_stopped() -> None:
    playback = Playback()
    old = playback.hand_over(2.0)
    playback.look(0.5, 0)
    assert playback.cut() == [old]
    new = playback.hand_over(1.0)
    playback.look(0.6, 0)  # a last block of the old one
    assert (old.heard, new.heard) == (pytest.approx(0.6), 0.0)
    playback.look(0.6, 1)
    playback.complete()
    playback.look(1.1, 1)
    assert (old.heard, old.settled, new.heard) == (pytest.approx(0.6), True, pytest.approx(0.5))
    playback.look(1.6, 1)
    assert new.settled
    assert playback.waiting == 0


def test_an_answer_behind_a_cut_that_is_never_confirmed_is_charged_with_nothing() -> None:
    playback = Playback()
    old = playback.hand_over(2.0)
    playback.look(0.5, 0)
    playback.cut()
    new = playback.hand_over(1.0)
    playback.complete()
    playback.look(0.9, 0)  # 0.4 of them of the new one: an end that drops the rest says no more than that
    playback.give_up_cut()
    assert (old.heard, old.exact) == (pytest.approx(0.5, abs=0.2), False)
    playback.look(1.5, 0)
    assert (new.heard, new.settled, playback.waiting) == (pytest.approx(1.0), True, 0)


WORDS = "one two three four"
IN_STEP = [("one ", 0.0), ("two ", 1.0), ("three ", 2.0), ("four", 3.0)]


@pytest.mark.parametrize(
    ("pieces", "heard", "said"),
    [
        ([(WORDS, 0.0)], 1.5, "one two"),
        ([(WORDS, 4.0)], 1.5, "one two"),
        (IN_STEP, 1.5, "one two"),
        ([(words, at + 1) for words, at in IN_STEP], 1.5, "one two"),
        ([("one ", 0.0), ("two three four", 4.0)], 1.5, "one two"),
        ([("今日はいい天気です", 0.0)], 1.0, "今日は"),
        ([(WORDS, 0.0)], 0.0, ""),
        ([(WORDS, 4.0)], 4.0, WORDS),
        ([], 1.0, ""),
    ],
    ids=[
        "before the sound",
        "after it",
        "in step before",
        "in step after",
        "most after it",
        "no spaces",
        "nothing",
        "all",
        "no words",
    ],
)
def test_of_an_answer_of_four_seconds_the_words_that_were_heard_are_said(
    pieces: list[tuple[str, float]], heard: float, said: str
) -> None:
    assert words_heard(pieces, heard, 4.0).strip() == said


PIECES = st.lists(st.tuples(st.text(" ab\u4eca", max_size=5), st.floats(0.0, 5.0)), max_size=6)


@given(PIECES, st.floats(0.0, 6.0))
def test_words_that_were_heard_are_the_beginning_of_all_that_were_said(pieces: list[tuple[str, float]], heard: float) -> None:
    pieces = sorted(pieces, key=lambda piece: piece[1])
    assert "".join(words for words, _ in pieces).startswith(words_heard(pieces, heard, 5.0))


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0.0, 4.0), st.booleans()), max_size=30))
def test_what_is_heard_is_never_more_than_was_handed_over_and_never_falls(steps: list[tuple[float, float, bool]]) -> None:
    playback = Playback()
    played, flushes, held = 0.0, 0, 0.0
    seen: dict[int, float] = {}
    stretches = []
    for handed, heard, cut in steps:
        stretch = playback.hand_over(handed)
        held += handed
        if stretch not in stretches:
            stretches.append(stretch)
        taken = min(held, heard)
        played, held = played + taken, held - taken
        playback.look(played, flushes)
        if cut:
            flushes += bool(playback.cut())
            held = 0.0
            playback.look(played, flushes)
        for number, each in enumerate(stretches):
            assert seen.get(number, 0.0) <= each.heard <= each.length + 1e-6
            seen[number] = each.heard
    assert sum(each.heard for each in stretches) == pytest.approx(played)


# Loudness and latency


def test_loudness_is_what_the_whole_sound_has_and_costs_less() -> None:
    for level in (20, 500, 8_000, 30_000):
        pcm = tone(0.04, level=level)
        assert loudness(pcm) == pytest.approx(level_dbfs(pcm), abs=1.0)
    assert loudness(b"") == loudness(bytes(1280)) == SILENCE_DBFS


def test_speech_is_what_stands_out_of_the_noise_of_its_room() -> None:
    clock = SpeechClock()
    for number in range(200):
        clock.hear(tone(0.04, level=200), number * 0.04)
    assert clock.loud_at is not None
    assert clock.loud_at <= 3.04  # at first nothing is known of the room
    clock.hear(tone(0.04, level=3_000), 8.0)
    clock.hear(tone(0.04, level=200), 8.04)
    assert clock.loud_at == 8.0


def test_who_speaks_at_once_is_noticed_too() -> None:
    clock = SpeechClock()
    for number in range(25):
        clock.hear(tone(0.04), number * 0.04)
    clock.hear(bytes(1280), 1.0)
    assert clock.loud_at == pytest.approx(0.96)


def test_percentiles_are_those_of_the_turns_that_were_measured() -> None:
    statistics = Statistics()
    for number in range(1, 101):
        watch = Stopwatch(10.0)
        watch.note("first_message", 10.0 + number / 100)
        watch.note("first_message", 99.0)
        if number % 2:
            watch.note("first_played", 11.0)
        statistics.add(watch.read())
    statistics.add(Stopwatch(None).read())
    summary = statistics.summary()
    assert summary.turns == 100
    assert summary.p50.first_message == pytest.approx(0.51)
    assert summary.p95.first_message == pytest.approx(0.96)
    assert (summary.p50.first_played, summary.p50.first_sound) == (pytest.approx(1.0), None)
    assert Statistics().summary().p95 == Latency()


def test_a_hundred_looks_take_no_time_to_speak_of() -> None:
    playback = Playback()
    for _ in range(50):
        playback.hand_over(1.0)
        playback.complete()
    began = time.perf_counter()
    for _ in range(100):
        playback.look(0.1, 0)
    assert time.perf_counter() - began < 0.1
