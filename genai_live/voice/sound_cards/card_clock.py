"""When a sound is heard, by the card's clock, however late its callback runs. Pure: time is handed in."""

from __future__ import annotations

from collections import deque

_NEWEST = 64
"""Callbacks that are compared, 0.7 s of them: of that many one comes in time on any machine."""
_LONGEST_LEAD = 2.0
"""Seconds between a callback and its sound beyond which a driver's clock is not believed; some have none, and say 0."""


class CardClock:
    """One stream's; for its callback, so nothing in it waits.

    A callback comes late, where other threads hold the interpreter, and never early: so the least of the newest differences
    between the card's clock and the monotonic one is what they are apart. On a busy machine that is right to 0.1 ms, and the
    time of the callback itself 8 ms wrong.
    """

    def __init__(self, latency: float) -> None:
        self._latency = latency
        """Seconds from a callback to its sound where the driver says nothing that can be; below 0 for a microphone."""
        self._apart: deque[float] = deque(maxlen=_NEWEST)
        self._called = 0.0

    def at(self, now: float, called: float, sounds: float) -> float:
        """Monotonic time of a sound; ``called`` and ``sounds`` are the card's times of its callback and of the sound."""
        lead = sounds - called
        if lead * self._latency <= 0 or abs(lead) > _LONGEST_LEAD:
            return now + self._latency
        if called < self._called:  # the card's clock was put back
            self._apart.clear()
        self._called = called
        self._apart.append(now - called)
        return min(self._apart) + sounds
