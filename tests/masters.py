"""Two gunicorn masters of one Django project, in processes of their own, and their ends."""

from __future__ import annotations

import itertools
import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.redis_servers import RedisServer
from tests.travellers import CountingEmulator
from tests.voice_visitors import ServerProcess, server_process
from tests.waiting import PATIENCE

COMMAND = ["gunicorn", "-b", "127.0.0.1:0", "-k", "gthread", "--threads", "8", "tests.visited_django"]


class Balancer:
    """Two masters behind one address; a page comes to the next one that is in service, as load balancers send it."""

    def __init__(self, begin: Callable[[], ServerProcess]) -> None:
        self._begin = begin
        self._turn = itertools.count()
        self.servers = [begin(), begin()]
        self.in_service = list(self.servers)

    def url(self) -> str:
        in_service = self.in_service
        return in_service[next(self._turn) % len(in_service)].url

    @contextmanager
    def away(self, server: ServerProcess) -> Iterator[None]:
        """Takes a master out of service, as deployments and health checks do, until its new worker answers."""
        self.in_service = [each for each in self.servers if each is not server]
        yield
        if server.process.poll() is not None:
            self.servers[self.servers.index(server)] = server = self._begin()
        urllib.request.urlopen(f"{server.url}/voice/token", timeout=PATIENCE).close()
        self.in_service = list(self.servers)


@contextmanager
def two_masters(emulator: CountingEmulator, redis: RedisServer, **settings: Any) -> Iterator[Balancer]:
    environment = {
        "GENAI_LIVE_EMULATOR_HOST": emulator.host, "VISITED_SETTINGS": json.dumps(settings), "VISITED_STORE": redis.url
    }  # fmt: skip
    with TemporaryDirectory() as directory, ExitStack() as stack:
        numbers = itertools.count()

        def begin() -> ServerProcess:
            return stack.enter_context(server_process(COMMAND, Path(directory) / f"log{next(numbers)}", **environment))

        yield Balancer(begin)


def workers_of(server: ServerProcess) -> list[int]:
    tasks = Path(f"/proc/{server.process.pid}/task")
    return [int(each) for task in tasks.iterdir() for each in (task / "children").read_text().split()]


def replace(server: ServerProcess) -> None:
    server.process.send_signal(signal.SIGHUP)


def end(server: ServerProcess) -> None:
    server.process.terminate()
    server.process.wait(PATIENCE)


def kill(server: ServerProcess) -> None:
    for worker in workers_of(server):
        os.kill(worker, signal.SIGKILL)
