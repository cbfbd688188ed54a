"""One turn of the model, put together from its messages. Plain data: built on the thread that receives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_live import _json, _public, audio
from genai_live._arguments import came, text
from genai_live._usage import usage_of
from genai_live.audio import SAMPLE_BYTES, Audio
from genai_live.audio.pcm import OUTPUT_RATE
from genai_live.errors import ConfigError
from genai_live.types import Blob, FunctionCall, GroundingMetadata, LiveServerContent, LiveServerMessage, Part, UsageMetadata

if TYPE_CHECKING:
    from genai_live.tools import ToolRun

__all__ = ["Transcripts", "Turn", "assemble"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)


class Transcripts(NamedTuple):
    """What was said, in text; empty where the session's config did not ask for transcription."""

    input: str
    """What the service heard from the caller."""
    output: str
    """What the model said."""

    def to_dict(self) -> dict[str, str]:
        """A dict of both texts."""
        return self._asdict()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Transcripts:
        """The transcripts that ``to_dict`` wrote.

        Raises:
            ConfigError: for anything else.
        """
        if not isinstance(data, Mapping) or set(data) != set(cls._fields):
            raise ConfigError(f"must be a dict of input and output, not {came(data)}", "Transcripts")
        return cls(text(data["input"], "input"), text(data["output"], "output"))

    def to_json(self, **options: Any) -> str:
        """``to_dict`` as JSON text; ``options`` such as ``indent`` go to json.dumps."""
        return json.dumps(self.to_dict(), **options)

    @classmethod
    def from_json(cls, data: str | bytes) -> Transcripts:
        """The transcripts that ``to_json`` wrote; raises as ``from_dict``, and ValueError for what is not JSON."""
        return cls.from_dict(json.loads(data))


@dataclass(frozen=True)
class Turn:
    """What came between a question and the end of the model's turn."""

    text: str
    """Text parts joined, thoughts excluded; empty when the model spoke."""
    audio: Audio
    """Speech, PCM16 mono at its own rate (24,000 Hz); ``audio.save("answer.wav")`` writes it. No bytes when there was none."""
    transcripts: Transcripts
    usage: UsageMetadata | None
    """Sum of the turn's usage reports; a report that comes after the end is added when it comes."""
    tool_calls: tuple[FunctionCall, ...]
    """Calls of the model in this turn, cancelled ones excluded."""
    thoughts: str
    """Text of parts marked as thought."""
    parts: tuple[Part, ...] = field(repr=False)
    """All parts of the model's turn in order, with audio, images, code and the like."""
    grounding: GroundingMetadata | None
    interrupted: bool
    """True when speech or content of the caller cut the answer short."""
    reason: str | None
    """Why the turn ended (``turnCompleteReason``), where the server says so."""
    messages: tuple[LiveServerMessage, ...] = field(repr=False)
    """The messages that this turn was made of."""
    questions: int = 1
    """How many questions it answers: 0 when the model spoke unasked, 2 or more when the service answered several in one turn."""
    skipped: int = 0
    """How many unreceived messages about earlier questions were passed over."""
    incomplete: bool = False
    """True when something of it was forgotten before anybody received it, because an ``on_message`` callback had seen it."""
    tool_runs: tuple[ToolRun, ...] = ()
    """What became of its calls whose functions ran because of ``run_tools``, cancelled ones included."""
    asked: str = ""
    """The text that was asked; empty when the question was spoken, or when the model spoke unasked."""

    def __repr__(self) -> str:
        from genai_live import _turn_html

        return _turn_html.line_of(self)

    def _repr_html_(self) -> str:
        from genai_live import _html, _turn_html

        return _html.box(_html.faint(f"{self!r}: above")) if _html.is_shown(self) else _turn_html.html_of(self)

    @property
    def images(self) -> tuple[Blob, ...]:
        """Pictures of the model's turn, in order; each has ``data`` and ``mime_type``."""
        return self._blobs("image/")

    @property
    def videos(self) -> tuple[Blob, ...]:
        """Videos of the model's turn, in order; each has ``data`` and ``mime_type``."""
        return self._blobs("video/")

    def _blobs(self, kind: str) -> tuple[Blob, ...]:
        blobs = (part.inline_data for part in self.parts if part.inline_data is not None)
        return tuple(blob for blob in blobs if (blob.mime_type or "").startswith(kind))

    def to_dict(self) -> dict[str, Any]:
        """A dict of what JSON has, in camelCase as messages have it: bytes as base64, no nulls within messages.

        ``parts`` are left out: they stand in ``messages``.
        """
        kept: dict[str, Any] = {name: getattr(self, name) for name in _VALUES}
        kept |= {key: [message.to_dict() for message in getattr(self, name)] for name, key in _LISTS.items()}
        kept |= {name: None if (held := getattr(self, name)) is None else held.to_dict() for name in _OBJECTS}
        return kept

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Turn:
        """The turn that ``to_dict`` wrote.

        Raises:
            ConfigError: for anything else.
        """
        if not isinstance(data, Mapping) or not {"messages", "transcripts"} <= set(data):
            raise ConfigError(f"must be a dict that Turn.to_dict wrote, not {came(data)}", "Turn")
        built = assemble(LiveServerMessage.from_dict(message) for message in data["messages"])
        usage, grounding = data.get("usage"), data.get("grounding")
        return replace(
            built,
            transcripts=Transcripts.from_dict(data["transcripts"]),
            usage=None if usage is None else UsageMetadata.from_dict(usage),
            grounding=None if grounding is None else GroundingMetadata.from_dict(grounding),
            tool_runs=_runs_of(data.get("toolRuns") or ()),
            **{name: data[name] for name in ("asked", "questions", "skipped", "incomplete") if name in data},
        )

    def to_json(self, **options: Any) -> str:
        """``to_dict`` as JSON text; ``options`` such as ``indent`` go to json.dumps."""
        return json.dumps(self.to_dict(), **options)

    @classmethod
    def from_json(cls, data: str | bytes) -> Turn:
        """The turn that ``to_json`` wrote; raises as ``from_dict``, and ValueError for what is not JSON."""
        return cls.from_dict(json.loads(data))

    def complete(self, reports: list[LiveServerMessage], questions: int) -> None:
        """Adds reports of the service that come after the end: usage, transcripts, grounding. The session calls it by itself."""
        whole = assemble((*self.messages, *reports))
        changes = {"usage": whole.usage, "transcripts": whole.transcripts, "grounding": whole.grounding, "questions": questions}
        for name, value in changes.items():
            object.__setattr__(self, name, value)


_VALUES = ("text", "asked", "thoughts", "interrupted", "reason", "questions", "skipped", "incomplete")
_OBJECTS = ("audio", "transcripts", "usage", "grounding")
_LISTS = {"tool_calls": "toolCalls", "messages": "messages", "tool_runs": "toolRuns"}


def _runs_of(kept: Iterable[Mapping[str, Any]]) -> tuple[ToolRun, ...]:
    from genai_live.tools import ToolRun

    return tuple(ToolRun.from_dict(run) for run in kept)


def assemble(
    messages: Iterable[LiveServerMessage],
    *,
    asked: str = "",
    questions: int = 1,
    skipped: int = 0,
    incomplete: bool = False,
    tool_runs: tuple[ToolRun, ...] = (),
) -> Turn:
    """Puts a turn together; nothing that came is dropped, an interruption only marks the turn."""
    kept = tuple(messages)
    contents = [message.server_content for message in kept if message.server_content is not None]
    parts = tuple(part for content in contents if content.model_turn is not None for part in content.model_turn.parts or ())
    cancelled = {i for message in kept if message.tool_call_cancellation for i in message.tool_call_cancellation.ids or ()}
    calls = (call for message in kept if message.tool_call for call in message.tool_call.function_calls or ())
    return Turn(
        text=_joined(part.text for part in parts if part.text and not part.thought),
        audio=_speech(parts),
        transcripts=Transcripts(_transcript(contents, "input_transcription"), _transcript(contents, "output_transcription")),
        usage=usage_of(kept),
        tool_calls=tuple(call for call in calls if call.id not in cancelled),
        thoughts=_joined(part.text for part in parts if part.text and part.thought),
        parts=parts,
        grounding=next((c.grounding_metadata for c in reversed(contents) if c.grounding_metadata is not None), None),
        interrupted=any(content.interrupted for content in contents),
        reason=next((str(_plain(c.turn_complete_reason)) for c in reversed(contents) if c.turn_complete_reason), None),
        messages=kept,
        asked=asked,
        questions=questions,
        skipped=skipped,
        incomplete=incomplete,
        tool_runs=tool_runs,
    )


def _joined(pieces: Iterable[str]) -> str:
    return _json.whole("".join(pieces))


def _plain(value: object) -> object:
    return getattr(value, "value", value)


def _transcript(contents: Iterable[LiveServerContent], name: str) -> str:
    fragments = (getattr(content, name) for content in contents)
    return _joined(fragment.text for fragment in fragments if fragment is not None and fragment.text)


def _speech(parts: Iterable[Part]) -> Audio:
    blobs = [part.inline_data for part in parts if part.inline_data and (part.inline_data.mime_type or "").startswith("audio/")]
    data = b"".join(blob.data or b"" for blob in blobs)
    whole = len(data) - len(data) % SAMPLE_BYTES  # half a sample at the end cannot be heard, and is not a reason to lose the turn
    return Audio(data[:whole], _rate_of(blobs[0]) if blobs else OUTPUT_RATE)


def _rate_of(blob: Blob) -> int:
    """Hz; an impossible rate is the server's slip, and the turn is returned all the same."""
    try:
        return audio.rate_of(blob.mime_type or "")
    except ConfigError:
        return OUTPUT_RATE
