"""A proxy between clients and a real backend that writes down what both say. Its methods may be called on any thread.

The proxying runs on a thread of its own. The side towards the backend is websockets' own client, so that the recorder shows what
a backend said even when this library's client would not have understood it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit, urlunsplit

from genai_live import _json
from genai_live.emulator.certificates import TlsChoice
from genai_live.emulator.listener import Ending, cut_reason
from genai_live.emulator.recording import Event, Head, Writer
from genai_live.emulator.request import Answer, Request, Route, find_route
from genai_live.emulator.server_thread import ServerThread
from genai_live.emulator.settings import LARGEST_MESSAGE
from genai_live.errors import ConfigError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from genai_live.emulator.connection import Connection

OWN_HEADERS = frozenset({"host", "upgrade", "connection", "content-length", "user-agent"})
"""Headers that a client's request and the recorder's own request to the backend each have; ``sec-websocket-*`` too."""

OPEN_SECONDS = 30.0
"""Longest wait for the backend to answer the upgrade."""

NO_CODE, LOST = 1005, 1006
"""Close codes that stand for none, and cannot be sent (RFC 6455 section 7.4.1)."""


class Recorder:
    """Records sessions: clients talk to ``url`` and reach ``upstream``; what both say goes to ``out``, without credentials.

    Args:
        upstream: Base URL of the backend, such as ``https://generativelanguage.googleapis.com`` or another emulator's ``url``.
        out: File to write, one JSON object a line; an existing one is replaced.
        port: TCP port; 0 takes a free one.
        headers: Headers for the backend, for clients that bring no credential: ``{"x-goog-api-key": key}``.
        without_audio: Leave audio out; its length stays, and a replay plays silence.
        host: Address to listen on.
        tls: As for ``LiveEmulator``.
        ssl_context: Trust for a backend with a certificate of its own.

    Use it as a context manager, or call ``start()`` and ``stop()``.
    """

    def __init__(
        self,
        upstream: str,
        out: str | Path,
        *,
        port: int = 0,
        headers: Mapping[str, str] | None = None,
        without_audio: bool = False,
        host: str = "127.0.0.1",
        tls: TlsChoice = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if urlsplit(upstream).scheme not in ("http", "https", "ws", "wss"):
            raise ConfigError("must be a URL such as https://generativelanguage.googleapis.com", "upstream")
        self._out = Path(out)
        self._file: TextIO | None = None
        self._without_audio = without_audio
        self._handler = RecordingHandler(upstream, headers or {}, ssl_context)
        self._server = ServerThread(self._handler, host, port, tls, LARGEST_MESSAGE)

    @property
    def url(self) -> str:
        """What ``http_options={"base_url": ...}`` of a client takes."""
        return self._server.url

    @property
    def host(self) -> str:
        """``host:port``, as GENAI_LIVE_EMULATOR_HOST takes it."""
        return self._server.address

    @property
    def ca_path(self) -> str | None:
        """PEM file that clients must trust; None without TLS."""
        return self._server.ca_path

    @property
    def sessions(self) -> int:
        """How many sessions were begun."""
        return self._handler.sessions

    def start(self) -> Recorder:
        """Opens the file and listens. Raises OSError (file or port), ConfigError (websockets missing)."""
        self._file = open(self._out, "w", encoding="utf-8")  # noqa: SIM115
        self._handler.writer = Writer(self._file, self._without_audio)
        self._server.start()
        return self

    def stop(self) -> None:
        """Cuts every connection and closes the file; may be called twice."""
        self._server.stop()
        file, self._file = self._file, None
        if file is not None:
            self._handler.writer = None
            file.close()

    def __enter__(self) -> Recorder:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class RecordingHandler:
    """Lets every Live request through to the backend; on the recorder's loop thread."""

    def __init__(self, upstream: str, headers: Mapping[str, str], ssl_context: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self._headers = headers
        self._ssl_context = ssl_context
        self._tasks: set[asyncio.Task[None]] = set()
        self.sessions = 0
        self.writer: Writer | None = None

    def handle(self, connection: Connection, request: Request) -> None:
        """Judges one request: a WebSocket is passed on, anything else is not."""
        route = find_route(request.path)
        if route is None or not request.wants_websocket:
            connection.answer(Answer.error(404, f"The recorder passes on Live sessions only, not {request.path}."))
            return
        self.sessions += 1
        session = RecordedSession(self, connection, route, self.sessions)
        run = session.run(self.target(request), self.headers_for(request), self._ssl_context)
        task = asyncio.get_running_loop().create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cuts every connection to the backend."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def target(self, request: Request) -> str:
        """Where the backend has what the request asks for."""
        base = urlsplit(self._upstream)
        scheme = {"http": "ws", "https": "wss"}.get(base.scheme, base.scheme)
        _, _, query = request.target.partition("?")
        return urlunsplit((scheme, base.netloc, base.path.rstrip("/") + request.path, query, ""))

    def headers_for(self, request: Request) -> dict[str, str]:
        """The client's headers and the recorder's, which win."""
        passed = {
            name: value
            for name, value in request.headers.items()
            if name not in OWN_HEADERS and not name.startswith("sec-websocket-")
        }
        return passed | {name.lower(): value for name, value in self._headers.items()}

    def write(self, item: Head | Event) -> None:
        """Notes something, as long as the recorder runs."""
        if self.writer is not None:
            (self.writer.head if isinstance(item, Head) else self.writer.event)(item)  # type: ignore[arg-type]


class RecordedSession:
    """One client and its connection to the backend."""

    def __init__(self, handler: RecordingHandler, connection: Connection, route: Route, number: int) -> None:
        self._handler = handler
        self._connection = connection
        self._route = route
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._outgoing: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._upstream: ClientConnection | None = None
        self._ended = False

    async def run(self, target: str, headers: Mapping[str, str], trust: ssl.SSLContext | None) -> None:
        """Connects to the backend, lets the client in, and passes messages on until one side ends."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus

        started = datetime.now(timezone.utc).isoformat()
        self._handler.write(Head(self._number, self._route.backend, self._route.method, self._route.version, started))
        options: dict[str, Any] = {"ssl": trust} if trust is not None else {}
        try:
            self._upstream = await connect(
                target, additional_headers=headers, max_size=None, open_timeout=OPEN_SECONDS, ping_interval=None, **options
            )
        except InvalidStatus as error:
            self._refuse(error.response.status_code, bytes(error.response.body or b""))
        except (OSError, asyncio.TimeoutError) as error:
            self._refuse(502, f"The recorder could not reach the backend: {error}".encode())
        else:
            await self._pass_on(self._upstream)

    def _refuse(self, status: int, body: bytes) -> None:
        self._note("server", refused=status, body=body.decode("utf-8", "replace"))
        self._connection.answer(Answer(status, body))

    async def _pass_on(self, upstream: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        self._began = self._loop.time()
        self._connection.upgrade(self)
        sender = self._loop.create_task(self._send_all(upstream))
        try:
            while True:
                data = await upstream.recv()
                if self._ended:  # said on its way to a client that has gone: no replay could say it to anybody
                    continue
                raw = data.encode() if isinstance(data, str) else bytes(data)
                self._note_message("server", raw, isinstance(data, str))
                self._connection.send(raw, isinstance(data, str))
        except ConnectionClosed as closed:
            if not self._ended:
                frame = closed.rcvd
                self._note("server", close=int(frame.code) if frame else LOST, reason=frame.reason if frame else "")
                self._end_client(int(frame.code) if frame else LOST, frame.reason if frame else "")
        finally:
            sender.cancel()
            upstream.transport.abort()

    def _end_client(self, code: int, reason: str) -> None:
        self._ended = True
        if code == LOST:
            self._connection.abort()
        else:
            self._connection.close(code, reason)

    async def _send_all(self, upstream: ClientConnection) -> None:
        while True:
            data = await self._outgoing.get()
            if data is not None:
                await upstream.send(data)

    # -- Listener -----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The client's WebSocket stands."""

    def receive(self, data: bytes, is_text: bool) -> None:
        """One client message: noted, and passed on as it is."""
        self._note_message("client", data, is_text)
        self._outgoing.put_nowait(data.decode("utf-8", "replace") if is_text else data)

    def writable(self) -> None:
        """The client reads again; nothing was held back for it."""

    def ended(self, ending: Ending) -> None:
        """The client is gone: the backend's connection ends as the client's did."""
        if self._ended:
            return
        self._ended = True
        self._note("client", close=ending.code, reason=ending.reason)
        upstream = self._upstream
        if upstream is None:
            return
        if ending.code == LOST:
            upstream.transport.abort()
        else:
            code = 1000 if ending.code == NO_CODE else ending.code
            self._closing = self._loop.create_task(upstream.close(code, cut_reason(ending.reason)))

    # -- noting ----------------------------------------------------------------------------------------------------

    def _note_message(self, sender: str, data: bytes, is_text: bool) -> None:
        try:
            message = _json.loads(data)
        except ValueError:
            message = None
        if isinstance(message, dict):
            self._note(sender, message=message, text=is_text)
        else:
            self._note(sender, raw=data, text=is_text)

    def _note(self, sender: str, **what: Any) -> None:
        self._handler.write(Event(self._number, self._loop.time() - self._began, sender, **what))
