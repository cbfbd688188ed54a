"""One thing at a time, in the order in which it came, on whichever thread brought it; and nobody waits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger("genai_live")

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands everything that is posted to one function.

    A thread that posts while another one is at it leaves its letter there and goes on: no thread ever waits for another, so what
    the function calls may post, or wait for a thread that posts, without a deadlock. A letter is not left behind where no store
    is passed by a later load (docs/reliability.md, "Hand-overs without a lock").
    """

    def __init__(self, handle: Callable[[T], object]) -> None:
        self._handle: Callable[[T], object] = handle
        self._letters: deque[T] = deque()
        self._turn = threading.Lock()
        """Whoever has it hands on. It is tried, never waited for."""
        self._reader: int | None = None
        self._is_open = False

    @property
    def is_current(self) -> bool:
        """True on the thread, and below the call, that hands a letter on."""
        return self._reader == threading.get_ident()

    def open(self) -> None:
        """Hands on what came, and from now on what comes."""
        self._is_open = True
        self._empty()

    def post(self, letter: T) -> None:
        """Adds a letter. Never blocks; what its handling raises is logged."""
        self._letters.append(letter)
        self._empty()

    def _empty(self) -> None:
        while self._is_open and self._letters and self._turn.acquire(blocking=False):
            try:
                self._reader = threading.get_ident()
                while self._letters:
                    try:
                        self._handle(self._letters.popleft())
                    except Exception:
                        logger.exception("a conversation could not handle what came; it goes on")
            finally:
                self._reader = None
                self._turn.release()
