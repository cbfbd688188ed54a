"""The ledger against a service that hypothesis plays: whatever comes in whatever order, every question is closed exactly once.

What the service does with a second question before the answer to the first has begun was never recorded: all possibilities are
played.
"""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest

from genai_live._connection.ledger import SILENCE, Standing
from genai_live._connection.questions import Asked, Fate, Mark, Question
from tests.ledger_talk import (
    GENERATED,
    INTERRUPTED,
    TURN_COMPLETE,
    USAGE,
    Conversation,
    a_call,
    a_cancellation,
    content,
    heard,
    says,
    voice,
)

ACTS = (
    *("ask", "ask", "ask", "piece", "piece", "end", "end", "interrupt", "generated", "call", "answer", "answer_silently"),
    *("cancel", "drop", "withdraw", "sound", "hear", "speak", "report", "wait", "wait_a_moment", "unasked"),
)
MANNERS = ("in order", "interrupts", "one turn")
"""What the service does with questions that came before the answer to the first of them has begun. One turn for all of them says
the same to the ledger, whether it answers each or drops all but one."""


class Played:
    """A conversation with a service of one manner."""

    def __init__(self, manner: str, *, calls_have_turns: bool) -> None:
        self.talk = Conversation(calls_have_turns=calls_have_turns)
        self.manner = manner
        self.calls_have_turns = calls_have_turns
        self.questions: list[Question] = []
        self.line: list[Question] = []
        """What the service is to answer, oldest first; a question whose call was answered stands there again."""
        self.running: list[Question] = []
        """What it is answering."""
        self.turns: list[list[Question]] = []
        """What each of its turns was to answer."""
        self.speaks = False
        self.calls: dict[str, Question] = {}
        """Calls that nobody has answered."""
        self.count = 0

    # The client.

    def ask(self) -> None:
        question = self.talk.asks()
        self.questions.append(question)
        self.line.append(question)

    def withdraw(self) -> None:
        question = self.talk.ledger.asked(Asked.CONTENT)
        self.talk.ledger.written(question)
        self.talk.ledger.withdrawn(question)

    def sound(self) -> None:
        self.talk.sound()

    def answer(self, *, is_spoken: bool = True) -> None:
        for call_id in tuple(self.calls)[:1]:
            question = self.calls.pop(call_id)
            self.talk.answers(call_id, is_spoken=is_spoken)
            self._note()
            if is_spoken and question not in self.running and question not in self.line:
                self.line.append(question)

    def answer_silently(self) -> None:
        self.answer(is_spoken=False)

    def wait(self) -> None:
        self.talk.silence()

    def wait_a_moment(self) -> None:
        self.talk.silence(SILENCE / 3)

    # The service.

    def _begin(self) -> None:
        if self.speaks:
            return
        self.speaks = True
        if self.manner == "interrupts":
            while len(self.line) > 1:
                self.talk.comes(INTERRUPTED, TURN_COMPLETE)
                self.line.pop(0)
        together = len(self.line) if self.manner == "one turn" else 1
        self.running, self.line = self.line[:together], self.line[together:]
        self.turns.append(self.running)

    def piece(self) -> None:
        if self.line or self.speaks:
            self._begin()
            self.talk.comes(content())

    def unasked(self) -> None:
        if not self.line and not self.calls:
            self.speaks = True
            self.talk.comes(content())

    def generated(self) -> None:
        if self.speaks:
            self.talk.comes(GENERATED)
            self.end()

    def end(self) -> None:
        if self.speaks:
            self.talk.comes(TURN_COMPLETE)
            self._close()

    def interrupt(self) -> None:
        if self.speaks:
            self.talk.comes(INTERRUPTED, TURN_COMPLETE)
            for call_id in [each for each, question in self.calls.items() if question in self.running]:
                del self.calls[call_id]
            self._close()

    def _close(self) -> None:
        self.speaks, self.running = False, []

    def call(self) -> None:
        if not (self.line or self.speaks):
            return
        self._begin()
        self.count += 1
        call_id = f"c{self.count}"
        mark = self.talk.comes(a_call(call_id))
        assert mark.question is not None
        self.calls[call_id] = mark.question
        if self.calls_have_turns:
            self.talk.comes(GENERATED, TURN_COMPLETE)
            self._close()

    def cancel(self) -> None:
        for call_id in tuple(self.calls)[:1]:
            del self.calls[call_id]
            self.talk.comes(a_cancellation(call_id))

    def hear(self) -> None:
        self.talk.comes(heard("x"))

    def speak(self) -> None:
        """A speech; one that comes while another waits for its answer is answered with it."""
        before = set(self.talk.ledger._due)
        self.talk.comes(voice("ACTIVITY_START"), voice("ACTIVITY_END"))
        for question in set(self.talk.ledger._due) - before:
            self.questions.append(question)
            self.line.append(question)

    def report(self) -> None:
        self.talk.comes(USAGE, says(outputTranscription=None))

    # The network.

    def drop(self) -> None:
        lost = self.talk.ledger.lose()
        if lost:
            self.talk.marks.append(Mark(lost=lost))
        self.line = [question for question in self.line if question.fate is not Fate.LOST]
        self._close()

    # The end.

    def _note(self) -> None:
        self.talk.marks += self.talk.ledger.notes()

    def finish(self) -> None:
        """The service says all that it has to say, the client answers all calls, and then there is silence."""
        while self.speaks or self.line or self.calls:
            self.answer()
            self.piece()
            self.end()
        self.talk.silence()

    def check(self) -> None:
        ledger = self.talk.ledger
        seen = dict.fromkeys(mark.question for mark in self.talk.marks if mark.question is not None)
        closed = {question: self.talk.ends_of(question) for question in (*self.questions, *seen)}
        coming = ledger._coming
        assert {question.number: ends for question, ends in closed.items() if question is not coming and ends != 1} == {}
        assert all(question.fate in (Fate.ANSWERED, Fate.LOST) for question in self.questions)
        assert (ledger._due, ledger.pending, ledger.standing, ledger.answer_due) == ([], {}, Standing.SILENT, False)
        assert ledger.responses == []
        self._check_order()

    def _check_order(self) -> None:
        """Nothing but reports comes for a question after its end."""
        ended = set()
        for mark in self.talk.marks:
            if mark.question in ended and not mark.merged:
                assert mark.late, mark
            if mark.ends and not mark.late:
                ended.add(mark.question)
            ended.update(mark.merged, mark.lost)


@pytest.mark.parametrize("calls_have_turns", [False, True], ids=["calls in the turn", "calls have turns"])
@pytest.mark.parametrize("manner", MANNERS)
@hypothesis.given(acts=st.lists(st.sampled_from(ACTS), max_size=25))
@hypothesis.settings(max_examples=250, deadline=None)
def test_every_question_is_closed_once_and_the_next_one_gets_its_own_answer(
    manner: str, calls_have_turns: bool, acts: list[str]
) -> None:
    played = Played(manner, calls_have_turns=calls_have_turns)
    for act in acts:
        getattr(played, act)()
    played.finish()
    played.check()
    later = played.talk.asks()
    assert played.talk.turn() is later
    assert later.count == 1


@pytest.mark.parametrize("manner", MANNERS)
@hypothesis.given(rounds=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=8))
@hypothesis.settings(max_examples=150, deadline=None)
def test_where_silence_follows_what_was_all_no_answer_is_taken_for_that_to_another_question(
    manner: str, rounds: list[tuple[int, int]]
) -> None:
    """A service that has more to say, one answer to each question, is silent for a shorter time."""
    played = Played(manner, calls_have_turns=False)
    for before, meanwhile in rounds:
        for _ in range(before):
            played.ask()
        first = played.line[0].number
        while played.line:
            played.piece()
            answered = list(played.running)
            (mark,) = played.talk.marks[-1:]
            if played.running[0].number == first:
                for _ in range(meanwhile):
                    played.ask()
            played.end()
            says_more = played.line and manner != "one turn"
            notes = played.talk.silence(SILENCE / 100 if says_more else SILENCE)
            merged = [question for note in notes for question in note.merged]
            assert mark.question in answered
            assert set(answered) == {mark.question, *merged}
            assert all(question.fate is Fate.ANSWERED for question in answered)
    played.check()


@pytest.mark.parametrize(
    ("manner", "turns", "resynchronised"), [("in order", [[1], [2]], 0), ("interrupts", [[2]], 0), ("one turn", [[1, 2]], 1)]
)
def test_the_player_plays_what_it_is_told(manner: str, turns: list[list[int]], resynchronised: int) -> None:
    """Else the tests above could say nothing."""
    played = Played(manner, calls_have_turns=False)
    for act in ("ask", "ask", "piece", "end"):
        getattr(played, act)()
    played.finish()
    assert [[question.number for question in turn] for turn in played.turns] == turns
    assert played.talk.ledger.resynchronised == resynchronised
