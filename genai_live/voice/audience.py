"""Who is told what happens: the end, the program's function or its iteration, the recorder. One thread at a time tells."""

from __future__ import annotations

import logging
from collections.abc import Callable

from genai_live.voice.event_queue import EventQueue
from genai_live.voice.events import Ended, Event, TurnEnded, Utterance
from genai_live.voice.recorder import Recorder
from genai_live.voice.sound_end import SoundEnd

logger = logging.getLogger("genai_live")


class Audience:
    """Hands events on, in order. Nobody's failure keeps the others from hearing."""

    def __init__(self, end: SoundEnd, on_event: Callable[[Event], object] | None, recorder: Recorder | None) -> None:
        self.queue = EventQueue()
        """For iteration; with ``on_event`` only the last event comes there."""
        self._end = end
        self._on_event = on_event
        self._recorder = recorder
        self._recorded: set[Utterance] = set()
        self._has_end_failed = False
        """True once the end's failure was told: it may fail ten times a second."""

    def tell(self, event: Event) -> None:
        """Tells an event."""
        if self._on_event is None:
            self.queue.put(event)
        self._show(event)
        if isinstance(event, TurnEnded):
            self.record(event.utterances)

    def end(self, event: Ended) -> None:
        """Tells the last one."""
        self._show(event)
        self.queue.end(event)

    def record(self, utterances: tuple[Utterance, ...]) -> None:
        """Gives the recorder those that it has not yet."""
        if self._recorder is not None:
            self._recorder.say([each for each in utterances if each not in self._recorded])
            self._recorded.update(utterances)

    def _show(self, event: Event) -> None:
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                name = getattr(self._on_event, "__qualname__", self._on_event)
                logger.exception("%s failed for an event of a conversation; it goes on", name)
        try:
            self._end.show(event)
        except Exception:
            if not self._has_end_failed:
                self._has_end_failed = True
                logger.exception("%s.show failed; the conversation goes on", type(self._end).__name__)
