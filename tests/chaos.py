"""Numbered conversations under everything that goes wrong: many users, four services, signals. Used by the suite and by ``soak``.

``disturbed(seed, seconds)`` runs on the main thread, where signals come; each of its users has a thread, the first one this.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType

import genai_live
from tests.numbered_service import OWN_TURN_MODEL, SECOND_QUESTION, Habits, NumberedService, Truth
from tests.numbered_talk import Manner, Struck, User
from tests.raw_peer import beside
from tests.servers import client_of
from tests.waiting import PATIENCE, until

LIBRARY = os.path.dirname(genai_live.__file__)
EACH_ITS_OWN_TURN = ("interrupts", "waits")
"""Where another thread asks at the same time. A service that merges or drops questions in silence can be understood by no client
that never lets it be silent. Nor can one tell there whose the answers to calls are, if each is a turn of its own and nobody waits
for it (test_ledger.py): no such calls are left."""
MODELS = ("models/emulator", "models/test", OWN_TURN_MODEL)


@dataclass
class Findings:
    """What a run found."""

    seed: int
    counts: Counter[str]
    wrong: list[str]


def chaos(seed: int, seconds: float, *, users: int | None = None, signals: bool = True, happens: Sequence[str] = ()) -> Findings:
    """Lets some users talk at the same time; the plan of everything is the seed's, the moments are the machine's.

    It takes ``seconds``, and longer while one of the things that ``happens`` names has not happened.
    """
    chance = random.Random(seed)
    truth, over = Truth(), threading.Event()
    with ExitStack() as stack:
        ways = [SECOND_QUESTION[number % len(SECOND_QUESTION)] for number in range(users or chance.randint(2, 8))]
        talking = [_user(stack, truth, way, chance, over) for way in ways]

        def happened(name: str) -> bool:
            return truth.counts.get(name, 0) > 0 or any(user.told.counts[name] for user in talking)

        def end() -> None:
            over.wait(seconds)
            try:
                until(lambda: all(map(happened, happens)) or any(user.told.wrong for user in talking))
            finally:
                over.set()

        ending = beside(end)
        first, *others = talking
        talks = [beside(user.talk, over) for user in others]
        with struck(first, random.Random(chance.getrandbits(32)), over) if signals else nullcontext():
            first.talk(over)
        for each in talks:
            each.result(2 * PATIENCE)
        ending.result(PATIENCE)
    counts = sum((user.told.counts for user in talking), Counter(truth.counts))
    return Findings(seed, counts, [f"seed {seed}: {user.report}" for user in talking if user.told.wrong])


def _user(stack: ExitStack, truth: Truth, second_question: str, chance: random.Random, over: threading.Event) -> User:
    habits = Habits(second_question, think=chance.choice((0.0, 0.02, 0.1)), fuse=chance.choice((0, 15, 60, 300)), calm=over)
    url = stack.enter_context(NumberedService(truth, habits, random.Random(chance.getrandbits(32))).open())
    model = chance.choice(MODELS)
    own_turn, is_clear = model == OWN_TURN_MODEL, second_question in EACH_ITS_OWN_TURN
    reconnect = chance.random() < 0.75
    callback = chance.choice(("", "", "notes", "sleeps", "answers"))
    manner = Manner(
        second_question,
        model,
        own_turn=own_turn,
        reconnect=reconnect,
        callback=callback,
        leaves_calls=is_clear or not own_turn or callback != "answers",
        disturbed=is_clear and chance.random() < 0.5,
    )
    client = client_of(url, shared_reader=chance.random() < 0.5)
    return User(client, truth, manner, random.Random(chance.getrandbits(32)))


@contextmanager
def struck(user: User, chance: random.Random, over: threading.Event) -> Iterator[None]:
    """Signals whose handler raises, wherever the main thread stands in the library while the user lets it. Main thread."""

    def handler(number: int, frame: FrameType | None) -> None:
        if user.armed and within_library(frame):
            user.armed = False
            raise Struck

    def strike() -> None:
        while not over.wait(chance.choice((0.001, 0.01, 0.1, 0.3))):
            os.kill(os.getpid(), chance.choice(numbers))

    numbers = (signal.SIGINT, signal.SIGUSR1)
    before = [signal.signal(number, handler) for number in numbers]
    striking = beside(strike)
    calling, gc.callbacks[:] = gc.callbacks[:], []  # where Python itself cannot raise (hypothesis has one)
    try:
        yield
    finally:
        gc.callbacks[:] = calling
        over.set()
        striking.result(PATIENCE)
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


def within_library(frame: FrameType | None) -> bool:
    """True when the innermost function belongs to the library, or was called by it; not by the collection of garbage meanwhile.

    What raises there reaches nobody: the callbacks of weak references, and ``__del__``.
    """
    while frame is not None:
        if frame.f_code.co_name == "__del__" or os.path.basename(frame.f_code.co_filename) in ("weakref.py", "_weakrefset.py"):
            return False
        if frame.f_code.co_filename.startswith(LIBRARY):
            return True
        frame = frame.f_back
    return False
