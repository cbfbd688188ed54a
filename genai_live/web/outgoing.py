"""What waits to go to a page: bounded; sound is dropped oldest first. Pure; the caller holds the lock."""

from __future__ import annotations

from collections import deque

from genai_live.web.wire_format import FLUSH, OUTPUT_BYTES

MOST_SECONDS = 30.0
"""Seconds of sound that wait for a page which takes it more slowly than it is heard. A page that is fast enough may take its time
for what came at once: answers are made faster than they are spoken."""
SLOW_AFTER = 2.0
"""Seconds of waiting after which a page is judged."""
STALL = 20.0
"""Seconds in which a page has to take something of what waits for it."""
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


class Window:
    """How much sound a page was sent and has not accounted for, by its own reports: where a server takes whatever it is given."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._most = seconds * OUTPUT_BYTES
        self._sent = 0
        self._at_flush: list[int] = []
        """Bytes that were sent before each flush: none of them is heard after it."""
        self._begin, self._heard_before, self._heard = 0, 0.0, 0.0
        """Bytes before the latest flush that the page has told of, seconds that were heard until then, and until now."""
        self._first_at: float | None = None

    @property
    def is_full(self) -> bool:
        """True when the page has to report first."""
        return self._sent - self._begin - (self._heard - self._heard_before) * OUTPUT_BYTES > self._most

    def sent(self, message: bytes | str, now: float) -> None:
        """This was handed to the server."""
        if isinstance(message, bytes):
            self._sent += len(message)
            self._first_at = now if self._first_at is None else self._first_at
        elif message == FLUSH:
            self._at_flush.append(self._sent)

    def reported(self, seconds: float, flushes: int | None, now: float) -> bool:
        """The page has heard so much, with so many flushes (None: all of them); True when that is more than before."""
        possible = 0.0 if self._first_at is None else now - self._first_at  # whatever a page says
        seconds = max(self._heard, min(seconds, possible))
        known = len(self._at_flush) if flushes is None else min(flushes, len(self._at_flush))
        begin = self._at_flush[known - 1] if known else 0
        is_more = seconds > self._heard or begin > self._begin
        if begin > self._begin:
            self._begin, self._heard_before = begin, seconds
        self._heard = seconds
        return is_more
