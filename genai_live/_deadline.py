"""A point in time that several steps share. Runs on any thread, by the monotonic clock: setting the system's changes nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

from genai_live._arguments import came
from genai_live.errors import ConfigError

NEVER = float("inf")
"""A monotonic time that does not come."""
WAIT_SLICE = 0.1 if sys.platform == "win32" else None
"""Seconds of one wait: on Windows Ctrl-C does not interrupt a wait for a lock, so it is cut into short ones."""
_LONGEST = 1e8
"""Seconds, some three years: more is meant as no limit."""


class Lock(Protocol):
    """A lock, reentrant or not."""

    def acquire(self, *, timeout: float) -> bool: ...


class Waitable(Protocol):
    """What is set: a ``Flag``, or an event."""

    def wait(self, timeout: float | None) -> bool: ...

    def is_set(self) -> bool: ...


class Deadline:
    """A limit in seconds that starts now and spans every step it is handed to; None and infinity are no limit."""

    __slots__ = ("_setting", "at", "seconds")

    def __init__(self, seconds: float | None, setting: str = "") -> None:
        """``setting`` says where the limit comes from, where that is not an argument of the call."""
        self._setting = setting
        # The system's waits refuse infinity, and times beyond some centuries.
        self.seconds = None if seconds is None or seconds > _LONGEST else seconds
        self.at = None if self.seconds is None else time.monotonic() + self.seconds
        """The monotonic time at which it passes; None when there is no limit."""

    @classmethod
    def of(cls, timeout: object, name: str = "timeout") -> Deadline:
        """The deadline that a caller's argument asks for.

        Raises:
            ConfigError: no number, or a negative one.
        """
        if timeout is None:
            return cls(None)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise ConfigError(f"must be seconds as a number, or None for no limit, not {type(timeout).__name__}", name)
        if not timeout >= 0:  # NaN is not; and an int may be larger than every float
            raise ConfigError(f"must be seconds from 0 up, or None for no limit, not {came(timeout)}", name)
        return cls(timeout)

    def left(self) -> float | None:
        """Seconds left, never negative; None when there is no limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def left_or_raise(self) -> float | None:
        """The same for the next of several steps.

        Raises:
            TimeoutError: when the time is used up.
        """
        left = self.left()
        if left == 0:
            raise TimeoutError
        return left

    @property
    def advice(self) -> str:
        """The end of a sentence that says that the time was used up: the limit, where it comes from, what to do."""
        within = "" if self.seconds is None else f" within {self.seconds:g} s"
        if self._setting:
            return f"{within}: {self._setting}. Raise it, or check the network."
        return f"{within}. Try a longer timeout, or check the network."

    def or_earlier(self, other: Deadline) -> Deadline:
        """Whichever of the two passes first."""
        if self.at is None:
            return other
        return self if other.at is None or self.at <= other.at else other

    def wait(self, event: Waitable) -> bool:
        """Waits for the event, at most until then; whether it is set. Ctrl-C interrupts it, on every system."""
        return self._in_slices(lambda seconds: event.wait(seconds) or event.is_set())

    def acquire(self, lock: Lock) -> bool:
        """Waits for a lock likewise; whether it was taken."""
        return self._in_slices(lambda seconds: lock.acquire(timeout=-1 if seconds is None else seconds))

    def wait_for(self, condition: threading.Condition, true: Callable[[], object]) -> bool:
        """Waits likewise until something is true of what the condition, which the caller holds, guards; whether it is."""
        return self._in_slices(lambda seconds: bool(condition.wait_for(true, seconds)))

    def _in_slices(self, wait: Callable[[float | None], bool]) -> bool:
        while True:
            left = self.left()
            if wait(left if WAIT_SLICE is None else WAIT_SLICE if left is None else min(left, WAIT_SLICE)):
                return True
            if left == 0 or (WAIT_SLICE is None and self.passed):
                return False

    @property
    def passed(self) -> bool:
        """True when the time is used up."""
        return self.at is not None and time.monotonic() >= self.at

    def __repr__(self) -> str:
        left = self.left()
        return "Deadline(none)" if left is None else f"Deadline({left:.3f} s left of {self.seconds})"
