"""Which calls a message passes on its way through this library, there and back. A process like the other clients.

``sys.setprofile`` notes every Python call into the package and the calls of sockets on the threads that a message passes: the one
that sends or receives, and the reader. The ways are cut from these notes afterwards. ``--without-speed`` as with the other clients.
"""

from __future__ import annotations

import json
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
_WARM = 5
"""Messages that come before the one that is looked at, each in a read of its own."""
_APART = 20_000
"""Microseconds from one message to the next."""
_PACKAGE = Path(package_file).parent

Step = tuple[str, str]
"""What happened, and where: ("call", "session.py send_realtime_input"), ("enter", "send"), ("leave", "recv")."""


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
            elif file == Path(__file__):
                self._mine().append(("call", f"user {frame.f_code.co_name}"))
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


def between(steps: list[Step], begin: Step | None, end: Step | None) -> list[str]:
    """The calls after the last ``begin`` and before the first ``end`` behind it."""
    start = 0 if begin is None else len(steps) - steps[::-1].index(begin)
    stop = len(steps) if end is None else steps.index(end, start)
    return [where for what, where in steps[start:stop] if what == "call"]


def told(calls: list[str]) -> dict[str, Any]:
    """How long a way is."""
    of_package = [call for call in calls if not call.startswith("user ")]
    return {"calls": len(of_package), "files": len({call.split()[0] for call in of_package}), "way": of_package}


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
        """``send_realtime_input(audio=...)`` to the socket's ``send``."""
        with self._session(Order("sink", 0, 1_000_000)) as (session, _):
            for _ in range(_WARM):
                session.send_realtime_input(audio=CHUNK)
            with self._footprints.of_this_thread() as steps:
                session.send_realtime_input(audio=CHUNK)
        return told(between(steps, None, ("enter", "send")))

    def callback(self) -> dict[str, Any]:
        """From the bytes that the socket's ``recv`` gave to the user's function."""
        seen, over = [0], threading.Event()

        def on_message(message: Any) -> None:
            seen[0] += 1
            if seen[0] == _WARM:
                over.set()

        with self._session(Order("drip", SIZE, _WARM, _APART), on_message) as (session, reader):
            session.send_client_content(turns="Hello")
            assert over.wait(20)
            steps = self._footprints.of(reader)
        last = max(index for index, step in enumerate(steps) if step == ("call", "user on_message"))
        return told(between(steps[:last], ("leave", "recv"), None))

    def receive(self) -> dict[str, Any]:
        """From the bytes that the socket's ``recv`` gave, over the reader's word to the receiver, to the message that comes out."""
        with self._session(Order("drip", SIZE, _WARM + 1, _APART)) as (session, reader):
            session.send_client_content(turns="Hello")
            messages = session.receive()
            for _ in range(_WARM - 1):
                next(messages)
            with self._footprints.of_this_thread() as steps:
                next(messages)
            steps_of_reader = self._footprints.of(reader)
        there, here = between(steps_of_reader, ("leave", "recv"), ("enter", "put")), between(steps, None, None)
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
