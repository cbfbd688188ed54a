"""Where conversations wait for their visitors to come back. Called on short-lived threads, which may wait for it."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from genai_live.voice import Utterance

__all__ = ["ConversationStore", "MemoryStore", "StoredConversation"]

MOST_KEPT = 10_000
"""Conversations that a worker remembers; each is some kilobytes, and its sound."""
MOST_SOUND = 64 * 2**20
"""Bytes of their sound, the newest: 23 minutes. Who comes back soon hears the rest of an answer; who comes late, or never, keeps
no memory from others."""
MOST_WORDS = 64 * 2**20
"""Bytes of what they said, likewise: 6 kB for each of them."""


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
    """Keeps conversations by their ids; each has one owner at a time. Usable from many threads.

    What a method raises is logged, and nobody stops talking for it. A store may also have ``claim_all(claims, lease)``, of pairs
    (id, owner), and ``load_all(ids)``: lists of what ``claim`` and ``load`` return, in one exchange.
    """

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
        """Guards all below."""
        self._owners: dict[str, tuple[str, float]] = {}
        self._kept: dict[str, tuple[StoredConversation, float]] = {}
        """Oldest first."""
        self._sounds: dict[str, int] = {}
        """Bytes of the sound of those that have any, oldest first."""
        self._all_sound = self._all_words = 0
        """Bytes, the latter of what was said."""

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
            self._forget(id)
            self._kept[id] = conversation, now + ttl
            self._all_words += _words_of(conversation)
            if conversation.unheard:
                self._sounds[id] = len(conversation.unheard)
                self._all_sound += len(conversation.unheard)
            while self._kept and self._is_too_much(now):
                self._forget(next(iter(self._kept)))
            while self._all_sound > MOST_SOUND:
                self._silence(next(iter(self._sounds)))

    def _is_too_much(self, now: float) -> bool:
        """Requires the lock. True when the oldest is to be forgotten."""
        _, until = next(iter(self._kept.values()))
        return len(self._kept) > MOST_KEPT or self._all_words > MOST_WORDS or until <= now

    def _forget(self, id: str) -> None:
        """Requires the lock."""
        if id in self._kept:
            self._all_words -= _words_of(self._kept.pop(id)[0])
        self._all_sound -= self._sounds.pop(id, 0)

    def _silence(self, id: str) -> None:
        """Requires the lock. Forgets the sound alone: the conversation goes on without the rest of its last answer."""
        conversation, until = self._kept[id]
        self._kept[id] = replace(conversation, unheard=b""), until
        self._all_sound -= self._sounds.pop(id)

    def release(self, id: str, owner: str) -> None:
        """As of ``ConversationStore``."""
        with self._lock:
            if self._owners.get(id, ("", 0.0))[0] == owner:
                del self._owners[id]


def _words_of(conversation: StoredConversation) -> int:
    return sum(sys.getsizeof(said.text) for said in conversation.transcript)
