"""How each family of models was seen to behave, as one table; model name and backend choose. Pure: runs on any thread.

What a profile says was read from public recordings and reports up to October 2026; nothing was checked against the service.
Where a behaviour is only documented or reported, never recorded, the field's docstring says so.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace


def _digits(random_source: random.Random, count: int) -> str:
    return "".join(random_source.choice("0123456789") for _ in range(count))


def _number_id(prefix: str, digits: int) -> Callable[[random.Random], str]:
    return lambda source: prefix + _digits(source, digits)


def _uuid_id(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


function_call_id = _number_id("function-call-", 20)
"""Ids of the Developer API's 2.x models."""


INVALID_ARGUMENT = "Request contains an invalid argument."
"""What the service says where it does not say what is wrong."""


@dataclass(frozen=True)
class Refusals:
    """What a family closes the connection for, or overlooks; nothing of it with ``strict=False``.

    The words are the service's own. Unless a docstring says otherwise, somebody saw them in a live check of September or October
    2026, or Google's tests against the service have them.
    """

    modalities: frozenset[str] = frozenset()
    """Response modalities: 1007."""
    thinking_level: str = ""
    """The reason of 1007 for any ``thinkingLevel``; empty where levels are taken."""
    thinking_levels: frozenset[str] | None = None
    """The levels that are taken: 1007 for others, and for none; None where the level is the client's affair."""
    thinking_budget: bool = False
    """1007 for a ``thinkingBudget``."""
    behaviors: frozenset[str] = frozenset()
    """Behaviors of declared functions: 1007."""
    scheduling: bool = False
    """1007 for a FunctionResponse with ``scheduling``."""
    affective_dialog: str = ""
    """``setup`` or ``first message``: when ``enableAffectiveDialog`` is answered with 1007; empty where it is taken."""
    code_execution: bool = False
    """1007 for the tool ``codeExecution``."""
    content_after_turn: bool = False
    """1007 for clientContent after the first turn, unless historyConfig lets it open the session (reported until June 2026; by
    September the guide says that it is taken)."""
    content_without_role: bool = False
    """1007 for a turn in clientContent without role (reported; the guide asks for explicit roles)."""
    media_chunks: bool = False
    """1007 for realtimeInput.mediaChunks (reported, not recorded)."""
    locations: frozenset[str] = frozenset()
    """Locations of Vertex AI that do not serve the model: 1008."""
    sound_in_calls: bool = False
    """1008 for sound while a blocking call has no response, but for what was on its way (reported)."""
    json_schema_unseen: bool = False
    """Functions declared by ``parametersJsonSchema`` are called without arguments (reported)."""


@dataclass(frozen=True)
class Profile:
    """One family's habits. Recorded unless a docstring says otherwise."""

    name: str
    backend: str = "mldev"
    call_id: Callable[[random.Random], str] | None = function_call_id
    """Makes the id of a function call; None: calls come without an id (older models on Vertex)."""
    update_at: tuple[str, ...] = ("turn complete",)
    """When a sessionResumptionUpdate is sent: ``setup complete``, ``turn complete``, ``tool response``."""
    update_unasked: bool = False
    """Sends updates although setup holds no sessionResumption."""
    tool_round: str = "same turn"
    """``same turn``: call, response and answer are one turn. ``own turn``: the call ends its turn, the answer has its own."""
    call_generation_complete: bool = True
    """With ``own turn``: generationComplete precedes the turnComplete of the call."""
    transcript_beside_audio: bool = False
    """outputTranscription rides in the frame of the audio it belongs to."""
    empty_content: bool = False
    """Sends ``{"serverContent": {}}`` at the start of an answer."""
    empty_frames: bool = False
    """Sends ``{}`` between audio frames."""
    completes_turns: bool = True
    """Sends generationComplete and turnComplete at all: transcription and translation models do not."""
    model_role: bool = False
    """modelTurn says ``"role": "model"``."""
    audio_mime: str = "audio/pcm;rate=24000"
    audio_frame_bytes: int = 9600
    """Bytes of PCM in one frame: 200 ms on 2.x models."""
    prompt_details: float = 1.0
    """promptTokensDetails add up to this part of promptTokenCount."""
    response_details: float = 1.0
    """responseTokensDetails add up to this part of responseTokenCount."""
    usage_increments: bool = False
    """Each usageMetadata counts only what came since the last one, not the whole context."""
    candidates_usage: bool = False
    """usageMetadata spells ``candidatesTokenCount`` and ``candidatesTokensDetails``, and names a trafficType."""
    grounding_with_turn_complete: bool = False
    finished_transcripts: bool = False
    """The last outputTranscription is ``{"finished": true}`` without text, the first ``{}``."""
    voice_activity: str = "never"
    """``never``, ``alone``, or ``beside`` an empty serverContent."""
    session_id: bool = False
    """setupComplete carries a sessionId."""
    synchronous_calls: bool = False
    """Waits for the response of every call, NON_BLOCKING ones too (documented, not recorded)."""
    code_before_call: bool = False
    """An executableCode part precedes a toolCall."""
    refuses: Refusals = Refusals()
    repeats_calls: bool = False
    """Makes open calls again, under new ids, when more input comes (checked live on 3.8, October 2026, by pydantic-ai)."""
    waits_for_responses: bool = False
    """Answers nothing while a call has no response (checked live on 2.5, likewise)."""
    cancels_calls: bool = True
    """An interruption cancels open calls by toolCallCancellation (documented; seen by one report, never recorded)."""
    loopback: bool = False
    """Sends every audio message straight back: for measuring and for load tests, not a habit of any model."""


PLAIN = Profile("emulator", update_at=("setup complete", "turn complete"))
"""The default: every message the protocol defines, in its documented order, and nothing odd."""

LOOPBACK = Profile("loopback", loopback=True)

_TEXT = frozenset({"TEXT"})

_NATIVE_AUDIO_25 = Profile(
    "2.5 native audio",
    waits_for_responses=True,
    refuses=Refusals(modalities=_TEXT, code_execution=True, json_schema_unseen=True, sound_in_calls=True),
)
_FLASH_25 = Profile(
    "2.5 flash live",
    code_before_call=True,
    waits_for_responses=True,
    refuses=Refusals(json_schema_unseen=True, sound_in_calls=True),
)
_FLASH_20 = Profile("2.0 flash live", refuses=Refusals(json_schema_unseen=True, sound_in_calls=True))
_FLASH_31 = Profile(
    "3.1 flash live",
    call_id=_number_id("fc_", 18),
    update_at=("tool response",),
    update_unasked=True,
    transcript_beside_audio=True,
    empty_content=True,
    prompt_details=0.75,  # recorded: "370 of 496", "63 of 75"
    response_details=0.82,  # recorded: "154 of 187"
    voice_activity="beside",
    synchronous_calls=True,
    refuses=Refusals(
        modalities=_TEXT,
        affective_dialog="setup",
        content_after_turn=True,
        content_without_role=True,
        media_chunks=True,
    ),
)
_LIVE_38 = Profile(
    "3.8 live",
    call_id=_number_id("call_", 6),
    update_at=("setup complete",),
    update_unasked=True,
    tool_round="own turn",
    transcript_beside_audio=True,
    empty_content=True,
    empty_frames=True,
    audio_frame_bytes=13_440,
    prompt_details=0.96,  # recorded: "807 of 834", "599 of 626"
    voice_activity="alone",
    cancels_calls=False,
    repeats_calls=True,
    refuses=Refusals(
        modalities=_TEXT,
        thinking_level="Thinking level is not supported for this model",
        affective_dialog="first message",
        content_without_role=True,
    ),
)
_THINKING_38 = replace(
    _LIVE_38,
    name="3.8 live extended thinking",
    refuses=replace(
        _LIVE_38.refuses,
        thinking_level="",
        thinking_levels=frozenset({"LOW", "MEDIUM", "HIGH"}),
        thinking_budget=True,
        behaviors=frozenset({"BLOCKING"}),
        scheduling=True,
    ),
)
_TRANSCRIBER = Profile(
    "transcribe",
    completes_turns=False,
    empty_content=True,
    voice_activity="beside",
    prompt_details=11.7,  # recorded: "535 + 50 for 50"
    usage_increments=True,
)
_TRANSLATOR = replace(_TRANSCRIBER, name="translate")

FAMILIES: tuple[tuple[tuple[str, ...], Profile], ...] = (
    (("loopback",), LOOPBACK),
    (("transcribe",), _TRANSCRIBER),
    (("translate",), _TRANSLATOR),
    (("3.8", "live", "thinking"), _THINKING_38),
    (("3.8", "live"), _LIVE_38),
    (("3.1", "live"), _FLASH_31),
    (("2.5", "native-audio"), _NATIVE_AUDIO_25),
    (("2.5", "live"), _FLASH_25),
    (("2.5", "flash"), _FLASH_25),
    (("2.0", "live"), _FLASH_20),
)
"""The first row all of whose words are in the model's name is its family."""


_VERTEX_REFUSALS = {
    "2.5 native audio": Refusals(modalities=_TEXT, locations=frozenset({"global"})),
    "2.5 flash live": Refusals(thinking_level="thinking_level is not supported by this model", thinking_budget=True),
}
"""Of families behind Vertex AI, what is known there; nothing is carried over from the Developer API."""


def _on_vertex(profile: Profile) -> Profile:
    """The same family behind Vertex AI: other spellings, ids and MIME types, whatever the model."""
    plain = profile.name in ("emulator", "loopback")
    return replace(
        profile,
        name=f"{profile.name} on Vertex",
        backend="vertex",
        call_id=_uuid_id,
        tool_round=profile.tool_round if plain else "own turn",
        call_generation_complete=not plain,
        model_role=True,
        audio_mime="audio/pcm",
        candidates_usage=True,
        grounding_with_turn_complete=True,
        finished_transcripts=True,
        session_id=True,
        code_before_call=False,
        refuses=_VERTEX_REFUSALS.get(profile.name, Refusals()),
    )


def profile_for(model: str, backend: str, *, strict: bool = True) -> Profile:
    """The profile for a model's name (with or without its path) on a backend (``mldev`` or ``vertex``)."""
    found = _profile_for(model, backend)
    return found if strict else replace(found, refuses=Refusals())


def _profile_for(model: str, backend: str) -> Profile:
    name = model.rpartition("/")[2]
    profile = next((row for words, row in FAMILIES if all(word in name for word in words)), PLAIN)
    if backend != "vertex":
        return profile
    on_vertex = _on_vertex(profile)
    return replace(on_vertex, call_id=None) if profile is _FLASH_20 else on_vertex
