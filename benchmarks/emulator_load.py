"""Loads one emulator with many sessions of real-time audio both ways, and says how late the answers were.

The emulator runs in a process of its own, on one core; this process, on another, is the clients: each sends 40 ms of audio 25
times a second and gets 25 messages a second back. Delay is from the moment a message was due to the moment its echo was read,
so what the load generator itself loses counts too. The clients know just enough of WebSocket to be no bottleneck. Run::

    python benchmarks/emulator_load.py --sessions 300 --seconds 20

Model ``emulator-loopback`` sends every message straight back; ``--hear`` lets it listen for speech in them as well, as every
other model does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import struct
import subprocess
import sys
import time
from collections import deque

CHUNK_SECONDS = 0.04
RATE = 16_000
LOOPBACK = "models/emulator-loopback"
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
LARGEST_SHORT, LARGEST_MEDIUM = 125, 65_535
WORST_P99 = 0.050
"""Seconds: what the emulator promises for 300 sessions."""

SERVER = """
import os, sys, time
from genai_live.emulator import LiveEmulator
core, hear = int(sys.argv[1]), sys.argv[2] == "hear"
if core >= 0 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {core})
if hear:
    from genai_live.emulator.session.live_session import LiveSession
    LiveSession.loopback_hears = True
with LiveEmulator(voice=False, pretty=True) as emulator:
    print(emulator.port, flush=True)
    sys.stdin.readline()
    print(time.process_time(), flush=True)
"""


def text_frame(payload: bytes) -> bytes:
    """A masked text frame (RFC 6455 section 5.2) with the mask of zero, which changes nothing and costs nothing."""
    size = len(payload)
    if size <= LARGEST_SHORT:
        return struct.pack("!BB", 0x81, 0x80 | size) + bytes(4) + payload
    if size <= LARGEST_MEDIUM:
        return struct.pack("!BBH", 0x81, 0x80 | 126, size) + bytes(4) + payload
    return struct.pack("!BBQ", 0x81, 0x80 | 127, size) + bytes(4) + payload


class Client(asyncio.Protocol):
    """One session: sends on a timer, matches echoes to messages by their order."""

    def __init__(self, frame: bytes, delays: list[float]) -> None:
        self._frame = frame
        self._delays = delays
        self._due: deque[float] = deque()
        self._buffer = bytearray()
        self._upgraded = False
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False
        self.frames = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: asks for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        head = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        transport.write(f"{head}Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """asyncio: counts whole frames."""
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self._buffer[: end + 4]
            self._upgraded = True
            self.transport.write(text_frame(json.dumps({"setup": {"model": LOOPBACK}}).encode()))
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, head = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return False
            size, head = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < head + size:
            return False
        del buffer[: head + size]
        self._took_message()
        return True

    def _took_message(self) -> None:
        self.frames += 1
        if not self.ready.done():
            self.ready.set_result(None)
        elif self._due:
            self._delays.append(time.monotonic() - self._due.popleft())

    def send(self, due: float) -> None:
        """Sends one message that was due at a time."""
        self._due.append(due)
        self.transport.write(self._frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: must not happen while the load runs."""
        self.lost = True


async def load(port: int, sessions: int, seconds: float) -> tuple[list[float], int]:
    """Runs the load; all delays, and how many connections were lost."""
    loop = asyncio.get_running_loop()
    pcm = bytes(range(256)) * (round(RATE * CHUNK_SECONDS) * 2 // 256)
    audio = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(pcm).decode()}
    frame = text_frame(json.dumps({"realtimeInput": {"audio": audio}}).encode())
    delays: list[float] = []
    clients: list[Client] = []
    for _ in range(sessions):
        _, client = await loop.create_connection(lambda: Client(frame, delays), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.ready for client in clients))
    delays.clear()
    begin = time.monotonic() + 0.1
    # Sessions are spread over the 40 ms, as people are who did not agree to speak in step.
    steps = [(begin + n * CHUNK_SECONDS + index * CHUNK_SECONDS / sessions, client)
             for n in range(round(seconds / CHUNK_SECONDS)) for index, client in enumerate(clients)]  # fmt: skip
    for due, client in steps:
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        elif len(delays) % 64 == 0:
            await asyncio.sleep(0)
        client.send(due)
    await asyncio.sleep(1.0)
    lost = sum(client.lost for client in clients)
    for client in clients:
        client.transport.abort()
    return delays, lost


def main() -> int:
    """Runs the load and prints what came of it; 1 when the promise was not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--hear", action="store_true", help="let the emulator listen for speech in what it sends back")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    server_core = cores[0] if len(cores) > 1 else -1
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    command = [sys.executable, "-c", SERVER, str(server_core), "hear" if arguments.hear else "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        began = time.monotonic()
        delays, lost = asyncio.run(load(port, arguments.sessions, arguments.seconds))
        took = time.monotonic() - began
        server.stdin.write("\n")
        server.stdin.flush()
        busy = float(server.stdout.readline())
    return report(arguments, sorted(delays), lost, busy / took)


def report(arguments: argparse.Namespace, delays: list[float], lost: int, busy: float) -> int:
    """Prints the figures; 1 when the promise was not kept."""
    expected = arguments.sessions * round(arguments.seconds / CHUNK_SECONDS)
    p50, p99, worst = (delays[min(len(delays) - 1, int(len(delays) * share))] * 1000 for share in (0.5, 0.99, 1.0))
    print(f"{arguments.sessions} sessions, {arguments.seconds:g} s, 25 messages a second each way and session")
    print(f"{len(delays)} of {expected} messages came back, {lost} connections lost")
    print(f"delay p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {worst:.1f} ms; emulator busy {busy:.0%} of one core")
    return int(lost > 0 or len(delays) < expected or p99 > WORST_P99 * 1000)


if __name__ == "__main__":
    sys.exit(main())
