"""Ctrl-C while the command ``genai-live`` starts or ends, when nothing of it could catch KeyboardInterrupt. On the main thread.

Loading the command takes a fifth of a second. KeyboardInterrupt in it is a traceback, or is lost in a callback of the machinery
that imports; so until the command can answer for itself, the signal ends the process at once, in one line. Nothing is open then.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # the module typing takes its time to load
if TYPE_CHECKING:
    from typing import NoReturn

INTERRUPTED = 130
"""Exit status that shells give a program that SIGINT ended: 128 + 2."""
_PROGRAMS = ("genai-live", "genai-live.exe", "genai-live-script.py")
_LOOKED_FOR = "-m"
"""``sys.argv[0]`` while Python looks for the module of ``python -m``, for which it imports the package that holds it."""


def is_command() -> bool:
    """True where this process is the command: not a program that imports the library."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    return program == _LOOKED_FOR or os.path.basename(program) in _PROGRAMS


def guard() -> None:
    """Lets Ctrl-C end the process in one line from now on; nothing where somebody has said otherwise, as ``nohup`` does."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def release() -> None:
    """Makes Ctrl-C KeyboardInterrupt again, where ``guard`` has changed that."""
    import signal

    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: object) -> NoReturn:
    os.write(2, b"genai-live: interrupted\n")
    os._exit(INTERRUPTED)
