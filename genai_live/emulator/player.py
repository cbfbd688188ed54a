"""Plays one scenario on one session. Runs on the emulator's loop thread, within the calls that tell it what happened.

What each step does is in ``performing``; here is the stage: who is in charge, what came in, what was done and what went wrong. A
step is a generator that yields what it waits for. It goes on within the very call that reports it, not in a task some turns of
the loop later: when a client has seen the end of a turn, the next step is already in place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .conversation import SETUP_COMPLETE
from .received import ReceivedMessage
from .scenario import At, Converse, Expect, Scenario, Silence, Step

if TYPE_CHECKING:
    from .session import Session

FAILED_CODE = 1008
"""Close code of a session whose scenario failed: policy violation (RFC 6455 section 7.4.1)."""


@dataclass(frozen=True)
class Until:
    """What a step waits for: a moment that is still to come, a message or moment that may have come already, or a time."""

    moment: str = ""
    event: str | None = None
    """Kind of message, or moment, taken from what came since the last one was taken; empty for anything."""
    seconds: float | None = None
    """Goes on after this time whether or not it came; None waits as long as the session lives."""


Performance = Generator[Until, Any, None]
"""A step being done: yields what it waits for, gets back what came, or None when the time was up."""

Performer = Callable[["Player", Step], Performance]
"""Begins a step."""


@dataclass
class Run:
    """What became of one scenario; read by tests on their own thread."""

    scenario: Scenario
    session: int
    done: list[Step] = field(default_factory=list)
    failure: str | None = None

    @property
    def left(self) -> list[Step]:
        """The steps that were not done."""
        return [step for step in self.scenario.steps if not any(step is done for done in self.done)]

    def complaint(self) -> str | None:
        """One sentence about what is missing or wrong; None when all was done."""
        if self.failure is not None:
            return f"session {self.session}: {self.failure}"
        if self.left:
            return f"session {self.session}: not done: {', '.join(map(repr, self.left))}"
        return None


class StepFailed(Exception):
    """A step cannot be done; the scenario has failed."""


class _Line:
    """One line of steps: the main one, or a step that runs beside it."""

    def __init__(self, performance: Performance) -> None:
        self.performance = performance
        self.until: Until | None = None
        self.timer: asyncio.TimerHandle | None = None


class Player:
    """One scenario at work."""

    def __init__(self, scenario: Scenario, session: Session, run: Run, perform: Performer) -> None:
        self.session = session
        self.run = run
        self.sends_setup_complete = scenario.takes_setup
        self.replays = scenario.replay
        main = scenario.main_steps
        self.in_charge = bool(main) and not isinstance(main[0], Converse)
        """False while the session behaves naturally."""
        self._scenario = scenario
        self._perform = perform
        self._expected = {step.kind.partition(".")[0] for step in main if isinstance(step, Expect)}
        self._current: Step | None = None
        self._events: deque[str | ReceivedMessage] = deque()
        self._reports: deque[str | ReceivedMessage] = deque()
        self._lines: list[_Line] = []
        self._busy = False
        self._stopped = False

    def start(self) -> None:
        """The WebSocket stands: begins."""
        self.happened("upgrade")
        beside = [self._beside(step) for step in self._scenario.steps if isinstance(step, At)]
        for performance in (self._main(), *beside):
            line = _Line(performance)
            self._lines.append(line)
            self._go_on(line, None)
        self._work_off()

    def stop(self) -> None:
        """The session ends: what is not done stays undone, except waiting for just this."""
        if self._stopped:
            return
        self._stopped = True
        current = self._current
        if isinstance(current, Silence) or (isinstance(current, Expect) and current.kind == "close"):
            self._note_done(current)
        for line in self._lines:
            line.until = None
            if line.timer is not None:
                line.timer.cancel()

    # -- what comes in ---------------------------------------------------------------------------------------------

    def heard(self, item: ReceivedMessage) -> None:
        """A client message came."""
        self._reports.append(item)
        self._work_off()

    def happened(self, moment: str) -> None:
        """A moment came."""
        self._reports.append(moment)
        self._work_off()

    def _work_off(self) -> None:
        """Takes up every report, one after the other; what a step causes while it runs waits for its turn."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._reports and not self._stopped:
                self._take_up(self._reports.popleft())
        finally:
            self._busy = False

    def _take_up(self, report: str | ReceivedMessage) -> None:
        name = report if isinstance(report, str) else report.kind
        # What was dealt with naturally is not kept, nor kinds that no step waits for: audio would pile up.
        if self.in_charge and (name.partition(".")[0] in self._expected or "" in self._expected):
            self._events.append(report)
        for line in list(self._lines):
            if line.until is not None and isinstance(report, str) and line.until.moment == report:
                self._go_on(line, report)
            else:
                self._offer(line)

    def _offer(self, line: _Line) -> None:
        """Gives a line that waits for an event the first one that came, passing over what is of another kind."""
        while line.until is not None and line.until.event is not None and self._events:
            event = self._events.popleft()
            name = event if isinstance(event, str) else event.kind
            if not line.until.event or name == line.until.event or name.startswith(line.until.event + "."):
                self._go_on(line, event)

    def _go_on(self, line: _Line, what: str | ReceivedMessage | None) -> None:
        """Lets a line run to its next wait."""
        if line.timer is not None:
            line.timer.cancel()
        line.until = line.timer = None
        busy, self._busy = self._busy, True
        try:
            until = line.performance.send(what)
        except StopIteration:
            return
        except StepFailed as error:
            self._fail(str(error))
            return
        finally:
            self._busy = busy
        if self._stopped:
            return
        line.until = until
        if until.seconds is not None:
            line.timer = asyncio.get_running_loop().call_later(until.seconds, self._time_is_up, line)
        self._offer(line)

    def _time_is_up(self, line: _Line) -> None:
        line.timer = None
        self._go_on(line, None)
        self._work_off()

    # -- playing ---------------------------------------------------------------------------------------------------

    def _main(self) -> Performance:
        if not self._starts_early():
            yield Until(moment=SETUP_COMPLETE)
        for step in self._scenario.main_steps:
            self.in_charge = not isinstance(step, Converse)
            self._current = step
            if isinstance(step, Converse) and not step.turns:
                self._note_done(step)
            yield from self._perform(self, step)
            self._note_done(step)
            if self._stopped:
                return
        self._current = None
        self.in_charge = False

    def _beside(self, step: At) -> Performance:
        if not self._starts_early():
            yield Until(moment=SETUP_COMPLETE)
        yield Until(seconds=step.seconds)
        yield from self._perform(self, step.do)
        self._note_done(step)

    def _starts_early(self) -> bool:
        """True when the steps begin before the session is set up."""
        first = next(iter(self._scenario.main_steps), None)
        waits_for_upgrade = isinstance(first, Expect) and first.kind == "upgrade"
        return self.sends_setup_complete or waits_for_upgrade or (first is not None and first.before_setup)

    def _note_done(self, step: Step) -> None:
        if not any(step is done for done in self.run.done):
            self.run.done.append(step)
            self.session.house.note_progress()

    def _fail(self, complaint: str) -> None:
        self.run.failure = complaint
        self.session.close(FAILED_CODE, f"scenario: {complaint}")
        self.session.house.note_progress()
