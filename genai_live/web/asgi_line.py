"""A line over the WebSocket of an ASGI server (daphne, uvicorn). On the server's event loop; no thread for each visitor.

daphne takes whatever it is given and never says that a page does not read. So the page's own reports bound what it is given.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from genai_live._flag import Flag
from genai_live.web.line import GOODBYE, LONGEST_WAIT, Taker, unread
from genai_live.web.outgoing import Outgoing
from genai_live.web.page_pace import Window
from genai_live.web.wire_format import PRIVATE

logger = logging.getLogger("genai_live")

AWAY = 1001
"""The close code for a page that does not read: should it read again, it comes back."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiLine:
    """One visitor; see ``line.Line``. ``run`` serves it, on the event loop where this was made."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send_message = receive, send
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        """Guards what waits, and the close."""
        self._outgoing = Outgoing()
        self._window = Window()
        self._close: tuple[int, str] | None = None
        self._taker: Taker | None = None
        self._began = asyncio.Event()
        self._wake = asyncio.Event()
        self._over = Flag()
        self._error: Exception | None = None
        """Why this side ended it."""
        self._sending_since: float | None = None
        """When the call began that sends."""
        self._held_since: float | None = None
        """When the page last accounted for sound, or the first was held back; None while it keeps up."""
        self._has_gone = False
        """True when the page's side is closed."""

    # ``Line``. Any thread.

    def begin(self, taker: Taker) -> None:
        """As of ``Line``."""
        if self._taker is None:
            self._taker = taker
            self._call(self._began)

    def send(self, message: bytes | str) -> int:
        """As of ``Line``."""
        with self._lock:
            if self._close is not None or self._over.is_set():
                return 0
            dropped = self._outgoing.add(message, self._waits_since, time.monotonic())
        self._call(self._wake)
        return dropped

    def drop_sound(self) -> None:
        """As of ``Line``."""
        with self._lock:
            self._outgoing.drop_sound()

    def reported(self, seconds: float, flushes: int | None) -> None:
        """As of ``Line``."""
        now = time.monotonic()
        with self._lock:
            is_more = self._window.reported(seconds, flushes, now)
            if is_more:
                self._held_since = now if self._holds_back else None
        if is_more:
            self._call(self._wake)

    def end(self, code: int, reason: str = "") -> None:
        """As of ``Line``."""
        with self._lock:
            if self._close is None:
                self._close = (code, reason)
        self._call(self._began)
        self._call(self._wake)

    def wait(self, timeout: float | None) -> bool:
        """As of ``Line``. The event loop does not wait: it would wait for itself."""
        return self._is_loop or self._over.wait(timeout)

    def _call(self, event: asyncio.Event) -> None:
        if self._is_loop:
            event.set()
            return
        with suppress(RuntimeError):  # the server has ended, and its loop with it
            self._loop.call_soon_threadsafe(event.set)

    @property
    def _is_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    # The event loop.

    async def run(self) -> None:
        """Accepts the socket and serves it until one side has had enough."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._send_message({"type": "websocket.accept"})
            await self._began.wait()
            tasks = [asyncio.ensure_future(each) for each in (self._take_all(), self._send_all(), self._keep_time())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and (error := task.exception()) is not None and not isinstance(error, OSError):
                    logger.error("a visitor's socket failed; the conversation ends", exc_info=error)
            if not self._has_gone and self._close is None:
                with suppress(Exception):  # else daphne would keep the socket, and all that waits for it
                    await asyncio.wait_for(self._say_goodbye(AWAY, ""), GOODBYE)
        finally:
            for task in tasks:
                task.cancel()
            self._over.set()
            if self._taker is not None:
                self._taker.gone(self._error)

    async def _take_all(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._has_gone = True
                return
            if self._taker is not None and message["type"] == "websocket.receive" and self._close is None:
                text = message.get("text")
                self._taker.take(bytes(message.get("bytes") or b"") if text is None else text)

    async def _send_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (message := self._next()) is not None:
                self._sending_since = time.monotonic()
                name = "text" if isinstance(message, str) else "bytes"
                await self._send_message({"type": "websocket.send", name: message})
                self._sending_since = None
            if self._close is not None:
                code, reason = self._close
                await self._say_goodbye(code, reason)
                await asyncio.sleep(GOODBYE)  # the visitor's answer ends it sooner
                return

    async def _say_goodbye(self, code: int, reason: str) -> None:
        try:
            await self._send_message({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            raise
        except Exception:  # daphne sends none of the codes that RFC 6455 names, but 1000
            await self._send_message({"type": "websocket.close", "code": code + PRIVATE, "reason": reason})

    def _next(self) -> bytes | str | None:
        """None when nothing waits, or the page has to report first."""
        now = time.monotonic()
        with self._lock:
            if self._holds_back and self._held_since is None:
                self._held_since = now
            if not self._outgoing or self._holds_back:
                return None
            message = self._outgoing.take()
            self._window.sent(message, now)
            return message

    @property
    def _waits_since(self) -> float | None:
        """Since when the page takes nothing."""
        return self._held_since if self._sending_since is None else self._sending_since

    @property
    def _holds_back(self) -> bool:
        """Requires the lock."""
        return self._close is None and self._window.is_full and self._outgoing.begins_with_sound

    async def _keep_time(self) -> None:
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due and self._taker is not None:
                due = min(self._taker.on_time(now), now + LONGEST_WAIT)
            if self._outgoing.is_stuck(self._waits_since, now):
                self._error = unread()
                return
            await asyncio.sleep(min(max(0.0, due - now), 1.0))
