"""Many pages in one process: bare sockets and epoll, each speaking 25 messages a second, stamped, evenly spread.

``python -m benchmarks.visitors.pages URL COUNT SECONDS WARM REPORTS`` prints what was measured as JSON. REPORTS is how often a
second a page says what it has heard: 10 in the wire format of docs/web.md, 0 for apps that ask for nothing of the kind.
"""

from __future__ import annotations

import gc
import heapq
import json
import select
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence

PERIOD = 0.04
CHUNK = 1_280
PATIENCE = 60.0


class Page:
    """One visitor."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = (
            "GET /voice/ HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
        )  # fmt: skip
        self.socket.sendall("\r\n".join(lines).encode())
        self.unread = bytearray()
        while b"\r\n\r\n" not in self.unread:
            self.unread += self._some()
        assert self.unread.startswith(b"HTTP/1.1 101"), self.unread
        del self.unread[: self.unread.index(b"\r\n\r\n") + 4]
        self.say({"event": "start", "version": 1, "token": token, "conversation": None})
        self.heard = 0
        self.ready = False

    def wait(self) -> None:
        while not self.ready:
            self.take(self._some(), [], 0.0)
        self.socket.setblocking(False)

    def _some(self) -> bytes:
        data = self.socket.recv(65_536)
        assert data, f"the server closed after {bytes(self.unread)!r}"
        return data

    def say(self, event: dict[str, object]) -> None:
        self.socket.send(framed(json.dumps(event).encode(), 0x81))

    def take(self, data: bytes, delays: list[float], now: float) -> None:
        """Cuts the server's frames; notes how old their sound is."""
        unread = self.unread
        unread += data
        while len(unread) >= 2:
            length, start = unread[1], 2
            if length >= 126:
                start = 4 if length == 126 else 10
                length = int.from_bytes(unread[2:start], "big")
            if len(unread) < start + length:
                return
            if unread[0] == 0x82:
                self.heard += length
                delays.append(now - struct.unpack_from("<d", unread, start)[0])
            elif unread[0] == 0x81 and b'"listening"' in unread[start : start + length]:
                self.ready = True
            elif unread[0] == 0x88:
                raise ConnectionError(bytes(unread[start : start + length]))
            del unread[: start + length]


def framed(payload: bytes, first: int = 0x82) -> bytes:
    """A masked frame whose key is 0, so that nobody has to mask here."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("inf")


class Looker:
    """Fetches a web page ten times a second, beside."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self.over = threading.Event()
        self._url = url
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.over.wait(0.1):
            began = time.monotonic()
            urllib.request.urlopen(self._url, timeout=PATIENCE).read()
            self.seconds.append(time.monotonic() - began)

    def stop(self) -> None:
        self.over.set()
        self._thread.join(PATIENCE)


def main() -> None:
    url, (count, seconds, warm, reports) = sys.argv[1], map(float, sys.argv[2:6])
    host, port = url.removeprefix("http://").split(":")
    token = json.load(urllib.request.urlopen(f"{url}/voice/token", timeout=PATIENCE))["token"]
    pages = [Page(host, int(port), token) for _ in range(int(count))]
    for page in pages:
        page.wait()
    gc.disable()
    of_descriptor = {page.socket.fileno(): page for page in pages}
    epoll = select.epoll()
    for descriptor in of_descriptor:
        epoll.register(descriptor, select.EPOLLIN)
    now = time.monotonic()
    due = [(now + PERIOD * number / count, number) for number in range(len(pages))]
    sent = [0] * len(pages)
    heapq.heapify(due)
    delays: list[float] = []
    refused = 0
    starts, ends = now + warm, now + warm + seconds
    looker = None
    silence = bytes(CHUNK - 8)
    while now < ends:
        for descriptor, _ in epoll.poll(max(0.0, due[0][0] - now)):
            page = of_descriptor[descriptor]
            try:
                data = page.socket.recv(262_144)
            except BlockingIOError:
                continue
            page.take(data, delays, time.monotonic())
        now = time.monotonic()
        while due[0][0] <= now:
            at, number = heapq.heappop(due)
            page = pages[number]
            try:
                page.socket.send(framed(struct.pack("<d", time.monotonic()) + silence))
                sent[number] += 1
                if reports and sent[number] % round(1 / PERIOD / reports) == 0:
                    page.say({"event": "played", "seconds": max(0.0, page.heard / 48_000 - 0.1), "flushes": 0})
            except BlockingIOError:
                refused += 1
            heapq.heappush(due, (at + PERIOD, number))
        if looker is None and now >= starts:
            delays.clear()
            print("measuring", flush=True)
            looker = Looker(url)
    assert looker is not None
    result = {
        "down_p50": percentile(delays, 0.5), "down_p99": percentile(delays, 0.99),
        "arrived": len(delays) / (count * seconds / PERIOD), "refused": refused,
    }  # fmt: skip
    print(json.dumps(result), flush=True)
    looker.stop()
    print(json.dumps({"page_p95": percentile(looker.seconds, 0.95)}), flush=True)


if __name__ == "__main__":
    main()
