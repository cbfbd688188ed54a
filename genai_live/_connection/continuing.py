"""A session's connections, one after the other: what it holds in place of a Connection when it is to outlive them.

Decisions are ``resumption.py``'s; what happens is told by the connection whose turn it is, on its reader thread or on the thread
that dials. Never two connections at once: the service refuses a handle while the connection that it came from is open.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from genai_live._base64_text import Payload
from genai_live._connection.connection import Connection
from genai_live._connection.delivery import Delivery
from genai_live._connection.open_connection import Counters
from genai_live._connection.outbox import Outbox
from genai_live._connection.protocol import LiveProtocol, Sent, State
from genai_live._connection.reader import Reader
from genai_live._connection.reconnecting import ACTIVITY_START, End, Outage, Try, leave_by
from genai_live._connection.succession import Succession
from genai_live._deadline import Deadline
from genai_live._network.dial import Plan
from genai_live.errors import CloseInfo, SentBy, SessionClosed
from genai_live.reconnection import Reconnected, Reconnecting, ReconnectPolicy
from genai_live.types import LiveServerMessage

if TYPE_CHECKING:
    from genai_live._connection.dispatch import Dispatcher
    from genai_live._connection.inbox import Inbox
    from genai_live._connection.timetable import Pacing
    from genai_live._network.transport import Transport

logger = logging.getLogger("genai_live")

_NEVER = float("inf")
ATTEMPT_TIMEOUT = 30.0
"""Seconds for one further attempt, from name lookup to setupComplete; the service needs 0.3 to 0.8 s."""
FAREWELL = 1.0
"""Seconds that the service has to answer our Close frame when a connection is replaced; it was seen to answer in 10 to 86 ms."""


class ContinuingConnection:
    """Looks like one Connection that does not end when the network does.

    ``plan_for`` makes the plan of a connection that goes on with a handle, or begins anew without one.
    """

    def __init__(
        self,
        plan: Plan,
        plan_for: Callable[[str | None], Plan],
        delivery: Delivery[LiveServerMessage],
        new_reader: Callable[[], Reader],
        policy: ReconnectPolicy,
    ) -> None:
        assert isinstance(delivery.protocol, LiveProtocol)
        self.protocol: LiveProtocol = delivery.protocol
        self.delivery = delivery
        self.dispatcher: Dispatcher = delivery.dispatcher
        self.inbox: Inbox[LiveServerMessage] = delivery.inbox
        self._plan_for = plan_for
        self._new_reader = new_reader
        self._lock = threading.RLock()
        """Rank 0. Guards everything below. Reentrant: the garbage collector may drop a Session inside it, and that comes here."""
        self._outage = Outage(policy)
        self._outbox = Outbox(policy.outbox_bytes)
        self._past = Counters()
        """Of the connections before this one."""
        self._up = False
        """True while messages go straight to the connection; written under the lock, read without it by senders."""
        self._was_set_up = False
        """True once the connection of the moment was set up, so that its end is told."""
        self._over = False
        """True when no connection follows."""
        self._closing = False
        self._leaving = False
        """True when this client ends the connection because of a goAway."""
        self._leave_by: float | None = None
        self._turn_lost = False
        """True when the end of the last connection cut an answer off."""
        self._activity_lost = False
        """True when it cut an activity of the user off."""
        self._handle_used = False
        self._calling_back: threading.Thread | None = None
        """The thread that tells of an end: it is nobody's reader any more, or not yet, and must not wait for messages either."""
        delivery.set_up = self._set_up
        self._connection: Connection[LiveServerMessage] = Connection(
            plan, delivery, new_reader(), Succession(self._goes_on, self._look_ahead)
        )

    # What a session asks of a connection. Any thread.

    def open(self, deadline: Deadline) -> None:
        """As ``Connection.open``: the first connection is nobody's successor."""
        self._connection.open(deadline)

    def tell_end(self) -> None:
        """As ``Connection.tell_end``."""
        self._connection.tell_end()

    @property
    def pacing(self) -> Pacing | None:
        """As ``Connection.pacing``: a shared reader is that of all connections."""
        return self._connection.pacing

    @property
    def transport(self) -> Transport | None:
        """The transport of the moment; None while there is none."""
        return self._connection.transport

    @property
    def counters(self) -> Counters:
        """What went over the wire, all connections together."""
        return self._past.plus(self._connection.counters)

    @property
    def dropped(self) -> int:
        """Pieces of audio and video that did not fit into the outbox."""
        return self._outbox.dropped

    @property
    def is_reader_thread(self) -> bool:
        """True on the thread that calls back: a call that waits for messages would wait for itself."""
        return self._calling_back is threading.current_thread() or self._connection.is_reader_thread

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the session."""
        return self._connection.forked

    @property
    def close_info(self) -> CloseInfo | None:
        """How the session ended; None while it goes on, with or without a connection."""
        return self._connection.close_info if self._over or self._closing or self.forked else None

    def end_error(self) -> SessionClosed:
        """As ``Connection.end_error``."""
        return self._connection.end_error()

    def check_usable(self) -> None:
        """Raises the error of the end, if there was one, or of the fork."""
        if self.close_info is not None:
            self._connection.check_usable()

    def send(self, payload: Payload, kind: Sent = Sent.NOTHING, *, wait: bool = True, deadline: Deadline | None = None) -> None:
        """As ``Connection.send``; without a connection the message waits in the outbox, and this returns at once.

        Raises:
            OutboxFull: too much waits already; nothing was sent.
        """
        dead = None
        while True:
            connection = self._connection
            if self._up or self._over or self.forked:
                try:
                    return connection.send(payload, kind, wait=wait, deadline=deadline)
                except SessionClosed:
                    if self.forked or not self._may_go_on(connection):
                        self._close_for_all()
                        raise
                    dead = connection
            with self._lock:
                if self._over or (self._up and self._connection is not dead):
                    continue  # the end has come, or another connection
                self._go_down()
                self._outbox.put(payload, kind)
                self.protocol.note_sent(kind)
                return

    def _close_for_all(self) -> None:
        """From now on ``close_info`` says what a sender is about to be told; the reader, who ends the session, may come later."""
        if not self.forked:
            with self._lock:
                self._closing = True

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

    # What the connection of the moment tells. Its reader thread, or the thread that dials.

    def _set_up(self) -> None:
        """The connection can be used: sends what waited, then says so."""
        with self._lock:
            now = time.monotonic()
            again = self._outage.attempts > 0
            self._outage.opened(now)
            self._was_set_up = True
            self._send_waiting()
            reconnected = Reconnected(self._handle_used, now - self._outage.began, self._outage.attempts)
        if again:
            logger.info("reconnected after %.1f s", reconnected.seconds)
            self.delivery.announce(LiveServerMessage(reconnected=reconnected))
        else:
            self.delivery.tell_open()

    def _send_waiting(self) -> None:
        """Requires the lock, so that nobody's message overtakes one that waited."""
        try:
            if self._activity_lost:
                self._connection.send(ACTIVITY_START, Sent.ACTIVITY_START, wait=False)
                self._activity_lost = False
            while len(self._outbox):
                self._connection.send(self._outbox.first, wait=False)
                self._outbox.remove_first()
        except SessionClosed:  # lost again already: the rest waits for the next one
            return
        self._up = True

    def _goes_on(self) -> bool:
        """The connection has ended: True when another one follows, which is then on its way."""
        self._calling_back = threading.current_thread()
        with self._lock:  # one step: close() finds the connection that ended, or the one that follows
            ended, was_set_up = self._connection, self._was_set_up
            info = ended.close_info
            assert info is not None
            following = self._next_try(ended)
            if following is None:
                self._end()
                return False
            self._go_down()
            self._follow(ended, following)
        logger.info("%s; the next attempt follows in %.1f s", info, following.pause)
        if was_set_up:
            self._tell_lost(info)
        self._calling_back = None
        return self._begin_attempt(ended)

    def _begin_attempt(self, ended: Connection[LiveServerMessage]) -> bool:
        try:
            self._connection.continue_session(ATTEMPT_TIMEOUT)
        except RuntimeError:  # this process may start no more threads: what has ended stays the end
            logger.exception("reconnecting failed")
            with self._lock:
                self._connection = ended
                self._end()
            return False
        return True

    def _next_try(self, ended: Connection[LiveServerMessage]) -> Try | None:
        """Requires the lock."""
        if not self._may_go_on(ended):
            return None
        return self._outage.next_try(self._end_of(ended), self.protocol.resumption.handle, time.monotonic(), random.random())

    def _may_go_on(self, connection: Connection[LiveServerMessage]) -> bool:
        """True when an end of ``connection`` is not that of the session, as far as can be said before it is known when."""
        with self._lock:
            if connection is not self._connection:
                return True
            if self._over or self._closing or not self.delivery.opened.is_set() or self.protocol.state is State.FINISHING:
                return False
            return self._outage.goes_on(self._end_of(connection), self.protocol.resumption.handle)

    def _end_of(self, connection: Connection[LiveServerMessage]) -> End:
        info = connection.close_info
        assert info is not None
        announced = self._leaving or (self.protocol.going_away and info.sent_by is not SentBy.CLIENT)
        return End(info, connection.failure, announced)

    def _go_down(self) -> None:
        """Requires the lock. From now on messages wait; noted once, before the first of them is noted as a question."""
        if self._up:
            self._up = False
            self._activity_lost = self.protocol.activity_open
            self._turn_lost = self.protocol.lose_turn()

    def _follow(self, ended: Connection[LiveServerMessage], following: Try) -> None:
        """Requires the lock. Puts the next connection in the place of the one that ended."""
        self.protocol.replace()
        self._past = self._past.plus(ended.counters)
        self._leaving, self._leave_by, self._was_set_up = False, None, False
        self._handle_used = following.handle is not None
        succession = Succession(self._goes_on, self._look_ahead, following.pause, opens_session=False)
        self._connection = Connection(self._plan_for(following.handle), self.delivery, self._new_reader(), succession)

    def _tell_lost(self, info: CloseInfo) -> None:
        if not self.protocol.turn_open:
            self.delivery.turn_over.set()
        self.delivery.announce(LiveServerMessage(reconnecting=Reconnecting(info, self._turn_lost)))

    def _end(self) -> None:
        """Requires the lock. No connection follows."""
        self._over = True
        if len(self._outbox):
            logger.warning("the session ended without a connection; messages that were never sent: %d", len(self._outbox))

    def _look_ahead(self, now: float) -> float:
        """Replaces a connection that the service is about to end: between turns, or when no time is left to wait for that."""
        protocol = self.protocol
        if not protocol.going_away or self._closing or protocol.state is not State.OPEN:
            return _NEVER
        if self._leave_by is None:
            self._leave_by = leave_by(now, protocol.time_left)
        if protocol.resumption.handle is None or (protocol.answer_due and now < self._leave_by):
            return self._leave_by if now < self._leave_by else _NEVER
        self._leaving = True
        self._connection.begin_close(Deadline(FAREWELL))
        return now
