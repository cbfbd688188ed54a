"""A pair of ears and a mouth that a test moves by hand: nothing is heard, and nothing said, but by its word."""

from __future__ import annotations

import array
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.voice import Control, Conversation, Rates, StateChanged
from tests.waiting import PATIENCE

RATE_IN, RATE_OUT = 16_000, 24_000
MODEL = "gemini-3.8-live"
Feed = Callable[[bytes], None]


def tone(seconds: float, rate: int = RATE_IN, level: int = 8_000) -> bytes:
    return array.array("h", (int(level * math.sin(number * 0.15)) for number in range(int(seconds * rate)))).tobytes()


def silence(seconds: float, rate: int = RATE_IN) -> bytes:
    return bytes(2 * int(seconds * rate))


class HandEnd:
    """Plays what ``hear`` says; with ``eager`` all is heard as soon as it comes. ``confirms=False`` never confirms a flush."""

    def __init__(
        self,
        *,
        rates: Rates | None = None,
        eager: bool = False,
        confirms: bool = True,
        error: Exception | None = None,
        holds_back: float = 0.0,
    ) -> None:
        self.holds_back = holds_back
        self.rates = rates or Rates(RATE_IN, RATE_OUT)
        self.eager = eager
        self.confirms = confirms
        self.error = error
        self.acts: list[str] = []
        self.shown: list[object] = []
        self.pcm = bytearray()
        """All that it was given to play and was not dropped."""
        self.flushed = 0
        """Calls of ``flush``."""
        self.closed = threading.Event()
        self._played = 0
        self._changed = threading.Condition()

    def open(self, feed: Feed, control: Callable[[Control], None], ended: Callable[[Exception | None], None]) -> Rates:
        if self.error is not None:
            raise self.error
        self.feed, self.control, self.ended = feed, control, ended
        return self.rates

    def play(self, pcm: bytes) -> None:
        with self._changed:
            self.pcm += pcm
            self.acts.append("play")
            if self.eager:
                self._played = len(self.pcm)
            self._changed.notify_all()

    def end_of_answer(self) -> None:
        with self._changed:
            self.acts.append("end_of_answer")
            self._changed.notify_all()

    def flush(self) -> None:
        with self._changed:
            del self.pcm[self._played :]
            self.flushed += 1
            self.acts.append("flush")
            self._changed.notify_all()

    @property
    def played(self) -> float:
        return self._played / 2 / self.rates.output

    @property
    def flushes(self) -> int:
        return self.flushed if self.confirms else 0

    def show(self, event: object) -> None:
        with self._changed:
            self.shown.append(event)
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        self.closed.set()

    # The test's own.

    @property
    def held(self) -> float:
        """Seconds that are still to be heard."""
        return (len(self.pcm) - self._played) / 2 / self.rates.output

    def hear(self, seconds: float | None = None) -> None:
        """Lets so much of what is held be heard; all of it without a number."""
        with self._changed:
            size = len(self.pcm) - self._played if seconds is None else 2 * int(seconds * self.rates.output)
            assert size <= len(self.pcm) - self._played
            self._played += size

    def wait(self, true: Callable[[], object]) -> None:
        """Waits for something that comes of what the conversation does to this end."""
        with self._changed:
            assert self._changed.wait_for(true, PATIENCE), (self.acts[-20:], self.shown[-20:])

    def speak(self, seconds: float, pcm: bytes | None = None) -> None:
        """Feeds speech in blocks of 10 ms, then a second of silence, as fast as it is taken."""
        sound = (tone(seconds, self.rates.input) if pcm is None else pcm) + silence(1.0, self.rates.input)
        block = 2 * self.rates.input // 100
        for start in range(0, len(sound), block):
            self.feed(sound[start : start + block])


@contextmanager
def client_of(*, shared: bool = False, **options: Any) -> Iterator[Client]:
    """A client of an emulator that waits for nothing."""
    with LiveEmulator(**{"voice": False, "pace": 0.0, **options}) as emulator:
        yield Client(api_key="k", http_options={"base_url": emulator.url}, shared_reader=shared)


@contextmanager
def talking(end: HandEnd, client: Client, **settings: Any) -> Iterator[Conversation]:
    with Conversation.connect(client, end, **{"model": MODEL, **settings}) as conversation:
        yield conversation


def told(end: HandEnd, kind: type[Any]) -> list[Any]:
    return [event for event in end.shown if isinstance(event, kind)]


def states(end: HandEnd) -> list[str]:
    return [str(event.state) for event in told(end, StateChanged)]
