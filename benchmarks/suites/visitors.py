"""Conversations that one worker of a web server carries: visitors' pages on one side, the service on the other. Driver's thread.

The worker has a core to itself; pages, service and driver share the others. A step of a ladder passes where p99 is below 50 ms
both ways, 99.9 % arrived, and so did a page of the site, asked for ten times a second, within 10 ms (p95). Each step starts all
processes but the service anew; one that fails is tried twice more.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.processes import ROOT
from benchmarks.records import Record, chosen
from benchmarks.server import Order
from benchmarks.visitors import profile
from benchmarks.visitors.pages import percentile

SUITE = "visitors"
MODEL = Order("call", size=1_920, microseconds=40_000).model
LIMIT = 0.05
PAGE_LIMIT = 0.01
ARRIVED = 0.999
WARM, SECONDS = 5.0, 6.0
"""Seconds before and while is measured. Hundreds of visitors who come at once leave the garbage collector with passes of 40 to
60 ms over all that is new, for some seconds; one who comes alone does not."""
REPORTS = 2
TRIES = 3
"""A virtual machine's processor may be away for some tens of milliseconds, which is all that p99 allows in one attempt."""
TRANSPORTS = {"ws": False, "wss": True}


class Kind(NamedTuple):
    """One way to serve them."""

    title: str
    command: tuple[str, ...]
    ladder: tuple[int, ...]
    needs: tuple[str, ...]
    reports: int = REPORTS


_GUNICORN = (sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "--no-control-socket")
FASTAPI, GTHREAD, GEVENT = "fastapi", "gthread", "gevent"
KINDS = {
    FASTAPI: Kind(
        "FastAPI, uvicorn, google-genai",
        (sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log", "benchmarks.visitors.fastapi_app:app"),
        (80, 100, 120, 140, 160, 180, 200, 220),
        ("fastapi", "uvicorn", "uvloop", "google.genai"),
        reports=0,
    ),
    GTHREAD: Kind(
        "Flask, LiveVoice, gthread with 8 threads",
        (*_GUNICORN, "-k", "gthread", "--threads", "8", "benchmarks.visitors.flask_app:app"),
        tuple(range(300, 600, 20)),
        ("flask", "gunicorn"),
    ),
    GEVENT: Kind(
        "Flask, LiveVoice, gevent",
        (*_GUNICORN, "-k", "gevent", "--worker-connections", "5000", "benchmarks.visitors.flask_app:app"),
        tuple(range(200, 400, 20)),
        ("flask", "gunicorn", "gevent"),
    ),
}


def run(bench: Bench) -> None:
    """All climb, ws and wss to the service, each until it fails on one step as often as that is tried."""
    kinds = {name: kind for name, kind in KINDS.items() if all(map(importlib.util.find_spec, kind.needs))}
    for name in KINDS.keys() - kinds.keys():
        bench.say(f"{KINDS[name].title} is left out; it needs {', '.join(KINDS[name].needs)}")
    bench.records.append({"suite": SUITE, "measure": "machine", "about": report.machine(report.OF_WEB_SERVERS), "result": {}})
    with cores_shared(bench.server.pid) as core:
        for transport in TRANSPORTS:
            for name, kind in kinds.items():
                for count in kind.ladder[1:3] if bench.quick else kind.ladder:
                    if not any(_try(bench, name, count, transport, core) for _ in range(TRIES)):
                        break
        for name in kinds:
            _look_into(bench, name, core)


def _try(bench: Bench, name: str, count: int, transport: str, core: int) -> bool:
    place = bench.server.place(tls=TRANSPORTS[transport])
    before, began = bench.server.cpu, time.monotonic()
    result = measure(KINDS[name], count, place["url"], place["authority"], core)
    result["service_load"] = round((bench.server.cpu - before) / (time.monotonic() - began), 3)
    bench.records.append({"suite": SUITE, "peer": name, "transport": transport, "visitors": count, "result": result})
    bench.say(f"{KINDS[name].title}, {transport}, {count} visitors: {json.dumps(result)}")
    return passes(result)


def _look_into(bench: Bench, name: str, core: int) -> None:
    """Where the time goes at three quarters of what was carried, in plain ws; nothing of that run counts but the shares."""
    most = carried(bench.records, name, "ws") * 3 // 4
    if not most or not profile.is_there():
        bench.say(f"no profile of {KINDS[name].title}" + ("" if profile.is_there() else ": it needs py-spy"))
        return
    place = bench.server.place(tls=False)
    result = measure(KINDS[name], most, place["url"], place["authority"], core, look=True)
    if "shares" in result:
        record = {"suite": SUITE, "peer": name, "measure": "profile", "visitors": most, "result": result["shares"]}
        bench.records.append(record)
        bench.say(f"{KINDS[name].title}, {most} visitors: {json.dumps(result['shares'])}")


def passes(result: dict[str, Any]) -> bool:
    """True when nobody would have noticed the others."""
    return (
        "error" not in result
        and max(result["down_p99"], result["up_p99"]) < LIMIT
        and min(result["arrived"], result["up_arrived"]) >= ARRIVED
        and result["page_p95"] < PAGE_LIMIT
    )


def carried(records: Sequence[Record], peer: str, transport: str) -> int:
    """The most visitors that a worker carried; 0 where none."""
    steps = chosen(records, suite=SUITE, peer=peer, transport=transport)
    return max((int(step["visitors"]) for step in steps if passes(step["result"])), default=0)


@contextmanager
def cores_shared(service: int) -> Iterator[int]:
    """Leaves one core to the worker, and yields its number; everything else is on the others meanwhile."""
    cores = sorted(os.sched_getaffinity(0))
    others = set(cores[1:] or cores)
    try:
        for process in (0, service):
            os.sched_setaffinity(process, others)
        yield cores[0]
    finally:
        for process in (0, service):
            os.sched_setaffinity(process, cores)


def measure(kind: Kind, count: int, service: str, authority: str, core: int, *, look: bool = False) -> dict[str, Any]:
    """One step; ``look`` is into the worker, and the only result then."""
    environment = {"VISITORS_URL": service, "VISITORS_CA": authority, "VISITORS_MODEL": MODEL}
    with tempfile.TemporaryDirectory() as directory:
        try:
            with worker(kind, Path(directory) / "log", environment, core) as (url, pid):
                arguments = [url, str(count), str(SECONDS), str(WARM), str(kind.reports)]
                command = [sys.executable, "-m", "benchmarks.visitors.pages", *arguments]
                with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as pages:
                    try:
                        if look:
                            assert _line(pages, 120.0) == "measuring"
                            return {"shares": profile.shares(pid, round(SECONDS - 1))}
                        return _measured(pages, url, pid, service, authority, count)
                    finally:
                        pages.kill()
        except (AssertionError, ValueError, OSError) as error:
            return {"error": str(error) or type(error).__name__}


def _measured(pages: subprocess.Popen[str], url: str, pid: int, service: str, authority: str, count: int) -> dict[str, Any]:
    assert _line(pages, 120.0) == "measuring"
    ends = time.monotonic() + SECONDS
    answer_of("forget", service, authority)
    began = time.monotonic()
    counted = ends - began  # what pages send after that is not there, and the service is asked later
    spent, switches, threads = Spent.of(pid), switches_of(pid), len(list(Path(f"/proc/{pid}/task").iterdir()))
    seen = seconds_of_pages(f"{url}/", pages)
    spent, switches, took = Spent.of(pid) - spent, switches_of(pid) - switches, time.monotonic() - began
    up = sorted(json.loads(answer_of("delays", service, authority)))
    heard = {name: round(value, 5) for name, value in json.loads(_line(pages, 30.0)).items()}
    messages = len(up) + heard["arrived"] * count * took / 0.04  # the service goes on while the last ones are awaited
    return {
        "up_p50": round(percentile(up, 0.5), 5), "up_p99": round(percentile(up, 0.99), 5),
        "up_arrived": round(min(1.0, len(up) / (count * counted / 0.04)), 4),
        "page_p95": round(percentile(seen, 0.95), 5),
        "us": round((spent.user + spent.system) / messages * 1e6, 1), "system": round(spent.system / messages * 1e6, 1),
        "load": round((spent.user + spent.system) / took, 2), "switches": round(switches / messages, 2),
        "threads": threads,
        "megabytes": round(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6),
        **heard,
    }  # fmt: skip


def seconds_of_pages(url: str, pages: subprocess.Popen[str]) -> list[float]:
    """How long the site's own page takes, ten times a second until the visitors' pages have said their last."""
    assert pages.stdout is not None
    seconds: list[float] = []
    until = time.monotonic() + SECONDS + 30.0
    while not select.select([pages.stdout], [], [], 0.1)[0]:
        began = time.monotonic()
        assert began < until, "the pages do not end"
        with urllib.request.urlopen(url, timeout=LIMIT * 100) as answer:
            answer.read()
        seconds.append(time.monotonic() - began)
    return seconds


def _line(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], timeout)[0], f"no result within {timeout:g} s"
    line = process.stdout.readline().strip()
    assert line, "the pages failed"
    return line


@contextmanager
def worker(kind: Kind, log: Path, environment: dict[str, str], core: int) -> Iterator[tuple[str, int]]:
    """The web server with one worker, on a core of its own; yields its URL, and the process that serves."""
    command = ("taskset", "-c", str(core), *kind.command)
    with log.open("wb") as out:
        master = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env={**os.environ, **environment})
    children = []
    try:
        until = time.monotonic() + 30
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)", log.read_text())):
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        urllib.request.urlopen(f"{found.group(1)}/", timeout=30).read()  # the worker has booted
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield found.group(1), int(children[0]) if children else master.pid
    finally:
        master.kill()
        master.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


class Spent(NamedTuple):
    """Seconds of a core."""

    user: float
    system: float

    @classmethod
    def of(cls, pid: int) -> Spent:
        """Of a process, since it began."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(*(int(fields[at]) / os.sysconf("SC_CLK_TCK") for at in (11, 12)))

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.user - other.user, self.system - other.system)


def switches_of(pid: int) -> int:
    """Context switches of all threads of a process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())))
    return total


def answer_of(order: str, service: str, authority: str) -> str:
    """What the service says to an order."""
    from genai_live import Client

    client = Client(api_key="k", http_options={"base_url": service, "ca_bundle": authority})
    with client.live.connect(model=Order(order).model) as session:
        session.send_client_content(turns="now")
        return "".join(message.model_text or "" for message in session.receive())


def table(records: Sequence[Record]) -> str:
    """Visitors carried, and what limits each kind."""
    abouts = chosen(records, suite=SUITE, measure="machine")
    lines = [
        *([f"![Delay by number of visitors](visitors.png)\n\n{report.describe(abouts[-1]['about'])}\n"] if abouts else []),
        "| | to the service | carried | times FastAPI's | down p50 / p99, ms | up p50 / p99, ms | pages p95, ms | µs a message"
        " | of them system | switches a message | threads | MB | load of the core | of pages | of the service |",
        "|---" * 15 + "|",
    ]
    for transport in TRANSPORTS:
        for name, kind in KINDS.items():
            most = carried(records, name, transport)
            steps = chosen(records, suite=SUITE, peer=name, transport=transport, visitors=most)
            if not steps:
                continue
            result = next(step["result"] for step in steps if passes(step["result"]))
            base = carried(records, FASTAPI, transport)
            cells = [
                kind.title, transport, str(most), f"{most / base:.1f}" if base else "",
                *(f"{result[f'{way}_p50'] * 1e3:.1f} / {result[f'{way}_p99'] * 1e3:.1f}" for way in ("down", "up")),
                f"{result['page_p95'] * 1e3:.1f}", f"{result['us']:.0f}", f"{result['system']:.0f}", f"{result['switches']:.1f}",
                f"{result['threads']}", f"{result['megabytes']}", f"{result['load']:.2f}", f"{result['pages_load']:.2f}",
                f"{result['service_load']:.2f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_profiles(records)])


def _profiles(records: Sequence[Record]) -> Iterator[str]:
    """Where the workers' time goes."""
    looked = {record["peer"]: record for record in chosen(records, suite=SUITE, measure="profile")}
    groups = dict.fromkeys(group for record in looked.values() for group in record["result"])
    if groups:
        yield ""
        yield (
            "| the worker's Python, samples in | "
            + " | ".join(f"{KINDS[name].title}, {looked[name]['visitors']}" for name in looked)
            + " |"
        )
        yield "|---" * (len(looked) + 1) + "|"
    for group in groups:
        yield f"| {group} | " + " | ".join(f"{record['result'].get(group, 0):.0%}" for record in looked.values()) + " |"
