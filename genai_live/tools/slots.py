"""How many functions of a session run at once, and which one is next. Decisions, without thread, clock or lock.

``admit`` is asked whenever something changed. A function that outlives its call keeps its thread but not its place: there may be
``workers`` functions in place and ``STUCK_FOR_EACH_WORKER`` times as many threads in all.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

from genai_live.tools.runs import STUCK_FOR_EACH_WORKER


class Waiting(Protocol):
    """What waits for a place."""

    @property
    def sequential(self) -> bool:
        """True for what runs alone."""

    @property
    def is_approved(self) -> bool:
        """False while somebody is asked: it keeps its place in the order, and others pass it unless it is sequential."""


W = TypeVar("W", bound=Waiting)


class Slots(Generic[W]):
    """The places of one session."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.waiting: deque[W] = deque()
        self.running: list[W] = []
        self.stuck: list[W] = []
        """Functions whose call has ended while they run on."""

    @property
    def may_hang(self) -> int:
        """How many functions may run on beside those in place."""
        return self.workers * (STUCK_FOR_EACH_WORKER - 1)

    def admit(self) -> tuple[list[W], list[W]]:
        """What begins to run now, and what is refused because too many functions hang."""
        begun: list[W] = []
        if len(self.stuck) > self.may_hang:
            refused = [work for work in self.waiting if work.is_approved]
            self.waiting = deque(work for work in self.waiting if not work.is_approved)
            return begun, refused
        for work in tuple(self.waiting):
            if len(self.running) >= self.workers or any(each.sequential for each in self.running):
                break
            if work.sequential and (self.running or work is not self.waiting[0] or not work.is_approved):
                break
            if work.is_approved:
                self.waiting.remove(work)
                self.running.append(work)
                begun.append(work)
        return begun, []

    def leave(self, work: W, *, runs_on: bool) -> None:
        """Its call has ended: its place is free. Nothing happens when it has none."""
        if work in self.running:
            self.running.remove(work)
            if runs_on:
                self.stuck.append(work)
        elif work in self.waiting:
            self.waiting.remove(work)

    def ended(self, work: W) -> None:
        """Its thread is gone."""
        self.leave(work, runs_on=False)
        if work in self.stuck:
            self.stuck.remove(work)
