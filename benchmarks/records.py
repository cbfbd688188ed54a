"""What was measured: a flat list of records, one for each job of each round, and the medians drawn from it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple

Record = dict[str, Any]
"""``suite``, ``peer``, ``measure``, what was asked for, and ``result``: the figures, or an ``error``."""


class Spread(NamedTuple):
    """One figure of several rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return short(self.median) if self.low == self.high else f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def short(value: float) -> str:
    """A number with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2f}"


def chosen(records: Iterable[Record], **wanted: Any) -> list[Record]:
    """The records that have all these values."""
    return [record for record in records if all(record.get(name) == value for name, value in wanted.items())]


def spread(records: Iterable[Record], figure: str, **wanted: Any) -> Spread | None:
    """Median, least and greatest of a figure over the rounds; None when no round gave it."""
    values = [record["result"][figure] for record in chosen(records, **wanted) if figure in record["result"]]
    return Spread(statistics.median(values), min(values), max(values)) if values else None
