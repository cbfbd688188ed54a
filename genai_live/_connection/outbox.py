"""The outbox: client messages that wait while a session has no connection. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque

from genai_live._base64_text import Payload
from genai_live._connection.protocol import Sent
from genai_live.errors import OutboxFull

_DROPPABLE = (Sent.AUDIO, Sent.VIDEO)
"""Messages that lose their value with time; text, tool answers and the marks of activity are never dropped."""


class Outbox:
    """Messages that wait for a connection, in order, bounded by bytes."""

    def __init__(self, limit_bytes: float) -> None:
        self.dropped = 0
        """Pieces of audio and video that were dropped, over the session's life."""
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._messages: deque[tuple[Payload, bool]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, payload: Payload, kind: Sent) -> None:
        """Adds a message, and drops the oldest audio and video where the bound asks for it.

        Raises:
            OutboxFull: it does not fit, and is not audio or video.
        """
        droppable = kind in _DROPPABLE
        self._make_room(len(payload))
        if self._bytes + len(payload) <= self._limit_bytes:
            self._messages.append((payload, droppable))
            self._bytes += len(payload)
        elif droppable:
            self.dropped += 1
        else:
            raise OutboxFull(
                f"the session has no connection now, and {self._bytes:,} bytes wait for the next one already (outbox_bytes of the"
                " ReconnectPolicy): wait for message.reconnected, then send again"
            )

    def _make_room(self, size: int) -> None:
        excess = self._bytes + size - self._limit_bytes
        if excess <= 0:
            return
        kept: deque[tuple[Payload, bool]] = deque()
        for payload, droppable in self._messages:
            if droppable and excess > 0:
                excess -= len(payload)
                self._bytes -= len(payload)
                self.dropped += 1
            else:
                kept.append((payload, droppable))
        self._messages = kept

    @property
    def first(self) -> Payload:
        """The message that has waited longest."""
        return self._messages[0][0]

    def remove_first(self) -> None:
        """Takes it out: it was sent."""
        payload, _ = self._messages.popleft()
        self._bytes -= len(payload)
