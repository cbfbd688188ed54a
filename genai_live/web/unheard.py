"""The sound that a page was sent and has not heard: what another worker has to send again. Any thread."""

from __future__ import annotations

import threading
from collections import deque

from genai_live.audio import SAMPLE_BYTES
from genai_live.web.wire_format import OUTPUT_BYTES

MOST_SECONDS = 60.0
"""Seconds that are remembered, the newest: 2.9 MB."""


class Unheard:
    """Sound of one socket since the last flush."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards all below."""
        self._pieces: deque[bytes] = deque()
        self._begin = 0
        """Bytes before the first piece since the last flush."""
        self._size = 0
        self._flushes = 0

    def put(self, pcm: bytes) -> None:
        """The page is sent this."""
        with self._lock:
            self._pieces.append(pcm)
            self._size += len(pcm)
            while self._size > MOST_SECONDS * OUTPUT_BYTES:
                self._forget()

    def heard(self, seconds: float) -> None:
        """So much was heard since the last flush."""
        until = seconds * OUTPUT_BYTES
        with self._lock:
            while self._pieces and self._begin + len(self._pieces[0]) <= until:
                self._forget()

    def flush(self) -> None:
        """Nothing of it will be heard."""
        with self._lock:
            self._pieces.clear()
            self._begin = self._size = 0
            self._flushes += 1

    def read(self) -> tuple[bytes, float, int]:
        """The sound, the seconds before it since the last flush, and the number of flushes."""
        with self._lock:
            return b"".join(self._pieces), self._begin / OUTPUT_BYTES, self._flushes

    def _forget(self) -> None:
        size = len(self._pieces.popleft())
        self._begin += size
        self._size -= size


def missing(unheard: bytes, heard: float, flushes: int, received: float | None, flushes_received: int) -> bytes:
    """The part of stored sound that a page lacks which says what it received; of one that says nothing, all."""
    if received is None:
        return unheard
    if flushes_received > flushes:  # an answer was cut after the sound was stored
        return b""
    skipped = round((received - heard) * OUTPUT_BYTES / SAMPLE_BYTES) * SAMPLE_BYTES
    return unheard[max(0, skipped) :] if flushes_received == flushes else unheard
