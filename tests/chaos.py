"""Numbered conversations under everything that goes wrong: many users, four services, signals. Used by the suite and by ``soak``.

``disturbed(seed, seconds)`` runs on the main thread, where signals come; each of its users has a thread, the first one this.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType

import genai_live
from tests.numbered_service import OWN_TURN_MODEL, SECOND_QUESTION, Habits, NumberedService, Truth
from tests.numbered_talk import Manner, Struck, User
from tests.raw_peer import beside
from tests.servers import client_of
from tests.waiting import PATIENCE

LIBRARY = os.path.dirname(genai_live.__file__)
MODELS = ("models/emulator", "models/test", OWN_TURN_MODEL)


@dataclass
class Findings:
    """What a run found."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def chaos(
    seed: int,
    seconds: float,
    *,
    users: int | None = None,
    signals: bool = True,
    second_questions: Sequence[str] = SECOND_QUESTION,
    disturbed: Sequence[str] = ("interrupts", "waits"),
) -> Findings:
    """Lets some users talk at the same time; the plan of everything is the seed's, the moments are the machine's.

    ``second_questions`` are what the service does with a question that comes before the answer to another, ``disturbed`` those
    where another thread may ask at the same time.
    """
    chance = random.Random(seed)
    found, truth = Findings(seed), Truth()
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        ways = [second_questions[number % len(second_questions)] for number in range(users or chance.randint(2, 8))]
        talking = [_user(stack, truth, way, chance, way in disturbed) for way in ways]
        for _, habits in talking:
            threading.Timer(seconds, habits.calm.set).start()
        others = [beside(user.talk, until) for user, _ in talking[1:]]
        first = talking[0][0]
        with struck(first, random.Random(chance.getrandbits(32)), until) if signals else _undisturbed():
            first.talk(until)
        for each in others:
            each.result(2 * PATIENCE)
    for user, _ in talking:
        found.counts.update(user.told.counts)
        if user.told.wrong:
            found.wrong.append(f"seed {seed}: {user.report}")
    served = {"connections ended": truth.drops, "turns of several questions": truth.merged, "replaced": len(truth.replaced)}
    found.counts.update(served)
    return found


def _user(
    stack: ExitStack, truth: Truth, second_question: str, chance: random.Random, may_be_disturbed: bool
) -> tuple[User, Habits]:
    habits = Habits(second_question, think=chance.choice((0.0, 0.02, 0.1)), fuse=chance.choice((0, 15, 60, 300)))
    url = stack.enter_context(NumberedService(truth, habits, random.Random(chance.getrandbits(32))).open())
    model = chance.choice(MODELS)
    manner = Manner(
        second_question,
        model,
        own_turn=model == OWN_TURN_MODEL,
        reconnect=chance.random() < 0.75,
        callback=chance.choice(("", "", "notes", "sleeps", "answers")),
        disturbed=may_be_disturbed and chance.random() < 0.5,
    )
    client = client_of(url, shared_reader=chance.random() < 0.5)
    return User(client, truth, manner, random.Random(chance.getrandbits(32))), habits


@contextmanager
def struck(user: User, chance: random.Random, until: float) -> Iterator[None]:
    """Signals whose handler raises, wherever the main thread stands in the library while the user lets it. Main thread."""

    def handler(number: int, frame: FrameType | None) -> None:
        if user.armed and within_library(frame):
            user.armed = False
            raise Struck

    def strike() -> None:
        while not over.wait(chance.choice((0.001, 0.01, 0.1, 0.3))) and time.monotonic() < until:
            os.kill(os.getpid(), chance.choice(numbers))

    over, numbers = threading.Event(), (signal.SIGINT, signal.SIGUSR1)
    before = [signal.signal(number, handler) for number in numbers]
    striking = beside(strike)
    try:
        yield
    finally:
        over.set()
        striking.result(PATIENCE)
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


@contextmanager
def _undisturbed() -> Iterator[None]:
    yield


def within_library(frame: FrameType | None) -> bool:
    """True when the innermost function belongs to the library, or was called by it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(LIBRARY):
            return True
        frame = frame.f_back
    return False
