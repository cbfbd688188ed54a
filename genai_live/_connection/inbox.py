"""The queue between the reader and the receiver, bounded by bytes. The reader thread puts; one caller's thread takes."""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple

from genai_live._connection.ledger import Mark
from genai_live._deadline import Deadline
from genai_live.errors import WrongThread
from genai_live.types._server_messages import ServerMessage

_SLICE = 0.1 if sys.platform == "win32" else None
"""Seconds of one wait: on Windows a wait on a lock cannot be interrupted by Ctrl-C, so it is cut into short ones."""
_RECEIVER = "receiver"
_TAKEN = "another thread is already receiving from this session: let one thread receive, or use callbacks"
ITEM_BYTES = 512
"""Bytes that a message costs beside those of its frame: the smallest takes 450 to 700 as Python objects (sys.getsizeof, 3.11)."""


class Received(NamedTuple, Generic[ServerMessage]):
    """A message that a receiver looks at."""

    message: ServerMessage | None
    """None where a mark came without a message."""
    mark: Mark


class Take(NamedTuple):
    """The messages of a turn that its receiver has."""

    first: int
    """How many, from the beginning of the queue."""
    but: list[int]
    """Places of those among them that stay."""
    last: object
    """The last of them: it is gone once they were taken."""


class Inbox(Generic[ServerMessage]):
    """Messages in order with their marks, then the end, for ever.

    A receiver looks at messages before it takes them for good: Ctrl-C, or a signal handler that raises at any moment between
    the two, leaves them where they were. What its caller gets is noted in ``handed_over``, in the last step before it is
    returned, and taken when the next receiver comes.

    ``put`` wakes nobody: the reader puts everything that one read brought, then calls ``wake``. A receiver that is woken earlier
    waits for the interpreter lock that the reader still holds: woken at the end, a message of a burst costs 19 µs instead of 26,
    over TLS 29 instead of 45.

    Counting needs no lock: every message notes how many bytes came up to it, so each counter is set and never added to.
    """

    def __init__(
        self,
        limit_bytes: int,
        backlog_bytes: int,
        resume: Callable[[], None],
        decode: Callable[[bytes | bytearray], ServerMessage],
    ) -> None:
        self.limit_bytes = limit_bytes
        self.backlog_bytes = backlog_bytes
        """Bytes kept while nobody gathers a turn: as many as the limit, or fewer where callbacks have seen them."""
        self.forgotten = 0
        self.is_gathering = False
        """True while a receiver waits for all of a turn, of which nothing may be forgotten."""
        self.handed_over: object = None
        """A message, or a ``Take``, that its receiver has."""
        self._resume = resume
        self._decode: Callable[[bytes | bytearray], ServerMessage] = decode
        self._messages: deque[tuple[ServerMessage | bytes | bytearray | None, int, Mark] | None] = deque()
        """Each with the bytes that came up to its end; then None."""
        self._held: list[tuple[ServerMessage | bytes | bytearray | None, int, Mark]] = []
        """Messages that a receiver has looked at and not taken, before the others. Written by the owner of the claim alone."""
        self.is_awaited = False
        """True while a receiver waits, or is about to; written before it looks at the messages once more."""
        # SimpleQueue is written in C: put and get cost 0.1 µs each, queue.Queue's with its three conditions 3 µs.
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Wake-up tokens; a spare one costs one extra look at the queue."""
        self._put_bytes = 0
        self._got_bytes = 0
        self._forgotten_bytes = 0
        self._paused = False
        self._claim: dict[str, int] = {}
        """The thread that receives, while one does; a second one is refused instead of stealing messages. Not a lock, because
        Ctrl-C may come between taking one and noting it: a thread that finds its own claim simply goes on."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes of messages that no receiver has looked at yet: those of their frames, and what a message costs beside."""
        return self._put_bytes - max(self._got_bytes, self._forgotten_bytes)

    @property
    def waiting_messages(self) -> int:
        """Messages that nobody has taken yet."""
        given = self.handed_over
        taken = given.first - len(given.but) if isinstance(given, Take) else given is not None
        waiting = (*self._held, *self._messages)
        return max(0, sum(item is not None and item[0] is not None for item in waiting) - taken)

    # The reader thread.

    def put(self, message: ServerMessage | bytes | bytearray | None, size: int, mark: Mark) -> int:
        """Adds a message that came in a frame of ``size`` bytes, or its bytes, to be decoded if anybody gets it.

        Returns the bytes that wait now. Never blocks.
        """
        end = self._put_bytes = self._put_bytes + size + ITEM_BYTES
        self._messages.append((message, end, mark))
        got, forgotten = self._got_bytes, self._forgotten_bytes
        return end - (got if got > forgotten else forgotten)

    def wake(self) -> None:
        """Wakes the receiver, if one waits. Never blocks."""
        if self.is_awaited:
            self.is_awaited = False
            self._tokens.put(None)

    def end(self) -> None:
        """No message will follow. Any thread; more than once does no harm."""
        self._messages.append(None)
        self.wake()

    def pause_if_full(self) -> bool:
        """True when the bound is reached: the reader stops reading until ``resume`` is called."""
        # Set before counting: a receiver that empties the queue from here on sees it, and calls ``resume``.
        self._paused = True
        if self.waiting_bytes < self.limit_bytes:
            self._paused = False
        return self._paused

    def forget_oldest(self) -> None:
        """Drops messages from the old end until the backlog holds, for sessions whose callback has seen them."""
        while self.waiting_bytes > self.backlog_bytes:
            try:
                item = self._messages.popleft()
            except IndexError:  # a receiver was faster
                return
            if item is None:  # close() has told the receiver already
                self._messages.append(None)
                return
            self._forgotten_bytes = item[1]
            self.forgotten += 1
            if item[2].question is not None and not item[2].late:
                item[2].question.incomplete = True

    # The receiver. Everything but ``next`` requires the claim.

    def next(self, deadline: Deadline) -> tuple[ServerMessage | None, Mark, object] | None:
        """The first message that was not taken, its mark, and the value for ``handed_over``; None at the end.

        Raises:
            TimeoutError: it did not come before the deadline.
            WrongThread: another thread is waiting for messages.
        """
        me = threading.get_ident()
        if self._claim.setdefault(_RECEIVER, me) != me:
            raise WrongThread(_TAKEN)
        try:
            held = self._held
            if self.handed_over is not None:
                self.settle()
            while not held:
                if not self._hold_next(deadline):
                    return None
            item = held[0]
            message, _, mark = item
            if isinstance(message, (bytes, bytearray)):
                return self._decoded(message, mark), mark, item
            return message, mark, item
        finally:
            if self._claim.get(_RECEIVER) == me:
                del self._claim[_RECEIVER]

    def at(self, place: int, deadline: Deadline) -> Received[ServerMessage] | None:
        """The message at a place in the order of what was not taken yet, or None at the end. Blocks; Ctrl-C interrupts it.

        Raises:
            TimeoutError: it did not come before the deadline.
        """
        held = self._held
        while len(held) <= place:
            if not self._hold_next(deadline):
                return None
        message, _, mark = held[place]
        if isinstance(message, (bytes, bytearray)):
            message = self._decoded(message, mark)
        return Received(message, mark)

    def _decoded(self, payload: bytes | bytearray, mark: Mark) -> ServerMessage:
        message = self._decode(payload)
        if mark.ends:
            message.__dict__["ends_turn"] = True
        return message

    def taking(self, count: int, but: list[int]) -> Take:
        """What ``handed_over`` is to be set to when its receiver gets a whole turn: the first messages, but for those at some
        places, which stay as far as they fit into the backlog."""
        return Take(count, self._limited(but), self._held[count - 1])

    def take(self, count: int, but: list[int]) -> None:
        """Takes the first messages for good, but for those at some places. One step: Ctrl-C finds it done or not."""
        self._held[:count] = [self._held[place] for place in self._limited(but)]

    def drop(self, place: int) -> None:
        """Takes the message at one place."""
        del self._held[place]

    def settle(self) -> None:
        """Takes what was handed over last."""
        given, held = self.handed_over, self._held
        if isinstance(given, Take):
            if len(held) >= given.first and held[given.first - 1] is given.last:
                held[: given.first] = [held[place] for place in given.but]
        elif given is not None and held and held[0] is given:
            del held[0]
        self.handed_over = None

    def replace(self, place: int, mark: Mark) -> None:
        """Gives the message at one place another mark."""
        message, end, _ = self._held[place]
        self._held[place] = (message, end, mark)

    def _limited(self, places: list[int]) -> list[int]:
        """The newest of these places whose messages fit into the backlog; the others are forgotten."""
        kept: list[int] = []
        size = 0
        for place in reversed(places):
            message, end, mark = self._held[place]
            size += end - self._held[place - 1][1] if place else ITEM_BYTES
            if size <= self.backlog_bytes:
                kept.insert(0, place)
                continue
            self.forgotten += message is not None
            if mark.question is not None:
                mark.question.incomplete = True
        return kept

    def claim(self) -> None:
        """Makes this thread the receiver.

        Raises:
            WrongThread: another thread is waiting for messages.
        """
        if self._claim.setdefault(_RECEIVER, threading.get_ident()) != threading.get_ident():
            raise WrongThread(_TAKEN)

    def let_go(self) -> None:
        """Ends the claim of this thread, if it has it."""
        if self._claim.get(_RECEIVER) == threading.get_ident():
            self.is_gathering = False
            del self._claim[_RECEIVER]

    def check_free(self) -> None:
        """Raises WrongThread when another thread is waiting for messages."""
        if self.is_taken:
            raise WrongThread(_TAKEN)

    @property
    def is_taken(self) -> bool:
        """True while another thread waits for messages."""
        return self._claim.get(_RECEIVER, threading.get_ident()) != threading.get_ident()

    def _hold_next(self, deadline: Deadline) -> bool:
        """Moves the next message to those that are held; waits for it. False at the end."""
        messages, held = self._messages, self._held
        if held and messages and messages[0] is held[-1]:
            messages.popleft()  # Ctrl-C came between the two steps below
        while not messages:
            self.is_awaited = True
            if messages:
                break  # it came just before, and nobody will wake this thread
            if deadline.seconds is None and _SLICE is None:
                self._tokens.get()
            else:
                self._wait_for_token(deadline)
        try:
            item = messages[0]
            if item is None:
                return False
            held.append(item)
            removed = messages.popleft()
        except IndexError:  # the reader has just forgotten it
            return True
        if removed is not item and removed is not None:  # likewise, and there was another one
            held.append(removed)
        self._got_bytes = held[-1][1]
        if self._paused and self.waiting_bytes <= self.limit_bytes // 2:
            self._paused = False
            self._resume()
        return True

    def _wait_for_token(self, deadline: Deadline) -> None:
        left = deadline.left()
        timeout = left if _SLICE is None or (left is not None and left < _SLICE) else _SLICE
        try:
            self._tokens.get(timeout=timeout)
        except queue.Empty:
            if deadline.passed and not self._messages:
                raise TimeoutError from None
