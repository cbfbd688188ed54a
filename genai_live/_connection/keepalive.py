"""When to ping, and when the peer counts as gone: decisions from times alone, without socket or clock. The reader thread asks."""

from __future__ import annotations

from enum import Enum

from genai_live._deadline import NEVER

STOPPED_FROM = 0.5
"""Seconds by which a look must be late to mean that this process, or its reader, was stopped: a busy machine is late by less."""


class Need(Enum):
    """What a connection needs now."""

    NOTHING = "nothing"
    PING = "a ping"
    END = "an end: the peer is gone"


class KeepAlive:
    """Any byte is life; only silence after a ping ends a connection, however long this process was stopped meanwhile.

    Times are monotonic seconds, limits are seconds; None or infinity switches a limit off.
    """

    def __init__(self, ping_interval: float | None, silence_limit: float | None) -> None:
        self.silence_limit = silence_limit or NEVER
        self.ping_after = min(ping_interval or NEVER, self.silence_limit / 2)
        """Seconds of silence before a ping; without one by half the limit there would be nothing to be silent about."""
        self._last_byte = 0.0
        self._pinged_at: float | None = None
        self._looked_at = 0.0
        self._look_by = NEVER

    def heard(self, now: float) -> None:
        """Bytes came."""
        self._last_byte, self._pinged_at = now, None

    def excuse(self, now: float) -> None:
        """Up to now the reader did not listen, so the peer's silence says nothing."""
        self._last_byte = now

    def silence(self, now: float) -> float:
        """Seconds since the last byte."""
        return now - self._last_byte

    def look(self, now: float) -> tuple[Need, float]:
        """What is needed now, and when to look again."""
        if now > self._look_by + STOPPED_FROM:
            self._pass_over(now - self._looked_at)
        need, look_by = self._judged(now)
        self._looked_at, self._look_by = now, look_by
        return need, look_by

    def _pass_over(self, seconds: float) -> None:
        """Nobody listened since the last look: the process was stopped, or its reader kept, and so may the peer have been."""
        self._last_byte += seconds
        if self._pinged_at is not None:
            self._pinged_at += seconds

    def _judged(self, now: float) -> tuple[Need, float]:
        if self._pinged_at is None:
            if now < self._last_byte + self.ping_after:
                return Need.NOTHING, self._last_byte + self.ping_after
            self._pinged_at = now
            return Need.PING, self._next(now)
        if now >= self._lost_at(self._pinged_at):
            return Need.END, now
        return Need.NOTHING, self._next(now)

    def _lost_at(self, pinged_at: float) -> float:
        # A process that was stopped pings late, and the peer has the usual time to answer all the same.
        return max(self._last_byte + self.silence_limit, pinged_at + self.silence_limit - self.ping_after)

    def _next(self, now: float) -> float:
        assert self._pinged_at is not None
        # A byte that comes meanwhile makes the next ping due before the limit.
        return min(self._lost_at(self._pinged_at), now + self.ping_after)
