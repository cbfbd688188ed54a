"""The pacing thread: one for the whole process, sends every stream's sound when it is due.

It starts with the first stream and ends with the last. A thread for each stream would be woken 25 times a second, and each
wake-up changes hands of the interpreter lock: one pacing thread serves 300 streams where 130 were the limit otherwise.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from typing import Protocol

logger = logging.getLogger("genai_live")

EARLY = 0.001
"""Seconds before its time at which a stream may be served: streams that are due together share one wake-up."""

_THREAD_NAME = "genai-live-pacing"


class Paced(Protocol):
    """What is served."""

    def step(self, now: float) -> float | None:
        """Does what is due at ``now`` (monotonic seconds) without blocking; returns when to come again, None when it is over."""


class PacingThread:
    """A heap of due times and the thread that waits for the earliest. Its methods never block and may be called on any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        """Guards all below; notified when something is due earlier than what the thread waits for. Nothing is called under it."""
        self._due: list[tuple[float, int, Paced]] = []
        self._entries: dict[Paced, int | None] = {}
        """For each stream the number of its entry in the heap that counts, others are stale; None while it is served."""
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def start(self, stream: Paced) -> None:
        """Serves the stream from now on, until its step returns None."""
        with self._changed:
            self._push(stream, time.monotonic())
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread

    def wake(self, stream: Paced) -> None:
        """Serves the stream now, whatever it waits for. Nothing happens when it is over."""
        with self._changed:
            if stream in self._entries:
                self._push(stream, time.monotonic())

    def _push(self, stream: Paced, due: float) -> None:
        """Requires ``_changed``."""
        number = next(self._numbers)
        self._entries[stream] = number
        heapq.heappush(self._due, (due, number, stream))
        if self._due[0][1] == number:
            self._changed.notify()

    # The pacing thread.

    def _run(self) -> None:
        while (stream := self._next()) is not None:
            due = self._step(stream)
            with self._changed:
                if due is None:
                    del self._entries[stream]
                elif self._entries[stream] is None:  # else it was woken meanwhile, and that is earlier
                    self._push(stream, due)

    def _next(self) -> Paced | None:
        """The stream that is due, waited for. None when none is left: this thread is over, and the next stream starts another."""
        with self._changed:
            while self._entries:
                now = time.monotonic()
                if self._due[0][0] > now + EARLY:
                    self._changed.wait(self._due[0][0] - now)
                    continue
                _, number, stream = heapq.heappop(self._due)
                if self._entries.get(stream) == number:
                    self._entries[stream] = None
                    return stream
            self._due.clear()
            self._thread = None
            return None

    @staticmethod
    def _step(stream: Paced) -> float | None:
        try:
            return stream.step(time.monotonic())
        except Exception:  # a stream keeps its errors to itself; one that fails to must not end the others
            logger.exception("a stream could not be paced and is dropped; the other streams go on")
            return None


pacing_thread = PacingThread()
"""The one of this process."""


def _start_over_in_child() -> None:
    # In a child process the thread does not exist, its lock may be held for ever, and the streams belong to the parent.
    vars(pacing_thread).update(vars(PacingThread()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over_in_child)
