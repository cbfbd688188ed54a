"""Whether, when and with which handle a session is opened again. Pure: the caller holds the lock.

The decisions come from ends, times and chance alone, without socket, thread or clock.
"""

from __future__ import annotations

from typing import NamedTuple

from genai_live._close_reasons import closed_error
from genai_live.errors import NORMAL_CLOSURE, CloseInfo, ConnectError, ErrorKind, Phase, SentBy
from genai_live.reconnection import ReconnectPolicy

LONGEST_PAUSE = 15.0
"""Seconds: often enough to be back soon after an outage of minutes."""
_FACTOR = 1.6
_SPREAD = 0.2
"""Part of a pause that chance decides, so that clients which were dropped together do not come back together."""
STABLE_AFTER = 5.0
"""Seconds that a connection lives before its end begins a new outage, rather than going on with the last."""
GO_AWAY_MARGIN = 5.0
"""Seconds before the service's own deadline at which a connection is replaced even in mid-turn: closing it, waiting and resuming
take about 2."""
SHORTEST_NOTICE = 0.5
"""Part of the time left that is kept where all of it is shorter than twice the margin."""

_ABOUT_THE_HANDLE = (ErrorKind.EXPIRED, ErrorKind.BAD_REQUEST)
"""What a setup is refused with when the handle is unknown, used up or too old."""


class End(NamedTuple):
    """How a connection ended, or an attempt failed."""

    info: CloseInfo
    failure: ConnectError | None = None
    """What failed, when it never was set up."""
    announced: bool = False
    """True when a goAway had come, or this client ended it because of one."""

    @property
    def may_pass(self) -> bool:
        """True when another connection may be better: an end by the network, by age, or by a fault of the service."""
        if self.failure is not None:
            return self.failure.retryable and self.failure.kind is not ErrorKind.EXPIRED
        if self.announced:
            return True
        if self.info.sent_by is SentBy.CLIENT:
            return False
        # The service was seen to end connections of ten minutes with 1000.
        return self.info.code == NORMAL_CLOSURE or closed_error(self.info).retryable

    @property
    def refused_handle(self) -> bool:
        """True when the setup was refused in a way that may be the handle's fault."""
        failure = self.failure
        return failure is not None and failure.phase is Phase.SETUP and failure.kind in _ABOUT_THE_HANDLE


class Try(NamedTuple):
    """The next attempt: after ``pause`` seconds, with ``handle``; None begins a session anew."""

    pause: float
    handle: str | None


class Outage:
    """Decides after each end whether there is another attempt. Times are monotonic seconds."""

    def __init__(self, policy: ReconnectPolicy) -> None:
        self.attempts = 0
        """Attempts of this outage so far."""
        self.began = 0.0
        self._policy = policy
        self._pause = policy.first_pause
        """Seconds before the next attempt, without what chance adds."""
        self._opened_at = float("-inf")
        self._handle_refused = False

    def opened(self, now: float) -> None:
        """A connection was set up."""
        self._opened_at = now

    def goes_on(self, end: End, handle: str | None) -> bool:
        """True when the kind of end allows another attempt, whatever the time."""
        if end.refused_handle and not self._handle_refused:
            return self._policy.fresh_session
        return end.may_pass and (handle is not None or self._policy.fresh_session)

    def next_try(self, end: End, handle: str | None, now: float, chance: float) -> Try | None:
        """The attempt that follows an end at ``now``; None when the session ends. ``chance`` is from 0 to 1."""
        if not self.goes_on(end, handle):
            return None
        if end.failure is None and (not self.attempts or now - self._opened_at >= STABLE_AFTER):
            self.attempts, self.began, self._handle_refused = 0, now, False
            self._pause = self._policy.first_pause
        self._handle_refused = self._handle_refused or end.refused_handle
        pause = min(LONGEST_PAUSE, self._pause) * (1 + _SPREAD * chance)
        if now + pause > self.began + self._policy.give_up_after:
            return None
        self.attempts, self._pause = self.attempts + 1, min(LONGEST_PAUSE, self._pause * _FACTOR)
        return Try(pause, None if self._handle_refused else handle)


def leave_by(now: float, time_left: float | None) -> float:
    """Until when a connection that is about to be ended by the service may still be used, in the middle of a turn."""
    left = time_left or 0.0
    return now + max(left - GO_AWAY_MARGIN, left * SHORTEST_NOTICE)
