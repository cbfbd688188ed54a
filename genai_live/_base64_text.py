"""JSON around base64 that is too long to be made at once: made piece by piece, while it is sent. Runs on any thread."""

from __future__ import annotations

from genai_live import _json

LARGE_BYTES = 48 * 1024
"""Bytes whose base64 is 64 KiB: what is longer is sent in pieces, so that nothing of its length has to be made."""


class Base64Text:
    """``before``, the base64 of ``data``, and ``after``, as one text that has a length and can be sliced, as bytes can.

    4 MB of sound are sent in 0.9 ms; they took 9 while their base64, the JSON and the masked JSON were made whole, because malloc
    takes blocks of that size from the system and gives them back, page by page.
    """

    def __init__(self, before: bytes, data: bytes, after: bytes) -> None:
        self._before, self._data, self._after = before, data, after
        self._begins = len(before)
        self._ends = self._begins + -(-len(data) // 3) * 4

    def __len__(self) -> int:
        return self._ends + len(self._after)

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        return b"".join(
            (
                self._before[start:stop],
                self._encoded(max(start - self._begins, 0), min(stop, self._ends) - self._begins),
                self._after[max(start - self._ends, 0) : max(stop - self._ends, 0)],
            )
        )

    def _encoded(self, start: int, stop: int) -> bytes:
        """Characters ``start`` to ``stop`` of the base64: four stand for three bytes."""
        if stop <= start:
            return b""
        first = start // 4
        return _json.b64encode(self._data[first * 3 : -(-stop // 4) * 3])[start - first * 4 : stop - first * 4]


Payload = bytes | Base64Text
"""The text of a client message."""
