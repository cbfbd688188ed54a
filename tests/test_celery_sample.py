"""samples/celery_tasks.py: in one process without Redis, and with Redis, a worker of its own, and a service that comes late."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from tests.processes import ROOT
from tests.waiting import PATIENCE, until

pytest.importorskip("celery")
TEXT = "The ship left the harbour at noon. Nobody saw it again."


def test_without_redis_and_without_a_key_the_sample_saves_a_summary(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "samples.celery_ask", "--emulator", "text.txt"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=2 * PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Model: You said: Summarise this text" in done.stdout
    assert Audio.load(tmp_path / "summary.wav").seconds > 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="the package redis-server is not installed")
def test_a_task_that_fails_for_the_network_is_tried_again_and_tells_its_progress(tmp_path: Path) -> None:
    redis, service = free_port(), free_port()
    url = f"redis://127.0.0.1:{redis}/0"
    environment = {**os.environ, "REDIS_URL": url, "GENAI_LIVE_EMULATOR_HOST": f"127.0.0.1:{service}"}
    store = subprocess.Popen(
        ["redis-server", "--port", str(redis), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    command = ["-m", "celery", "--app", "samples.celery_tasks", "worker", "--concurrency", "1", "--loglevel", "INFO"]
    log = tmp_path / "log"
    try:
        until(lambda: answers(redis))
        with log.open("wb") as out:
            worker = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            states, summary = summarised(url, service, log)
        finally:
            worker.terminate()
            worker.wait(PATIENCE)
    finally:
        store.terminate()
        store.wait(PATIENCE)
    assert "RETRY" in states
    assert "SPEAKING" in states
    assert "You said: Summarise this text" in summary["words"]
    assert base64.b64decode(summary["wav"]).startswith(b"RIFF")


def summarised(url: str, service: int, log: Path) -> tuple[set[str], dict[str, Any]]:
    """The states that a caller saw, and the result; the service is there after the first attempt."""
    from celery import Celery

    with Celery("caller", broker=url, backend=url) as caller:
        result = caller.send_task("samples.celery_tasks.spoken_summary", (TEXT,))
        states: set[str] = set()

        def saw(state: str) -> bool:
            states.add(result.state)
            assert result.state != "FAILURE", log.read_text()
            return state in states

        until(lambda: saw("RETRY"))
        with LiveEmulator(port=service, pace=1.0, voice=False):
            until(lambda: saw("SUCCESS"))
        return states, result.get(timeout=PATIENCE)
