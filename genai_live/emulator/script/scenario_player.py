"""Plays one scenario on one session. Runs on the emulator's loop thread, within the calls that tell it what happened.

What each step does is in ``scenario_actions``; here are the order of steps, what they wait for, what was done and failed. A step
is a generator that yields what it waits for. It goes on within the very call that reports it, not in a task some turns of the
loop later: when a client has seen the end of a turn, the next step is already in place.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from genai_live.emulator.model.conversation import SETUP_COMPLETE
from genai_live.emulator.script.scenario import At, Converse, Expect, Scenario, Silence, Step
from genai_live.emulator.script.scenario_runs import Run
from genai_live.emulator.server.received import ReceivedMessage
from genai_live.emulator.session.session import Session

STREAMED = frozenset({"realtimeInput.audio", "realtimeInput.video", "realtimeInput.mediaChunks"})
"""Kinds that come many times a second, whatever a scenario expects."""

PROMPT = "prompt"
"""What stands for any message, or utterance, that asks for an answer; reported beside the message itself."""

MOST_SHOWN = 160
"""Characters of a message that a complaint repeats."""

FAILED_CODE = 1008
"""Close code of a session whose scenario failed: policy violation (RFC 6455 section 7.4.1)."""


@dataclass(frozen=True)
class WaitFor:
    """What a step waits for: a moment that is still to come, a message or moment that may have come already, or a time."""

    moment: str = ""
    event: str | None = None
    """Kind of message, or moment, taken from what came since the last one was taken; empty for anything."""
    strict: bool = False
    """A message of another kind is a failure, but for those in ``STREAMED``."""
    seconds: float | None = None
    """Goes on after this time whether or not it came; None waits as long as the session lives."""


StepGenerator = Generator[WaitFor, Any, None]
"""A step being done: yields what it waits for, gets back what came, or None when the time was up."""

StepStarter = Callable[["ScenarioPlayer", Step], StepGenerator]
"""Begins a step."""


class StepFailed(Exception):
    """A step cannot be done; the scenario has failed."""


class _Track:
    """One row of steps: the main one, or a step that runs beside it."""

    def __init__(self, generator: StepGenerator) -> None:
        self.generator = generator
        self.until: WaitFor | None = None
        self.timer: asyncio.TimerHandle | None = None


class ScenarioPlayer:
    """One scenario on one session: a ``SessionDriver``."""

    def __init__(self, scenario: Scenario, session: Session, run: Run, run_step: StepStarter) -> None:
        self.session = session
        self.run = run
        self.sends_setup_complete = scenario.takes_setup
        self.replays = scenario.replay
        main = scenario.main_steps
        self.scripted = bool(main) and not isinstance(main[0], Converse)
        """False while the session behaves naturally."""
        self._scenario = scenario
        self._run_step = run_step
        self._expected = {step.kind.partition(".")[0] for step in main if isinstance(step, Expect)}
        self._expects_all = any(isinstance(step, Expect) and (step.strict or not step.kind) for step in main)
        self._current: Step | None = None
        self._events: deque[str | ReceivedMessage] = deque()
        self._reports: deque[str | ReceivedMessage] = deque()
        self._tracks: list[_Track] = []
        self._busy = False
        self._stopped = False

    def start(self) -> None:
        """The WebSocket stands: begins."""
        self.happened("upgrade")
        beside = [self._beside(step) for step in self._scenario.steps if isinstance(step, At)]
        for generator in (self._main(), *beside):
            track = _Track(generator)
            self._tracks.append(track)
            self._go_on(track, None)
            self._offer(track)
        self._work_off()

    def stop(self) -> None:
        """The session ends: what is not done stays undone, except waiting for just this."""
        if self._stopped:
            return
        self._stopped = True
        current = self._current
        if isinstance(current, Silence) or (isinstance(current, Expect) and current.kind == "close"):
            self.run.note_done(current)
        for track in self._tracks:
            track.until = None
            if track.timer is not None:
                track.timer.cancel()

    def end(self) -> None:
        """The session is gone."""
        self.happened("close")
        self.stop()
        self.run.end()

    # -- what comes in ---------------------------------------------------------------------------------------------

    def received(self, item: ReceivedMessage) -> None:
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
        awaited = name.partition(".")[0] in self._expected or (self._expects_all and name not in STREAMED)
        if self.scripted and awaited:
            self._events.append(report)
        for track in list(self._tracks):
            if track.until is not None and isinstance(report, str) and track.until.moment == report:
                self._go_on(track, report)
            self._offer(track)

    def _offer(self, track: _Track) -> None:
        """Gives a track that waits for events those that came, passing over what is of another kind if that is allowed."""
        while track.until is not None and track.until.event is not None and self._events:
            event, wanted = self._events.popleft(), track.until
            name = event if isinstance(event, str) else event.kind
            if not wanted.event or name == wanted.event or name.startswith(f"{wanted.event}."):
                self._go_on(track, event)
            elif wanted.strict and isinstance(event, ReceivedMessage) and name not in (PROMPT, *STREAMED):
                self._fail(f"expected {wanted.event}, got {json.dumps(event.message, ensure_ascii=False)[:MOST_SHOWN]}")

    def _go_on(self, track: _Track, what: str | ReceivedMessage | None) -> None:
        """Lets a track run to its next wait."""
        if track.timer is not None:
            track.timer.cancel()
        track.until = track.timer = None
        busy, self._busy = self._busy, True
        try:
            until = track.generator.send(what)
        except StopIteration:
            return
        except StepFailed as error:
            self._fail(str(error))
            return
        except Exception as error:
            self._fail(f"{self._current or 'a step'} cannot be done: {error!r}")
            return
        finally:
            self._busy = busy
        if self._stopped:
            return
        track.until = until
        if until.seconds is not None:
            track.timer = asyncio.get_running_loop().call_later(until.seconds, self._time_is_up, track)

    def _time_is_up(self, track: _Track) -> None:
        track.timer = None
        self._go_on(track, None)
        self._offer(track)
        self._work_off()

    # -- playing ---------------------------------------------------------------------------------------------------

    def _main(self) -> StepGenerator:
        if not self._starts_early():
            yield WaitFor(moment=SETUP_COMPLETE)
        for step in self._scenario.main_steps:
            self.scripted = not isinstance(step, Converse)
            self._current = step
            if isinstance(step, Converse) and not step.turns:
                self.run.note_done(step)
            yield from self._run_step(self, step)
            self.run.note_done(step)
            if self._stopped:
                return
        self._current = None
        self.scripted = False

    def _beside(self, step: At) -> StepGenerator:
        if not self._starts_early():
            yield WaitFor(moment=SETUP_COMPLETE)
        yield WaitFor(seconds=step.seconds)
        yield from self._run_step(self, step.do)
        self.run.note_done(step)

    def _starts_early(self) -> bool:
        """True when the steps begin before the session is set up."""
        first = next(iter(self._scenario.main_steps), None)
        waits_for_upgrade = isinstance(first, Expect) and first.kind == "upgrade"
        return self.sends_setup_complete or waits_for_upgrade or (first is not None and first.before_setup)

    def _fail(self, complaint: str) -> None:
        self.run.fail(complaint)
        self.session.close(FAILED_CODE, f"scenario: {complaint}")
