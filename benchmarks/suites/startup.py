"""What importing costs, what is in memory after a session, and what an idle session adds. The driver's thread."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.bench import Bench, title
from benchmarks.catalogue import GOOGLE, NODE, OURS, PEERS
from benchmarks.processes import ROOT
from benchmarks.records import Record, chosen, short, spread

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
TARGETS = (("import", 0.35), ("megabytes", 0.6))
"""What shall be which part of google-genai's."""


def run(bench: Bench) -> None:
    """Imports a few times, after a first time that fills the caches of the disk and of compiled modules; then counts bytes."""
    for number in range(min(3, bench.rounds) + 1):
        for entry in bench.entries(*IMPORTS):
            command = [sys.executable, "-c", _PROGRAM.format(IMPORTS[entry.name])]
            output = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60).stdout
            if number:
                bench.records.append({"suite": SUITE, "peer": entry.name, "measure": "import", "result": json.loads(output)})
    bench.say("imports are measured")
    for entry in bench.entries():
        with bench.process(entry) as process:
            bench.measure(SUITE, entry, process, {"measure": "memory", "size": 5_760})
        if entry.name != NODE:
            with bench.process(entry) as process:
                bench.measure(SUITE, entry, process, {"measure": "idle", "sessions": IDLE_SESSIONS})
    bench.say("memory is measured")


def table(records: Sequence[Record]) -> str:
    """One table, and the ratios aimed at."""
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
    for figure, target in TARGETS:
        ours, google = (spread(records, figure, suite=SUITE, peer=peer) for peer in (OURS, GOOGLE))
        if ours and google:
            ratio = ours.median / google.median
            lines.append(
                f"\n{figure}: {short(ratio)} of google-genai; aimed at {target}: {'yes' if ratio <= target else '**no**'}."
            )
    return "\n".join(lines)
