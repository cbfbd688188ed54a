"""How answers are made: sampling, thinking, output formats, schemas. Declarations only: runs on any thread.

Source: Gemini API reference, GenerationConfig and Schema; which of it a Live session takes is said at the field.
"""

from __future__ import annotations

from typing import Any

from genai_live.types._base import Message, NamesOf, Seconds, message, wire
from genai_live.types.enums import (
    AspectRatio,
    Delivery,
    FeatureSelectionPreference,
    ImageSize,
    MediaResolution,
    Modality,
    ThinkingLevel,
    Type,
)
from genai_live.types.speech import AudioTranscriptionConfig, SpeechConfig, TranslationConfig


@message
class ModelSelectionConfig(Message):
    """What to favour when the service chooses a model."""

    feature_selection_preference: FeatureSelectionPreference | str | None = wire("Quality, cost, or a balance.")


@message
class GenerationConfigRoutingConfigAutoRoutingMode(Message):
    """Let the service choose the model."""

    model_routing_preference: str | None = wire("UNKNOWN, PRIORITIZE_QUALITY, BALANCED or PRIORITIZE_COST.")


@message
class GenerationConfigRoutingConfigManualRoutingMode(Message):
    """Name the model."""

    model_name: str | None = wire("Name of the model.")


@message
class GenerationConfigRoutingConfig(Message):
    """Which model answers: one of the two ways to choose."""

    auto_mode: GenerationConfigRoutingConfigAutoRoutingMode | None = wire("The service chooses.")
    manual_mode: GenerationConfigRoutingConfigManualRoutingMode | None = wire("The user chooses.")


@message
class ThinkingConfig(Message):
    """How much the model thinks; refused for models that do not think."""

    include_thoughts: bool | None = wire("True sends thoughts too, as parts with ``thought`` true.")
    thinking_budget: int | None = wire("Most tokens of thinking; 0 is off, -1 leaves it to the model.")
    thinking_level: ThinkingLevel | str | None = wire("How much, by name; newer models take this in place of a budget.")


@message
class AudioResponseFormat(Message):
    """Form of generated sound."""

    bit_rate: int | None = wire("Bits per second; compressed formats only.")
    delivery: Delivery | str | None = wire("As bytes or as a link.")
    mime_type: str | None = wire("What it is to be.")
    sample_rate: int | None = wire("Samples per second, Hz.")


@message
class ImageResponseFormat(Message):
    """Form of a generated picture."""

    aspect_ratio: AspectRatio | str | None = wire("Width by height.")
    delivery: Delivery | str | None = wire("As bytes or as a link.")
    image_size: ImageSize | str | None = wire("How large.")
    mime_type: str | None = wire("What it is to be.")


@message
class TextResponseFormat(Message):
    """Form of generated text."""

    mime_type: str | None = wire('What it is to be, such as "application/json".')
    schema: Any = wire("JSON Schema that the text follows; sent as it is.")


@message
class VideoResponseFormat(Message):
    """Form of generated video."""

    aspect_ratio: AspectRatio | str | None = wire("Width by height.")
    delivery: Delivery | str | None = wire("As bytes or as a link.")
    duration: Seconds | None = wire("Length in seconds.")
    gcs_uri: str | None = wire("Where in Cloud Storage to put it; needed on Vertex AI when delivered as a link.")
    resolution: str | None = wire('"360p", "720p", "1080p" or "4k".')


@message
class ResponseFormat(Message):
    """One form of output; one of the four is set."""

    audio: AudioResponseFormat | None = wire("Sound.")
    image: ImageResponseFormat | None = wire("Pictures.")
    text: TextResponseFormat | None = wire("Text.")
    video: VideoResponseFormat | None = wire("Video.")


@message
class Schema(Message):
    """Shape of a value, in the OpenAPI manner: arguments and results of functions."""

    additional_properties: Any = wire("Whether keys beyond ``properties`` are allowed, or the shape of their values.")
    defs: dict[str, Schema] | None = wire("Shapes to refer to, by name; at the root only.")
    ref: str | None = wire('The shape of that name in ``defs``, "#/defs/name".')
    any_of: list[Schema] | None = wire("The value has at least one of these shapes.")
    default: Any = wire("What the value is when it is left out.")
    description: str | None = wire("What the value means; the model reads it.")
    enum: list[str] | None = wire("The only texts that are allowed.")
    example: Any = wire("An example; for objects only.")
    format: str | None = wire('Form of the data, such as "int32", "float", "enum" or "date-time".')
    items: Schema | None = wire("Shape of each item of an array.")
    max_items: int | None = wire("Most items of an array.")
    max_length: int | None = wire("Most characters of a text.")
    max_properties: int | None = wire("Most keys of an object.")
    maximum: float | None = wire("Largest number.")
    min_items: int | None = wire("Fewest items of an array.")
    min_length: int | None = wire("Fewest characters of a text.")
    min_properties: int | None = wire("Fewest keys of an object.")
    minimum: float | None = wire("Smallest number.")
    nullable: bool | None = wire("True when the value may be null.")
    pattern: str | None = wire("Regular expression that a text matches.")
    properties: dict[str, Schema] | None = wire("Shape of each key of an object; the keys are sent as they are.")
    property_ordering: list[str] | None = wire("Order of the keys in the answer.")
    required: list[str] | None = wire("Keys that must be there.")
    title: str | None = wire("Name of the shape.")
    type: Type | str | None = wire("Type of the value; upper case on the wire.")


@message
class GenerationConfig(Message):
    """The older way to say how answers are made; LiveConnectConfig's own fields win where both are set."""

    model_selection_config: ModelSelectionConfig | None = wire(
        "What to favour in the choice of a model.", vertex_name="modelConfig"
    )
    response_json_schema: Any = wire("JSON Schema of the answer. Not usable in Live.")
    audio_timestamp: bool | None = wire("True puts times into transcripts of audio. Not usable in Live.", mldev=False)
    candidate_count: int | None = wire("Number of answers; 1 in practice.")
    enable_affective_dialog: bool | None = wire("True answers to the tone of the user's voice too.")
    frequency_penalty: float | None = wire("Above 0 repeats less: -2.0 to 2.0.")
    logprobs: int | None = wire("Number of alternatives with their probabilities. Not usable in Live.")
    max_output_tokens: int | None = wire("Most tokens of one answer.")
    media_resolution: MediaResolution | str | None = wire("How finely input media are turned into tokens.")
    presence_penalty: float | None = wire("Above 0 says more new things: -2.0 to 2.0.")
    response_logprobs: bool | None = wire("True sends probabilities. Not usable in Live.")
    response_mime_type: str | None = wire(
        "What the answer is to be. Deprecated in favour of ``response_format``; not usable in Live."
    )
    response_modalities: NamesOf[Modality] | None = wire("What the model answers with; one for each session.")
    response_schema: Schema | None = wire("Shape of the answer. Deprecated in favour of ``response_format``; not usable in Live.")
    routing_config: GenerationConfigRoutingConfig | None = wire("Which model answers. Not usable in Live.", mldev=False)
    seed: int | None = wire("The same seed gives the same answer, as far as possible.")
    speech_config: SpeechConfig | None = wire("How the model speaks.")
    stop_sequences: list[str] | None = wire("Texts that end an answer. Not usable in Live.")
    temperature: float | None = wire("How freely words are chosen: 0.0 to 2.0.")
    thinking_config: ThinkingConfig | None = wire("How much the model thinks.")
    top_k: int | None = wire("Choose among this many likeliest words.")
    top_p: float | None = wire("Choose among the likeliest words that together reach this probability: 0.0 to 1.0.")
    enable_enhanced_civic_answers: bool | None = wire("True answers civic questions more fully.", vertex="error")
    response_format: list[ResponseFormat] | None = wire("Forms of output.")
    translation_config: TranslationConfig | None = wire("Makes the session an interpreter.")
    audio_transcription_config: AudioTranscriptionConfig | None = wire("How speech is recognised.")
