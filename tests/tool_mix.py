"""Calls of tools under a random mix of all that may happen to them. ``python -m tests.tool_mix 100000`` is the soak.

The service is made with websockets and counts what comes; what a call has come to is what ``on_run`` was told. Every call that
the client has seen ends once, has one terminal answer at most, and none after a cancellation, a close or a loss.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed

from genai_live import Client, Session
from genai_live.errors import LiveError
from genai_live.tools import RunState, ToolContext, ToolPolicy, ToolRun, tool
from tests.calling_service import CallingService
from tests.servers import MODEL, client_of, live_server
from tests.waiting import PATIENCE, until

AT_ONCE = 8
TIMEOUT = 0.1
NAMES = ("quick", "quick", "quick", "crash", "slow", "stuck", "updates", "later", "gated", "alone", "nobody", "quick?")
"""Of the functions to call: "nobody" was never declared, "quick?" gets arguments that do not fit."""


def quick(number: int) -> int:
    """Answers."""
    return number


def crash(number: int) -> int:
    """Crashes."""
    raise ValueError(number)


def slow(number: int, context: ToolContext) -> int:
    """Takes its time, and looks."""
    for _ in range(random.randrange(4)):
        threading.Event().wait(0.002)
        context.check()
    return number


def stuck(number: int) -> int:
    """Takes too long now and then, and does not look."""
    threading.Event().wait(random.choice((0.0, 0.002, 0.002, 0.15)))
    return number


def updates(number: int) -> Iterator[int]:
    """Tells how far it is."""
    for each in range(3):
        yield each
        threading.Event().wait(0.001)


async def later(number: int) -> int:
    """Answers from a loop."""
    import asyncio

    await asyncio.sleep(random.choice((0.0, 0.005, 1.0)))
    return number


@tool(approve=True)
def gated(number: int) -> int:
    """Is asked about."""
    return number


@tool(sequential=True)
def alone(number: int) -> int:
    """Runs alone."""
    return number


@dataclass
class Account:
    """What came of all calls."""

    seen: set[str] = field(default_factory=set)
    running_on: set[str] = field(default_factory=set)
    """Calls that have ended while their functions run: what is told of them next is not a second end."""
    ends: dict[str, list[RunState]] = field(default_factory=lambda: defaultdict(list))
    open: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, run: ToolRun) -> None:
        """``on_run``."""
        with self.changed:
            self.seen.add(run.id)
            if run.state.is_end and run.id not in self.running_on:
                self.ends[run.id].append(run.state)
            (self.running_on.add if run.runs_on else self.running_on.discard)(run.id)
            if run.state.is_end:
                self.open.discard(run.id)
                self.changed.notify_all()


class Mix:
    """One run of the mix."""

    def __init__(self, calls: int, seed: int) -> None:
        self.calls = calls
        self.random = random.Random(seed)
        self.account = Account()
        self.service = CallingService()
        self.service.handles = True
        self.made = 0

    def run(self) -> None:
        """Makes the calls; returns when all of them have ended and no thread is left."""
        with live_server(self.service) as url:
            client = client_of(url)
            while self.made < self.calls:
                self._one_session(client)
        until(lambda: not self.account.open)
        until(lambda: not [each for each in threading.enumerate() if each.name.startswith(("genai-live-tool", "genai-live-app"))])

    def _one_session(self, client: Client) -> None:
        sessions = len(self.service.setups)
        policy = ToolPolicy(AT_ONCE, TIMEOUT, approve=self._approve, on_run=self.account.note)
        tools = [quick, crash, slow, stuck, updates, later, gated, alone]
        connect: dict[str, Any] = {"model": MODEL, "config": {"tools": tools}, "run_tools": policy}
        with client.live.connect(**connect, reconnect={"first_pause": 0.01}) as session:
            self.service.wait_for(sessions + 1, of="setups")
            until(lambda: session.resumption.handle)
            ends_at = min(self.calls, self.made + self.random.randrange(50, 400))
            while self.made < ends_at:
                self._step(session)
            if self.random.random() < 0.5:
                self._wait(lambda: not self.account.open)
        with self.account.changed:
            self.account.open &= self.account.seen  # what was on its way is nobody's

    def _approve(self, call: object, context: ToolContext) -> bool:
        context.cancelled.wait(0.002)
        return random.random() < 0.7

    def _wait(self, true: Any) -> None:
        with self.account.changed:
            assert self.account.changed.wait_for(true, PATIENCE), self.account.open

    def _step(self, session: Session) -> None:
        chance = self.random.random()
        try:
            if chance < 0.1 and self.account.open:
                self.service.cancel(*self.random.sample(sorted(self.account.open), 1))
            elif chance < 0.12:
                self._drop(session)
            else:
                self._wait(lambda: len(self.account.open) < AT_ONCE)
                self._call()
        except (ConnectionClosed, OSError):
            self._drop(session)

    def _call(self) -> None:
        calls = []
        for _ in range(self.random.randrange(1, 4)):
            self.made += 1
            name = self.random.choice(NAMES)
            args = {"number": "?" if name.endswith("?") else self.made}
            calls.append((f"c{self.made}", name.rstrip("?"), args))
        with self.account.changed:
            self.account.open |= {call[0] for call in calls}
        self.service.call(*calls)

    def _drop(self, session: Session) -> None:
        setups = len(self.service.setups)
        self.service.drop()
        self.service.wait_for(setups + 1, of="setups")
        try:
            until(lambda: session._connection.state.value == "ready")
        except LiveError:
            return
        with self.account.changed:
            self.account.open &= self.account.seen

    def check(self) -> dict[str, int]:
        """Counts; fails when a call has no end or two, two terminal answers, or one that it must not have."""
        account, frames, ended = self.account, Counter[str](), set()
        for each, connection in zip(self.service.responses, self.service.came_over, strict=True):
            if each.get("willContinue"):
                assert (each["id"], connection) not in ended, f"an update of {each['id']} came after its answer"
            else:
                frames[each["id"]] += 1
                ended.add((each["id"], connection))
        wrong = {call: account.ends[call] for call in account.seen if len(account.ends[call]) != 1}
        assert not wrong, f"calls without an end, or with two: {wrong}"
        assert max(frames.values()) <= 1, f"answered twice: {[call for call, count in frames.items() if count > 1]}"
        silent = (RunState.CANCELLED, RunState.CLOSED, RunState.LOST)
        spoken = [call for call in account.seen if account.ends[call][0] in silent and frames[call]]
        assert not spoken, f"answered after they were cancelled, closed or lost: {spoken}"
        return dict(Counter(ends[0].value for ends in account.ends.values()))


def main() -> None:
    """The soak: so many calls, and a seed."""
    logging.getLogger("genai_live").setLevel(logging.CRITICAL)
    calls, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    print(f"{calls} calls, seed {seed}", flush=True)
    began = time.monotonic()
    mix = Mix(calls, seed)
    mix.run()
    print(f"{mix.check()}, {len(mix.service.setups)} connections, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
