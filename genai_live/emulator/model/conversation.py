"""The turns of one session: one table of states and events, and what each move sends. Runs on the emulator's loop thread.

Order of messages: protocol topics "Turn sequences" and "Backend differences"; what differs by family is in ``profiles``.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Any, Protocol

from genai_live.emulator.model.answers import Call, Prompt
from genai_live.emulator.model.response_writer import THINKING_SECONDS, ResponseWriter, Step, pieces_of
from genai_live.emulator.model.session_options import SessionOptions
from genai_live.emulator.model.speech import Answer, Model
from genai_live.emulator.model.usage import IMAGE_TOKENS, TokenCounter, audio_tokens, text_tokens
from genai_live.emulator.server.encoding import Encoder
from genai_live.emulator.server.settings import SecondQuestion, Settings


class State(Enum):
    """What a session's turn is doing."""

    IDLE = "idle"
    GENERATING = "generating"
    TOOL_PENDING = "tool pending"
    PLAYING = "playing"
    ENDED = "ended"


class Event(Enum):
    """What happens to a turn."""

    PROMPT = "a complete prompt came"
    REPLY = "a scenario says what to answer"
    CUT_IN = "the user spoke, or sent content without completing it"
    CALLED = "the answer needs a function first"
    CALLED_ASIDE = "a function was called and the turn does not wait for it"
    RESPONDED = "every open call has its response"
    GENERATED = "the answer has been sent"
    PLAYED = "the answer would have been played by now"


_S, _E = State, Event
TABLE: dict[tuple[State, Event], tuple[State, str]] = {
    (_S.IDLE, _E.PROMPT): (_S.GENERATING, "answer"),
    (_S.IDLE, _E.REPLY): (_S.GENERATING, "reply"),
    (_S.IDLE, _E.RESPONDED): (_S.GENERATING, "answer"),
    (_S.GENERATING, _E.PROMPT): (_S.GENERATING, "interrupt_and_answer"),
    (_S.GENERATING, _E.REPLY): (_S.GENERATING, "interrupt_and_reply"),
    (_S.GENERATING, _E.CUT_IN): (_S.IDLE, "interrupt"),
    (_S.GENERATING, _E.CALLED): (_S.TOOL_PENDING, "announce_call"),
    (_S.GENERATING, _E.CALLED_ASIDE): (_S.IDLE, "complete_call"),
    (_S.GENERATING, _E.GENERATED): (_S.PLAYING, "await_playback"),
    (_S.TOOL_PENDING, _E.PROMPT): (_S.GENERATING, "interrupt_and_answer"),
    (_S.TOOL_PENDING, _E.REPLY): (_S.GENERATING, "reply"),
    (_S.TOOL_PENDING, _E.CUT_IN): (_S.IDLE, "interrupt"),
    (_S.TOOL_PENDING, _E.RESPONDED): (_S.GENERATING, "answer"),
    (_S.PLAYING, _E.PROMPT): (_S.GENERATING, "interrupt_and_answer"),
    (_S.PLAYING, _E.REPLY): (_S.GENERATING, "interrupt_and_reply"),
    (_S.PLAYING, _E.CUT_IN): (_S.IDLE, "interrupt"),
    (_S.PLAYING, _E.PLAYED): (_S.IDLE, "complete"),
}
"""(state, event) to (new state, what to do on the way). A pair that is not here changes nothing."""

_NOTHING_TO_CUT = {_E.CUT_IN: (_S.GENERATING, "go_on")}
SECOND_QUESTION: dict[SecondQuestion, dict[Event, tuple[State, str]]] = {
    "interrupts": {},
    "waits": {_E.PROMPT: (_S.GENERATING, "wait_in_line"), **_NOTHING_TO_CUT},
    "merges": {_E.PROMPT: (_S.GENERATING, "answer_too"), **_NOTHING_TO_CUT},
    "replaces": {_E.PROMPT: (_S.GENERATING, "answer"), **_NOTHING_TO_CUT},
}
"""Rows in place of those above while an answer is GENERATING and none of it has been sent, one set of them for each setting.

What the service does then was never recorded, so each is a guess: the first answer is interrupted before it began; both are
answered in order, each in its turn; one turn answers both; the first question is dropped, and nothing says so.
"""

WAITS_FOR_RESPONSES: dict[Event, tuple[State, str]] = {
    _E.PROMPT: (_S.TOOL_PENDING, "wait_in_line"),
    _E.CUT_IN: (_S.TOOL_PENDING, "go_on"),
}
"""Rows in place of those above for a family that answers nothing while a call has no response."""

TURN_COMPLETE = "turn complete"
TOOL_RESPONSE = "tool response"
TOOL_CALL = "tool call"
SETUP_COMPLETE = "setup complete"
"""Moments of a session that families hang resumption updates on, and that scenarios wait for."""


class Outlet(Protocol):
    """Where a conversation speaks to."""

    @property
    def congested(self) -> bool:
        """True while the client reads too slowly."""

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message."""

    def send_bytes(self, data: bytes) -> None:
        """Sends one message that is encoded already."""

    def reached(self, moment: str) -> None:
        """A moment has come: one of the four above."""


class Conversation:
    """One session's turns."""

    def __init__(
        self, options: SessionOptions, outlet: Outlet, model: Model, encoder: Encoder, *, settings: Settings, seed: int
    ) -> None:
        self.options = options
        self.state = State.IDLE
        self.open_calls: dict[str, Call] = {}
        self.counter = TokenCounter()
        self._outlet = outlet
        self._model = model
        self._settings = settings
        self._writer = ResponseWriter(options, encoder, self.counter, random.Random(seed))
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._steps: Iterator[Step] = iter(())
        self._next: bytes | None = None
        self._after_steps = Event.GENERATED
        self._begun = False
        """True once a message of the answer was sent."""
        self._stalled = False
        self._turn = 0
        self._playback_ends = 0.0
        self._waiting: deque[Prompt] = deque()
        self._responses: list[dict[str, Any]] = []
        self._called_before = False
        self._rounds: deque[list[Call]] = deque()
        """Calls that follow upon the open ones."""
        self._called_at = self._loop.time()

    # -- what comes in ---------------------------------------------------------------------------------------------

    def prompt(self, prompt: Prompt) -> None:
        """The user has said all: answer, interrupting what runs (what has not begun: as ``second_question`` says)."""
        self.count(prompt)
        self._move(Event.PROMPT, prompt)

    def prompt_when_idle(self, prompt: Prompt) -> None:
        """The user has said all, but nothing may be interrupted: answer after what runs."""
        self.count(prompt)
        if self.state is State.IDLE:
            self._move(Event.PROMPT, prompt)
        else:
            self._wait_in_line(prompt)

    def reply(self, answer: Answer) -> None:
        """A scenario answers in place of the model."""
        self._move(Event.REPLY, answer)

    @property
    def blocked_for(self) -> float:
        """Seconds since the latest call, while one that blocks has no response; else 0."""
        blocks = any(call.blocking for call in self.open_calls.values())
        return self._loop.time() - self._called_at if blocks else 0.0

    def repeat_calls(self, *, same_ids: bool) -> None:
        """A scenario has every open call made again, in the order opposite to that of the first time."""
        calls = [replace(call, id=key if same_ids else "") for key, call in reversed(self.open_calls.items())]
        made = self._writer.new_calls(calls)
        self.open_calls.update(made)
        for _, message in self._writer.call_steps(made):
            self._outlet.send_bytes(message)

    def cut_in(self) -> None:
        """The user spoke or wrote something that stops what runs."""
        self._move(Event.CUT_IN)

    def note_responses(self, responses: list[dict[str, Any]]) -> None:
        """Function responses came: their calls are closed, unless a response says that more will follow."""
        for response in responses:
            if not response.get("willContinue"):
                by_name = (key for key, call in self.open_calls.items() if call.name == response.get("name"))
                self.open_calls.pop(response.get("id") or next(by_name, ""), None)
        self._outlet.reached(TOOL_RESPONSE)

    def respond(self, responses: list[dict[str, Any]]) -> None:
        """Function responses came; the answer follows when every blocking call has one."""
        self.note_responses(responses)
        self._responses += [response for response in responses if response.get("scheduling") != "SILENT"]
        waiting = self.open_calls if self.options.profile.synchronous_calls else None
        if waiting or any(call.blocking for call in self.open_calls.values()) or not self._responses:
            return
        prompt, self._responses = Prompt(responses=self._responses), []
        self.count(prompt)
        if self.state in (State.IDLE, State.TOOL_PENDING):
            self._move(Event.RESPONDED, prompt)
        elif any(response.get("scheduling") == "INTERRUPT" for response in responses):
            self._move(Event.PROMPT, prompt)
        else:
            self._wait_in_line(prompt)

    def writable(self) -> None:
        """The client has caught up."""
        if self._stalled:
            self._stalled = False
            self._pump()

    def end(self) -> None:
        """The session is over."""
        self.state = State.ENDED
        self._turn += 1
        self._stop()

    def count(self, prompt: Prompt) -> None:
        """Counts the tokens of a prompt."""
        self.counter.add_prompt("TEXT", text_tokens(prompt.text) + text_tokens(str(prompt.responses or "")))
        self.counter.add_prompt("AUDIO", audio_tokens(prompt.audio_seconds))
        self.counter.add_prompt("IMAGE", prompt.images * IMAGE_TOKENS)

    # -- the table -------------------------------------------------------------------------------------------------

    def _move(self, event: Event, what: Prompt | Answer | None = None) -> None:
        row = TABLE.get((self.state, event))
        if self.state is State.TOOL_PENDING and self.options.profile.waits_for_responses:
            row = WAITS_FOR_RESPONSES.get(event, row)
        if self.state is State.GENERATING and not self._begun:
            row = SECOND_QUESTION[self._settings.second_question].get(event, row)
        if row is None:
            return
        self.state, action = row
        _ACTIONS[action](self, what)
        if self.state is State.IDLE and self._waiting:
            self._move(Event.PROMPT, self._waiting.popleft())

    def _answer(self, what: Prompt | Answer | None) -> None:
        self._stop()
        self._turn += 1
        self._answer_too(what)

    def _answer_too(self, what: Prompt | Answer | None) -> None:
        turn = self._turn

        def answered(answer: Answer) -> None:
            if turn == self._turn and self.state is State.GENERATING:
                self._give(answer)

        assert isinstance(what, Prompt)
        if what.responses and self._rounds:
            self._call(self._rounds.popleft())
        elif self.open_calls and not what.responses and self.options.profile.repeats_calls:
            self._call([replace(call, id="") for call in self.open_calls.values()])
        else:
            self._model.consider(what, self.options, self._called_before, answered)

    def _reply(self, what: Prompt | Answer | None) -> None:
        self._stop()
        self._turn += 1
        assert isinstance(what, Answer)
        self._give(what)

    def _interrupt(self, what: Prompt | Answer | None) -> None:
        self._stop()
        self._turn += 1
        if self.open_calls and self.options.profile.cancels_calls:
            ids = list(self.open_calls)
            self.open_calls.clear()
            self._outlet.send({"toolCallCancellation": {"ids": ids}})
        self._outlet.send({"serverContent": {"interrupted": True}})
        self._complete(None)

    def _interrupt_and_answer(self, what: Prompt | Answer | None) -> None:
        self._interrupt(None)
        if self._settings.second_question == "waits":
            self._wait_in_line(what)
            what = self._waiting.popleft()
        self._answer(what)

    def _wait_in_line(self, what: Prompt | Answer | None) -> None:
        assert isinstance(what, Prompt)
        self._waiting.append(what)

    def _go_on(self, what: Prompt | Answer | None) -> None:
        """Nothing of the answer was said, so nothing of it is cut off."""

    def _interrupt_and_reply(self, what: Prompt | Answer | None) -> None:
        self._interrupt(None)
        self._reply(what)

    def _announce_call(self, what: Prompt | Answer | None) -> None:
        self._called_at = self._loop.time()
        self._outlet.reached(TOOL_CALL)

    def _complete_call(self, what: Prompt | Answer | None) -> None:
        self._called_at = self._loop.time()
        self._outlet.reached(TOOL_CALL)
        if self.options.profile.call_generation_complete:
            self._outlet.send({"serverContent": {"generationComplete": True}})
        self._complete(None)

    def _await_playback(self, what: Prompt | Answer | None) -> None:
        if not self.options.profile.completes_turns:
            self.state = State.IDLE
            self._outlet.send({"serverContent": {}, "usageMetadata": self.counter.turn(self.options.profile)})
            self._outlet.reached(TURN_COMPLETE)
            return
        self._outlet.send({"serverContent": {"generationComplete": True}})
        left = self._playback_ends - self._loop.time() if self._settings.assume_playback else 0.0
        self._timer = self._later(left, lambda: self._move(Event.PLAYED))

    def _complete(self, what: Prompt | Answer | None) -> None:
        self._stop()
        content: dict[str, Any] = {"turnComplete": True}
        if self.options.profile.grounding_with_turn_complete:
            content["groundingMetadata"] = {}
        self._outlet.send({"serverContent": content, "usageMetadata": self.counter.turn(self.options.profile)})
        self._outlet.reached(TURN_COMPLETE)

    # -- giving an answer ------------------------------------------------------------------------------------------

    def _give(self, answer: Answer) -> None:
        if answer.heard is not None and self.options.transcribes_input:
            for piece in pieces_of(answer.heard):
                self._outlet.send({"serverContent": {"inputTranscription": {"text": piece}}})
        if answer.calls:
            self._rounds = deque(answer.rounds)
            self._call(answer.calls)
            return
        self._playback_ends = max(self._playback_ends, self._loop.time()) + THINKING_SECONDS * self._settings.pace
        if answer.sound is not None:
            self._playback_ends += answer.sound.seconds * self._settings.pace
        joined = answer if self._next is None else replace(answer, text=f" {answer.text}")
        self._run(self._writer.steps(joined), Event.GENERATED)

    def _call(self, calls: list[Call]) -> None:
        self._called_before = True
        made = self._writer.new_calls(calls)
        self.open_calls.update(made)
        profile = self.options.profile
        waits = profile.tool_round == "same turn" and (profile.synchronous_calls or any(call.blocking for call in calls))
        self._run(self._writer.call_steps(made), Event.CALLED if waits else Event.CALLED_ASIDE)

    # -- time ------------------------------------------------------------------------------------------------------

    def _run(self, steps: Iterator[Step], then: Event) -> None:
        if self._next is not None:  # two questions have one answer
            self._steps = itertools.chain(self._steps, steps)
            self._after_steps = self._after_steps if then is Event.GENERATED else then
            return
        self._steps, self._after_steps, self._next = steps, then, None
        self._pump()

    def _pump(self) -> None:
        """Sends the message whose time has come and waits for the next; the loop runs in between, so the client can cut in."""
        self._timer = None
        if self._outlet.congested:
            self._stalled = True
            return
        if self._next is not None:
            self._begun = True
            self._outlet.send_bytes(self._next)
        try:
            wait, self._next = next(self._steps)
        except StopIteration:
            self._next = None
            self._move(self._after_steps)
            return
        self._timer = self._later(wait * self._settings.pace, self._pump)

    def _later(self, seconds: float, call: Callable[[], None]) -> asyncio.Handle:
        return self._loop.call_later(seconds, call) if seconds > 0 else self._loop.call_soon(call)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._steps = iter(())
        self._next = None
        self._stalled = False
        self._begun = False
        self._playback_ends = 0.0


_ACTIONS: dict[str, Callable[[Conversation, Prompt | Answer | None], None]] = {
    "answer": Conversation._answer,
    "answer_too": Conversation._answer_too,
    "wait_in_line": Conversation._wait_in_line,
    "go_on": Conversation._go_on,
    "reply": Conversation._reply,
    "interrupt": Conversation._interrupt,
    "interrupt_and_answer": Conversation._interrupt_and_answer,
    "interrupt_and_reply": Conversation._interrupt_and_reply,
    "announce_call": Conversation._announce_call,
    "complete_call": Conversation._complete_call,
    "await_playback": Conversation._await_playback,
    "complete": Conversation._complete,
}
