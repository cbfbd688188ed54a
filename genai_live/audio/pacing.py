"""When the next piece of sound is due, if it is sent as fast as it was spoken. Pure, for any thread: time is passed in."""

from __future__ import annotations

from genai_live.audio.pcm import check_rate

CATCH_UP_SPEED = 2.0
"""How many times faster than real time late sound goes out: a late second is made up in one second, and a server that
paces its voice activity detector by the clock is never ahead by more than the lateness itself."""

LATENESS_FORGIVEN = 1.0
"""Seconds: later than this, the source paused or the machine slept, and the schedule starts anew at that moment."""


class Pacer:
    """The schedule of one stream: the piece after ``n`` samples is due ``n / rate`` seconds after the first one.

    Every due time is counted from the start, never from the piece before, so lateness never adds up: an hour takes an
    hour. A late piece goes out at once, and those behind it at twice real time until the schedule is met again: nothing
    is dropped and nothing goes out in a burst. Lateness above LATENESS_FORGIVEN is not made up: the schedule is moved.
    Times are seconds of one monotonic clock that the caller reads.
    """

    __slots__ = ("_earliest", "_rate", "_samples", "_start")

    def __init__(self, rate: int) -> None:
        self._rate = check_rate(rate)
        self._samples = 0
        self._start: float | None = None
        self._earliest = 0.0

    def due(self, now: float) -> float:
        """When the next piece is due; before the first piece that is ``now``. A time that is past means: at once."""
        if self._start is None:
            return now
        return max(self._start + self._samples / self._rate, self._earliest)

    def sent(self, samples: int, now: float) -> float:
        """Notes that a piece of ``samples`` samples was sent at ``now``, and returns when the next one is due."""
        if self._start is None:
            self._start = now
        planned = self._start + self._samples / self._rate
        if now - planned > LATENESS_FORGIVEN:
            self._start += now - planned
        self._samples += samples
        self._earliest = now + samples / self._rate / CATCH_UP_SPEED
        return self.due(now)
