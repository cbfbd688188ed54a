"""An HTTP server for tests that answers JSON from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import PATIENCE, served

Answer = tuple[int, Any]
"""HTTP status, and the body: JSON-able, or str as it is."""


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    method: str = "POST"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RestServer:
    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def rest_server(answer: Callable[[Request], Answer], *, tls: bool = False) -> Iterator[RestServer]:
    """Runs ``answer`` for every GET and POST, on a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body, self.command)
            served.requests.append(request)
            status, data = answer(request)
            content = data.encode() if isinstance(data, str) else json.dumps(data).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("location", served.url + "/elsewhere")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with running(Handler, tls=tls) as url:
        served = RestServer(url)
        yield served


@contextmanager
def running(handler: type[BaseHTTPRequestHandler], *, tls: bool = False) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = served().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.001}, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}" if tls else f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
