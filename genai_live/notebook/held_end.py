"""An end of sound that its conversation does not close before it is open, so that a page can be told why it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from genai_live.voice import Control, Rates, SoundEnd


class HeldEnd:
    """Hands everything on to the end within, on whatever thread; ``close`` only after ``let_go``."""

    def __init__(self, end: SoundEnd) -> None:
        self._end = end
        self._lock = threading.Lock()
        """Guards the two below."""
        self._is_held = True
        self._wanted: float | None = None
        """The time for closing that was given meanwhile."""

    def let_go(self) -> None:
        """The conversation is open: it closes the end when it likes, or has liked before."""
        with self._lock:
            self._is_held = False
        if self._wanted is not None:
            self._end.close(self._wanted)

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """As of ``SoundEnd``."""
        return self._end.open(feed, control, ended)

    def play(self, pcm: bytes) -> None:
        """As of ``SoundEnd``."""
        self._end.play(pcm)

    def end_of_answer(self) -> None:
        """As of ``SoundEnd``."""
        self._end.end_of_answer()

    def flush(self) -> None:
        """As of ``SoundEnd``."""
        self._end.flush()

    @property
    def flushes(self) -> int:
        """As of ``SoundEnd``."""
        return self._end.flushes

    @property
    def played(self) -> float:
        """As of ``SoundEnd``."""
        return self._end.played

    def show(self, event: object) -> None:
        """As of ``SoundEnd``."""
        self._end.show(event)

    def __getattr__(self, name: str) -> Any:
        """What an end may have beside: counters, and how it is best asked."""
        return getattr(self._end, name)

    def close(self, timeout: float) -> None:
        """As of ``SoundEnd``, once it is no longer held."""
        with self._lock:
            if self._is_held:
                self._wanted = timeout
                return
        self._end.close(timeout)
