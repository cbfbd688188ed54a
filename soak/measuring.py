"""What a long run leaves behind: threads, descriptors, memory. Runs on the thread that measures."""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 60.0
"""Seconds that threads and sockets of a test server may take to go."""


@dataclass
class Result:
    """What one run found."""

    name: str
    passed: bool
    facts: list[str] = field(default_factory=list)
    seconds: float = 0.0


def resources() -> tuple[int, int]:
    """Threads and descriptors of this process; 0 descriptors where they cannot be counted."""
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    return threading.active_count(), descriptors


def resident_bytes() -> int:
    """Memory of the process as the system sees it; 0 where it cannot be read."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def settled(before: tuple[int, int]) -> tuple[int, int]:
    """Threads and descriptors once they are no more than ``before``, or when waiting for that is over."""
    pause, until = threading.Event(), time.monotonic() + PATIENCE
    gc.collect()  # the servers of the tests leave one selector each to it
    now = resources()
    while (now[0] > before[0] or now[1] > before[1]) and time.monotonic() < until:
        pause.wait(0.05)
        now = resources()
    return now


def growth(rounds: int, once: Callable[[], object], warm_up: int = 50) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Bytes that tracemalloc counts more after ``rounds``; threads and descriptors before and after."""
    for _ in range(warm_up):
        once()
    tracemalloc.start()
    try:
        once()
        gc.collect()
        before, start = resources(), tracemalloc.get_traced_memory()[0]
        for _ in range(rounds):
            once()
        after = settled(before)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - start, before, after
    finally:
        tracemalloc.stop()
