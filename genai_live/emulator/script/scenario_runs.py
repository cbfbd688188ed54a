"""Which scenario each session plays, and what became of it. Written on the emulator's loop thread, read and waited for on any."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from genai_live._deadline import Deadline
from genai_live.emulator.script.scenario import Scenario, Script, Step

NO_SESSION = 0
"""Session number of a scenario that ended before there was a session: it refused the upgrade."""


class Run:
    """One scenario on one session."""

    def __init__(self, scenario: Scenario, session: int, changed: threading.Condition, failures: list[str]) -> None:
        self.scenario = scenario
        self.session = session
        self.done: list[Step] = []
        self.failure: str | None = None
        self._over = False
        self._changed = changed
        self._failures = failures

    @property
    def left(self) -> list[Step]:
        """The steps that were not done."""
        return [step for step in self.scenario.steps if not any(step is done for done in self.done)]

    @property
    def goes_on(self) -> bool:
        """True while steps that are left may still be done."""
        return not self._over and self.failure is None and bool(self.left)

    def complaint(self) -> str | None:
        """One sentence about what is missing or wrong; None when all was done."""
        if self.failure is not None:
            return f"session {self.session}: {self.failure}"
        if self.left:
            return f"session {self.session}: not done: {', '.join(map(repr, self.left))}"
        return None

    def note_done(self, step: Step) -> None:
        """A step is done; told twice, it counts once."""
        if not any(step is done for done in self.done):
            with self._changed:
                self.done.append(step)
                self._changed.notify_all()

    def fail(self, complaint: str) -> None:
        """A step cannot be done, or the client did something else."""
        with self._changed:
            self.failure = complaint
            self._failures.append(f"session {self.session}: {complaint}")
            self._changed.notify_all()

    def end(self) -> None:
        """The session is gone: what is left stays undone."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


class ScenarioRuns:
    """The emulator's script: hands out scenarios and remembers what became of them."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._runs: list[Run] = []
        self._failures: list[str] = []
        self._changed = threading.Condition()

    def next_scenario(self) -> Scenario | None:
        """What the next session plays; None lets it behave naturally."""
        if isinstance(self._script, Scenario) or self._script is None:
            return self._script
        return self._script[len(self._runs)] if len(self._runs) < len(self._script) else None

    def begin(self, scenario: Scenario, session: int) -> Run:
        """A session begins to play a scenario."""
        run = Run(scenario, session, self._changed, self._failures)
        with self._changed:
            self._runs.append(run)
        return run

    def wait_over(self, timeout: float) -> None:
        """Waits until every scenario is over: played, failed, or without its session. Blocks the calling thread."""
        with self._changed:
            Deadline(timeout).wait_for(self._changed, lambda: not self.complaints() or not any(run.goes_on for run in self._runs))

    def failures(self) -> list[str]:
        """What went wrong so far, one sentence each, in the order it happened."""
        return list(self._failures)

    def complaints(self) -> list[str]:
        """What is missing or wrong, one sentence each."""
        found = [complaint for run in list(self._runs) if (complaint := run.complaint()) is not None]
        wanted = self._script if isinstance(self._script, Sequence) else [self._script] if self._script is not None else []
        if len(self._runs) < len(wanted):
            found.append(f"{len(wanted) - len(self._runs)} of {len(wanted)} scenarios had no session")
        return found
