"""Where this library's time goes: what would have to become cheaper for the targets that are not reached. The driver's thread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import OURS, Entry
from benchmarks.records import Record, chosen, short, spread

SUITE = "profile"
_REST = {
    "receive": "the rest: system calls, queue, threads changing hands, the user's loop",
    "send": "the rest: system call, locks, the call itself",
}


def run(bench: Bench) -> None:
    """A few rounds, each in a process of its own."""
    for entry in bench.entries(OURS):
        program = Entry(entry.name, entry.title, (*entry.command[:2], "benchmarks.peers.steps"))
        for _ in range(min(3, bench.rounds)):
            with bench.process(program) as process:
                bench.measure(SUITE, entry, process, {"measure": "steps"})
        bench.say("the steps of a message are measured")


def table(records: Sequence[Record]) -> str:
    """One table for each of the ways of a message."""
    of_suite = [record["result"] for record in chosen(records, suite=SUITE) if "error" not in record["result"]]
    if not of_suite:
        return ""
    parts = []
    for way, words in (("receive", "receive 5,760 bytes"), ("send", "send 5,760 bytes")):
        held = _medians([result[way] for result in of_suite])
        whole = spread(records, "cpu", suite="costs", peer=OURS, measure=way, transport="ws")
        if whole:
            held[_REST[way]] = whole.median - sum(held.values())
        parts.append(_table(f"{words}, µs of processor", held))
    parts.append(_table("text round trip, µs by the clock", _medians([result["round_trip"] for result in of_suite])))
    return "\n\n".join(parts)


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {words: statistics.median(held.get(words, 0.0) for held in rounds) for words in rounds[0]}


def _table(words: str, held: Mapping[str, float]) -> str:
    lines = [f"| {words} | |", "|---|---|"]
    lines += [f"| {step} | {short(took)} |" for step, took in held.items()]
    return "\n".join([*lines, f"| **together** | **{short(sum(held.values()))}** |"])
