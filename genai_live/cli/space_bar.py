"""The space bar as a button for talking: held, or tapped once to begin and once to end. Pure; its thread is in ``keyboard``.

A terminal says when a key is pressed, and that it repeats while it is held, after a pause; never that it is released.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

Act = Literal["press", "release"]

REPEAT = 0.15
"""Seconds between two repeats of a key that is held, at the most: keyboards repeat 10 to 40 times a second."""


class _State(Enum):
    UP = "nobody talks"
    DOWN = "talks: held, or tapped; the next one says which"
    HELD = "talks, and it repeats: what ends is its being held"
    DOUBTED = "talks: tapped again, or the first repeat of one that is held"


class SpaceBar:
    """Takes each space, and the time in between; says what they mean."""

    def __init__(self) -> None:
        self._state = _State.UP
        self._last = 0.0

    def space(self, now: float) -> Act | None:
        """A space has come."""
        fast, self._last = now - self._last <= REPEAT, now
        if self._state is _State.UP:
            self._state = _State.DOWN
            return "press"
        self._state = _State.HELD if fast or self._state is _State.HELD else _State.DOUBTED
        return None

    def look(self, now: float) -> Act | None:
        """Time has passed."""
        if self._state in (_State.UP, _State.DOWN) or now - self._last <= REPEAT:
            return None
        self._state = _State.UP
        return "release"
