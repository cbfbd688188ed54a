"""The floor, what Python costs at the least: a blocking socket read in large pieces, JSON, base64 and masking in C, no types, one
thread that reads for
nobody but itself. ``--mask-in-python`` takes no package for masking."""

from __future__ import annotations

import os
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
import pybase64

from benchmarks.peers import _peer

_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]
_PREFIX = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_SUFFIX = b'"}}}'


def _masked_in_python(payload: bytes, key: bytes) -> bytearray:
    masked = bytearray(len(payload))
    for lane in range(4):
        masked[lane::4] = payload[lane::4].translate(_TABLES[key[lane]])
    return masked


apply_mask: Callable[[bytes, bytes], bytes | bytearray] = _masked_in_python
if "--mask-in-python" not in sys.argv:
    from websockets.speedups import apply_mask


class Socket:
    """A WebSocket of three methods."""

    def __init__(self, url: str, authority: str, model: str) -> None:
        parts = urlsplit(url)
        sock = socket.create_connection((parts.hostname or "", parts.port or 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            sock = ssl.create_default_context(cafile=authority).wrap_socket(sock, server_hostname=parts.hostname)
        self.socket = sock
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        self.rest = head.partition(b"\r\n\r\n")[2]
        self.send(orjson.dumps({"setup": {"model": model}}))
        while not self.read():
            pass

    def send(self, payload: bytes) -> None:
        """Writes one masked text frame."""
        size, key = len(payload), os.urandom(4)
        if size < 126:
            head = bytes((0x81, 0x80 | size))
        elif size < 65_536:
            head = bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x81, 0xFF)) + size.to_bytes(8, "big")
        self.socket.sendall(b"".join((head, key, apply_mask(payload, key))))

    def read(self) -> list[dict[str, Any]]:
        """Waits for bytes, and returns the messages that they complete."""
        data = self.socket.recv(65_536)
        if self.rest:
            data = self.rest + data
        messages = []
        position, size = 0, len(data)
        while size - position >= 2:
            length, start = data[position + 1], position + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[position + 2 : start], "big")
            if start + length > size:
                break
            messages.append(orjson.loads(data[start : start + length]))
            position = start + length
        self.rest = data[position:]
        return messages


class Floor:
    """The peer; callers' loops read the socket themselves."""

    def open(self, url: str, authority: str, model: str) -> Socket:
        return Socket(url, authority, model)

    def close(self, session: Socket) -> None:
        session.socket.close()

    def say(self, session: Socket) -> None:
        session.send(b'{"clientContent":{"turns":[{"role":"user","parts":[{"text":"Hello"}]}],"turnComplete":true}}')

    def take_turn(self, session: Socket, see: Callable[[bytes], object]) -> str:
        text = ""
        while True:
            for message in session.read():
                content = message["serverContent"]
                if "modelTurn" in content:
                    part = content["modelTurn"]["parts"][0]
                    if "inlineData" in part:
                        see(pybase64.b64decode(part["inlineData"]["data"], validate=True))
                    else:
                        text += part["text"]
                if content.get("turnComplete"):
                    return text

    def send(self, session: Socket, chunk: bytes, count: int) -> None:
        for _ in range(count):
            session.send(b"".join((_PREFIX, pybase64.b64encode(chunk), _SUFFIX)))

    def ask(self, session: Socket, count: int) -> list[float]:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            self.say(session)
            self.take_turn(session, len)
            times.append(time.perf_counter() - began)
        return times

    def converse(self, crowd: _peer.Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        """One thread that waits for all sockets, and speaks when it is time: what threads and types are measured against."""
        held = {}
        poll = select.epoll()
        for _ in range(crowd.sessions):
            session = Socket(crowd.url, crowd.authority, crowd.model)
            held[session.socket.fileno()] = session
            poll.register(session.socket, select.EPOLLIN)
        chunk = b"".join((_PREFIX, pybase64.b64encode(bytes(1_280)), _SUFFIX))
        start = time.monotonic()
        due = [(start + 0.04 * index / crowd.sessions, session) for index, session in enumerate(held.values())]
        began, ended = start + 1.0, start + 1.0 + crowd.seconds
        with _peer.Meter() as meter:
            at = 0
            while (now := time.monotonic()) < ended:
                while due[at][0] <= now:
                    due[at][1].send(chunk)
                    due[at] = (due[at][0] + 0.04, due[at][1])
                    at = (at + 1) % crowd.sessions
                for descriptor, _ in poll.poll(max(0.0, due[at][0] - now)):
                    for message in held[descriptor].read():
                        see(pybase64.b64decode(message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"]))
        share = crowd.seconds / meter.wall
        return {"began": began, "ended": ended, "cpu": meter.cpu * share, "switches": meter.switches * share}


if __name__ == "__main__":
    _peer.run(Floor())  # type: ignore[arg-type] # it does not pace
