"""SIGTERM under an ASGI server, which closes all sockets first: the visits leave before. Main thread, and one of its own."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

logger = logging.getLogger("genai_live")

_installed: set[Callable[[float | None], object]] = set()
"""What leaves at SIGTERM. The main thread's."""


def leave_at_signal(leave: Callable[[float | None], object]) -> None:
    """Has SIGTERM call ``leave(None)`` before the server's own handler; a second one ``leave(0.0)``; a third waits for neither.

    Nothing happens outside the main thread, nor where the server's handler is none of Python's: its own order holds there.
    """
    if leave in _installed or threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before):
        return
    _installed.add(leave)
    timeouts: list[float | None] = [0.0, None]
    """Of the calls to come, the last first."""
    ends = [before]
    """Until the server has been told: once is enough."""

    def then_end(number: int, timeout: float | None) -> None:
        try:
            leave(timeout)
        except Exception:
            logger.exception("a worker could not send its visitors to another one")
        with suppress(IndexError):
            ends.pop()(number, None)

    def handle(number: int, frame: FrameType | None) -> None:
        if not timeouts:
            before(number, frame)
            return
        threading.Thread(target=then_end, args=(number, timeouts.pop()), name="genai-live-leaving", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)
