"""Whether cost grows no faster than the work: with the size of messages, and with their number. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import OURS
from benchmarks.records import Record, chosen, short, spread

SUITE = "growth"
SIZES = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000)
"""Bytes of sound in a message."""
BYTES_PER_STEP = 40_000_000
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
"""Messages of 100 bytes of sound in one session."""


def run(bench: Bench) -> None:
    """Sizes there and back, then numbers of messages within one session."""
    for entry in bench.entries(OURS):
        for size in SIZES:
            count = max(8, min(4_000, BYTES_PER_STEP // size) // (4 if bench.quick else 1))
            with bench.process(entry) as process:
                for measure in ("receive", "send"):
                    bench.measure(SUITE, entry, process, {"measure": measure, "size": size, "count": count, "what": "size"})
        bench.say("message sizes are measured")
        for count in COUNTS[:-1] if bench.quick else COUNTS:
            with bench.process(entry) as process:
                job = {"measure": "receive", "size": 100, "count": count // 2, "what": "count"}
                bench.measure(SUITE, entry, process, job, timeout=180)
            bench.say(f"{count:,} messages in one session are measured")


def table(records: Sequence[Record]) -> str:
    """Two tables: one row for each size, one for each number."""
    sizes = ["| bytes of sound | receive, µs | ns a byte | send, µs | ns a byte |", "|---|---|---|---|---|"]
    for size in SIZES:
        cells = []
        for measure in ("receive", "send"):
            cost = spread(records, "cpu", suite=SUITE, what="size", measure=measure, size=size)
            cells += [short(cost.median), f"{cost.median / size * 1e3:.2f}"] if cost else ["–", "–"]
        sizes.append(f"| {size:,} | " + " | ".join(cells) + " |")
    counts = ["| messages in one session | receive, µs each | MB in RAM afterwards |", "|---|---|---|"]
    for count in sorted({2 * record["count"] for record in chosen(records, suite=SUITE, what="count")}):
        row = chosen(records, suite=SUITE, what="count", count=count // 2)
        cpu, megabytes = spread(row, "cpu"), spread(row, "megabytes")
        counts.append(f"| {count:,} | {cpu or '–'} | {megabytes or '–'} |")
    return "\n".join(sizes) + "\n\n" + "\n".join(counts)
