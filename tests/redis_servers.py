"""A real Redis in a process of its own, for tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.waiting import PATIENCE, until


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

        def answers() -> bool:
            try:
                with self._client as client:
                    return bool(client.ping())
            except redis.ConnectionError:
                return False

        until(answers)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    @property
    def _client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def names(self) -> list[str]:
        with self._client as client:
            return sorted(client.scan_iter("*"))

    def seconds_left(self) -> list[float]:
        """Until each key is forgotten; below 0 for one that stays."""
        with self._client as client:
            return [client.pttl(key) / 1000 for key in client.scan_iter("*")]


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server
    finally:
        server.stop()
