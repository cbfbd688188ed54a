"""How the families of Live models differ, as a table that a program may change. Pure data: runs on any thread.

The service does not say what a model takes: it closes the connection. So each row says what was seen, documented or reported of
a family, and each cell where that stands; what a row refuses is refused before anything is dialled. A program that knows better
puts a row of its own before the others::

    import dataclasses
    from genai_live import families

    row = families.family_of("gemini-3.8-live", client)
    families.FAMILIES.insert(0, dataclasses.replace(row, thinking_level="taken"))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, Protocol

from genai_live import _public
from genai_live._backends import MLDEV, VERTEX
from genai_live.errors import ConfigError

__all__ = ["CELLS", "FAMILIES", "NEVER_RECORDED", "Answer", "Behavior", "ModelFamily", "OnBackend", "family_of"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

Behavior = Literal["BLOCKING", "NON_BLOCKING"]
"""How a function is called: the model waits for the response, or goes on."""
Answer = Literal["taken", "refused", "unknown"]
"""What the service does with a setting. An ``unknown`` one is sent where the caller sets it, and only there."""

NEVER_RECORDED = "never recorded"
"""The source of a cell that was never seen: its value is the default of all families."""

_NO_BEHAVIOR: frozenset[Behavior] = frozenset()
_BLOCKING: frozenset[Behavior] = frozenset({"BLOCKING"})
_NON_BLOCKING: frozenset[Behavior] = frozenset({"NON_BLOCKING"})
_TEXT, _AUDIO = frozenset({"TEXT"}), frozenset({"AUDIO"})


@dataclass(frozen=True)
class ModelFamily:
    """Models that behave alike; the first row that matches counts."""

    name: str
    pattern: str
    """A regular expression, searched for in the model's name without its path."""
    backend: str | None = None
    """"mldev" or "vertex"; None for both."""

    text_as_realtime_input: bool = False
    """True where a text of the user's goes as ``realtimeInput.text`` rather than ``clientContent``."""
    content_after_first_turn: bool = True
    """False where ``clientContent`` after the first turn may end the session with 1007."""
    refused_modalities: frozenset[str] = frozenset()
    """Response modalities that setup is refused with."""

    thinking_level: Answer | Literal["required"] = "unknown"
    """What becomes of ``thinking_config.thinking_level``; ``required``: setup without it is refused."""
    thinking_levels: frozenset[str] | None = None
    """The levels that are taken; None for all."""
    thinking_budget: Answer = "unknown"
    """What becomes of ``thinking_config.thinking_budget``."""
    affective_dialog: Answer = "unknown"
    """What becomes of ``enable_affective_dialog=True``."""

    declares_with: Literal["parameters_json_schema", "parameters"] = "parameters_json_schema"
    """The form in which a function's parameters go out. ``parameters`` where the model does not see a JSON schema, and calls
    without arguments."""
    default_behavior: Behavior = "BLOCKING"
    """The behavior of a function whose declaration names none."""
    refused_behaviors: frozenset[Behavior] = _NO_BEHAVIOR
    """Behaviors that setup is refused with."""
    silent_in_calls: frozenset[Behavior] = _BLOCKING
    """Behaviors whose call stops all speech until it has its response."""
    call_turns: frozenset[Behavior] = _NO_BEHAVIOR
    """Behaviors whose call has a turn of its own: its ``turnComplete`` comes before the answer, which has another."""
    scheduling: Answer = "unknown"
    """What becomes of a FunctionResponse's ``scheduling``."""
    refuses_sound_in_calls: bool = False
    """True where sound, sent while a call waits for its response, may end the session with 1008."""

    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where each cell is from, by the cell's name."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"{self.pattern!r} is not a regular expression: {error}", "pattern") from None

    def source(self, cell: str) -> str:
        """Where a cell is from; ``"never recorded"`` for one that was never seen."""
        return self.sources.get(cell, NEVER_RECORDED)

    def call_blocks_speech(self, behavior: str | None = None) -> bool:
        """True when the model is silent until a call of this behavior (None: declared without one) has its response."""
        return (behavior or self.default_behavior) in self.silent_in_calls

    def several_turn_completes(self, behavior: str | None = None) -> bool:
        """True when a round with such a call has more than one ``turnComplete``: one of the call, one of the answer."""
        return (behavior or self.default_behavior) in self.call_turns

    @property
    def may_schedule(self) -> bool:
        """True when ``scheduling`` may be sent without the caller's asking for it."""
        return self.scheduling == "taken"


CELLS = tuple(cell.name for cell in fields(ModelFamily) if cell.name not in ("name", "pattern", "backend", "sources"))
"""The names of what a row says about its models."""

# Sources, each with its date, because the service changes. "Live check": somebody tried it against the service and said so.
_CHECKED = "live checks of September and October 2026 (pydantic-ai 2.68, profiles/google.py)"
_GOOGLE_TESTS = "Google's tests against the service (google-genai 3.6.1, tests/live_api)"
_PAGE_38 = "ai.google.dev, page of gemini-3.8-live, September 2026"
_PAGE_38_THINKING = "ai.google.dev, page of gemini-3.8-live-extended-thinking, September 2026"
_PAGE_31 = "ai.google.dev, page of gemini-3.1-flash-live-preview, September 2026"
_TEXT_31 = "ai.google.dev, Live guide of March 2026; realtimeInput.text works on every 3.x model (livekit/agents #5262)"
_VERTEX_REFERENCE = "Vertex AI's Live reference, which has no realtimeInput.text"
_NO_JSON_SCHEMA = "reports: calls come without arguments (googleapis/python-genai #1147, livekit/agents #2940)"
_JSON_SCHEMA_3 = "live check: setup takes it on 3.1 and 3.8 (livekit/agents #7302)"
_NO_SOUND_IN_CALLS = "reports: 1008 on 2.5 (livekit/agents #2274, sonichi/autonomous-os #231)"
_VERTEX_SCHEDULING = "contradictory: docs.cloud.google.com has it, pipecat-ai 1.14 and livekit-agents 1.8 do not send it there"
_RECORDED = "public recordings, counted in October 2026"

_TEXT_REFUSED = {"refused_modalities": f"{_CHECKED}: 1007"}
_OF_2 = {
    "declares_with": _NO_JSON_SCHEMA,
    "default_behavior": "google-genai, FunctionDeclaration.behavior",
    "silent_in_calls": _CHECKED,
    "call_turns": _RECORDED,
    "refuses_sound_in_calls": _NO_SOUND_IN_CALLS,
    "content_after_first_turn": _RECORDED,
    "text_as_realtime_input": _RECORDED,
}
_OF_VERTEX = {"text_as_realtime_input": _VERTEX_REFERENCE}

FAMILIES: list[ModelFamily] = [
    ModelFamily(
        "Gemini 3.8 Live Extended Thinking",
        r"gemini-3\.8-live-extended-thinking",
        MLDEV.name,
        text_as_realtime_input=True,
        refused_modalities=_TEXT,
        thinking_level="required",
        thinking_levels=frozenset({"LOW", "MEDIUM", "HIGH"}),
        thinking_budget="refused",
        affective_dialog="refused",
        default_behavior="NON_BLOCKING",
        refused_behaviors=_BLOCKING,
        silent_in_calls=_NO_BEHAVIOR,
        call_turns=_NON_BLOCKING,
        scheduling="refused",
        sources={
            "text_as_realtime_input": _TEXT_31,
            "content_after_first_turn": _CHECKED,
            "refused_modalities": f"{_PAGE_38}, whose sibling this is; not tried",
            "thinking_level": f"{_CHECKED}: 1007 without one",
            "thinking_levels": f"{_CHECKED}: 1007 for MINIMAL",
            "thinking_budget": f"{_CHECKED}: 1007",
            "affective_dialog": f"{_CHECKED}: 1007 at the first message",
            "declares_with": _JSON_SCHEMA_3,
            "default_behavior": _PAGE_38_THINKING,
            "refused_behaviors": f"{_CHECKED}: 1007",
            "silent_in_calls": _PAGE_38_THINKING,
            "call_turns": f"{_RECORDED}, of gemini-3.8-live",
            "scheduling": f"{_CHECKED}: 1007",
        },
    ),
    ModelFamily(
        "Gemini 3.8 Live",
        r"gemini-3\.8-live",
        MLDEV.name,
        text_as_realtime_input=True,
        refused_modalities=_TEXT,
        thinking_level="refused",
        affective_dialog="refused",
        default_behavior="NON_BLOCKING",
        call_turns=_NON_BLOCKING,
        scheduling="taken",
        sources={
            "text_as_realtime_input": _TEXT_31,
            "content_after_first_turn": _PAGE_38,
            "refused_modalities": _PAGE_38,
            "thinking_level": f"{_PAGE_38}, and {_CHECKED}: 1007",
            "affective_dialog": f"{_CHECKED}: 1007 at the first message",
            "declares_with": _JSON_SCHEMA_3,
            "default_behavior": f"{_PAGE_38}, and {_CHECKED}",
            "refused_behaviors": _PAGE_38,
            "silent_in_calls": _CHECKED,
            "call_turns": f"{_RECORDED}, and {_CHECKED}",
            "scheduling": f"{_PAGE_38}, and {_CHECKED}",
        },
    ),
    ModelFamily(
        "Gemini 3.1 Flash Live",
        r"gemini-3\.1-flash-live",
        MLDEV.name,
        text_as_realtime_input=True,
        content_after_first_turn=False,
        refused_modalities=_TEXT,
        thinking_level="taken",
        affective_dialog="refused",
        silent_in_calls=_BLOCKING | _NON_BLOCKING,
        sources={
            "text_as_realtime_input": _TEXT_31,
            "content_after_first_turn": "reports of March to June 2026: 1007 (google/adk-python #5018, livekit/agents #5262);"
            f" taken by now: {_PAGE_31}, and {_GOOGLE_TESTS}",
            "refused_modalities": f"{_GOOGLE_TESTS}, and {_CHECKED}: 1007",
            "thinking_level": f"{_PAGE_31}, and {_CHECKED}",
            "affective_dialog": f"{_CHECKED}: 1007",
            "declares_with": _JSON_SCHEMA_3,
            "default_behavior": _PAGE_31,
            "refused_behaviors": f"{_CHECKED}: NON_BLOCKING is taken and not heeded",
            "silent_in_calls": f"{_PAGE_31}, and {_CHECKED}",
            "call_turns": f"{_RECORDED}, and {_CHECKED}",
        },
    ),
    ModelFamily(
        "Gemini 2.5 native audio",
        r"gemini-.*native-audio",
        MLDEV.name,
        refused_modalities=_TEXT,
        thinking_level="unknown",
        thinking_budget="taken",
        affective_dialog="taken",
        declares_with="parameters",
        scheduling="taken",
        refuses_sound_in_calls=True,
        sources={
            **_OF_2,
            **_TEXT_REFUSED,
            "thinking_budget": f"ai.google.dev, Live guide, and {_CHECKED}",
            "affective_dialog": _CHECKED,
            "refused_behaviors": _CHECKED,
            "scheduling": _CHECKED,
        },
    ),
    ModelFamily(
        "Gemini transcription and translation",
        r"gemini-.*(transcribe|translate)",
        MLDEV.name,
        text_as_realtime_input=True,
        sources={"text_as_realtime_input": _TEXT_31},
    ),
    ModelFamily(
        "Gemini Robotics",
        r"gemini-robotics",
        MLDEV.name,
        refused_modalities=_AUDIO,
        sources={"refused_modalities": f"{_CHECKED}: 1007 for gemini-robotics-er-2-streaming-preview"},
    ),
    ModelFamily(
        "Gemini 1 and 2",
        r"gemini-(live-)?[12]([.-]|$)",
        MLDEV.name,
        declares_with="parameters",
        refuses_sound_in_calls=True,
        sources={**_OF_2, "silent_in_calls": f"{_CHECKED}, of 2.5 native audio"},
    ),
    ModelFamily(
        "Gemini 3.8 Live on Vertex AI",
        r"gemini-3\.8-live",
        VERTEX.name,
        default_behavior="NON_BLOCKING",
        scheduling="unknown",
        sources={
            **_OF_VERTEX,
            "default_behavior": "docs.cloud.google.com, asynchronous function calling, and migration from 2.5 to 3.8, 2026",
            "refused_behaviors": "docs.cloud.google.com, migration from 2.5 to 3.8, 2026: BLOCKING is taken",
            "scheduling": _VERTEX_SCHEDULING,
        },
    ),
    ModelFamily(
        "Gemini 2.5 native audio on Vertex AI",
        r"gemini-.*native-audio",
        VERTEX.name,
        refused_modalities=_TEXT,
        thinking_budget="taken",
        affective_dialog="taken",
        declares_with="parameters",
        scheduling="unknown",
        sources={
            **_OF_VERTEX,
            "refused_modalities": _GOOGLE_TESTS,
            "thinking_budget": f"{_CHECKED}, of the Developer API",
            "affective_dialog": "docs.cloud.google.com, Live API, 2026",
            "declares_with": f"{_NO_JSON_SCHEMA}, of the Developer API",
            "scheduling": _VERTEX_SCHEDULING,
        },
    ),
    ModelFamily(
        "Gemini 2.5 Flash Live on Vertex AI",
        r"^gemini-live-2\.5-flash(-\d{3}|-preview.*|@.+)?$",
        VERTEX.name,
        thinking_level="refused",
        thinking_budget="refused",
        affective_dialog="taken",
        declares_with="parameters",
        silent_in_calls=_BLOCKING | _NON_BLOCKING,
        call_turns=_BLOCKING | _NON_BLOCKING,
        sources={
            **_OF_VERTEX,
            "refused_modalities": f"{_CHECKED}: answers in text",
            "thinking_level": f"{_CHECKED}: 1007",
            "thinking_budget": f"{_CHECKED}: 1007",
            "affective_dialog": _CHECKED,
            "declares_with": f"{_NO_JSON_SCHEMA}, of the Developer API",
            "silent_in_calls": _CHECKED,
            "call_turns": f"{_RECORDED}, and {_CHECKED}",
        },
    ),
    ModelFamily(
        "Gemini 1 and 2 on Vertex AI",
        r"gemini-(live-)?[12]([.-]|$)",
        VERTEX.name,
        declares_with="parameters",
        call_turns=_BLOCKING | _NON_BLOCKING,
        sources={**_OF_VERTEX, "declares_with": f"{_NO_JSON_SCHEMA}, of the Developer API", "call_turns": _RECORDED},
    ),
    ModelFamily("Vertex AI", r"", VERTEX.name, sources=_OF_VERTEX),
    ModelFamily("emulator", r"^emulator(-loopback)?$", scheduling="taken", sources={"scheduling": "genai_live.emulator"}),
    ModelFamily("unlisted", r"", MLDEV.name, text_as_realtime_input=True, sources={"text_as_realtime_input": _TEXT_31}),
]
"""The table, asked from its top. Insert a row to teach the library a model that is not like the others."""


class OnBackend(Protocol):
    """A Client or an ApiClient: whatever says which of the two services it talks to."""

    @property
    def vertexai(self) -> bool:
        """True for Vertex AI."""
        ...


def family_of(model: str, client: OnBackend) -> ModelFamily:
    """The first row of the table for this model, with or without its path, on the backend of this client. Microseconds."""
    backend = VERTEX if client.vertexai else MLDEV
    name = model.rpartition("/")[2]
    found = (row for row in FAMILIES if row.backend in (None, backend.name) and re.search(row.pattern, name))
    return next(found, _UNLISTED)


_UNLISTED = ModelFamily("not in the table", r"")
