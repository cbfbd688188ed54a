"""A TCP server in a thread of its own: start, listen, stop. Its methods may be called on any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from genai_live._extras import installing
from genai_live.errors import ConfigError

if TYPE_CHECKING:
    from genai_live.emulator.server.connection import Connection, RequestHandler
from genai_live.emulator.server.admission import Admission
from genai_live.emulator.server.certificates import Tls, TlsChoice, make_tls
from genai_live.emulator.server.entrance import Entrance

PATIENCE = 10.0
"""Longest wait, in seconds, for the server thread to listen, to do one small thing, or to end."""

TURNS = 10
"""Of the loop: ending a TLS connection takes three of them."""

T = TypeVar("T")


def require_websockets() -> None:
    """Raises ConfigError when the package that the emulator stands on is not installed."""
    try:
        import websockets.server  # noqa: F401
    except ImportError:
        raise ConfigError(f"the emulator needs the package websockets: {installing('emulator')}") from None


class ServerThread:
    """One listening port and the thread that serves it."""

    def __init__(
        self, handler: RequestHandler, host: str, port: int, tls: TlsChoice, largest_message: int, admission: Admission
    ) -> None:
        self._handler = handler
        self._admission = admission
        self._host = host
        self._wanted_port = port
        self._tls_choice = tls
        self._largest_message = largest_message
        self._tls: Tls | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._listening = threading.Event()
        self._failure: BaseException | None = None
        self.port = port
        """The port it listens on, once started."""
        self.connections: set[Connection] = set()
        """The connections that stand; on the thread of the server only."""

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._thread is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the thread.

        Raises:
            RuntimeError: before the first start.
        """
        if self._loop is None:
            raise RuntimeError("the emulator has not been started: use it as a context manager, or call start()")
        return self._loop

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """``http://HOST:PORT``; with TLS ``https://localhost:PORT``, the name that the throw-away certificate is for."""
        return f"https://localhost:{self.port}" if self._tls_choice is not False else f"http://{self.address}"

    @property
    def ca_path(self) -> str | None:
        """PEM file that clients must trust; None without TLS."""
        return self._tls.ca_path if self._tls is not None else None

    def start(self) -> None:
        """Listens; returns when clients can connect.

        Raises:
            ConfigError: the package websockets is missing.
            OSError: the port is taken.
        """
        if self._thread is not None:
            return
        require_websockets()
        self._tls = make_tls(self._tls_choice)
        self._listening.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="genai_live emulator", daemon=True)
        self._thread.start()
        self._listening.wait(PATIENCE)
        if self._failure is not None:
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """Cuts every connection and frees the port; may be called twice, and on any thread but the server's."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(PATIENCE)
        if self._tls is not None:
            self._tls.discard()

    def do(self, work: Callable[[], T]) -> T:
        """Does something small on the server's thread and returns what it returned; raises what it raised."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    def _run(self) -> None:
        loop = asyncio.SelectorEventLoop()  # also on Windows, whose own loop watches no listening socket
        try:
            with contextlib.closing(loop):
                loop.run_until_complete(self._serve())
                loop.run_until_complete(loop.shutdown_default_executor())
        except Exception as error:
            if self._listening.is_set():
                raise
            self._failure = error  # start() raises it, on the thread of its caller
        finally:
            self._listening.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        entrance = Entrance(self._make_connection, self._tls.context if self._tls is not None else None)
        self.port = entrance.open(self._host, self._wanted_port)
        self._listening.set()
        await self._stopping.wait()
        entrance.close()
        await self._handler.close()
        await self._cut_connections()

    async def _cut_connections(self) -> None:
        """Cuts the connections that stand, and whatever is still being done."""
        for connection in list(self.connections):
            connection.cut()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await _turns()

    def _make_connection(self, settled: Callable[[], None]) -> Connection:
        # Not above: the one module that needs the package websockets.
        from genai_live.emulator.server.connection import Connection

        return Connection(self._handler, self._largest_message, self.connections, self._admission, settled)


async def _turns() -> None:
    """Lets the loop do what was begun: an accepted socket has a transport, and an aborted transport reports its end."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
