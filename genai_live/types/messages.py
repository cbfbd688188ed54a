"""What the server sends: LiveServerMessage and all that it holds. Declarations only: built on the reader thread, read on any.

Source: Live API reference, BidiGenerateContentServerMessage; what recordings of the service show beyond it is said at the field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genai_live.audio import OUTPUT_RATE, SAMPLE_BYTES, Audio, rate_of
from genai_live.audio.recording import of_whole_samples
from genai_live.errors import ConfigError, DecodeError, ServiceError
from genai_live.reconnection import Reconnected, Reconnecting
from genai_live.types._base import Message, Seconds, message, wire
from genai_live.types.content import Content, FunctionCall, Transcription
from genai_live.types.enums import (
    InteractionStatus,
    MediaModality,
    ServiceTier,
    TrafficType,
    TurnCompleteReason,
    VadSignalType,
    VoiceActivityType,
)
from genai_live.types.grounding import GroundingMetadata, UrlContextMetadata
from genai_live.types.speech import VoiceConsentSignature

if TYPE_CHECKING:
    as_received = property
else:

    class as_received:  # noqa: N801 # as property
        """A property that a session works out before it hands a message over.

        Reading it then runs no code of this library, in which a signal handler that raises would take the message from its
        receiver.
        """

        def __init__(self, function: Callable[[Any], Any]) -> None:
            self.function, self.__doc__ = function, function.__doc__

        def __get__(self, instance: Any, owner: Any) -> Any:
            return self if instance is None else self.function(instance)


@message
class LiveServerSetupComplete(Message):
    """The answer to ``setup``: the session is open."""

    session_id: str | None = wire("Name of the session, a UUID; only Vertex AI sends it.")
    voice_consent_signature: VoiceConsentSignature | None = wire(
        "Proof that a recorded consent was checked; may stand for ``consent_audio`` in later sessions."
    )


@message
class LiveServerContent(Message):
    """What the model says, and where its turn stands. May be empty."""

    model_turn: Content | None = wire("The next piece of the answer: speech, text, thoughts.")
    turn_complete: bool | None = wire("True in the last message of the model's turn. Some models never send it.")
    interrupted: bool | None = wire("True when the user cut the answer short: drop what is still to be played.")
    grounding_metadata: GroundingMetadata | None = wire("What the answer rests on.")
    generation_complete: bool | None = wire(
        "True when all of the answer is made; ``turn_complete`` follows when it would have been played. Not in interrupted turns."
    )
    input_transcription: Transcription | None = wire("What the user said; in no fixed order with the model's turn.")
    output_transcription: Transcription | None = wire("What the model says, as text; only roughly in step with the audio.")
    url_context_metadata: UrlContextMetadata | None = wire("Pages that were read for the answer.")
    turn_complete_reason: TurnCompleteReason | str | None = wire("Why the turn ended, where it did not end by itself.")
    waiting_for_input: bool | None = wire("True when the model waits for the user to go on before it answers.")
    interim_input_transcription: Transcription | None = wire(
        "A quick guess at what the user is saying, to be replaced by the final text."
    )
    interaction_status: InteractionStatus | str | None = wire(
        "Whether more output may follow; where given, only IDLE ends the turn, whatever ``turn_complete`` says."
    )


@message
class LiveServerToolCall(Message):
    """The model asks for functions to be run."""

    function_calls: list[FunctionCall] | None = wire("The calls; they may run side by side.")


@message
class LiveServerToolCallCancellation(Message):
    """Calls that the model no longer wants, because the user interrupted it."""

    ids: list[str] | None = wire("The ``id`` of each call.")


@message
class ModalityTokenCount(Message):
    """Tokens of one kind of content."""

    modality: MediaModality | str | None = wire("Which kind.")
    token_count: int | None = wire("How many tokens.")


@message
class UsageMetadata(Message):
    """Tokens that were counted; beside any other message. Details need not add up to their total: some models leave kinds out."""

    prompt_token_count: int | None = wire("Tokens of the input, the whole context included.")
    cached_content_token_count: int | None = wire("Tokens of the input that were cached.")
    response_token_count: int | None = wire("Tokens of the answer.", vertex_name="candidatesTokenCount")
    tool_use_prompt_token_count: int | None = wire("Tokens of tool results.")
    thoughts_token_count: int | None = wire("Tokens of thoughts; not part of the total.")
    total_token_count: int | None = wire("Input and answer together.")
    prompt_tokens_details: list[ModalityTokenCount] | None = wire("The input by kind of content.")
    cache_tokens_details: list[ModalityTokenCount] | None = wire("What was cached, by kind of content.")
    response_tokens_details: list[ModalityTokenCount] | None = wire(
        "The answer by kind of content.", vertex_name="candidatesTokensDetails"
    )
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = wire("Tool results by kind of content.")
    traffic_type: TrafficType | str | None = wire("What the request is charged to.", mldev=False)
    service_tier: ServiceTier | str | None = wire("Class of service that answered.", vertex=False)


@message
class LiveServerGoAway(Message):
    """The server will soon end this connection; the session may go on over another one."""

    time_left: Seconds | None = wire("Seconds until the server ends the connection.")


@message
class LiveServerSessionResumptionUpdate(Message):
    """How the session can be taken up again on another connection."""

    new_handle: str | None = wire("What to pass as ``SessionResumptionConfig.handle``; empty when not resumable now.")
    resumable: bool | None = wire("False while the model generates or waits for a tool, on models that care.")
    last_consumed_client_message_index: int | None = wire(
        "The last client message that the handle includes, counted from 1; with ``transparent`` resumption only."
    )


@message
class VoiceActivityDetectionSignal(Message):
    """Start or end of a sentence, for allow-listed projects; others get ``voice_activity``."""

    vad_signal_type: VadSignalType | str | None = wire("Which of the two.")


@message
class VoiceActivity(Message):
    """The service heard the user begin or stop speaking."""

    voice_activity_type: VoiceActivityType | str | None = wire("Which of the two.", name="type")
    audio_offset: Seconds | None = wire("When, in seconds from the start of the session's audio.")


@message
class LiveServerMessage(Message):
    """One message of the server. Several kinds may share one message; an empty message holds none."""

    setup_complete: LiveServerSetupComplete | None = wire("The session is open; always the first message.")
    server_content: LiveServerContent | None = wire("What the model says; may be empty.")
    tool_call: LiveServerToolCall | None = wire("Functions to be run.")
    tool_call_cancellation: LiveServerToolCallCancellation | None = wire("Calls that are no longer wanted.")
    usage_metadata: UsageMetadata | None = wire("Tokens counted; comes along with any other kind.")
    go_away: LiveServerGoAway | None = wire("The connection will soon end.")
    session_resumption_update: LiveServerSessionResumptionUpdate | None = wire("How to resume; some models send it unasked.")
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = wire("Start or end of a sentence.")
    voice_activity: VoiceActivity | None = wire("The user began or stopped speaking.")
    top_level_interaction_status: InteractionStatus | str | None = wire(
        "As ``LiveServerContent.interaction_status``, where the server puts it beside a tool call.", name="interactionStatus"
    )
    decode_error: DecodeError | None = wire(
        "Set when this message stands for one that could not be understood; nothing else is set then."
    )
    error: ServiceError | None = wire("Set when the service answers with an error; ask, collect and receive raise it.")
    reconnecting: Reconnecting | None = wire("This library's word that a connection is gone and another will follow.")
    reconnected: Reconnected | None = wire("This library's word that the session has a connection again.")

    @property
    def interaction_status(self) -> InteractionStatus | str | None:
        """Whether more output may follow, from whichever place the server put it in; None where it does not say."""
        content = self.server_content
        if content is not None and content.interaction_status is not None:
            return content.interaction_status
        return self.top_level_interaction_status

    def _repr_html_(self) -> str:
        from genai_live.types import _lines

        return _lines.html_of(self, _lines.facts_of_server_message)

    @property
    def ends_turn(self) -> bool:
        """True for the last message of a turn, as the session that received it decides; else False.

        It knows its open calls and ``interaction_status``; a message that a program decoded itself has no such verdict.
        """
        return "ends_turn" in self.__dict__

    @as_received
    def text(self) -> str | None:
        """Text of the model's turn in this message, without thoughts; None without text."""
        content = self.server_content
        if content is None or content.model_turn is None:
            return None
        return "".join([part.text for part in content.model_turn.parts or () if part.text and not part.thought]) or None

    @property
    def user_text(self) -> str | None:
        """The next words that the user said, where ``input_audio_transcription`` asks for them; None without words."""
        content = self.server_content
        heard = None if content is None else content.input_transcription
        return None if heard is None else heard.text or None

    @property
    def model_text(self) -> str | None:
        """The model's next words: ``text``, or its speech with ``output_audio_transcription``; None where there are no words."""
        content = self.server_content
        if content is None:
            return None
        said = content.output_transcription
        return self.text or (None if said is None else said.text or None)

    @property
    def audio(self) -> Audio | None:
        """Speech of the model's turn in this message, which knows its rate and can be saved; None without speech."""
        content = self.server_content
        if content is None or content.model_turn is None:
            return None
        pieces: list[bytes] = []
        mime_type = ""
        for part in content.model_turn.parts or ():
            blob = part.inline_data
            if blob is not None and blob.data and (blob.mime_type or "").startswith("audio/"):
                mime_type = mime_type or blob.mime_type or ""
                pieces.append(blob.data)
        if not pieces:
            return None
        pcm = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return of_whole_samples(_whole_samples(pcm), OUTPUT_RATE if mime_type == _USUAL else _rate_of(mime_type))

    @property
    def interrupted(self) -> bool:
        """True when the user cut the answer short: drop what is still to be played."""
        return self.server_content is not None and self.server_content.interrupted is True

    @property
    def turn_complete(self) -> bool:
        """True when the service says that the model's turn is complete. Some models never say it."""
        return self.server_content is not None and self.server_content.turn_complete is True

    @property
    def data(self) -> bytes | None:
        """Bytes of the model's turn in this message, joined: speech as 16-bit PCM, mono. None without any.

        Not the JSON text that an event of a browser has under this name: that has been read already.
        """
        content = self.server_content
        if content is None or content.model_turn is None:
            return None
        found = [part.inline_data.data for part in content.model_turn.parts or () if part.inline_data and part.inline_data.data]
        return found[0] if len(found) == 1 else b"".join(found) or None


_USUAL = f"audio/pcm;rate={OUTPUT_RATE}"
"""What the service says of its speech."""


def _whole_samples(pcm: bytes) -> bytes:
    """The sound without half a sample at its end, which cannot be heard."""
    return pcm[:-1] if len(pcm) % SAMPLE_BYTES else pcm


def _rate_of(mime_type: str) -> int:
    """Hz; where the MIME type names none, or one that is not a number, that of the service's speech."""
    try:
        return rate_of(mime_type, OUTPUT_RATE)
    except ConfigError:
        return OUTPUT_RATE
