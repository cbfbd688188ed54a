"""Conversations that outlive their worker: real gunicorn masters, a real Redis, pages that count with the model."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.travellers import CountingEmulator, Traveller
from tests.voice_visitors import ServerProcess, server_process
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on no Windows: the platform's")

LEASE = 2.0
COMMAND = ["gunicorn", "-b", "127.0.0.1:0", "-k", "gthread", "--threads", "8", "tests.visited_django"]


class RedisServer:
    """Debian's Redis on a free port, nothing of it on a disk."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("the program redis-server is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        import redis

        def answers() -> bool:
            try:
                return bool(redis.Redis(port=self.port).ping())
            except redis.ConnectionError:
                return False

        until(answers)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def keys(self) -> list[str]:
        import redis

        with redis.Redis(port=self.port, decode_responses=True) as client:
            return sorted(client.scan_iter("*"))


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server
    finally:
        server.stop()


class Balancer:
    """Two masters; a page comes to the next one that is up."""

    def __init__(self, servers: list[ServerProcess]) -> None:
        self.servers = servers
        self._turn = itertools.count()
        self.gone: set[ServerProcess] = set()

    def url(self) -> str:
        up = [each for each in self.servers if each not in self.gone]
        return up[next(self._turn) % len(up)].url


@contextmanager
def two_masters(tmp_path: Path, emulator: CountingEmulator, redis: RedisServer, **settings: Any) -> Iterator[Balancer]:
    environment = {
        "GENAI_LIVE_EMULATOR_HOST": emulator.host, "VISITED_SETTINGS": json.dumps(settings), "VISITED_STORE": redis.url
    }  # fmt: skip
    with ExitStack() as stack:
        servers = [stack.enter_context(server_process(COMMAND, tmp_path / f"log{n}", **environment)) for n in range(2)]
        yield Balancer(servers)


def workers_of(server: ServerProcess) -> list[int]:
    tasks = Path(f"/proc/{server.process.pid}/task")
    return [int(each) for task in tasks.iterdir() for each in (task / "children").read_text().split()]


def all_count(travellers: list[Traveller], more: int) -> None:
    """Waits until each has heard so many more numbers."""
    wanted = [each.count + more for each in travellers]
    until(lambda: all(each.failure or each.count >= want for each, want in zip(travellers, wanted, strict=True)))
    for each in travellers:
        if each.failure:
            raise each.failure


if __name__ == "__main__":
    import tempfile
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as d, redis_server() as redis, CountingEmulator() as emulator, two_masters(Path(d), emulator, redis) as balancer:
        travellers = [Traveller(f"v{n}", balancer.url) for n in range(count)]
        try:
            all_count(travellers, 2)
            print("counting", [t.count for t in travellers])
            for act in sys.argv[2:]:
                for server in balancer.servers:
                    began = time.monotonic()
                    marks = [len(t.pauses) for t in travellers]
                    if act == "hup":
                        server.process.send_signal(signal.SIGHUP)
                    elif act == "term":
                        for w in workers_of(server): os.kill(w, signal.SIGTERM)
                    elif act == "kill":
                        for w in workers_of(server): os.kill(w, signal.SIGKILL)
                    all_count(travellers, 4)
                    print(act, [[(round(p[0]-began,2), p[1], round(p[2],2)) for p in t.pauses[m:]] for t, m in zip(travellers, marks)], [t.lost_answers for t in travellers], [t.not_restored for t in travellers])
        finally:
            for t in travellers:
                print(t.name, t.failure, t.runs()[-3:], t.pauses)
            for t in travellers: t.stop()
            for s in balancer.servers: print(s.log[-1500:])
        for t in travellers: t.check()
        print(redis.keys(), emulator.model.asked)
