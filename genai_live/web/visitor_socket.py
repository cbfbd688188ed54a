"""A line over a bare socket that the web server has handed over: read by one thread for all visitors, which nothing here blocks.

That thread is the shared reader of the client where it has one, else a thread for all browsers. Any thread may send: it writes
what the socket takes at once, and leaves the rest to the reading thread.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable

from genai_live._connection.reader import ENDED, Reader
from genai_live._deadline import NEVER, Deadline
from genai_live._flag import Flag
from genai_live._network import frames
from genai_live._network.frames import FrameParser, Violation
from genai_live.web.line import GOODBYE, Taker, unread
from genai_live.web.outgoing import Outgoing
from genai_live.web.page_pace import STALL, Pace
from genai_live.web.wire_format import NORMAL

logger = logging.getLogger("genai_live")

PING_INTERVAL = 20.0
"""Seconds of silence after which the browser is asked whether it is there; it answers by itself."""
SILENCE_LIMIT = 40.0
"""Seconds of silence after which it is not: a closed lid, a lost network."""
MOST_BYTES = 64 * 1024
"""Bytes of one message: 2 s of sound; the page sends 40 ms at once."""
MOST_BESIDE = 128 * 1024
"""Bytes beside messages in ``BESIDE_SECONDS``: pings, pongs, heads of frames, and a message that is not whole yet. A page sends
6 kB. A flood of frames that are no messages costs the reading thread most, and takes nothing out of the allowance."""
BESIDE_SECONDS = 30.0
READ_BYTES = 16 * 1024
READS_IN_A_ROW = 8
"""Reads of one visitor before the others have their turn."""
PIECES = 8
"""Messages that are joined into one call of the socket."""

_FULL = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, InterruptedError)


class VisitorSocket:
    """One visitor: a ``line.Line``, and what a reader calls a ``Readable``.

    ``release`` is called once, at the end, with the socket; it closes it, or gives it back.
    """

    def __init__(
        self, sock: socket.socket, reader: Reader, release: Callable[[socket.socket], object] = socket.socket.close
    ) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # a Unix socket, behind a proxy
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.registered = 0
        self.needs_attention = False
        self._socket = sock
        self._fileno = sock.fileno()
        self._reader = reader
        self._release = release
        self._pending: Callable[[], int] | None = getattr(sock, "pending", None)
        """Bytes that a TLS socket holds in memory, where no selector sees them."""
        self._parser = FrameParser(MOST_BYTES, of_client=True)
        self._taker: Taker | None = None
        self._queue_lock = threading.Lock()
        """Rank 2. Guards what waits, and the one Close frame; held for microseconds."""
        self._outgoing = Outgoing()
        self._controls: list[bytes] = []
        """Pongs and pings, ahead of what waits."""
        self._close: bytes | None = None
        self._write_lock = threading.Lock()
        """Rank 1. Guards the socket's calls for writing, and of TLS those for reading too. Who sends does not wait for it: its
        owner looks once more after it (docs/reliability.md, "Hand-overs without a lock")."""
        self._written = b""
        """What is under way: bytes of frames that the socket has not taken yet."""
        self._heard = time.monotonic()
        self._pinged = False
        self._beside = 0
        """Bytes beside messages, since then: the next line."""
        self._beside_since = self._heard
        self._stalled: float | None = None
        """When the page took something last, while something waits for it."""
        self._pace = Pace()
        self._leave_by = NEVER
        """Until when the page may answer our Close frame."""
        self._said_goodbye = False
        self._broken: Exception | None = None
        self._is_over = False
        self._retired = Flag()

    # ``Line``.

    def begin(self, taker: Taker) -> None:
        """As of ``Line``."""
        if self._taker is None:
            self._taker = taker
            self._reader.take(self)

    def send(self, message: bytes | str) -> int:
        """As of ``Line``."""
        if self._stalled is None and self._send_now(message):
            return 0
        with self._queue_lock:
            if self._close is not None or self._is_over:
                return 0
            self._outgoing.put(message)
            slow = self._stalled is not None and self._pace.is_slow(time.monotonic())
            dropped = self._outgoing.keep_newest() if slow else 0
        if self._stalled is None:
            self._flush()
        return dropped

    def _send_now(self, message: bytes | str) -> bool:
        """Sends a message where nothing waits and nobody writes, as usual; False where it has to wait its turn."""
        if not self._write_lock.acquire(blocking=False):
            return False
        try:
            is_first = not (
                self._written or self._controls or self._outgoing.messages or self._close is not None or self._is_over
            )
            goes_on = is_first and self._push(_framed(message))
        finally:
            self._write_lock.release()
        if (goes_on or not is_first) and (self._controls or self._outgoing.messages or self._close is not None):
            self._flush()  # it came meanwhile, from a thread that found this one writing
        return is_first

    def drop_sound(self) -> None:
        """As of ``Line``."""
        with self._queue_lock:
            self._outgoing.drop_sound()

    def reported(self, seconds: float, flushes: int | None) -> None:
        """As of ``Line``. The socket itself tells what it takes."""

    def end(self, code: int, reason: str = "") -> None:
        """As of ``Line``."""
        with self._queue_lock:
            if self._close is None:
                self._close = frames.close_frame(code, reason, framed=frames.frame_of_server)
                self._leave_by = time.monotonic() + GOODBYE
        self._flush()
        self._ask()

    def wait(self, timeout: float | None) -> bool:
        """As of ``Line``. The reading thread does not wait: it would wait for itself."""
        return self._reader.is_current or self._retired.wait(timeout)

    # ``Readable``: the reading thread.

    @property
    def fileno(self) -> int:
        """Descriptor of the socket."""
        return self._fileno

    def dial(self, deadline: Deadline) -> bool:
        """It is open already."""
        return True

    def wanted(self) -> int:
        """Selector events to watch for, or ``ENDED``."""
        if self._is_over:
            return ENDED
        return selectors.EVENT_READ | (0 if self._stalled is None else selectors.EVENT_WRITE)

    def on_ready(self, events: int) -> None:
        """Takes what has come, and writes what waits."""
        if events & selectors.EVENT_WRITE:
            self._flush()
            self.needs_attention = True
        if events & selectors.EVENT_READ:
            self._read()

    def on_time(self, now: float) -> float:
        """Pings, and ends what is over."""
        if self._broken is not None:
            self._finish(self._broken)
        if self._is_over:
            return NEVER
        assert self._taker is not None
        due = self._taker.on_time(now)
        silent, stalled = now - self._heard, self._stalled
        if now >= self._leave_by:
            self._finish(None)
        elif silent >= SILENCE_LIMIT:
            self._finish(TimeoutError(f"no byte came from the page for {silent:.0f} s"))
        elif self._outgoing.is_stuck(stalled, now):
            self._finish(unread())
        elif silent >= PING_INTERVAL and not self._pinged:
            self._pinged = True
            self._control(frames.PING, b"")
        stall_ends = NEVER if stalled is None else stalled + STALL
        return min(due, self._leave_by, stall_ends, self._heard + (SILENCE_LIMIT if self._pinged else PING_INTERVAL))

    def fail(self, error: BaseException) -> None:
        """A defect of this library: logged, and the visit ends."""
        logger.error("a visitor's socket failed; the conversation ends", exc_info=error)
        self._is_over = self.needs_attention = True

    def retire(self) -> None:
        """The reader has let go of the socket."""
        self._is_over = True
        if self._retired.is_set():
            return
        with contextlib.suppress(OSError):
            self._release(self._socket)
        self._retired.set()
        assert self._taker is not None
        self._taker.gone(self._broken if isinstance(self._broken, TimeoutError) else None)

    # Inside.

    def _ask(self) -> None:
        self.needs_attention = True
        self._reader.attend(self)

    def _finish(self, error: Exception | None) -> None:
        self._broken = error
        self._is_over = self.needs_attention = True

    def _read(self) -> None:
        left = READS_IN_A_ROW
        while not self._is_over:
            try:
                data = self._socket.recv(READ_BYTES) if self._pending is None else self._read_tls()
            except _FULL:
                return
            except OSError as error:
                self._finish(error)
                return
            if not data:
                self._finish(None)
                return
            self._heard, self._pinged = time.monotonic(), False
            self._take(data)
            left -= 1
            if not (left > 0 and len(data) == READ_BYTES if self._pending is None else self._pending()):
                return

    def _read_tls(self) -> bytes:
        try:
            with self._write_lock:
                return self._socket.recv(READ_BYTES)
        finally:
            self._flush()  # whoever sent meanwhile has found the lock taken, and left it to this thread

    def _take(self, data: bytes) -> None:
        assert self._taker is not None
        parser = self._parser
        self._beside += len(data)
        while True:
            for opcode, payload in parser.feed(data):
                if opcode <= frames.BINARY:
                    self._beside -= len(payload)
                if opcode == frames.BINARY:
                    if self._close is None:
                        self._taker.take(bytes(payload))
                elif opcode == frames.TEXT:
                    self._take_text(payload)
                elif opcode == frames.PING:
                    self._control(frames.PONG, bytes(payload))
                elif opcode == frames.CLOSE:  # nothing follows
                    self._take_close(payload)
                    return
            if not parser.rest or self._is_over:
                break
            data = b""
        if self._beside > MOST_BESIDE:
            self._judge_beside()
        if parser.violation is not None and self._close is None:
            self._refuse(parser.violation)

    def _judge_beside(self) -> None:
        assert self._taker is not None
        if self._close is not None:  # no answer to our goodbye: the flood goes on
            self._finish(None)
        elif self._heard - self._beside_since < BESIDE_SECONDS:
            self._taker.flooded()
        self._beside, self._beside_since = 0, self._heard

    def _take_text(self, payload: bytes | bytearray) -> None:
        assert self._taker is not None
        if not frames.is_utf8(payload):
            self._refuse(Violation(frames.BAD_DATA, "a text that is not UTF-8"))
        elif self._close is None:
            self._taker.take(payload.decode())

    def _refuse(self, violation: Violation) -> None:
        logger.info("a page was let go: %s", violation.reason)
        self.end(violation.code, violation.reason)

    def _take_close(self, payload: bytes | bytearray) -> None:
        """The page's goodbye, or its answer to ours: nothing follows. Ours goes out if the socket takes it now."""
        code, _ = frames.read_close(payload)
        with self._queue_lock:
            self._outgoing.drop_sound()
            if self._close is None:
                answer = NORMAL if code == frames.NO_STATUS else code
                self._close = frames.close_frame(answer, framed=frames.frame_of_server)
        self._flush()
        if self._said_goodbye or self._stalled is not None:
            self._finish(None)
        else:  # another thread writes just now, and ours behind it
            self._leave_by = time.monotonic() + GOODBYE
            self._ask()

    def _control(self, opcode: int, payload: bytes) -> None:
        with self._queue_lock:
            del self._controls[PIECES:]  # a flood of pings fills no memory: the latest is answered (RFC 6455 section 5.5.3)
            self._controls.append(frames.frame_of_server(opcode, payload))
        self._flush()

    def _flush(self) -> None:
        """Writes as much of what waits as the socket takes; leaves it to the thread that writes at the moment, if one does."""
        while self._has_more() and self._write_lock.acquire(blocking=False):
            try:
                done = self._write()
            finally:
                self._write_lock.release()
            if not done:
                return

    def _has_more(self) -> bool:
        return not self._is_over and bool(
            self._written or self._controls or self._outgoing.messages or (self._close is not None and not self._said_goodbye)
        )

    def _write(self) -> bool:
        """Requires the write lock. Writes what waits; False when the socket takes no more."""
        while data := self._written or self._next():
            if not self._push(data):
                return False
            if self._stalled is None and not self._has_more():
                break
        if self._stalled is not None:
            self._pace.waits_no_more()
            self._stalled = None
            self._ask()
        return True

    def _push(self, data: bytes) -> bool:
        """Requires the write lock. Writes frames as far as the socket takes them; False where a rest is under way."""
        try:
            sent = self._socket.send(data)
        except _FULL:
            sent = 0
        except OSError as error:
            self._broken = error
            self._ask()
            return False
        self._written = data[sent:] if sent < len(data) else b""
        if self._written or self._stalled is not None:
            self._note_slow(sent)
        return not self._written

    def _note_slow(self, sent: int) -> None:
        """Requires the write lock. Something waits, or did until now."""
        now = time.monotonic()
        self._pace.waits(sent, now)
        if self._written and (sent or self._stalled is None):
            self._stalled = now
            self._ask()

    def _next(self) -> bytes:
        """Requires the write lock. The next frames, joined; empty when nothing waits."""
        with self._queue_lock:
            pieces, self._controls = self._controls, []
            if self._said_goodbye:  # no frame may follow a Close frame
                return b""
            while self._outgoing and len(pieces) < PIECES:
                pieces.append(_framed(self._outgoing.take()))
            if not self._outgoing and self._close is not None and not self._said_goodbye:
                self._said_goodbye = True
                pieces.append(self._close)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _framed(message: bytes | str) -> bytes:
    if isinstance(message, str):
        return frames.frame_of_server(frames.TEXT, message.encode())
    return frames.frame_of_server(frames.BINARY, message)
