"""Asks the worker of ``samples/celery_tasks.py`` for a spoken summary of a file, shows progress, saves summary.wav.

``python -m samples.celery_ask README.md``; ``--emulator`` needs neither Redis nor a key: worker and emulator run in this process.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from celery.result import AsyncResult

from samples.celery_tasks import app, spoken_summary


def main() -> None:
    """Asks for a summary, and waits for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the text")
    parser.add_argument("--emulator", action="store_true", help="needs neither a key nor Redis")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.emulator:
            begin_here(stack)
        result = spoken_summary.delay(arguments.file.read_text(encoding="utf-8"))
        summary = shown(result)
    Path("summary.wav").write_bytes(base64.b64decode(summary["wav"]))
    print(f"Model: {summary['words']}\nSaved summary.wav")


def shown(result: AsyncResult) -> dict[str, str]:
    """The summary; prints meanwhile how far it is."""
    last = None
    while not result.ready():
        if result.state == "SPEAKING" and result.info != last:
            last = result.info
            print(f"{last['seconds']:5.1f} s of speech so far", file=sys.stderr)
        time.sleep(0.1)
    return result.get()


def begin_here(stack: ExitStack) -> None:
    """An emulator, and a worker whose messages stay in this process."""
    from celery.contrib.testing.worker import start_worker

    from genai_live.emulator import HOST_VARIABLE, LiveEmulator

    emulator = stack.enter_context(LiveEmulator())
    os.environ[HOST_VARIABLE] = emulator.host
    app.conf.update(broker_url="memory://", result_backend="cache+memory://")
    stack.enter_context(start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"))


if __name__ == "__main__":
    main()
