"""Handles of sessions that can be taken up again. Runs on the emulator's loop thread.

Source: protocol topic "sessionResumption"; what a handle does while its old connection lives was measured on gemini-3.8-live.
"""

from __future__ import annotations

import random
import string
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from genai_live.emulator.server.validation import Refused

HANDLE_LENGTH = 36
"""Characters of a handle; measured on 3.8."""

_ALPHABET = string.ascii_letters + string.digits


class Holder(Protocol):
    """A session that a handle belongs to."""

    @property
    def alive(self) -> bool:
        """True while its connection stands."""

    @property
    def ended_at(self) -> float:
        """When its connection ended, on the monotonic clock."""

    @property
    def audio_seconds(self) -> float:
        """Audio that it has heard: the clock of a resumed session goes on from there (measured)."""


@dataclass
class SavedSession:
    """What a resumed session remembers."""

    model: str
    holder: Holder
    open_calls: dict[str, Any] = field(default_factory=dict)
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    used: bool = False


class Handles:
    """Every handle given out by one emulator."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source
        self._memories: dict[str, SavedSession] = {}
        self.single_use = False
        """Refuse a handle that was used before."""
        self.refuse_while_alive = True
        """Refuse a handle whose old connection lives."""
        self.settle = 0.0
        """Seconds after the end of the old connection during which its handle is still refused."""

    def give(self, memory: SavedSession) -> str:
        """A new handle for a session's present state."""
        handle = "".join(self._random.choice(_ALPHABET) for _ in range(HANDLE_LENGTH))
        self._memories[handle] = memory
        return handle

    def take(self, handle: str) -> SavedSession:
        """The memory behind a handle.

        Raises:
            Refused: when it cannot be taken up.
        """
        memory = self._memories.get(handle)
        if memory is None:
            raise Refused("BidiGenerateContent session not found", 1008)
        # Measured: refused for as long as the old socket lives, before any frame, 40 times out of 40.
        alive = self.refuse_while_alive and memory.holder.alive
        settling = not memory.holder.alive and time.monotonic() < memory.holder.ended_at + self.settle
        if alive or settling or (self.single_use and memory.used):
            raise Refused("Internal error encountered.", 1011)
        memory.used = True
        return memory
