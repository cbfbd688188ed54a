"""Floods of frames that carry little: what they really cost is bounded. Each in a process of its own, which may take 1 GiB."""

from __future__ import annotations

import socket
import sys

import pytest

from tests.processes import run
from tests.raw_peer import BINARY, CONTINUATION, PING, PONG, TEXT, Peer, frame
from tests.servers import raw_server

MIB = 1 << 20
LIMIT = 4 * MIB
ON_THE_WIRE = 3 * MIB
"""Bytes that are looked at: the time for them is the machine's. One and a half million empty fragments, each once of 8 bytes."""

FLOODS: dict[str, tuple[bytes, bytes]] = {
    "empty fragments": (frame(TEXT, fin=False), frame(CONTINUATION, fin=False)),
    "fragments of 2 bytes": (frame(BINARY, b"xx", fin=False), frame(CONTINUATION, b"xx", fin=False)),
    "fragments of 1000 bytes": (frame(BINARY, fin=False), frame(CONTINUATION, b"x" * 1000, fin=False)),
    "fragments of 1 MiB": (frame(BINARY, fin=False), frame(CONTINUATION, b"x" * MIB, fin=False)),
    "a frame without an end": (b"\x82\x7f" + LIMIT.to_bytes(8, "big"), b"x"),
    "empty pings": (b"", frame(PING)),
    "pongs": (b"", frame(PONG, b"xx")),
    "pings between fragments": (frame(TEXT, fin=False), frame(PING, b"x") + frame(CONTINUATION, b"x", fin=False)),
}
"""What a message begins with, and what follows over and over."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="VmHWM is Linux's word for the most memory a process ever had")
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_takes_at_most_twice_the_limit_of_a_message(flood: str) -> None:
    begins, follows = FLOODS[flood]
    block = follows * (256_000 // len(follows) + 1)

    def handler(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.open(begins)
        while True:
            peer.send(block)

    body = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

def most():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "max_message_bytes": {LIMIT}}})
session = connect()
before = most()
wait_for(lambda: session.close_info is not None or session.stats.bytes_received > {ON_THE_WIRE})
tell(grown=most() - before, code=getattr(session.close_info, "code", None))
session.close(timeout=0)
"""
    with raw_server(handler) as url:
        outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told["grown"] <= 2 * LIMIT
    assert outcome.told["code"] in (None, 1009)
