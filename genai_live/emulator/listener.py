"""What a connection of the emulator delivers to, and the record of its end. Pure: runs on any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LONGEST_REASON = 123
"""Bytes of a close reason: a control frame holds 125, two of them are the code (RFC 6455 sections 5.5 and 5.5.1)."""


def cut_reason(reason: str) -> str:
    """The longest beginning of ``reason`` that fits a Close frame, cut at a character boundary."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")


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
