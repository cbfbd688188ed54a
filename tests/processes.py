"""Scripts in processes of their own, for what cannot be tried in the process of the tests: signals, forks, exits."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent

PRELUDE = """
import faulthandler, json, os, signal, sys, threading, time
watch = lambda: faulthandler.dump_traceback_later({patience}, exit=True)  # a script that hangs says where
watch()
{before}
from genai_live import Client, errors
client = Client(api_key="test-key", http_options={{"base_url": sys.argv[1]}})
told = {{}}

def tell(**what):
    told.update(what)

def connect(**options):
    return client.live.connect(model="models/test", timeout={patience}, **options)

def own_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("genai-live")]

def threads_left():
    # Those that do not end by themselves: one that has done its work may still be on its way out.
    until = time.monotonic() + 5
    for thread in threading.enumerate():
        if thread.name.startswith("genai-live"):
            thread.join(max(0, until - time.monotonic()))
    return own_threads()

def wait_for(condition):
    pause, until = threading.Event(), time.monotonic() + {patience}
    while not condition():
        assert time.monotonic() < until, "this never happened"
        pause.wait(0.01)
"""
AFTERWORD = """
print(json.dumps(told), flush=True)
"""


@dataclass
class Outcome:
    """How a script ended."""

    told: dict[str, Any]
    stdout: str
    stderr: str
    code: int


def start(body: str, url: str, *arguments: str, before: str = "", flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Runs ``body`` after the prelude, with the server's URL as its first argument."""
    script = PRELUDE.format(patience=PATIENCE, before=before) + body + AFTERWORD
    return subprocess.Popen(
        [sys.executable, *flags, "-c", script, url, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def run(body: str, url: str, *arguments: str, before: str = "", flags: tuple[str, ...] = ()) -> Outcome:
    """Waits for the script; what it told is what it passed to ``tell``."""
    with start(body, url, *arguments, before=before, flags=flags) as process:
        stdout, stderr = process.communicate(timeout=2 * PATIENCE)
    lines = stdout.splitlines()
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Outcome(told, stdout, stderr, process.returncode)
