"""Keys of a terminal, each as it is pressed. Its own thread reads them while the context lasts."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genai_live.cli.space_bar import Act, SpaceBar

_LOOK = 0.03
"""Seconds between two looks at a keyboard on which nothing is pressed."""

SPACE = " "


@contextmanager
def space_bar(act: Callable[[Act], None]) -> Iterator[None]:
    """Calls ``act``, on a thread, when the space bar is pressed and released. Ctrl-C stays what it is."""
    stop = threading.Event()
    bar = SpaceBar()

    def watch() -> None:
        while not stop.is_set():
            key = _key(_LOOK)
            done = bar.space(time.monotonic()) if key == SPACE else bar.look(time.monotonic())
            if done is not None:
                act(done)

    with _unbuffered():
        thread = threading.Thread(target=watch, name="genai-live-keyboard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


if sys.platform == "win32":
    import msvcrt

    @contextmanager
    def _unbuffered() -> Iterator[None]:
        yield

    def _key(timeout: float) -> str:
        ends = time.monotonic() + timeout
        while not msvcrt.kbhit():
            if time.monotonic() >= ends:
                return ""
            time.sleep(timeout / 3)
        return msvcrt.getwch()

else:
    import select
    import signal
    import termios
    import tty

    @contextmanager
    def _unbuffered() -> Iterator[None]:
        """Keys come at once and are not shown; the terminal is put back as it was. For the main thread."""
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        # After Ctrl-Z and fg the terminal is as the shell had it.
        handler = signal.signal(signal.SIGCONT, lambda *_: tty.setcbreak(terminal))
        tty.setcbreak(terminal)
        try:
            yield
        finally:
            signal.signal(signal.SIGCONT, handler)
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def _key(timeout: float) -> str:
        readable, _, _ = select.select([sys.stdin], [], [], timeout)
        return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace") if readable else ""
