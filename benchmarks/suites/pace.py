"""How evenly real-time sound leaves: chunks of 20 ms, timed where they arrive. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import OURS
from benchmarks.records import Record, chosen, short, spread

SUITE = "pace"
TARGET = 3_000
"""Microseconds of p99 jitter, on an idle machine."""
_WAYS = ((True, "on the caller's thread (`wait=True`)"), (False, "on the pacing thread (`wait=False`)"))


def run(bench: Bench) -> None:
    """Both ways of streaming."""
    for entry in bench.entries(OURS):
        with bench.process(entry) as process:
            for wait, words in _WAYS:
                job = {"measure": "pace", "count": 75 if bench.quick else 400, "wait": wait}
                result = bench.measure(SUITE, entry, process, job)["result"]
                bench.say(f"pace {words}: p99 {short(result.get('p99', 0) / 1_000)} ms")


def table(records: Sequence[Record]) -> str:
    """One row for each way."""
    lines = ["| chunks of 20 ms | late p50, ms | p99, ms | greatest, ms | drift over all, ms |", "|---|---|---|---|---|"]
    for wait, words in _WAYS:
        of_way = chosen(records, suite=SUITE, wait=wait)
        figures = [spread(of_way, figure) for figure in ("p50", "p99", "max", "drift")]
        lines.append(f"| {words} | " + " | ".join(f"{figure.median / 1_000:.2f}" if figure else "–" for figure in figures) + " |")
    return "\n".join(lines)
