"""The command line of the benchmarks. Runs on the main thread of the driver; what is measured are processes of their own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import report, targets
from benchmarks.bench import Bench
from benchmarks.catalogue import PEERS
from benchmarks.processes import ROOT, Server
from benchmarks.records import Record

SUITES = ("walk", "costs", "profile", "startup", "crowd", "pace", "growth", "visitors")
DOCUMENT, RECORDS = "performance.md", "performance.json"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="This library beside its peers, on this machine.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"what to run; all of {', '.join(SUITES)} by default")
    parser.add_argument("--peers", default=",".join(PEERS), help="names, joined by commas: %(default)s")
    parser.add_argument("--rounds", type=int, default=0, help="how often the costs are measured; 5 by default, 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of twenty; for a look, not for the record")
    parser.add_argument(
        "--output", type=Path, help=f"directory for JSON, plot and tables; with --output docs, {DOCUMENT} is brought up to date"
    )
    arguments = parser.parse_args(given)
    unknown = (set(arguments.suites) - set(SUITES)) | (set(arguments.peers.split(",")) - set(PEERS))
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join((*SUITES, *PEERS))}")
    arguments.suites = arguments.suites or list(SUITES)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    return arguments


def main(given: Sequence[str] | None = None) -> int:
    """Runs the suites; returns 1 when a job failed."""
    arguments = _arguments(given)
    about = report.machine()
    with Server() as server:
        wanted = [PEERS[name] for name in arguments.peers.split(",")]
        bench = Bench(server, [entry for entry in wanted if not entry.missing], arguments.rounds, quick=arguments.quick)
        for entry in wanted:
            if entry.missing:
                bench.say(f"{entry.title} is left out; it needs {entry.missing}")
        parts = {}
        for name in arguments.suites:
            suite: ModuleType = importlib.import_module(f"benchmarks.suites.{name}")
            suite.run(bench)
            parts[name] = suite.table(bench.records)
            print(f"\n{parts[name]}\n", flush=True)
    records, is_whole = bench.records, set(arguments.suites) >= set(SUITES)
    if arguments.output and not is_whole:  # the others stay as they were measured, and where
        about, others = report.read(arguments.output / RECORDS, about)
        records = [record for record in others if record["suite"] not in arguments.suites] + records
    parts = {"targets": targets.table(records), **parts}
    print(parts["targets"], flush=True)
    if arguments.output:
        _write(arguments.output, about, records, {"machine": report.describe(about), **parts})
    return int(any("error" in record["result"] for record in bench.records))


def _write(directory: Path, about: dict[str, object], records: Sequence[Record], parts: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    report.write_json(directory / RECORDS, about, records)
    document = directory / DOCUMENT
    text = document.read_text(encoding="utf-8") if document.exists() else (ROOT / "docs" / DOCUMENT).read_text(encoding="utf-8")
    for name, part in parts.items():
        text = report.replace_part(text, name, part)
    document.write_text(text, encoding="utf-8")
    try:
        from benchmarks import plot  # matplotlib: only whoever keeps the results needs it
    except ImportError:
        print("no plot: it needs matplotlib (pip install -e '.[bench]')", flush=True)
    else:
        plot.draw(records, directory / "performance.png")
        plot.draw_visitors(records, directory / "visitors.png")
    print(f"written to {directory}", flush=True)
