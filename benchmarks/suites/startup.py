"""What importing costs, what is in memory after a session, and what an idle session adds. The driver's thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.catalogue import GOOGLE, NODE, OURS, PEERS, title
from benchmarks.processes import ROOT
from benchmarks.records import Record, chosen, spread

SUITE = "startup"
IMPORTS = {
    OURS: "import genai_live",
    GOOGLE: "from google import genai",
    "websocket_client": "import websocket",
    "websockets": "import websockets.asyncio.client",
}
IDLE_SESSIONS = 100
_PROGRAM = """
import json, sys, time
before, wall, cpu = len(sys.modules), time.perf_counter(), time.process_time()
{}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({{"import": wall * 1e3, "cpu": cpu * 1e3, "modules": len(sys.modules) - before}}))
"""


def run(bench: Bench) -> None:
    """Imports a few times, after a first time that fills the caches of the disk and of compiled modules; then counts bytes."""
    with tempfile.TemporaryDirectory() as compiled:
        # A package that was installed comes compiled; a checkout may not be, and then its compiler would be what is measured.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(max(3, bench.rounds) + 1):
            for entry in bench.entries(*IMPORTS):
                result = _import(IMPORTS[entry.name], environment)
                if number:
                    bench.records.append({"suite": SUITE, "peer": entry.name, "measure": "import", "result": result})
    bench.say("imports are measured")
    for entry in bench.entries():
        with bench.process(entry) as process:
            bench.measure(SUITE, entry, process, {"measure": "memory", "size": 5_760})
        if entry.name != NODE:
            with bench.process(entry) as process:
                bench.measure(SUITE, entry, process, {"measure": "idle", "sessions": IDLE_SESSIONS})
    bench.say("memory is measured")


def _import(statement: str, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-c", _PROGRAM.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True, timeout=60)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def table(records: Sequence[Record]) -> str:
    """One row for each peer."""
    lines = [
        "| | import, ms | modules | MB after a session | KB for each idle session | threads for each |",
        "|---|---|---|---|---|---|",
    ]
    for name in PEERS:
        of_peer = chosen(records, suite=SUITE, peer=name)
        if of_peer:
            cells = [str(spread(of_peer, figure) or "–") for figure in ("import", "modules", "megabytes", "kilobytes", "threads")]
            cells[4] = str(spread(of_peer, "threads", measure="idle") or "–")
            lines.append(f"| {title(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
