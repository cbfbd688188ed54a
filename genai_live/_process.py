"""Which process this is, and what starts over in a child: the one place that knows of forks. Runs on any thread.

Each call of a session asks whether it is in a child, and asking the system costs more than the call may (docs/performance.md), so
a fork is noticed when it happens. A child has none of its parent's threads, its locks may be held for ever, and what is open is
the parent's.
"""

from __future__ import annotations

import os
from collections.abc import Callable


class Process:
    """Stands for one process; compared by identity."""


current = Process()
"""This process. In a child it is another object than in its parent."""


def in_child(start_over: Callable[[], None]) -> None:
    """Has a function called in every child process, before anything else runs there."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start_over)


def _note_fork() -> None:
    global current  # noqa: PLW0603 # the one thing that a fork changes for all
    current = Process()


in_child(_note_fork)
