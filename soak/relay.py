"""A TCP relay whose links can be cut, reset and frozen: the network between a client and a server. Runs on threads of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() a reset."""


class Relay:
    """Takes connections at ``url`` and passes bytes to and from another port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[tuple[socket.socket, socket.socket]] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every link as a server that dies does: with the end of the stream, and no Close frame."""
        self._end_links()

    def reset(self) -> None:
        """Ends every link as a firewall does: with a reset."""
        for client, _ in self._links:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._end_links()

    def freeze(self) -> None:
        """Passes nothing on any more, and says nothing: what a dead router does. The next link ends it."""
        self._flowing.clear()

    def close(self) -> None:
        self._flowing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_links()

    def _end_links(self) -> None:
        self._flowing.set()
        for link in self._links:
            for end in link:
                with contextlib.suppress(OSError):  # it has ended already
                    end.shutdown(socket.SHUT_RDWR)
        self._links.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._end_links()  # one session, one link: what is frozen is over when the client comes anew
            server = socket.create_connection(("127.0.0.1", self._port))
            self._links.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end may be gone
            while data := one.recv(65536):
                self._flowing.wait()
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        one.close()
