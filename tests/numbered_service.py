"""A Live server that answers numbered questions with their numbers, and keeps the truth of each. A thread for each connection.

``ask 7`` is answered in pieces, ``7.0/3@12 7.1/3@12 7.2/3@12``: question, piece of how many, turn. ``call 7`` first calls the
function ``look``. What comes before an answer has begun does as ``second_question`` says (the four possibilities of the
emulator); what comes later interrupts. A connection has a fuse: after so many messages, read or written, it ends, in one of
several ways.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.server import ServerConnection

from tests.servers import PATIENCE, live_server, message

SECOND_QUESTION = ("interrupts", "waits", "merges", "replaces")
PIECE = re.compile(r"(\d+)\.(\d+)/(\d+)@(\d+)")
MANY = 10
"""Questions in line from which on the service answers without thinking."""
OWN_TURN_MODEL = "models/gemini-3.8-live"
"""A family whose calls end their turn; the answer to them has its own."""


@dataclass(frozen=True, order=True)
class Piece:
    """A piece of an answer."""

    number: int
    place: int
    of: int
    turn: int


def pieces_of(text: str) -> list[Piece]:
    return [Piece(*map(int, found)) for found in PIECE.findall(text)]


@dataclass
class Leg:
    """One connection, as it is told afterwards."""

    opened_at: float
    arrived: list[int] = field(default_factory=list)
    """Numbers of the questions, in the order in which they were read."""


class Truth:
    """What became of every question on the server's side; any thread asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.legs: dict[int, list[Leg]] = {}
        """The connections over which a question came: one, if all is well."""
        self.turns: dict[int, tuple[int, ...]] = {}
        """The questions that each turn answers."""
        self.completed: dict[int, float] = {}
        """When the turnComplete of a question's answer was sent; not of one that was interrupted."""
        self.interrupted: set[int] = set()
        self.replaced: dict[int, int] = {}
        """Questions that were dropped in silence, and the one that came instead."""
        self.shifted_calls: set[int] = set()
        """Questions that call over a connection on which one was merged or dropped before: the call may be taken for an earlier
        one's."""
        self.merged = 0
        self.drops = 0
        self._turn_ids = itertools.count(1)

    @property
    def counts(self) -> dict[str, int]:
        return {"connections ended": self.drops, "turns of several questions": self.merged, "replaced": len(self.replaced)}

    def new_turn(self, numbers: list[int]) -> int:
        turn = next(self._turn_ids)
        self.turns[turn] = tuple(numbers)
        return turn

    def arrived(self, number: int, leg: Leg) -> None:
        with self._lock:
            self.legs.setdefault(number, []).append(leg)
            leg.arrived.append(number)


@dataclass
class Habits:
    """How one service behaves."""

    second_question: str = "interrupts"
    think: float = 0.02
    """Seconds until an answer begins, at most."""
    fuse: int = 60
    """Messages after which a connection ends, at most; 0 lets all live."""
    never_fuse: float = 0.15
    """The part of the connections that live."""
    calm: threading.Event = field(default_factory=threading.Event)
    """Once set, nothing is ended any more."""


class _Ended(Exception):
    """This connection is over."""


Step = tuple[float, str, bytes]
"""Seconds to wait, what the message is, the message."""


class NumberedService:
    """What ``live_server`` calls for every connection."""

    def __init__(self, truth: Truth, habits: Habits, chance: random.Random) -> None:
        self.truth, self.habits, self._chance = truth, habits, chance
        self._memory: dict[str, set[int]] = {}
        """Calls that are open, for each handle: they survive connections."""
        self._lock = threading.Lock()

    def __call__(self, connection: ServerConnection) -> None:
        with self._lock:
            seed = self._chance.getrandbits(32)
        with contextlib.suppress(_Ended):
            _Connection(self, connection, random.Random(seed)).run()

    @contextlib.contextmanager
    def open(self) -> Iterator[str]:
        with live_server(self) as url:
            yield url

    def remember(self, handle: str | None) -> set[int] | None:
        """The open calls of a conversation; None for a handle that nobody gave."""
        return self._memory.get(handle) if handle else set()

    def new_handle(self, calls: set[int]) -> str:
        with self._lock:
            handle = f"h{len(self._memory) + 1}"
            self._memory[handle] = calls
        return handle


class _Connection:
    def __init__(self, service: NumberedService, connection: ServerConnection, chance: random.Random) -> None:
        self.service, self.truth, self.habits = service, service.truth, service.habits
        self.connection, self.chance = connection, chance
        self.leg = Leg(time.monotonic())
        lives = not self.habits.fuse or chance.random() < self.habits.never_fuse
        self.fuse = 0 if lives else chance.randint(1, self.habits.fuse)
        self.ends_at = float("inf")
        """After a goAway."""
        self.line: deque[tuple[str, int]] = deque()
        self.numbers: list[int] = []
        """The questions of the turn that runs."""
        self.steps: deque[Step] = deque()
        self.due = float("inf")
        self.begun = False
        self.pending: int | None = None
        """The question whose call the running turn waits for."""
        self.is_shifted = False
        """True once a question was merged or dropped in silence."""

    # What comes in.

    def run(self) -> None:
        self._burn()
        setup = json.loads(self.connection.recv(timeout=PATIENCE))["setup"]
        self._burn()
        self.own_turn = setup["model"] == OWN_TURN_MODEL
        calls = self.service.remember((setup.get("sessionResumption") or {}).get("handle"))
        if calls is None:
            self.connection.close(1008, "BidiGenerateContent session not found")
            return
        self.calls = calls
        self._send(message(setupComplete={}))
        if "sessionResumption" in setup:
            self._send(message(sessionResumptionUpdate={"newHandle": self.service.new_handle(calls), "resumable": True}))
        while True:
            now = time.monotonic()
            if now >= self.ends_at:
                self._end()
            if now >= self.due:
                self._step()
                continue
            wait = min(self.due, self.ends_at) - now
            with contextlib.suppress(TimeoutError):
                self._take(json.loads(self.connection.recv(timeout=min(wait, PATIENCE))))

    def _take(self, sent: dict[str, Any]) -> None:
        self._burn()
        if "toolResponse" in sent:
            for response in sent["toolResponse"]["functionResponses"]:
                self._responded(int(response["id"].removeprefix("c")))
            return
        turns = sent.get("clientContent", {}).get("turns")
        text = turns[0]["parts"][0]["text"] if turns else sent.get("realtimeInput", {}).get("text", "")
        if text:
            verb, number = text.split()
            self.truth.arrived(int(number), self.leg)
            self._asked((verb, int(number)))

    def _asked(self, question: tuple[str, int]) -> None:
        if not self.numbers:
            self._begin(question)
        elif self.begun or self.pending is not None or self.habits.second_question == "interrupts":
            self._interrupt()
            self._begin(self._first_in_line(question))
        else:
            getattr(self, f"_{self.habits.second_question}")(question)

    def _first_in_line(self, question: tuple[str, int]) -> tuple[str, int]:
        self.line.append(question)
        return self.line.popleft()

    def _waits(self, question: tuple[str, int]) -> None:
        self.line.append(question)

    def _merges(self, question: tuple[str, int]) -> None:
        both = [*self.numbers, question[1]]
        self.truth.merged += 1
        self.is_shifted = True
        self._answer(both)

    def _replaces(self, question: tuple[str, int]) -> None:
        for number in self.numbers:
            self.truth.replaced[number] = question[1]
        self.is_shifted = True
        self._begin(question)

    def _responded(self, number: int) -> None:
        if number not in self.calls:
            return  # cancelled, or answered over an earlier connection
        if self.pending == number:
            self.pending = None
            self._answer(self.numbers)
        elif self.numbers:
            self.line.append(("respond", number))
        else:
            self._answer([number])

    # What goes out.

    def _begin(self, question: tuple[str, int]) -> None:
        verb, number = question
        if verb != "call":
            self._answer([number])
            return
        self.calls.add(number)
        if self.is_shifted:
            self.truth.shifted_calls.add(number)
        call = {"id": f"c{number}", "name": "look", "args": {"number": number}}
        steps: list[Step] = [(self._think(), "call", message(toolCall={"functionCalls": [call]}))]
        if self.own_turn:
            steps += [(0.0, "", message(serverContent={"generationComplete": True})), (0.0, "end of call", _TURN_COMPLETE)]
        self._play([number], steps)

    def _answer(self, numbers: list[int]) -> None:
        turn = self.truth.new_turn(numbers)
        steps: list[Step] = [(0.0, "", message(serverContent={}))] if self.chance.random() < 0.2 else []
        for number in numbers:
            many = self.chance.randint(1, 4)
            for place in range(many):
                part = {"text": f"{number}.{place}/{many}@{turn} "}
                steps.append((self._gap() if steps else 0.0, "piece", message(serverContent={"modelTurn": {"parts": [part]}})))
                if self.chance.random() < 0.1:
                    steps.append((0.0, "", b"{}"))
        steps.append((0.0, "", message(serverContent={"generationComplete": True})))
        steps.append((self.chance.choice((0.0, 0.0, 0.03)), "end", _TURN_COMPLETE))
        wait, kind, first = steps[0]
        self._play(numbers, [(wait + self._think(), kind, first), *steps[1:]])

    def _play(self, numbers: list[int], steps: list[Step]) -> None:
        self.numbers, self.steps, self.begun = list(numbers), deque(steps), False
        self.due = time.monotonic() + steps[0][0]

    def _step(self) -> None:
        _, kind, data = self.steps.popleft()
        self.begun = self.begun or kind != ""
        if kind == "end":
            now = time.monotonic()
            self.truth.completed.update(dict.fromkeys(self.numbers, now))
            self.calls.difference_update(self.numbers)
        if kind == "call" and not self.own_turn:
            (self.pending,) = self.numbers
        self._send(data)
        if kind in ("end", "end of call"):
            self._next_in_line()
        else:
            self.due = time.monotonic() + self.steps[0][0] if self.steps else float("inf")

    def _next_in_line(self) -> None:
        self.numbers, self.due = [], float("inf")
        if self.line:
            verb, number = self.line.popleft()
            if verb == "respond":
                self._answer([number])
            else:
                self._begin((verb, number))

    def _interrupt(self) -> None:
        self.truth.interrupted.update(self.numbers)
        if self.pending is not None:
            self.calls.discard(self.pending)
            self._send(message(toolCallCancellation={"ids": [f"c{self.pending}"]}))
            self.pending = None
        self.numbers, self.due = [], float("inf")
        self._send(message(serverContent={"interrupted": True}))
        self._send(_TURN_COMPLETE)

    def _think(self) -> float:
        return self.chance.choice((0.0, 0.3, 1.0)) * self._longest_thought

    def _gap(self) -> float:
        return self.chance.choice((0.0, 0.0, 0.2)) * self._longest_thought

    @property
    def _longest_thought(self) -> float:
        """Seconds: none while many wait, or two threads that ask faster than it answers would wait for ever longer."""
        return self.habits.think if len(self.line) < MANY else 0.0

    def _send(self, data: bytes) -> None:
        self.connection.send(data)
        self._burn()

    # How a connection ends.

    def _burn(self) -> None:
        """One message more has passed."""
        self.fuse -= 1
        if self.fuse == 0 and not self.habits.calm.is_set():
            self.truth.drops += 1
            self._end()

    def _end(self) -> None:
        way = self.chance.choice(("drop", "drop", "1011", "1008", "1000", "go away", "storm"))
        if way in ("go away", "storm") and self.ends_at == float("inf"):
            times = 1 if way == "go away" else 5
            for number in range(times):
                self.connection.send(message(goAway={"timeLeft": f"{0.5 / (number + 1):.3f}s"}))
            self.ends_at = time.monotonic() + self.chance.uniform(0.0, 0.5)
            return
        if way.isdigit():
            self.connection.close(int(way), "The operation was aborted.")
        else:
            self.connection.socket.shutdown(2)
        raise _Ended


_TURN_COMPLETE = message(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 1})
