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
    refuses_text: bool = False
    """A setup that asks for TEXT answers is closed with 1007 (reported, not recorded)."""
    content_is_history: bool = False
    """clientContent after setup is refused with 1007 unless historyConfig lets it open the session (reported, not recorded)."""
    refuses_media_chunks: bool = False
    """realtimeInput.mediaChunks is refused with 1007 (reported, not recorded)."""
    cancels_calls: bool = True
    """An interruption cancels open calls by toolCallCancellation (documented; seen by one report, never recorded)."""
    loopback: bool = False
    """Sends every audio message straight back: for measuring and for load tests, not a habit of any model."""


PLAIN = Profile("emulator", update_at=("setup complete", "turn complete"))
"""The default: every message the protocol defines, in its documented order, and nothing odd."""

LOOPBACK = Profile("loopback", loopback=True)

_NATIVE_AUDIO_25 = Profile("2.5 native audio", refuses_text=True)
_FLASH_25 = Profile("2.5 flash live", code_before_call=True)
_FLASH_20 = Profile("2.0 flash live")
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
    content_is_history=True,
    synchronous_calls=True,
    refuses_media_chunks=True,
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
    (("3.8", "live"), _LIVE_38),
    (("3.1", "live"), _FLASH_31),
    (("2.5", "native-audio"), _NATIVE_AUDIO_25),
    (("2.5", "live"), _FLASH_25),
    (("2.5", "flash"), _FLASH_25),
    (("2.0", "live"), _FLASH_20),
)
"""The first row all of whose words are in the model's name is its family."""


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
    )


def profile_for(model: str, backend: str) -> Profile:
    """The profile for a model's name (with or without its path) on a backend (``mldev`` or ``vertex``)."""
    name = model.rpartition("/")[2]
    profile = next((row for words, row in FAMILIES if all(word in name for word in words)), PLAIN)
    if backend != "vertex":
        return profile
    on_vertex = _on_vertex(profile)
    return replace(on_vertex, call_id=None) if profile is _FLASH_20 else on_vertex
