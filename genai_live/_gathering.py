"""Gathers a whole turn from the queue: the answer to one question, or the next turn. Runs on the caller's thread, which waits.

``session.ask`` gathers the answer to its own question: it passes over what is left of earlier ones, and leaves in place what
nobody asked for. ``session.collect`` goes on with the oldest turn that nobody has received to its end, or with the next.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING

from genai_live._connection.inbox import GIVEN, Inbox, Take
from genai_live._connection.ledger import Ledger
from genai_live._connection.questions import Asked, Mark, Question
from genai_live._deadline import Deadline
from genai_live.errors import (
    ABNORMAL_CLOSURE,
    CloseInfo,
    Phase,
    ReceiveTimeout,
    SentBy,
    ServiceError,
    SessionClosed,
    TurnLost,
)
from genai_live.turn import Turn, assemble
from genai_live.types import FunctionCall, LiveServerMessage

if TYPE_CHECKING:
    from genai_live.tools import ToolRun

logger = logging.getLogger("genai_live")

REPORT_DELAY = 0.1
"""Seconds that a turn waits for its usage report: it was seen in the event after turnComplete, 1 to 3 ms later."""


class _Whose(Enum):
    """What a message is to this gatherer."""

    MINE = "of the turn that is gathered"
    OURS = "about the session"
    PASSED = "of an earlier question"
    DONE = "about a turn that its user has"
    OTHERS = "of a turn that somebody else may receive"


class Gatherer:
    """Gathers one turn, for the owner of the inbox's claim."""

    def __init__(
        self,
        inbox: Inbox[LiveServerMessage],
        ledger: Ledger,
        *,
        until_generated: bool = False,
        on_update: Callable[[Turn], object] | None = None,
        runs_of: Callable[[Iterable[FunctionCall]], tuple[ToolRun, ...]] | None = None,
    ) -> None:
        self.messages: list[LiveServerMessage] = []
        """The messages of the turn so far, with those about the session that came meanwhile."""
        self.taken: Take | None = None
        """What the caller is to be given with the turn."""
        self.begun: Question | None = None
        """The question whose turn the caller is given in part, as it has calls to answer."""
        self._inbox = inbox
        self._ledger = ledger
        self._closings = ledger.closings
        """How many questions were closed before: a note about one of them is nothing that is waited for."""
        self._question: Question | None = None
        self._asks = False
        self._until_generated = until_generated
        self._on_update = on_update
        self._runs_of = runs_of
        self._place = 0
        """How far in the queue it has come."""
        self._others: list[int] = []
        self._passed: list[LiveServerMessage] = []
        """The turn that was passed over last: the service may have answered this question in it."""
        self._passed_question: Question | None = None
        self._skipped = 0

    def turn(
        self,
        question: Question | None,
        deadline: Deadline,
        end: Callable[[], SessionClosed],
        *,
        reports_usage: bool,
        begun: Question | None = None,
    ) -> Turn:
        """The answer to the question, or without one the rest of one that has ``begun``, or the next turn.

        The caller is to be given ``taken`` with it.

        ``end`` makes the error of a session that has ended, ``reports_usage`` says whether the service has reported usage before.
        Until the turn is given, everything that it was made of stays in the queue.

        Raises:
            ReceiveTimeout: the deadline passed.
            TurnLost: the turn is lost with its connection.
            ServiceError: the service answered with an error.
            SessionClosed: the session has ended before the turn.
        """
        self._question, self._asks = question or self._still_open(begun), question is not None
        try:
            is_complete = self._gather(deadline, end)
            if is_complete:
                self._take_what_follows(deadline, reports_usage=reports_usage)
        except TimeoutError:
            raise ReceiveTimeout(
                f"the model's turn did not end within {deadline.seconds:g} s; {self._advice()}", tuple(self.messages)
            ) from None
        turn = self._assembled(self._runs())
        self.begun = None if is_complete else self._question
        if is_complete and self._question is not None:
            self._question.turn = turn
            if self._question.reports:
                self._question.report()
        self._inbox.end_gathering()
        self.taken = self._inbox.taking(self._place, self._others)
        return turn

    def _advice(self) -> str:
        waiting = [call_id for call_id in tuple(self._ledger.pending) if call_id in self._ledger.for_caller]
        if waiting:
            return f"a call waits for its answer ({', '.join(waiting)}): send_tool_response first, some models say nothing else"
        return "the session is still open, so receive again or use a longer timeout"

    def give_up(self, error: BaseException) -> None:
        """The caller gets the error in place of a turn: what it has not received is there for the next receiver."""
        if isinstance(error, (TurnLost, ServiceError)):
            return
        if self._question is not None:
            self._question.turn = None
        self._inbox.take_back(self.taken)

    def _still_open(self, begun: Question | None) -> Question | None:
        """The question, unless all of its turn was received some other way."""
        if begun is None or (begun.is_closed and not self._inbox.holds(begun)):
            return None
        return begun

    def _runs(self) -> tuple[ToolRun, ...]:
        """What became of the turn's calls, those that were cancelled too."""
        if self._runs_of is None:
            return ()
        calls = (call for message in self.messages if message.tool_call for call in message.tool_call.function_calls or ())
        return self._runs_of(calls)

    def _assembled(self, runs: tuple[ToolRun, ...] = ()) -> Turn:
        question = self._question
        return assemble(
            self.messages,
            asked=question.text if question is not None else "",
            questions=question.count if question is not None else 0,
            skipped=self._skipped,
            incomplete=question is not None and question.incomplete,
            tool_runs=runs,
        )

    def _gather(self, deadline: Deadline, end: Callable[[], SessionClosed]) -> bool:
        """Walks through the queue up to the end of the turn; False when it ends at calls that only the caller can answer."""
        while True:
            item = self._inbox.at(self._place, deadline)
            if item is None:
                raise end()
            message, mark = item[0], item[1]
            if isinstance(message, (bytes, bytearray)):
                message = self._inbox.decoded(message, mark)
            if mark.lost:
                self._pass_loss(message, mark)
            elif mark.asks_caller:
                if self._is_asked(mark):
                    return False
            elif message is None:
                if self._is_end(mark):
                    return True
            else:
                whose = self._whose(mark)
                self._keep(message, mark, whose)
                if whose is _Whose.MINE:
                    if mark.ends or (self._until_generated and mark.generated):
                        return True
                    if self._waits_for_caller(message):
                        return False

    def _whose(self, mark: Mark) -> _Whose:
        question, mine = mark.question, self._question
        if question is None:
            return _Whose.OURS
        if question is mine:
            return _Whose.MINE
        if mark.late or question.turn is not None:
            return _Whose.DONE
        if mine is None:
            self._question = question
            return _Whose.MINE
        earlier = question.number < mine.number and question.kind is not Asked.NOTHING
        return _Whose.PASSED if earlier and self._asks else _Whose.OTHERS

    def _keep(self, message: LiveServerMessage, mark: Mark, whose: _Whose) -> None:
        if whose is _Whose.PASSED:
            self._pass_over(message, mark.question)
            self._inbox.drop(self._place)
            return
        if whose is _Whose.DONE:
            if not mark.late and mark.question is not None:
                mark.question.report(message)
            self._inbox.drop(self._place)
            return
        if whose is _Whose.OTHERS:
            self._leave()
            return
        self._place += 1
        if not mark.late:  # else it is among the question's reports
            self.messages.append(message)
        if message.error is not None:
            self._hand_over_error()
            raise with_messages(message.error, self.messages)
        if self._on_update is not None and whose is _Whose.MINE:
            self._update(self._on_update)

    def _update(self, on_update: Callable[[Turn], object]) -> None:
        self._inbox.is_updating = True
        try:
            on_update(self._assembled())
        finally:
            self._inbox.is_updating = False

    def _leave(self) -> None:
        """What stands at this place is for another receiver."""
        self._others.append(self._place)
        self._place += 1

    def _hand_over_error(self) -> None:
        """The caller gets an error about what has come so far."""
        self._inbox.end_gathering()
        self.taken = self._inbox.taking(self._place, self._others)
        self._inbox.claim = {GIVEN: self.taken}

    def _pass_over(self, message: LiveServerMessage, question: Question | None) -> None:
        if question is not self._passed_question:
            self._passed, self._passed_question = [], question
        self._passed.append(message)
        self._skipped += 1
        if question is not None and self._waits_for_caller(message):
            question.is_abandoned = True
            self._inbox.have_reader_look()
        transcript = message.server_content.output_transcription if message.server_content is not None else None
        text = message.text or (transcript.text if transcript is not None else None)
        if text:
            logger.info("passed over, as it answers an earlier question: %s", text)

    def _waits_for_caller(self, message: LiveServerMessage) -> bool:
        """True for calls that only the caller can answer."""
        calls = message.tool_call.function_calls if message.tool_call is not None else None
        return any((call.id or call.name or "") in self._ledger.for_caller for call in calls or ())

    def _is_asked(self, note: Mark) -> bool:
        """Looks at a note about calls that the caller has to answer; True when this turn is theirs, or waits for them."""
        question = note.question
        waits = question is not None and question.waits_for_caller
        if not waits or question not in (self._question, self._passed_question):
            self._inbox.drop(self._place)
            return False
        if question is not self._question:
            self._take_passed()
            self._question = question
        self._place += 1
        return True

    def _is_end(self, note: Mark) -> bool:
        """Looks at a note; True when it ends the turn that is gathered."""
        if note.begins:
            self._note_begin(note)
            return False
        mine, closed = self._question, note.merged or ((note.question,) if note.question is not None else ())
        if mine is None and not note.merged:
            mine = next((question for question in closed if question.closing_number > self._closings), None)
        if mine is not None and mine in closed:
            self._question = mine
            if note.merged:
                self._take_over(note)
            self._place += 1
            return True
        if not note.merged and self._whose_note(note) is _Whose.OTHERS:
            self._leave()
        else:
            self._inbox.drop(self._place)
        return False

    def _whose_note(self, note: Mark) -> _Whose:
        return _Whose.DONE if self._question is None else self._whose(note)

    def _note_begin(self, note: Mark) -> None:
        """A turn begins that answers speech of which some words came before."""
        if self._question in note.merged:
            self._question = note.question
            self._place += 1
        elif note.question is self._question and self._passed_question in note.merged:
            self._take_passed()
            self._place += 1
        elif self._question is None or note.question is self._question:
            self._inbox.drop(self._place)
        else:
            self._leave()

    def _take_over(self, note: Mark) -> None:
        """The service has answered this question in the turn of another one, or not at all: that turn is the answer."""
        other, mine = note.question, self._question
        assert other is not None
        assert mine is not None
        self.messages[:0] = other.reports
        if other is self._passed_question:
            self._take_passed()
        elif isinstance(other.turn, Turn):
            self.messages[:0] = other.turn.messages
        mine.merged = other.merged

    def _take_passed(self) -> None:
        """What was passed over last belongs to the turn."""
        self.messages[:0] = self._passed
        self._skipped -= len(self._passed)
        self._passed = []

    def _pass_loss(self, message: LiveServerMessage | None, mark: Mark) -> None:
        """Notes that questions were lost with a connection.

        Raises:
            TurnLost: the one that is waited for is among them.
        """
        assert message is not None
        mine = self._question
        others = tuple(question for question in mark.lost if question is not mine) if mine is not None else ()
        if mine is not None and mine not in mark.lost:
            if self._asks and all(question.number < mine.number for question in others):
                self.messages.append(message)
                self._place += 1
            else:
                self._leave()
            return
        if others:
            self._inbox.replace(self._place, Mark(lost=others))
            self._leave()
        else:
            self._place += 1
        self._hand_over_error()
        raise TurnLost(close_info_of(message), tuple(self.messages))

    def _take_what_follows(self, deadline: Deadline, *, reports_usage: bool) -> None:
        """Takes what is about the turn that has ended: waits a moment for the usage report, where one comes behind the end."""
        question = self._question
        if question is None:
            return
        moment = Deadline(0.0)
        if not self._until_generated:
            if question.was_reported or not (reports_usage or any(map(_is_interrupted, self.messages))):
                return
            moment = deadline.or_earlier(Deadline(REPORT_DELAY))
        with contextlib.suppress(TimeoutError):
            while True:
                item = self._inbox.at(self._place, moment)
                if item is None or item[0] is None or item[1].question is not question:
                    return
                message, mark = item[0], item[1]
                if isinstance(message, (bytes, bytearray)):
                    message = self._inbox.decoded(message, mark)
                self._place += 1
                if not mark.late:  # else it is among the question's reports
                    self.messages.append(message)
                if question.was_reported and not self._until_generated:
                    return


def _is_interrupted(message: LiveServerMessage) -> bool:
    return message.server_content is not None and message.server_content.interrupted is True


def close_info_of(message: LiveServerMessage) -> CloseInfo:
    """How the connection ended that a loss is about."""
    if message.reconnecting is not None:
        return message.reconnecting.close_info
    words = "the session began anew, without the conversation so far"
    return CloseInfo(ABNORMAL_CLOSURE, words, SentBy.NETWORK, Phase.TOOL, turn_open=True)


def with_messages(error: ServiceError, messages: Iterable[LiveServerMessage]) -> ServiceError:
    """A new error for this caller: a message keeps its own, without a traceback."""
    raised = ServiceError(str(error), error.code, error.status, error.reason, tuple(messages))
    raised.kind, raised.retryable, raised.advice = error.kind, error.retryable, error.advice
    return raised
