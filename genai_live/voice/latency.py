"""How long an answer took, for one turn and for all. Pure: time is passed in; one thread at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields

from genai_live.voice.events import Latency

KEPT = 1_000
"""Turns of which the latency is remembered: some hours of talk."""


@dataclass(frozen=True)
class Latencies:
    """The latency of a conversation's newest 1,000 turns, in seconds; each field has its own share of them."""

    turns: int
    """How many turns were measured."""
    p50: Latency
    """Half of them were as fast."""
    p95: Latency
    """Nineteen in twenty were as fast."""


class Stopwatch:
    """Notes the moments of one turn; the first of each kind counts."""

    def __init__(self, asked: float | None) -> None:
        self.asked = asked
        """When the question ended; None when that was not seen."""
        self._seen: dict[str, float] = {}

    def note(self, moment: str, now: float) -> None:
        """Notes a field of ``Latency`` that happened at ``now``."""
        self._seen.setdefault(moment, now)

    def seen(self, moment: str) -> float | None:
        """When it happened; None when it has not."""
        return self._seen.get(moment)

    def read(self) -> Latency:
        """What was measured so far."""
        if self.asked is None:
            return Latency()
        return Latency(**{moment: max(0.0, at - self.asked) for moment, at in self._seen.items()})


class Statistics:
    """Latencies of many turns."""

    def __init__(self) -> None:
        self._turns: deque[Latency] = deque(maxlen=KEPT)

    def add(self, latency: Latency) -> None:
        """Notes a turn, if anything was measured."""
        if latency != Latency():
            self._turns.append(latency)

    def summary(self) -> Latencies:
        """As they stand now. Any thread."""
        turns = tuple(self._turns)
        return Latencies(len(turns), _percentile(turns, 0.5), _percentile(turns, 0.95))


def _percentile(turns: tuple[Latency, ...], share: float) -> Latency:
    found: dict[str, float] = {}
    for field in fields(Latency):
        values = sorted(value for turn in turns if (value := getattr(turn, field.name)) is not None)
        if values:
            found[field.name] = values[min(len(values) - 1, int(share * len(values)))]
    return Latency(**found)
