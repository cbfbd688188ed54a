"""Floods: what frames and messages really cost is bounded. Each in a process of its own, which may take 1 GiB."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.processes import Outcome, run
from tests.raw_peer import BINARY, CONTINUATION, PING, PONG, TEXT, Peer, beside, door, frame
from tests.servers import AUTHORITY, PATIENCE, TURN_COMPLETE, message, raw_server

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="VmHWM is Linux's word for the most memory a process ever had"
)
MIB = 1 << 20
MEASURING = """
import gc, logging, resource
logging.disable()
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

def memory(word):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(word))

def begin():
    gc.collect()
    with open("/proc/self/clear_refs", "w") as most:
        most.write("5")  # the most is counted from here
    return memory("VmRSS")
"""

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

    body = f"""{MEASURING}
client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "max_message_bytes": {limit}}})
session = connect()
before = begin()
wait_for(lambda: session.close_info is not None or session.stats.bytes_received > {blocks * len(block)})
tell(grown=memory("VmHWM") - before, open=session.close_info is None)
session.close(timeout=0)
"""
    with raw_server(handler) as url:
        outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told["grown"] <= 2 * limit
    assert outcome.told["open"]


def parts(count: int) -> bytes:
    return message(serverContent={"modelTurn": {"parts": [{"text": "x"}] * count}})


def calls(count: int) -> bytes:
    return message(toolCall={"functionCalls": [{"id": str(n), "name": "f", "args": {"a": [{}, {}]}} for n in range(count)]})


MESSAGES = {
    "empty text messages": frame(TEXT),
    "empty binary messages": frame(BINARY),
    "empty objects": frame(BINARY, b"{}"),
    "no JSON": frame(BINARY, b"x"),
    "half of a JSON object": frame(BINARY, b'{"serverContent": {'),
    "no UTF-8": frame(BINARY, b'{"a": "\xff"}'),
    "lists": frame(BINARY, b"[[], [], []]"),
    "messages in three fragments": frame(BINARY, b"{", fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION, b"}"),
    "texts": frame(BINARY, parts(1)),
    "messages of many parts": frame(BINARY, parts(100)),
    "calls": frame(BINARY, calls(1)),
    "messages of many calls": frame(BINARY, calls(20)),
    "unknown fields": frame(BINARY, message(x=[{}] * 100)),
    "ends of turns": frame(BINARY, TURN_COMPLETE),
    "errors": frame(BINARY, message(error={"code": 500, "message": "no"})),
    "pings between empty objects": frame(PING) + frame(BINARY, b"{}"),
    "sound": frame(BINARY, message(serverContent={"modelTurn": {"parts": [{"inlineData": {"data": "A" * 16_000}}]}})),
}
EARLY = ("empty text messages", "empty objects", "no JSON", "messages of many parts", "ends of turns", "sound")
ON_EXECUTOR = """
from concurrent.futures import ThreadPoolExecutor
pool, gate = ThreadPoolExecutor(1), threading.Event()
callbacks = {"on_message": lambda message: gate.wait(60), "executor": pool}
"""


def flooded(
    follows: bytes, options: dict[str, int], *, callbacks: str = "callbacks = None", tls: Path | None = None, shared: bool = False
) -> Outcome:
    """What a session told that nobody receives from, when its reader had paused and half a second was over."""
    if tls is not None:
        AUTHORITY.cert_pem.write_to_path(str(tls))
    body = f"""{MEASURING}{callbacks}
options = {{"base_url": sys.argv[1], "ca_bundle": {str(tls) if tls else None!r}, **{options}}}
client = Client(api_key="k", http_options=options, shared_reader={shared})
session = connect(callbacks=callbacks)
before = begin()
session.send_realtime_input(text="begin")
wait_for(lambda: session._connection.delivery.paused)
time.sleep(0.5)
tell(grown=memory("VmHWM") - before, open=session.close_info is None)
session.close(timeout=0)
print(json.dumps(told), flush=True)
os._exit(0)  # the executor's callback still waits
"""
    block = follows * (256_000 // len(follows) + 1)

    def flood() -> None:
        peer = entrance.accept()
        peer.open()
        peer.read_message()
        while True:
            peer.send(block)

    with door(tls=tls is not None) as entrance:
        flooding = beside(flood)
        outcome = run(body, entrance.url)
        assert isinstance(flooding.exception(PATIENCE), OSError)
    assert (outcome.stderr, outcome.code) == ("", 0)
    return outcome


@pytest.mark.parametrize(
    ("flood", "queue"), [*((each, MIB) for each in MESSAGES), ("no JSON", 16 * MIB), ("ends of turns", 16 * MIB)]
)
def test_a_flood_of_messages_takes_at_most_twice_the_queue(flood: str, queue: int) -> None:
    outcome = flooded(MESSAGES[flood], {"queue_bytes": queue})
    assert outcome.told["open"]
    assert outcome.told["grown"] <= 2 * queue


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("flood", ["empty binary messages", "empty objects", "texts", "sound"])
def test_a_flood_on_a_shared_reader_takes_no_more(flood: str, tls: bool, tmp_path: Path) -> None:
    outcome = flooded(MESSAGES[flood], {"queue_bytes": MIB}, tls=tmp_path / "authority.pem" if tls else None, shared=True)
    assert outcome.told["grown"] <= 2 * MIB


@pytest.mark.parametrize(
    "flood", ["empty binary messages", "empty objects", "messages of many parts", "messages of many calls", "ends of turns"]
)
def test_a_flood_that_waits_for_an_executor_takes_at_most_twice_the_queue(flood: str) -> None:
    outcome = flooded(MESSAGES[flood], {"queue_bytes": 4 * MIB}, callbacks=ON_EXECUTOR)
    assert outcome.told["grown"] <= 8 * MIB


@pytest.mark.parametrize("flood", EARLY)
def test_a_flood_before_setup_complete_takes_at_most_twice_the_queue(flood: str) -> None:
    queue = MIB
    block = MESSAGES[flood] * (256_000 // len(MESSAGES[flood]) + 1)

    def serve() -> None:
        first = entrance.accept()  # what the first connection of a process loads, no flood has to answer for
        first.open()
        first.read_close()
        first.end()
        peer = entrance.accept()
        peer.upgrade()
        peer.take_setup()
        while True:
            peer.send(block)

    body = f"""{MEASURING}
client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "queue_bytes": {queue}}})
connect().close()
before = begin()
try:
    connect()
except errors.ConnectError as error:
    told["error"] = str(error)
tell(grown=memory("VmHWM") - before)
"""
    with door() as entrance:
        flooding = beside(serve)
        outcome = run(body, entrance.url)
        assert isinstance(flooding.exception(PATIENCE), OSError)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert "bytes came before setupComplete" in outcome.told["error"]
    assert outcome.told["grown"] <= 2 * queue


GROWING = {
    "parts": b'{"serverContent": {"modelTurn": {"parts": [' + b",".join([b'{"text":"x"}'] * 80_000) + b"]}}}",
    "empty objects": b'{"x": [' + b",".join([b"{}"] * 300_000) + b"]}",
    "empty lists": b'{"x": [' + b",".join([b"[]"] * 300_000) + b"]}",
    "numbers": b'{"x": [' + b",".join([b"1e9"] * 250_000) + b"]}",
}
"""A megabyte each, and as objects up to sixty."""


@pytest.mark.parametrize("flood", GROWING)
def test_a_message_of_many_values_takes_at_most_twice_the_limit_of_a_message(flood: str) -> None:
    outcome = flooded(frame(BINARY, GROWING[flood]), {"queue_bytes": 4 * MIB, "max_message_bytes": 4 * MIB})
    assert outcome.told["open"]
    assert outcome.told["grown"] <= 8 * MIB
