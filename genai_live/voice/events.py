"""What happens in a conversation, as frozen values. Plain data: made on the thread that moves the conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Literal

from genai_live.errors import CloseInfo
from genai_live.tools import ToolRun
from genai_live.types import UsageMetadata


class ConversationState(str, Enum):
    """What a conversation does now."""

    CONNECTING = "connecting"
    """Session or sound is being opened."""
    LISTENING = "listening"
    """Nobody speaks."""
    HEARING = "hearing"
    """The user speaks."""
    WAITING = "waiting"
    """The model owes an answer of which nothing was heard yet."""
    SPEAKING = "speaking"
    """The model's answer is heard."""
    RECONNECTING = "reconnecting"
    """The connection is gone, and another one is being opened."""
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Utterance:
    """What one side said without a break; seconds count from the beginning of the conversation."""

    speaker: Literal["user", "model"]
    text: str
    begin: float
    """When it began: the model's with its first sample that was heard; the user's as the microphone heard it. Where that heard
    nothing, it is the moment at which the service noticed speech (ACTIVITY_START), or the first words came. With
    ``push_to_talk`` it is the press, and of what was typed the moment at which that was sent."""
    end: float
    """When it ended, likewise: the user's with the last loud sound, ACTIVITY_END, the last words, or the release."""
    interrupted: bool = False
    """True when the user spoke over it."""
    heard: float | None = None
    """Seconds of it that were heard; None for the user's, and for the model's until the end has confirmed it."""


@dataclass(frozen=True)
class Latency:
    """Seconds from the end of the user's question; None for what never came, or when no end was seen.

    That is the end of speech as the microphone heard it, the button's release, or the moment at which text was sent.
    """

    first_message: float | None = None
    first_sound: float | None = None
    """Until the first message with sound."""
    first_audible: float | None = None
    """Until the first sample above silence arrived."""
    first_played: float | None = None
    """Until the first sample was played."""


@dataclass(frozen=True)
class Event:
    """Something that happened; the classes below say what."""

    at: float
    """Seconds since the beginning of the conversation."""


@dataclass(frozen=True)
class StateChanged(Event):
    """The conversation does something else now."""

    state: ConversationState


@dataclass(frozen=True)
class UserWords(Event):
    """The service understood words of the user: ``text`` is all of this utterance so far."""

    text: str
    final: bool


@dataclass(frozen=True)
class ModelWords(Event):
    """The model says words: ``text`` is all of this utterance so far."""

    text: str
    final: bool


@dataclass(frozen=True)
class Interrupted(Event):
    """The answer was cut short: by the user's speech, button or text, or by this program."""

    heard: float
    """Seconds of the answer that were heard."""
    exact: bool
    """False when the end did not confirm the seconds within half a second."""


@dataclass(frozen=True)
class ToolRunChanged(Event):
    """A tool's run is in another state."""

    run: ToolRun


@dataclass(frozen=True)
class TurnEnded(Event):
    """The model's turn is over, and heard."""

    utterances: tuple[Utterance, ...]
    latency: Latency
    usage: UsageMetadata | None


@dataclass(frozen=True)
class AnswerLost(Event):
    """An answer, or the rest of it, was lost with its connection, be there another one or not."""

    close_info: CloseInfo


@dataclass(frozen=True)
class Reconnecting(Event):
    """The connection is gone; sound of the microphone older than 2 s is dropped until the next."""


@dataclass(frozen=True)
class Reconnected(Event):
    """The next connection is there."""

    state_restored: bool
    """True when the model still knows the conversation."""


@dataclass(frozen=True)
class Level(Event):
    """How loud both sides are, in dBFS (0 is the loudest, -96 silence)."""

    input: float
    output: float


@dataclass(frozen=True)
class Waiting(Event):
    """The model owes an answer for ``seconds`` already: after 2, and whenever the wait has doubled (4, 8, 16 ...)."""

    seconds: float


@dataclass(frozen=True)
class DeviceChanged(Event):
    """Sound goes through another device now."""

    old: str
    new: str


@dataclass(frozen=True)
class Ended(Event):
    """The conversation is over; nothing follows."""

    close_info: CloseInfo | None
    """How the session ended; None when it stays open, since it is the caller's."""
    error: Exception | None = None
    """What ended it, when it was neither side's wish."""


def to_dict(event: Event) -> dict[str, Any]:
    """An event as JSON can say it: ``event`` has the class in snake_case, the rest its fields; for pages and records."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **{each.name: _plain(getattr(event, each.name)) for each in fields(event)}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, BaseException):
        return str(value)
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value
