"""What a visitor's end needs of the socket below it, and the other way round. Protocols: no thread of their own."""

from __future__ import annotations

import logging
from typing import Protocol

from genai_live.web.page_pace import STALL

logger = logging.getLogger("genai_live")

GOODBYE = 2.0
"""Seconds for the page's answer to a Close frame, before its socket is shut."""
LONGEST_WAIT = 3600.0
"""Seconds after which a line looks at the time again, whatever its taker says."""


class Taker(Protocol):
    """Takes what comes over a line. Called on the line's thread, and blocks it for microseconds only."""

    def take(self, message: bytes | str) -> None:
        """One whole message; nothing after ``gone``."""

    def flooded(self) -> None:
        """More comes beside messages, in pings and the heads of frames, than any page sends."""

    def gone(self, error: Exception | None) -> None:
        """The line is over: called once, last; None when the page closed it in order, or this side did."""

    def on_time(self, now: float) -> float:
        """Does what is due; returns the next time (monotonic seconds) at which something may be."""


class Line(Protocol):
    """A socket with a page at its other end. Everything but ``wait`` may be called on any thread and never blocks."""

    def begin(self, taker: Taker) -> None:
        """From now on messages come; called once, first.

        Raises:
            RuntimeError: this process may start no more threads.
        """

    def send(self, message: bytes | str) -> int:
        """Sends a message soon; returns the bytes of older sound that were dropped because the page takes none."""

    def drop_sound(self) -> None:
        """Drops the sound that waits to be sent."""

    def reported(self, seconds: float, flushes: int | None) -> None:
        """What the page says that it has heard, as in ``Played``: for a line whose server takes whatever it is given."""

    def end(self, code: int, reason: str = "") -> None:
        """Sends what waits, then a Close frame; waits for the page's for a moment. Idempotent."""

    def wait(self, timeout: float | None) -> bool:
        """True when the line is over within so many seconds. Blocks."""


def unread() -> TimeoutError:
    """Says that a page is let go that does not read; the error that its line ends with."""
    logger.info("a page that does not read was let go")
    return TimeoutError(f"the page does not read, for {STALL:.0f} s or at all")
