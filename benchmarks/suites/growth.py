"""Whether cost grows no faster than the work: the size of messages, their number, that of sessions. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import FLOOR, OURS, SHARED, title
from benchmarks.records import Record, chosen, short, spread

SUITE = "growth"
SIZES = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000)
"""Bytes of sound in a message."""
BYTES_PER_STEP = 40_000_000
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
"""Messages of 100 bytes of sound in one session."""
SESSIONS = (1, 10, 50, 100, 200, 400)
"""Sessions on one shared reader, each with 25 messages a second each way."""


def run(bench: Bench) -> None:
    """Sizes there and back, numbers of messages within one session, numbers of sessions."""
    for size in SIZES:
        _measure_size(bench, size)
    bench.say("message sizes are measured")
    for entry in bench.entries(OURS):
        for count in COUNTS[:-1] if bench.quick else COUNTS:
            with bench.process(entry) as process:
                job = {"measure": "receive", "size": 100, "count": count // 2, "what": "count"}
                bench.measure(SUITE, entry, process, job, timeout=180)
            bench.say(f"{count:,} messages in one session are measured")
    for entry in bench.entries(SHARED):
        for sessions in SESSIONS[:3] if bench.quick else SESSIONS:
            with bench.process(entry) as process:
                job = {"measure": "converse", "size": 1_920, "sessions": sessions, "seconds": 3, "what": "sessions"}
                bench.measure(SUITE, entry, process, job)
        bench.say("numbers of sessions are measured")


def _measure_size(bench: Bench, size: int) -> None:
    count = max(8, min(4_000, BYTES_PER_STEP // size) // (4 if bench.quick else 1))
    for _ in range(min(3, bench.rounds)):
        for entry in bench.entries(OURS, FLOOR):
            with bench.process(entry) as process:
                for measure in ("receive", "send"):
                    bench.measure(SUITE, entry, process, {"measure": measure, "size": size, "count": count, "what": "size"})


def table(records: Sequence[Record]) -> str:
    """Three tables: one row for each size, for each number of messages, for each number of sessions."""
    of_suite = chosen(records, suite=SUITE)
    return "\n\n".join((_sizes(of_suite), _counts(of_suite), _sessions(of_suite)))


def _sizes(records: Sequence[Record]) -> str:
    peers = (OURS, FLOOR)
    headings = [f"{measure}, µs: {title(peer)} | ns a byte" for measure in ("receive", "send") for peer in peers]
    lines = [f"| bytes of sound | {' | '.join(headings)} |", "|---" * (2 * len(headings) + 1) + "|"]
    for size in SIZES:
        cells = []
        for measure in ("receive", "send"):
            for peer in peers:
                cost = spread(records, "cpu", what="size", measure=measure, size=size, peer=peer)
                cells += [short(cost.median), f"{cost.median / size * 1e3:.2f}"] if cost else ["–", "–"]
        lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counts(records: Sequence[Record]) -> str:
    lines = ["| messages in one session | receive, µs each | MB in RAM afterwards |", "|---|---|---|"]
    for count in sorted({2 * record["count"] for record in chosen(records, what="count")}):
        row = chosen(records, what="count", count=count // 2)
        lines.append(f"| {count:,} | {spread(row, 'cpu') or '–'} | {spread(row, 'megabytes') or '–'} |")
    return "\n".join(lines)


def _sessions(records: Sequence[Record]) -> str:
    lines = ["| sessions on one shared reader | µs a message | delay p50, ms | p99, ms | MB in RAM |", "|---|---|---|---|---|"]
    for record in chosen(records, what="sessions"):
        result = record["result"]
        if "p99" in result:
            delays = f"{result['p50'] / 1_000:.2f} | {short(result['p99'] / 1_000)}"
            lines.append(f"| {record['sessions']} | {short(result['cpu'])} | {delays} | {short(result['megabytes'])} |")
    return "\n".join(lines)
