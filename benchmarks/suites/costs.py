"""What one message costs: received, sent, there and back, over ws and wss. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, title
from benchmarks.catalogue import FLOOR, GOOGLE, NODE, OURS, PEERS
from benchmarks.records import Record, Spread, chosen, short, spread

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
    """One table for ws, one for wss, and the ratios that the targets speak of."""
    return "\n\n".join(
        [*(_costs(chosen(records, suite=SUITE, transport=transport), transport) for transport in ("ws", "wss")), _ratios(records)]
    )


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


TARGETS = (
    ("receive", "cpu", OURS, GOOGLE, 0.15),
    ("receive", "cpu", OURS, NODE, 1.0),
    ("receive", "cpu", OURS, FLOOR, 2.5),
    ("send", "cpu", OURS, GOOGLE, 0.15),
    ("send", "cpu", OURS, NODE, 0.4),
    ("send", "cpu", OURS, FLOOR, 1.2),
    ("round_trip", "p50", OURS, GOOGLE, 0.4),
    ("round_trip", "p50", OURS, NODE, 1.0),
    ("receive", "cpu", "genai_live_plain", GOOGLE, 0.35),
    ("send", "cpu", "genai_live_plain", GOOGLE, 0.35),
)
"""Measure, figure, who, against whom, and the ratio aimed at."""


def _ratios(records: Sequence[Record]) -> str:
    lines = ["| ratio | reached | target | |", "|---|---|---|---|"]
    rows = [
        (
            f"{measure} {figure}: {title(who)} / {title(other)}",
            _ratio(records, measure, figure, (who, "ws"), (other, "ws")),
            target,
        )
        for measure, figure, who, other, target in TARGETS
    ]
    rows += [
        (f"{measure} {figure}: {title(OURS)} over wss / ws", _ratio(records, measure, figure, (OURS, "wss"), (OURS, "ws")), 1.5)
        for measure, figure in (("receive", "cpu"), ("send", "cpu"), ("round_trip", "p50"))
    ]
    for words, ratio, target in rows:
        if ratio is not None:
            lines.append(f"| {words} | {short(ratio)} | {target} | {'yes' if ratio <= target else '**no**'} |")
    return "\n".join(lines)


def _ratio(records: Sequence[Record], measure: str, figure: str, one: tuple[str, str], other: tuple[str, str]) -> float | None:
    spreads: list[Spread | None] = [
        spread(records, figure, suite=SUITE, measure=measure, peer=peer, transport=transport) for peer, transport in (one, other)
    ]
    return spreads[0].median / spreads[1].median if spreads[0] and spreads[1] else None
