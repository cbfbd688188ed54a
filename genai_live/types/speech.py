"""Voices and ears: voices, avatars, transcription, translation. Declarations only: runs on any thread.

Source: Live API reference, SpeechConfig, AudioTranscriptionConfig, AvatarConfig; Vertex AI reference of the Live API.
"""

from __future__ import annotations

from typing import Any

from genai_live.types._base import Message, message, wire
from genai_live.types.enums import AudioTranscriptionConfigMode


@message
class VoiceConsentSignature(Message):
    """Proof that the owner of a cloned voice agreed, given by the service after it checked a recorded consent."""

    signature: str | None = wire("Opaque; from ``setupComplete.voiceConsentSignature`` of an earlier session.")


@message
class ReplicatedVoiceConfig(Message):
    """A voice cloned from a sample."""

    mime_type: str | None = wire('What the recordings are; only "audio/wav", 16-bit little-endian, 24,000 Hz.')
    voice_sample_audio: bytes | None = wire("Recording of the voice.")
    consent_audio: bytes | None = wire("Recording in which the owner of the voice agrees, in the same form.", vertex="error")
    voice_consent_signature: VoiceConsentSignature | None = wire("Takes the place of ``consent_audio``.", vertex="error")


@message
class PrebuiltVoiceConfig(Message):
    """A voice of the service."""

    voice_name: str | None = wire('Which one, such as "Puck", "Kore", "Leda", "Aoede" or "Charon".')


@message
class VoiceConfig(Message):
    """The voice that speaks: one of the three."""

    replicated_voice_config: ReplicatedVoiceConfig | None = wire("A cloned voice.")
    prebuilt_voice_config: PrebuiltVoiceConfig | None = wire("A voice of the service.")
    voice: str | None = wire("A voice by its identifier.")


@message
class SpeakerVoiceConfig(Message):
    """The voice of one speaker among several."""

    speaker: str | None = wire("Name of the speaker, as the text has it. Required.")
    voice_config: VoiceConfig | None = wire("The speaker's voice. Required.")


@message
class MultiSpeakerVoiceConfig(Message):
    """Voices for a dialogue. Speech synthesis has it; no Live session takes it."""

    speaker_voice_configs: list[SpeakerVoiceConfig] | None = wire("One for each speaker, two in all.")


@message
class SpeechConfig(Message):
    """How the model speaks."""

    voice_config: VoiceConfig | None = wire("The voice.")
    language_code: str | None = wire('Language to speak, BCP-47, such as "en-US". Native audio models choose it by themselves.')
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = wire(
        "Voices for a dialogue; refused in Live sessions.", mldev="error", vertex="error"
    )

    @classmethod
    def from_short_form(cls, value: Any) -> SpeechConfig | None:
        """Text stands for the name of one of the service's voices."""
        if not isinstance(value, str):
            return None
        return cls(voice_config=VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=value)))


@message
class LanguageAuto(Message):
    """Let the service find the language. Deprecated: it does so when no language is named."""


@message
class LanguageHints(Message):
    """Languages to expect. Deprecated in favour of ``AudioTranscriptionConfig.language_codes``."""

    language_codes: list[str] | None = wire("Languages, BCP-47.")


@message
class AudioTranscriptionConfig(Message):
    """Asks for speech as text beside the audio. Being there is enough: an empty one switches transcription on."""

    language_codes: list[str] | None = wire("Languages to expect, BCP-47; none means that the service finds out.")
    language_auto: LanguageAuto | None = wire("Deprecated: leave ``language_codes`` out instead.")
    language_hints: LanguageHints | None = wire("Deprecated in favour of ``language_codes``.")
    custom_vocabulary: list[str] | None = wire("Words to listen for, such as names.")
    adaptation_phrases: list[str] | None = wire("Deprecated in favour of ``custom_vocabulary``.")
    word_timestamp: bool | None = wire("True gives each word its time.")
    diarization: bool | None = wire("True tells speakers apart.")
    mode: AudioTranscriptionConfigMode | str | None = wire("Word for word (the default), or tidied up.")
    source_text: str | None = wire("Text that the user edits by voice; mode SMART only.")


@message
class TranslationConfig(Message):
    """Makes the session an interpreter."""

    echo_target_language: bool | None = wire(
        "True repeats speech that already is in the target language; otherwise it stays silent."
    )
    target_language_code: str | None = wire("Language to translate into, BCP-47. Required.")


@message
class CustomizedAvatar(Message):
    """A face of the user's own."""

    image_mime_type: str | None = wire('What the picture is, such as "image/jpeg".')
    image_data: bytes | None = wire("Portrait, 9:16, at least 704 × 1280 pixels.")


@message
class AvatarConfig(Message):
    """A face that speaks, as video."""

    avatar_name: str | None = wire("Which avatar of the service.")
    customized_avatar: CustomizedAvatar | None = wire("A face of the user's own instead.")
    audio_bitrate_bps: int | None = wire("Sound, bits per second.")
    video_bitrate_bps: int | None = wire("Picture, bits per second.")
