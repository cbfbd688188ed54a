"""Many pages in one process: bare sockets and epoll, each speaking 25 messages a second, stamped, evenly spread.

``python -m benchmarks.visitors.pages URL COUNT SECONDS WARM REPORTS`` prints ``measuring`` when it begins, and then what was
measured as JSON. REPORTS is how often a second a page says what it has heard: 2 in the wire format of docs/web.md, 0 for apps
that ask for nothing of the kind.
"""

from __future__ import annotations

import gc
import heapq
import json
import select
import socket
import struct
import sys
import time
import urllib.request
from collections.abc import Sequence

PERIOD = 0.04
CHUNK = 1_280
PATIENCE = 60.0
ON_ITS_WAY = 0.25
"""Seconds that what was sent before the end has to come."""


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
        self.heard = self.sent = 0
        self.ready = False

    def wait(self) -> None:
        while not self.ready:
            self.take(self._some(), [], 0.0, 0.0, 0.0)
        self.socket.setblocking(False)

    def _some(self) -> bytes:
        data = self.socket.recv(65_536)
        assert data, f"the server closed after {bytes(self.unread)!r}"
        return data

    def say(self, event: dict[str, object]) -> None:
        self._send(framed(json.dumps(event).encode(), 0x81))

    def speak(self, silence: bytes, reports: float) -> None:
        """Sends the next 40 ms, and now and then what was heard: all but 0.1 s, as a loudspeaker has it."""
        self._send(framed(struct.pack("<d", time.monotonic()) + silence))
        self.sent += 1
        if reports and self.sent % round(1 / PERIOD / reports) == 0:
            self.say({"event": "played", "seconds": max(0.0, self.heard / 48_000 - 0.1), "flushes": 0})

    def _send(self, frame: bytes) -> None:
        """Raises BlockingIOError where the server has not read for so long that the socket is full."""
        if self.socket.send(frame) < len(frame):
            raise BlockingIOError

    def take(self, data: bytes, delays: list[float], now: float, since: float, until: float) -> None:
        """Cuts the server's frames; notes how old their sound is, where it was sent between the last two times."""
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
                (sent,) = struct.unpack_from("<d", unread, start)
                if since <= sent < until:
                    delays.append(now - sent)
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
    """The value below which so many of them are, from 0 to 1; infinity where there is none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("inf")


def main() -> None:
    """Opens the pages, lets them talk, measures."""
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
    heapq.heapify(due)
    delays: list[float] = []
    late: list[float] = []
    starts = now + warm
    ends, spent, is_measuring = starts + seconds, 0.0, False
    silence = bytes(CHUNK - 8)
    while now < ends + ON_ITS_WAY:
        next_due = due[0][0] if due[0][0] < ends else ends + ON_ITS_WAY
        for descriptor, _ in epoll.poll(max(0.0, next_due - now)):
            page = of_descriptor[descriptor]
            page.take(page.socket.recv(262_144), delays, time.monotonic(), starts, ends)
        now = time.monotonic()
        while due[0][0] <= now and due[0][0] < ends:
            at, number = heapq.heappop(due)
            pages[number].speak(silence, reports)
            late.append(now - at)
            heapq.heappush(due, (at + PERIOD, number))
        if not is_measuring and now >= starts:
            is_measuring = True
            late.clear()
            spent = time.process_time()
            print("measuring", flush=True)
    result = {
        "down_p50": percentile(delays, 0.5), "down_p99": percentile(delays, 0.99),
        "arrived": min(1.0, len(delays) / (count * seconds / PERIOD)),
        "pages_late_p99": percentile(late, 0.99), "pages_load": (time.process_time() - spent) / (seconds + ON_ITS_WAY),
    }  # fmt: skip
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
