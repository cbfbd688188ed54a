"""The last way from a notebook's page to its kernel: through Jupyter's own messages, as a socket that blocks.

The page's messages are taken on the kernel's thread for messages, mostly between two cells; two threads of a ``BrowserEnd``
receive and send.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any

Send = Callable[[dict[str, Any], Sequence[bytes]], object]


class CommSocket:
    """One socket of the page; ``number`` tells it from those before it."""

    def __init__(self, number: int, send: Send) -> None:
        self._number = number
        self._send = send
        self._received: queue.SimpleQueue[str | bytes | None] = queue.SimpleQueue()
        self._is_closed = False

    def take(self, message: str | bytes | None) -> None:
        """The page has said this, or has gone (None)."""
        self._received.put(message)

    def receive(self) -> str | bytes | None:
        """The next message; None when the page has gone. Blocks."""
        return self._received.get()

    def send(self, message: str | bytes) -> None:
        """Sends one message; nothing happens once it is closed."""
        if self._is_closed:
            return
        if isinstance(message, str):
            self._send({"socket": self._number, "text": message}, ())
        else:
            self._send({"socket": self._number}, (message,))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Says goodbye to the page."""
        if not self._is_closed:
            self._send({"socket": self._number, "close": code, "reason": reason}, ())
            self._is_closed = True
        self._received.put(None)


class Switchboard:
    """Sorts the page's messages by their sockets, and has each socket served."""

    def __init__(self, send: Send, serve_socket: Callable[[CommSocket], object]) -> None:
        self._send = send
        self._serve_socket = serve_socket
        self._sockets: dict[int, CommSocket] = {}

    def take(self, content: Any, buffers: Sequence[Any]) -> None:
        """One message of the page: a socket's first, something that it says, or its end."""
        number = content.get("socket") if isinstance(content, dict) else None
        if not isinstance(number, int):
            return
        if content.get("open"):
            self._sockets[number] = CommSocket(number, self._send)
            self._serve_socket(self._sockets[number])
        socket = self._sockets.get(number)
        if socket is None:
            return
        if isinstance(content.get("text"), str):
            socket.take(content["text"])
        for buffer in buffers:
            socket.take(bytes(buffer))
        if "close" in content:
            self._sockets.pop(number).take(None)

    def close(self) -> None:
        """Ends them all."""
        for socket in self._sockets.values():
            socket.close(1001)
        self._sockets.clear()
