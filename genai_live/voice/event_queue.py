"""Events on their way to who iterates over a conversation, bounded. Any thread puts, one at a time; any takes."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live.voice.events import Ended, Event, Level

MOST = 1_000
"""Events that wait: minutes of a conversation that nobody looks at."""


class EventQueue:
    """Events in order; beyond ``MOST`` the oldest Level is dropped, and where there is none the oldest event.

    No event is left waiting where no store is passed by a later load (docs/reliability.md, "Hand-overs without a lock").
    """

    def __init__(self) -> None:
        self.dropped = 0
        """Events that nobody has seen because too many waited."""
        self.ended: Ended | None = None
        """The last of all, once it has happened."""
        self.over = Flag()
        """Set then."""
        self._events: deque[Event] = deque()
        self._levels = 0
        """How many of them are levels, at the least as many as there are."""
        self._came = Flag()

    def put(self, event: Event) -> None:
        """Adds an event. Never blocks."""
        self._levels += isinstance(event, Level)
        self._events.append(event)
        if len(self._events) > MOST:
            self._drop()
        self._came.set()

    def end(self, event: Ended) -> None:
        """Adds the last event."""
        self.ended = event
        self.put(event)
        self.over.set()
        self._came.set()

    def _drop(self) -> None:
        self.dropped += 1
        if self._levels:
            level = next((each for each in tuple(self._events) if isinstance(each, Level)), None)
            if level is not None:
                with suppress(ValueError):  # it was just taken
                    self._levels -= 1
                    self._events.remove(level)
                return
            self._levels = 0
        with suppress(IndexError):
            self._events.popleft()

    def take(self) -> Event | None:
        """The next event; blocks until there is one. None once the last was taken. Ctrl-C interrupts it."""
        while True:
            self._came.clear()
            event = self._events.popleft() if self._events else None
            if self._events or self.over.is_set():
                self._came.set()  # another thread may have looked before this event came, and is about to wait
            if event is not None or self.over.is_set():
                return event
            Deadline(None).wait(self._came)
