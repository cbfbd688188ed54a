"""What ``genai_live.testing.check_sound_end`` looks at: the promises of ``SoundEnd``, one function each. The test's thread."""

from __future__ import annotations

import array
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genai_live.audio import SAMPLE_BYTES
from genai_live.errors import EndFull
from genai_live.voice.events import ConversationState, Level, StateChanged
from genai_live.voice.sound_end import HELD_SECONDS, Control, Rates, SoundEnd, lacks

AT_ONCE = 0.1
"""Seconds that a call may take which never blocks: a busy machine takes some of them, a block of sound more."""
CLOSE_WITHIN = 2.0
"""Seconds that ``close`` is given."""
GRACE = 0.5
"""Seconds by which it may be late; also how long a closed end is watched for what it must not do any more."""
CONFIRM_WITHIN = 0.5
"""Seconds in which a flush must have taken effect to be told exactly."""
_LOOK = 0.005


class Checked:
    """An end under test, with what it did."""

    def __init__(self, end: SoundEnd, patience: float) -> None:
        missing = lacks(end)
        assert not missing, f"{type(end).__name__} has no {missing}"
        self.end = end
        self.patience = patience
        self.rates = Rates(0, 0)
        self._played = 0.0
        self.fed: list[bytes] = []
        self.feeders: set[int] = set()
        self.endings: list[Exception | None] = []

    def open(self) -> None:
        """Opens it, and looks at its rates."""
        self.rates = rates = self.end.open(self._feed, self._control, self.endings.append)
        assert isinstance(rates, Rates), f"open returned {type(rates).__name__}: it must return Rates"
        for name, rate in (("input", rates.input), ("output", rates.output)):
            assert isinstance(rate, int), f"Rates.{name} must be a number of Hz"
            assert 8_000 <= rate <= 192_000, f"Rates.{name} is {rate} Hz"
        assert self.played == 0, "played is not 0 before anything was played"
        assert self.flushes in (0, None), "flushes is not 0 before anything was flushed"

    @property
    def played(self) -> float:
        """What the end says, which must never fall."""
        played = self.end.played
        assert played >= self._played, f"played has fallen, from {self._played:g} to {played:g}"
        self._played = played
        return played

    @property
    def flushes(self) -> int | None:
        """What the end says; None where it does not."""
        return getattr(self.end, "flushes", None)

    def wait_for_flush(self, words: str) -> None:
        """Until the first flush has taken effect: as the end says, or must have done."""
        if self.flushes is None:
            time.sleep(CONFIRM_WITHIN)
        else:
            self.wait(lambda: self.flushes == 1, words, CONFIRM_WITHIN)

    def _feed(self, pcm: bytes) -> None:
        self.feeders.add(threading.get_ident())
        self.fed.append(pcm)

    def _control(self, control: Control) -> None:
        """What a person does is none of the test's business."""

    def tone(self, seconds: float) -> bytes:
        """Sound to play."""
        count, step = int(seconds * self.rates.output), 2 * math.pi * 440 / self.rates.output
        period = array.array("h", (int(3_000 * math.sin(number * step)) for number in range(min(count, self.rates.output))))
        return (period.tobytes() * (count // max(1, len(period)) + 1))[: count * SAMPLE_BYTES]

    def wait(self, true: Callable[[], bool], promise: str, within: float | None = None) -> None:
        """Waits for what was promised."""
        limit = time.monotonic() + (self.patience if within is None else within)
        while not true():
            assert time.monotonic() < limit, promise
            time.sleep(_LOOK)

    def wait_for_sound(self) -> None:
        """Waits until its ears have heard something."""
        self.wait(lambda: bool(self.fed), "nothing was fed: an end without ears of its own is tested with feeds=False")

    def play(self, seconds: float) -> None:
        """Plays a tone, without being kept."""
        pcm = self.tone(seconds)
        with at_once("play"):
            self.end.play(pcm)

    def close(self, timeout: float = CLOSE_WITHIN) -> None:
        """Closes it, and looks how long that takes."""
        began = time.monotonic()
        self.end.close(timeout)
        took = time.monotonic() - began
        assert took <= timeout + GRACE, f"close({timeout:g}) took {took:.2f} s"

    def __enter__(self) -> Checked:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextmanager
def at_once(name: str) -> Iterator[None]:
    """What stands in it must not take long, nor fail; a second try is not given, as a device gives none."""
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{name} raised {type(error).__name__}: {error}") from error
    took = time.monotonic() - began
    assert took < AT_ONCE, f"{name} took {took * 1000:.0f} ms: it must return at once"


def feeds_whole_samples_from_one_thread(checked: Checked) -> None:
    """``feed`` takes no lock, so that one thread alone may call it."""
    if not checked.fed:
        return
    checked.wait(lambda: len(checked.fed) >= 10, "it stopped feeding: a microphone hears silence too")
    assert len(checked.feeders) == 1, f"feed was called from {len(checked.feeders)} threads: it must be one"
    for pcm in checked.fed:
        assert isinstance(pcm, bytes), f"feed takes bytes, not {type(pcm).__name__}"
        assert len(pcm) % SAMPLE_BYTES == 0, f"feed was given {len(pcm)} bytes: samples are cut in half"


def plays_all_that_it_is_given_and_counts_it(checked: Checked) -> None:
    """``played`` never falls, and comes to what was handed over."""
    seconds = 0.5
    checked.play(seconds / 2)
    checked.play(seconds / 2)
    with at_once("end_of_answer"):
        checked.end.end_of_answer()

    checked.wait(lambda: checked.played >= seconds - 1e-3, f"played came to less than the {seconds:g} s that were handed over")
    time.sleep(0.2)
    assert checked.played <= seconds + 1e-3, "played counts more than was handed over"


def drops_what_was_not_heard_and_says_so(checked: Checked) -> None:
    """After a flush nothing of the old sound is heard, and what comes next is."""
    checked.play(60.0)
    checked.wait(lambda: checked.played > 0, "nothing was played")
    with at_once("flush"):
        checked.end.flush()
    checked.wait_for_flush(f"flushes did not count a flush within {CONFIRM_WITHIN:g} s")
    heard = checked.played
    assert heard < 60, "played counts what was dropped"
    time.sleep(0.2)
    assert checked.played == heard, "the old sound was heard after its flush was counted"
    checked.play(0.2)
    checked.end.end_of_answer()
    checked.wait(lambda: checked.played >= heard + 0.2 - 1e-3, "what was played after a flush was not heard")
    assert checked.played <= heard + 0.2 + 1e-3, "played counts what was dropped"


def holds_ten_minutes_and_refuses_what_is_beyond(checked: Checked) -> None:
    """Answers come faster than they are spoken."""
    piece = checked.tone(20.0)
    for _ in range(int(HELD_SECONDS / 20.0) - 1):
        checked.end.play(piece)
    try:
        for _ in range(30):  # an end that plays faster than time has room again and again
            checked.end.play(piece)
    except EndFull:
        pass
    else:
        raise AssertionError(f"EndFull was not raised, although far more than {HELD_SECONDS:g} s wait")
    checked.end.flush()
    checked.wait_for_flush("a full end was not flushed")
    checked.end.play(checked.tone(0.1))


def is_shown_everything_and_keeps_nobody(checked: Checked) -> None:
    """Events of any kind, those of later versions too."""
    for event in (StateChanged(0.0, ConversationState.LISTENING), Level(0.1, -96.0, -96.0), object()):
        with at_once("show"):
            checked.end.show(event)


def closes_in_time_twice_and_from_any_thread(checked: Checked) -> None:
    """Whoever ends a conversation ends it once and for all."""
    checked.play(5.0)
    failed: list[BaseException] = []

    def close() -> None:
        try:
            checked.close()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN + 2 * GRACE)
    assert not thread.is_alive(), "close did not return"
    assert not failed, f"close failed on another thread: {failed[0]}"
    checked.close()
    fed = len(checked.fed)
    time.sleep(GRACE)
    assert len(checked.fed) <= fed, "it feeds after it was closed"
    assert len(checked.endings) <= 1, f"ended was called {len(checked.endings)} times"


CHECKS = (
    feeds_whole_samples_from_one_thread,
    plays_all_that_it_is_given_and_counts_it,
    drops_what_was_not_heard_and_says_so,
    holds_ten_minutes_and_refuses_what_is_beyond,
    is_shown_everything_and_keeps_nobody,
    closes_in_time_twice_and_from_any_thread,
)


def check_all(make: Callable[[], SoundEnd], *, feeds: bool, patience: float) -> None:
    """Looks at each promise, with an end of its own."""
    for check in CHECKS:
        with Checked(make(), patience) as checked:
            checked.open()
            if feeds:
                checked.wait_for_sound()
            check(checked)
