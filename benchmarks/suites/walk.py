"""How many calls and files of this library a message passes, and whether that is within the bounds. The driver's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.bench import Bench
from benchmarks.catalogue import OURS, PLAIN, Entry
from benchmarks.records import Record, chosen

SUITE = "walk"


class Way(NamedTuple):
    """One way of a message, and how long it may be: beyond that a reader of the code loses the thread."""

    words: str
    calls: int
    files: int


WAYS = {
    "out": Way("`send_realtime_input(audio=...)` to the socket", 13, 6),
    "callback": Way("socket to `on_message`", 12, 7),
    "receive": Way("socket to `receive()`", 14, 7),
}


def job(measure: str, *, reconnect: bool) -> dict[str, Any]:
    """What a process of ``benchmarks.peers.walk`` is asked."""
    return {"measure": measure, "reconnect": reconnect}


def program(entry: Entry) -> Entry:
    """The process that walks, with the packages that the entry has."""
    return Entry(entry.name, entry.title, (*entry.command[:2], "benchmarks.peers.walk", *entry.command[3:]))


def run(bench: Bench) -> None:
    """Every way once: what is counted is the same every time."""
    for entry in bench.entries(OURS, PLAIN):
        with bench.process(program(entry)) as process:
            for measure, way in WAYS.items():
                for reconnect in (False, True):
                    result = bench.measure(SUITE, entry, process, job(measure, reconnect=reconnect))["result"]
                    if words := complaint(result, way):
                        result["error"] = words
                        bench.say(f"{entry.title}{', reconnecting' if reconnect else ''}: {words}")


def complaint(result: dict[str, Any], way: Way) -> str:
    """How a way is longer than it may be, with every call of it; empty when it is not."""
    if result["calls"] <= way.calls and result["files"] <= way.files:
        return ""
    counted = f"{way.words} takes {result['calls']} calls in {result['files']} files, and may take {way.calls} in {way.files}:"
    return "\n    ".join((counted, *result["way"]))


def table(records: Sequence[Record]) -> str:
    """Calls and files of each way beside the bounds."""
    lines = ["| calls in files | at most | with `speed` | without |", "|---|---|---|---|"]
    for measure, way in WAYS.items():
        cells = []
        for name in (OURS, PLAIN):
            results = [record["result"] for record in chosen(records, suite=SUITE, peer=name, measure=measure)]
            counted = sorted({f"{result['calls']} in {result['files']}" for result in results if "calls" in result})
            cells.append(" or ".join(counted) or "–")
        lines.append(f"| {way.words} | {way.calls} in {way.files} | {' | '.join(cells)} |")
    return "\n".join(lines)
