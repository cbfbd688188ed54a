"""``python -m soak``: runs the long runs one after the other, in this process, and tells how they went."""

from __future__ import annotations

import argparse
import platform
import ssl
import sys
import time
from pathlib import Path

from soak.measuring import Result
from soak.runs import RUNS

REPORT = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- results of python -m soak: begin -->", "<!-- results of python -m soak: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description="Long runs against servers on this machine.")
    parser.add_argument("runs", nargs="*", metavar="run", help=f"which of {', '.join(RUNS)}; all by default")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long tls, drops, numbers and loudspeakers take, each (5)")
    parser.add_argument("--seed", type=int, default=1, help="what the chance of drops and numbers begins with (1)")
    parser.add_argument("--record", action="store_true", help=f"write the table into {REPORT.name}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.runs if name not in RUNS]
    if unknown:
        parser.error(f"there is no run called {unknown[0]!r}; there are {', '.join(RUNS)}")
    results = [run(name, arguments.minutes, arguments.seed) for name in arguments.runs or RUNS]
    if arguments.record:
        record(results)
    return 0 if all(result.passed for result in results) else 1


def run(name: str, minutes: float, seed: int) -> Result:
    started = time.monotonic()
    print(f"{name}: {(RUNS[name].__doc__ or '').strip()}", flush=True)
    result = RUNS[name](minutes, seed)
    result.seconds = time.monotonic() - started
    for fact in (*result.facts, f"{'passed' if result.passed else 'FAILED'} in {result.seconds:.0f} s"):
        print(f"  {fact}", flush=True)
    return result


def record(results: list[Result]) -> None:
    """Puts the results in the place of earlier ones of the same runs."""
    text = REPORT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    table, _, tail = rest.partition(END)
    rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    versions = f"{time.strftime('%Y-%m-%d')}, CPython {platform.python_version()}, {ssl.OPENSSL_VERSION}, {platform.system()}"
    for result in results:
        verdict = "passed" if result.passed else "failed"
        rows[result.name] = f"| `{result.name}` | {verdict}, {result.seconds:.0f} s | {'; '.join(result.facts)} | {versions} |"
    lines = ["| Run | Result | What was counted | When, with what |", "|---|---|---|---|", *rows.values()]
    REPORT.write_text("\n".join([head + BEGIN, "", *lines, "", END + tail]), encoding="utf-8")


sys.exit(main())
