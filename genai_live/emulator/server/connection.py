"""One TCP connection of the emulator: HTTP head, upgrade, frames, misbehaviour on the wire. Runs on the emulator's loop thread.

The WebSocket itself is the Sans-I/O ``ServerProtocol`` of the package websockets: another implementation of frames than the
client's, so that a mistake in framing cannot hide by being made on both sides. Both may mask with the same C function.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from websockets.datastructures import Headers
from websockets.frames import Frame
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from genai_live.emulator.server.admission import Admission
from genai_live.emulator.server.listener import LOST, NO_CODE, PONG_HEAD, UNLOGGED, Ending, Listener, MessageJoiner, cut_reason
from genai_live.emulator.server.request import Answer, BadRequest, Request, parse_head

LARGEST_HEAD = 64 * 1024
"""Bytes of an HTTP head. Access tokens of some identity providers alone take 8 KiB."""

LARGEST_BODY = 512 * 1024
"""Bytes of a REST request body; a token request takes a few kilobytes."""

REQUEST_SECONDS = 10.0
"""Seconds that a client has to send its whole request: one that does not cannot hold a place for longer."""

SETUP_SECONDS = 30.0
"""Seconds from the upgrade to the first whole message: what clients of this library give all of ``connect()``."""

POLICY_VIOLATION = 1008
"""Close code for clients that send no setup (RFC 6455 section 7.4.1)."""

CLOSE_PATIENCE = 2.0
"""Seconds that a client has to answer our Close frame before its TCP connection is cut."""

ABORT_PATIENCE = 1.0
"""Seconds that a client has to take what was written before an abort."""

LOOK_SECONDS = 0.005
"""Between two looks whether it has."""

DROP_SECONDS = 0.0005
"""Between two bytes of a trickle: without it the kernel hands several to a reader that is busy. About 1 kB a second."""

STAND_IN = b"GET / HTTP/1.1\r\n\r\n"
"""What the WebSocket implementation parses in place of the head, which it would limit to 8 KiB a line."""

HEAD_END = b"\r\n\r\n"


class RequestHandler(Protocol):
    """What decides over the HTTP request that every connection begins with."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Judges one request, body included: calls ``upgrade`` or ``answer`` of the connection, now, later, or never."""

    async def close(self) -> None:
        """The server stops: gives back what connections do not."""


class Connection(asyncio.Protocol):
    """One TCP connection: first an HTTP request, then perhaps a WebSocket."""

    def __init__(
        self,
        handler: RequestHandler,
        largest_message: int,
        connections: set[Connection],
        admission: Admission,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._handler = handler
        self._admission = admission
        self._settled = settled
        """Called once, when the client has sent its first whole message, or is gone."""
        self._connections = connections
        self._largest_message = largest_message
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._request: Request | None = None
        self._websocket: ServerProtocol | None = None
        self._listener: Listener | None = None
        self._joiner = MessageJoiner()
        self._pong = b""
        """The latest pong that waits for room; earlier ones need not be sent (RFC 6455 section 5.5.3)."""
        self._trickle: deque[bytes] | None = None
        self._trickling = False
        self._drip: asyncio.TimerHandle | asyncio.Handle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        """Ends a connection whose request, or first message, does not come."""
        self._reading = True
        self._closing = False
        self._ignored = False
        self._aborting = False
        self.congested = False
        """True while the client reads slower than the emulator writes."""
        self.fragment_size = 0
        """Bytes of the frames that a message is cut into; 0 for one frame each."""

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the TCP (and TLS) connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        self._waiting = self._loop.call_later(REQUEST_SECONDS, self._no_request)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._ignored:
            return
        if self._websocket is None:
            self._gather(data)
        else:
            self._feed(data)

    def eof_received(self) -> bool | None:
        """asyncio: the client will send no more."""
        if self._websocket is not None:
            self._websocket.receive_eof()
            self._flush()
        return None

    def pause_writing(self) -> None:
        """asyncio: the send buffer is full."""
        self.congested = True

    def resume_writing(self) -> None:
        """asyncio: the send buffer has room again."""
        self.congested = False
        pong, self._pong = self._pong, b""
        if pong:
            self._write(pong)
        if self._listener is not None:
            self._listener.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        for timer in (self._patience, self._drip):
            if timer is not None:
                timer.cancel()
        self._settle()
        if self._transport is not None:
            self._transport.close()  # Python 3.10 takes a TLS transport that its peer closed for one that was forgotten
        self._connections.discard(self)
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(self._ending())

    def _ending(self) -> Ending:
        received = self._websocket.close_rcvd if self._websocket is not None else None
        if received is None:
            return Ending(LOST, "", by_client=False)
        assert self._websocket is not None
        return Ending(int(received.code), received.reason, by_client=bool(self._websocket.close_rcvd_then_sent))

    # -- HTTP ------------------------------------------------------------------------------------------------------

    def _gather(self, data: bytes) -> None:
        self._head += data
        if self._request is None:
            end = self._head.find(HEAD_END)
            if end < 0:
                if len(self._head) > LARGEST_HEAD:
                    self.answer(Answer.error(431, "The head of the request is too large."))
                return
            try:
                self._request = parse_head(bytes(self._head[: end + len(HEAD_END)]))
            except BadRequest as error:
                self.answer(Answer.error(400, str(error)))
                return
        self._decide(self._request)

    def _decide(self, request: Request) -> None:
        body = bytes(self._head[request.head_bytes :])
        if not request.wants_websocket:
            if request.content_length > LARGEST_BODY:
                self.answer(Answer.error(413, "The body of the request is too large."))
                return
            if len(body) < request.content_length:
                return
            request = request.with_body(body[: request.content_length])
        if self._waiting is not None:
            self._waiting.cancel()
        # The client waits for the answer now; what it sends before is read after the decision.
        self.stop_reading()
        refusal = self._admission.refusal(request)
        if refusal is not None:
            self.answer(Answer.error(403, refusal))
        else:
            self._handler.handle(self, request)

    def _no_request(self) -> None:
        self.answer(Answer.error(408, f"The request did not come within {REQUEST_SECONDS:g} s."))

    def _no_setup(self) -> None:
        if not self._reading:  # it may have come, and be left unread on purpose
            self._waiting = self._loop.call_later(SETUP_SECONDS, self._no_setup)
        else:
            self.close(POLICY_VIOLATION, f"No setup message came within {SETUP_SECONDS:g} s.")

    def _settle(self) -> None:
        """The client has shown that it is one, or is gone: it takes no place among those that have not."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._settled()

    def answer(self, answer: Answer) -> None:
        """Answers the request by HTTP and ends the connection."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer.serialise())
            self._transport.close()

    def ignore(self) -> None:
        """Leaves unread what the client still says; reads on, to notice when it goes."""
        self._ignored = True
        self._head.clear()
        self._settle()
        self.resume_reading()

    def upgrade(self, listener: Listener) -> None:
        """Answers the request with 101: from now on it is a WebSocket, which delivers to ``listener``."""
        if self._transport is None or self._transport.is_closing():
            listener.ended(self._ending())
            return
        self._listener = listener
        websocket = self._websocket = ServerProtocol(max_size=self._largest_message, logger=UNLOGGED)
        head, self._head = bytes(self._head), bytearray()
        assert self._request is not None
        websocket.receive_data(STAND_IN)
        websocket.events_received()
        response = websocket.accept(Handshake(self._request.target, Headers(self._request.headers)))
        websocket.send_response(response)
        self._flush()
        if response.status_code != 101:
            self.ignore()
            return
        self._waiting = self._loop.call_later(SETUP_SECONDS, self._no_setup)
        listener.opened()
        self.resume_reading()
        if rest := head[self._request.head_bytes :]:
            self._feed(rest)

    # -- frames in -------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        websocket = self._websocket
        assert websocket is not None
        if websocket.reader.eof:
            return
        websocket.receive_data(data)
        for event in websocket.events_received():
            self._take(cast(Frame, event))
        if websocket.writes:
            self._flush()

    def _take(self, frame: Frame) -> None:
        message = self._joiner.take(frame.opcode, frame.data, frame.fin)
        if message is None or self._listener is None or self._closing:
            return
        if self._waiting is not None:
            self._settle()
            self._waiting = None
        self._listener.receive(*message)

    # -- frames out ------------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """True while messages can be sent."""
        return self._websocket is not None and self._websocket.state is State.OPEN

    def send(self, data: bytes, is_text: bool) -> None:
        """Sends one message in one frame; does nothing on a connection that is not open."""
        if not self.open:
            return
        if self.fragment_size:
            self.send_fragments(data, is_text, self.fragment_size)
            return
        assert self._websocket is not None
        if is_text:
            self._websocket.send_text(data)
        else:
            self._websocket.send_binary(data)
        self._flush()

    def send_fragments(self, data: bytes, is_text: bool, size: int) -> None:
        """Sends one message in frames of ``size`` bytes (RFC 6455 section 5.4)."""
        if not self.open:
            return
        assert self._websocket is not None
        pieces = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
        first = self._websocket.send_text if is_text else self._websocket.send_binary
        first(pieces[0], fin=len(pieces) == 1)
        for number, piece in enumerate(pieces[1:], 2):
            self._websocket.send_continuation(piece, fin=number == len(pieces))
        self._flush()

    def ping(self, data: bytes) -> None:
        """Sends a Ping frame."""
        if self.open:
            assert self._websocket is not None
            self._websocket.send_ping(data)
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Sends a Close frame with the reason cut to what fits, and cuts the connection when the client does not answer it.

        Code 1005 sends one without a code. What the client says from here on is not delivered.
        """
        if not self.open:
            return
        assert self._websocket is not None
        self._closing = True
        if code == NO_CODE:
            self._websocket.send_close()
        else:
            self._websocket.send_close(code, cut_reason(reason))
        self._flush()
        self._be_patient()

    def _be_patient(self) -> None:
        left = self._transport.get_write_buffer_size() if self._transport is not None else 0
        self._patience = self._loop.call_later(CLOSE_PATIENCE, self._lose_patience, left)

    def _lose_patience(self, unsent: int) -> None:
        """Cuts the connection, but for a client that is slow and still reads what came before the Close frame."""
        if self._transport is not None and 0 < self._transport.get_write_buffer_size() < unsent:
            self._be_patient()
        else:
            self.cut()

    def abort(self) -> None:
        """Cuts the TCP connection without a Close frame, when what was written before has left.

        Not every loop of asyncio writes at once, and Windows' takes back what it has not written. A client that does not read is
        waited for ``ABORT_PATIENCE``.
        """
        self._ignored = True
        if not self._aborting:
            self._aborting = True
            self._cut_when_written(self._loop.time() + ABORT_PATIENCE)

    def _cut_when_written(self, until: float) -> None:
        if self._unwritten and self._loop.time() < until:
            self._patience = self._loop.call_later(LOOK_SECONDS, self._cut_when_written, until)
        else:
            self.cut()

    @property
    def _unwritten(self) -> int:
        transport = self._transport
        if transport is None or transport.is_closing():
            return 0
        below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)  # TLS: what is encrypted is down there
        return transport.get_write_buffer_size() + (below.get_write_buffer_size() if below is not None else 0)

    def cut(self) -> None:
        """Cuts the TCP connection at once, with what is still in the buffers: the client sees a reset or an end of file."""
        if self._transport is not None:
            self._transport.abort()

    def write_bytes(self, data: bytes) -> None:
        """Puts bytes on the connection that no WebSocket library would: broken frames, rubbish."""
        self._write(data)

    def trickle(self, on: bool) -> None:
        """Switches sending one byte at a time, each in a segment of its own, on or off."""
        self._trickling = on
        if on and self._trickle is None:
            self._trickle = deque()

    def stop_reading(self) -> None:
        """Leaves what the client sends in the kernel until its buffers are full."""
        self._reading = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        self._reading = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _flush(self) -> None:
        assert self._websocket is not None
        for data in self._websocket.data_to_send():
            if not data:
                self._finish()
            elif self.congested and data[:1] == PONG_HEAD:
                self._pong = data
            else:
                self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing() or self._aborting:
            return
        if not self._trickling and not self._trickle:
            self._transport.write(data)
            return
        assert self._trickle is not None
        self._trickle.extend(data[at : at + 1] for at in range(len(data)))
        if self._drip is None:
            self._drip = self._loop.call_soon(self._next_drop)

    def _next_drop(self) -> None:
        self._drip = None
        if self._transport is None or self._transport.is_closing() or not self._trickle:
            return
        self._transport.write(self._trickle.popleft())
        if self._trickle:
            self._drip = self._loop.call_later(DROP_SECONDS, self._next_drop)
        elif self._websocket is not None and self._websocket.eof_sent:
            self._finish()

    def _finish(self) -> None:
        """Ends the connection after the closing handshake, or after the last byte of a trickle."""
        if self._transport is None or self._trickle:
            return
        failed = self._websocket is not None and self._websocket.close_rcvd is None
        if failed and self._transport.can_write_eof():
            # What the client is still sending must be read: closing over unread bytes resets the connection, and with it
            # the Close frame that says why would be lost (RFC 1122 section 4.2.2.13).
            self._transport.write_eof()
            self._be_patient()
        else:
            self._transport.close()
