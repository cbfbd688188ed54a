"""What a connection of the emulator delivers to, its messages and the record of its end. Pure: runs on any thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

NO_CODE, LOST = 1005, 1006
"""Close codes that stand for none, and cannot be sent (RFC 6455 section 7.4.1)."""

BROKEN = 1014
"""Close code of a gateway whose backend broke the rules, as 502 is its HTTP status (IANA's registry of WebSocket close codes)."""

PONG_HEAD = b"\x8a"
"""First byte of a Pong frame (RFC 6455 section 5.2)."""

UNLOGGED = logging.Logger("genai_live.emulator.websockets", logging.CRITICAL + 1)
"""For the package websockets: what that logs at DEBUG holds every header and every frame, and so credentials. Has no handlers."""

_CONTINUATION, _TEXT, _BINARY = 0, 1, 2

LONGEST_REASON = 123
"""Bytes of a close reason: a control frame holds 125, two of them are the code (RFC 6455 sections 5.5 and 5.5.1)."""


def cut_reason(reason: str) -> str:
    """The longest beginning of ``reason`` that fits a Close frame, cut at a character boundary."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")


class MessageJoiner:
    """Joins the frames of a message; frames without content cost nothing, however many there are."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_text = False

    def take(self, opcode: int, data: bytes | bytearray | memoryview, final: bool) -> tuple[bytes, bool] | None:
        """The message that this frame ends, and True for text; None for any other frame."""
        if opcode in (_TEXT, _BINARY):
            self._is_text = opcode == _TEXT
            if final:
                return bytes(data), self._is_text
        elif opcode != _CONTINUATION:
            return None
        self._begun += data
        if not final:
            return None
        whole, self._begun = bytes(self._begun), bytearray()
        return whole, self._is_text


@dataclass(frozen=True)
class Ending:
    """How a connection ended, as the emulator saw it."""

    code: int
    """Close code of the client's Close frame; 1005 when it carried none, 1006 when there was no Close frame."""
    reason: str
    """The client's own words."""
    by_client: bool
    """True when the client's Close frame came first."""


class Listener(Protocol):
    """What a connection delivers to, once it is a WebSocket."""

    def opened(self) -> None:
        """The upgrade was answered with 101."""

    def receive(self, data: bytes, is_text: bool) -> None:
        """One whole message came."""

    def writable(self) -> None:
        """The send buffer has room again."""

    def ended(self, ending: Ending) -> None:
        """The connection is gone."""
