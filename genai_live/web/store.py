"""Where conversations wait for their visitors to come back. Called on short-lived threads, which may wait for it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from genai_live.voice import Utterance

__all__ = ["ConversationStore", "MemoryStore", "StoredConversation"]

MOST_KEPT = 10_000
"""Conversations that a worker remembers; each is some kilobytes."""


@dataclass(frozen=True)
class StoredConversation:
    """What another socket, or another worker, needs to go on with a conversation."""

    visitor: str
    handle: str | None
    """The service's handle, which a session resumes; None before the service sent one."""
    transcript: tuple[Utterance, ...] = ()
    """The newest utterances."""
    unheard: bytes = b""
    """Sound of the last answer that the visitor has not heard: 16-bit mono PCM, 24,000 Hz."""
    heard: float = 0.0
    """Seconds of sound before it on its socket, since the last flush there."""
    flushes: int = 0
    """Flushes on its socket: so a page that has some of the sound already can tell from where it lacks it."""
    ended_at: float | None = None
    """When its session was closed, in seconds since 1970; None for a worker that was given no time."""


@runtime_checkable
class ConversationStore(Protocol):
    """Keeps conversations by their ids; each has one owner at a time. Usable from many threads."""

    def claim(self, id: str, owner: str, lease: float) -> bool:
        """Makes ``owner`` the owner for ``lease`` seconds from now, or prolongs it; False while there is another one."""
        ...

    def load(self, id: str) -> StoredConversation | None:
        """What was saved; None when nothing was, or its time is over."""
        ...

    def save(self, id: str, conversation: StoredConversation, ttl: float) -> None:
        """Keeps it for ``ttl`` seconds."""
        ...

    def release(self, id: str, owner: str) -> None:
        """Ends the ownership, if ``owner`` has it."""
        ...


class MemoryStore:
    """Conversations in the memory of this process: a visitor comes back to the same worker, or begins anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards both below."""
        self._owners: dict[str, tuple[str, float]] = {}
        self._kept: dict[str, tuple[StoredConversation, float]] = {}

    def claim(self, id: str, owner: str, lease: float) -> bool:
        """As of ``ConversationStore``."""
        now = time.monotonic()
        with self._lock:
            other, until = self._owners.get(id, (owner, now))
            if other != owner and until > now:
                return False
            self._owners[id] = (owner, now + lease)
            return True

    def load(self, id: str) -> StoredConversation | None:
        """As of ``ConversationStore``."""
        with self._lock:
            kept, until = self._kept.get(id, (None, 0.0))
            return kept if until > time.monotonic() else None

    def save(self, id: str, conversation: StoredConversation, ttl: float) -> None:
        """As of ``ConversationStore``."""
        now = time.monotonic()
        with self._lock:
            self._kept.pop(id, None)
            self._kept[id] = (conversation, now + ttl)
            while self._kept and (len(self._kept) > MOST_KEPT or next(iter(self._kept.values()))[1] <= now):
                del self._kept[next(iter(self._kept))]

    def release(self, id: str, owner: str) -> None:
        """As of ``ConversationStore``."""
        with self._lock:
            if self._owners.get(id, ("", 0.0))[0] == owner:
                del self._owners[id]
