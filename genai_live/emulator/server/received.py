"""What the clients said, decoded, with times; and waiting for it. Filled on the emulator's thread, read on any."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, overload

from genai_live._deadline import Deadline

SETUP_KIND = "setup"

MOST_MESSAGES = 100_000
"""Messages that are kept, however small: each costs some 1 kB beside its text."""


class ReceivedMessage:
    """One client message as it came."""

    # Slots, and no decoded audio before somebody asks: with 300 sessions in real time the garbage collector otherwise walks
    # through 200,000 dicts every few seconds, and stops the emulator for 25 ms each time (measured).
    __slots__ = ("_decode", "_message", "_raw", "at", "index", "is_text", "kind", "session", "size")

    def __init__(
        self, kind: str, message: dict[str, Any] | None, at: float, session: int, size: int, *, is_text: bool = True
    ) -> None:
        self.kind = kind
        """Its top-level name in camelCase; for realtimeInput with the one below: ``realtimeInput.audio``."""
        self.at = at
        """Seconds since the emulator started."""
        self.session = session
        """Number of the session it came on, counted from 1."""
        self.size = size
        """Bytes of the message."""
        self.is_text = is_text
        """True for a text frame, False for a binary one."""
        self.index = 0
        """Its number among all messages of all sessions, from 0."""
        self._message = message
        self._raw = b""
        self._decode: Callable[[bytes], dict[str, Any]] | None = None

    def decode_later(self, raw: bytes, decode: Callable[[bytes], dict[str, Any]]) -> None:
        """Keeps the bytes only, to be decoded when somebody asks for the message."""
        self._message, self._raw, self._decode = None, raw, decode

    @property
    def message(self) -> dict[str, Any]:
        """The decoded JSON in camelCase, bytes as base64 text."""
        if self._message is None:
            assert self._decode is not None
            self._message, self._raw = self._decode(self._raw), b""
        return self._message

    def __repr__(self) -> str:
        return f"<received {self.kind} at {self.at:.3f} s on session {self.session}, {self.size} bytes>"


Wanted = str | Callable[[ReceivedMessage], bool]
"""A kind (``clientContent``, ``realtimeInput`` for all its kinds, ``realtimeInput.audio``) or a predicate."""


def _predicate(wanted: Wanted) -> Callable[[ReceivedMessage], bool]:
    if callable(wanted):
        return wanted
    return lambda item: item.kind == wanted or item.kind.startswith(wanted + ".")


class Received:
    """The client messages seen so far, oldest first; a sequence that grows."""

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._bytes = 0
        self._count = 0
        self._messages: deque[ReceivedMessage] = deque()
        self._changed = threading.Condition()
        self._waiting = 0

    def add(self, message: ReceivedMessage) -> None:
        """Notes one message; the oldest are forgotten beyond the bound."""
        with self._changed:
            message.index = self._count
            self._count += 1
            self._messages.append(message)
            self._bytes += message.size
            while len(self._messages) > MOST_MESSAGES or (self._bytes > self._keep_bytes and len(self._messages) > 1):
                self._bytes -= self._messages.popleft().size
            if self._waiting:
                self._changed.notify_all()

    def wait_for(self, wanted: Wanted, timeout: float | None = 10.0, count: int = 1) -> ReceivedMessage:
        """The ``count``-th message that is ``wanted``, waiting at most ``timeout`` seconds for it.

        Blocks the calling thread, which must not be the emulator's.

        Raises:
            TimeoutError: with the kinds that did come.
        """
        matches = _predicate(wanted)
        deadline = Deadline(timeout)
        with self._changed:
            self._waiting += 1
            try:
                return self._await_match(matches, deadline, wanted, count)
            finally:
                self._waiting -= 1

    def _await_match(
        self, matches: Callable[[ReceivedMessage], bool], deadline: Deadline, wanted: Wanted, count: int
    ) -> ReceivedMessage:
        looked_at, found = -1, 0
        while True:
            for item in self._messages:
                if item.index > looked_at:
                    looked_at = item.index
                    found += matches(item)
                    if found == count:
                        return item
            if not self._await_more(deadline):
                kinds = ", ".join(item.kind for item in self._messages) or "nothing"
                raise TimeoutError(f"the emulator did not receive {wanted!r} ({count} times) in time; it received: {kinds}")

    def _await_more(self, deadline: Deadline) -> bool:
        count = self._count
        return deadline.wait_for(self._changed, lambda: self._count > count)

    def of(self, wanted: Wanted) -> list[ReceivedMessage]:
        """The messages that are ``wanted``, oldest first."""
        matches = _predicate(wanted)
        return [item for item in self if matches(item)]

    def kinds(self) -> list[str]:
        """The kinds of all messages, oldest first."""
        return [item.kind for item in self]

    def clear(self) -> None:
        """Forgets what came so far."""
        with self._changed:
            self._messages.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[ReceivedMessage]:
        with self._changed:
            return iter(list(self._messages))

    @overload
    def __getitem__(self, index: int) -> ReceivedMessage: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReceivedMessage]: ...
    def __getitem__(self, index: int | slice) -> ReceivedMessage | list[ReceivedMessage]:
        return list(self)[index]

    def __repr__(self) -> str:
        return f"<Received {self.kinds()}>"
