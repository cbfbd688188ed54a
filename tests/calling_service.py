"""A service that calls functions when a test says so, and writes down every answer: made with websockets, not our emulator."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from genai_live import Client, Session
from tests.servers import MODEL, SETUP_COMPLETE, TURN_COMPLETE, client_of, live_server, message, text_part
from tests.waiting import PATIENCE


class CallingService:
    """Used as a handler of ``live_server``; the newest connection is the one that speaks."""

    def __init__(self, *, answers_texts: bool = True) -> None:
        self.setups: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        """Client messages other than the setup."""
        self.responses: list[dict[str, Any]] = []
        self.came_over: list[int] = []
        """The number of the connection that each response came over: what two connections bring has no order."""
        self.answers_texts = answers_texts
        self.handles = False
        """True to give a handle with each setup, so that sessions can go on over another connection."""
        self.connection: ServerConnection | None = None
        self.client: Client | None = None
        """The client that talks to it, once it is made by ``calling``."""
        self._changed = threading.Condition()

    def __call__(self, connection: ServerConnection) -> None:
        setup = json.loads(connection.recv(timeout=PATIENCE))["setup"]
        self.connection = connection  # before the client is told, and with it the test
        connection.send(SETUP_COMPLETE)
        if self.handles:
            connection.send(message(sessionResumptionUpdate={"newHandle": f"h{len(self.setups)}", "resumable": True}))
        with self._changed:
            self.setups.append(setup)
            number = len(self.setups)
            self._changed.notify_all()
        for raw in connection:
            self._take(json.loads(raw), number)

    def _take(self, sent: dict[str, Any], number: int) -> None:
        with self._changed:
            self.received.append(sent)
            responses = sent.get("toolResponse", {}).get("functionResponses", [])
            self.responses += responses
            self.came_over += [number] * len(responses)
            self._changed.notify_all()

    def send(self, **fields: Any) -> None:
        """Says something over the newest connection."""
        assert self.connection is not None
        self.connection.send(message(**fields))

    def call(self, *calls: tuple[str, str, dict[str, Any]]) -> None:
        """Calls functions, all in one message: (id, name, args)."""
        self.send(toolCall={"functionCalls": [{"id": each, "name": name, "args": args} for each, name, args in calls]})

    def cancel(self, *ids: str) -> None:
        """Cancels calls."""
        self.send(toolCallCancellation={"ids": list(ids)})

    def say(self, text: str) -> None:
        """Says a whole turn."""
        assert self.connection is not None
        self.connection.send(text_part(text))
        self.connection.send(TURN_COMPLETE)

    def drop(self) -> None:
        """Cuts the connection, without a Close frame."""
        assert self.connection is not None
        with contextlib.suppress(OSError, ConnectionClosed):
            self.connection.socket.shutdown(2)

    def wait_for(self, count: int = 1, *, of: str = "responses") -> list[dict[str, Any]]:
        """The first so many answers (``received``: messages; ``setups``), once they have come."""
        with self._changed:
            held: list[dict[str, Any]] = getattr(self, of)
            assert self._changed.wait_for(lambda: len(held) >= count, PATIENCE), f"{len(held)} of {count} {of} came"
            return held[:count]

    def answer_of(self, call_id: str) -> dict[str, Any]:
        """What a call was answered last, once it was answered."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(each["id"] == call_id for each in self.responses), PATIENCE)
            return next(each for each in reversed(self.responses) if each["id"] == call_id)


@contextmanager
def calling(*tools: Any, shared_reader: bool = False, **connect: Any) -> Iterator[tuple[CallingService, Session]]:
    """A service, and a session with it whose functions run."""
    service = CallingService()
    service.handles = bool(connect.get("reconnect"))
    connect = {"run_tools": True, "model": MODEL, "config": {"tools": list(tools)}, **connect}
    with live_server(service) as url:
        service.client = client_of(url, shared_reader=shared_reader)
        with service.client.live.connect(**connect) as session:
            service.wait_for(of="setups")
            yield service, session
