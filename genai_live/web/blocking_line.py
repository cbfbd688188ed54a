"""A line over any WebSocket whose calls block: one thread receives, one sends, one keeps the time. They alone touch it."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from genai_live._flag import Flag
from genai_live.web.line import GOODBYE, LONGEST_WAIT, Taker, unread
from genai_live.web.outgoing import Outgoing

logger = logging.getLogger("genai_live")

_GONE_NAMES = (
    "ConnectionClosed", "ConnectionError", "Disconnect",
    "WebSocketConnectionClosedException", "WebSocketDisconnect", "WebSocketError", "WebSocketException",
)  # fmt: skip
"""What packages call the error of a peer that has gone."""


def gone_errors(websocket: object) -> tuple[type[BaseException], ...]:
    """What this object raises for a visitor that has gone: OSErrors, and what its own package has names for."""
    package = type(websocket).__module__.partition(".")[0]
    modules = [module for name, module in tuple(sys.modules.items()) if name.partition(".")[0] == package]
    found = [getattr(module, name, None) for module in modules for name in _GONE_NAMES]
    own = [each for each in found if isinstance(each, type) and issubclass(each, Exception)]
    return (OSError, EOFError, *dict.fromkeys(own))


class BlockingLine:
    """Three threads for one visitor; see ``line.Line``."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._gone_errors = gone_errors(websocket)
        self._changed = threading.Condition()
        """Guards everything below; the sending thread waits on it."""
        self._outgoing = Outgoing()
        self._taker: Taker | None = None
        self._close: tuple[int, str] | None = None
        self._over = Flag()
        self._sending_since: float | None = None
        """When the call began that sends."""

    def begin(self, taker: Taker) -> None:
        """As of ``Line``."""
        with self._changed:
            if self._taker is not None:
                return
            self._taker = taker
        for work in (self._receive, self._send):
            threading.Thread(target=work, args=(taker,), name="genai-live-page", daemon=True).start()

    def send(self, message: bytes | str) -> int:
        """As of ``Line``."""
        with self._changed:
            if self._close is not None or self._over.is_set():
                return 0
            dropped = self._outgoing.add(message, self._sending_since, time.monotonic())
            self._changed.notify()
        return dropped

    def drop_sound(self) -> None:
        """As of ``Line``."""
        with self._changed:
            self._outgoing.drop_sound()

    def reported(self, seconds: float, flushes: int | None) -> None:
        """As of ``Line``. The call that sends tells what the page takes."""

    def end(self, code: int, reason: str = "") -> None:
        """As of ``Line``."""
        with self._changed:
            if self._close is None:
                self._close = (code, reason)
            self._changed.notify()

    def wait(self, timeout: float | None) -> bool:
        """As of ``Line``."""
        return self._over.wait(timeout)

    # The receiving thread.

    def _receive(self, taker: Taker) -> None:
        with self._ending() as ended:
            while not self._over.is_set():
                message = self._websocket.receive()
                if message is None:
                    break
                taker.take(message if isinstance(message, str) else bytes(message))
        self._leave(taker, ended[0] if ended and self._close is None else None)

    # The sending thread.

    def _send(self, taker: Taker) -> None:
        watch = threading.Thread(target=self._watch, args=(taker,), name="genai-live-page", daemon=True)
        watch.start()
        with self._ending() as ended:
            while (message := self._next()) is not None:
                self._sending_since = time.monotonic()
                self._websocket.send(message)
                self._sending_since = None
            if not self._over.is_set():
                assert self._close is not None
                self._say_goodbye(*self._close)
        self._sending_since = None
        self._shut()
        self._leave(taker, ended[0] if ended else None)

    def _next(self) -> bytes | str | None:
        with self._changed:
            while not self._outgoing and self._close is None and not self._over.is_set():
                self._changed.wait()
            if self._over.is_set() or not self._outgoing:
                return None
            return self._outgoing.take()

    def _say_goodbye(self, code: int, reason: str) -> None:
        close = getattr(self._websocket, "close", None)
        if callable(close):
            try:
                close(code, reason)
            except TypeError:  # one that takes no code
                close()
        self._over.wait(GOODBYE)

    # The thread that keeps the time.

    def _watch(self, taker: Taker) -> None:
        due = 0.0
        while not self._over.wait(min(max(0.0, due - time.monotonic()), 1.0)):
            now = time.monotonic()
            if now >= due:
                due = min(taker.on_time(now), now + LONGEST_WAIT)
            if not self._over.is_set() and self._outgoing.is_stuck(self._sending_since, now):
                self._shut()
                self._leave(taker, unread())

    # Ending.

    @contextlib.contextmanager
    def _ending(self) -> Iterator[list[Exception]]:
        """Catches what ends a call; a defect of the socket's is logged, whatever a visitor's leaving raises is not."""
        errors: list[Exception] = []
        try:
            yield errors
        except Exception as error:
            errors.append(error)
            if not isinstance(error, self._gone_errors) and not self._over.is_set():
                logger.exception("a visitor's socket failed; the conversation ends")

    def _leave(self, taker: Taker, error: Exception | None) -> None:
        with self._changed:
            if self._over.is_set():
                return
            self._over.set()
            self._changed.notify()
        taker.gone(None if isinstance(error, self._gone_errors) else error)

    def _shut(self) -> None:
        """Ends the calls that block on the socket."""
        for name in ("sock", "socket"):
            sock = getattr(self._websocket, name, None)
            if sock is not None:
                with contextlib.suppress(Exception):
                    sock.shutdown(socket.SHUT_RDWR)
