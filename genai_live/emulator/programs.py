"""The emulator as a program: serve until Ctrl-C, or start for a script given ``--emulator``. Runs on the main thread."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from genai_live._backends import EMULATOR_VARIABLE
from genai_live.emulator.live_emulator import LiveEmulator
from genai_live.errors import LiveError

HOST_VARIABLE = EMULATOR_VARIABLE
"""Every Client of this process and its children talks to the emulator at ``host:port``, without a key."""

FLAG = "--emulator"

HOW_TO_FIND_IT = "Programs that use genai_live find it with"
HOW_TO_STOP = "Press Ctrl-C to stop."
STOPPED = "Stopped."
FAILED = "Scenario failed: "
"""What ``serve`` says beside where the emulator is."""


def start_if_asked(argv: list[str] | None = None, **options: Any) -> LiveEmulator | None:
    """Starts an embedded emulator when ``--emulator`` is among the arguments, which loses it; stops it at exit.

    For the first lines of a script: without ``argv``, which is ``sys.argv`` by default, an error of this library from then on
    ends the script with its sentence instead of a traceback. ``options`` are those of LiveEmulator. Sets
    GENAI_LIVE_EMULATOR_HOST, so that every Client made afterwards talks to it. Returns the emulator, or None when it was not
    asked for.
    """
    if argv is None:
        sys.excepthook = _print_in_a_sentence
    arguments = sys.argv if argv is None else argv
    if FLAG not in arguments:
        return None
    arguments.remove(FLAG)
    emulator = LiveEmulator(**options).start()
    atexit.register(emulator.stop)
    os.environ[HOST_VARIABLE] = emulator.host
    return emulator


def _print_in_a_sentence(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(error, LiveError):
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def serve(emulator: LiveEmulator, say: Callable[[str], object] = print, until: threading.Event | None = None) -> None:
    """Runs an emulator until Ctrl-C (or until the event is set); blocks the caller.

    Says first where it is and what it can, then each failure of a scenario or replay as it happens.
    """
    stop = until or threading.Event()
    with emulator:
        told = 0
        try:
            for line in describe(emulator):
                say(line)
            while not stop.wait(WAKE_SECONDS):
                told += _print_failures(emulator.failures[told:], say)
        except KeyboardInterrupt:
            say(STOPPED)
        _print_failures(emulator.failures[told:], say)


def _print_failures(failures: list[str], say: Callable[[str], object]) -> int:
    for failure in failures:
        say(f"{FAILED}{failure}")
    return len(failures)


WAKE_SECONDS = 0.5
"""A wait without end cannot be interrupted by Ctrl-C on Windows."""


def describe(emulator: LiveEmulator) -> list[str]:
    """What to tell a user about an emulator that has just started, line by line."""
    return [f"Live API emulator at {emulator.url} ({emulator.voice}).", *how_to_find(emulator.url, emulator.ca_path), HOW_TO_STOP]


def how_to_find(url: str, ca_path: str | None) -> list[str]:
    """What clients need in order to reach a server that has just started."""
    if url.startswith("https"):
        return [f"Clients must trust {ca_path}."]
    return [HOW_TO_FIND_IT, f"  export {HOST_VARIABLE}={urlsplit(url).netloc}"]
