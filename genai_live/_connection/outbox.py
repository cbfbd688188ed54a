"""The outbox: client messages that wait while a session has no connection. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from genai_live._base64_text import Payload
from genai_live._connection.protocol import Opening, Sent
from genai_live._connection.questions import Question
from genai_live.errors import OutboxFull

_DROPPABLE = (Sent.AUDIO, Sent.VIDEO)
"""Messages that lose their value with time; text, tool answers and the marks of activity are never dropped."""


class Waiting(NamedTuple):
    """A message that waits."""

    payload: Payload
    kind: Sent
    question: Question | None = None
    """The question that it asks."""
    answers: Opening | None = None
    """The calls that it answers."""


class Outbox:
    """Messages that wait for a connection, in order, bounded by bytes."""

    def __init__(self, limit_bytes: float) -> None:
        self.dropped = 0
        """Pieces of audio and video that were dropped, over the session's life."""
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._messages: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, payload: Payload, kind: Sent, question: Question | None = None, answers: Opening | None = None) -> None:
        """Adds a message, and drops the oldest audio and video where the bound asks for it.

        Raises:
            OutboxFull: it does not fit, and is not audio or video; nothing that waits was dropped for it.
        """
        kept = sum(len(waiting.payload) for waiting in self._messages if waiting.kind not in _DROPPABLE)
        droppable = kind in _DROPPABLE
        if kept + len(payload) <= self._limit_bytes:
            self._make_room(len(payload))
            self._messages.append(Waiting(payload, kind, question, answers))
            self._bytes += len(payload)
        elif droppable:
            self.dropped += 1
        else:
            raise OutboxFull(
                f"the session has no connection now, and {self._bytes:,} bytes wait for the next one already (outbox_bytes of the"
                " ReconnectPolicy): wait for message.reconnected, then send again"
            )

    def put_back(self, messages: list[Waiting]) -> None:
        """Puts messages that were taken for the last connection, and never went out, before all others."""
        self._messages.extendleft(reversed(messages))
        self._bytes += sum(len(waiting.payload) for waiting in messages)

    def holds(self, payload: Payload) -> bool:
        """True when this very message waits."""
        return any(waiting.payload is payload for waiting in self._messages)

    def forget(self, kind: Sent) -> None:
        """Drops all messages of a kind: they mean nothing any more."""
        self._messages = deque(waiting for waiting in self._messages if waiting.kind is not kind)
        self._bytes = sum(len(waiting.payload) for waiting in self._messages)

    def _make_room(self, size: int) -> None:
        excess = self._bytes + size - self._limit_bytes
        if excess <= 0:
            return
        kept: deque[Waiting] = deque()
        for waiting in self._messages:
            if waiting.kind in _DROPPABLE and excess > 0:
                excess -= len(waiting.payload)
                self._bytes -= len(waiting.payload)
                self.dropped += 1
            else:
                kept.append(waiting)
        self._messages = kept

    @property
    def first(self) -> Waiting:
        """The message that has waited longest."""
        return self._messages[0]

    def remove_first(self) -> None:
        """Takes it out: it was sent."""
        self._bytes -= len(self._messages.popleft().payload)
