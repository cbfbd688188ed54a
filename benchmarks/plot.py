"""Draws the costs of a message, and the delay by number of sessions, as PNG. The driver's thread; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.catalogue import PEERS, title
from benchmarks.records import Record, chosen, spread

matplotlib.use("Agg")
from matplotlib import pyplot  # after the choice of how to draw: no window is opened

_BARS = (("receive", "cpu", "receive"), ("send", "cpu", "send"), ("round_trip", "p50", "round trip p50"))
_LIMIT = 50_000
"""Microseconds: a delay above it is heard in a conversation."""


def draw(records: Sequence[Record], path: Path) -> None:
    """Writes the picture."""
    figure, (costs, crowd) = pyplot.subplots(1, 2, figsize=(13, 5.5), width_ratios=(3, 2))
    _draw_costs(costs, chosen(records, suite="costs", transport="ws"))
    _draw_crowd(crowd, chosen(records, suite="crowd"))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_costs(axes: Any, records: Sequence[Record]) -> None:
    """Horizontal bars, with lines from the least to the greatest round."""
    names = [name for name in reversed(PEERS) if chosen(records, peer=name)]
    for row, (measure, figure, words) in enumerate(_BARS):
        spreads = [spread(records, figure, peer=name, measure=measure) for name in names]
        medians = [held.median if held else 0.0 for held in spreads]
        errors = [
            [held.median - held.low if held else 0 for held in spreads],
            [held.high - held.median if held else 0 for held in spreads],
        ]
        places = [place - 0.27 * (row - 1) for place in range(len(names))]
        axes.barh(places, medians, 0.25, xerr=errors, label=words, error_kw={"elinewidth": 0.8})
    axes.set_yticks(range(len(names)), [title(name) for name in names])
    axes.set_xlabel("microseconds a message (5,760 bytes of sound; ws)")
    axes.legend(loc="lower right")


def _draw_crowd(axes: Any, records: Sequence[Record]) -> None:
    """Delay over the number of sessions, both on logarithmic axes."""
    for name in PEERS:
        of_peer = [record for record in chosen(records, peer=name) if "p99" in record["result"]]
        counts = sorted({record["sessions"] for record in of_peer})
        delays = [spread(of_peer, "p99", sessions=count) for count in counts]
        if counts:
            axes.plot(counts, [delay.median / 1_000 if delay else 0 for delay in delays], marker="o", label=title(name))
    axes.axhline(_LIMIT / 1_000, color="grey", linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("sessions in one process, 25 messages a second each way")
    axes.set_ylabel("delay p99, milliseconds")
    if axes.lines:
        axes.legend(loc="upper left")
