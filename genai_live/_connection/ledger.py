"""The ledger of questions: which answer belongs to which question. Pure, without socket, thread or clock.

A *question* is whatever asks the model to say something: a content with ``turn_complete``, a realtime text, an ``activityEnd``, a
speech. A *turn* is what the model says up to its end; it belongs to one question, or to none when it is unasked. The reader
enters every message of the server and gets its mark, which travels beside the message in the queue, so that a thread that waits
for the end of a turn knows which turn. Senders open questions while they hold the send lock, so that the ledger has the order of
the wire.

``TURNS`` is the rule of turns: by where the model stands and what a message says, what happens, and how that is known. Counting
turnCompletes would be no ledger: what the service does with a second question that comes before the answer to the first has begun
was never recorded. It may answer both in order, interrupt and answer the second, answer both in one turn, or drop one; the ledger
comes out right in each, because ``look`` closes questions that a turn has left open.

What the reader writes and what senders write are different attributes, or single operations on a list, so no lock is needed.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Container, Iterator
from enum import Enum
from typing import NamedTuple, Protocol

from genai_live._base64_text import Payload
from genai_live._connection.questions import SESSION, Asked, Fate, Mark, Question
from genai_live._deadline import NEVER
from genai_live.types import FunctionCall, InteractionStatus, LiveServerContent, LiveServerMessage, VoiceActivityType

SILENCE = 4.0
"""Seconds after the end of a turn without another word of the model, after which older questions are closed with that turn: an
answer to speech was seen to begin within 3.0 s (its end is noticed after up to 1.4 s, sound comes up to 1.6 s later)."""

MOST_CALLS = 10_000
"""Open calls, and ids of calls that were made, beyond which the oldest is forgotten: a flood of calls has no end."""


class Standing(Enum):
    """Where the model stands."""

    SILENT = "silent"
    SPEAKING = "speaking"
    GENERATED = "generated"
    """All of the turn was made; its end comes when it would have been played."""
    CUT = "cut"
    """The turn was interrupted; what comes up to its end is still of it."""


class Says(Enum):
    """What a message says of turns; one that says several things says them in this order."""

    ERROR = "error"
    INTERRUPTED = "interrupted"
    CALL = "toolCall"
    CONTENT = "modelTurn"
    TRANSCRIPT = "outputTranscription"
    GENERATED = "generationComplete"
    COMPLETE = "turnComplete"
    IDLE = "interactionStatus IDLE"


class Sound:
    """What was said by sound since a turn has last begun. Senders write it with every piece, so it is two plain flags."""

    def __init__(self) -> None:
        self.sent = False
        """True when there was some. A microphone sends silence, too: it is not a question by itself."""
        self.ended = False
        """True when the end of the sound was sent after that."""


class Rule(NamedTuple):
    """What happens, and how that is known."""

    step: Callable[[Ledger], Mark]
    source: str


class Answered(NamedTuple):
    """A response to a call, of which the model has not spoken yet."""

    question: Question
    response: Payload
    is_last: bool
    is_spoken: bool
    was_owed: bool
    """True when another response was not spoken of yet."""


class NotedCalls(Protocol):
    """What is known of the calls in a message, by their ids, before the ledger enters it."""

    @property
    def owned(self) -> Container[str]:
        """Calls that this library answers by itself."""

    @property
    def over(self) -> Container[str]:
        """Calls that came again after their answer."""


class _Nothing:
    owned: Container[str] = ()
    over: Container[str] = ()


class ForCaller:
    """The ids of the calls that only the caller can answer, and has not."""

    def __init__(self, pending: dict[str, Question]) -> None:
        self._pending = pending

    def __contains__(self, call_id: object) -> bool:
        question = self._pending.get(call_id)  # type: ignore[call-overload]
        return question is not None and call_id not in question.owned and call_id not in question.shown


class Ledger:
    """The questions of one session, and the turn that is under way."""

    def __init__(self) -> None:
        self.standing = Standing.SILENT
        self.resynchronised = 0
        """Questions that were closed with the turn of another one."""
        self.sound = Sound()
        self.going_on: Mark | None = None
        """The mark of a message that only goes on with the turn under way; None where there is more to it."""
        self.pending: dict[str, Question] = {}
        """The question of each unanswered call."""
        self.for_caller = ForCaller(self.pending)
        self.noted_calls: NotedCalls = _Nothing()
        """About the calls of the message that is entered next."""
        self.calls_have_turns = False
        """True for a family whose call has a turn of its own: its turnComplete comes before the answer, which has another."""
        self._numbers = itertools.count(1)
        self._order = itertools.count(1)
        self._due: list[Question] = []
        """Written questions, and those whose calls were answered, that no turn has begun to answer."""
        self._running: Question | None = None
        self._latest: Question | None = None
        """The question of the latest turn."""
        self._began = 0
        """When, in the order of questions, the latest turn began."""
        self.closings = 0
        """How many questions were closed so far."""
        self._finished: Question | None = None
        """The question whose turn has ended last."""
        self._coming: Question | None = None
        """A speech of which the service has said what it heard, before it answers."""
        self._user_speaks = False
        """True between the service's words that the user began and stopped speaking."""
        self._hearing: Mark | None = None
        """Whose speech the last message reported, when that is all it did: the next fragment is of the same."""
        self._in_progress = False
        self._silent_since: float | None = None
        self._silence = 0.0
        """Seconds of silence since a turn has left older questions open."""
        self._asked_meanwhile = False
        """True when another question was asked in that silence."""
        self._notes: deque[Mark] = deque()
        self._told_calls: dict[str, FunctionCall] = {}
        """The newest calls of this conversation, without their arguments."""
        self._lost_calls: set[str] = set()
        self._answered: dict[str, Answered] = {}
        """By the ids of their calls."""

    # Asking: the thread that sends.

    def asked(self, kind: Asked) -> Question:
        """A new question, which waits to be written."""
        return Question(next(self._numbers), kind)

    def written(self, question: Question) -> None:
        """The question goes out. Called by the owner of the send lock, just before its bytes."""
        if question.fate is Fate.WRITTEN:
            return
        question.fate, question.ready = Fate.WRITTEN, next(self._order)
        self._asked_meanwhile = self._asked_meanwhile or self._silent_since is not None
        self._due.append(question)

    def withdrawn(self, question: Question) -> None:
        """Nothing of it went out after all: it waits, or was never asked."""
        with contextlib.suppress(ValueError):
            self._due.remove(question)
        if not question.is_closed:  # else it was lost with its connection meanwhile, and that is told
            question.fate = Fate.WAITING

    def call_answered(self, call_id: str, response: Payload, *, is_last: bool, is_spoken: bool) -> None:
        """A call is answered: the model goes on with its question, unless the response is not to be spoken of.

        Called as ``written`` is, or when the response goes into the outbox, and again when it goes out from there.
        """
        question = self.pending.get(call_id)
        if question is None:
            self._answered_again(call_id)
            return
        self._answered[call_id] = Answered(question, response, is_last, is_spoken, question.owed)
        # One message may answer several calls. What this library answers by itself is answered once: mostly the service has it.
        if call_id not in question.owned and not any(response is each for each in question.responses):
            question.responses.append(response)
        if is_last:
            question.calls.discard(call_id)
            self.pending.pop(call_id, None)
        self._silent_since, question.is_abandoned = None, False
        if is_spoken:
            question.ready = next(self._order)
            if is_last:
                question.owed = True
            else:
                question.updates += 1
            question.owes_turn = self.calls_have_turns and question is self._running
            self.going_on = None
            if question is not self._running and question not in self._due:
                self._due.append(question)
        elif is_last and question is not self._running and not question.calls and not question.is_owed:
            self._close_with_note(question)

    def _answered_again(self, call_id: str) -> None:
        """The response goes out from the outbox: that is its place in the order of what the model is to answer."""
        answered = self._answered.get(call_id)
        if answered is not None and answered.is_spoken and answered.question in self._due:
            answered.question.ready = next(self._order)

    def call_reopened(self, call_id: str) -> None:
        """Nothing of the response went out after all."""
        answered = self._answered.pop(call_id, None)
        if answered is None or answered.question.is_closed:
            return
        question = answered.question
        question.responses = [each for each in question.responses if each is not answered.response]
        question.calls.add(call_id)
        self.pending[call_id] = question
        question.owed = answered.was_owed
        if answered.is_spoken and not answered.is_last:
            question.updates = max(0, question.updates - 1)
        if not question.is_owed and question is not self._running:
            with contextlib.suppress(ValueError):
                self._due.remove(question)

    def show(self, question: Question, calls: set[str]) -> None:
        """Calls are about to be shown to a callback. The reader thread."""
        question.shown = question.shown | calls

    def was_shown(self, question: Question, calls: set[str]) -> bool:
        """A callback has seen the calls: True when it has left one to the caller, who is told by a note. Any thread."""
        question.shown = question.shown - calls
        is_left = any(call_id in self.for_caller for call_id in calls)
        if is_left:
            self._notes.append(Mark(question, asks_caller=True))
        return is_left

    def ids_waiting(self, name: str) -> list[str | None]:
        """Ids of the unanswered calls of this name; None, for good, of calls that came without one. Any thread."""
        told = self._told_calls
        calls = [call for key in tuple(self.pending) if (call := told.get(key)) is not None and call.name == name]
        nameless = told.get(name)
        if not calls and nameless is not None and not nameless.id:
            calls = [nameless]
        return [call.id or None for call in calls]

    def was_lost(self, call_id: str) -> bool:
        """True for a call of a conversation that ended with its connection."""
        return call_id in self._lost_calls

    # Messages: the reader thread.

    def entered(self, message: LiveServerMessage) -> Mark:
        """Enters a message; returns whose it is."""
        content = message.server_content
        if message.tool_call_cancellation is not None:
            self._note_cancelled(message.tool_call_cancellation.ids or ())
        if message.voice_activity is not None:
            self._note_voice(message.voice_activity.voice_activity_type)
        said = tuple(_said(message, content))
        mark = SESSION
        for each in said:
            mark = TURNS[self.standing, each].step(self)
            if each is Says.CALL:
                self._note_calls(message)
        if message.interaction_status is not None:
            self._in_progress = message.interaction_status == InteractionStatus.IN_PROGRESS
        if said:
            if self._silent_since is not None and not self._asked_meanwhile:
                self._silence = 0.0
            self._silent_since, self._hearing, self._asked_meanwhile = None, None, False
        else:
            mark = self._aside(message, content)
        if mark.question is not None:
            mark = self._noted_report(mark.question, mark, message, content)
        running = self._running
        plain = running is not None and self.standing is Standing.SPEAKING and not (running.calls or running.is_owed)
        self.going_on = running.part if plain and running is not None else None
        return mark

    def notes(self) -> list[Mark]:
        """Marks for which no message came, since this was last asked: they belong before the message that was entered last."""
        notes = []
        while self._notes:  # senders may add to them
            notes.append(self._notes.popleft())
        return notes

    # What is due. Any thread.

    @property
    def answer_due(self) -> bool:
        """True while an answer is due or under way."""
        return self._running is not None or bool(self._due) or bool(self.pending)

    @property
    def is_unsettled(self) -> bool:
        """True when a turn has left questions open, so that ``look`` is to be called."""
        if self._in_progress or not self._due:
            return False
        latest = self._latest  # a call of an earlier turn keeps the model from nothing: it has spoken since
        if latest is not None and latest.calls and not latest.is_abandoned:
            return False
        return any(self._left_open())

    def look(self, now: float) -> float:
        """Closes what a turn has left open, when the model is silent for long enough; returns when to look again. Reader thread.

        Without this one question that the service merged with another one, or dropped, would shift every later answer. A silence
        in which the caller asks again goes on after the answer: who gives up within 4 s each time would be one behind for good.
        """
        if not self.is_unsettled:
            self._silent_since = None
            return NEVER
        if self._silent_since is not None:
            self._silence += max(0.0, now - self._silent_since)
        self._silent_since = now
        if self._silence < SILENCE:
            return now + SILENCE - self._silence
        self._silent_since, self._silence = None, 0.0
        latest = self._latest
        if latest is not None and latest.calls:  # whose the call is cannot be known: the caller is asked, and nothing is closed
            latest.is_abandoned = False
            self._notes.append(Mark(latest, asks_caller=True))
            return NEVER
        left, finished = tuple(self._left_open()), latest
        self.resynchronised += len(left)
        for question in left:
            if finished is None or question.is_owed:
                self._close_with_note(question)
            else:
                self._close(question)
        merged = tuple(question for question in left if not question.is_owed)
        if finished is not None and merged:
            finished.merged += len(merged)
            finished.report()
            self._notes.append(Mark(finished, merged=merged))
        return NEVER

    def _left_open(self) -> Iterator[Question]:
        """Open questions that the service may have answered, or dropped, in the latest turn.

        A turn that waits in vain for the response to its call may have been meant for all open questions: the thread that asked
        last is given the call.
        """
        if self.standing is Standing.SILENT:
            is_new = self._latest is None  # the connection: over the last one the service may have answered a response
            return (each for each in tuple(self._due) if each.ready < self._began or (each.is_owed and is_new))
        waits_in_vain = self.standing is not Standing.CUT and self._running is not None and bool(self._running.calls)
        return (question for question in tuple(self._due) if waits_in_vain and not question.is_owed)

    # Ends of connections: the reader thread, under the channel's lock.

    def lose(self) -> tuple[Question, ...]:
        """The connection is gone: returns the questions whose answers are lost with it.

        A question whose call is open survives: the service takes the answer over the next connection (seen 14 of 14 times).
        """
        asked = [*self._due, *([self._running] if self._running is not None else ())]
        if self.sound.sent and self.sound.ended and not any(question.kind is Asked.SPEECH for question in self._due):
            asked.append(self._coming or self.asked(Asked.SPEECH))
            self._coming = None
        lost = tuple(question for question in asked if not (question.calls or question.is_owed))
        for question in lost:
            self._close(question, Fate.LOST)
        for question in asked:
            if question.is_owed and question not in self._due:
                self._due.append(question)
        self.standing, self._running, self.going_on = Standing.SILENT, None, None
        self.sound.sent = self.sound.ended = self._user_speaks = self._in_progress = False
        self._silent_since = self._finished = self._latest = None
        return lost

    def begin_anew(self) -> tuple[Question, ...]:
        """Another conversation begins: the open calls of the old one are lost with their questions, which are returned."""
        lost = tuple(dict.fromkeys((*self.pending.values(), *self._due, *([self._coming] if self._coming else ()))))
        self._lost_calls |= self._told_calls.keys()
        self._told_calls = {}
        self._coming = None
        for question in lost:
            self._close(question, Fate.LOST)
        return lost

    @property
    def responses(self) -> list[Payload]:
        """Tool responses after which the model has not spoken yet, in the order in which it is to speak of them."""
        questions = dict.fromkeys((*self._due, *self.pending.values()))
        return [response for question in sorted(questions, key=_by_readiness) for response in question.responses]

    # Steps of TURNS. Each returns the mark of the message.

    def _begin(self) -> Mark:
        """A turn begins: it belongs to the oldest question that is due, else to sound that was sent, else to no question."""
        question = self._oldest_due() or self._coming or self.asked(Asked.SPEECH if self.sound.sent else Asked.NOTHING)
        return self._run(question, Standing.SPEAKING)

    def _begin_or_late(self) -> Mark:
        """A transcript after the end of a turn is about that turn, unless an answer is due: words may come before sound."""
        if self._due or self._coming or self._finished is None or self.sound.sent:
            return self._begin()
        return self._finished.late

    def _go_on_or_answer(self) -> Mark:
        """A model that waits for a response says nothing more of that question: its words are for the next one, if any."""
        if self._running is None or not (self._running.calls and self._due):
            return self._go_on()
        self.standing, self._running = Standing.SILENT, None
        return self._begin()

    def _go_on_cut(self) -> Mark:
        """A turn that was cut before its first word has no late pieces: what comes is for the next question, if there is one."""
        assert self._running is not None
        if self._running.has_spoken or not self._due:
            return self._running.part
        self._close_with_note(self._running)
        return self._begin()

    def _go_on(self) -> Mark:
        assert self._running is not None
        if self.standing is Standing.SPEAKING:
            self._spoke(self._running)
        return self._running.part

    def _go_on_or_begin(self) -> Mark:
        """More content after the end of generation is of the next turn, where one is due: this one's turnComplete never came."""
        if not self._due or self._running is None:
            return self._go_on()
        self._close_with_note(self._running)
        return self._begin()

    def _generate(self) -> Mark:
        if self._running is None:
            self._begin()
        self.standing, question = Standing.GENERATED, self._running
        assert question is not None
        return question.part if self._goes_on_after(question) else question.generated

    def _goes_on_after(self, question: Question) -> bool:
        """True when an answer has more turns than the one under way: its call has one of its own, or it is unanswered."""
        return bool(question.calls) or (question.is_owed and self.calls_have_turns)

    def _cut(self) -> Mark:
        """An interruption closes the question whose answer runs; with none running, the oldest open one."""
        question = self._running or self._oldest_due() or min(tuple(self.pending.values()), key=_by_readiness, default=None)
        if question is None:
            return SESSION if self._finished is None else self._finished.late
        return self._run(question, Standing.CUT)

    def _complete(self) -> Mark:
        question = self._running or self._oldest_due() or self._coming or self.asked(Asked.NOTHING)
        if self._running is None:
            self._run(question, Standing.SPEAKING)
        goes_on = self.standing is not Standing.CUT and self._goes_on_after(question)
        if self.standing is not Standing.CUT:
            self.sound.sent = False
        self.standing, self._running = Standing.SILENT, None
        if goes_on:
            if question.is_owed and question not in self._due:
                self._due.append(question)
            return question.part
        self._close(question)
        self._finished = question
        if not any(self._left_open()):
            self._silence = 0.0
        return question.last

    def _fail(self) -> Mark:
        """The service answers with an error: that is the end of the turn, or of the question that is due."""
        self._run(self._running or self._oldest_due() or self._coming or self.asked(Asked.NOTHING), Standing.CUT)
        return self._complete()

    def _ignore(self) -> Mark:
        return SESSION if self._finished is None else self._finished.late

    # Inside.

    def _oldest_due(self) -> Question | None:
        return min(tuple(self._due), key=_by_readiness, default=None)

    def _run(self, question: Question, standing: Standing) -> Mark:
        if question is not self._running:
            with contextlib.suppress(ValueError):
                self._due.remove(question)
            self._running = self._latest = question
            self._began, question.fate = next(self._order), Fate.WRITTEN
            question.owes_turn = question.updates > 0
            question.updates = max(0, question.updates - 1)
            if question is self._coming:
                self._coming = None
            if standing is Standing.SPEAKING:
                self._answer_all_that_was_said(question)
        self.standing = standing
        return question.part

    def _answer_all_that_was_said(self, question: Question) -> None:
        """The model begins to answer: a speech of which only some words were transcribed is answered in the same turn."""
        self.sound.sent = self.sound.ended = self._user_speaks = False
        self._spoke(question)
        coming, self._coming = self._coming, None
        if coming is not None:
            self._close(coming)
            self._notes.append(Mark(question, merged=(coming,), begins=True))

    def _spoke(self, question: Question) -> None:
        question.has_spoken = True
        if question.owed:  # the answer begins here, and not with its call
            self._began = next(self._order)
        if question.owes_turn:
            return
        question.owed = False
        if question.responses:
            question.responses = []

    def _close(self, question: Question, fate: Fate = Fate.ANSWERED) -> None:
        self.closings += 1
        question.fate, question.responses, question.closing_number = fate, [], self.closings
        with contextlib.suppress(ValueError):
            self._due.remove(question)
        for call_id in tuple(question.calls):
            self.pending.pop(call_id, None)
        for call_id in [each for each, answered in tuple(self._answered.items()) if answered.question is question]:
            self._answered.pop(call_id, None)

    def _close_with_note(self, question: Question) -> None:
        self._close(question)
        self._finished = question
        if question is self._running:
            self.standing, self._running = Standing.SILENT, None
        self._notes.append(question.last_late if question.turn is not None else question.last)

    def _note_calls(self, message: LiveServerMessage) -> None:
        assert message.tool_call is not None
        question = self._running
        for call in message.tool_call.function_calls or ():
            call_id = call.id or call.name or ""
            self._told_calls[call_id] = FunctionCall(id=call.id, name=call.name)
            if question is not None and call_id not in self.noted_calls.over:
                if call_id in self.noted_calls.owned:
                    question.owned.add(call_id)
                question.calls.add(call_id)
                self.pending[call_id] = question
        while len(self._told_calls) > MOST_CALLS:
            del self._told_calls[next(iter(self._told_calls))]
        if len(self.pending) > MOST_CALLS:
            self._note_cancelled(tuple(self.pending)[:-MOST_CALLS])

    def _note_cancelled(self, ids: list[str] | tuple[str, ...]) -> None:
        for call_id in ids:
            question = self.pending.pop(call_id, None)
            if question is None:
                continue
            question.calls.discard(call_id)
            if question is not self._running and not question.calls and not question.is_owed:
                self._close_with_note(question)

    def _note_voice(self, activity: VoiceActivityType | str | None) -> None:
        """A speech is a question when the service says that it has ended, unless an answer to it has begun meanwhile."""
        if activity == VoiceActivityType.ACTIVITY_START:
            self._user_speaks, self._hearing = True, None
        elif activity == VoiceActivityType.ACTIVITY_END and self._user_speaks:
            self._user_speaks = False
            if not any(question.kind is Asked.SPEECH for question in tuple(self._due)):
                self.written(self._coming or self.asked(Asked.SPEECH))
                self._coming = None

    def _aside(self, message: LiveServerMessage, content: LiveServerContent | None) -> Mark:
        """The mark of a message that says nothing of turns."""
        if content is not None and (content.input_transcription or content.interim_input_transcription):
            mark = self._hearing or self._heard()
            is_whole = content.input_transcription is not None and content.input_transcription.finished
            self._hearing = None if is_whole else mark
            return mark
        if self._running is not None:
            return self._running.part
        if not _reports(message, content):
            return SESSION
        finished, due = self._finished, self._oldest_due()
        if finished is not None and not (finished.was_reported and due):
            return finished.late
        return SESSION if due is None else due.part

    def _heard(self) -> Mark:
        """Whose speech the service reports: in no fixed order with turns, and after the end of an interrupted one (recorded)."""
        finished, running = self._finished, self._running
        speech = next((q for q in (running, *self._due) if q is not None and q.kind is Asked.SPEECH and not q.was_heard), None)
        if speech is not None:
            return speech.part
        if finished is not None and finished.kind is Asked.SPEECH and not finished.was_heard:
            return finished.late
        due = self._oldest_due()
        if due is not None and running is None:
            return due.part  # the next turn is its, and answers what is said meanwhile too
        if self.sound.sent or self._user_speaks:
            self._coming = self._coming or self.asked(Asked.SPEECH)
            return self._coming.part
        if running is not None:
            return running.part
        return self._ignore()

    def _noted_report(
        self, question: Question, mark: Mark, message: LiveServerMessage, content: LiveServerContent | None
    ) -> Mark:
        """Notes what a message reports of its turn; one that comes when its user has the turn already completes it."""
        if message.usage_metadata is not None:
            question.was_reported = True
        if content is not None and content.input_transcription is not None:
            question.was_heard = True
        if mark.late or question.turn is not None:
            if _reports(message, content):
                question.report(message)
            return question.last_late if mark.ends else question.late
        return mark


def _by_readiness(question: Question) -> int:
    return question.ready


def _said(message: LiveServerMessage, content: LiveServerContent | None) -> Iterator[Says]:
    """What a message says of turns, in the order in which it counts."""
    if message.error is not None:
        yield Says.ERROR
    if content is not None and content.interrupted:
        yield Says.INTERRUPTED
    if message.tool_call is not None:
        yield Says.CALL
    if content is not None:
        if content.model_turn is not None:
            yield Says.CONTENT
        elif content.output_transcription is not None:
            yield Says.TRANSCRIPT
        if content.generation_complete:
            yield Says.GENERATED
    status = message.interaction_status
    if status is None or status == InteractionStatus.INTERACTION_STATUS_UNSPECIFIED:
        if content is not None and content.turn_complete is True:
            yield Says.COMPLETE
    elif status == InteractionStatus.IDLE:
        yield Says.COMPLETE if content is not None and content.turn_complete is True else Says.IDLE


def _reports(message: LiveServerMessage, content: LiveServerContent | None) -> bool:
    """True for a message that says something about a turn rather than in it."""
    if message.usage_metadata is not None:
        return True
    return content is not None and any(
        each is not None for each in (content.input_transcription, content.output_transcription, content.grounding_metadata)
    )


_L, _S, _W = Ledger, Standing, Says
_NOT_RECORDED = "never recorded"
_REFERENCE = "Live API reference, BidiGenerateContentServerContent"

TURNS: dict[tuple[Standing, Says], Rule] = {
    (_S.SILENT, _W.CONTENT): Rule(_L._begin, "recorded: an answer belongs to the oldest question; a microphone's has no mark"),
    (_S.SILENT, _W.CALL): Rule(_L._begin, "recorded: an answer may begin with its call"),
    (_S.SILENT, _W.TRANSCRIPT): Rule(_L._begin_or_late, "recorded: transcripts come roughly in step with sound"),
    (_S.SILENT, _W.GENERATED): Rule(_L._generate, _NOT_RECORDED),
    (_S.SILENT, _W.INTERRUPTED): Rule(_L._cut, _NOT_RECORDED),
    (_S.SILENT, _W.COMPLETE): Rule(_L._complete, "recorded: an answer may be empty"),
    (_S.SILENT, _W.IDLE): Rule(_L._ignore, "page on thinking: IDLE may follow the turnComplete that it is about"),
    (_S.SPEAKING, _W.CONTENT): Rule(_L._go_on_or_answer, "recorded; beside an open call and another question, never"),
    (_S.SPEAKING, _W.CALL): Rule(_L._go_on_or_answer, "recorded: 2.5 and 3.1 call in mid-turn"),
    (_S.SPEAKING, _W.TRANSCRIPT): Rule(_L._go_on_or_answer, "recorded"),
    (_S.SPEAKING, _W.GENERATED): Rule(_L._generate, "recorded"),
    (_S.SPEAKING, _W.INTERRUPTED): Rule(_L._cut, f"{_REFERENCE}: interrupted > turnComplete"),
    (_S.SPEAKING, _W.COMPLETE): Rule(_L._complete, "recorded"),
    (_S.SPEAKING, _W.IDLE): Rule(_L._complete, "page on thinking: only IDLE ends a turn, where it is given"),
    (_S.GENERATED, _W.CONTENT): Rule(_L._go_on_or_begin, "reported: 3.1 sometimes sends generationComplete alone"),
    (_S.GENERATED, _W.CALL): Rule(_L._go_on_or_begin, _NOT_RECORDED),
    (_S.GENERATED, _W.TRANSCRIPT): Rule(_L._go_on, f"{_REFERENCE}: the last transcript precedes generationComplete"),
    (_S.GENERATED, _W.GENERATED): Rule(_L._generate, _NOT_RECORDED),
    (_S.GENERATED, _W.INTERRUPTED): Rule(_L._cut, "recorded: in the playback that the service assumes"),
    (_S.GENERATED, _W.COMPLETE): Rule(_L._complete, "recorded"),
    (_S.GENERATED, _W.IDLE): Rule(_L._complete, "page on thinking"),
    (_S.CUT, _W.CONTENT): Rule(_L._go_on_cut, "reported: late pieces of the old answer, and sound beside interrupted"),
    (_S.CUT, _W.CALL): Rule(_L._go_on, _NOT_RECORDED),
    (_S.CUT, _W.TRANSCRIPT): Rule(_L._go_on, "recorded"),
    (_S.CUT, _W.GENERATED): Rule(_L._go_on, _NOT_RECORDED),
    (_S.CUT, _W.INTERRUPTED): Rule(_L._cut, _NOT_RECORDED),
    (_S.CUT, _W.COMPLETE): Rule(_L._complete, "recorded: within 3 ms of interrupted"),
    (_S.CUT, _W.IDLE): Rule(_L._complete, _NOT_RECORDED),
    **{(standing, _W.ERROR): Rule(_L._fail, "tests of others only: the service was seen to close instead") for standing in _S},
}
"""What happens when the model stands there and says that."""
