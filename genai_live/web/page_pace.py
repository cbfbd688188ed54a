"""Whether a page keeps up with its sound: by what its socket takes, or by its own reports. Pure; the caller holds the lock."""

from __future__ import annotations

from genai_live.web.wire_format import FLUSH, OUTPUT_BYTES

MOST_SECONDS = 30.0
"""Seconds of sound that wait for a page which takes it more slowly than it is heard. A page that is fast enough may take its time
for what came at once: answers are made faster than they are spoken."""
SLOW_AFTER = 2.0
"""Seconds of waiting after which a page is judged."""
STALL = 20.0
"""Seconds in which a page has to take something of what waits for it."""


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
