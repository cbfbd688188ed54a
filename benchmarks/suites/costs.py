"""What one message costs: received, sent, there and back, over ws and wss. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import PEERS, title
from benchmarks.records import Record, chosen, spread

SUITE = "costs"
SIZE = 5_760
"""Bytes of sound in a message: 120 ms at 24 kHz."""
DRIP_MICROSECONDS = 2_000

COLUMNS = (
    ("receive", "cpu", "receive"),
    ("drip", "cpu", "receive one by one"),
    ("send", "cpu", "send"),
    ("round_trip", "p50", "round trip p50"),
    ("round_trip", "p99", "p99"),
    ("drip", "p50", "frame to user p50"),
    ("drip", "p99", "p99"),
)
"""Measure, figure, heading; all in microseconds."""


def run(bench: Bench) -> None:
    """Every peer in turn, round after round, so that a slow minute of the machine strikes all alike."""
    scale = 1 if bench.quick else 2
    jobs = (
        {"measure": "receive", "size": SIZE, "count": 1_500 * scale},
        {"measure": "drip", "size": SIZE, "count": 100 * scale, "microseconds": DRIP_MICROSECONDS},
        {"measure": "send", "size": SIZE, "count": 1_000 * scale},
        {"measure": "round_trip", "count": 400 * scale},
    )
    for number in range(bench.rounds):
        for entry in bench.entries():
            bench.say(f"round {number + 1} of {bench.rounds}: {entry.title}")
            with bench.process(entry) as process:
                for tls in (False, True):
                    for job in jobs:
                        bench.measure(SUITE, entry, process, job, tls=tls)


def table(records: Sequence[Record]) -> str:
    """One table for ws, one for wss."""
    return "\n\n".join(_costs(chosen(records, suite=SUITE, transport=transport), transport) for transport in ("ws", "wss"))


def _costs(records: Sequence[Record], transport: str) -> str:
    lines = [
        f"| {transport}, microseconds | " + " | ".join(heading for _, _, heading in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name in PEERS:
        of_peer = chosen(records, peer=name)
        if of_peer:
            cells = [str(spread(of_peer, figure, measure=measure) or "–") for measure, figure, _ in COLUMNS]
            lines.append(f"| {title(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
