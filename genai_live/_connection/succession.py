"""What makes a connection one of several of a session. Plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Succession:
    """What makes a connection one of several of a session; without it a connection is all of its session.

    Both run on the reader thread, or on the one that dials.
    """

    goes_on: Callable[[], bool]
    """Called once, at the end; True when another connection follows, so that nobody is told of an end."""
    look_ahead: Callable[[float], float]
    """May begin to replace the connection; returns the next time (monotonic seconds) to be asked."""
    pause: float = 0.0
    """Seconds before it is dialled; its end cuts them short."""
    opens_session: bool = True
    """False when it continues one, so that no ``connect()`` waits for it."""


ALONE = Succession(lambda: False, lambda now: float("inf"))
