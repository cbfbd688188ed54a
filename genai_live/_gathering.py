"""Gathers a whole turn from the queue: the answer to one question, or the next turn. Runs on the caller's thread, which waits.

``session.ask`` gathers the answer to its own question: it passes over what is left of earlier ones, and leaves in place what
nobody asked for. ``session.collect`` goes on with the oldest turn that nobody has received to its end, or with the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from enum import Enum

from genai_live._connection.inbox import Inbox
from genai_live._connection.ledger import Asked, Mark, Question
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
from genai_live.types import LiveServerMessage

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
    """Gathers one turn. ``pending`` are the ids of the calls that nobody has answered."""

    def __init__(
        self,
        inbox: Inbox[LiveServerMessage],
        pending: Container[str],
        question: Question | None = None,
        *,
        until_generated: bool = False,
        on_update: Callable[[Turn], object] | None = None,
    ) -> None:
        self.messages: list[LiveServerMessage] = []
        """The messages of the turn so far, with those about the session that came meanwhile."""
        self._inbox = inbox
        self._pending = pending
        self._question = question
        self._asks = question is not None
        self._until_generated = until_generated
        self._on_update = on_update
        self._place = 0
        """How far in the queue it has come."""
        self._others: list[int] = []
        self._skipped = 0
        self._passed: list[LiveServerMessage] = []
        """The turn that was passed over last: the service may have answered this question in it."""
        self._passed_question: Question | None = None

    def turn(self, deadline: Deadline, end: Callable[[], SessionClosed], *, reports_usage: bool) -> tuple[Turn, object]:
        """The turn, and the value for ``Inbox.handed_over`` when the caller gets it.

        ``end`` makes the error of a session that has ended, ``reports_usage`` says whether the service has reported usage before.
        Until the turn is handed over, everything that it was made of stays in the queue.

        Raises:
            ReceiveTimeout: the deadline passed.
            TurnLost: the turn is lost with its connection.
            ServiceError: the service answered with an error.
            SessionClosed: the session has ended before the turn.
            WrongThread: another thread receives.
        """
        inbox = self._inbox
        inbox.claim()
        try:
            inbox.settle()
            inbox.is_gathering = True
            is_complete = self._gather(deadline, end)
            turn = self._assembled()
            if is_complete and self._question is not None:
                self._wait_for_report(turn, deadline, reports_usage=reports_usage)
                self._question.turn = turn
                self._question.report()
            return turn, inbox.taking(self._place, self._others)
        except TimeoutError:
            raise ReceiveTimeout(
                f"the model's turn did not end within {deadline.seconds:g} s;"
                " the session is still open, so receive again or use a longer timeout",
                tuple(self.messages),
            ) from None
        finally:
            inbox.let_go()

    def _assembled(self) -> Turn:
        question = self._question
        return assemble(
            self.messages,
            questions=question.count if question is not None else 0,
            skipped=self._skipped,
            incomplete=question is not None and question.incomplete,
        )

    def _gather(self, deadline: Deadline, end: Callable[[], SessionClosed]) -> bool:
        """Walks through the queue up to the end of the turn; False when it ends at calls that only the caller can answer."""
        while True:
            received = self._inbox.at(self._place, deadline)
            if received is None:
                raise end()
            message, mark = received
            if mark.lost:
                self._pass_loss(message, mark)
            elif mark.merged:
                if self._is_merged(mark):
                    return True
            elif message is None:
                if self._passes_note(mark):
                    return True
            else:
                whose = self._whose(mark)
                self._keep(message, mark, whose)
                if whose is _Whose.MINE:
                    if mark.ends or (self._until_generated and _is_generated(message)):
                        return True
                    if self._waits_for_caller(message):
                        return False

    def _whose(self, mark: Mark) -> _Whose:
        question, mine = mark.question, self._question
        if question is None:
            return _Whose.OURS
        if mark.late or question.turn is not None:
            return _Whose.DONE
        if mine is None:
            mine = self._question = question
        if question is mine:
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
            self._others.append(self._place)
            self._place += 1
            return
        self.messages.append(message)
        self._place += 1
        if message.error is not None:
            self._inbox.take(self._place, self._others)
            raise _with_messages(message.error, self.messages)
        if self._on_update is not None and whose is _Whose.MINE:
            self._on_update(self._assembled())

    def _pass_over(self, message: LiveServerMessage, question: Question | None) -> None:
        if question is not self._passed_question:
            self._passed, self._passed_question = [], question
        self._passed.append(message)
        self._skipped += 1
        transcript = message.server_content.output_transcription if message.server_content is not None else None
        text = message.text or (transcript.text if transcript is not None else None)
        if text:
            logger.info("passed over, as it answers an earlier question: %s", text)

    def _waits_for_caller(self, message: LiveServerMessage) -> bool:
        """True for calls that nobody but the caller can answer."""
        calls = message.tool_call.function_calls if message.tool_call is not None else None
        return any((call.id or call.name or "") in self._pending for call in calls or ())

    def _passes_note(self, mark: Mark) -> bool:
        """A question was closed without a message: the end of the turn, if it is this one."""
        self._inbox.drop(self._place)
        return mark.ends and not mark.late and mark.question is self._question and self._question is not None

    def _is_merged(self, mark: Mark) -> bool:
        """The service has answered this question in the turn of another one, or not at all: that turn is the answer."""
        if self._question is None or self._question not in mark.merged:
            self._inbox.drop(self._place)
            return False
        question = mark.question
        assert question is not None
        if question is self._passed_question:
            self.messages[:0] = self._passed
        elif isinstance(question.turn, Turn):
            self.messages[:0] = question.turn.messages
        self._place += 1
        self._question.merged = question.merged
        return True

    def _pass_loss(self, message: LiveServerMessage | None, mark: Mark) -> None:
        """Questions were lost with a connection: raises TurnLost if the one that is waited for is among them."""
        assert message is not None
        is_mine = self._question in mark.lost or self._question is None
        others = tuple(question for question in mark.lost if question is not self._question) if self._question is not None else ()
        if not is_mine:
            mine = self._question
            if self._asks and mine is not None and all(question.number < mine.number for question in others):
                self.messages.append(message)
            else:
                self._others.append(self._place)
            self._place += 1
            return
        if others:
            self._inbox.replace(self._place, Mark(lost=others))
            self._others.append(self._place)
        self._place += 1
        self._inbox.take(self._place, self._others)
        raise TurnLost(close_info_of(message), tuple(self.messages))

    def _wait_for_report(self, turn: Turn, deadline: Deadline, *, reports_usage: bool) -> None:
        """Waits a moment for the usage report of the turn, where one comes behind its end."""
        question = self._question
        if self._until_generated or turn.usage is not None or question is None or not (turn.interrupted or reports_usage):
            return
        moment = deadline.or_earlier(Deadline(REPORT_DELAY))
        try:
            while not question.was_reported:
                received = self._inbox.at(self._place, moment)
                if received is None or received.mark.question is not question or received.message is None:
                    return
                self._keep(received.message, received.mark, _Whose.DONE)
        except TimeoutError:
            return


def _is_generated(message: LiveServerMessage) -> bool:
    return message.server_content is not None and message.server_content.generation_complete is True


def close_info_of(message: LiveServerMessage) -> CloseInfo:
    """How the connection ended that a loss is about."""
    if message.reconnecting is not None:
        return message.reconnecting.close_info
    words = "the session began anew, without the conversation so far"
    return CloseInfo(ABNORMAL_CLOSURE, words, SentBy.NETWORK, Phase.TOOL, turn_open=True)


def _with_messages(error: ServiceError, messages: list[LiveServerMessage]) -> ServiceError:
    """A new error for this caller: a message keeps its own, without a traceback."""
    raised = ServiceError(str(error), error.code, error.status, error.reason, tuple(messages))
    raised.kind, raised.retryable, raised.advice = error.kind, error.retryable, error.advice
    return raised
