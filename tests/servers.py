"""Servers for tests: scripted WebSocket servers written with the websockets library, and raw sockets that misbehave below it."""

from __future__ import annotations

import functools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from genai_live import Client, Session
from tests.tls_front import tls_front
from tests.waiting import PATIENCE, send_at_once

Handler = Callable[[ServerConnection], object]
MODEL = "models/test"
AUTHORITY = trustme.CA()
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")
"""Environment variables that name a CA bundle."""


def message(**fields: Any) -> bytes:
    """A server message as the service sends it: JSON in a binary frame."""
    return json.dumps(fields, indent=2).encode()


def text_part(text: str) -> bytes:
    return message(serverContent={"modelTurn": {"parts": [{"text": text}]}})


TURN_COMPLETE = message(serverContent={"turnComplete": True})
SETUP_COMPLETE = message(setupComplete={})


def text_of(raw: str | bytes) -> str:
    """What a client message says, in either of the forms that a session sends text in; empty when it says nothing."""
    sent = json.loads(raw)
    turns = sent.get("clientContent", {}).get("turns")
    return str(turns[0]["parts"][0]["text"] if turns else sent.get("realtimeInput", {}).get("text", ""))


def answer_setup(connection: ServerConnection) -> dict[str, Any]:
    """Reads the setup message and answers it."""
    setup = json.loads(connection.recv(timeout=PATIENCE))
    connection.send(SETUP_COMPLETE)
    return dict(setup["setup"])


def answer_every_text(connection: ServerConnection) -> None:
    """Answers setup, then every text with a turn that repeats it, until the client leaves."""
    answer_setup(connection)
    for raw in connection:
        sent = json.loads(raw)
        texts = [turn["parts"][0]["text"] for turn in sent.get("clientContent", {}).get("turns", [])]
        for text in texts or [sent["realtimeInput"]["text"]]:
            connection.send(text_part(text))
            connection.send(TURN_COMPLETE)


def wait_until_closed(connection: ServerConnection) -> None:
    for _ in connection:
        continue


@contextmanager
def live_server(
    handler: Handler = answer_every_text, *, tls: bool = False, listener: socket.socket | None = None, **options: Any
) -> Iterator[str]:
    """Runs ``handler`` for every connection; gives the base URL that ``http_options`` takes. ``options`` are websockets' own.

    ``listener`` is a bound socket to serve, instead of a port of its own.
    """

    def quietly(connection: ServerConnection) -> None:
        try:
            handler(connection)
        except (ConnectionClosed, TimeoutError, OSError):
            return  # the client left, which is what many tests are about

    options = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": 0.2, **options}
    with ExitStack() as stack:
        sock = listener or socket.create_server(("127.0.0.1", 0), backlog=128)
        server = serve(quietly, sock=sock, **options)
        server.SHUTDOWN_POLLING_INTERVAL = 0.001  # 0.1 s otherwise, which a thousand tests would wait for
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join, PATIENCE)
        stack.callback(server.shutdown)
        port = sock.getsockname()[1]
        yield f"https://localhost:{stack.enter_context(tls_front(port, served()))}" if tls else f"http://127.0.0.1:{port}"


@functools.cache
def served(*names: str, **validity: Any) -> ssl.SSLContext:
    """What a server of these names presents: a certificate of the tests' authority.

    Made once: to read a key while other threads use TLS failed once in some ten thousand times ("PEM lib", OpenSSL 3.0).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*(names or ("localhost",)), **validity).configure_cert(context)
    return context


@functools.cache
def trusting() -> ssl.SSLContext:
    """What a client has that trusts the tests' authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port that is taken and where nobody listens: refused, and no other process can be given it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def raw_server(handler: Callable[[socket.socket], object]) -> Iterator[str]:
    """Accepts TCP connections and hands each to ``handler`` on a thread of its own; closes them all at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def quietly(connection: socket.socket) -> None:
        try:
            handler(connection)
        except OSError:
            return  # the client left, or the test is over

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            send_at_once(connection)
            accepted.append(connection)
            threads.append(threading.Thread(target=quietly, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(PATIENCE)
        for connection in accepted:
            with suppress(OSError):  # closed by the peer already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE)
        for connection in accepted:  # now that no thread uses a descriptor that another connection may get
            connection.close()


def client_of(base_url: str, *, shared_reader: bool = False, **http_options: Any) -> Client:
    """A client of the Developer API that talks to a test server, and trusts the tests' authority."""
    if base_url.startswith("https"):
        http_options.setdefault("ssl_context", trusting())
    return Client(api_key="test-key", http_options={"base_url": base_url, **http_options}, shared_reader=shared_reader)


@contextmanager
def session_with(handler: Handler = answer_every_text, *, tls: bool = False, **connect: Any) -> Iterator[Session]:
    """A session with a scripted server; ``http_options`` among the arguments go to the client."""
    options = connect.pop("http_options", {})
    with live_server(handler, tls=tls) as url, client_of(url, **options).live.connect(model=MODEL, **connect) as session:
        yield session
