"""The processes of a benchmark: the server and one for each client. Started and spoken to by the driver's only thread."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import trustme

ROOT = Path(__file__).parent.parent


class Process:
    """A program that answers JSON lines with JSON lines."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, **(environment or {})}, text=True
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def read(self, timeout: float) -> dict[str, Any]:
        """The next line of the program; an ``error`` when none comes in time."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            self._process.kill()
            return {"error": f"no result within {timeout:g} s"}
        line = self._process.stdout.readline()
        result: dict[str, Any] = json.loads(line) if line else {"error": f"ended with {self._process.wait()}"}
        return result

    def do(self, job: Mapping[str, Any], timeout: float = 60.0) -> dict[str, Any]:
        """Gives the program a job and waits for the result."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"error": "the process has ended"}
        return self.read(timeout)


class Server:
    """The server process, with a certificate for localhost."""

    def __enter__(self) -> Server:
        self._directory = tempfile.TemporaryDirectory()
        authority, certificate = trustme.CA(), Path(self._directory.name) / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        self.authority = str(Path(self._directory.name) / "authority.pem")
        authority.cert_pem.write_to_path(self.authority)
        self._process = Process([sys.executable, "-m", "benchmarks.server", str(certificate)])
        self._told = self._process.read(20)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._process.__exit__(kind, value, trace)
        self._directory.cleanup()

    def place(self, *, tls: bool) -> dict[str, str]:
        """Where the server is, as part of a job."""
        port = self._told["wss" if tls else "ws"]
        return {"url": f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}", "authority": self.authority}

    @property
    def pid(self) -> int:
        """The process."""
        return int(self._told["pid"])

    @property
    def cpu(self) -> float:
        """Processor seconds that the server has used: it must stay well below the wall clock, or it is what is measured."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
