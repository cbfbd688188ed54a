"""One WebSocket to the backend behind the recorder: dialling, upgrade, messages, end. Runs on the recorder's loop thread.

TCP and proxies are this library's own, the WebSocket is the Sans-I/O ``ClientProtocol`` of the package websockets: it follows no
redirect, so that no credential goes to another host, and it logs nothing, for its logs hold every header and every frame.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.options import ConnectionOptions
from genai_live._network.socks import through_socks
from genai_live._network.trust import refusal, trust
from genai_live._network.tunnel import through_http
from genai_live.emulator.server.listener import BROKEN, LOST, NO_CODE, PONG_HEAD, UNLOGGED, MessageJoiner, cut_reason
from genai_live.errors import ConfigError, LiveError

OPEN_SECONDS = 15.0
"""Longest wait for the backend to answer the upgrade: half of what clients of this library give ``connect()``."""

PING_SECONDS, SILENCE_SECONDS = 20.0, 60.0
"""Seconds without a byte of the backend after which it is pinged, and after which it is gone; as in this library's sessions."""

CLOSE_SECONDS = 5.0
"""Seconds that the backend has to answer a Close frame before its TCP connection is cut."""

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of the backend; what this library's own sessions take."""

LARGEST_ANSWER = 256 * 1024
"""Bytes of an answer to the upgrade; an error page has some kilobytes."""

BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n")
_INTERIM_BEGUN = re.compile(rb"HTTP/1\.[01] 1(?!01)")
"""An informational answer that is not the upgrade, and the beginning of one."""
_STATUS_BYTES = len(b"HTTP/1.1 101")

_REDIRECTS = range(300, 400)


class Refusal(Exception):
    """The backend did not upgrade: HTTP status and body for the client."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Target:
    """What to ask the backend for; a repr shows no credential."""

    secure: bool
    host: str
    port: int
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class BackendListener(Protocol):
    """What a connection to the backend delivers to, once it is a WebSocket."""

    def from_backend(self, data: bytes, is_text: bool) -> None:
        """One whole message came."""

    def backend_writable(self) -> None:
        """The send buffer has room again."""

    def backend_ended(self, code: int, reason: str) -> None:
        """The backend has closed, was lost (1006), or broke the rules (1014). Called once, and not after ``close``."""


async def dial(target: Target, ssl_context: ssl.SSLContext | None, listener: BackendListener) -> Backend:
    """Connects, upgrades and returns the WebSocket, which does not read before ``start``.

    Raises:
        Refusal: for what goes wrong.
    """
    backend = Backend(target, listener)
    try:
        await asyncio.wait_for(_open(backend, target, ssl_context), OPEN_SECONDS)
    except (TimeoutError, asyncio.TimeoutError):  # one from Python 3.11 on
        backend.abort()
        words = f"The backend did not answer the upgrade within {OPEN_SECONDS:g} s."
        raise Refusal(GATEWAY_TIMEOUT, words.encode()) from None
    except ssl.SSLCertVerificationError as error:
        why, advice = refusal(error, trust(ssl_context).store)
        raise Refusal(BAD_GATEWAY, f"The recorder does not trust the backend: {why}. {advice}".encode()) from None
    except (OSError, LiveError) as error:
        raise Refusal(BAD_GATEWAY, f"The recorder could not reach the backend: {tcp.words_in(error)}".encode()) from None
    except BaseException:
        backend.abort()
        raise
    return backend


async def _open(backend: Backend, target: Target, ssl_context: ssl.SSLContext | None) -> None:
    context = trust(ssl_context).context if target.secure else None
    held = tcp.Held()
    loop = asyncio.get_running_loop()
    dialling = loop.run_in_executor(None, _tcp, target, Deadline(OPEN_SECONDS), held)
    try:
        sock = await asyncio.shield(dialling)
    except BaseException:
        held.abort()
        dialling.add_done_callback(lambda _: held.close())
        raise
    # With a name although there is a socket: it is what the certificate has to be for.
    await loop.create_connection(lambda: backend, sock=sock, ssl=context, server_hostname=target.host if context else None)
    await backend.upgraded


def _tcp(target: Target, deadline: Deadline, held: tcp.Held) -> socket.socket:
    """A connection to the backend, through the environment's proxy where there is one. Blocks, on a thread of the loop's pool."""
    proxy = ConnectionOptions().proxy_for(target.host, target.port, secure=target.secure)
    if proxy is None:
        return tcp.connect(tcp.look_up(target.host, target.port), deadline, held)
    if proxy.scheme == "https":
        raise ConfigError(f"the recorder does not go through {proxy}: name an http:// or socks5:// proxy, or set NO_PROXY")
    line = tcp.Line(tcp.connect(tcp.look_up(proxy.host, proxy.port), deadline, held), deadline, held)
    (through_socks if proxy.is_socks else through_http)(line, proxy, target.host, target.port)
    line.sock.setblocking(False)
    return line.sock


class _LenientProtocol(ClientProtocol):
    """Takes close reasons that end within a character: the service cuts them at 123 bytes, wherever that falls."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            code, reason = bytes(frame.data[:2]), bytes(frame.data[2:])
            frame = Frame(Opcode.CLOSE, code + reason.decode("utf-8", "ignore").encode(), frame.fin)
        super().recv_frame(frame)


class Backend(asyncio.Protocol):
    """One TCP connection to the backend: an upgrade, then a WebSocket."""

    def __init__(self, target: Target, listener: BackendListener) -> None:
        self._target = target
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        uri = WebSocketURI(target.secure, target.host, target.port, target.path, target.query)
        self._websocket = _LenientProtocol(uri, max_size=LARGEST_MESSAGE, logger=UNLOGGED)
        self._joiner = MessageJoiner()
        self._early: list[Frame] | None = []
        """Frames that came together with the answer to the upgrade; None once the listener listens."""
        self._answer_bytes = 0
        self._held = b""
        """An answer of which is not known yet whether it is the final one."""
        self._answering = False
        """True once the final answer has begun."""
        self._told = False
        """True once nothing more is to be told: the listener knows the end, or made it."""
        self._pong = b""
        """The latest pong that waits for room; earlier ones need not be sent (RFC 6455 section 5.5.3)."""
        self._reading = True
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.congested = False
        """True while the backend reads slower than the client writes."""
        self.upgraded: asyncio.Future[None] = self._loop.create_future()
        """Done when the backend has answered.

        Raises:
            Refusal: the answer was not an upgrade.
        """
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when the TCP connection is over."""

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: TCP and TLS stand; asks for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = self._websocket.connect()
        for name, value in self._target.headers.items():
            request.headers[name] = value
        self._websocket.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        self._heard = self._loop.time()
        if not self.upgraded.done():
            self._answer_bytes += len(data)
            data = self._final_answer(data)
        if self._websocket.reader.eof:
            return
        if data:
            self._websocket.receive_data(data)
            self._take_events()
        if not self.upgraded.done() and self._answer_bytes > LARGEST_ANSWER:
            self._refuse(BAD_GATEWAY, f"The backend's answer to the upgrade has more than {LARGEST_ANSWER} bytes.")

    def _final_answer(self, data: bytes) -> bytes:
        """The answer from where it begins to be the final one: others may come before it (RFC 9110 section 15.2)."""
        held = self._held + data
        while (interim := _INTERIM.match(held)) is not None:
            held = held[interim.end() :]
        undecided = not self._answering and (_INTERIM_BEGUN.match(held) is not None or len(held) < _STATUS_BYTES)
        self._answering = not undecided
        self._held = held if undecided else b""
        return b"" if undecided else held

    def eof_received(self) -> bool | None:
        """asyncio: the backend will send no more."""
        if not self._websocket.reader.eof:
            if self._held:
                self._websocket.receive_data(self._held)
            self._websocket.receive_eof()
            self._take_events()
        return None

    def pause_writing(self) -> None:
        """asyncio: the send buffer is full."""
        self.congested = True

    def resume_writing(self) -> None:
        """asyncio: the send buffer has room again."""
        self.congested = False
        pong, self._pong = self._pong, b""
        if pong and self._transport is not None:
            self._transport.write(pong)
        self._listener.backend_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()  # Python 3.10 takes a TLS transport that its peer closed for one that was forgotten
        if not self.upgraded.done():
            self._refuse(BAD_GATEWAY, "The backend closed the connection instead of answering the upgrade.")
        self._report_end(LOST, "")
        if not self.gone.done():
            self.gone.set_result(None)

    # -- what the recorder does ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Delivers from now on."""
        early, self._early = self._early or [], None
        for frame in early:
            self._take(frame)
        self._judge()
        self._timer = self._loop.call_later(PING_SECONDS, self._look)
        self.resume_reading()

    def send(self, data: bytes, is_text: bool) -> None:
        """Sends one message in one frame; does nothing once either side has closed."""
        if self._websocket.state is State.OPEN:
            (self._websocket.send_text if is_text else self._websocket.send_binary)(data)
            self._flush()

    def stop_reading(self) -> None:
        """Leaves what the backend sends in the kernel until its buffers are full."""
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._reading = False

    def resume_reading(self) -> None:
        """Reads again."""
        self._heard = self._loop.time()
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._reading = True

    def close(self, code: int, reason: str) -> None:
        """Says goodbye as the client did; what the backend still says is not delivered. 1005: without a code; 1006: cuts."""
        self._told = True
        self.resume_reading()  # or its Close frame would not be seen
        if code == LOST or self._websocket.state is not State.OPEN:
            self.abort()
            return
        if code == NO_CODE:
            self._websocket.send_close()
        else:
            self._websocket.send_close(code, cut_reason(reason))
        self._flush()
        self._cut_later()

    def abort(self) -> None:
        """Cuts the TCP connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take_events(self) -> None:
        for event in self._websocket.events_received():
            if isinstance(event, Frame):
                if self._early is None:
                    self._take(event)
                else:
                    self._early.append(event)
            elif not self.upgraded.done() and self._websocket.handshake_exc is None:
                self.upgraded.set_result(None)
                self.stop_reading()
        error = self._websocket.handshake_exc
        if error is not None and not self.upgraded.done():
            self._refuse(*_refused(error))
        self._flush()
        if self._early is None:
            self._judge()

    def _refuse(self, status: int, words: str | bytes) -> None:
        if not self.upgraded.done():
            self.upgraded.set_exception(Refusal(status, words if isinstance(words, bytes) else words.encode()))
        self.abort()

    def _take(self, frame: Frame) -> None:
        message = self._joiner.take(frame.opcode, frame.data, frame.fin)
        if message is not None and not self._told:
            self._listener.from_backend(*message)

    def _judge(self) -> None:
        """Tells an end that the last bytes brought."""
        received, broken = self._websocket.close_rcvd, self._websocket.parser_exc
        if received is not None:
            self._report_end(int(received.code), received.reason)
        elif isinstance(broken, EOFError):
            self._report_end(LOST, "")
        elif broken is not None:
            self._report_end(BROKEN, f"The backend broke the WebSocket protocol: {broken}")
        else:
            return
        self._cut_later()

    def _report_end(self, code: int, reason: str) -> None:
        if not self._told and self._early is None:
            self._told = True
            self._listener.backend_ended(code, reason)

    # -- time ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Pings a silent backend, and gives one up that stays silent; not while it is this side that does not read."""
        now = self._loop.time()
        if not self._reading:
            self._heard = now
        silence = now - self._heard
        if silence >= SILENCE_SECONDS:
            self._report_end(BROKEN, f"The backend has said nothing for {SILENCE_SECONDS:g} s, not even in answer to pings.")
            self.abort()
            return
        if silence >= PING_SECONDS and self._websocket.state is State.OPEN and not self.congested:
            self._websocket.send_ping(b"")
            self._flush()
        self._timer = self._loop.call_later(PING_SECONDS, self._look)

    def _cut_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)

    # -- what goes -------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if self._transport is None or self._transport.is_closing():
                return
            if not data:
                self._transport.close()
            elif self.congested and data[:1] == PONG_HEAD:
                self._pong = data
            else:
                self._transport.write(data)


def _refused(error: Exception) -> tuple[int, str | bytes]:
    """Status and body for a client whose backend did not upgrade."""
    if isinstance(error, InvalidStatus):
        response = error.response
        if response.status_code in _REDIRECTS:
            return response.status_code, _redirected(response)
        return response.status_code, bytes(response.body or b"")
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return BAD_GATEWAY, "The backend closed the connection instead of answering the upgrade."
    return BAD_GATEWAY, f"The backend's answer is not one to an upgrade: {error}"


def _redirected(response: Response) -> str:
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname or "itself"
    except (ValueError, LookupError):
        host = "nowhere that can be read"
    return f"The backend redirects to {host}. The recorder does not follow: the credential would go there too."
