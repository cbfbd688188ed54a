"""What every session is, whatever its messages: a stream to receive, an end, counters. Methods run on the caller's thread."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from genai_live import _process
from genai_live._connection.channel import Channel
from genai_live._connection.inbox import GIVEN, Inbox
from genai_live._connection.questions import Mark, Question
from genai_live._deadline import Deadline
from genai_live._gathering import close_info_of, with_messages
from genai_live._synchronous import Synchronous
from genai_live._tracebacks import LEAVES_A_SESSION_OPEN, bare
from genai_live.errors import CloseInfo, NotConnected, ReceiveTimeout, ServiceError, TurnLost, WrongThread
from genai_live.types import LiveServerMessage
from genai_live.types._server_messages import ServerMessage

if TYPE_CHECKING:
    import websocket

CLOSE_TIMEOUT = 2.0
"""Seconds that close() waits for the server's Close frame; the service was seen to answer in 10 to 86 ms."""

S = TypeVar("S", bound="MessageStream[Any]")


@dataclass(frozen=True)
class Stats:
    """Counters of one session, as they stood when asked for."""

    messages_received: int
    messages_sent: int
    bytes_received: int
    """Bytes of the WebSocket stream, headers of frames included."""
    bytes_sent: int
    undecodable: int
    """Messages that could not be understood."""
    waiting_messages: int
    """Messages that nobody has received yet."""
    waiting_bytes: int
    resynchronised: int
    """Questions that were closed with the turn of another one, because the service answered both in it, or one of them not."""
    dropped: int
    """Pieces of audio and video that were dropped: the session had no connection, or a call no answer, for long."""
    forgotten: int
    """Messages that only ``on_message`` has seen: they left the queue before anybody received them."""
    callback_errors: int
    slow_callbacks: int
    longest_callback: float
    """Seconds."""
    held: int = 0
    """Pieces of sound that were held back while a call waited for its answer, where sound would end the session."""


class MessageStream(Synchronous, Generic[ServerMessage]):
    """An open connection in the user's hands.

    Usable from many threads, one of them receiving; a context manager that closes itself.
    """

    def __init__(self, channel: Channel[ServerMessage], model: str) -> None:
        self._connection: Channel[ServerMessage] = channel
        self._model = model
        self._reserved: Reserved[ServerMessage] | None = None
        """Who alone may receive, while somebody does."""
        self._end_seen = False
        """True once receive() has ended quietly because the session did: the next call must not look like an empty turn."""

    # Receiving: one thread at a time, never a callback.

    def __iter__(self) -> Iterator[ServerMessage]:
        """Yields every message until the session ends: quietly when nothing was lost, else with SessionClosed."""
        self._check_receiver()
        return MessageIterator(self._connection, Deadline(None), "", self._raise_unless_clean)

    def _check_receiver(self) -> None:
        if self._connection.forked:
            self._connection.check_usable()
        if self._reserved is not None:
            raise WrongThread(
                f"{self._reserved.holder} receives from this session: read what it gives, or close it first; sending stays free"
            )
        if self._connection.is_reader_thread:
            raise WrongThread(
                "receiving in a callback would wait for its own thread:"
                " use the message that the callback was given, or receive on another thread"
            )
        if self._connection.is_answering:
            raise WrongThread(
                "receiving in a tool that runs by itself would wait for the tool's own answer: return a result, or send;"
                " the thread that receives gets what the model says next"
            )
        self._connection.inbox.check_free()
        if self._connection.inbox.is_updating:
            raise WrongThread("receiving in on_update would take the turn from the call that it belongs to: receive after it")

    def _raise_unless_clean(self) -> None:
        """Raises the error of the end, unless nothing was lost."""
        info = self.close_info
        assert info is not None
        if not info.clean:
            raise self._connection.end_error()

    def _raise_end(self) -> None:
        """Raises the error of the end, unless nothing was lost and this is the first to see it."""
        info = self.close_info
        assert info is not None
        if not info.clean or self._end_seen:
            raise self._connection.end_error()
        self._end_seen = True

    # Ending.

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Ends the session now. Idempotent, from any thread, callbacks included; returns within ``timeout`` seconds.

        In a forked child it closes the descriptor only: the session stays the parent's.

        Raises:
            ConfigError: ``timeout`` is not a number.
        """
        self._connection.close(Deadline.of(timeout))

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        channel = getattr(self, "_connection", None)
        if channel is None or channel.forked or sys.is_finalizing():
            return
        if channel.close_info is not None:
            channel.give_up()
            return
        try:
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, stacklevel=2, source=self)
        finally:  # the warning is an error where the user says so
            channel.abort()

    # What is known. Any thread, never blocks.

    @property
    def conn(self) -> websocket.WebSocket:
        """The WebSocket underneath, to look at (``headers``, ``fileno()``); reading or writing through it breaks the session.

        Raises:
            NotConnected: the session is between two connections.
        """
        transport = self._connection.transport
        if transport is None:
            raise NotConnected("the session has no connection at the moment, because it is reconnecting; ask again when it has")
        return transport.websocket

    @property
    def close_info(self) -> CloseInfo | None:
        """How the session ended; None while it is open."""
        return self._connection.close_info

    @property
    def stats(self) -> Stats:
        """Counters, as they stand now."""
        channel, counters = self._connection, self._connection.counters
        return Stats(
            messages_received=channel.delivery.messages_received,
            messages_sent=counters.messages_written,
            bytes_received=counters.bytes_read,
            bytes_sent=counters.bytes_written,
            undecodable=channel.delivery.undecodable,
            waiting_messages=channel.inbox.waiting_messages,
            waiting_bytes=channel.inbox.waiting_bytes,
            resynchronised=channel.protocol.resynchronised,
            dropped=channel.dropped,
            forgotten=channel.inbox.forgotten,
            callback_errors=channel.dispatcher.errors,
            slow_callbacks=channel.dispatcher.slow,
            longest_callback=channel.dispatcher.longest,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session belongs to its process and is not pickled: open one in the other process")

    def __repr__(self) -> str:
        state = f"closed: {self.close_info}" if self.close_info else self._connection.protocol.phase.value
        return f"<{type(self).__name__} {self._model} {state}>"

    def _repr_html_(self) -> str:
        from dataclasses import asdict

        from genai_live import _html

        stats = self.stats
        line = f"{repr(self)[1:-1]} · {_html.counted(stats.messages_received, 'message')} received"
        return _html.box(_html.folded(line, _html.rows({**self._details(), **asdict(stats)})))

    def _details(self) -> dict[str, object]:
        """What a notebook shows of it beside its counters."""
        return {"ended": self.close_info}


class MessageIterator(Synchronous, Generic[ServerMessage]):
    """Iterates over messages up to the end of the session.

    Not a generator, because a generator that has raised ends quietly from then on: this raises again.
    """

    def __init__(self, channel: Channel[ServerMessage], deadline: Deadline, missing: str, end: Callable[[], None]) -> None:
        self.deadline = deadline
        """Until when the next message must come."""
        self.missing = missing
        """What did not come in time, for the error that says so."""
        self._channel: Channel[ServerMessage] = channel
        self._inbox: Inbox[ServerMessage] = channel.inbox
        self._process = _process.current
        self._end = end
        """Raises when the end of the session is no quiet one."""
        self._question: Question | None = None
        """The one that the messages belong to."""
        self._over = False

    @property
    def is_reader_thread(self) -> bool:
        """As of the channel."""
        return self._channel.is_reader_thread

    def __iter__(self) -> Iterator[ServerMessage]:
        return self

    def __repr__(self) -> str:
        state = "over" if self._over else f"{self._inbox.waiting_messages} waiting"
        return f"<{type(self).__name__} {state}>"

    def __next__(self) -> ServerMessage:  # noqa: PLR0912 # one way for a message, and few calls on it
        if self._over:
            raise StopIteration
        if self._process is not _process.current:  # no reader fills the queue here
            self._channel.check_usable()
        inbox, item = self._inbox, None
        try:
            while not self._over:
                item = inbox.next(self.deadline)
                # None is the end; else a message, decoded here if the reader has not, and the ledger's note about it.
                if item is None:
                    self._end()
                    self._over = True
                    break
                message, mark = item[0], item[1]
                if isinstance(message, (bytes, bytearray)):
                    message = inbox.decoded(message, mark)
                question = mark.question
                if question is None:
                    if mark.lost:
                        self._look(message, mark, item)
                else:
                    if mark.ends or mark.merged or question.calls:
                        self._look(message, mark, item)
                    self._question = question
                # A note without a message is only looked at.
                if message is not None:
                    inbox.claim = {GIVEN: item}  # the last step: what is not handed over stays in the queue
                    return message
                inbox.claim = {GIVEN: item}
            inbox.let_go()
        except BaseException as error:  # a signal handler may raise anything
            failure = self._failed(error, item)
            if failure is None:
                raise
        else:
            raise StopIteration
        del self, inbox
        try:
            raise failure
        finally:
            del failure  # it has this frame now, and would keep itself alive

    def stop(self) -> None:
        """Ends the iteration quietly, also one that waits. Any thread; never blocks."""
        self._over = True
        self._inbox.nudge()

    def _failed(self, error: BaseException, item: object) -> BaseException | None:
        """The error in place of this one, if the caller is to get another; what was not handed over is there for the next."""
        if isinstance(error, (TurnLost, ServiceError)):
            return bare(error)
        self._over = False
        self._inbox.take_back(item)
        if isinstance(error, TimeoutError):
            return ReceiveTimeout(
                f"{self.missing} within {self.deadline.seconds:g} s;"
                " the session is still open, so receive again or use a longer timeout"
            )
        return bare(error) if isinstance(error, LEAVES_A_SESSION_OPEN) else None

    def _look(self, message: ServerMessage | None, mark: Mark, item: object) -> None:
        """Called for what may end a turn."""


class Reserved(Synchronous, Generic[ServerMessage]):
    """The right to receive from a session, for one holder; iterating over it yields every message until ``release``."""

    def __init__(self, messages: MessageIterator[ServerMessage], holder: str, let_go: Callable[[Any], None]) -> None:
        self.holder = holder
        """Who receives, as the beginning of a sentence."""
        self._messages: MessageIterator[ServerMessage] = messages
        self._let_go: Callable[[Any], None] = let_go

    def __iter__(self) -> Iterator[ServerMessage]:
        return self._messages

    @property
    def is_reader_thread(self) -> bool:
        """True on the thread that calls back: waiting for what the session brings would be waiting for itself."""
        return self._messages.is_reader_thread

    def release(self) -> None:
        """Ends the reservation; the iteration ends quietly, also one that waits. Idempotent, any thread; never blocks."""
        self._messages.stop()
        self._let_go(self)


class TurnIterator(MessageIterator[LiveServerMessage]):
    """Iterates over the messages of one turn: the oldest that was not received to its end, or the next."""

    def __init__(
        self, channel: Channel[LiveServerMessage], deadline: Deadline, missing: str, end: Callable[[], None], closings: int
    ) -> None:
        super().__init__(channel, deadline, missing, end)
        self._closings = closings
        """How many questions were closed before: a note about one of them is nothing that was waited for."""

    def _look(self, message: LiveServerMessage | None, mark: Mark, item: object) -> None:
        """Ends the iteration at the end of a turn.

        Raises:
            TurnLost: the turn was lost with its connection.
            ServiceError: the message is an error of the service.
        """
        if message is None:
            self._over = self._is_end(mark)
        elif mark.lost or message.error is not None:
            self._inbox.claim = {GIVEN: item}
            raise TurnLost(close_info_of(message)) if message.error is None else with_messages(message.error, (message,))
        elif mark.ends:
            self._over = not mark.late and mark.question is not None and mark.question.turn is None
        elif mark.question is not None and mark.question.waits_for_caller:
            # Nobody has answered its call yet: the loop ends where the service ends its turn, so that this can be done.
            content = message.server_content
            self._over = content is not None and content.turn_complete is True

    def _is_end(self, mark: Mark) -> bool:
        """True for a note that ends the turn: of the question whose answer has begun here, or of one that was open then."""
        if mark.begins or mark.asks_caller or mark.late or mark.question is None:
            return False
        if mark.merged:  # the turn that answers it was received
            return self._question in mark.merged
        return mark.question is self._question or mark.question.closing_number > self._closings
