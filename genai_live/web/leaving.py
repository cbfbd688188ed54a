"""SIGTERM under an ASGI server, which closes all sockets first: the visits leave before. Main thread, and one of its own."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger("genai_live")

_installed: set[Callable[[float | None], object]] = set()
"""What leaves at SIGTERM. The main thread's."""


def leave_at_signal(leave: Callable[[float | None], object]) -> None:
    """Has SIGTERM call ``leave(None)`` before the server's own handler; a second one does not wait for it.

    Nothing happens outside the main thread, nor where the server's handler is none of Python's: its own order holds there.
    """
    if leave in _installed or threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before):
        return
    _installed.add(leave)
    leaving = threading.Event()

    def then_end(number: int) -> None:
        try:
            leave(None)
        except Exception:
            logger.exception("a worker could not send its visitors to another one")
        before(number, None)

    def handle(number: int, frame: FrameType | None) -> None:
        if leaving.is_set():
            before(number, frame)
            return
        leaving.set()
        threading.Thread(target=then_end, args=(number,), name="genai-live-leaving").start()

    signal.signal(signal.SIGTERM, handle)
