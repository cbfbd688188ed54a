"""The pacing thread: one for the whole process, sends every stream's sound when it is due, unless a shared reader does.

It starts with the first stream and ends with the last. A thread for each stream would be woken 25 times a second, and each
wake-up changes hands of the interpreter lock: one pacing thread serves 300 streams where 130 were the limit otherwise.
"""

from __future__ import annotations

import threading
import time

from genai_live import _process, _threads
from genai_live._connection.timetable import Timed, Timetable, served

_THREAD_NAME = "genai-live-pacing"


class PacingThread:
    """A timetable and the thread that waits for what is due next: ``timetable.Pacing``."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Forgets thread, lock and work: at the beginning, and in a child process, where the streams are the parent's."""
        self._lock = threading.RLock()
        """Guards all below. Nothing is called under it. Taken itself and not through the condition, whose own way of taking it
        Ctrl-C may interrupt."""
        self._changed = threading.Condition(self._lock)
        """Notified when something is due earlier than what the thread waits for."""
        self._timetable = Timetable()
        self._thread: threading.Thread | None = None

    @property
    def is_current(self) -> bool:
        """As ``Pacing.is_current``."""
        return self._thread is threading.current_thread()

    def pace(self, work: Timed) -> None:
        """As ``Pacing.pace``."""
        with self._lock:
            self._timetable.put(work, time.monotonic())
            if self._thread is not None:
                self._changed.notify()
                return
            thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)
            try:
                _threads.start(thread)
            except BaseException:
                self._timetable.put_back(work, None)
                raise
            self._thread = thread

    def hurry(self, work: Timed) -> None:
        """As ``Pacing.hurry``."""
        with self._lock:
            if self._timetable.hurry(work, time.monotonic()):
                self._changed.notify()

    # The pacing thread.

    def _run(self) -> None:
        while works := self._next():
            for work in works:
                due = served(work, time.monotonic())
                with self._lock:
                    self._timetable.put_back(work, due)

    def _next(self) -> list[Timed]:
        """What is due, waited for. Nothing when no work is left: this thread is over, and the next stream starts another."""
        with self._lock:
            while self._timetable:
                now = time.monotonic()
                works = self._timetable.take(now)
                if works:
                    return works
                self._changed.wait(self._timetable.next_due - now)
            self._thread = None
            return []


pacing_thread = PacingThread()
"""The one of this process."""


_process.in_child(pacing_thread.start_over)
