"""Which calls a message passes on its way through this library, there and back. A process like the other clients.

``sys.setprofile`` notes every Python call into the package and the calls of sockets on the threads that a message passes: the
one that sends or receives, and the reader. The ways are cut from these notes afterwards. ``--without-speed`` as with the others.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.peers.genai_live_client import InLoop
from benchmarks.server import Order
from genai_live import Session
from genai_live import __file__ as package_file

SIZE = 1_920
"""Bytes of a message that comes: 40 ms at 24 kHz."""
CHUNK = bytes(1_280)
"""40 ms at 16 kHz."""
_WARM = 4
"""Messages before the one that is looked at: what is learnt from the first ones is known."""
_MOST = 100
"""Messages in all: where a busy machine has two come in one read, or before they are waited for, the next one is looked at."""
_APART = 20_000
"""Microseconds from one message to the next, so that each has a read of its own."""
_PACKAGE = Path(package_file).parent

Step = tuple[str, str]
"""What happened, and where: ("call", "session.py send_realtime_input"), ("enter", "put"), ("leave", "recv")."""
_READ: Step = ("leave", "recv")
_WOKEN: Step = ("enter", "put")
"""The reader gives the receiver a token."""
_CALLED_BACK: Step = ("call", "the user's function")


class Footprints:
    """The steps of each thread, in order."""

    def __init__(self) -> None:
        self._steps: dict[int, list[Step]] = {}

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        """What ``sys.setprofile`` takes."""
        if event == "call":
            file = Path(frame.f_code.co_filename)
            if _PACKAGE in file.parents:
                self._mine().append(("call", f"{file.relative_to(_PACKAGE).as_posix()} {frame.f_code.co_name}"))
            elif file == Path(__file__) and frame.f_code.co_name == "on_message":
                self._mine().append(_CALLED_BACK)
        elif event in ("c_call", "c_return"):
            self._mine().append(("enter" if event == "c_call" else "leave", argument.__name__))

    def _mine(self) -> list[Step]:
        return self._steps.setdefault(threading.get_ident(), [])

    def of(self, thread: threading.Thread) -> list[Step]:
        """The steps of one thread so far."""
        assert thread.ident is not None
        return list(self._steps.get(thread.ident, ()))

    @contextmanager
    def of_this_thread(self) -> Iterator[list[Step]]:
        """Notes the steps of the block; the list is filled when it ends."""
        steps, before = [], len(self._mine())
        sys.setprofile(self.note)
        try:
            yield steps
        finally:
            sys.setprofile(None)
            steps += self._mine()[before:]


def calls_in(steps: list[Step]) -> list[str]:
    """The calls among these steps."""
    return [where for what, where in steps if what == "call"]


def between(begin: Step, steps: list[Step], end: Step) -> list[str] | None:
    """The calls before the first ``end``, behind the last ``begin``; None where either is missing."""
    if end not in steps:
        return None
    before = steps[: steps.index(end)]
    return calls_in(before[len(before) - before[::-1].index(begin) :]) if begin in before else None


def told(calls: list[str]) -> dict[str, Any]:
    """How long a way is."""
    return {"calls": len(calls), "files": len({call.split()[0] for call in calls}), "way": calls}


def is_waiting(session: Session) -> bool:
    """Whether another message has come; takes it."""
    try:
        next(session.receive(timeout=0.0))
    except TimeoutError:
        return False
    return True


class Walk(InLoop):
    """A session for each way; the message that is looked at is the last of several."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__()
        self._job = job
        self._footprints = Footprints()

    @contextmanager
    def _session(
        self, order: Order, on_message: Callable[[Any], object] | None = None
    ) -> Iterator[tuple[Session, threading.Thread]]:
        """A session, and its reader, which leaves footprints."""
        client = self.client(self._job["url"], self._job["authority"])
        callbacks = {"on_message": on_message} if on_message else None
        before = set(threading.enumerate())
        threading.setprofile(self._footprints.note)
        try:
            session = client.live.connect(model=order.model, callbacks=callbacks, reconnect=self._job["reconnect"])
        finally:
            threading.setprofile(None)  # type: ignore[arg-type]
        with session:
            (reader,) = {thread for thread in threading.enumerate() if thread.name == "genai-live-reader"} - before
            yield session, reader

    def out(self) -> dict[str, Any]:
        """All of ``send_realtime_input(audio=...)``, which returns when the socket has the bytes."""
        with self._session(Order("sink", 0, 1_000_000)) as (session, _):
            for _ in range(_WARM):
                session.send_realtime_input(audio=CHUNK)
            with self._footprints.of_this_thread() as steps:
                session.send_realtime_input(audio=CHUNK)
        return told(calls_in(steps))

    def callback(self) -> dict[str, Any]:
        """From the bytes that the socket's ``recv`` gave to the user's function."""
        ways: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        seen = [0]

        def on_message(message: Any) -> None:
            steps = self._footprints.of(threading.current_thread())
            way = between(_READ, steps[seen[0] :], _CALLED_BACK)
            seen[0] = len(steps)
            if way is not None:  # else this one came in the same read as the one before
                ways.put(way)

        with self._session(Order("drip", SIZE, _MOST, _APART), on_message) as (session, _):
            session.send_client_content(turns="Hello")
            for _ in range(_WARM):
                ways.get(timeout=20)
            return told(ways.get(timeout=20))

    def receive(self) -> dict[str, Any]:
        """From the bytes that the socket's ``recv`` gave, through reader and receiver, to the message that ``receive`` yields."""
        with self._session(Order("drip", SIZE, _MOST, _APART)) as (session, reader):
            session.send_client_content(turns="Hello")
            messages = session.receive(timeout=60.0)
            for _ in range(_WARM):
                next(messages)
            there = None
            while there is None:
                before = len(self._footprints.of(reader))
                with self._footprints.of_this_thread() as steps:
                    next(messages)
                there = between(_READ, self._footprints.of(reader)[before:], _WOKEN)
                if is_waiting(session):  # one token, and the calls, of two messages in one read
                    there = None
        here = calls_in(steps)
        return {**told(there + here), "reader": told(there), "receiver": told(here)}


def main() -> None:
    """Does one job for each line of standard input."""
    for line in sys.stdin:
        job = json.loads(line)
        try:
            result = getattr(Walk(job), job["measure"])()
        except Exception as error:  # told to the benchmark, which marks the place in its table
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
