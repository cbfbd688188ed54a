"""What becomes of each HTTP request: refused, answered as REST, or upgraded to a session. Runs on the emulator's loop thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from genai_live import _json
from genai_live._deadline import Deadline
from genai_live.emulator.model import catalogue
from genai_live.emulator.script.scenario import IgnoreUpgrade, RefuseUpgrade, Scenario, Script
from genai_live.emulator.script.scenario_actions import run_step
from genai_live.emulator.script.scenario_player import ScenarioPlayer
from genai_live.emulator.script.scenario_runs import NO_SESSION, ScenarioRuns
from genai_live.emulator.server.request import Answer, Credential, Request, Route, find_credential, find_route, is_served
from genai_live.emulator.server.validation import Refused
from genai_live.emulator.session.live_session import LiveSession
from genai_live.emulator.session.music_session import MusicSession
from genai_live.emulator.session.server_state import ServerState
from genai_live.emulator.session.session import Session
from genai_live.emulator.session.tokens import EXPIRED_KEY, INVALID_KEY, TokenRefused

if TYPE_CHECKING:
    from genai_live.emulator.server.connection import Connection

MISSING_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)

PAGE_SIZE = 50
LARGEST_PAGE = 1_000
"""Models of one answer where the request does not say how many, and the most that it may ask for."""

METHODS: dict[str, type[Session]] = {
    "BidiGenerateContent": LiveSession,
    "BidiGenerateContentConstrained": LiveSession,
    "BidiGenerateMusic": MusicSession,
}


class Handshake:
    """Takes requests, and knows every session that came of one."""

    def __init__(self, state: ServerState, script: Script) -> None:
        self.runs = ScenarioRuns(script)
        self.sessions: list[Session] = []
        self._state = state
        self._opened = threading.Condition()
        """Notified when a session begins."""

    def handle(self, connection: Connection, request: Request) -> None:
        """Judges one request."""
        route = find_route(request.path)
        if route is None:
            connection.answer(Answer.error(404, f"The emulator has nothing at {request.path}."))
        elif self._state.settings.strict and not is_served(route):
            words = f"{route.method} is not served in API version {route.version}, as at the service; strict=False serves it."
            connection.answer(Answer.error(404, words))
        elif route.method == "auth_tokens":
            connection.answer(self._answer_token_request(request, route.version))
        elif route.method == "models":
            connection.answer(self._list_models(request, route.backend))
        elif not request.wants_websocket:
            connection.answer(Answer.error(426, "This path is a WebSocket."))
        else:
            self._upgrade(connection, request, route)

    async def close(self) -> None:
        """The server stops; sessions end with their connections."""

    def wait_for_sessions(self, number: int, timeout: float | None) -> bool:
        """Waits on the caller's thread until there were so many sessions; False when the time was up."""
        with self._opened:
            return Deadline(timeout).wait_for(self._opened, lambda: len(self.sessions) >= number)

    # -- sessions --------------------------------------------------------------------------------------------------

    def _upgrade(self, connection: Connection, request: Request, route: Route) -> None:
        scenario = self.runs.next_scenario()
        first = scenario.steps[0] if scenario is not None and scenario.steps else None
        if scenario is not None and isinstance(first, (RefuseUpgrade, IgnoreUpgrade)):
            self.runs.begin(scenario, NO_SESSION).note_done(first)
            if isinstance(first, RefuseUpgrade):
                connection.answer(Answer(first.status, first.body.encode(), dict(first.headers)))
            else:
                connection.ignore()
            return
        session = METHODS[route.method](self._state, connection, route, len(self.sessions) + 1)
        session.credential = find_credential(request)
        session.refusal = self._judge_credential(route, session.credential)
        if scenario is not None:
            self._script(session, scenario)
        with self._opened:
            self.sessions.append(session)
            self._opened.notify_all()
        connection.upgrade(session)

    def _script(self, session: Session, scenario: Scenario) -> None:
        session.driver = ScenarioPlayer(scenario, session, self.runs.begin(scenario, session.number), run_step)

    # -- credentials -----------------------------------------------------------------------------------------------

    def _judge_credential(self, route: Route, credential: Credential | None) -> Refused | None:
        """What is wrong with a credential: said after setup, for the service accepts the upgrade whatever it is."""
        constrained = route.method == "BidiGenerateContentConstrained"
        if credential is None:
            return Refused(MISSING_KEY, 1008) if self._state.settings.require_key or constrained else None
        if credential.kind == "token":
            return self._state.tokens.judge(route, credential, any_version=not self._state.settings.strict)
        if credential.value == "expired":
            return Refused(EXPIRED_KEY)
        good = not constrained and self._is_good_key(credential)
        return None if good else Refused(INVALID_KEY)

    def _is_good_key(self, credential: Credential) -> bool:
        known = self._state.settings.keys
        return credential.value in known if known is not None else credential.value != "invalid"

    # -- REST ------------------------------------------------------------------------------------------------------

    def _answer_token_request(self, request: Request, version: str) -> Answer:
        if request.method != "POST":
            return Answer.error(405, "Tokens are made by POST.")
        return self._refused_key(request) or self._make_token(request.body, version)

    def _refused_key(self, request: Request) -> Answer | None:
        """What REST answers to a credential that is missing or wrong."""
        credential = find_credential(request)
        if credential is None and self._state.settings.require_key:
            return Answer.error(403, MISSING_KEY)
        if credential is not None and (credential.kind == "token" or not self._is_good_key(credential)):
            return Answer.error(400, INVALID_KEY)
        return None

    def _list_models(self, request: Request, backend: str) -> Answer:
        if request.method != "GET":
            return Answer.error(405, "Models are listed by GET.")
        wanted = request.query.get("pageSize", "")
        size = int(wanted) if wanted.isdecimal() and 0 < int(wanted) <= LARGEST_PAGE else PAGE_SIZE
        return self._refused_key(request) or Answer.json(200, catalogue.listed(backend, size, request.query.get("pageToken", "")))

    def _make_token(self, body: bytes, version: str) -> Answer:
        try:
            wanted = _json.loads(body or b"{}")
            if not isinstance(wanted, dict):
                raise TokenRefused("Invalid JSON payload received. Expected an object.")
            return Answer.json(200, self._state.tokens.make(wanted, version, len(body)).describe())
        except TokenRefused as error:
            return Answer.error(400, str(error))
        except (ValueError, RecursionError):
            return Answer.error(400, "Invalid JSON payload received. Expected a value.")
