"""What every Python client is asked to do, and the program around it, one process: reads jobs as JSON lines, writes results."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from benchmarks.messages import stamp
from benchmarks.server import Order

CHUNK = os.urandom(5_760)
"""The sound that is sent: as long as the one that is received, 180 ms at 16 kHz."""


class Crowd(NamedTuple):
    """Sessions that live at once in one process."""

    url: str
    authority: str
    model: str
    sessions: int
    seconds: float


class Peer(Protocol):
    """One client library. A session is whatever it calls so; ``url`` is that of the server, http for ws and https for wss."""

    def open(self, url: str, authority: str, model: str) -> Any:
        """Connects, and returns after setupComplete."""

    def close(self, session: Any) -> None:
        """Ends the session."""

    def say(self, session: Any) -> None:
        """Sends one short text that asks for an answer."""

    def take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        """Gives each sound of the turn to ``see``, as bytes; returns the text of the turn."""

    def send(self, session: Any, chunk: bytes, count: int) -> None:
        """Sends the chunk of 16 kHz PCM several times as realtime input."""

    def ask(self, session: Any, count: int) -> list[float]:
        """Says something and takes the turn, several times; returns the seconds that each took."""

    def converse(self, crowd: Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        """Keeps sessions that hear and speak at once, each 25 times a second; returns what is worth telling."""

    def pace(self, session: Any, sound: bytes, *, wait: bool) -> None:
        """Sends 16 kHz PCM in real time, 20 ms at a time."""


class Meter:
    """Processor and wall-clock seconds of a block."""

    def __enter__(self) -> Meter:
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._switches = resource.getrusage(resource.RUSAGE_SELF)
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu = time.process_time() - self._cpu
        self.wall = time.monotonic() - self._wall
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.switches = usage.ru_nvcsw - self._switches.ru_nvcsw

    def each(self, count: int) -> dict[str, float]:
        """Microseconds of each of ``count`` messages, and how often a thread went to sleep for it."""
        return {"cpu": self.cpu / count * 1e6, "wall": self.wall / count * 1e6, "switches": self.switches / count}


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in microseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2] * 1e6,
        "p99": ordered[int(last * 0.99)] * 1e6,
        "max": ordered[last] * 1e6,
        "count": len(ordered),
    }


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Measures:
    """The measures; each is one job."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    @contextlib.contextmanager
    def _session(self, job: dict[str, Any], order: Order) -> Iterator[Any]:
        session = self._peer.open(job["url"], job["authority"], order.model)
        try:
            yield session
        finally:
            self._peer.close(session)

    def receive(self, job: dict[str, Any]) -> dict[str, float]:
        """Sounds that come as fast as they are taken; the first turn is for warming up."""
        with self._session(job, Order("flood", job["size"], job["count"])) as session:
            sizes: dict[int, int] = {}

            def see(sound: bytes) -> None:
                sizes[len(sound)] = sizes.get(len(sound), 0) + 1

            for _ in range(2):
                sizes.clear()
                with Meter() as meter:
                    self._peer.say(session)
                    self._peer.take_turn(session, see)
        assert sizes == {job["size"]: job["count"]}, f"{sizes} came"
        return {**meter.each(job["count"]), "megabytes": resident_bytes() / 1e6}

    def drip(self, job: dict[str, Any]) -> dict[str, float]:
        """Sounds that come one by one, and how long after the server's write each is seen."""
        with self._session(job, Order("drip", job["size"], job["count"], job["microseconds"])) as session:
            delays: list[float] = []
            for _ in range(2):
                delays.clear()
                with Meter() as meter:
                    self._peer.say(session)
                    self._peer.take_turn(session, lambda sound: delays.append(time.monotonic() - stamp(sound)))
        return {**meter.each(job["count"]), **quantiles(delays)}

    def send(self, job: dict[str, Any]) -> dict[str, float]:
        """Sounds sent as fast as the network takes them, until the server says that it has the last."""
        chunk = (CHUNK * (job["size"] // len(CHUNK) + 1))[: job["size"]]
        with self._session(job, Order("sink", 0, job["count"])) as session:
            for _ in range(2):
                with Meter() as meter:
                    self._peer.send(session, chunk, job["count"])
                    self._peer.take_turn(session, len)
        return meter.each(job["count"])

    def round_trip(self, job: dict[str, Any]) -> dict[str, float]:
        """A short text there, a turn of two messages back."""
        with self._session(job, Order("echo")) as session:
            self._peer.ask(session, job["count"] // 4)
            with Meter() as meter:
                times = self._peer.ask(session, job["count"])
        return {**meter.each(job["count"]), **quantiles(times)}

    def converse(self, job: dict[str, Any]) -> dict[str, Any]:
        """Many sessions in this process, and how long after the server's write each sound is seen."""
        arrived: list[tuple[float, float]] = []

        def see(sound: bytes) -> None:
            now = time.monotonic()
            arrived.append((now, now - stamp(sound)))

        order = Order("talk", job["size"], 0, 40_000)
        crowd = Crowd(job["url"], job["authority"], order.model, job["sessions"], job["seconds"])
        told = self._peer.converse(crowd, see)
        delays = [delay for at, delay in arrived if told["began"] <= at <= told["ended"]]
        both_ways = max(1, 2 * len(delays))
        return {
            **told,
            **quantiles(delays or [crowd.seconds]),
            "cpu": told["cpu"] / both_ways * 1e6,
            "switches": told["switches"] / both_ways,
            "arrived": len(delays) / (crowd.sessions * crowd.seconds / 0.04),
            "megabytes": resident_bytes() / 1e6,
        }

    def idle(self, job: dict[str, Any]) -> dict[str, float]:
        """What one more session costs that says and hears nothing: thousands of bytes in RAM, and threads."""
        held = [self._peer.open(job["url"], job["authority"], Order("echo").model)]
        bytes_before, threads_before = resident_bytes(), threading.active_count()
        held += [self._peer.open(job["url"], job["authority"], Order("echo").model) for _ in range(job["sessions"])]
        kilobytes = (resident_bytes() - bytes_before) / 1e3 / job["sessions"]
        threads = (threading.active_count() - threads_before) / job["sessions"]
        for session in held:
            self._peer.close(session)
        return {"kilobytes": kilobytes, "threads": threads}

    def pace(self, job: dict[str, Any]) -> dict[str, float]:
        """How evenly ``count`` chunks of 20 ms arrive at the server: the lateness of each, measured by the earliest."""
        with self._session(job, Order("sink", 0, job["count"], 1)) as session:
            self._peer.pace(session, bytes(640 * job["count"]), wait=job["wait"])
            arrivals = json.loads(self._peer.take_turn(session, len))
        late = [arrival - 0.02 * index for index, arrival in enumerate(arrivals)]
        return {**quantiles([moment - min(late) for moment in late]), "drift": (late[-1] - late[0]) * 1e6}

    def memory(self, job: dict[str, Any]) -> dict[str, float]:
        """What is resident after a session that heard and spoke."""
        self.receive({**job, "count": 250})
        self.send({**job, "count": 250})
        return {"megabytes": resident_bytes() / 1e6, "threads": threading.active_count()}


def run(peer: Peer) -> None:
    """Does one job for each line of standard input."""
    measures = Measures(peer)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            result = getattr(measures, job["measure"])(job)
        except Exception as error:  # told to the benchmark, which marks the place in its table
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)
    os._exit(0)  # some clients need seconds to tidy up
