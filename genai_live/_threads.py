"""Starts the threads of this library: what a signal handler raises meanwhile leaves nothing behind. Runs on any thread."""

from __future__ import annotations

import _thread
import threading

from genai_live._deadline import Deadline
from genai_live._flag import Flag


def start(thread: threading.Thread) -> None:
    """Starts a thread; returns when it runs.

    ``Thread.start`` is Python: of 5,000 calls that a raising handler struck, two or three left a thread that is listed for ever
    and never ran, and one in 20,000 left one that waits for ever to say that it runs. Handlers run on the main thread alone, so
    there another thread starts it, which one step of C begins.

    Raises:
        RuntimeError: this process may start no more threads.
    """
    if threading.current_thread() is not threading.main_thread():
        thread.start()
        return
    runs = Flag()
    failures: list[BaseException] = []

    def begin() -> None:
        try:
            thread.start()
        except BaseException as error:  # the caller's to see
            failures.append(error)
        runs.set()

    _thread.start_new_thread(begin, ())
    Deadline(None).wait(runs)
    if failures:
        raise failures[0]
