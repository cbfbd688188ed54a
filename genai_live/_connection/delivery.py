"""A message's way from its frame to who waits for it: the queue of the receiver, the callbacks.

Runs on the reader thread; an end that comes while dialling is delivered by the thread that dials.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol

from genai_live import _json
from genai_live._connection.dispatch import Dispatcher
from genai_live._connection.inbox import ITEM_BYTES, Inbox
from genai_live._connection.protocol import BidiProtocol, State
from genai_live._connection.questions import Mark, Question
from genai_live._deadline import NEVER
from genai_live._flag import Flag
from genai_live._network import frames
from genai_live._network.frames import Violation
from genai_live.callbacks import Callbacks
from genai_live.errors import ServiceError
from genai_live.types import LiveServerToolCall
from genai_live.types._server_messages import ServerMessage

logger = logging.getLogger("genai_live")
wire_log = logging.getLogger("genai_live.wire")

_SETUP = State.SETUP
"""Asked of an Enum's class, a member takes time in every message (docs/performance.md)."""
OBJECTS_PART = 32
"""Messages wait as objects in up to this part of the queue's bound. Beyond it they wait as the bytes that they came in, and are
decoded again when they are taken: a message of many small parts takes 10 to 30 times as much as objects."""
ERROR_BYTES = 1024
"""Bytes that a message which could not be decoded costs beside those of any other: it waits as an object, with its error."""
TURN_BYTES = 2048
"""Bytes that the end of a turn costs beside those of any other message: the record of its question (sys.getsizeof, 3.11)."""
CALL_BYTES = 384
"""Bytes that it costs to know of an open call: its id, in the table of all and in its question's."""
_TOO_MANY_OBJECTS = "it holds so many values that they would take more than twice max_message_bytes (http_options)"
CALLBACK_BACKLOG_BYTES = 256 * 1024
"""Bytes kept for a receiver when ``on_message`` has seen them: 4 s of speech, and not 64 MiB in every session."""


class Owner(Protocol):
    """What delivery needs of the channel that it belongs to."""

    def resume(self) -> None:
        """Called, from any thread, when a receiver or an executor that was behind has caught up."""

    def set_up(self) -> None:
        """Called by the reader thread when setup is complete."""


class Delivery(Generic[ServerMessage]):
    """Decodes messages, and hands them on in order; it stays when a session goes on over another connection."""

    def __init__(
        self,
        protocol: BidiProtocol[ServerMessage],
        callbacks: Callbacks[Any],
        queue_bytes: int,
        owner: Owner,
        max_message_bytes: float = NEVER,
    ) -> None:
        self.protocol: BidiProtocol[ServerMessage] = protocol
        self.dispatcher = Dispatcher(callbacks, queue_bytes, owner.resume)
        backlog = min(queue_bytes, CALLBACK_BACKLOG_BYTES) if callbacks.on_message else queue_bytes
        self.inbox: Inbox[ServerMessage] = Inbox(queue_bytes, backlog, owner.resume, protocol.decode)
        self.messages_received = 0
        self.undecodable = 0
        self.opened = Flag()
        """Set when connect() may return, or has failed."""
        self.turn_over = Flag()
        """Set whenever a message ended a turn; finish() waits for it."""
        self.paused = False
        """True when so much waits that nothing more should be read."""
        self._owner = owner
        self._queue_bytes = queue_bytes
        self._on_message = callbacks.on_message
        self._object_bytes = queue_bytes // OBJECTS_PART
        self._most_decoded = 2 * max_message_bytes
        """Bytes that one message may take, with its objects."""
        self._waiting = 0
        """Bytes that waited as of the last message."""
        self._early: list[tuple[ServerMessage | None, bytes | bytearray, Mark]] = []
        """Messages that came before setupComplete; None for one that can be decoded again."""
        self._early_bytes = 0
        self._warned_of_pause = False
        self._last_mark: Mark | None = None
        """The mark of the last message, unless there was more to it: what goes on with the same turn needs no second look."""
        self.failure: ServiceError | None = None
        """The error with which the service answered the setup."""

    def take(self, opcode: int, payload: bytes | bytearray) -> None:
        """Takes one message off the wire.

        Raises:
            Violation: a text message that is not UTF-8, or more before setupComplete than may wait.
        """
        was_in_setup = self.protocol.state is _SETUP
        size = len(payload)
        if was_in_setup:
            self._count_early(size + ITEM_BYTES)
        if size > self._most_decoded / _json.GROWTH and size + _json.objects_bytes(payload) > self._most_decoded:
            message = self.protocol.refuse(payload, _TOO_MANY_OBJECTS)
        else:
            message = self.protocol.receive(payload)
        self.messages_received += 1
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("< %d bytes", len(payload))
        if message.decode_error is not None:
            self._take_undecodable(message, opcode, payload)
        if was_in_setup:
            self._take_early(message, payload)
            return
        mark = self.protocol.mark
        if mark is not self._last_mark:
            self._last_mark = mark
            size += self._note_mark(message, mark)
        if self._on_message is not None:
            self._call_back(self._on_message, message, payload, mark)
            return
        inbox = self.inbox
        kept: ServerMessage | bytes | bytearray = message
        if message.decode_error is not None:
            size += ERROR_BYTES
        elif self._waiting >= self._object_bytes or (size > self._object_bytes and _json.objects_bytes(payload) > size):
            kept = payload
        call: LiveServerToolCall | None = message.__dict__.get("tool_call")
        if call is not None:
            size += CALL_BYTES * len(call.function_calls or ())
        self._waiting = inbox.put(kept, size, mark)
        if self._waiting >= inbox.limit_bytes and inbox.pause_if_full():
            self._pause()

    def _take_early(self, message: ServerMessage, payload: bytes | bytearray) -> None:
        decoded = message.decode_error is None
        self._early.append((None if decoded else message, payload, self.protocol.mark))
        self._early_bytes += (0 if decoded else ERROR_BYTES) + (TURN_BYTES if self.protocol.mark.ends else 0)
        if message.error is not None:
            self.failure = message.error
        elif self.protocol.state is not _SETUP:
            self._start()

    def _count_early(self, size: int) -> None:
        self._early_bytes += size
        if self._early_bytes > self._queue_bytes:
            words = f"more than {self._queue_bytes} bytes came before setupComplete (http_options queue_bytes)"
            raise Violation(frames.TOO_BIG, words)

    def still_full(self) -> bool:
        """Looks again whether reading has to pause."""
        # With on_message it is the executor that may be behind, or who gathers a turn; else the receiver.
        if self._on_message is None or self.inbox.is_gathering:
            is_full = self.inbox.pause_if_full()
        else:
            is_full = False
            self.inbox.read_on()
        self.paused = self.dispatcher.pause_if_full() or is_full
        return self.paused

    def end(self) -> None:
        """Nothing follows: lets go who waits, after what came before setupComplete, if it never came."""
        for message, payload, mark in self._early:
            self.inbox.put(message or payload, len(payload), mark)
        self.inbox.end()
        self.turn_over.set()
        self.opened.set()

    def _take_undecodable(self, message: ServerMessage, opcode: int, payload: bytes | bytearray) -> None:
        if opcode == frames.TEXT and not frames.is_utf8(payload):  # binary frames promise nothing
            raise Violation(frames.BAD_DATA, "the server sent a text message that is not UTF-8")
        self.undecodable += 1
        self.dispatcher.call(self.dispatcher.callbacks.on_error, message.decode_error, size=ITEM_BYTES + ERROR_BYTES)

    def report_open(self) -> None:
        """Reports that the session is open, to connect() and to on_open."""
        self.dispatcher.call(self.dispatcher.callbacks.on_open)
        self.opened.set()

    def announce(self, message: ServerMessage, mark: Mark) -> None:
        """Hands on a message of this library's own, in the order of things."""
        self.inbox.put(message, 0, mark)
        self.inbox.wake()
        self.dispatcher.call(self._on_message, message)

    def pass_on_notes(self) -> None:
        """Queues marks for which no message came. The reader thread."""
        for mark in self.protocol.notes():
            self.inbox.put(None, 0, mark)
            self.turn_over.set()

    def _start(self) -> None:
        """Setup is complete: reports it, then delivers what came before and with it, in order."""
        self._owner.set_up()
        early, self._early, self._early_bytes = self._early, [], 0
        for kept, payload, mark in early:
            message = kept or self.protocol.decode(payload)
            if _is_only_setup(message):
                continue
            self._note_mark(message, mark)
            if self._on_message is not None:
                self._call_back(self._on_message, message, payload, mark)
            else:
                self.inbox.put(payload if kept is None else message, len(payload), mark)
        if self._on_message is None and self.inbox.pause_if_full():
            self._pause()

    def _note_mark(self, message: ServerMessage, mark: Mark) -> int:
        """Returns the bytes that the mark itself costs."""
        self.pass_on_notes()
        if mark.ends:
            message.__dict__["ends_turn"] = True
            self.turn_over.set()
            self._last_mark = None
        if message.error is not None:
            self.dispatcher.call(self.dispatcher.callbacks.on_error, message.error, size=ITEM_BYTES + ERROR_BYTES)
            self._last_mark = None
        return TURN_BYTES if mark.ends else 0

    def _call_back(
        self, on_message: Callable[[ServerMessage], object], message: ServerMessage, payload: bytes | bytearray, mark: Mark
    ) -> None:
        inbox = self.inbox
        calls = getattr(message, "tool_call", None) is not None
        if calls:  # a thread that waits for the turn is to find the call answered, if the callback answers it
            self._show_calls(on_message, message, payload, mark)
        # What the callback sees is kept as bytes: hundreds of thousands of kept objects had the garbage collector stop 400
        # sessions for 250 ms at a time.
        if inbox.keeps:
            waiting = inbox.put(payload if message.decode_error is None else message, len(payload), mark)
            if inbox.is_gathering:
                if waiting >= inbox.limit_bytes and inbox.pause_if_full():
                    self._pause()
            elif waiting > inbox.kept_bytes:
                inbox.forget_oldest()
            if inbox.is_awaited:
                inbox.wake()
        else:
            inbox.pass_over(mark)
        if not calls:
            self._hand_over(on_message, message, payload, mark)
        if self.dispatcher.callbacks.executor is not None and self.dispatcher.pause_if_full():
            self._pause()

    def _show_calls(
        self,
        on_message: Callable[[ServerMessage], object],
        message: ServerMessage,
        payload: bytes | bytearray,
        mark: Mark,
    ) -> None:
        question = mark.question
        later = question is not None and self.dispatcher.callbacks.executor is not None
        shown = self.protocol.show(message, question) if later and question is not None else set()
        self._hand_over(on_message, message, payload, mark)
        if later:
            self.dispatcher.call(self._note_shown, question, shown, size=len(shown) * CALL_BYTES)

    def _hand_over(
        self, on_message: Callable[[ServerMessage], object], message: ServerMessage, payload: bytes | bytearray, mark: Mark
    ) -> None:
        """Calls back; for an executor that is far behind the message waits as bytes, as it does in the queue."""
        dispatcher, size = self.dispatcher, len(payload) + ITEM_BYTES + (TURN_BYTES if mark.ends else 0)
        if message.decode_error is not None:
            size += ERROR_BYTES
        elif dispatcher.callbacks.executor is not None and dispatcher.waiting_bytes + size > self._object_bytes:
            dispatcher.call(on_message, later=partial(self.inbox.decoded, payload, mark), size=size)
            return
        dispatcher.call(on_message, message, size=size)

    def _note_shown(self, question: Question, calls: set[str]) -> None:
        """The executor's callback has returned: wakes the thread that waits for the turn, if a call is left to the caller."""
        if self.protocol.was_shown(question, calls):
            self._owner.resume()

    def _pause(self) -> None:
        self.paused = True
        if not self._warned_of_pause:
            self._warned_of_pause = True
            logger.warning(
                "messages of %d bytes or more wait to be received or handled: reading pauses until some are taken"
                " (http_options queue_bytes)",
                self._queue_bytes,
            )


def _is_only_setup(message: Any) -> bool:
    return message.setup_complete is not None and len(vars(message)) == 1
