"""Proxies for tests, small and strict, over sockets: HTTP (CONNECT and absolute URLs), the same behind TLS, and SOCKS 5."""

from __future__ import annotations

import base64
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.servers import PATIENCE, served
from tests.waiting import send_at_once


@dataclass
class Seen:
    """A running proxy, and what was asked of it."""

    url: str
    """scheme://127.0.0.1:port or scheme://localhost:port, without user and password."""
    targets: list[str] = field(default_factory=list)
    """Every host:port that was asked for, refused ones too."""
    credentials: list[str] = field(default_factory=list)
    """user:password of every request; "" where there was none."""

    def with_user(self, pair: str) -> str:
        """The URL with user:password."""
        return self.url.replace("://", f"://{pair}@")


@contextmanager
def http_proxy(*, user: str = "", tls: bool = False, answer: bytes = b"") -> Iterator[Seen]:
    """An HTTP proxy that wants ``user`` ("name:password"), if it is set; ``answer`` is sent to every request instead of help."""

    def serve(connection: socket.socket) -> None:
        head, rest = _head(connection)
        method, target, _ = head.split("\r\n")[0].split(" ")
        given = _header(head, "proxy-authorization").removeprefix("Basic ")
        seen.credentials.append(base64.b64decode(given).decode())
        parts = urlsplit(target if method != "CONNECT" else f"//{target}")
        seen.targets.append(f"{parts.hostname}:{parts.port}")
        if answer:
            connection.sendall(answer)
        elif user and seen.credentials[-1] != user:
            body = b"this proxy knows you not"
            connection.sendall(
                b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="tests"\r\n'
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        else:
            with socket.create_connection((parts.hostname, parts.port or 80), PATIENCE) as there:
                send_at_once(there)
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    origin = head.replace(f"{parts.scheme}://{parts.netloc}", "", 1).encode() + b"\r\n\r\n" + rest
                    there.sendall(origin)
                _pump(connection, there)

    with _serving(serve, tls=tls) as (host, port):
        seen = Seen(f"{'https' if tls else 'http'}://{host}:{port}")
        yield seen


@contextmanager
def socks5_proxy(*, user: str = "", refusal: int = 0, scheme: str = "socks5h") -> Iterator[Seen]:
    """A SOCKS 5 proxy (RFC 1928, 1929); ``refusal`` is the reply code for every request."""

    def serve(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        version, count = stream.read(2)
        assert version == 5
        methods = stream.read(count)
        wanted = 2 if user else 0
        if wanted not in methods:
            seen.credentials.append("")
            connection.sendall(b"\5\xff")
            return
        connection.sendall(bytes((5, wanted)))
        if user and not _knows(stream, connection, user, seen):
            return
        _, command, _, kind = stream.read(4)
        assert command == 1
        if kind == 1:
            host = socket.inet_ntoa(stream.read(4))
        elif kind == 3:
            host = stream.read(stream.read(1)[0]).decode()
        else:
            host = socket.inet_ntop(socket.AF_INET6, stream.read(16))
        (port,) = struct.unpack("!H", stream.read(2))
        seen.targets.append(f"{host}:{port}")
        connection.sendall(bytes((5, refusal, 0, 1)) + bytes(6))
        if not refusal:
            with socket.create_connection((host, port), PATIENCE) as there:
                send_at_once(there)
                _pump(connection, there)

    with _serving(serve, tls=False) as (host, port):
        seen = Seen(f"{scheme}://{host}:{port}")
        yield seen


def _knows(stream: Any, connection: socket.socket, user: str, seen: Seen) -> bool:
    stream.read(1)
    name = stream.read(stream.read(1)[0]).decode()
    password = stream.read(stream.read(1)[0]).decode()
    seen.credentials.append(f"{name}:{password}")
    connection.sendall(bytes((1, 0 if seen.credentials[-1] == user else 1)))
    return seen.credentials[-1] == user


def _head(connection: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise OSError("the client left")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def _header(head: str, name: str) -> str:
    lines = [line.partition(":") for line in head.split("\r\n")[1:]]
    return next((value.strip() for key, _, value in lines if key.lower() == name), "")


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Copies both ways until either side ends. On one thread: two at once break a TLS connection."""
    one.settimeout(PATIENCE)
    other.settimeout(PATIENCE)
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select(PATIENCE):
                source: Any = key.fileobj
                data = source.recv(65_536)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    data += source.recv(65_536)
                if not data:
                    return
                key.data.sendall(data)


@contextmanager
def _serving(serve: Callable[[socket.socket], None], *, tls: bool) -> Iterator[tuple[str, int]]:
    context = served() if tls else None
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket) -> None:
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
                open_sockets.append(connection)
            serve(connection)
        except OSError:
            pass  # either side left, or the test is over
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            send_at_once(connection)
            open_sockets.append(connection)
            threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield ("localhost" if tls else "127.0.0.1"), listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(PATIENCE)
        for connection in open_sockets:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue  # over already
        for thread in threads:
            thread.join(PATIENCE)
