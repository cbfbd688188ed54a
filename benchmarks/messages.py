"""The bytes that the benchmark server sends: Live messages as the service writes them, in unmasked frames. Pure."""

from __future__ import annotations

import base64
import json
import random
import struct
from typing import Any

FINAL_BINARY = 0x82
"""The service sends its JSON in final binary frames."""
STAMP_BYTES = 9
"""The first bytes of a sound hold the time it was sent at: a double and one byte, together 12 characters of base64."""


def frame(payload: bytes, first: int = FINAL_BINARY) -> bytes:
    """One final frame of a server."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def body(**fields: Any) -> bytes:
    """JSON with line breaks and two blanks of indentation, as the service writes it."""
    return json.dumps(fields, indent=2).encode()


def text(words: str) -> bytes:
    """A frame with a piece of a written answer."""
    return frame(body(serverContent={"modelTurn": {"parts": [{"text": words}]}}))


def audio(size: int) -> bytes:
    """A frame with ``size`` bytes of noise as 24 kHz PCM; noise, so that no decoder is helped by a pattern."""
    data = base64.b64encode(random.Random(size).randbytes(size)).decode()
    blob = {"mimeType": "audio/pcm;rate=24000", "data": data}
    return frame(body(serverContent={"modelTurn": {"parts": [{"inlineData": blob}]}}))


SETUP_COMPLETE = frame(body(setupComplete={}))
TURN_COMPLETE = frame(body(serverContent={"turnComplete": True}))
ANSWER = text("Hello to you.") + TURN_COMPLETE


class StampedAudio:
    """An audio frame whose first nine bytes of sound are the moment it is sent at."""

    def __init__(self, size: int) -> None:
        self._frame = bytearray(audio(max(size, STAMP_BYTES)))
        self._at = self._frame.index(b'"data": "') + len(b'"data": "')

    def at(self, moment: float) -> bytes:
        """The frame as it is sent at ``moment`` (monotonic seconds, which all processes of the machine share)."""
        self._frame[self._at : self._at + 12] = base64.b64encode(struct.pack("<dx", moment))
        return bytes(self._frame)


def stamp(sound: bytes) -> float:
    """The moment that the sound was sent at."""
    moment: float = struct.unpack_from("<d", sound)[0]
    return moment
