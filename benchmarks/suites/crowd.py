"""How many sessions one process carries, at 25 messages a second each way, with p99 below 50 ms. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import CONVERSATIONS, FLOOR, GOOGLE, NODE, OURS, SHARED, Entry, title
from benchmarks.records import Record, chosen, short

SUITE = "crowd"
LIMIT = 50_000
"""Microseconds of p99 delay that a conversation bears."""
SIZE = 1_920
"""Bytes of sound in a message of the server: 40 ms at 24 kHz. The client's chunks are 1,280 bytes: 40 ms at 16 kHz."""
LADDER = (10, 20, 30, 40, 60, 90, 135, 165, 200, 245, 300, 450, 675, 1_000, 1_250)
"""Closer together where google-genai reaches its limit: both aims are multiples of that."""
QUICK_LADDER = (60, 135)
PEERS = (GOOGLE, NODE, OURS, SHARED, CONVERSATIONS, FLOOR)


def run(bench: Bench) -> None:
    """All peers climb the ladder side by side, each until it fails twice on one step: once may be the machine's own pause."""
    climbing = bench.entries(*PEERS)
    for sessions in QUICK_LADDER if bench.quick else LADDER:
        climbing = [entry for entry in climbing if _try(bench, entry, sessions) or _try(bench, entry, sessions)]


def _try(bench: Bench, entry: Entry, sessions: int) -> bool:
    job = {"measure": "converse", "size": SIZE, "sessions": sessions, "seconds": 2 if bench.quick else 3}
    with bench.process(entry) as process:
        result = bench.measure(SUITE, entry, process, job, timeout=30.0)["result"]
    if "p99" in result:
        words = f"p99 {short(result['p99'] / 1_000)} ms, {short(result['cpu'])} µs a message"
        bench.say(f"{entry.title}, {sessions} sessions: {words}")
    return _carries(result)


def _carries(result: dict[str, float]) -> bool:
    """True when the sessions were served in time, and the client's own sound went out in time too."""
    return result.get("p99", LIMIT) < LIMIT and result.get("spoken", 1.0) > 0.95 and result.get("arrived", 1.0) > 0.95


def carried(records: Sequence[Record], peer: str) -> int:
    """The most sessions that a peer carried."""
    return max(
        (record["sessions"] for record in chosen(records, suite=SUITE, peer=peer) if _carries(record["result"])), default=0
    )


def table(records: Sequence[Record]) -> str:
    """Sessions carried, and what each step of the ladder gave."""
    peers = [peer for peer in PEERS if chosen(records, suite=SUITE, peer=peer)]
    steps = sorted({record["sessions"] for record in chosen(records, suite=SUITE)})
    lines = [
        "| delay p99 in ms (µs of processor a message) | " + " | ".join(f"{step} sessions" for step in steps) + " | carried |",
        "|---" * (len(steps) + 2) + "|",
    ]
    for peer in peers:
        cells = [_cell(chosen(records, suite=SUITE, peer=peer, sessions=step)) for step in steps]
        lines.append(f"| {title(peer)} | " + " | ".join(cells) + f" | {carried(records, peer)} |")
    return "\n".join(lines)


def _cell(records: Sequence[Record]) -> str:
    if not records:
        return ""
    result = min((record["result"] for record in records), key=lambda result: float(result.get("p99", LIMIT * 100)))
    return f"{short(result['p99'] / 1_000)} ({short(result['cpu'])})" if "p99" in result else "failed"
