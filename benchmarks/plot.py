"""Draws costs of a message, delay by number of sessions, cost by size, as PNG. The driver's thread; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.catalogue import FLOOR, GOOGLE, NODE, OURS, PEERS, SHARED, title
from benchmarks.records import Record, chosen, short, spread
from benchmarks.suites import crowd, visitors

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # after the choice of how to draw: no window is opened

_BARS = (("receive", "cpu", "receive"), ("send", "cpu", "send"), ("round_trip", "p50", "text round trip, p50"))
_OURS, _GOOGLES, _OTHERS, _FLOORS = "#1a73e8", "#c5221f", "#9aa0a6", "#188038"
_LINES = {
    OURS: ("#1a73e8", "-"),
    SHARED: ("#1a73e8", "--"),
    GOOGLE: ("#c5221f", "-"),
    NODE: ("#e8710a", "-"),
    FLOOR: ("#188038", ":"),
}
_SERVERS = {visitors.FASTAPI: _GOOGLES, visitors.GTHREAD: _OURS, visitors.GEVENT: _FLOORS}


def draw(records: Sequence[Record], path: Path) -> None:
    """Writes the picture, where there is anything to be seen."""
    of_costs = chosen(records, suite="costs", transport="ws")
    if not of_costs:
        return
    figure = pyplot.figure(figsize=(13, 9.5), layout="constrained")
    grid = figure.add_gridspec(2, 6)
    for column, (measure, name, words) in enumerate(_BARS):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        _draw_bars(axes, chosen(of_costs, measure=measure), name, words, names=not column)
    _draw_crowd(figure.add_subplot(grid[1, :3]), chosen(records, suite="crowd"))
    _draw_sizes(figure.add_subplot(grid[1, 3:]), chosen(records, suite="growth", what="size"))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_visitors(records: Sequence[Record], path: Path) -> None:
    """Delay over the number of visitors, the slower way of the better attempt; one picture for ws, one for wss."""
    if not chosen(records, suite=visitors.SUITE):
        return
    figure, both = pyplot.subplots(1, 2, figsize=(13, 4.5), layout="constrained", sharey=True)
    for axes, transport in zip(both, visitors.TRANSPORTS, strict=True):
        for name, colour in _SERVERS.items():
            delays: dict[int, float] = {}
            for step in chosen(records, suite=visitors.SUITE, peer=name, transport=transport):
                late = max(step["result"].get(f"{way}_p99", float("inf")) for way in ("down", "up")) * 1e3
                delays[step["visitors"]] = min(late, delays.get(step["visitors"], float("inf")))
            axes.plot(
                list(delays), list(delays.values()), color=colour, marker="o", markersize=4, label=visitors.KINDS[name].title
            )
        axes.axhline(visitors.LIMIT * 1e3, color="#9aa0a6", linewidth=0.8)
        axes.set_title(f"{transport} to the service", fontsize=11)
        _logarithmic(axes, "visitors of one worker, 25 messages a second each way", "delay p99, ms")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _colour(name: str) -> str:
    if name.startswith(OURS):
        return _OURS
    return _GOOGLES if name in (GOOGLE, NODE) else _FLOORS if name.startswith(FLOOR) else _OTHERS


def _draw_bars(axes: Any, records: Sequence[Record], figure: str, words: str, *, names: bool) -> None:
    """One bar for each peer, with a line from the least to the greatest round."""
    held = {name: costs for name in reversed(PEERS) if (costs := spread(records, figure, peer=name))}
    errors = [[costs.median - costs.low for costs in held.values()], [costs.high - costs.median for costs in held.values()]]
    bars = axes.barh(
        [title(name) for name in held],
        [costs.median for costs in held.values()],
        xerr=errors,
        color=[_colour(name) for name in held],
        error_kw={"elinewidth": 0.8, "ecolor": "#3c4043"},
    )
    axes.bar_label(bars, [short(costs.median) for costs in held.values()], padding=6, fontsize=8)
    axes.margins(x=0.16)
    axes.set_title(f"{words}, µs", fontsize=11)
    axes.tick_params(labelleft=names)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_crowd(axes: Any, records: Sequence[Record]) -> None:
    """Delay over the number of sessions, the better of two attempts, both axes logarithmic."""
    for name, (colour, style) in _LINES.items():
        delays = {record["sessions"]: 0.0 for record in chosen(records, peer=name) if "p99" in record["result"]}
        for count in delays:
            attempts = chosen(records, peer=name, sessions=count)
            delays[count] = min(record["result"].get("p99", float("inf")) for record in attempts) / 1_000
        axes.plot(list(delays), list(delays.values()), style, color=colour, marker="o", markersize=4, label=title(name))
    axes.axhline(crowd.LIMIT / 1_000, color="#9aa0a6", linewidth=0.8)
    axes.text(0.02, crowd.LIMIT / 1_000, "50 ms", transform=axes.get_yaxis_transform(), va="bottom", fontsize=8, color="#5f6368")
    _logarithmic(axes, "sessions in one process, 25 messages a second each way", "delay from server to user, p99, ms")


def _draw_sizes(axes: Any, records: Sequence[Record]) -> None:
    """Cost over the size of a message, both axes logarithmic: a straight line is linear cost."""
    for measure, style in (("receive", "-"), ("send", "--")):
        for name in (OURS, FLOOR):
            sizes = sorted({record["size"] for record in chosen(records, peer=name)})
            held = {size: spread(records, "cpu", peer=name, size=size, measure=measure) for size in sizes}
            costs = {size / 1_000: cost.median for size, cost in held.items() if cost}
            axes.plot(
                list(costs),
                list(costs.values()),
                style,
                color=_colour(name),
                marker="o",
                markersize=4,
                label=f"{measure}, {title(name)}",
            )
    _logarithmic(axes, "KB of sound in one message", "processor time of a message, µs")


def _logarithmic(axes: Any, along: str, upward: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel(along)
    axes.set_ylabel(upward)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e8eaed", linewidth=0.6)
    axes.legend(fontsize=8)
