"""What waits to go to a page: bounded; sound is dropped oldest first. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque

from genai_live.web.page_pace import MOST_SECONDS, SLOW_AFTER, STALL
from genai_live.web.wire_format import OUTPUT_BYTES

MOST_TEXT_BYTES = 256 * 1024
"""Bytes of events beyond which a page is one that does not read."""


class Outgoing:
    """Messages in order: ``str`` for events, ``bytes`` for sound."""

    def __init__(self) -> None:
        self.messages: deque[bytes | str] = deque()
        """Those that wait, to be looked at alone."""
        self._sound = self._text = 0

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def begins_with_sound(self) -> bool:
        """True when the oldest message is sound."""
        return bool(self.messages) and isinstance(self.messages[0], bytes)

    @property
    def is_too_much(self) -> bool:
        """True when so many events wait that the page cannot be reading."""
        return self._text > MOST_TEXT_BYTES

    def put(self, message: bytes | str) -> None:
        """Adds a message."""
        self.messages.append(message)
        if isinstance(message, str):
            self._text += len(message)
        else:
            self._sound += len(message)

    def add(self, message: bytes | str, since: float | None, now: float) -> int:
        """Adds a message where one has been on its way ``since`` then; returns the bytes of older sound that were dropped."""
        self.put(message)
        return self.keep_newest() if since is not None and now - since >= SLOW_AFTER else 0

    def is_stuck(self, since: float | None, now: float) -> bool:
        """True when the page cannot be reading: too much waits, or something has waited ``since`` then for too long."""
        return self.is_too_much or (since is not None and now - since >= STALL)

    def keep_newest(self, seconds: float = MOST_SECONDS) -> int:
        """Drops sound beyond so many seconds, oldest first; returns the bytes that were dropped."""
        most = int(seconds * OUTPUT_BYTES)
        return self._drop_down_to(most - OUTPUT_BYTES) if self._sound > most else 0

    def take(self) -> bytes | str:
        """The oldest message, which waits no more."""
        message = self.messages.popleft()
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
        while self.messages:
            message = self.messages.popleft()
            if isinstance(message, bytes) and self._sound > most:
                self._sound -= len(message)
            else:
                kept.append(message)
        self.messages = kept
        return before - self._sound
