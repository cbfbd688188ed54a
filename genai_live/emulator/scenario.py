"""Scenarios: what one session is to do, step by step, in Python or from a JSON file. Declarations only; runs on any thread.

A scenario is in charge of its session: the emulator checks and notes what the client sends, but answers nothing by itself, until
a ``Converse`` step or the end of the steps hands the session back to natural behaviour. Setup is answered naturally unless the
scenario expects it. ``At`` steps run beside the others.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from genai_live.emulator.validation import camel_case
from genai_live.errors import ConfigError


@dataclass(frozen=True)
class Step:
    """One thing to do; in JSON ``{verb: value of the first field, other fields...}``."""

    verb: ClassVar[str] = ""
    before_setup: ClassVar[bool] = False
    """True for steps that only make sense before the session is set up."""


@dataclass(frozen=True)
class RefuseUpgrade(Step):
    """Answers the upgrade request with an HTTP status and a body; must be the first step, and is the last."""

    verb = "refuseUpgrade"
    before_setup = True
    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class IgnoreUpgrade(Step):
    """Never answers the upgrade request; must be the first step, and is the last."""

    verb = "ignoreUpgrade"
    before_setup = True


@dataclass(frozen=True)
class Expect(Step):
    """Waits for a client message, or a moment. Other kinds are passed over; one of this kind that does not match is a failure.

    Kinds: ``setup``, ``clientContent``, ``realtimeInput`` (or ``realtimeInput.audio`` and so on), ``toolResponse``,
    ``contextUpdate``, and ``prompt`` for whatever asks for an answer: content that is complete, realtime text, or an utterance.
    Moments: ``upgrade``, ``speech start``, ``speech`` (an utterance ended), ``turn complete``, ``close`` (the client closed).
    """

    verb = "expect"
    kind: str = ""
    text: str | None = None
    """Text that the message must contain somewhere in its strings."""
    message: Mapping[str, Any] | None = None
    """Parts that the message must have, as camelCase JSON below its kind; lists must have equal length."""
    exact: bool = False
    """The message must have nothing beside the parts in ``message``."""
    timeout: float | None = None
    """Seconds after which waiting fails; None waits as long as the session lives."""


@dataclass(frozen=True)
class SetupComplete(Step):
    """Answers the setup; ``fields`` go into setupComplete. A scenario that expects setup must say it itself."""

    verb = "setupComplete"
    before_setup = True
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply(Step):
    """Gives an answer, as the model would: audio or text as setup asked, transcription, generationComplete, turnComplete."""

    verb = "reply"
    text: str = ""
    audio: float | str | bytes | None = None
    """Seconds of tones, or a WAV file's path, or PCM at 24 kHz; None speaks the text."""
    heard: str | None = None
    """What was understood of the user's speech, sent as inputTranscription when setup asked for it."""
    thought: str = ""
    """A thought part before the answer."""
    wait: bool = True
    """Go on after the turn is complete; False goes on at once."""


@dataclass(frozen=True)
class CallTool(Step):
    """Calls a function of the client's."""

    verb = "callTool"
    name: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    """The call's id; empty for one in the family's form."""
    blocking: bool = True
    also: Sequence[Mapping[str, Any]] = ()
    """More calls in the same message, each ``{"name", "args", "id"}``."""


@dataclass(frozen=True)
class CancelCalls(Step):
    """Cancels every open call, or those with the given ids (toolCallCancellation; documented, never recorded)."""

    verb = "cancelCalls"
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Interrupt(Step):
    """Behaves as if the user had spoken over the answer: interrupted, turnComplete."""

    verb = "interrupt"


@dataclass(frozen=True)
class Send(Step):
    """Sends any server message."""

    verb = "send"
    message: Mapping[str, Any] = field(default_factory=dict)
    text: bool | None = None
    """In a text or a binary frame; None as the emulator's other messages."""


@dataclass(frozen=True)
class SendRaw(Step):
    """Sends any text, or bytes given as base64, as one WebSocket message."""

    verb = "sendRaw"
    data: str | bytes = ""
    base64: bool = False
    """``data`` is base64 of bytes."""
    text: bool | None = None
    """In a text or a binary frame; None sends text as text and bytes as binary."""


@dataclass(frozen=True)
class Garbage(Step):
    """Sends bytes that are no JSON, or with ``frame=False`` bytes that are not even a WebSocket frame."""

    verb = "garbage"
    size: int = 100
    frame: bool = True


@dataclass(frozen=True)
class Huge(Step):
    """Sends one message of about this many bytes: a modelTurn with that much text."""

    verb = "huge"
    size: int = 2_000_000


@dataclass(frozen=True)
class Fragments(Step):
    """From here on every message goes in frames of this many bytes; 0 goes back to one frame a message."""

    verb = "fragments"
    size: int = 100


@dataclass(frozen=True)
class Trickle(Step):
    """From here on every byte goes in a segment of its own, about a thousand a second; False stops that."""

    verb = "trickle"
    on: bool = True


@dataclass(frozen=True)
class StopReading(Step):
    """Reads nothing more from the client."""

    verb = "stopReading"


@dataclass(frozen=True)
class ResumeReading(Step):
    """Reads again."""

    verb = "resumeReading"


@dataclass(frozen=True)
class Ping(Step):
    """Sends a Ping frame; the service sends none."""

    verb = "ping"


@dataclass(frozen=True)
class GoAway(Step):
    """Sends goAway (documented; as raw bytes never recorded); the session is not closed by it."""

    verb = "goAway"
    time_left: float = 50.0
    """Seconds."""


@dataclass(frozen=True)
class Update(Step):
    """Sends a sessionResumptionUpdate: with a new handle, or with ``resumable=False`` and none (documented, never recorded)."""

    verb = "update"
    resumable: bool = True


@dataclass(frozen=True)
class Handles(Step):
    """How handles of the whole emulator behave from here on."""

    verb = "handles"
    single_use: bool = True
    """A handle that was used is refused with 1011."""
    refuse_while_alive: bool = True
    """A handle is refused with 1011 while the connection it came from lives (measured)."""
    settle: float = 0.0
    """Seconds after the end of that connection during which it is still refused (measured: about 1 after an idle drop)."""


@dataclass(frozen=True)
class Wait(Step):
    """Does nothing for some seconds, by default whatever the pace."""

    verb = "wait"
    seconds: float = 1.0
    paced: bool = False
    """Scaled by the emulator's pace after all: what replays do."""


@dataclass(frozen=True)
class Silence(Step):
    """Says nothing any more, until the client closes."""

    verb = "silence"


@dataclass(frozen=True)
class Converse(Step):
    """Behaves naturally for a number of turns; 0 for the rest of the session."""

    verb = "converse"
    turns: int = 0


@dataclass(frozen=True)
class Close(Step):
    """Closes with a code and a reason, which is cut to 123 bytes."""

    verb = "close"
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True)
class Abort(Step):
    """Cuts the TCP connection without a Close frame."""

    verb = "abort"


@dataclass(frozen=True)
class At(Step):
    """Does a step some seconds after setupComplete (after the upgrade when setup never completes), beside the other steps."""

    verb = "at"
    seconds: float = 0.0
    do: Step = field(default_factory=Step)


STEPS: dict[str, type[Step]] = {step.verb: step for step in Step.__subclasses__()}
"""Every step by its verb."""


@dataclass(frozen=True, init=False)
class Scenario:
    """The steps of one session."""

    steps: tuple[Step, ...]
    replay: bool = False
    """Made from a recording: setup is taken as it comes, for its handles and tokens belong to another server."""

    def __init__(self, *steps: Step, replay: bool = False) -> None:
        object.__setattr__(self, "replay", replay)
        for number, step in enumerate(steps):
            if isinstance(step, (RefuseUpgrade, IgnoreUpgrade)) and (number or len(steps) > 1):
                raise ConfigError(f"{step.verb} must be the only step of its scenario", f"steps[{number}]")
        object.__setattr__(self, "steps", steps)

    @property
    def main_steps(self) -> tuple[Step, ...]:
        """The steps that run one after the other."""
        return tuple(step for step in self.steps if not isinstance(step, At))

    @property
    def takes_setup(self) -> bool:
        """True when setupComplete is the scenario's own affair."""
        expects = any(isinstance(step, Expect) and step.kind == "setup" for step in self.steps)
        return expects or any(isinstance(step, SetupComplete) for step in self.steps)

    @classmethod
    def from_json(cls, value: Any) -> Scenario:
        """A scenario from parsed JSON, a list of steps or ``{"steps": [...]}``; raises ConfigError naming the step."""
        steps = value.get("steps") if isinstance(value, Mapping) else value
        if not isinstance(steps, list):
            raise ConfigError("a scenario is a list of steps, or an object with the key 'steps'")
        return cls(*(_read_step(step, f"steps[{number}]") for number, step in enumerate(steps)))


Script = Scenario | Sequence[Scenario] | None
"""One scenario for every session; or one for each session in turn, after which sessions behave naturally."""


def load_script(path: str | Path) -> Scenario | list[Scenario]:
    """Reads a scenario file: ``{"steps": [...]}`` for every session, or ``{"sessions": [{"steps": [...]}, ...]}`` in turn.

    Raises ConfigError for a file that is not a scenario, OSError for one that cannot be read.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"is not JSON: {error}", str(path)) from None
    try:
        if isinstance(value, Mapping) and isinstance(value.get("sessions"), list):
            return [Scenario.from_json(session) for session in value["sessions"]]
        return Scenario.from_json(value)
    except ConfigError as error:
        raise ConfigError(str(error), str(path)) from None


def _read_step(value: Any, place: str) -> Step:
    if not isinstance(value, Mapping):
        raise ConfigError("a step is an object such as {\"wait\": 1}", place)
    verbs = [name for name in value if name in STEPS]
    # {"reply": "...", "wait": false} has a field that is a verb elsewhere: the first one counts.
    if not verbs:
        raise ConfigError(f"has none of the verbs {', '.join(sorted(STEPS))}", place)
    cls = STEPS[verbs[0]]
    names = {camel_case(each.name): each.name for each in fields(cls)}
    given: dict[str, Any] = {}
    for key, item in value.items():
        if key == cls.verb and key not in given:
            if names:
                given[next(iter(names.values()))] = item
        elif key in names:
            given[names[key]] = item
        else:
            raise ConfigError(f"{cls.verb} has no {key!r}; it has {', '.join(names) or 'nothing'}", place)
    if cls is At:
        given["do"] = _read_step(given.get("do"), f"{place}.do")
    if cls is Handles and isinstance(given.get("single_use"), Mapping):
        return _read_step({"handles": True, **given["single_use"]}, place)
    if cls is SendRaw and given.get("base64"):
        given["data"] = base64.b64decode(given["data"])
    return cls(**_defaulted(cls, given))


def _defaulted(cls: type[Step], given: dict[str, Any]) -> dict[str, Any]:
    """``{"silence": true}`` and ``{"garbage": true}`` mean: with what it does by itself."""
    first = next((each.name for each in fields(cls)), None)
    if first is not None and given.get(first) is True and not isinstance(getattr(cls, first, None), bool):
        return {name: item for name, item in given.items() if name != first}
    return given
