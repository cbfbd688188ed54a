"""What the client sends: LiveClientMessage and all that it holds. Declarations only: runs on any thread.

Source: Live API reference, BidiGenerateContentClientMessage; the context update of the Vertex AI reference.
"""

from __future__ import annotations

from genai_live.types._base import Message, message, wire
from genai_live.types.config import (
    ContextWindowCompressionConfig,
    HistoryConfig,
    ProactivityConfig,
    RealtimeInputConfig,
    SafetySetting,
    SessionResumptionConfig,
)
from genai_live.types.content import Blob, Content, FunctionResponse
from genai_live.types.generation import GenerationConfig
from genai_live.types.speech import AudioTranscriptionConfig, AvatarConfig
from genai_live.types.tools import Tool


@message
class LiveClientSetup(Message):
    """The first message of a session, and only the first."""

    model: str | None = wire('Which model, "models/{model}", or its resource name on Vertex AI. Required.')
    generation_config: GenerationConfig | None = wire("How answers are made; a subset of its fields works in Live.")
    system_instruction: Content | None = wire("What the model is told before everything else.")
    tools: list[Tool] | None = wire("What the model may use.")
    session_resumption: SessionResumptionConfig | None = wire(
        "Being there, asks for handles; with a handle, goes on with that session."
    )
    context_window_compression: ContextWindowCompressionConfig | None = wire(
        "How a long session is kept within the context window."
    )
    input_audio_transcription: AudioTranscriptionConfig | None = wire("Being there, asks for the user's speech as text.")
    output_audio_transcription: AudioTranscriptionConfig | None = wire("Being there, asks for the model's speech as text.")
    proactivity: ProactivityConfig | None = wire("Whether the model may speak unasked, or stay silent.")
    explicit_vad_signal: bool | None = wire("True asks for the service's voice activity as messages.", mldev="error")
    history_config: HistoryConfig | None = wire("How the first content is taken.")
    avatar_config: AvatarConfig | None = wire("A face that speaks, as video.")
    safety_settings: list[SafetySetting] | None = wire("What is blocked.")
    realtime_input_config: RealtimeInputConfig | None = wire("How speech is detected and turns are taken.")
    labels: dict[str, str] | None = wire("The user's own labels, for billing and reports.", vertex="error")


@message
class LiveClientContent(Message):
    """Turns to be added to the conversation, in order. Sending it interrupts an answer that is under way."""

    turns: list[Content] | None = wire("The turns.")
    turn_complete: bool | None = wire("True starts the answer; False waits for more.")


@message
class ActivityStart(Message):
    """The user begins to speak; only where the service's own detection is off."""


@message
class ActivityEnd(Message):
    """The user stops speaking; only where the service's own detection is off."""


@message
class LiveClientRealtimeInput(Message):
    """Sound, pictures and text as they happen; one of these for each message. The streams have no order between them."""

    media_chunks: list[Blob] | None = wire(
        "Older way for sound and pictures; only the first one is used. Deprecated by the service."
    )
    audio: Blob | None = wire('The next piece of sound, "audio/pcm;rate=16000"; 20 to 40 ms are recommended.')
    audio_stream_end: bool | None = wire("True when the microphone was switched off; only where the service detects speech.")
    video: Blob | None = wire("The next picture, image/*; at most one a second.")
    text: str | None = wire("The next piece of text.")
    activity_start: ActivityStart | None = wire("The user begins to speak.")
    activity_end: ActivityEnd | None = wire("The user stops speaking.")


@message
class LiveSendRealtimeInputParameters(Message):
    """The arguments of ``send_realtime_input``: exactly one of these."""

    media: Blob | None = wire("Sound or a picture, the older way.", name="mediaChunks", shape="boxed")
    audio: Blob | None = wire("The next piece of sound; its type begins with audio/.")
    audio_stream_end: bool | None = wire("True when the microphone was switched off.")
    video: Blob | None = wire("The next picture; its type begins with image/.")
    text: str | None = wire("The next piece of text; may be empty.")
    activity_start: ActivityStart | None = wire("The user begins to speak.")
    activity_end: ActivityEnd | None = wire("The user stops speaking.")


@message
class LiveClientToolResponse(Message):
    """Results of functions that the model called."""

    function_responses: list[FunctionResponse] | None = wire("The results; matched to calls by ``id``.")


@message
class LiveClientContextUpdateTools(Message):
    """A new list of tools."""

    tools: list[Tool] | None = wire("All tools from now on; an empty list takes them all away.")


@message
class LiveClientContextUpdate(Message):
    """Changes the instructions of setup, in the middle of a session. What is absent stays as it is."""

    system_instruction: Content | None = wire("What the model is told from now on; costs the cached prefix.")
    tools: LiveClientContextUpdateTools | None = wire("What the model may use from now on; costs the cached prefix.")


@message
class LiveClientMessage(Message):
    """One message to the server: exactly one of these."""

    setup: LiveClientSetup | None = wire("The first message, and only the first.")
    client_content: LiveClientContent | None = wire("Turns to be added to the conversation.")
    realtime_input: LiveClientRealtimeInput | None = wire("Sound, pictures and text as they happen.")
    tool_response: LiveClientToolResponse | None = wire("Results of functions.")
    context_update: LiveClientContextUpdate | None = wire("A new system instruction or new tools.")
