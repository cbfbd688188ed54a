"""What waits to go to a page: bounded; sound is dropped oldest first. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque

from genai_live.web.wire_format import OUTPUT_BYTES

MOST_SECONDS = 30.0
"""Seconds of sound that wait for a page which takes none; what a page has taken waits there, and does not count here."""
MOST_TEXT_BYTES = 256 * 1024
"""Bytes of events beyond which a page is one that does not read."""


class Outgoing:
    """Messages in order: ``str`` for events, ``bytes`` for sound."""

    def __init__(self, most_seconds: float = MOST_SECONDS) -> None:
        self._messages: deque[bytes | str] = deque()
        self._most_sound = int(most_seconds * OUTPUT_BYTES)
        self._sound = self._text = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_too_much(self) -> bool:
        """True when so many events wait that the page cannot be reading."""
        return self._text > MOST_TEXT_BYTES

    def put(self, message: bytes | str) -> int:
        """Adds a message; returns the bytes of sound that were dropped for it."""
        self._messages.append(message)
        if isinstance(message, str):
            self._text += len(message)
            return 0
        self._sound += len(message)
        return self._drop_down_to(self._most_sound - OUTPUT_BYTES) if self._sound > self._most_sound else 0

    def take(self) -> bytes | str:
        """The oldest message, which waits no more."""
        message = self._messages.popleft()
        if isinstance(message, str):
            self._text -= len(message)
        else:
            self._sound -= len(message)
        return message

    def drop_sound(self) -> None:
        """Drops all sound that waits."""
        if self._sound:
            self._drop_down_to(0)

    def _drop_down_to(self, most: int) -> int:
        kept: deque[bytes | str] = deque()
        before = self._sound
        while self._messages:
            message = self._messages.popleft()
            if isinstance(message, bytes) and self._sound > most:
                self._sound -= len(message)
            else:
                kept.append(message)
        self._messages = kept
        return before - self._sound
