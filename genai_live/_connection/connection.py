"""One session's connection: opened, set up, read, timed and ended by its reader thread; written to by the caller's threads.

The way of a message: ``on_ready`` -> ``Transport.read`` -> ``_take`` -> ``Delivery.take`` -> inbox and callbacks.
The way of an end: the first to see it decides its ``CloseInfo`` (``ending.py``), and ``retire`` notifies everybody, unless the
session goes on over another connection (``channel.py``).
"""

from __future__ import annotations

import logging
import selectors
import sys
import time
from collections import deque
from dataclasses import replace
from enum import Enum
from typing import Any, Generic, NamedTuple, NoReturn, Protocol

from genai_live import _process
from genai_live._base64_text import Payload
from genai_live._close_reasons import setup_error, setup_rejected
from genai_live._connection.delivery import Delivery
from genai_live._connection.ending import Ending
from genai_live._connection.keepalive import KeepAlive, Need
from genai_live._connection.outbox import Waiting
from genai_live._connection.protocol import BidiProtocol, Event, Opening, Sent, State
from genai_live._connection.questions import Question
from genai_live._connection.reader import ENDED, Reader, TooManyConnections
from genai_live._deadline import NEVER, Deadline
from genai_live._flag import Flag
from genai_live._network import frames
from genai_live._network.dial import Dialler, Plan
from genai_live._network.frames import Violation
from genai_live._network.transport import BATCH_BYTES, INTERRUPTED, READ_BYTES, Transport, TransportLost, WriteTimedOut
from genai_live._secret import redacted, without_frames
from genai_live.errors import NORMAL_CLOSURE, CloseInfo, ConnectError, Phase, SentBy, SessionClosed
from genai_live.types._server_messages import ServerMessage

wire_log = logging.getLogger("genai_live.wire")

_AUDIO = Sent.AUDIO
"""What is sent most; asking an Enum's class for a member takes time in every call (docs/performance.md)."""
_UNNOTED = (Sent.NOTHING, Sent.VIDEO, Sent.RESPONSE)
"""What leaves nothing to be noted when it goes out."""
BATCH_EVENTS = 8192
"""Frames after which a batch of ``BATCH_BYTES`` ends sooner: 512 KiB of empty ones are 262,144. Bursts of small texts stay below
it."""
BATCH_PART = 8
"""The part of ``queue_bytes`` that one batch may be, at least one read: it is held beside what waits."""
EVENT_BYTES = 128
"""Bytes that a frame costs which was read and not taken, beside its payload: two objects and its place among the others."""
LAST_BYTES = 1 << 25
"""Bytes among which a Close frame is looked for once nothing can be written: as much as a system's receive buffer holds. No time:
a callback on the way, or a busy machine, may take any."""
CLOSE_GRACE = 0.25
"""Seconds that close() adds to its timeout for the reader to notice it: the reader may be inside a callback."""


class Counters(NamedTuple):
    """What went over the wire."""

    messages_written: int = 0
    bytes_written: int = 0
    bytes_read: int = 0

    def plus(self, other: Counters) -> Counters:
        """The sums."""
        return Counters(*map(sum, zip(self, other, strict=True)))


class Owner(Protocol):
    """What a connection needs of the channel that it belongs to. Called on the reader thread, or on the one that dials."""

    def goes_on(self) -> bool:
        """Called once, at the end; True when another connection follows, so that no end is reported."""

    def look_ahead(self, now: float) -> float:
        """May begin to replace the connection; returns the next time (monotonic seconds) to be asked."""


class _Awaited(Enum):
    """By whom a connection is waited for until it is set up."""

    BY_CONNECT = "connect(), whose caller decides on retries and reports a failed attempt"
    NO_MORE = "nobody: Ctrl-C, or a signal, ended connect(), so that the connection reports its end by itself"
    BY_CHANNEL = "the session that it continues"


class _Outgoing:
    """A message on its way: tells the protocol when it goes out, or the calls that it answers: ``transport.Opening``."""

    def __init__(self, protocol: BidiProtocol[Any], message: Waiting) -> None:
        self.message = message
        self._protocol = protocol

    def written(self) -> None:
        _, kind, question, answers = self.message
        if answers is not None:
            answers.written()
        else:
            self._protocol.note_written(kind, question)

    def withdrawn(self) -> None:
        _, _, question, answers = self.message
        if answers is not None:
            answers.withdrawn()
        elif question is not None:
            self._protocol.note_withdrawn(question)


class Connection(Generic[ServerMessage]):
    """One connection of a session: the first, which ``open`` waits for, or one that follows after ``pause`` seconds."""

    def __init__(
        self,
        plan: Plan,
        delivery: Delivery[ServerMessage],
        reader: Reader,
        owner: Owner,
        pause: float | None = None,
    ) -> None:
        options = plan.options
        self.plan = plan
        self.reader = reader
        self.protocol: BidiProtocol[ServerMessage] = delivery.protocol
        self.delivery: Delivery[ServerMessage] = delivery
        self.transport: Transport | None = None
        self.registered = 0
        self.needs_attention = False
        self.ended = Flag()
        """Set when everybody was notified of the end."""
        self._ending = Ending()
        self._dialler = Dialler(plan)
        self._owner = owner
        self._pause = pause or 0.0
        """Seconds before it is dialled; its end cuts them short."""
        self._awaited = _Awaited.BY_CONNECT if pause is None else _Awaited.BY_CHANNEL
        self._open_by = Deadline(None)
        """Until when setupComplete must have come, where no ``connect()`` waits for it."""
        self._arrived: deque[frames.Event] = deque()
        """Read and not yet taken: while so much waits to be received that nothing more is taken, or while a callback runs."""
        self._given_up = False
        """True once this program has ended the connection, or the peer broke the protocol: what lies unread is not waited for."""
        self._write_failure = ""
        """Why a write failed, until the reader has looked for what the peer said last."""
        self._is_unsettled = False
        """True when a turn has left older questions open, as of the last read."""
        self._retired = False
        self._batch_bytes = min(BATCH_BYTES, max(READ_BYTES, options.queue_bytes / BATCH_PART))
        self._keepalive = KeepAlive(options.ping_interval, options.silence_limit)

    # Opening.

    def open(self, deadline: Deadline) -> None:
        """Starts the reader and waits for setupComplete. Caller's thread; Ctrl-C gives the attempt up.

        Raises:
            ConnectError: or one of its kinds; nothing is left behind.
        """
        # The reader dials on a thread of its own; this one waits for setupComplete, or for an end.
        handled = sys.exc_info()[1]  # by a caller that connects in an except block
        try:
            self.reader.start(self, deadline)
            deadline.wait(self.delivery.opened)
        except (RuntimeError, KeyError) as error:  # this process may start no more threads
            struck = error.__context__ if error.__context__ is not handled else None
            if struck is not None:
                self._awaited = _Awaited.NO_MORE
            self._give_up(f"{error} ({self.plan.safe_url})")
            if struck is not None:  # a signal struck in threading, which raised this in the place of it
                raise struck from None
        except BaseException:
            self._awaited = _Awaited.NO_MORE
            self._give_up(f"connecting was interrupted ({self.plan.safe_url})")
            raise
        # The time is up, and neither came.
        if self.protocol.state in (State.OPENING, State.SETUP) and self._ending.info is None:
            self._fail(self._dialler.took_too_long(self.phase, deadline))
            self._give_up("")
        # An end came: before setupComplete it is a failure, after it the session's to report.
        if self._ending.failure is None and self._ending.info is not None and not self.delivery.opened.wait(CLOSE_GRACE):
            raise setup_rejected(self._ending.info, self.plan.safe_url)  # an end was found at the same moment as this one
        if self._ending.failure is not None:
            # Without the frames of the thread that dialled: they hold credentials and sockets as long as somebody keeps the
            # error.
            raise without_frames(self._ending.failure)

    def continue_session(self, timeout: float) -> None:
        """Starts to dial after the pause, with ``timeout`` seconds for everything up to setupComplete; returns at once."""
        self._open_by = Deadline(self._pause + timeout)
        self.reader.start(self, self._open_by)

    @property
    def phase(self) -> Phase:
        """What the connection is doing."""
        return self._dialler.phase if self.protocol.state is State.OPENING else self.protocol.phase

    def dial(self, deadline: Deadline) -> bool:
        """Opens the transport and writes the setup message. Blocks; the thread that dials."""
        # The pause before another attempt: an end meanwhile is the end of it.
        if self._ending.decided.wait(self._pause):
            self.retire()
            return False
        try:
            self.transport = self._dialler.open(deadline, self.attend_soon)
            self.protocol.move(Event.UPGRADED)
            self._keepalive.heard(time.monotonic())
            self.transport.write(frames.message_frame(self.plan.setup), deadline.left())
            # From here on the reader waits for setupComplete.
        except BaseException as error:  # SystemExit too: the caller waits for this thread's word
            info = self._look_for_close_frame() if isinstance(error, TransportLost) else None
            failure = setup_rejected(info, self.plan.safe_url) if info else self._dialler.failure(error, self.phase)
        else:
            if self._ending.info is None:
                return True
            failure = ConnectError("", self.phase)  # given up meanwhile: the caller has its own error
        self._fail(failure)
        self.retire()
        return False

    def _fail(self, failure: ConnectError) -> None:
        """Ends an attempt that did not get as far as setupComplete; the first failure stands."""
        self._ending.decide(failure.close_info, failure=failure)

    def _give_up(self, words: str) -> None:
        """Ends an attempt from the caller's thread: what is under way fails soon, and cleans up after itself."""
        self._fail(ConnectError(words, self.phase))
        self._cut_off()

    # Reading: the reader thread.

    @property
    def fileno(self) -> int:
        """Descriptor of the socket."""
        assert self.transport is not None
        return self.transport.fileno

    def wanted(self) -> int:
        """Selector events to watch for, or ``ENDED``."""
        assert self.transport is not None
        if self._ending.is_over:
            return 0 if self._has_unread else ENDED
        reading = 0 if self._holding_back else selectors.EVENT_READ
        return reading | (selectors.EVENT_WRITE if self.transport.wants_flush else 0)

    @property
    def _holding_back(self) -> bool:
        """True while so much waits to be received that nothing more is read.

        What completes the setup is always read, and so is the Close frame that answers ours, behind what else the server sent.
        """
        return self.delivery.paused and self.protocol.state is not State.SETUP and not self._given_up

    @property
    def _has_unread(self) -> bool:
        """True while messages lie here that no selector knows of, and that their receiver is still to get."""
        assert self.transport is not None
        if self._ending.is_over:
            return not self._given_up and (bool(self._arrived) or self.transport.has_rest)
        return bool(self._arrived) or self.transport.has_unread

    def on_ready(self, events: int) -> None:
        """Takes what has arrived, and writes what waits."""
        assert self.transport is not None
        if events & selectors.EVENT_READ:
            self._read()
        if events & selectors.EVENT_WRITE:
            self._write_soon()
            self.needs_attention = True

    def _read(self) -> None:
        """Takes what has arrived, one batch at most; stops where so much waits to be received that the rest stays as it is."""
        assert self.transport is not None
        transport, left = self.transport, BATCH_EVENTS
        heard, most = transport.bytes_read, self._batch_bytes
        if self._is_unsettled:
            self._look(time.monotonic())  # the silence up to now counts
        try:
            goes_on = True
            while goes_on and left > 0 and transport.bytes_read < heard + most:
                if not self._arrived:
                    self._arrived.extend(transport.read(most))
                left -= len(self._arrived)
                self._take_arrived()
                if self._ending.process is not _process.current:
                    return  # a callback forked, and returned in the child: the bytes are the parent's
                goes_on = not self._arrived and (transport.has_rest or (transport.may_go_on and not self._ending.is_over))
            self.delivery.inbox.wake()
            if transport.failure is not None and not self._arrived:
                raise transport.failure
        except TransportLost as error:
            self._lose(frames.ABNORMAL, str(error))
        except Violation as violation:
            self._given_up = True
            self._arrived.clear()
            self._write_soon(frames.close_frame(violation.code, violation.reason))
            self._lose(violation.code, violation.reason)
        if heard != transport.bytes_read:
            self._keepalive.heard(time.monotonic())  # after the callbacks: their time is not the server's silence
        elif left < BATCH_EVENTS:
            self._keepalive.excuse(time.monotonic())
        self._is_unsettled = self.protocol.is_unsettled
        held_up = self.delivery.paused or transport.has_rest or self.delivery.failure is not None
        if held_up or self.protocol.going_away or self._is_unsettled:
            self.needs_attention = True

    def _take_arrived(self) -> None:
        arrived, delivery = self._arrived, self.delivery
        while arrived:
            if delivery.paused and self._holding_back:
                return
            opcode, payload = arrived.popleft()
            if opcode <= frames.BINARY:
                if not delivery.paused or not self._given_up:  # what comes after close() is kept up to the bound
                    delivery.take(opcode, payload)
            elif opcode == frames.PING:
                self._write_soon(frames.frame(frames.PONG, bytes(payload)))
            elif opcode == frames.CLOSE:
                self._take_close(payload)

    def _write_soon(self, frame: bytes = b"") -> None:
        """Writes without blocking. A failure ends nothing here: the peer's last words may be among what is still to be read."""
        assert self.transport is not None
        try:
            if frame and frame[0] == frames.FINAL | frames.PONG:
                self.transport.write_pong(frame)
            elif frame:
                self.transport.write_soon(frame)
            else:
                self.transport.flush()
        except TransportLost as error:
            self._write_failure = str(error)
            self.needs_attention = True

    def _take_close(self, payload: bytes | bytearray) -> None:
        info = self._close_info_in(payload)
        if self._ending.decide(info):
            answer = info.code if info.code != frames.NO_STATUS else NORMAL_CLOSURE
            self._write_soon(frames.close_frame(answer))
        self._ending.close_by = 0.0
        self.needs_attention = True

    def _lose(self, code: int, reason: str) -> None:
        """The connection is over without a Close frame of the server."""
        self._ending.decide(self.protocol.close_info(code, reason, SentBy.NETWORK))
        self._ending.close_by = 0.0
        self.needs_attention = True

    # Time: the reader thread.

    def on_time(self, now: float) -> float:
        """Keepalive, the limit of silence, the end of a close handshake; returns when to look again."""
        self.delivery.dispatcher.call_waiting()
        # After the end the peer's Close frame is waited for, and that what came before it is received.
        if self._ending.info is not None:
            if now >= self._ending.close_by:
                self._ending.close_by = 0.0
            return min(self._ending.close_by or NEVER, self._read_on(now) if self._has_unread else NEVER)
        # Ends that other threads or the setup have met.
        if self._write_failure:
            self._hear_last_words()
            return now
        if self.protocol.state is State.SETUP and self._setup_failed():
            return now
        # The channel may replace this connection, the ledger close questions.
        ahead = min(self._owner.look_ahead(now), self._look(now))
        if self._ending.info is not None:
            return now
        # Reading, or a reason not to; then the next ping, and the limit of silence.
        if self._holding_back or self._has_unread:
            self._keepalive.excuse(now)  # nothing was read, so nothing can be said about the server
            return min(ahead, self._read_on(now))
        left = self._open_by.left() if self.protocol.state is State.SETUP else None
        return min(self._keep_alive(now), ahead, NEVER if left is None else now + left)

    def _read_on(self, now: float) -> float:
        """Takes bytes that were read and not cut into messages, once there is room; returns when to look again.

        No selector reports them: frames that were left, and what came in one TLS record with the answer to the upgrade. A
        receiver that has caught up wakes the reader.
        """
        if self._holding_back and self.delivery.still_full():
            return NEVER
        if self._has_unread:
            self._read()
        return NEVER if self._holding_back else now

    def _setup_failed(self) -> bool:
        """Ends an attempt whose setup was answered with an error, or not in time."""
        if self.delivery.failure is not None:
            self._fail(setup_error(self.delivery.failure, self.plan.safe_url))
        elif self._open_by.passed:
            self._fail(self._dialler.took_too_long(self.phase, self._open_by))
        return self._ending.info is not None

    def _look(self, now: float) -> float:
        """Lets the protocol do what time brings about."""
        look_again = self.protocol.look(now)
        self.delivery.pass_on_notes()
        self.delivery.inbox.wake()
        return look_again

    def _keep_alive(self, now: float) -> float:
        need, look_again = self._keepalive.look(now)
        if need is Need.PING:
            self._write_soon(frames.frame(frames.PING, b""))
        elif need is Need.END:
            silence = self._keepalive.silence(now)
            self._read()  # a shared reader may have been kept by another session while bytes came
            if self._keepalive.silence(now) >= silence:
                self._lose(frames.ABNORMAL, f"no byte came for {silence:.0f} s (http_options silence_limit)")
        return look_again

    def _hear_last_words(self) -> None:
        """A write has failed, so nothing more will come; but what came before may hold a Close frame that says why."""
        assert self.transport is not None
        transport, heard = self.transport, -1
        until = transport.bytes_read + LAST_BYTES
        while transport.has_rest or heard != transport.bytes_read:
            if self._ending.info is not None or self._holding_back or transport.bytes_read >= until:
                break
            heard = transport.bytes_read
            self._read()
            if self._ending.process is not _process.current:
                return  # as in _read
        info = self._look_for_close_frame() if self._ending.info is None and self._holding_back else None
        self._ending.decide(info or self._write_failed(transport, self._write_failure))
        self._lose(frames.ABNORMAL, "")

    # Ending.

    def retire(self) -> None:
        """Closes the socket and notifies everybody of the end. The reader thread, or the one that dialled in vain; once."""
        info = self._ending.info
        assert info is not None
        if self._retired:
            return
        self._retired = True
        if self.transport is not None:
            self.transport.shut()
            self.transport.release()
        if self.protocol.state is State.SETUP and self._ending.failure is None:
            refused = self.delivery.failure
            self._ending.failure = (
                setup_rejected(info, self.plan.safe_url) if refused is None else setup_error(refused, self.plan.safe_url)
            )
        if not self._is_followed():
            self.protocol.move(Event.ENDED)
            self.delivery.end()
            if self._ending.failure is None or self._awaited is not _Awaited.BY_CONNECT:
                self.report_end()
        self.ended.set()

    def _is_followed(self) -> bool:
        try:
            return self._owner.goes_on()
        except Exception:  # a defect of this library: the session ends, rather than hang
            logging.getLogger("genai_live").exception("going on failed; the session ends")
            return False

    def explain_end(self, words: str) -> None:
        """Has the error of the end say why no other connection follows. Before anybody is notified."""
        self._ending.note = words

    def report_end(self) -> None:
        """Calls the callbacks that are for the end. The thread that retires the connection, or the one whose connect() failed."""
        info, callbacks = self._ending.info, self.delivery.dispatcher.callbacks
        assert info is not None
        if self._ending.failure is not None or not info.clean:
            opening = self._ending.failure is not None and self._awaited is not _Awaited.BY_CHANNEL
            self.delivery.dispatcher.call(callbacks.on_error, self._ending.failure if opening else self.end_error())
        self.delivery.dispatcher.call(callbacks.on_close, info)

    def fail(self, error: BaseException) -> None:
        """Ends the connection for a defect of this library: reported like every other end, never a silent stop."""
        if isinstance(error, TooManyConnections):  # no defect
            self._lose(frames.ABNORMAL, str(error))
            return
        self._given_up = True
        logging.getLogger("genai_live").error("the reader failed; the session ends", exc_info=error)
        self._lose(frames.ABNORMAL, f"internal error: {type(error).__name__}: {error}")

    def close(self, deadline: Deadline) -> None:
        """Ends the connection now: sends a Close frame and waits for the peer's. Any thread; the reader thread does not wait."""
        if self.forked:
            if self.transport is not None:
                self.transport.forget()
            return
        self._given_up = True
        self.begin_close(deadline)
        if self.reader.is_current:
            return
        left = deadline.left()
        if not Deadline(None if left is None else left + CLOSE_GRACE).wait(self.ended):
            if self.transport is not None:
                self.transport.shut()
            self.delivery.inbox.end()  # the reader is inside a callback, and who receives should not have to wait for that
        self.reader.join(Deadline(CLOSE_GRACE))

    def begin_close(self, deadline: Deadline) -> None:
        """Ends the connection and waits only until one Close frame is written; the reader thread does not even do that."""
        if self.transport is not None:
            self._say_goodbye(self.transport, deadline)
        elif self._awaited is not _Awaited.BY_CHANNEL:
            self._give_up("closed while connecting")
        else:
            self._ending.decide(self.protocol.close_info(NORMAL_CLOSURE, "", SentBy.CLIENT))
            self._dialler.abort()

    def _say_goodbye(self, transport: Transport, deadline: Deadline) -> None:
        left = deadline.left()
        patience = self._keepalive.silence_limit if left is None else left
        if not self._ending.decide(self.protocol.close_info(NORMAL_CLOSURE, "", SentBy.CLIENT), time.monotonic() + patience):
            self.attend_soon()  # it may wait for a receiver
            return
        self.protocol.move(Event.CLOSE_ASKED)
        frame = frames.close_frame(NORMAL_CLOSURE)
        try:
            if self.reader.is_current:
                transport.write_soon(frame)
            else:
                transport.write(frame, deadline.left())
        except TransportLost:
            self._ending.close_by = 0.0
        self.attend_soon()

    def abort(self, reason: str = "aborted by this program") -> None:
        """Ends the connection without a word. Any thread, never blocks."""
        if self.forked:
            return
        self._given_up = True
        self._ending.decide(self.protocol.close_info(frames.ABNORMAL, reason, SentBy.CLIENT))
        self._cut_off()

    def _cut_off(self) -> None:
        """Nothing is waited for any more, neither of the attempt nor of the peer. Any thread, never blocks."""
        self._ending.close_by = 0.0
        self._dialler.abort()
        if self.transport is not None:
            self.transport.shut()
        self.attend_soon()

    def give_up(self) -> None:
        """Nobody will receive what lies unread: an end that waits for that comes now. Any thread, never blocks."""
        self._given_up = True
        if not self.ended.is_set():
            self.attend_soon()

    def attend_soon(self) -> None:
        """Has the reader look at this connection now. Any thread, never blocks."""
        self.needs_attention = True
        self.reader.attend(self)

    # Writing: any thread.

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the connection."""
        return self._ending.forked

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended; None while it is open. A child of the process that opened it has an end of its own."""
        return self._ending.seen_while(self.protocol.phase, turn_open=self.protocol.turn_open)

    @property
    def failure(self) -> ConnectError | None:
        """Why it was never set up."""
        return self._ending.failure

    def check_usable(self) -> None:
        """Raises the error of the end, if there was one, or of the fork."""
        if self.close_info is not None:
            raise self.end_error()

    def end_error(self) -> SessionClosed:
        """A new error for the end of the connection."""
        info = self.close_info
        assert info is not None
        return self._ending.error(info)

    @property
    def counters(self) -> Counters:
        """What went over the wire so far."""
        transport = self.transport
        if transport is None:
            return Counters()
        return Counters(transport.messages_written, transport.bytes_written, transport.bytes_read)

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
        """Writes one text message. Blocks while the peer does not read, up to the write timeout; ``wait=False`` never blocks.

        A ``deadline`` that passes before that ends only the wait: what is left of a frame that has begun goes out later.

        Raises:
            SessionClosed: or one of its kinds; the message was not delivered.
            TimeoutError: the deadline passed.
        """
        frame = frames.message_frame(payload)
        if self._ending.info is not None or self._ending.process is not _process.current:
            self.check_usable()
        transport = self.transport
        assert transport is not None
        opening = None
        if kind is _AUDIO:
            sound = self.protocol.sound
            sound.sent, sound.ended = True, False
        elif answers is not None or kind not in _UNNOTED:
            opening = _Outgoing(self.protocol, Waiting(payload, kind, question, answers))
        try:
            if wait:
                transport.write(frame, self.plan.options.write_timeout, deadline, opening)
            else:
                self._send_soon(transport, frame, opening)
        except BaseException as error:
            self._note_unwritten(transport, error)
            raise
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("> %d bytes", len(payload))

    def _send_soon(self, transport: Transport, frame: frames.Frame, opening: _Outgoing | None) -> None:
        """Writes without waiting. What went out before the connection was lost is lost with it, and not refused."""
        try:
            transport.write_soon(frame, opening)
        except TransportLost:
            if not transport.take_back(frame):
                return
            if opening is not None:
                opening.withdrawn()
            raise

    def _note_unwritten(self, transport: Transport, error: BaseException) -> None:
        """A write failed or was left early. Raises the end, if it is one."""
        if isinstance(error, TransportLost):
            self._lose_while_writing(transport, error, Deadline(self.plan.options.write_timeout))
        if transport.interrupted:
            self.abort(f"writing failed: {INTERRUPTED}")

    def unwritten(self) -> list[Waiting]:
        """Questions and answers of senders that did not wait, which never went out whole."""
        left = [] if self.transport is None else self.transport.unwritten
        messages = [opening.message for opening in left if isinstance(opening, _Outgoing)]
        return [message for message in messages if message.question is not None or message.answers is not None]

    def _lose_while_writing(self, transport: Transport, error: TransportLost, deadline: Deadline) -> NoReturn:
        """Raises the error of the end. A peer that closed says why in bytes that are still to be read: they decide."""
        if self._ending.info is None and not isinstance(error, WriteTimedOut):
            info = self._look_for_close_frame() if self.reader.is_current else None
            if info is not None:
                self._ending.decide(info)
            elif not self.reader.is_current:
                self._write_failure = self._write_failure or str(error)
                self.attend_soon()
                self._ending.decided.wait(deadline.left())  # at once, unless the reader is inside a callback
        if self._ending.decide(self._write_failed(transport, self._write_failure or str(error))):
            transport.shut()
        self.attend_soon()
        self.check_usable()
        raise AssertionError("an end was decided, so there is an error to raise")

    def _write_failed(self, transport: Transport, words: str) -> CloseInfo:
        sent_by = SentBy.CLIENT if transport.interrupted else SentBy.NETWORK
        return self.protocol.close_info(frames.ABNORMAL, f"writing failed: {words}", sent_by)

    def _look_for_close_frame(self) -> CloseInfo | None:
        """Reads ahead, in a callback or before the reader runs: the messages on the way to the Close frame stay for later."""
        assert self.transport is not None
        transport = self.transport
        heard, room = -1, max(self.plan.options.queue_bytes / 2, BATCH_BYTES)
        while (transport.has_rest or heard != transport.bytes_read) and room > 0:
            heard = transport.bytes_read
            read = transport.read(READ_BYTES)
            self._arrived.extend(read)
            room -= transport.bytes_read - heard + len(read) * EVENT_BYTES
        payload = next((payload for opcode, payload in self._arrived if opcode == frames.CLOSE), None)
        return None if payload is None else self._close_info_in(payload)

    def _close_info_in(self, payload: bytes | bytearray) -> CloseInfo:
        code, reason = frames.read_close(payload)
        info = self.protocol.close_info(code, redacted(reason, self._dialler.secrets), SentBy.SERVER)
        assert self.transport is not None
        # A message that has begun is lost: no clean end, whatever the code says.
        return replace(info, turn_open=True) if info.clean and self.transport.within_a_message else info
