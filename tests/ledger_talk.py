"""A conversation as the ledger sees it: messages, questions, and the time, which is passed in."""

from __future__ import annotations

import json
from typing import Any

from genai_live._connection.ledger import SILENCE, Ledger
from genai_live._connection.protocol import LiveProtocol
from genai_live._connection.questions import Asked, Mark, Question
from genai_live.types import LiveServerMessage

READER = LiveProtocol()


def a_message(**fields: Any) -> LiveServerMessage:
    message = READER.decode(json.dumps(fields).encode())
    assert message.decode_error is None
    return message


def content(text: str = "x") -> LiveServerMessage:
    return a_message(serverContent={"modelTurn": {"parts": [{"text": text}]}})


def says(**fields: Any) -> LiveServerMessage:
    return a_message(serverContent=fields)


def a_call(*ids: str) -> LiveServerMessage:
    return a_message(toolCall={"functionCalls": [{"id": each, "name": "f", "args": {}} for each in ids]})


def a_cancellation(*ids: str) -> LiveServerMessage:
    return a_message(toolCallCancellation={"ids": list(ids)})


def heard(text: str) -> LiveServerMessage:
    return says(inputTranscription={"text": text})


def voice(activity: str) -> LiveServerMessage:
    return a_message(voiceActivity={"type": activity})


TURN_COMPLETE = says(turnComplete=True)
GENERATED = says(generationComplete=True)
INTERRUPTED = says(interrupted=True)
USAGE = a_message(usageMetadata={"totalTokenCount": 1})
ERROR = a_message(error={"code": 500, "message": "Internal error", "status": "INTERNAL"})
IDLE = a_message(interactionStatus="IDLE")
IN_PROGRESS = a_message(serverContent={"turnComplete": True, "interactionStatus": "IN_PROGRESS"})


class Conversation:
    """A ledger, the marks that it gave in their order, and the time."""

    def __init__(self, *, calls_have_turns: bool = False) -> None:
        self.ledger = Ledger()
        self.ledger.calls_have_turns = calls_have_turns
        self.marks: list[Mark] = []
        self.now = 100.0

    def asks(self, kind: Asked = Asked.CONTENT) -> Question:
        question = self.ledger.asked(kind)
        self.ledger.written(question)
        return question

    def sound(self) -> None:
        """A piece of sound is sent."""
        self.ledger.sound.sent, self.ledger.sound.ended = True, False

    def answers(self, call_id: str, *, is_last: bool = True, is_spoken: bool = True) -> None:
        """The client answers a call."""
        self.ledger.call_answered(call_id, b"response to " + call_id.encode(), is_last=is_last, is_spoken=is_spoken)

    def comes(self, *messages: LiveServerMessage) -> Mark:
        """Messages come; returns the mark of the last."""
        for message in messages:
            mark = self.ledger.entered(message)
            self.marks += [*self.ledger.notes(), mark]
        return self.marks[-1]

    def turn(self) -> Question | None:
        """A turn with content comes; returns whose it is."""
        first = self.comes(content())
        last = self.comes(TURN_COMPLETE)
        assert last.question is first.question
        assert last.ends
        return first.question

    def silence(self, seconds: float = SILENCE) -> list[Mark]:
        """So long nothing comes; returns the marks that time brings."""
        self.ledger.look(self.now)
        self.now += seconds
        self.ledger.look(self.now)
        notes = self.ledger.notes()
        self.marks += notes
        return notes

    def ends_of(self, question: Question) -> int:
        """How many marks tell of the end of a question: of its turn, of that which it was closed with, of its loss."""
        return sum(
            (mark.question is question and mark.ends and not mark.late) + (question in mark.merged) + (question in mark.lost)
            for mark in self.marks
        )


class UserTurn:
    """What the ledger needs of a turn in its user's hands."""

    def __init__(self) -> None:
        self.reports: list[LiveServerMessage] = []
        self.questions = 0

    def complete(self, reports: list[LiveServerMessage], questions: int) -> None:
        self.reports, self.questions = reports, questions
