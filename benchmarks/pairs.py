"""``python -m benchmarks.pairs TREE``: this checkout beside another one of the library, in pairs. The driver's only thread.

Both run the same jobs against the same server, turn about, so that a slow minute of the machine strikes both alike; what is
compared is processor time of the client's process, as the ratio within each pair.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import ROOT, Process, Server

JOBS = (
    {"measure": "receive", "size": 5_760, "count": 3_000},
    {"measure": "drip", "size": 5_760, "count": 200, "microseconds": 2_000},
    {"measure": "send", "size": 5_760, "count": 2_000},
    {"measure": "round_trip", "count": 800},
)
START = "import runpy, sys; sys.path.insert(0, sys.argv[1]); import genai_live; runpy.run_module({!r}, run_name='__main__')"


def client(tree: Path, *options: str) -> Process:
    """The client program of this checkout with the library of a tree."""
    return Process([sys.executable, "-c", START.format("benchmarks.peers.genai_live_client"), str(tree), *options])


def quartiles(values: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def main(given: Sequence[str] | None = None) -> int:
    """Prints a line for each job: medians and quartiles of both, and of the ratio. Returns 1 when a job failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=__doc__)
    parser.add_argument("tree", type=Path, help="another checkout of the library")
    parser.add_argument("--this", type=Path, default=ROOT, help="the checkout to judge; this one by default")
    parser.add_argument("--pairs", type=int, default=15, help="%(default)s by default")
    arguments = parser.parse_args(given)
    print("| job | other, us CPU | this, us CPU | this / other |", "|---|---|---|---|", sep="\n")
    with Server() as server:
        for job in JOBS:
            costs: tuple[list[float], list[float]] = ([], [])
            for number in range(arguments.pairs):
                for which in (0, 1) if number % 2 else (1, 0):  # neither has the better place
                    with client((arguments.tree.resolve(), arguments.this.resolve())[which]) as process:
                        told = process.do({**job, **server.place(tls=False)})
                    if "error" in told:
                        print(f"{job['measure']}: {told['error']}", file=sys.stderr)
                        return 1
                    costs[which].append(told["cpu"])
            ratios = [this / other for other, this in zip(*costs, strict=True)]
            print(f"| {job['measure']} | {quartiles(costs[0])} | {quartiles(costs[1])} | {quartiles(ratios)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
