"""The emulator's inside: who is let in, the sessions there are, and what they share. Runs on the emulator's loop thread."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .live_session import LiveSession
from .mind import Mind
from .music import MusicSession
from .performing import perform
from .player import Player, Run
from .received import Received
from .request import Answer, Credential, Request, Route, find_credential, find_route
from .resumption import Handles
from .scenario import IgnoreUpgrade, RefuseUpgrade, Scenario, Script
from .session import Session
from .settings import Settings
from .tokens import EXPIRED_KEY, INVALID_KEY, TokenRefused, Tokens
from .validation import Refused, Validator

if TYPE_CHECKING:
    from .connection import Connection

MISSING_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
SEED = 20_261_010
"""Every emulator makes the same ids, handles and tokens in the same order, so that a failing test can be repeated."""

METHODS: dict[str, type[Session]] = {
    "BidiGenerateContent": LiveSession,
    "BidiGenerateContentConstrained": LiveSession,
    "BidiGenerateMusic": MusicSession,
}


class House:
    """Everything behind the door."""

    def __init__(self, settings: Settings, mind: Mind, script: Script) -> None:
        self.settings = settings
        self.mind = mind
        self.random = random.Random(SEED)
        self.received = Received(settings.keep_bytes)
        self.handles = Handles(self.random)
        self.tokens = Tokens(self.random)
        self.sessions: list[Session] = []
        self.runs: list[Run] = []
        """What became of each scenario that was begun."""
        self.changed = threading.Condition()
        """Notified when a session begins or ends, and when a scenario gets on."""
        self._script = script
        self._validators = {"mldev": Validator("mldev"), "vertex": Validator("vertex")}
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the emulator started."""
        return time.monotonic() - self._started

    def validator(self, backend: str) -> Validator:
        """The strict parser of a backend."""
        return self._validators[backend]

    # -- Door ------------------------------------------------------------------------------------------------------

    def admit(self, connection: Connection, request: Request) -> None:
        """Judges one request."""
        route = find_route(request.path)
        if route is None:
            connection.answer(Answer.error(404, f"The emulator has nothing at {request.path}."))
        elif route.method == "auth_tokens":
            connection.answer(self._answer_token_request(request))
        elif not request.wants_websocket:
            connection.answer(Answer.error(426, "This path is a WebSocket."))
        else:
            self._admit_session(connection, request, route)

    async def close(self) -> None:
        """The server stops; sessions end with their connections."""

    def _admit_session(self, connection: Connection, request: Request, route: Route) -> None:
        scenario = self._next_scenario()
        first = scenario.steps[0] if scenario is not None and scenario.steps else None
        if isinstance(first, (RefuseUpgrade, IgnoreUpgrade)):
            assert scenario is not None
            self.runs.append(Run(scenario, 0, done=[first]))
            if isinstance(first, RefuseUpgrade):
                connection.answer(Answer(first.status, first.body.encode(), dict(first.headers)))
            return
        session = METHODS[route.method](self, connection, route, len(self.sessions) + 1)
        session.credential = find_credential(request)
        session.refusal = self._judge_credential(route, session.credential)
        if scenario is not None:
            self.runs.append(Run(scenario, session.number))
            session.player = Player(scenario, session, self.runs[-1], perform)
        with self.changed:
            self.sessions.append(session)
            self.changed.notify_all()
        connection.upgrade(session)

    def _next_scenario(self) -> Scenario | None:
        if isinstance(self._script, Scenario) or self._script is None:
            return self._script
        return self._script[len(self.runs)] if len(self.runs) < len(self._script) else None

    def _judge_credential(self, route: Route, credential: Credential | None) -> Refused | None:
        """What is wrong with a credential: said after setup, for the service accepts the upgrade whatever it is."""
        constrained = route.method == "BidiGenerateContentConstrained"
        if credential is None:
            return Refused(MISSING_KEY, 1008) if self.settings.require_key or constrained else None
        if credential.kind == "token":
            return self.tokens.judge(route, credential)
        if credential.value == "expired":
            return Refused(EXPIRED_KEY)
        good = not constrained and self._is_good_key(credential)
        return None if good else Refused(INVALID_KEY)

    def _is_good_key(self, credential: Credential) -> bool:
        known = self.settings.keys
        return credential.value in known if known is not None else credential.value != "invalid"

    # -- REST ------------------------------------------------------------------------------------------------------

    def _answer_token_request(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer.error(405, "Tokens are made by POST.")
        credential = find_credential(request)
        if credential is None and self.settings.require_key:
            return Answer.error(403, MISSING_KEY)
        if credential is not None and (credential.kind == "token" or not self._is_good_key(credential)):
            return Answer.error(400, INVALID_KEY)
        try:
            body = json.loads(request.body or b"{}")
            if not isinstance(body, dict):
                raise TokenRefused("Invalid JSON payload received. Expected an object.")
            return Answer.json(200, self.tokens.make(body).describe())
        except TokenRefused as error:
            return Answer.error(400, str(error))
        except ValueError:
            return Answer.error(400, "Invalid JSON payload received. Expected a value.")

    # -- what tests ask --------------------------------------------------------------------------------------------

    def note_progress(self) -> None:
        """A scenario has got on, failed, or lost its session: who waits for it looks again."""
        with self.changed:
            self.changed.notify_all()

    def await_scenarios(self, timeout: float) -> None:
        """Waits on the caller's thread until every scenario is over: played, failed, or without its session."""
        self.wait(lambda: not self.complaints() or not any(self._goes_on(run) for run in self.runs), timeout)

    def _goes_on(self, run: Run) -> bool:
        session = next((each for each in self.sessions if each.number == run.session), None)
        return session is not None and session.alive and run.failure is None and bool(run.left)

    def wait(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Waits on the caller's thread until ``ready`` holds, looked at whenever a session comes."""
        with self.changed:
            return self.changed.wait_for(ready, timeout)

    def complaints(self) -> list[str]:
        """What is missing or wrong in the scenarios, one sentence each."""
        found = [complaint for run in list(self.runs) if (complaint := run.complaint()) is not None]
        wanted = self._script if isinstance(self._script, Sequence) else [self._script] if self._script is not None else []
        if len(self.runs) < len(wanted):
            found.append(f"{len(wanted) - len(self.runs)} of {len(wanted)} scenarios had no session")
        return found
