"""The long runs. Each opens servers of its own in this process, and returns what it found."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from genai_live import Session, errors
from genai_live.emulator import LiveEmulator, Scenario, steps
from soak.loudspeakers import loudspeakers
from soak.measuring import Result, growth, resident_bytes, resources, settled
from soak.numbers import numbers
from soak.relay import Relay
from soak.signals import signals
from tests.raw_peer import BINARY, Door, Peer, beside, close_frame, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, live_server, message, session_with, text_part
from tests.slow_tool import CHUNK_SECONDS, SLACK, while_a_function_sleeps

ROUNDS = 1000
ALLOWED_GROWTH = 1_000_000
"""Bytes after a thousand rounds."""
MESSAGES = 1_000_000
ALLOWED_SWING = 8_000_000
"""Bytes by which the process may swell while a million messages pass: what the allocator keeps at hand."""
SETTLE = 1.0
"""Seconds after the end of a connection in which the emulator refuses its handle, as the service was seen to do."""
NAP, NAP_PING_INTERVAL = 30.0, 2.0
"""Seconds: how long a function sleeps, and the silence after which its session pings."""
SENDERS = 8
SEND_EVERY = 0.04
"""Seconds between two chunks of each sender: the pace of a microphone."""


def tls(minutes: float, seed: int) -> Result:
    """Eight threads send over one TLS session, each at a microphone's pace, while the server streams without pause."""
    arrived: Counter[str] = Counter()
    wrong: list[str] = []
    stop, streamed = threading.Event(), [0]

    def handler(connection: object) -> None:
        import json

        connection.recv(timeout=PATIENCE)  # type: ignore[attr-defined]
        connection.send(message(setupComplete={}))  # type: ignore[attr-defined]
        streaming = beside(stream, connection)
        for raw in connection:  # type: ignore[attr-defined]
            name, number, body = json.loads(raw)["realtimeInput"]["text"].split(":")
            if int(number) != arrived[name] or set(body) - {name}:
                wrong.append(f"{name}:{number} came as number {arrived[name]}")
            arrived[name] += 1
        streaming.exception(PATIENCE)

    def stream(connection: object) -> None:
        while not stop.wait(0.005):
            connection.send(text_part(f"{streamed[0]:8}" + "s" * 8000))  # type: ignore[attr-defined]
            streamed[0] += 1
        connection.send(TURN_COMPLETE)  # type: ignore[attr-defined]

    sent: Counter[str] = Counter()
    received = 0
    with session_with(handler, tls=True) as session:

        def send(name: str) -> None:
            while not stop.is_set():
                session.send_realtime_input(text=f"{name}:{sent[name]}:" + name * (sent[name] * 37 % 5000))
                sent[name] += 1
                stop.wait(SEND_EVERY)

        senders = [beside(send, chr(97 + number)) for number in range(SENDERS)]
        timer = threading.Timer(minutes * 60, stop.set)
        timer.start()
        for each in session.receive():
            if each.text:
                if int(each.text[:8]) != received:
                    wrong.append(f"message {each.text[:8]} was received as number {received}")
                received += 1
        for one in senders:
            one.result(PATIENCE)
    facts = [
        f"{minutes:g} min, {SENDERS} senders: {sum(sent.values()):,} sent, {sum(arrived.values()):,} arrived",
        f"{streamed[0]:,} streamed, {received:,} received",
        f"{len(wrong)} out of order or changed",
    ]
    return Result("tls", not wrong and sent == arrived and streamed[0] == received, facts)


def connects(minutes: float, seed: int) -> Result:
    """A thousand sessions, opened and closed one after the other."""
    with live_server() as url:
        client = client_of(url)
        return _left_behind("connects", lambda: client.live.connect(model=MODEL).close(), "connect and close")


FAILURES: tuple[Callable[[Door], None], ...] = (
    lambda entrance: entrance.accept().end(),
    lambda entrance: entrance.accept().reset(),
    lambda entrance: entrance.accept().send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    lambda entrance: _in_setup(entrance, close_frame(1008, "models/x is not found")),
    lambda entrance: _in_setup(entrance, b"\xc1\x01x"),
)


def _in_setup(entrance: Door, data: bytes) -> None:
    peer = entrance.accept()
    peer.upgrade()
    peer.take_setup()
    peer.send(data)


def failures(minutes: float, seed: int) -> Result:
    """A thousand connects that fail: refused, ended, reset, answered with 503, closed in setup, broken frames."""
    turn = [0]
    with door() as entrance, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        clients = client_of(entrance.url), client_of(f"http://127.0.0.1:{nobody.getsockname()[1]}")

        def attempt(refused: bool) -> None:
            try:
                clients[refused].live.connect(model=MODEL)
            except errors.ConnectError:
                return
            raise AssertionError("it connected")

        def fail() -> None:
            turn[0] += 1
            which = turn[0] % (len(FAILURES) + 1)
            if which == len(FAILURES):
                attempt(True)
                return
            connecting = beside(attempt, False)
            FAILURES[which](entrance)
            connecting.result(PATIENCE)
            entrance.forget()

        return _left_behind("failures", fail, "connects that failed")


def _left_behind(name: str, once: Callable[[], object], words: str) -> Result:
    grown, before, after = growth(ROUNDS, once)
    facts = [
        f"{ROUNDS:,} x {words}: {grown:+,} bytes (tracemalloc)",
        f"threads {before[0]} -> {after[0]}, descriptors {before[1]} -> {after[1]}",
    ]
    return Result(name, grown < ALLOWED_GROWTH and after[0] <= before[0] and after[1] <= before[1], facts)


def _send_and_end(peer: Peer, data: bytes, times: int) -> None:
    for _ in range(times):
        peer.send(data)
    peer.end()


def messages(minutes: float, seed: int) -> Result:
    """A million messages through one session."""
    at_once = 200
    batch = b"".join(frame(BINARY, text_part("x" * 300)) for _ in range(at_once))
    before, sizes, count = resources(), [], 0
    with opened() as (session, peer):
        sending = beside(_send_and_end, peer, batch, MESSAGES // at_once)
        started = time.monotonic()
        try:
            for _ in session:
                count += 1
                if count % (MESSAGES // 20) == 0:
                    sizes.append(resident_bytes())
        except errors.ConnectionLost:
            pass  # the server's end of stream
        took = time.monotonic() - started
        sending.result(PATIENCE)
        waiting = session.stats.waiting_bytes
    after = settled(before)
    swing = max(sizes[2:]) - min(sizes[2:])  # the first tenth warms up
    facts = [
        f"{count:,} messages in {took:.0f} s ({took / count * 1e6:.0f} µs each, server included)",
        f"resident memory within {swing / 1e6:.1f} MB from the first tenth on; {waiting} bytes left waiting",
        f"threads {before[0]} -> {after[0]}, descriptors {before[1]} -> {after[1]}",
    ]
    return Result("messages", count == MESSAGES and swing < ALLOWED_SWING and after[0] <= before[0], facts)


def drops(minutes: float, seed: int) -> Result:
    """One session that reconnects, over a network and a service that end its connections again and again in six ways."""
    with LiveEmulator(scenario=Scenario(steps.Handles(settle=SETTLE))) as emulator:
        relay = Relay(emulator.port)
        client = client_of(relay.url, ping_interval=2.0, silence_limit=5.0)
        with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}, reconnect=True) as session:
            ways = _ways_to_drop(emulator, relay)
            return _talk_while_dropped(session, emulator, ways, minutes, random.Random(seed))


def _ways_to_drop(emulator: LiveEmulator, relay: Relay) -> dict[str, Callable[[], None]]:
    return {
        "cut": relay.cut,
        "reset": relay.reset,
        "frozen": relay.freeze,
        "goAway": lambda: emulator.current.go_away(10.0),
        "1011": lambda: emulator.current.close(1011, "Internal error encountered."),
        "1000": lambda: emulator.current.close(1000, "The operation was cancelled."),
    }


UNFOLLOWED = "not followed by a new connection"


def _talk_while_dropped(
    session: Session, emulator: LiveEmulator, ways: dict[str, Callable[[], None]], minutes: float, chance: random.Random
) -> Result:
    stop, done, asked = threading.Event(), Counter[str](), Counter[str]()
    back = threading.Semaphore(0)
    """Released for every connection that came up again: the next one is not ended before."""

    def drop() -> None:
        while time.monotonic() < ends:
            stop.wait(chance.uniform(5.5, 30.0))  # longer than a connection must live to count as one
            way = chance.choice(list(ways))
            ways[way]()
            done[way] += 1
            if not back.acquire(timeout=PATIENCE):
                done[UNFOLLOWED] += 1

    def speak() -> None:
        while not stop.wait(SEND_EVERY):
            session.send_realtime_input(audio=bytes(1280))

    ends = time.monotonic() + minutes * 60
    dropping, speaking = beside(drop), beside(speak)
    before, wrong, sizes = resources(), [], []
    while not dropping.done():
        asked["questions"] += 1
        words = f"question {asked['questions']}"
        session.send_client_content(turns=words)
        try:
            text = "".join(_texts(session, back, asked))
        except errors.TurnLost:
            asked["lost with their connection, and told so"] += 1
        else:
            if text != f"You said: {words}":
                wrong.append(f"{words}: {text}")
        emulator.received.clear()  # 64 MiB otherwise, which would hide what the client keeps
        sizes.append(resident_bytes())
        stop.wait(0.5)
    after = settled(before)
    stop.set()
    speaking.result(PATIENCE)
    dropping.result()
    swing = max(sizes[len(sizes) // 10 :]) - min(sizes[len(sizes) // 10 :])
    facts = [
        f"{minutes:g} min, {sum(done.values())} ends ({', '.join(f'{count} {way}' for way, count in sorted(done.items()))})",
        f"{asked['reconnected']} reconnections, {asked['forgotten']} without the conversation",
        f"{asked['questions']} questions, {asked['lost with their connection, and told so']} lost with their connection and told"
        f" so, {len(wrong)} wrong or missing answers",
        f"audio: {session.stats.dropped} chunks dropped; resident memory within {swing / 1e6:.1f} MB from the first tenth on",
        f"threads {before[0]} -> {after[0]}, descriptors {before[1]} -> {after[1]}",
        f"the session is {session.close_info or 'open'}",
    ]
    went_on = session.close_info is None and not asked["forgotten"] and UNFOLLOWED not in done
    left_nothing = all(now <= then for now, then in zip(after, before, strict=True)) and swing < ALLOWED_SWING
    return Result("drops", went_on and left_nothing and not wrong, facts)


def _texts(session: Session, back: threading.Semaphore, counted: Counter[str]) -> Iterator[str]:
    for each in session.receive(timeout=PATIENCE):
        if each.reconnected is not None:
            counted["reconnected"] += 1
            counted["forgotten"] += not each.reconnected.state_restored
            back.release()
        if each.text:
            yield each.text


def slow_tool(minutes: float, seed: int) -> Result:
    """A function of run_tools that sleeps 30 s, with own and shared readers: pings and sound of two sessions meanwhile."""
    facts, passed = [], True
    for shared in (False, True):
        seen = while_a_function_sleeps(NAP, NAP_PING_INTERVAL, shared_reader=shared)
        gaps = [seen.longest_gap(times) for times in (seen.pings, seen.sent, seen.heard)]
        passed = passed and gaps[0] < NAP_PING_INTERVAL + SLACK and max(gaps[1:]) < CHUNK_SECONDS + SLACK
        pings, sent, heard = (f"{gap * 1000:.0f} ms" for gap in gaps)
        facts.append(
            f"{'shared' if shared else 'own'} reader: longest time without a ping (interval {NAP_PING_INTERVAL:g} s) {pings},"
            f" without sound sent (every {CHUNK_SECONDS * 1000:g} ms) {sent}, received {heard}"
        )
    return Result("slow_tool", passed, facts)


RUNS: dict[str, Callable[[float, int], Result]] = {
    each.__name__: each for each in (tls, connects, failures, messages, drops, numbers, signals, slow_tool, loudspeakers)
}
"""Each takes the minutes that a run takes whose length is free, and the seed of its chance."""
