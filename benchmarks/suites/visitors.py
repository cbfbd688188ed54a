"""Conversations that one worker of a web server carries: visitors' pages on one side, the service on the other. Driver's thread.

One passes where p99 is below 50 ms both ways, and 99.9 % arrived. Each rung of a ladder starts all processes anew.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench import Bench
from benchmarks.processes import ROOT
from benchmarks.records import Record, chosen
from benchmarks.server import Order

SUITE = "visitors"
MODEL = Order("call", size=1_920, microseconds=40_000).model
LIMIT = 0.05
ARRIVED = 0.999
WARM, SECONDS = 2.0, 6.0
REPORTS = 10


class Kind(NamedTuple):
    """One way to serve them."""

    title: str
    command: tuple[str, ...]
    ladder: tuple[int, ...]
    needs: tuple[str, ...]
    reports: int = REPORTS


_GUNICORN = (sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "--no-control-socket")
KINDS = {
    "fastapi": Kind(
        "FastAPI, uvicorn, google-genai",
        (sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log", "benchmarks.visitors.fastapi_app:app"),
        (140, 180, 200, 220, 240),
        ("fastapi", "uvicorn", "google.genai"),
        reports=0,
    ),
    "gthread": Kind(
        "Flask, LiveVoice, gthread with 8 threads",
        (*_GUNICORN, "-k", "gthread", "--threads", "8", "benchmarks.visitors.flask_app:app"),
        (400, 540, 660, 760),
        ("flask", "gunicorn"),
    ),
    "gevent": Kind(
        "Flask, LiveVoice, gevent",
        (*_GUNICORN, "-k", "gevent", "--worker-connections", "5000", "benchmarks.visitors.flask_app:app"),
        (360, 440, 540),
        ("flask", "gunicorn", "gevent"),
    ),
}


def run(bench: Bench) -> None:
    """All climb, ws and wss to the service, each until it fails twice on one step."""
    kinds = {name: kind for name, kind in KINDS.items() if all(map(importlib.util.find_spec, kind.needs))}
    for name in KINDS.keys() - kinds.keys():
        bench.say(f"{KINDS[name].title} is left out; it needs {', '.join(KINDS[name].needs)}")
    for tls in (False, True):
        for name, kind in kinds.items():
            for count in kind.ladder[-2:] if bench.quick else kind.ladder:
                if not (_try(bench, name, count, tls=tls) or _try(bench, name, count, tls=tls)):
                    break


def _try(bench: Bench, name: str, count: int, *, tls: bool) -> bool:
    place = bench.server.place(tls=tls)
    result = measure(KINDS[name], count, place["url"], place["authority"])
    bench.records.append({"suite": SUITE, "peer": name, "transport": "wss" if tls else "ws", "visitors": count, "result": result})
    bench.say(f"{KINDS[name].title}, {'wss' if tls else 'ws'}, {count} visitors: {json.dumps(result)}")
    return passes(result)


def passes(result: dict[str, Any]) -> bool:
    """True when nobody would have noticed the others."""
    late = max(result.get("down_p99", LIMIT), result.get("up_p99", LIMIT))
    return "error" not in result and late < LIMIT and min(result["arrived"], result["up_arrived"]) >= ARRIVED


def measure(kind: Kind, count: int, service: str, authority: str) -> dict[str, Any]:
    """One rung."""
    environment = {"VISITORS_URL": service, "VISITORS_CA": authority, "VISITORS_MODEL": MODEL}
    with tempfile.TemporaryDirectory() as directory, worker(kind, Path(directory) / "log", environment) as (url, pid):
        arguments = [url, str(count), str(SECONDS), str(WARM), str(kind.reports)]
        command = [sys.executable, "-m", "benchmarks.visitors.pages", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as pages:
            try:
                return _measured(pages, pid, service, authority, count)
            except (AssertionError, ValueError, OSError) as error:
                return {"error": str(error) or type(error).__name__}
            finally:
                pages.kill()


def _measured(pages: subprocess.Popen[str], pid: int, service: str, authority: str, count: int) -> dict[str, Any]:
    assert _line(pages, 120.0) == "measuring"
    delays_of(service, authority)
    asked = began = time.monotonic()
    spent, switches = cpu_of(pid), switches_of(pid)
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    result = json.loads(_line(pages, SECONDS + 30.0))
    messages = 2 * count * (time.monotonic() - began) / 0.04
    result["us"] = (cpu_of(pid) - spent) / messages * 1e6
    result["switches"] = (switches_of(pid) - switches) / messages
    up, waited = sorted(delays_of(service, authority)), time.monotonic() - asked
    result["up_p50"], result["up_p99"] = up[len(up) // 2], up[int(len(up) * 0.99)]
    result["up_arrived"] = min(1.0, len(up) / (count * waited / 0.04))
    result["threads"] = threads
    result["megabytes"] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096 / 1e6
    result.update(json.loads(_line(pages, 30.0)))
    return {name: round(value, 5) for name, value in result.items()}


def _line(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], timeout)[0], f"no result within {timeout:g} s"
    line = process.stdout.readline().strip()
    assert line, "the pages failed"
    return line


@contextmanager
def worker(kind: Kind, log: Path, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The web server with one worker; yields its URL, and the process that serves."""
    with log.open("wb") as out:
        master = subprocess.Popen(kind.command, stdout=out, stderr=out, cwd=ROOT, env={**os.environ, **environment})
    try:
        until = time.monotonic() + 30
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)", log.read_text())):
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        time.sleep(1.5)  # the worker boots
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield found.group(1), int(children[0]) if children else master.pid
    finally:
        master.kill()
        master.wait()
        for child in children:
            subprocess.run(["kill", "-9", child], check=False, stderr=subprocess.DEVNULL)


def cpu_of(pid: int) -> float:
    """Seconds of a process, user's and system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def switches_of(pid: int) -> int:
    """Context switches of all threads of a process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())))
    return total


def delays_of(service: str, authority: str) -> list[float]:
    """Seconds that the visitors' sound took to the service since this was last asked."""
    from genai_live import Client

    client = Client(api_key="k", http_options={"base_url": service, "ca_bundle": authority})
    with client.live.connect(model=Order("delays").model) as session:
        session.send_client_content(turns="now")
        delays: list[float] = json.loads("".join(message.model_text or "" for message in session.receive()))
    return delays


def table(records: Sequence[Record]) -> str:
    """Visitors carried."""
    lines = [
        "| | to the service | carried | down p50 / p99 ms | up p50 / p99 ms | µs a message | switches a message | pages p95 ms"
        " | threads | MB |",
        "|---" * 10 + "|",
    ]
    for transport in ("ws", "wss"):
        for name, kind in KINDS.items():
            passed = [each for each in chosen(records, suite=SUITE, peer=name, transport=transport) if passes(each["result"])]
            if not passed:
                continue
            best = max(passed, key=lambda record: int(record["visitors"]))
            result = best["result"]
            cells = [
                kind.title, transport, str(best["visitors"]),
                *(f"{result[f'{way}_p50'] * 1e3:.1f} / {result[f'{way}_p99'] * 1e3:.1f}" for way in ("down", "up")),
                f"{result['us']:.0f}", f"{result['switches']:.1f}", f"{result['page_p95'] * 1e3:.1f}", f"{result['threads']:.0f}",
                f"{result['megabytes']:.0f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
