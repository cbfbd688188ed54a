"""Scenarios: what one session is to do, step by step. Declarations only; runs on any thread.

A scenario is in charge of its session: the emulator checks and notes what the client sends, but answers nothing by itself, until
a ``Converse`` step or the end of the steps hands the session back to natural behaviour. Setup is answered naturally unless the
scenario expects it. ``At`` steps run beside the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from genai_live.emulator.script.step_forms import check_code, check_field, check_kind, check_status
from genai_live.errors import ConfigError


@dataclass(frozen=True)
class Step:
    """One thing to do; in JSON ``{verb: value of the first field, other fields...}``."""

    verb: ClassVar[str] = ""
    before_setup: ClassVar[bool] = False
    """True for steps that only make sense before the session is set up."""

    def __post_init__(self) -> None:
        """Raises ConfigError for a field that cannot be what it is."""
        for each in fields(self):
            check_field(f"{self.verb}.{each.name}", str(each.type), getattr(self, each.name))


@dataclass(frozen=True)
class RefuseUpgrade(Step):
    """Answers the upgrade request with an HTTP status and a body; must be the first step, and is the last."""

    verb = "refuseUpgrade"
    before_setup = True
    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ConfigError for a field that cannot be what it is."""
        super().__post_init__()
        check_status(self.status)


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
    message: Mapping[str, Any] | str | None = None
    """Parts that the message must have, as camelCase JSON below its kind; lists must have equal length."""
    exact: bool = False
    """The message must have nothing beside the parts in ``message``."""
    strict: bool = False
    """A message of another kind that comes first is a failure too, but for the streams of audio and video."""
    timeout: float | None = None
    """Seconds after which waiting fails; None waits as long as the session lives."""

    def __post_init__(self) -> None:
        """Raises ConfigError for a field that cannot be what it is."""
        super().__post_init__()
        check_kind(self.kind)


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
class RepeatCalls(Step):
    """Makes every open call again: as an impatient model does, under new ids, or as a doubled message, under the same."""

    verb = "repeatCalls"
    same_ids: bool = False


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
    """Sends bytes that are not JSON, or with ``frame=False`` bytes that are not even a WebSocket frame."""

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

    def __post_init__(self) -> None:
        """Raises ConfigError for a field that cannot be what it is."""
        super().__post_init__()
        check_code(self.code)


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


Script = Scenario | Sequence[Scenario] | None
"""One scenario for every session; or one for each session in turn, after which sessions behave naturally."""
