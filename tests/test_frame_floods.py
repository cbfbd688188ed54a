"""Floods of frames that carry little: what they really cost is bounded. Each in a process of its own, which may take 1 GiB."""

from __future__ import annotations

import socket
import sys

import pytest

from tests.processes import run
from tests.raw_peer import BINARY, CONTINUATION, PING, PONG, TEXT, Peer, frame
from tests.servers import raw_server

MIB = 1 << 20

FLOODS: dict[str, tuple[int, bytes, bytes]] = {
    "empty fragments": (4 * MIB, frame(TEXT, fin=False), frame(CONTINUATION, fin=False)),
    "fragments of 2 bytes": (4 * MIB, frame(BINARY, b"xx", fin=False), frame(CONTINUATION, b"xx", fin=False)),
    "fragments of 1000 bytes": (32 * MIB, frame(BINARY, fin=False), frame(CONTINUATION, b"x" * 1000, fin=False)),
    "fragments of 1 MiB": (32 * MIB, frame(BINARY, fin=False), frame(CONTINUATION, b"x" * MIB, fin=False)),
    "a frame without an end": (32 * MIB, b"\x82\x7f" + (32 * MIB).to_bytes(8, "big"), b"x"),
    "empty pings": (4 * MIB, b"", frame(PING)),
    "pongs": (4 * MIB, b"", frame(PONG, b"xx")),
    "pings between fragments": (4 * MIB, frame(TEXT, fin=False), frame(PING, b"x") + frame(CONTINUATION, b"x", fin=False)),
}
"""The limit of a message; what a message begins with, and what follows over and over, up to three quarters of the limit.

By amount and not by time, which is the machine's: a million empty fragments are 4 MiB of objects, if they are any.
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="VmHWM is Linux's word for the most memory a process ever had")
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_takes_at_most_twice_the_limit_of_a_message(flood: str) -> None:
    limit, begins, follows = FLOODS[flood]
    block = follows * (256_000 // len(follows) + 1)
    blocks = limit * 3 // 4 // len(block)

    def handler(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.open(begins)
        for _ in range(blocks):
            peer.send(block)
        peer.at_end()

    body = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

def most():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "max_message_bytes": {limit}}})
session = connect()
before = most()
wait_for(lambda: session.close_info is not None or session.stats.bytes_received > {blocks * len(block)})
tell(grown=most() - before, open=session.close_info is None)
session.close(timeout=0)
"""
    with raw_server(handler) as url:
        outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told["grown"] <= 2 * limit
    assert outcome.told["open"]
