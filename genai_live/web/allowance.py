"""How much a visitor may send, and how long a conversation may last. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from genai_live.web.wire_format import INPUT_BYTES

SECONDS_AT_ONCE = 30.0
"""Seconds of sound that may come together: what a network held back and then lets go."""
FASTER = 2.0
"""Sound per second of the clock beyond which a visitor empties the allowance; a microphone is at 1."""
MESSAGE_BYTES = 320
"""What each message costs beside its bytes: a flood of empty ones is a flood. 35 in a second are usual."""
SPEECH = INPUT_BYTES + 25 * MESSAGE_BYTES
"""What a second of speech costs, in messages of 40 ms."""
TEXT_BYTES = INPUT_BYTES
"""What a typed sentence costs: it is answered, so it costs money."""


class Bucket:
    """Fills with time up to a bound; what is sent is taken out."""

    def __init__(self, now: float, per_second: float = FASTER * SPEECH, most: float = SECONDS_AT_ONCE * SPEECH) -> None:
        self._per_second = per_second
        self._most = most
        self._left = most
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """True when that much was left."""
        left = self._left + (now - self._at) * self._per_second
        self._at, self._left = now, (left if left < self._most else self._most) - cost
        return self._left >= 0


@dataclass(frozen=True)
class Over:
    """Why a conversation is over, for the page."""

    reason: str
    sentence: str


IDLE = Over("idle", "The conversation ended because nobody spoke for a while. Start it again to go on.")
LONG = Over("time", "The conversation has reached its longest time. Start another one to go on.")


class Hours:
    """When a conversation ends because nobody speaks, or because it has lasted long enough. None is no limit."""

    def __init__(self, idle_timeout: float | None, total_timeout: float | None, now: float) -> None:
        self._idle = float("inf") if idle_timeout is None else idle_timeout
        self._ends = float("inf") if total_timeout is None else now + total_timeout
        self._spoken = now

    def spoken(self, now: float) -> None:
        """Somebody spoke, typed, or was heard."""
        self._spoken = now

    def over(self, now: float) -> Over | None:
        """Why it is over; None while it is not."""
        if now >= self._ends:
            return LONG
        return IDLE if now >= self._spoken + self._idle else None

    @property
    def next(self) -> float:
        """When to ask again."""
        return min(self._ends, self._spoken + self._idle)
