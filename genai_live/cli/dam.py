"""A dam before stderr against what C libraries write there. Runs on the main thread.

When its sound server ends, PortAudio writes a million lines a second there, from a thread that nobody can stop.
"""

from __future__ import annotations

import logging
import os
import sys

_STDERR = 2


def build() -> bool:
    """Sends file descriptor 2 away, and has ``sys.stderr`` write where it went; False where it is no such file.

    It is not taken away again: the flood lasts as long as the process.
    """
    try:
        if sys.stderr.fileno() != _STDERR:
            return False
    except (OSError, ValueError):
        return False
    before = sys.stderr
    before.flush()
    kept = os.dup(_STDERR)
    away = os.open(os.devnull, os.O_WRONLY)
    os.dup2(away, _STDERR)
    os.close(away)
    sys.stderr = open(kept, "w", encoding=before.encoding, errors=before.errors, buffering=1)  # noqa: SIM115 (lasts)
    for handler in logging.getLogger().handlers:  # of --debug
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(sys.stderr)
    return True
