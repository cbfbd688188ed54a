"""What waits to go to a page: bounded; sound is dropped oldest first. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque

from genai_live.web.wire_format import OUTPUT_BYTES

MOST_SECONDS = 30.0
"""Seconds of sound that wait for a page which takes it more slowly than it is heard. A page that is fast enough may take its time
for what came at once: answers are made faster than they are spoken."""
SLOW_AFTER = 2.0
"""Seconds of waiting after which a page is judged."""
MOST_TEXT_BYTES = 256 * 1024
"""Bytes of events beyond which a page is one that does not read."""


class Outgoing:
    """Messages in order: ``str`` for events, ``bytes`` for sound."""

    def __init__(self) -> None:
        self._messages: deque[bytes | str] = deque()
        self._sound = self._text = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_too_much(self) -> bool:
        """True when so many events wait that the page cannot be reading."""
        return self._text > MOST_TEXT_BYTES

    def put(self, message: bytes | str) -> None:
        """Adds a message."""
        self._messages.append(message)
        if isinstance(message, str):
            self._text += len(message)
        else:
            self._sound += len(message)

    def keep_newest(self, seconds: float = MOST_SECONDS) -> int:
        """Drops sound beyond so many seconds, oldest first; returns the bytes that were dropped."""
        most = int(seconds * OUTPUT_BYTES)
        return self._drop_down_to(most - OUTPUT_BYTES) if self._sound > most else 0

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


class Pace:
    """Whether a page takes its sound as fast as it is heard. Written while something waits."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._taken = 0

    def waits(self, taken: int, now: float) -> None:
        """Something waits, and so many bytes were taken."""
        if self._since is None:
            self._since, self._taken = now, 0
        self._taken += taken

    def waits_no_more(self) -> None:
        """All was taken."""
        self._since = None

    def is_slow(self, now: float) -> bool:
        """True when the page has had time enough, and took less than it would hear."""
        since = self._since
        return since is not None and now - since >= SLOW_AFTER and self._taken < (now - since) * OUTPUT_BYTES
