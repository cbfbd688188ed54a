"""What the library logs while the screen is drawn, as sentences. Any thread logs; the main thread takes them to the screen."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Notices(logging.Handler):
    """Warnings and errors, each one sentence: a traceback among lines that are redrawn is of no use to anybody."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._waiting: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it."""
        where = "; --debug shows where" if record.exc_info else ""
        self._waiting.append(f"{record.getMessage()}{where}")

    def take(self) -> Iterator[str]:
        """Those that have come since it was last asked."""
        while self._waiting:
            yield self._waiting.popleft()


@contextmanager
def notices(*, debug: bool) -> Iterator[Notices]:
    """What comes while the context lasts; nothing with ``--debug``, which writes the log itself."""
    handler, logger = Notices(), logging.getLogger("genai_live")
    if not debug:
        logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
