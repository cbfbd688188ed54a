"""Questions, answers, calls and interruptions in any order: every ``ask`` gets its own answer, whole, whatever lies before it.

The peer is a script that hypothesis writes, the session is the public one. Each question has a turn of its own here; a service
that makes one turn of several is in tests/test_chaos.py.
"""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from genai_live import Session, Turn
from genai_live.errors import ReceiveTimeout
from tests.raw_peer import BINARY, Peer, beside, frame, opened
from tests.servers import PATIENCE, TURN_COMPLETE, message, text_part

USAGE = {"totalTokenCount": 1}
NOISE = (b"{}", message(serverContent={}), message(usageMetadata=USAGE), message(serverContent={}, usageMetadata=USAGE))
ACTS = (
    *("left", "ask", "ask", "receive", "collect"),
    *("piece", "piece", "piece", "generated", "end", "end", "interrupt", "call", "noise"),
)
LONG = 20.0
"""Seconds that nothing takes here; hypothesis has to wait for them again and again where something does."""
RESYNCHRONISED = 4.0
"""Seconds of silence after which a session takes it that one turn was all there is."""


@dataclass
class Script:
    """What both sides have said."""

    session: Session
    peer: Peer
    asked: int = 0
    sent: int = 0
    """Messages of the server."""
    line: list[int] = field(default_factory=list)
    """Questions that have no answer yet, oldest first."""
    running: int | None = None
    """The question whose answer runs, 0 for what nobody asked for."""
    said: dict[int, str] = field(default_factory=dict)
    """All that was said to each question."""
    interrupted: set[int] = field(default_factory=set)
    asking: tuple[int, Future[Turn]] | None = None
    taken: str = ""
    """All that the session gave."""

    def play(self, acts: list[str]) -> None:
        for act in acts:
            getattr(self, f"_{act}")()
            self._look()
        while self.running is not None or self.line:
            self._piece()
            self._end()
        self._look(wait=True)
        self._ask()
        self._piece()
        self._end()
        self._look(wait=True)
        pieces = self.taken.split()
        assert len(pieces) == len(set(pieces)), "nothing is given twice"

    # The client.

    def _left(self) -> None:
        self.session.send_text(str(self._new()))
        self._read()

    def _ask(self) -> None:
        if self.asking is None:
            number = self._new()
            self.asking = number, beside(self.session.ask, str(number), timeout=LONG)
            self._read()

    def _receive(self) -> None:
        """Takes a message or two, and leaves the turn there."""
        if self.asking is None:
            self._arrived()
            for number, each in enumerate(self._own(self.session.receive(timeout=0.0))):
                self.taken += each.text or ""
                if number == 1:
                    break

    def _collect(self) -> None:
        if self.asking is None:
            self._arrived()
            with contextlib.suppress(ReceiveTimeout):  # what it has seen stays to be received
                self.taken += self.session.collect(timeout=0.0).text

    def _own(self, messages: Any) -> Any:
        try:
            yield from messages
        except ReceiveTimeout:
            return

    def _new(self) -> int:
        if 0 in self.said:
            self._arrived()  # what nobody asked for, and comes when the question is out already, cannot be told from its answer
        self.asked += 1
        self.said[self.asked] = ""
        self.line.append(self.asked)
        return self.asked

    def _read(self) -> None:
        assert str(self.asked) in json.dumps(self.peer.read_message())

    def _look(self, wait: bool = False) -> None:
        """What ``ask`` has returned, once its question is answered."""
        if self.asking is None or (self.asking[0] in self.line and not wait):
            return
        (number, future), self.asking = self.asking, None
        turn = future.result(PATIENCE)
        self.taken += turn.text
        assert turn.text == self.said[number], (number, self.said)
        assert turn.interrupted is (number in self.interrupted)
        assert (turn.questions, turn.incomplete) == (1, False)

    # The server.

    def _send(self, *messages: bytes) -> None:
        self.peer.send(b"".join(frame(BINARY, each) for each in messages))
        self.sent += len(messages)

    def _arrived(self) -> None:
        ends = time.monotonic() + PATIENCE
        while self.session.stats.messages_received < 1 + self.sent:
            assert time.monotonic() < ends
            time.sleep(0)

    def _piece(self) -> None:
        if self.running is None:
            self.running = self.line[0] if self.line else 0
        piece = f"{self.running}.{self.sent} "
        self.said[self.running] = self.said.get(self.running, "") + piece
        self._send(text_part(piece))

    def _generated(self) -> None:
        if self.running is not None:
            self._send(message(serverContent={"generationComplete": True}))
            self._end()

    def _end(self) -> None:
        if self.running is not None:
            self._send(TURN_COMPLETE)
            self._close()

    def _interrupt(self) -> None:
        """Speech that nobody understood, say: what runs is cut off, or what is due."""
        if self.running is None and self.line:
            self.running = self.line[0]
        if self.running is not None:
            self.interrupted.add(self.running)
            self._send(message(serverContent={"interrupted": True}), TURN_COMPLETE)
            self._close()

    def _close(self) -> None:
        if self.running:
            self.line.remove(self.running)
        self.running = None

    def _call(self) -> None:
        """A call that was answered by another thread before anybody could look, in a turn that goes on."""
        if self.running != 0 and self.line:
            self.running = self.running or self.line[0]
            if self.asking is not None and self.asking[0] == self.running:
                return  # ask would end with the call: tests/test_service_rows.py
            call_id = f"c{self.sent}"
            self._send(message(toolCall={"functionCalls": [{"id": call_id, "name": "look", "args": {}}]}))
            self._arrived()
            self.session.send_tool_response(function_responses={"id": call_id, "name": "look", "response": {}})
            assert "toolResponse" in self.peer.read_message()

    def _noise(self) -> None:
        self._send(NOISE[self.sent % len(NOISE)])


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
@hypothesis.given(acts=st.lists(st.sampled_from(ACTS), max_size=30))
@hypothesis.settings(max_examples=100)
@hypothesis.example(acts=["left", "ask", "piece", "end", "piece", "end"])
@hypothesis.example(acts=["piece", "ask", "piece", "end", "piece", "end"])
@hypothesis.example(acts=["left", "piece", "receive", "ask", "piece", "end", "piece", "end"])
@hypothesis.example(acts=["left", "call", "ask", "piece", "end", "piece", "end"])
@hypothesis.example(acts=["left", "left", "interrupt", "ask", "interrupt", "piece", "end"])
def test_every_ask_gets_its_own_answer(callback: bool, acts: list[str]) -> None:
    began = time.monotonic()
    callbacks = {"on_message": lambda message: None} if callback else None
    with opened(callbacks=callbacks) as (session, peer):
        Script(session, peer).play(acts)
    assert time.monotonic() - began < RESYNCHRONISED, "nothing had to be guessed"
