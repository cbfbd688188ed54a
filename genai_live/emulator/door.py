"""What a connection of the emulator talks to: the door, the inbox, and the record of its end. Pure: runs on any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .request import Request

if TYPE_CHECKING:
    from .connection import Connection


LONGEST_REASON = 123
"""Bytes of a close reason: a control frame holds 125, two of them are the code (RFC 6455 sections 5.5 and 5.5.1)."""


def cut_reason(reason: str) -> str:
    """The longest beginning of ``reason`` that fits a Close frame, cut at a character boundary."""
    return reason.encode()[:LONGEST_REASON].decode("utf-8", "ignore")


@dataclass(frozen=True)
class Ending:
    """How a connection ended, as the emulator saw it."""

    code: int
    """Close code of the client's Close frame; 1005 when it carried none, 1006 when there was no Close frame."""
    reason: str
    """The client's own words."""
    by_client: bool
    """True when the client's Close frame came first."""


class Inbox(Protocol):
    """What a connection delivers to, once it is a WebSocket."""

    def opened(self) -> None:
        """The upgrade was answered with 101."""

    def receive(self, data: bytes, is_text: bool) -> None:
        """One whole message came."""

    def writable(self) -> None:
        """The send buffer has room again."""

    def ended(self, ending: Ending) -> None:
        """The connection is gone."""


class Door(Protocol):
    """What decides over requests."""

    def admit(self, connection: Connection, request: Request) -> None:
        """Judges one request, body included: calls ``upgrade`` or ``answer`` of the connection, now, later, or never."""

    async def close(self) -> None:
        """The server stops: gives back what connections do not."""
