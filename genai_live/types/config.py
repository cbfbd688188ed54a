"""What a session is opened with: LiveConnectConfig and its parts. Declarations only: runs on any thread.

Source: Live API reference, BidiGenerateContentSetup; google-genai's LiveConnectConfig, which spreads
``setup.generationConfig`` over its top level: ``path`` in each field says where it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genai_live.types._base import Message, NamesOf, message, wire
from genai_live.types.content import Content, Part
from genai_live.types.enums import (
    ActivityHandling,
    EndSensitivity,
    HarmBlockMethod,
    HarmBlockThreshold,
    HarmCategory,
    MediaResolution,
    Modality,
    StartSensitivity,
    TurnCoverage,
)
from genai_live.types.generation import GenerationConfig, ThinkingConfig
from genai_live.types.http import File, HttpOptions
from genai_live.types.speech import AudioTranscriptionConfig, AvatarConfig, SpeechConfig, TranslationConfig
from genai_live.types.tools import Tool


@message
class SessionResumptionConfig(Message):
    """Being there, asks for messages with handles; with a handle, goes on with the session that gave it."""

    handle: str | None = wire("The newest ``new_handle`` of the session to go on with; absent for a new session.")
    transparent: bool | None = wire(
        "True adds to each handle the number of the last client message that it includes.", mldev="error"
    )


@message
class AutomaticActivityDetection(Message):
    """How the service detects speech."""

    disabled: bool | None = wire("True switches it off: the client then sends activityStart and activityEnd itself.")
    start_of_speech_sensitivity: StartSensitivity | str | None = wire(
        "How readily speech is found to begin; HIGH on the Developer API and LOW on Vertex AI when unset."
    )
    end_of_speech_sensitivity: EndSensitivity | str | None = wire(
        "How readily speech is found to end; HIGH on the Developer API and LOW on Vertex AI when unset."
    )
    prefix_padding_ms: int | None = wire("Milliseconds of speech before it counts as begun; fewer catch short words, and noise.")
    silence_duration_ms: int | None = wire(
        "Milliseconds of silence before speech counts as ended; more bridges pauses, and answers later."
    )


@message
class RealtimeInputConfig(Message):
    """How speech is detected and turns are taken."""

    automatic_activity_detection: AutomaticActivityDetection | None = wire("The service's detection of speech; on when absent.")
    activity_handling: ActivityHandling | str | None = wire("What the user's speech does to an answer; interrupts it when unset.")
    turn_coverage: TurnCoverage | str | None = wire("What of the input belongs to the user's turn.")
    interim_transcript_timestamp_enabled: bool | None = wire("True puts times on interim transcripts.")


@message
class SlidingWindow(Message):
    """Keeps the newest part of the conversation, from the beginning of a user's turn on, and the system instruction."""

    target_tokens: int | None = wire(
        "Tokens to keep: below ``trigger_tokens``, by default half of it; 0 to 128,000 on Vertex AI."
    )


@message
class ContextWindowCompressionConfig(Message):
    """Lets a session go on past the context window, and past its limit of time, by forgetting the oldest part."""

    trigger_tokens: int | None = wire(
        "Tokens of context at which it happens: by default 80 % of the window; 5,000 to 128,000 on Vertex AI."
    )
    sliding_window: SlidingWindow | None = wire("How it is done; the only way there is.")


@message
class ProactivityConfig(Message):
    """Whether the model decides by itself when to speak."""

    proactive_audio: bool | None = wire("True lets the model ignore speech that is not meant for it.")
    proactive_video: bool | None = wire("True lets it answer to each picture; needs ``proactive_audio``.")


@message
class HistoryConfig(Message):
    """How the first content of a session is taken."""

    initial_history_in_client_content: bool | None = wire(
        "True takes the content up to the first ``turn_complete`` as history: it is read and not answered."
    )


@message
class SafetySetting(Message):
    """From which level on one kind of harm is blocked."""

    category: HarmCategory | str | None = wire("Which kind. Required.")
    method: HarmBlockMethod | str | None = wire("What the level is measured by.", mldev="error")
    threshold: HarmBlockThreshold | str | None = wire("Which level. Required.")


@message
class LiveConnectConfig(Message):
    """The config of a session, under the names that google-genai gives its fields."""

    http_options: HttpOptions | None = wire(
        "Other ``base_url``, ``api_version`` or ``headers`` for this session alone.", local=True
    )
    generation_config: GenerationConfig | None = wire(
        "Older place for what stands at the top level here, which wins where both are set. Deprecated by Google."
    )
    response_modalities: NamesOf[Modality] | None = wire(
        "What the model answers with, one of AUDIO and TEXT; AUDIO when unset. Native audio models refuse TEXT.",
        path="generationConfig.responseModalities",
    )
    temperature: float | None = wire("How freely words are chosen: 0.0 to 2.0.", path="generationConfig.temperature")
    top_p: float | None = wire(
        "Choose among the likeliest words that together reach this probability: 0.0 to 1.0.", path="generationConfig.topP"
    )
    top_k: int | None = wire("Choose among this many likeliest words.", path="generationConfig.topK")
    max_output_tokens: int | None = wire("Most tokens of one answer.", path="generationConfig.maxOutputTokens")
    media_resolution: MediaResolution | str | None = wire(
        "How finely input media are turned into tokens.", path="generationConfig.mediaResolution"
    )
    seed: int | None = wire("The same seed gives the same answer, as far as possible.", path="generationConfig.seed")
    speech_config: SpeechConfig | str | None = wire(
        "Voice and language, or the name of a voice; one voice only.", path="generationConfig.speechConfig"
    )
    thinking_config: ThinkingConfig | None = wire(
        "How much the model thinks; refused for models that do not.", path="generationConfig.thinkingConfig"
    )
    enable_affective_dialog: bool | None = wire(
        "True answers to the tone of the user's voice too; some models need API version v1alpha for it.",
        path="generationConfig.enableAffectiveDialog",
    )
    system_instruction: (
        Content | str | Part | File | dict[str, Any] | list[str | Part | File | dict[str, Any]] | list[str] | list[Part] | None
    ) = wire("What the model is told before everything else: text, parts, or a content.")
    tools: list[Tool | Callable[..., Any] | dict[str, Any]] | list[Tool] | list[Callable[..., Any]] | None = wire(
        "What the model may use: Tool objects, dicts, Python functions."
    )
    session_resumption: SessionResumptionConfig | None = wire(
        "Being there, asks for handles; with a handle, goes on with that session."
    )
    input_audio_transcription: AudioTranscriptionConfig | None = wire(
        "Being there, even empty, asks for the user's speech as text."
    )
    output_audio_transcription: AudioTranscriptionConfig | None = wire(
        "Being there, even empty, asks for the model's speech as text."
    )
    realtime_input_config: RealtimeInputConfig | None = wire("How speech is detected and turns are taken.")
    context_window_compression: ContextWindowCompressionConfig | None = wire(
        "Keeps a long session within the context window; without it sound ends after 15 minutes, with video after 2."
    )
    proactivity: ProactivityConfig | None = wire(
        "Whether the model may stay silent, or speak unasked; the Developer API knows it in API version v1alpha only."
    )
    explicit_vad_signal: bool | None = wire("True asks for the service's voice activity as messages.", mldev="error")
    history_config: HistoryConfig | None = wire("How the first content is taken.")
    avatar_config: AvatarConfig | None = wire("A face that speaks, as video.")
    safety_settings: list[SafetySetting] | None = wire("What is blocked.")
    translation_config: TranslationConfig | None = wire(
        "Makes the session an interpreter.", path="generationConfig.translationConfig"
    )
    labels: dict[str, str] | None = wire(
        "The user's own labels, for billing and reports: lower case, at most 63 characters, keys begin with a letter."
    )


@message
class LiveConnectParameters(Message):
    """The arguments of ``connect``."""

    model: str | None = wire("Which model. Required.")
    config: LiveConnectConfig | None = wire("What the session is opened with; flattened into ``setup``.")
    callbacks: Mapping[str, Any] | None = wire("LiveCallbacks, or a dict of functions; as @google/genai has it.")
