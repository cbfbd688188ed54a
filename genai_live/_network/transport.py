"""One WebSocket after the upgrade: whole frames out, messages in. The reader thread reads; any thread writes.

OpenSSL forbids SSL_read and SSL_write on one connection from two threads at once, and CPython does not prevent it: a TLS
connection read by one thread and written by others breaks within seconds. So the socket is non-blocking, one lock stands
around each call into it, and every wait happens outside that lock. Plain sockets take the same path. Once connected,
OSErrors of the socket are caught here and named.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Protocol

from genai_live._deadline import Deadline
from genai_live._network.frames import CLOSE, EVENTS_AT_ONCE, FINAL, Event, Frame, FrameParser, Violation
from genai_live._network.tcp import shut_down, words_in

if TYPE_CHECKING:
    import websocket

READ_BYTES = 65_536
"""Bytes asked for in one read: several audio messages at once, and below the 128 KiB from which malloc maps fresh pages."""
BATCH_BYTES = 8 * READ_BYTES
"""Bytes after which what came is handed on, and other connections of the same reader get their turn. With half as many
the receiver is woken more often; twice as many do not stay in a core's cache on a busy machine (docs/performance.md)."""
TLS_RECORD_BYTES = 16_384
"""What one TLS record holds at most (RFC 8446 section 5.1); OpenSSL returns at most one record from a read."""
_BURST_RECORDS = 4
"""TLS records read in a row from which more are expected behind one that is not full: a record ends where the peer's write did,
with another behind it. To stop there costs wake-ups (docs/performance.md)."""
_RETRY_AFTER = 0.05
"""Seconds after which a write that OpenSSL wants to read for is tried again: the reader may have taken the bytes it waits for."""

INTERRUPTED = "a write was interrupted, and how much of it went out is not known"
"""Why a connection ends when Ctrl-C comes while the socket is called, some microseconds of every write."""
_CLOSED = "the connection is closed"

_CLOSE_HEAD = FINAL | CLOSE
"""First byte of a Close frame."""


class TransportLost(Exception):
    """The connection cannot be used any more; the text says why. Never leaves the package."""


class WriteTimedOut(TransportLost):
    """The peer did not read in time; half a frame may be out, so the connection is over."""


class _Patience:
    """How long a write may wait: for its caller, and before the connection counts as dead."""

    def __init__(self, limit: float | None, deadline: Deadline | None) -> None:
        self._limit = Deadline(limit)
        self._deadline = Deadline(None) if deadline is None else deadline

    def left(self) -> float | None:
        """Seconds; None for no limit."""
        lefts = [left for left in (self._limit.left(), self._deadline.left()) if left is not None]
        return min(lefts, default=None)

    def raise_if_over(self, words: str) -> None:
        """Raises WriteTimedOut when the limit passed, else TimeoutError when the deadline did."""
        if self._limit.passed:
            raise WriteTimedOut(words or f"the peer has not read for {self._limit.seconds:g} s")
        if self._deadline.passed:
            raise TimeoutError


class Opening(Protocol):
    """What is to be known of a frame that means something for later ones."""

    def written(self) -> None:
        """The frame goes out: called by the owner of the send lock, just before its first byte; twice after an interrupt."""

    def withdrawn(self) -> None:
        """Nothing of it went out, or will, after all."""


class _Incoming:
    """The half of a transport that reads: the reader thread's alone, but for the socket, around which stands the call lock."""

    may_go_on = False
    """True when another ``read`` would return more, as far as is known."""
    has_rest = False
    """True when something was received that ``read`` has not returned: its messages, or what they begin with."""
    failure: TransportLost | Violation | None = None
    """Why nothing more can be read."""

    def __init__(self, sock: socket.socket, max_message_bytes: int) -> None:
        self.bytes_read = 0
        self._socket = sock
        self._call_lock = threading.RLock()
        """Rank 2, taken inside rank 1. Guards the socket: held for one call that cannot block. It knows its owner: Python 3.10
        leaves a ``with`` without letting go where Ctrl-C comes while another exception is on its way, as of a full socket."""
        self._parser = FrameParser(max_message_bytes)
        self._pending: Callable[[], int] | None = getattr(sock, "pending", None)
        """Bytes that a TLS socket holds in memory, where no selector sees them; a plain one has none."""
        self._full_read = READ_BYTES if self._pending is None else TLS_RECORD_BYTES
        """Bytes of a read behind which more may wait; a shorter one emptied the socket, and saves a call that finds nothing."""
        self._in_a_row = 0
        """Reads that brought something, since the last one behind which nothing more was expected."""

    def read(self, most: float = BATCH_BYTES) -> list[Event]:
        """Returns what has arrived, without blocking: about ``most`` bytes, and of many small frames fewer.

        ``may_go_on`` says whether to ask again at once. What came whole before an end is returned; ``failure`` is that end.
        """
        events: list[Event] = []
        parser, until = self._parser, self.bytes_read + most
        self.may_go_on = True
        while self.may_go_on and self.bytes_read < until and len(events) < EVENTS_AT_ONCE:
            data = b"" if parser.rest else self._receive()
            if data or parser.rest:
                events += parser.feed(data)
            else:
                self._in_a_row = 0
            if parser.violation:
                self.failure = self.failure or parser.violation
            self.has_rest = bool(parser.rest)
            self.may_go_on = self.failure is None and (self._in_a_row > 0 or self.has_rest)
        return events

    def _receive(self) -> bytes:
        try:
            with self._call_lock:
                data = self._socket.recv(READ_BYTES)
                unread = self._pending is not None and self._pending() > 0
        except (BlockingIOError, ssl.SSLWantReadError, InterruptedError, ssl.SSLWantWriteError):
            return b""
        except (OSError, ValueError) as error:
            self.failure = self.failure or TransportLost(words_in(error))
            return b""
        if not data:
            self.failure = self.failure or TransportLost("the peer closed the connection without a Close frame")
            return b""
        self.bytes_read += len(data)
        self._in_a_row += 1
        goes_on = unread or len(data) >= self._full_read or (self._pending is not None and self._in_a_row >= _BURST_RECORDS)
        if not goes_on:
            self._in_a_row = 0
        return data

    @property
    def within_a_message(self) -> bool:
        """True when the peer has begun a message and not ended it."""
        return self._parser.within_a_message

    @property
    def has_unread(self) -> bool:
        """True when bytes have arrived that do not make the descriptor readable."""
        if self.has_rest or self._pending is None:
            return self.has_rest
        with self._call_lock:
            return self._pending() > 0


class Transport(_Incoming):
    """Reads and writes one upgraded connection.

    ``want_write`` is called, from any thread, when bytes wait that only the reader can write later; the reader then watches for
    writability and calls ``flush``.
    """

    def __init__(self, websocket: websocket.WebSocket, max_message_bytes: int, want_write: Callable[[], None]) -> None:
        sock = websocket.sock
        assert sock is not None
        sock.setblocking(False)
        super().__init__(sock, max_message_bytes)
        self.websocket = websocket
        self.fileno = sock.fileno()
        self.bytes_written = 0
        self.messages_written = 0
        self._want_write = want_write
        self._send_lock = threading.RLock()
        """Rank 1. Guards the order of frames and ``_frame``: held while one frame goes out, also while the peer is slow.
        Reentrant, so that it knows its owner: a signal handler may send while its own thread does."""
        self._owns_send_lock: Callable[[], bool] = self._send_lock._is_owned  # type: ignore[attr-defined]
        """Asks the lock, as threading.Condition does: Ctrl-C may come after it was taken and before this program has noted
        that."""
        self._writing = False
        """True while a thread that holds the send lock may wait for the peer, and will write what others leave."""
        self._soon: deque[tuple[Frame, Opening | None]] = deque()
        """Frames that no thread waits for, such as paced audio: the thread with the send lock writes them before it lets go, and
        looks once more after it. That rests on no store being passed by a later load (docs/reliability.md, "Hand-overs without a
        lock")."""
        self._pong: deque[bytes] = deque(maxlen=1)
        """The answer to the latest ping, likewise: RFC 6455 section 5.5.3 asks for no more, and a flood fills no memory."""
        self._frame: Frame = b""
        """The frame that is under way; empty when none is."""
        self._sent = 0
        """Bytes of it that went out. Each of the two is written in one step, so that Ctrl-C finds them right at any moment."""
        self._sent_before = 0
        self._counts: list[int] = []
        """How many bytes the last call wrote, until that is noted: a list, because C code can append to it in the same step."""
        self._opened: Opening | None = None
        """The ``opening`` of the frame that ``write`` has begun last."""
        self._left_opening: Opening | None = None
        """That of the frame under way, where nobody waits for it."""
        self._send, self._may_tear = _sender(sock)
        self._torn = False
        """True while a call is under way that may write and then be interrupted before it says how much."""
        self.interrupted = False
        """True when that has happened: this program ended the connection, not the network."""
        self._lost = ""
        """Why nothing can be written any more."""
        self._said_goodbye = False
        """True once a Close frame is out, or under way."""

    # Writing: any thread.

    def write(self, frame: Frame, limit: float | None, deadline: Deadline | None = None, opening: Opening | None = None) -> bool:
        """Writes one whole frame; blocks while the peer does not read, for ``limit`` seconds at most.

        ``opening`` is notified before the first byte, and when none will follow. A Ctrl-C meanwhile, and a ``deadline``
        that passes, leave the rest of the frame to the next writer or the reader: half a frame cannot be taken back. A signal
        handler that writes while its own thread does has its frame written behind the one under way, and gets False.

        Raises:
            TransportLost: the connection is over, or the limit passed (``WriteTimedOut``), which ends it too.
            TimeoutError: the deadline passed.
        """
        # A signal handler above this thread's own write: the frame goes behind it.
        if self._owns_send_lock() and self._is_writing_below():
            self._soon.append((frame, opening))
            return False
        try:
            try:
                # Alone, and behind what waits: the rest of a frame that was cut, pongs, paced sound.
                if not self._send_lock.acquire(blocking=False):  # nearly always free: the clock is not looked at
                    self._wait_for_lock(_Patience(limit, deadline))
                self._writing = True
                if self._frame or self._soon or self._pong:
                    self._write_waiting(_Patience(limit, deadline))
                # The question is on its way before its first byte is: its answer may come while this thread still writes.
                if opening is not None:
                    opening.written()
                self._begin(frame)
                self._opened = opening
                if not self._write_some():
                    self._write_slowly(_Patience(limit, deadline))
            except BaseException as error:
                self._leave(error, frame, opening)
                raise
            finally:
                if self._owns_send_lock():
                    self._writing = False
                    self._send_lock.release()
            if self._soon or self._pong:  # put there while the lock was held: its owner could not write it
                with contextlib.suppress(TransportLost):  # this frame is out; the reader, which is asked to write, meets the loss
                    self.flush()
        except BaseException:
            self._let_go()
            raise
        return True

    def write_soon(self, frame: Frame, opening: Opening | None = None) -> None:
        """Writes one frame without ever blocking: now if the socket takes it, else when it can.

        Raises:
            TransportLost: the connection is over.
        """
        self._soon.append((frame, opening))
        self.flush()

    def _let_go(self) -> None:
        """A write or flush failed, or was interrupted at any moment: keeps nobody out, and has the reader write what waits."""
        while self._call_lock._is_owned():  # type: ignore[attr-defined]
            self._call_lock.release()
        while self._owns_send_lock():
            self._writing = False
            self._send_lock.release()
        if self._frame or self._soon or self._pong:
            self._want_write()

    def _leave(self, error: BaseException, frame: Frame, opening: Opening | None) -> None:
        """A write ends early. Asked while the lock is held: later somebody else may have finished the frame."""
        if opening is not None:
            begun = self._frame is frame or self._opened is opening
            if isinstance(error, TransportLost) or not begun:
                opening.withdrawn()
        if not isinstance(error, Exception):
            self.interrupted = self._owns_send_lock() and self._torn and not self._counts

    def _wait_for_lock(self, patience: _Patience) -> None:
        while not Deadline(patience.left()).acquire(self._send_lock):
            patience.raise_if_over("another thread's frame could not be written in time")

    def write_pong(self, frame: bytes) -> None:
        """Like ``write_soon``, in place of an earlier pong that still waits."""
        self._pong.append(frame)
        self.flush()

    def flush(self) -> None:
        """Writes what waits, as far as the socket takes it; returns at once when another thread is writing."""
        while self._soon or self._frame or self._pong:
            if self._owns_send_lock() and self._is_writing_below():
                return  # a signal handler: the write that it interrupts goes on with what waits
            try:
                try:
                    if not self._send_lock.acquire(blocking=False):
                        return
                    done = self._write_waiting(None)
                finally:
                    if self._owns_send_lock():
                        self._send_lock.release()
            except BaseException:
                self._let_go()
                raise
            if not done:
                self._want_write()
                return

    def _is_writing_below(self) -> bool:
        """True in a signal handler that interrupts a write of this thread. Requires the send lock.

        Otherwise an exception that came between two lines, as a debugger may raise one, has kept the lock from its release: it is
        released here.
        """
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code in _WRITERS and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back  # type: ignore[assignment]
        while self._owns_send_lock():
            self._send_lock.release()
        return False

    @property
    def waiting_bytes(self) -> int:
        """Bytes that ``write_soon`` took and the socket did not yet."""
        if not (self._frame or self._soon):  # as a rule; asked with each chunk of sound
            return 0
        return max(0, len(self._frame) - self._sent) + sum(len(frame) for frame, _ in tuple(self._soon))

    @property
    def unwritten(self) -> list[Opening]:
        """The openings of frames that nobody waited for and that never went out whole, once the connection is over."""
        waiting = [opening for _, opening in tuple(self._soon) if opening is not None]
        begun = self._left_opening if self._frame else None
        return waiting if begun is None or begun in waiting else [begun, *waiting]

    def take_back(self, frame: Frame) -> bool:
        """Once the connection is over: forgets a frame that nobody waited for; False when it went out whole before."""
        waiting = [entry for entry in tuple(self._soon) if entry[0] is frame]
        for entry in waiting:
            with contextlib.suppress(ValueError):  # another thread writes it just now, and meets the loss
                self._soon.remove(entry)
        if self._frame is frame:
            self._left_opening = None
        return bool(waiting) or self._frame is frame

    @property
    def wants_flush(self) -> bool:
        """True when bytes wait and no thread is about to write them."""
        return bool(self._soon or self._frame or self._pong) and not self._writing

    def _write_waiting(self, patience: _Patience | None) -> bool:
        """Requires the send lock. False when the socket is full and there is no patience to wait."""
        if self._frame:
            self._open_first()  # an interrupt came between this and its beginning
            if not (self._write_some() or self._write_slowly(patience)):
                return False
        while self._pong or self._soon:
            if self._pong:
                self._begin(self._pong.popleft())
            else:
                self._begin(self._soon[0][0])
                self._open_first()
            if not (self._write_some() or self._write_slowly(patience)):
                return False
        return True

    def _open_first(self) -> None:
        """Requires the send lock. The frame under way waits no longer, if it is one that nobody waited for."""
        if self._soon and self._soon[0][0] is self._frame:
            opening = self._soon[0][1]
            if opening is not None:
                opening.written()
            self._left_opening = opening
            self._soon.popleft()

    def _begin(self, frame: Frame) -> None:
        """Requires the send lock, and that no frame is under way."""
        if self._said_goodbye:  # RFC 6455 section 5.5.1: no frame may follow a Close frame
            raise TransportLost("a Close frame has been sent")
        self._said_goodbye = isinstance(frame, bytes) and frame[0] == _CLOSE_HEAD
        self._counts.clear()
        self._torn = False
        self._sent = 0
        self._left_opening = None
        self._frame = frame

    def _write_slowly(self, patience: _Patience | None) -> bool:
        """Requires the send lock. Waits for the peer to read, as often as it takes; False without patience."""
        if patience is None:
            return False
        try:
            with selectors.DefaultSelector() as selector:  # not select(): descriptors may be above 1023
                selector.register(self.fileno, selectors.EVENT_WRITE)
                while not self._write_some():
                    left = patience.left()
                    if left == 0:
                        patience.raise_if_over("")
                    selector.select(_RETRY_AFTER if left is None else min(left, _RETRY_AFTER))
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:  # no descriptor for the selector, or the socket was closed meanwhile
            raise TransportLost(words_in(error)) from error
        return True

    def _write_some(self) -> bool:
        """Requires the send lock. Writes as much of the frame under way as the socket takes; True when all of it is out."""
        while self._frame:
            frame = self._frame
            if self._counts:  # what the last call wrote, which may have been interrupted behind it
                self._sent = self._sent_before + self._counts[0]
                if self._sent == len(frame):
                    self._frame = b""
                    self.messages_written += 1
                self.bytes_written += self._counts[0]
                self._counts.clear()
                continue
            if self._lost or self._torn:
                raise TransportLost(self._lost or INTERRUPTED)
            sent = self._sent_before = self._sent
            if not isinstance(frame, bytes):
                piece: bytes | bytearray | memoryview = frame.from_byte(sent)
            else:
                piece = memoryview(frame)[sent:] if sent else frame
            call = map(self._send, (piece,))
            try:
                # On one line: what raises between two lines of a thread, as a debugger may, cannot keep it from the release.
                with self._call_lock: self._call(call)  # fmt: skip # noqa: E701
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError, InterruptedError):
                self._torn = False
                return False
            except (OSError, ValueError) as error:
                self._lost = words_in(error)
                raise TransportLost(self._lost) from error
        return True

    def _call(self, call: Iterator[int]) -> None:
        """Requires the call lock."""
        if self._lost:
            raise TransportLost(self._lost)
        self._torn = self._may_tear
        # One step of C, which writes and records: a signal handler that raises does so before it or behind it.
        self._counts.extend(call)
        self._torn = False

    # Ending.

    def shut(self) -> None:
        """Ends the connection for every thread that waits on it; the descriptor stays until ``release``. Never blocks."""
        self._lost = self._lost or _CLOSED
        shut_down(self._socket)

    def release(self) -> None:
        """Closes the descriptor; in a forked child this leaves the parent's connection alone."""
        self._lost = self._lost or _CLOSED
        with self._call_lock:
            self._socket.close()

    def forget(self) -> None:
        """Closes the descriptor in a forked child, where a lock may be held by a thread that does not exist."""
        self._lost = self._lost or _CLOSED
        self._socket.close()


_WRITERS = (Transport.write.__code__, Transport.flush.__code__)
"""What holds the send lock."""


def _sender(sock: socket.socket) -> tuple[Callable[[bytes | bytearray | memoryview], int], bool]:
    """The call that writes, and whether a signal handler that raises can come between its writing and its saying how much.

    A plain socket's is one step of C. OpenSSL's runs signal handlers after it has written, some microseconds of each call. A
    patched socket's is Python.
    """
    if isinstance(sock, ssl.SSLSocket) and type(sock).send is ssl.SSLSocket.send:
        return sock._sslobj.write, True  # type: ignore[attr-defined]  # what SSLSocket.send calls, without a frame of Python
    return sock.send, not isinstance(sock.send, BuiltinMethodType)
