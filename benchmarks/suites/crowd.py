"""How many sessions one process carries, at 25 messages a second each way, with p99 below 50 ms. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, title
from benchmarks.catalogue import FLOOR, GOOGLE, NODE, OURS
from benchmarks.records import Record, chosen, short

SUITE = "crowd"
LIMIT = 50_000
"""Microseconds of p99 delay that a conversation bears."""
SIZE = 1_920
"""Bytes of sound in a message of the server: 40 ms at 24 kHz. The client's chunks are 1,280 bytes: 40 ms at 16 kHz."""
LADDER = (40, 60, 90, 135, 200, 300, 450, 675, 1_000)
QUICK_LADDER = (60, 135)
SHARED = "genai_live_shared"
PEERS = (GOOGLE, NODE, OURS, SHARED, FLOOR)
TARGETS = ((OURS, 1.5), (SHARED, 5.0))
"""Whose number of sessions shall be how many times google-genai's."""


def run(bench: Bench) -> None:
    """Climbs the ladder with each peer until it fails twice."""
    for entry in bench.entries(*PEERS):
        failures = 0
        for sessions in QUICK_LADDER if bench.quick else LADDER:
            with bench.process(entry) as process:
                job = {"measure": "converse", "size": SIZE, "sessions": sessions, "seconds": 2 if bench.quick else 3}
                result = bench.measure(SUITE, entry, process, job)["result"]
            if "error" not in result:
                words = f"p99 {short(result['p99'] / 1_000)} ms, {short(result['cpu'])} µs a message"
                bench.say(f"{entry.title}, {sessions} sessions: {words}")
            failures += not _carries(result)
            if failures == 2:
                break


def _carries(result: dict[str, float]) -> bool:
    """True when the sessions were served in time, and the client's own sound went out in time too."""
    return result.get("p99", LIMIT) < LIMIT and result.get("spoken", 1.0) > 0.95 and result.get("arrived", 1.0) > 0.95


def carried(records: Sequence[Record], peer: str) -> int:
    """The most sessions that a peer carried before it failed for the first time."""
    most = 0
    for record in sorted(chosen(records, suite=SUITE, peer=peer), key=lambda record: int(record["sessions"])):
        if not _carries(record["result"]):
            break
        most = record["sessions"]
    return most


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
    google = carried(records, GOOGLE)
    for peer, target in TARGETS:
        if google and peer in peers:
            ratio = carried(records, peer) / google
            verdict = "yes" if ratio >= target else "**no**"
            lines.append(f"\n{title(peer)}: {short(ratio)} times google-genai's number; aimed at {target}: {verdict}.")
    return "\n".join(lines)


def _cell(records: Sequence[Record]) -> str:
    if not records:
        return ""
    result = records[-1]["result"]
    return f"{short(result['p99'] / 1_000)} ({short(result['cpu'])})" if "p99" in result else "failed"
