"""The queue between the reader and the receiver, bounded by bytes. The reader thread puts; one caller's thread takes."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple

from genai_live._connection.questions import SESSION, Mark, Question
from genai_live._deadline import WAIT_SLICE, Deadline
from genai_live.errors import WrongThread
from genai_live.types._server_messages import ServerMessage

GIVEN = "given"
_RECEIVER = "receiver"
_TAKEN = "another thread is already receiving from this session: let one thread receive, or use callbacks"
_popleft = deque.popleft
_SHORTEST_WAIT = 0.001
"""Seconds. For less than this the queue is only looked at: ``SimpleQueue.get`` of Python 3.10 to 3.12 never returns when its
timeout has passed before its second look, as one of 1 µs soon does, and one of 0 when the thread is held up just then."""
ITEM_BYTES = 512
"""Bytes that a message costs beside those of its frame: the smallest takes 450 to 700 as Python objects (sys.getsizeof, 3.11)."""


UNRECEIVED_BYTES = 64 * 1024
"""Bytes beside callbacks, before any thread has received, from which all but the newest message is forgotten. Hundreds of
sessions that nobody receives from kept 242 MB of what their callbacks had seen, and the garbage collector went through it."""


Item = tuple[ServerMessage | bytes | bytearray | None, Mark, int, int]
"""What stands in the queue: a message, its bytes, or None where a mark came alone; the mark; the bytes that came before it, over
the session's life; its own bytes, with what a message costs beside."""


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
    the two, leaves them where they were. Its last step sets ``claim`` to ``{GIVEN: item}``: that notes what its caller gets, and
    lets others receive, in one store that no signal can divide. The next receiver takes what was given.

    ``put`` does not wake: the reader puts everything that one read brought, then calls ``wake``. A receiver that is woken earlier
    waits for the interpreter lock that the reader still holds: woken at the end, a message of a burst costs
    two thirds (docs/performance.md).

    Counting needs no lock and no counter: every message notes how many bytes came before it.

    Waking and pausing take none either: each side stores, then looks at what the other stores. That rests on no store being
    passed by a later load (docs/reliability.md, "Hand-overs without a lock").
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
        """Bytes kept while no thread gathers a turn: as many as the limit, or fewer where callbacks have seen them."""
        self.kept_bytes = backlog_bytes if backlog_bytes == limit_bytes else min(backlog_bytes, UNRECEIVED_BYTES)
        """The same, or less before any thread has received."""
        self.keeps = True
        """False while nobody will receive: what callbacks have seen is passed over."""
        self.forgotten = 0
        self.is_updating = False
        """True while the receiver of a turn calls its caller's ``on_update``."""
        self.is_gathering = False
        """True while a receiver waits for all of a turn, of which nothing may be forgotten."""
        self.claim: dict[str, object] = {}
        """The thread that receives, while one does: a second one is refused instead of stealing messages. Else what the last one
        was given, an item or a ``Take``. Not a lock, because Ctrl-C may come between taking one and noting it: a thread that
        finds its own claim simply goes on."""
        self._resume = resume
        self._decode: Callable[[bytes | bytearray], ServerMessage] = decode
        self._messages: deque[Item[ServerMessage] | None] = deque()
        self._held: list[Item[ServerMessage] | None] = []
        """Messages that a receiver has looked at and not taken, before the others; None is the end. Written by the owner of the
        claim alone."""
        self.is_awaited = False
        """True while a receiver waits, or is about to; written before it looks at the messages once more."""
        # SimpleQueue is written in C; queue.Queue takes three conditions and thirty times as long.
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Wake-up tokens; a spare one costs one extra look at the queue."""
        self._put_bytes = 0
        self._paused = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes of messages that no receiver has looked at yet: those of their frames, and what a message costs beside."""
        try:
            return self._put_bytes - self._messages[0][2]  # type: ignore[index]  # None is the end, raised already
        except (IndexError, TypeError):
            return 0

    @property
    def waiting_messages(self) -> int:
        """Messages that wait to be taken."""
        given = self.claim.get(GIVEN)
        held: list[Any] = [*self._held]
        if isinstance(given, Take):
            held[: given.first] = [held[place] for place in given.but]
        elif held and held[0] is given:
            del held[0]
        return sum(item is not None and item[0] is not None for item in (*held, *self._messages))

    # The reader thread.

    def put(self, message: ServerMessage | bytes | bytearray | None, size: int, mark: Mark) -> int:
        """Adds a message that came in a frame of ``size`` bytes, or its bytes, to be decoded if anybody gets it.

        Returns the bytes that wait now. Never blocks.
        """
        before, size, messages = self._put_bytes, size + ITEM_BYTES, self._messages
        self._put_bytes = before + size
        messages.append((message, mark, before, size))
        try:
            return before + size - messages[0][2]  # type: ignore[index]  # None is the end, raised already
        except (IndexError, TypeError):  # a receiver was faster
            return 0

    def pass_over(self, mark: Mark) -> None:
        """Notes that a message was seen by a callback, and is not kept."""
        self.forgotten += 1
        if mark.question is not None and not mark.late:
            mark.question.incomplete = True

    def wake(self) -> None:
        """Wakes the receiver, if one waits. Never blocks."""
        if self.is_awaited:
            self.is_awaited = False
            self._tokens.put(None)

    def end(self) -> None:
        """No message will follow. Any thread; more than once does no harm."""
        self._messages.append(None)
        self.wake()

    def nudge(self) -> None:
        """Has the receiver look up from its wait: a note comes that is about nothing. Any thread; never blocks."""
        self._messages.append((None, SESSION, self._put_bytes, 0))
        self.wake()

    def pause_if_full(self) -> bool:
        """True when the bound is reached: the reader stops reading until ``resume`` is called."""
        # Set before counting: a receiver that empties the queue from here on sees it, and calls ``resume``. Only the reader takes
        # it back, who then reads on: Ctrl-C in a receiver leaves no reader behind that waits for ever.
        self._paused = True
        if self.waiting_bytes < self.limit_bytes:
            self._paused = False
        return self._paused

    def read_on(self) -> None:
        """The reader pauses for this queue no longer, however much waits."""
        self._paused = False

    def forget_oldest(self) -> None:
        """Drops messages from the old end until what is kept holds, for sessions whose callback has seen them."""
        if self.kept_bytes < self.backlog_bytes:
            self._forget_all_but_the_newest()
        while self.waiting_bytes > self.backlog_bytes:
            try:
                item = self._messages.popleft()
            except IndexError:  # a receiver was faster
                return
            if item is None:  # close() has woken the receiver already
                self._messages.append(None)
                return
            self._forget(item)

    def _forget_all_but_the_newest(self) -> None:
        """Before anybody has received: seldom, and many at once."""
        messages = self._messages
        while len(messages) > 1:
            try:
                item = messages.popleft()
            except IndexError:  # a receiver was faster
                return
            if item is None:  # close() has woken the receiver already
                messages.append(None)
                return
            self._forget(item)

    def _forget(self, item: Item[ServerMessage]) -> None:
        message, mark, _, _ = item
        self.pass_over(mark)
        self.forgotten -= message is None  # a mark alone

    # The receiver. Everything but ``next`` requires the claim.

    def next(self, deadline: Deadline) -> Item[ServerMessage] | None:
        """Makes this thread the receiver; returns the first message that was not taken, or None at the end.

        The claim stays until the message is handed over, or ``let_go``.

        Raises:
            TimeoutError: it did not come before the deadline.
            WrongThread: another thread is waiting for messages.
        """
        me = threading.get_ident()
        if self.claim.setdefault(_RECEIVER, me) != me:
            raise WrongThread(_TAKEN)
        self.kept_bytes = self.backlog_bytes
        if GIVEN in self.claim:
            self._settle()
        held = self._held
        while not held:
            self._hold_next(deadline)
        return held[0]

    def begin_to_gather(self) -> None:
        """Makes this thread the receiver of a whole turn: until it is given, or let go, nothing of it is forgotten.

        Raises:
            WrongThread: another thread is waiting for messages.
        """
        me = threading.get_ident()
        if self.claim.setdefault(_RECEIVER, me) != me:
            raise WrongThread(_TAKEN)
        self.kept_bytes = self.backlog_bytes
        if GIVEN in self.claim:
            self._settle()
        self.is_gathering = True

    def at(self, place: int, deadline: Deadline) -> Item[ServerMessage] | None:
        """The message at a place in the order of what was not taken yet, or None at the end. Blocks; Ctrl-C interrupts it.

        Raises:
            TimeoutError: it did not come before the deadline.
        """
        held = self._held
        while len(held) <= place:
            if held and held[-1] is None:
                return None
            self._hold_next(deadline)
        return held[place]

    def decoded(self, payload: bytes | bytearray, mark: Mark) -> ServerMessage:
        """The message that stands in the queue as bytes."""
        message = self._decode(payload)
        if mark.ends:
            message.__dict__["ends_turn"] = True
        return message

    def taking(self, count: int, but: list[int]) -> Take:
        """What its receiver is to be given: the first messages.

        Those at some places stay, as far as they fit into the backlog.
        """
        return Take(count, but, self._held[count - 1])

    def holds(self, question: Question) -> bool:
        """True when something of the question, or its end, waits to be received."""
        return any(map(partial(_is_about, question), (*self._held, *self._messages)))

    def drop(self, place: int) -> None:
        """Takes the message at one place."""
        del self._held[place]

    def replace(self, place: int, mark: Mark) -> None:
        """Gives the message at one place another mark."""
        item: Any = self._held[place]
        assert item is not None
        self._held[place] = (item[0], mark, *item[2:])

    def take_back(self, given: object) -> None:
        """What was given has not reached its caller after all: it stays in the queue."""
        if given is not None and self.claim.get(GIVEN) is given:
            self.claim = {}
        self.let_go()

    def let_go(self) -> None:
        """Ends the claim of this thread, if it has it."""
        if self.claim.get(_RECEIVER) == threading.get_ident():
            self.end_gathering()
            del self.claim[_RECEIVER]

    def end_gathering(self) -> None:
        """From now on more than the backlog is forgotten: a reader that has paused reads on."""
        self.is_gathering = False
        if self._paused:
            self._resume()

    def have_reader_look(self) -> None:
        """Has the reader look at its connection: something has changed that it may have waited for. Never blocks."""
        self._resume()

    def check_free(self) -> None:
        """Raises WrongThread when another thread is waiting for messages."""
        if self.is_taken:
            raise WrongThread(_TAKEN)

    @property
    def is_taken(self) -> bool:
        """True while another thread waits for messages."""
        return self.claim.get(_RECEIVER, threading.get_ident()) != threading.get_ident()

    # Inside.

    def _settle(self) -> None:
        """Takes what was given last."""
        given, held = self.claim[GIVEN], self._held
        if isinstance(given, Take):
            if len(held) >= given.first and held[given.first - 1] is given.last:
                held[: given.first] = self._limited([held[place] for place in given.but])
        elif held and held[0] is given:
            del held[0]
        del self.claim[GIVEN]

    def _limited(self, items: list[Item[ServerMessage] | None]) -> list[Item[ServerMessage] | None]:
        """The newest of these that fit into the backlog; the others are forgotten."""
        left = self.backlog_bytes
        for place in range(len(items) - 1, -1, -1):
            item = items[place]
            left -= 0 if item is None else item[3]
            if left < 0:
                for each in items[: place + 1]:
                    if each is not None:
                        self._forget(each)
                return items[place + 1 :]
        return items

    def _hold_next(self, deadline: Deadline) -> None:
        """Moves the next message to those that are held; waits for it."""
        messages = self._messages
        while not messages:
            self.is_awaited = True
            if messages:
                break  # it came just before, and no one will wake this thread
            if self._paused:  # Ctrl-C came before that was noted
                self._resume_if_caught_up()
            if deadline.seconds is None and WAIT_SLICE is None:
                self._tokens.get()
            else:
                self._wait_for_token(deadline)
        try:
            # One step of C, which takes it from the one and adds it to the other: a signal finds it done or not.
            self._held += map(_popleft, (messages,))
        except IndexError:  # the reader has just forgotten it
            return
        if self._paused:
            self._resume_if_caught_up()

    def _resume_if_caught_up(self) -> None:
        if self.waiting_bytes <= self.limit_bytes // 2:
            self._resume()

    def _wait_for_token(self, deadline: Deadline) -> None:
        left = None if deadline.at is None else max(0.0, deadline.at - time.monotonic())  # ``left()`` without its call
        timeout = left if WAIT_SLICE is None or (left is not None and left < WAIT_SLICE) else WAIT_SLICE
        try:
            if timeout is not None and timeout < _SHORTEST_WAIT:
                self._tokens.get(block=False)
            else:
                self._tokens.get(timeout=timeout)
        except queue.Empty:
            if deadline.passed and not self._messages:
                raise TimeoutError from None


def _is_about(question: Question, item: Item[Any] | None) -> bool:
    mark = SESSION if item is None else item[1]
    return not mark.late and question in (mark.question, *mark.merged, *mark.lost)
