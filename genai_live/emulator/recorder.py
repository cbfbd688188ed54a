"""A proxy between clients and a real backend that writes down what both say. Its methods may be called on any thread.

The proxying runs on a thread of its own. It holds a key that its clients need not have, and so it is careful with whom it talks,
where the key goes, and what comes back. Neither side is read while the other one does not read.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import re
import ssl
import traceback
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

from genai_live import _json
from genai_live._secret import Secret
from genai_live._settings import Address, parse_address
from genai_live.emulator.script.recording import Event, Head, Writer, create
from genai_live.emulator.script.redaction import Redactor, credentials_in
from genai_live.emulator.server.admission import Admission
from genai_live.emulator.server.certificates import TlsChoice
from genai_live.emulator.server.listener import BROKEN, LOST, Ending
from genai_live.emulator.server.request import Answer, Request, Route, find_route
from genai_live.emulator.server.server_thread import ServerThread
from genai_live.emulator.server.settings import LARGEST_MESSAGE

if TYPE_CHECKING:
    from genai_live.emulator.backend import Backend, Target
    from genai_live.emulator.server.connection import Connection

OWN_HEADERS = frozenset(
    {"host", "upgrade", "connection", "content-length", "transfer-encoding", "te", "trailer", "keep-alive", "expect"}
    | {"proxy-authorization", "proxy-connection"}
)
"""Headers of one connection (RFC 9110 section 7.6.1), which the backend's has for itself; ``sec-websocket-*`` too."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
"""What may be passed on (RFC 9110 section 5.5): a line break alone would begin a header of the client's choice."""

SETUP_SECONDS = 30.0
"""Longest wait for the backend's first message, after the client's first."""

MOST_VALUES = 200_000
"""Commas and brackets of a message up to which it is kept as JSON: read, each costs up to 100 bytes; more is kept as it came."""

INTERNAL, GOING_AWAY = 1011, 1001
"""Close codes (RFC 6455 section 7.4.1)."""

_log = logging.getLogger("genai_live.emulator")


class Recorder:
    """Records sessions: clients talk to ``url`` and reach ``upstream``; what both say goes to ``out``, without credentials.

    What the backend repeats of a credential reaches neither the file nor the client. A request is taken only when it is made to
    this machine's own address or name, and by no web page: the key that the recorder brings would be at the disposal of any site.

    Args:
        upstream: Base URL of the backend, such as ``https://generativelanguage.googleapis.com`` or another emulator's ``url``.
        out: File to write, one JSON object a line, readable for its owner alone; the first session replaces what is there.
        port: TCP port; 0 takes a free one.
        headers: Headers for the backend, for clients that bring no credential: ``{"x-goog-api-key": key}``.
        without_audio: Leave audio out; its length stays, and a replay plays silence.
        host: Address to listen on.
        allowed_hosts: Names by which clients may reach it, beside its address and localhost: ``["recorder"]``.
        allowed_origins: Origins of web pages that may use it: ``["http://localhost:3000"]``.
        tls: As for ``LiveEmulator``.
        ssl_context: Trust for a backend with a certificate of its own.

    Use it as a context manager, or call ``start()`` and ``stop()``.

    Raises:
        ConfigError: an argument is of the wrong type, or cannot be.
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
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        tls: TlsChoice = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        admission = Admission(host, allowed_hosts, allowed_origins, always=True)
        self._out = Path(out)
        self._is_new = False
        """True where no file had the name before."""
        self._file: TextIO | None = None
        self._without_audio = without_audio
        self._handler = RecordingHandler(parse_address(upstream, "upstream"), headers or {}, ssl_context)
        self._server = ServerThread(self._handler, host, port, tls, LARGEST_MESSAGE, admission)

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
        """Opens the file, which keeps what is in it until somebody talks, and listens.

        Raises:
            OSError: the file cannot be written, or the port is taken.
            ConfigError: the package websockets is missing.
        """
        if self._file is not None:
            return self
        self._is_new = not os.path.lexists(self._out)
        self._file = create(self._out)
        self._handler.writer = Writer(self._file, self._without_audio)
        try:
            self._server.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends every session (1001, to both sides) and closes the file, or takes it away if it made it and nobody talked.

        May be called twice.

        Raises:
            OSError: the file could not be written to its end.
        """
        self._server.stop()
        file, self._file = self._file, None
        if file is not None:
            self._handler.writer = None
            file.close()
            with contextlib.suppress(OSError):
                if self._is_new and not os.path.getsize(self._out):
                    os.unlink(self._out)

    def __enter__(self) -> Recorder:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class RecordingHandler:
    """Lets every Live request through to the backend; on the recorder's loop thread."""

    def __init__(self, upstream: Address, headers: Mapping[str, str], ssl_context: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self._headers = {name.lower(): Secret(value) for name, value in headers.items()}
        if upstream.user_info is not None:
            pair = base64.b64encode(upstream.user_info.reveal().encode()).decode()
            self._headers.setdefault("authorization", Secret(f"Basic {pair}"))
        self._ssl_context = ssl_context
        self._tasks: dict[asyncio.Task[None], RecordedSession] = {}
        self.sessions = 0
        self.writer: Writer | None = None

    def handle(self, connection: Connection, request: Request) -> None:
        """Judges one request: a WebSocket is passed on, anything else is not."""
        route = find_route(request.path)
        if route is None or not request.wants_websocket:
            connection.answer(Answer.error(404, f"The recorder passes on Live sessions only, not {request.path}."))
            return
        self.sessions += 1
        target = self.target(request)
        redactor = Redactor(credentials_in(target.headers, target.query))
        session = RecordedSession(self, connection, route, self.sessions, redactor)
        task = asyncio.get_running_loop().create_task(session.run(target, self._ssl_context))
        self._tasks[task] = session
        task.add_done_callback(self._tasks.pop)

    async def close(self) -> None:
        """Ends every session."""
        for task, session in list(self._tasks.items()):
            session.stop()
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def target(self, request: Request) -> Target:
        """What to ask the backend for: the client's headers and the recorder's, which win."""
        from genai_live.emulator.backend import Target

        passed = {
            name: value
            for name, value in request.headers.items()
            if name not in OWN_HEADERS
            and not name.startswith("sec-websocket-")
            and _HEADER_NAME.fullmatch(name)
            and _HEADER_VALUE.fullmatch(value)
        }
        own = {name: value.reveal() for name, value in self._headers.items()}
        base = self._upstream
        queries = (base.query.reveal() if base.query else "", request.target.partition("?")[2])
        port = urlsplit(f"//{base.authority}").port or (443 if base.secure else 80)
        return Target(base.secure, base.host, port, base.path + request.path, "&".join(filter(None, queries)), passed | own)

    def write(self, item: Head | Event) -> None:
        """Notes something, as long as the recorder runs.

        Raises:
            OSError: the file cannot be written.
        """
        if self.writer is not None:
            (self.writer.head if isinstance(item, Head) else self.writer.event)(item)  # type: ignore[arg-type]


class RecordedSession:
    """One client and its connection to the backend. ``_ended`` from the moment that either side has ended it, or the recorder."""

    def __init__(self, handler: RecordingHandler, connection: Connection, route: Route, number: int, redactor: Redactor) -> None:
        self._handler = handler
        self._connection = connection
        self._route = route
        self._number = number
        self._redactor = redactor
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._backend: Backend | None = None
        self._ended = False
        self._unanswered: asyncio.TimerHandle | None = None
        """Ends a session whose setup the backend does not answer."""
        self._asked = False

    async def run(self, target: Target, ssl_context: ssl.SSLContext | None) -> None:
        """Connects to the backend, lets the client in, and passes messages on until both sides are gone."""
        from genai_live.emulator.backend import Refusal, dial

        route, started = self._route, datetime.now(timezone.utc).isoformat()
        try:
            self._handler.write(Head(self._number, route.backend, route.method, route.version, started))
            self._backend = await dial(target, ssl_context, self)
            self._began = self._loop.time()
            self._connection.upgrade(self)
            self._backend.start()
            await self._backend.gone
        except Refusal as refusal:
            self._refuse(refusal.status, refusal.body)
        except OSError as error:
            self._cannot_write(error)
        except Exception as error:
            _log.error("%s", self._redactor.text("".join(traceback.format_exception(error))))
            self._end(INTERNAL, f"The recorder failed: {type(error).__name__}.")
        finally:
            if self._backend is not None:
                self._backend.abort()

    def stop(self) -> None:
        """The recorder stops."""
        self._end(GOING_AWAY, "The recorder was stopped.", noted=False)

    def _refuse(self, status: int, body: bytes) -> None:
        body = self._redactor.octets(body)
        self._note("server", refused=status, body=body.decode("utf-8", "replace"))
        self._connection.answer(Answer(status, body))

    def _end(self, code: int, reason: str, *, noted: bool = True) -> None:
        """Ends the session on both sides, with the recorder's own words, or those of the backend to the client."""
        if self._ended:
            return
        self._ended = True
        if noted:
            self._note("server", close=code, reason=reason)
        self._close_client(code, reason)
        if self._backend is not None:
            self._backend.close(code, reason)

    def _close_client(self, code: int, reason: str) -> None:
        if self._unanswered is not None:
            self._unanswered.cancel()
        self._connection.resume_reading()  # or its answer to the Close frame would not be seen
        if not self._connection.open:
            self._connection.answer(Answer.error(502, reason))
        elif code == LOST:
            self._connection.abort()
        else:
            self._connection.close(code, reason)

    # -- Listener: the client --------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The client's WebSocket stands."""

    def receive(self, data: bytes, is_text: bool) -> None:
        """One client message: noted, and passed on as it is."""
        if self._ended or self._backend is None:
            return
        self._note_message("client", self._redactor.octets(data), is_text)
        self._backend.send(data, is_text)
        if self._backend.congested:
            self._connection.stop_reading()
        if not self._asked:
            self._asked = True
            words = f"The backend did not answer the first message within {SETUP_SECONDS:g} s."
            self._unanswered = self._loop.call_later(SETUP_SECONDS, self._end, BROKEN, words)

    def writable(self) -> None:
        """The client reads again, and so is the backend read."""
        if self._backend is not None:
            self._backend.resume_reading()

    def ended(self, ending: Ending) -> None:
        """The client is gone: the backend's connection ends as the client's did."""
        if self._ended:
            return
        self._ended = True
        if self._unanswered is not None:
            self._unanswered.cancel()
        reason = self._redactor.text(ending.reason)
        self._note("client", close=ending.code, reason=reason)
        if self._backend is not None:
            self._backend.close(ending.code, ending.reason)

    # -- BackendListener: the backend ------------------------------------------------------------------------------

    def from_backend(self, data: bytes, is_text: bool) -> None:
        """One message of the backend: cleaned, noted, and passed on."""
        if self._ended or self._backend is None:  # on its way to a client that has gone: no replay could say it to anybody
            return
        if self._unanswered is not None:
            self._unanswered.cancel()
        data = self._redactor.octets(data)
        self._note_message("server", data, is_text)
        self._connection.send(data, is_text)
        if self._connection.congested:
            self._backend.stop_reading()

    def backend_writable(self) -> None:
        """The backend reads again, and so is the client read."""
        self._connection.resume_reading()

    def backend_ended(self, code: int, reason: str) -> None:
        """The backend has closed, or is lost: so it is told to the client."""
        if self._ended:
            return
        self._ended = True
        reason = self._redactor.text(reason)
        self._note("server", close=code, reason=reason)
        self._close_client(code, reason)

    # -- noting ----------------------------------------------------------------------------------------------------

    def _note_message(self, sender: str, data: bytes, is_text: bool) -> None:
        message = None
        if data.count(b",") + data.count(b"[") + data.count(b"{") <= MOST_VALUES:
            with contextlib.suppress(ValueError):
                message = _json.loads(data)
        try:
            if isinstance(message, dict):
                self._note(sender, message=message, text=is_text)
                return
        except RecursionError:  # nested too deeply to be looked through
            pass
        if sender == "client":
            self._note(sender, raw=b"", removed=len(data), text=is_text)
        else:
            self._note(sender, raw=data, text=is_text)

    def _note(self, sender: str, **what: Any) -> None:
        try:
            self._handler.write(Event(self._number, self._loop.time() - self._began, sender, **what))
        except OSError as error:
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        self._end(INTERNAL, f"The recording cannot be written: {error.strerror or error}", noted=False)
