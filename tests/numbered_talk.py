"""One user of a numbered service (tests/numbered_service.py), who asks in every way and holds the answers against the truth.

Runs on the thread that calls ``talk``; what disturbs it (another thread that asks, signals) comes from elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from genai_live import Client, LiveCallbacks, ReconnectPolicy, Session, Turn, types
from genai_live.errors import (
    ConnectError,
    LiveError,
    OutboxFull,
    ReceiveTimeout,
    SentBy,
    SessionClosed,
    TurnLost,
)
from tests.numbered_service import Piece, Truth, pieces_of
from tests.raw_peer import beside
from tests.waiting import PATIENCE

LONG = 20.0
"""Seconds that are enough for every answer, the 4 s of silence that a merged question may cost included."""
QUICK = ReconnectPolicy(first_pause=1e-300, give_up_after=1e6, fresh_session=True)
"""Without pauses: they grow to 15 s where connections die again and again, and two of them are more than ``LONG``."""
_numbers = itertools.count(1)


class Struck(BaseException):
    """What the signal handler raises."""


@dataclass
class Manner:
    """How one user talks."""

    second_question: str
    model: str
    own_turn: bool = False
    reconnect: bool = True
    callback: str = ""
    """Empty for none; ``notes`` takes note, ``sleeps`` takes its time, ``answers`` also answers calls."""
    leaves_calls: bool = True
    """Questions that it leaves to nobody may call, too."""
    disturbed: bool = False
    """Another thread asks too, all the time."""

    def __str__(self) -> str:
        words = [self.second_question, self.model.rpartition("/")[2], "reconnects" if self.reconnect else "does not reconnect"]
        return ", ".join([*words, *([f"on_message {self.callback}"] if self.callback else []), *(["disturbed"] * self.disturbed)])


@dataclass
class Told:
    """What a user was told, and what of it was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class User:
    """One session after another, one at a time."""

    def __init__(self, client: Client, truth: Truth, manner: Manner, chance: random.Random) -> None:
        self.client, self.truth, self.manner, self.chance = client, truth, manner, chance
        self.told = Told()
        self.armed = False
        """True while a signal may strike: inside a call of the library."""
        self.struck_in = 0
        self._session: Session | None = None
        self._given: dict[Piece, str] = {}
        self._seen: dict[Piece, None] = {}
        """What on_message was given."""
        self._lost: dict[int, float] = {}
        self._sent_at: dict[int, float] = {}
        self._open: set[int] = set()
        """Questions whose end nobody has seen yet, as far as this thread knows."""
        self._exact = True
        """False while the service may have made one turn of several questions that are open."""
        self._log: list[str] = []

    # Life.

    def talk(self, over: threading.Event) -> None:
        """Asks until it is over, and at last one question more, which has to be answered."""
        acts: list[tuple[Callable[[], None], int]] = [
            (self._ask_long, 6),
            (self._ask_short, 5),
            (self._leave_one, 3),
            (self._receive_and_break, 4),
            (self._collect, 3),
            (self._call, 4),
            (self._ask_beside, 2),
            (self._interrupt_what_runs, 3),
        ]
        doing, weights = zip(*acts, strict=True)
        stop, disturbing = threading.Event(), None
        if self.manner.disturbed:
            disturbing = beside(self._disturb, stop)
        try:
            while not (over.is_set() or self.told.wrong):
                self._do(self.chance.choices(doing, weights)[0])
            stop.set()
            if disturbing is not None:
                disturbing.result(PATIENCE)
            for _ in range(3):  # the first may be lost with a connection that is ending
                if not self.told.wrong and self._do(self._ask_long):
                    break
            else:
                self._check(bool(self.told.wrong), "the last question was not answered")
        finally:
            stop.set()
            self.armed = False
            if self._session is not None:
                self._session.close(0.2)
        self._check_lost()

    @property
    def report(self) -> str:
        return f"{self.manner}\n    " + "\n    ".join([*self._log[-25:], *self.told.wrong[:3]])

    def _do(self, act: Callable[[], object]) -> bool:  # noqa: PLR0911 # one way out for each thing that may come in between
        """Does one thing; True when nothing came in between."""
        try:
            act()
        except ConnectError:
            return False
        except TurnLost:
            self._note("TurnLost")
            return False
        except SessionClosed as error:
            self._closed(error)
            return False
        except Struck:
            self._struck()
            return False
        except OutboxFull:
            self.told.counts["outbox full"] += 1
            return False
        except Exception:
            self._check(False, f"nothing says that it raises this: {traceback.format_exc()}")
            return False
        finally:
            self.armed = False
        return True

    def _struck(self) -> None:
        self.told.counts["struck"] += 1
        self._note("struck")
        self._exact = False

    def _closed(self, error: SessionClosed) -> None:
        self._note(f"closed: {error.close_info}")
        self.told.counts["sessions ended"] += 1
        by_client = error.close_info.sent_by is SentBy.CLIENT
        self._check(not by_client or self.told.counts["struck"] > 0, f"ended by the client: {error.close_info}")
        self.told.counts["ended by a signal"] += by_client
        self._forget()

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._open, self._exact = set(), True
        if session is not None:
            session.close(0.2)

    @property
    def session(self) -> Session:
        if self._session is None or self._session.close_info is not None:
            self._forget()
            armed, self.armed = self.armed, False
            callbacks = LiveCallbacks(on_message=self._on_message) if self.manner.callback else None
            self._session = self.client.live.connect(
                model=self.manner.model,
                reconnect=QUICK if self.manner.reconnect else False,
                callbacks=callbacks,
                timeout=PATIENCE,
            )
            self.armed = armed
        return self._session

    # Acts.

    def _ask_long(self) -> None:
        self._ask("ask", LONG)

    def _ask_short(self) -> None:
        self._ask("ask", self.chance.uniform(0.001, 0.05))

    def _call(self) -> None:
        self._ask("call", LONG)

    def _ask(self, verb: str, timeout: float) -> Turn | None:
        session = self.session
        number = self._new(verb)
        try:
            turn = self._armed(lambda: session.ask(f"{verb} {number}", timeout=timeout))
        except ReceiveTimeout as error:
            self._note(f"{verb} {number} timed out after {timeout:.3f} s")
            self._peek(error.messages, f"timeout of {number}")
            self._check(timeout < LONG, f"{number} got nothing in {timeout} s", number)
            self._exact = False
            return None
        except (TurnLost, SessionClosed) as error:
            self._lose(number, error)
            raise
        self._note(f"{verb} {number} -> {turn.text!r}{' interrupted' if turn.interrupted else ''}")
        if turn.tool_calls and not (pieces_of(turn.text) or turn.interrupted):
            return self._answer_calls(session, number, turn)  # else the callback had answered before ask looked
        self._check_turn(turn, number)
        self._settled()
        return turn

    def _answer_calls(self, session: Session, number: int, turn: Turn) -> Turn | None:
        """Answers the calls of a turn, or of an earlier one that the model waits for; collects until the question is answered."""
        while not self.told.wrong:
            self._take(turn.messages, f"calls before {number}")
            if self.manner.callback != "answers" and turn.tool_calls:
                responses = [{"id": call.id, "name": call.name, "response": {"number": number}} for call in turn.tool_calls]
                self._armed(lambda responses=responses: session.send_tool_response(function_responses=responses))
            try:
                turn = self._armed(lambda: session.collect(timeout=LONG))
            except ReceiveTimeout as error:
                self._check(False, f"calls before {number} were answered and nothing came in {LONG} s", number)
                self._peek(error.messages, f"timeout of {number}")
                return None
            except (TurnLost, SessionClosed) as error:
                self._lose(number, error)
                raise
            numbers = {piece.number for piece in pieces_of(turn.text)}
            self._note(f"collect for {number} -> {turn.text!r}{' interrupted' if turn.interrupted else ''}")
            if number in numbers or (turn.interrupted and not numbers) or number in self.truth.replaced:
                break
            self._check_one_turn(self._peek(turn.messages, "collect"), "collect")
        else:
            return None
        self._check_turn(turn, number, others=True)
        return turn

    def _leave_one(self) -> None:
        """Asks, and receives nothing."""
        session = self.session
        number, verb = self._new("left"), self.chance.choice(("ask", "ask", "call") if self.manner.leaves_calls else ("ask",))
        self._armed(lambda: session.send_text(f"{verb} {number}"))
        self._exact = False

    def _collect(self) -> None:
        session = self.session
        if not self._open:
            return
        try:
            turn = self._armed(lambda: session.collect(timeout=self.chance.uniform(0.01, 0.3)))
        except ReceiveTimeout as error:
            self._peek(error.messages, "timeout of collect")
            return
        except TurnLost as error:
            self._take(error.messages, "TurnLost of collect")
            self._lose_all()
            return
        self._note(f"collect -> {turn.text!r}")
        self._check_one_turn(self._take(turn.messages, "collect"), "collect")
        self._exact = False

    def _receive_and_break(self) -> None:
        session = self.session
        if not self._open:
            return
        messages: list[types.LiveServerMessage] = []
        after = self.chance.randint(1, 8)
        self._exact = False
        try:
            self._armed(lambda: self._some_of(session.receive(timeout=self.chance.uniform(0.01, 0.3)), messages, after))
        except TurnLost:
            self._lose_all()
        except ReceiveTimeout:
            pass
        finally:
            self.armed = False
            self._note(f"received {''.join(each.text or '' for each in messages)!r}")
            self._check_one_turn(self._take(messages, "receive"), "receive")

    def _some_of(self, source: Iterable[types.LiveServerMessage], messages: list[types.LiveServerMessage], after: int) -> None:
        for each in source:
            messages.append(each)
            if len(messages) == after:
                break

    def _ask_beside(self) -> None:
        """Two questions at the same time, by two threads, where each of the open ones has a turn of its own so far."""
        if not self._exact:
            self._ask_long()
            return
        session, other = self.session, self._new("beside")
        sending = beside(session.send_text, f"ask {other}")
        try:
            self._ask_long()
        finally:
            self._exact = False
            with contextlib.suppress(LiveError):
                sending.result(PATIENCE)
        self._do(self._ask_long)

    def _interrupt_what_runs(self) -> None:
        """Asks again while the answer is being received."""
        session = self.session
        number = self._new("ask")
        self._exact = False
        messages: list[types.LiveServerMessage] = []

        def interrupt() -> None:
            session.send_text(f"ask {number}")
            for each in session.receive(timeout=1.0):
                messages.append(each)
                if each.text:
                    session.send_text(f"ask {self._new('interrupting')}")
                    break

        try:
            self._armed(interrupt)
        except TurnLost:
            self._lose_all()
        except ReceiveTimeout:
            pass
        finally:
            self.armed = False
            self._check_one_turn(self._take(messages, "receive"), "receive")

    # What disturbs.

    def _disturb(self, stop: threading.Event) -> None:
        chance = random.Random(self.chance.getrandbits(32))
        while not stop.wait(chance.choice((0.0, 0.01, 0.1, 0.3))):
            session = self._session
            if session is not None:
                with contextlib.suppress(LiveError):
                    session.send_text(f"ask {self._new('disturbing')}")

    def _on_message(self, message: types.LiveServerMessage) -> None:
        for piece in pieces_of(message.text or ""):
            self._check(piece not in self._seen, f"on_message got {piece} twice")
            self._seen[piece] = None
            self._check_not_lost(piece.number, "on_message")
        if self.manner.callback == "sleeps" and self.chance.random() < 0.05:
            time.sleep(self.chance.choice((0.001, 0.05)))
        if self.manner.callback == "answers" and message.tool_call is not None:
            responses = [
                {"id": call.id, "name": call.name, "response": {"number": 1}} for call in message.tool_call.function_calls or ()
            ]
            session = self._session
            if session is not None:
                with contextlib.suppress(SessionClosed):
                    session.send_tool_response(function_responses=responses)

    # What is checked.

    def _check_turn(self, turn: Turn, number: int, *, others: bool = False) -> None:
        """The turn of a question is its own, whole, and was given to nobody before."""
        pieces = self._take(turn.messages, f"turn of {number}")
        truth = self.truth
        own = [piece for piece in pieces if piece.number == number]
        strange = [piece for piece in pieces if number not in truth.turns[piece.turn]]
        if number in truth.replaced and not own:
            self.told.counts["answers to what replaced it"] += 1
            return
        self._check(not strange, f"{number} got {turn.text!r} (skipped {turn.skipped})", number)
        if number in truth.interrupted or (others and turn.interrupted and not pieces):
            self.told.counts["interrupted"] += 1
            self._check([piece.place for piece in own] == list(range(len(own))), f"{number} got {turn.text!r}")
            return
        whole = bool(own) and [piece.place for piece in own] == list(range(own[0].of))
        self._check(whole, f"{number} got {turn.text!r} (skipped {turn.skipped})", number)
        self._check(not turn.incomplete, f"the turn of {number} is incomplete")
        self.told.counts["answered"] += 1
        self.told.counts["answered with others"] += turn.questions > 1

    def _check_one_turn(self, pieces: list[Piece], where: str) -> None:
        self._check(len({piece.turn for piece in pieces}) <= 1, f"{where} gave several turns: {pieces}")

    def _take(self, messages: Iterable[Any], where: str) -> list[Piece]:
        """The pieces of these messages, each of which nobody had before."""
        pieces = self._peek(messages, where)
        self._given.update(dict.fromkeys(pieces, where))
        return pieces

    def _peek(self, messages: Iterable[Any], where: str) -> list[Piece]:
        """Likewise, of messages that stay to be received."""
        pieces = [piece for each in messages for piece in pieces_of(each.text or "")]
        for piece in pieces:
            self._check(piece not in self._given, f"{piece} came in {where} and in {self._given.get(piece)}")
            self._check_not_lost(piece.number, where)
        return pieces

    def _check_not_lost(self, number: int, where: str) -> None:
        # What is taken for the call of an earlier question outlives its own one (test_ledger.py).
        is_lost = number in self._lost and number not in self.truth.shifted_calls
        self._check(not is_lost, f"{number} was told as lost, and then came in {where}")

    def _lose(self, number: int, error: TurnLost | SessionClosed) -> None:
        self._note(f"{number} was lost: {error}")
        self.told.counts["told as lost"] += 1
        self._take(getattr(error, "messages", ()), f"loss of {number}")
        self._check(number not in self._lost, f"{number} was lost twice")
        self._lost[number] = time.monotonic()
        self._open, self._exact = set(), True

    def _lose_all(self) -> None:
        self._note(f"of {sorted(self._open)} some were lost")
        self._exact = False

    def _check_lost(self) -> None:
        """What was told as lost was not sent again, and its connection did not live on."""
        for number, at in self._lost.items():
            for leg in self.truth.legs.get(number, []):
                later = leg.arrived[leg.arrived.index(number) + 1 :]
                lived = any(self._sent_at.get(other, 0.0) > at for other in later)
                self._check(leg.opened_at < at and not lived, f"{number} was told as lost, and sent over a connection that lived")
        for number, legs in self.truth.legs.copy().items():
            if number in self._sent_at:
                self._check(len(legs) == 1, f"{number} was sent {len(legs)} times")

    def _truth_of(self, number: int) -> str:
        truth = self.truth
        facts = [
            f"came over {len(truth.legs.get(number, []))} connections",
            *(["was answered"] if number in truth.completed else []),
            *(["was interrupted"] if number in truth.interrupted else []),
            *([f"was replaced by {truth.replaced[number]}"] if number in truth.replaced else []),
            f"turns {[numbers for numbers in list(truth.turns.values()) if number in numbers]}",
            f"in the session {self._session!r}",
        ]
        return f"it {', '.join(facts)}"

    def _check(self, holds: bool, words: str, number: int | None = None) -> None:
        if not holds:
            told = words if number is None else f"{words}: {self._truth_of(number)}"
            self._note(f"WRONG: {told}")
            self.told.wrong.append(told)

    # Inside.

    def _new(self, how: str) -> int:
        number = next(_numbers)
        self._sent_at[number] = time.monotonic()
        self._open.add(number)
        self._note(f"{how} {number}")
        self.told.counts["questions"] += 1
        return number

    def _settled(self) -> None:
        """A question that was the newest has its answer: all before it are closed."""
        self._open, self._exact = set(), True

    def _armed(self, call: Callable[[], Any]) -> Any:
        self.armed = True
        try:
            return call()
        finally:
            self.armed = False

    def _note(self, words: str) -> None:
        self._log.append(f"{time.monotonic():.3f} {words}")
        del self._log[:-60]
