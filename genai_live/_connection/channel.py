"""A session's logical connection: one state, its outbox, and one WebSocket connection after another. Any thread.

Where it stands is one state (``Connectivity``), moved by one table. ``reconnecting`` decides whether another connection follows;
the connection of the moment reports what happens, on its reader thread or on the thread that dials. Never two connections at
once: the service refuses a handle while the connection that it came from is open.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic

from genai_live._base64_text import Payload
from genai_live._connection.connection import Connection, Counters
from genai_live._connection.delivery import Delivery
from genai_live._connection.inbox import Inbox
from genai_live._connection.outbox import Outbox
from genai_live._connection.protocol import ASKS, BidiProtocol, Opening, Sent, State
from genai_live._connection.questions import Mark, Question
from genai_live._connection.reader import Reader
from genai_live._connection.reconnecting import End, Outage, Try, leave_by
from genai_live._deadline import NEVER, Deadline
from genai_live._network.dial import Plan
from genai_live.callbacks import Callbacks
from genai_live.errors import CloseInfo, LiveError, SentBy, SessionClosed
from genai_live.reconnection import Reconnected, Reconnecting, ReconnectPolicy
from genai_live.types._server_messages import ServerMessage

if TYPE_CHECKING:
    from genai_live._connection.timetable import Pacing
    from genai_live._network.transport import Transport

logger = logging.getLogger("genai_live")

_SOUND = Sent.AUDIO
"""What is sent most, and asks nothing: an Enum's hash is Python (docs/performance.md)."""
ATTEMPT_TIMEOUT = 30.0
"""Seconds for one further attempt, from name lookup to setupComplete; the service needs 0.3 to 0.8 s."""
FAREWELL = 1.0
"""Seconds that the service has to answer our Close frame when a connection is replaced; it was seen to answer in 10 to 86 ms."""


class Connectivity(Enum):
    """Where a channel stands."""

    CONNECTING = "connecting"
    """The first connection is on its way; ``connect()`` waits for it."""
    READY = "ready"
    """Messages go straight to the connection."""
    DOWN = "down"
    """There is no connection, and the next one is on its way: messages wait."""
    LEAVING = "leaving"
    """This client replaces its connection because of a goAway: messages wait."""
    CLOSING = "closing"
    """No further connection follows."""
    CLOSED = "closed"
    """The session has ended, and everybody is notified."""


class Change(Enum):
    """What moves a channel to its next state."""

    SET_UP = "the connection is set up"
    LOST = "the connection is gone, and another one follows"
    LEFT = "the connection is given up for another one"
    CLOSE_ASKED = "no connection may follow"
    ENDED = "no connection follows"


_C = Connectivity

MOVES: dict[tuple[Connectivity, Change], Connectivity] = {
    (_C.CONNECTING, Change.SET_UP): _C.READY,
    (_C.DOWN, Change.SET_UP): _C.READY,
    (_C.READY, Change.LOST): _C.DOWN,
    (_C.LEAVING, Change.LOST): _C.DOWN,
    (_C.READY, Change.LEFT): _C.LEAVING,
    **{(state, Change.CLOSE_ASKED): _C.CLOSING for state in _C if state is not _C.CLOSED},
    **{(state, Change.ENDED): _C.CLOSED for state in _C},
}
"""Every allowed move; anything else leaves the state as it is (a connection that is set up while the session is closed)."""

_READY = _C.READY
"""Every message that is sent asks for this one; asking an Enum's class takes time (docs/performance.md)."""
_ENDING = (_C.CLOSING, _C.CLOSED)
_NO_HANDLE = (
    "The session could not go on over another connection, because the service had not sent a resumption handle yet:"
    " ReconnectPolicy(fresh_session=True) begins anew then, without the conversation so far."
)


class Channel(Generic[ServerMessage]):
    """The connection of a session, whatever number of them it takes.

    ``plan_for`` makes the plan of a connection that goes on with a handle, or begins anew without one; without a ``policy`` there
    is one connection, and its end is that of the session.
    """

    def __init__(
        self,
        plan: Plan,
        protocol: BidiProtocol[ServerMessage],
        callbacks: Callbacks[Any],
        new_reader: Callable[[], Reader],
        policy: ReconnectPolicy | None = None,
        plan_for: Callable[[str | None], Plan] | None = None,
    ) -> None:
        self.protocol: BidiProtocol[ServerMessage] = protocol
        self.delivery: Delivery[ServerMessage] = Delivery(
            protocol, callbacks, plan.options.queue_bytes, self, plan.options.max_message_bytes
        )
        self.dispatcher = self.delivery.dispatcher
        self.inbox: Inbox[ServerMessage] = self.delivery.inbox
        self._plan_for = plan_for
        self._new_reader = new_reader
        self._lock = threading.RLock()
        """Rank 0. Guards everything below. Reentrant: the garbage collector may drop a Session inside it, and that comes here."""
        self._state = _C.CONNECTING
        """Written under the lock, read without it by senders."""
        self._outage = None if policy is None else Outage(policy)
        self._outbox = Outbox(0 if policy is None else policy.outbox_bytes)
        self._repeated: list[Payload] = []
        """What the connection of the moment was given before all else: answers to calls of the one before."""
        self._past = Counters()
        """Of the connections before this one."""
        self._leave_by: float | None = None
        """Until when the connection may be used that a goAway has announced the end of."""
        self._handle: str | None = None
        """What the connection of the moment goes on from."""
        self._calling_back: threading.Thread | None = None
        """The thread that runs the callbacks of a connection's end: it must not wait in receive() or close()."""
        self._connection: Connection[ServerMessage] = Connection(plan, self.delivery, new_reader(), self)

    # For the session. Any thread.

    def open(self, deadline: Deadline) -> None:
        """As ``Connection.open``, for the first connection."""
        self._connection.open(deadline)

    def report(self, error: LiveError) -> None:
        """Has ``on_error`` called where callbacks run, for what went wrong on another thread. Never blocks."""
        self.dispatcher.call_soon(self.dispatcher.callbacks.on_error, error)

    def report_end(self) -> None:
        """As ``Connection.report_end``: calls the callbacks that are for an end."""
        self._connection.report_end()

    @property
    def state(self) -> Connectivity:
        """Where the channel stands."""
        return self._state

    @property
    def reader(self) -> Reader:
        """The reader of the connection of the moment."""
        return self._connection.reader

    @property
    def pacing(self) -> Pacing | None:
        """The thread that paces what is streamed into the session; None where the reader is its alone, and has enough to do."""
        reader = self._connection.reader
        return reader if reader.shared else None

    @property
    def transport(self) -> Transport | None:
        """The transport of the moment; None between two connections."""
        return self._connection.transport

    def unsent_bytes(self) -> int:
        """Bytes that were sent without waiting and that the network has not taken yet; 0 between two connections."""
        transport = self._connection.transport
        return 0 if transport is None else transport.waiting_bytes

    @property
    def counters(self) -> Counters:
        """Bytes and messages that went over the wire, all connections together."""
        return self._past.plus(self._connection.counters)

    @property
    def dropped(self) -> int:
        """Pieces of audio and video that did not fit into the outbox."""
        return self._outbox.dropped

    @property
    def is_reader_thread(self) -> bool:
        """True on the thread that calls back: a call that waits for messages would wait for itself."""
        return self._calling_back is threading.current_thread() or self._connection.reader.is_current

    @property
    def is_answering(self) -> bool:
        """True on a thread that runs a tool: waiting for messages there would wait for the tool's own answer."""
        watcher = self.protocol.watcher
        return watcher is not None and watcher.is_own_thread

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the session."""
        return self._connection.forked

    @property
    def close_info(self) -> CloseInfo | None:
        """How the session ended; None while it goes on, with or without a connection."""
        return self._connection.close_info if self._outage is None or self._state in _ENDING or self.forked else None

    def end_error(self) -> SessionClosed:
        """As ``Connection.end_error``."""
        return self._connection.end_error()

    def check_usable(self) -> None:
        """Raises the error of the end, if there was one, or of the fork."""
        if self.close_info is not None:
            self._connection.check_usable()

    def send(
        self,
        payload: Payload,
        kind: Sent = Sent.NOTHING,
        question: Question | None = None,
        answers: Opening | None = None,
        *,
        wait: bool = True,
        deadline: Deadline | None = None,
    ) -> None:
        """Decides the fate of one message: written as by ``Connection.send``, or, without a connection, put into the outbox.

        ``question`` is the one that the message asks; without it, a message of a kind that asks gets one. ``answers`` are
        notified when the message goes out, or waits.

        Raises:
            SessionClosed: or one of its kinds; the message was not delivered.
            TimeoutError: the deadline passed.
            OutboxFull: too much waits already; nothing was sent.
        """
        if question is None and kind is not _SOUND and kind in ASKS:
            question = self.protocol.question(kind)
        dead = None
        while True:
            # A connection is there, or none will be: it sends, or says why it does not.
            connection = self._connection
            if self._outage is None or self._state is _READY or self._state is _C.CLOSED or self.forked:
                try:
                    return connection.send(payload, kind, question, answers, wait=wait, deadline=deadline)
                except SessionClosed:
                    if self.forked or not self._may_go_on(connection):
                        self._close_for_all()
                        raise
                    dead = connection  # it died under the message, and another one may follow
            # Between two connections the message waits, unless things have changed until the lock was taken.
            with self._lock:
                if question is not None and question.is_closed:
                    return  # the reader was faster: it is lost with its connection, and told so
                if self.has_repeated(payload):
                    return  # the reader was faster: the next connection has it already
                if self._state is _C.CLOSED or (self._state is _READY and self._connection is not dead):
                    continue  # the end has come, or another connection
                if self._state is _READY:
                    self._move(Change.LOST)
                self._outbox.put(payload, kind, question, answers)
                if answers is not None:
                    answers.written()
                return

    def close(self, deadline: Deadline) -> None:
        """As ``Connection.close``; no connection follows."""
        self._close_for_all()
        if self._calling_back is threading.current_thread():
            self._connection.begin_close(deadline)
        else:
            self._connection.close(deadline)

    def abort(self, reason: str = "aborted by this program") -> None:
        """As ``Connection.abort``; no connection follows."""
        self._close_for_all()
        self._connection.abort(reason)

    def give_up(self) -> None:
        """Nobody is left to receive what came before the end. Any thread, never blocks."""
        self._connection.give_up()

    def _move(self, change: Change) -> None:
        """Requires the lock."""
        self._state = MOVES.get((self._state, change), self._state)

    def _close_for_all(self) -> None:
        """From now on ``close_info`` has the end that a sender is about to raise; the reader, which ends it, may come later."""
        if not self.forked:
            with self._lock:
                self._move(Change.CLOSE_ASKED)

    # For the delivery. Any thread.

    def resume(self) -> None:
        """A receiver or an executor that was behind has caught up."""
        self._connection.attend_soon()

    def set_up(self) -> None:
        """The connection can be used: sends what waited, then reports it. Reader thread."""
        outage, protocol = self._outage, self.protocol
        again = outage is not None and outage.attempts > 0
        with self._lock:
            now = time.monotonic()
            if outage is not None:
                outage.opened(now)
            lost: tuple[Question, ...] = ()
            if again and self._handle is None:
                lost = protocol.begin_anew()
                self._outbox.forget(Sent.RESPONSE)
            if self._send_waiting():
                self._move(Change.SET_UP)
        if outage is None or not again:
            self.delivery.report_open()
            return
        reconnected = Reconnected(self._handle is not None, now - outage.began, outage.attempts, bool(lost))
        logger.info("reconnected after %.1f s", reconnected.seconds)
        self.delivery.announce(protocol.announcement(reconnected), Mark(lost=lost))

    def _send_waiting(self) -> bool:
        """Requires the lock, so that no message overtakes one that waited. False when the connection is lost again."""
        try:
            for payload, kind in self._to_repeat():
                self._connection.send(payload, kind, wait=False)
            while len(self._outbox):
                self._connection.send(*self._outbox.first, wait=False)
                self._outbox.remove_first()
        except SessionClosed:  # the rest waits for the next one
            return False
        return True

    def _to_repeat(self) -> list[tuple[Payload, Sent]]:
        """Requires the lock. What the next connection needs first, and does not get from the outbox.

        It is noted before it is looked for once more: an answer that its own thread withdraws meanwhile is that thread's to send.
        """
        self._repeated = [payload for payload, _ in self.protocol.to_repeat() if not self._outbox.holds(payload)]
        found = [each for each in self.protocol.to_repeat() if self.has_repeated(each[0])]
        self._repeated = [payload for payload, _ in found]
        return found

    def has_repeated(self, payload: Payload) -> bool:
        """True for a message that the connection of the moment was given before all else. Any thread."""
        return any(payload is each for each in self._repeated)

    # For the connection of the moment: ``connection.Owner``. Its reader thread, or the thread that dials.

    def goes_on(self) -> bool:
        """The connection has ended: True when another one follows, which is then on its way."""
        self._calling_back = threading.current_thread()
        with self._lock:  # one step: close() finds the connection that ended, or the one that follows
            ended = self._connection
            info = ended.close_info
            assert info is not None
            following = self._next_try(ended)
            if following is None:
                if self._wants_handle(ended):
                    ended.explain_end(_NO_HANDLE)
                self._end()
                return False
            self._move(Change.LOST)
            for waiting in (unwritten := ended.unwritten()):
                if waiting.question is not None:
                    self.protocol.note_withdrawn(waiting.question)
                if waiting.answers is not None:
                    waiting.answers.written()
            # The one whose writing failed while the outbox was being emptied is in it still.
            self._outbox.put_back([waiting for waiting in unwritten if not self._outbox.holds(waiting.payload)])
            lost = self.protocol.lose()
            self._follow(ended, following)
        logger.info("%s; the next attempt follows in %.1f s", info, following.pause)
        if ended.failure is None or lost:
            self._announce_lost(info, lost)
        self._calling_back = None  # before: the attempt may end, and call back, on another thread
        if self._begin_attempt(ended):
            return True
        self._calling_back = threading.current_thread()
        return False

    def look_ahead(self, now: float) -> float:
        """Replaces a connection that the service is about to end: between turns, or when no time is left to wait for that.

        Returns the next time (monotonic seconds) to be asked.
        """
        protocol = self.protocol
        if self._outage is None or not protocol.going_away or self._state in _ENDING or protocol.state is not State.OPEN:
            return NEVER
        if self._leave_by is None:
            self._leave_by = leave_by(now, protocol.time_left)
        if self.delivery.paused:  # what the service said before its end lies unread: it is for the service to close
            return NEVER
        if protocol.handle is None or (protocol.turn_open and now < self._leave_by):
            return self._leave_by if now < self._leave_by else NEVER
        with self._lock:
            self._move(Change.LEFT)
        self._connection.begin_close(Deadline(FAREWELL))
        return now

    def _begin_attempt(self, ended: Connection[ServerMessage]) -> bool:
        try:
            self._connection.continue_session(ATTEMPT_TIMEOUT)
        except RuntimeError:  # this process may start no more threads: what has ended stays the end
            logger.exception("reconnecting failed")
            with self._lock:
                self._connection = ended
                self._end()
            return False
        return True

    def _next_try(self, ended: Connection[ServerMessage]) -> Try | None:
        """Requires the lock."""
        if self._outage is None or not self._may_go_on(ended):
            return None
        return self._outage.next_try(self._end_of(ended), self.protocol.handle, time.monotonic(), random.random())

    def _may_go_on(self, connection: Connection[ServerMessage]) -> bool:
        """True when an end of ``connection`` is not that of the session, as far as can be said before it is known when."""
        if self._outage is None:
            return False
        with self._lock:
            if connection is not self._connection:
                return True
            if self._state in (*_ENDING, _C.CONNECTING) or self.protocol.state is State.FINISHING:
                return False
            return self._outage.goes_on(self._end_of(connection), self.protocol.handle)

    def _wants_handle(self, ended: Connection[ServerMessage]) -> bool:
        """Requires the lock. True when nothing but a handle is missing for another connection."""
        if self._outage is None or self.protocol.handle is not None or self._state in (*_ENDING, _C.CONNECTING):
            return False
        return self._end_of(ended).may_pass

    def _end_of(self, connection: Connection[ServerMessage]) -> End:
        info = connection.close_info
        assert info is not None
        leaving = self._state is _C.LEAVING
        return End(info, connection.failure, leaving or (self.protocol.going_away and info.sent_by is not SentBy.CLIENT))

    def _follow(self, ended: Connection[ServerMessage], following: Try) -> None:
        """Requires the lock. Puts the next connection in the place of the one that ended."""
        assert self._plan_for is not None
        self.protocol.replace()
        self._past = self._past.plus(ended.counters)
        self._leave_by, self._handle = None, following.handle
        plan = self._plan_for(following.handle)
        self._connection = Connection(plan, self.delivery, self._new_reader(), self, following.pause)

    def _announce_lost(self, info: CloseInfo, lost: tuple[Question, ...]) -> None:
        if not self.protocol.turn_open:
            self.delivery.turn_over.set()
        self.delivery.announce(self.protocol.announcement(Reconnecting(info, bool(lost))), Mark(lost=lost))

    def _end(self) -> None:
        """Requires the lock. No connection follows."""
        self._move(Change.ENDED)
        if len(self._outbox):
            logger.warning("the session ended without a connection; messages that were never sent: %d", len(self._outbox))
