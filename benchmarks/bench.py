"""What every suite is given: the server, the installed peers, the number of rounds, a place for records. The driver's thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.catalogue import CONVERSATIONS, Entry
from benchmarks.processes import Process, Server
from benchmarks.records import Record


class Bench:
    """One run of the command."""

    def __init__(self, server: Server, peers: Iterable[Entry], rounds: int, *, quick: bool) -> None:
        self.server = server
        self.peers = list(peers)
        self.rounds = rounds
        self.quick = quick
        self.records: list[Record] = []
        self._began = time.monotonic()

    def entries(self, *names: str) -> list[Entry]:
        """Those of the peers that take part in this run; without names all but conversations."""
        return [entry for entry in self.peers if (entry.name in names if names else entry.name != CONVERSATIONS)]

    def say(self, words: str) -> None:
        """One line of progress."""
        print(f"[{time.monotonic() - self._began:4.0f} s] {words}", flush=True)

    def process(self, entry: Entry) -> Process:
        """Starts a client."""
        return Process(entry.command, {"NODE_EXTRA_CA_CERTS": self.server.authority})

    def measure(
        self, suite: str, entry: Entry, process: Process, job: Mapping[str, Any], *, tls: bool = False, timeout: float = 60.0
    ) -> Record:
        """Has the client do one job, and keeps the record."""
        server_before, began = self.server.cpu, time.monotonic()
        result = process.do({**job, **self.server.place(tls=tls)}, timeout)
        result["server_load"] = (self.server.cpu - server_before) / (time.monotonic() - began)
        record = {"suite": suite, "peer": entry.name, "transport": "wss" if tls else "ws", **job, "result": result}
        self.records.append(record)
        if "error" in result:
            self.say(f"{entry.title}, {job['measure']}: {result['error']}")
        return record
