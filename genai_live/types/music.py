"""Live music: what a music session sends and receives; Developer API only. Declarations only: runs on any thread.

Source: Live music reference (BidiGenerateMusic), which calls itself experimental.
"""

from __future__ import annotations

from genai_live.errors import DecodeError, ServiceError
from genai_live.types._base import Message, message, wire
from genai_live.types._enum import WireEnum


class LiveMusicPlaybackControl(WireEnum):
    """What the music does next."""

    PLAYBACK_CONTROL_UNSPECIFIED = "PLAYBACK_CONTROL_UNSPECIFIED"
    PLAY = "PLAY"
    """Start, or go on."""
    PAUSE = "PAUSE"
    """Stop sending; PLAY goes on at the same place."""
    STOP = "STOP"
    """Stop and forget what was played; prompts and config stay."""
    RESET_CONTEXT = "RESET_CONTEXT"
    """Forget what was played without stopping."""


class MusicGenerationMode(WireEnum):
    """What the music is to favour."""

    MUSIC_GENERATION_MODE_UNSPECIFIED = "MUSIC_GENERATION_MODE_UNSPECIFIED"
    QUALITY = "QUALITY"
    """Good music; the default."""
    DIVERSITY = "DIVERSITY"
    """Varied music."""
    VOCALIZATION = "VOCALIZATION"
    """Music with voices used as instruments."""


class Scale(WireEnum):
    """Key of the music, major with its relative minor; unspecified lets the model choose."""

    SCALE_UNSPECIFIED = "SCALE_UNSPECIFIED"
    C_MAJOR_A_MINOR = "C_MAJOR_A_MINOR"
    D_FLAT_MAJOR_B_FLAT_MINOR = "D_FLAT_MAJOR_B_FLAT_MINOR"
    D_MAJOR_B_MINOR = "D_MAJOR_B_MINOR"
    E_FLAT_MAJOR_C_MINOR = "E_FLAT_MAJOR_C_MINOR"
    E_MAJOR_D_FLAT_MINOR = "E_MAJOR_D_FLAT_MINOR"
    F_MAJOR_D_MINOR = "F_MAJOR_D_MINOR"
    G_FLAT_MAJOR_E_FLAT_MINOR = "G_FLAT_MAJOR_E_FLAT_MINOR"
    G_MAJOR_E_MINOR = "G_MAJOR_E_MINOR"
    A_FLAT_MAJOR_F_MINOR = "A_FLAT_MAJOR_F_MINOR"
    A_MAJOR_G_FLAT_MINOR = "A_MAJOR_G_FLAT_MINOR"
    B_FLAT_MAJOR_G_MINOR = "B_FLAT_MAJOR_G_MINOR"
    B_MAJOR_A_FLAT_MINOR = "B_MAJOR_A_FLAT_MINOR"


@message
class LiveMusicClientSetup(Message):
    """The first message of a music session, and only the first."""

    model: str | None = wire('Which model, such as "models/lyria-realtime-exp".', vertex="error")


@message
class WeightedPrompt(Message):
    """One thing that the music should be like."""

    text: str | None = wire("What it should be like, in words.", vertex="error")
    weight: float | None = wire(
        "How much it counts beside the others; not 0. The weights of one message are scaled to add up to 1.", vertex="error"
    )


@message
class LiveMusicClientContent(Message):
    """What the music should be like; takes the place of all earlier prompts."""

    weighted_prompts: list[WeightedPrompt] | None = wire("The prompts, at least one.", vertex="error")


@message
class LiveMusicGenerationConfig(Message):
    """How the music is made; takes the place of the whole earlier config, so that an empty one goes back to the defaults."""

    temperature: float | None = wire("How freely: 0.0 to 3.0.", vertex="error")
    top_k: int | None = wire("Choose among this many likeliest sounds: 1 to 1000.", vertex="error")
    seed: int | None = wire("The same seed gives the same music, as far as possible.", vertex="error")
    guidance: float | None = wire(
        "How closely the prompts are followed: 0.0 to 6.0; closer makes rougher changes.", vertex="error"
    )
    bpm: int | None = wire("Beats per minute: 60 to 200. Heard after RESET_CONTEXT.", vertex="error")
    density: float | None = wire("How many notes: 0.0 to 1.0.", vertex="error")
    brightness: float | None = wire("How much of the high tones: 0.0 to 1.0.", vertex="error")
    scale: Scale | str | None = wire("The key. Heard after RESET_CONTEXT.", vertex="error")
    mute_bass: bool | None = wire("True leaves the bass out as far as possible.", vertex="error")
    mute_drums: bool | None = wire("True leaves the drums out as far as possible.", vertex="error")
    only_bass_and_drums: bool | None = wire("True leaves everything else out as far as possible.", vertex="error")
    music_generation_mode: MusicGenerationMode | str | None = wire("What to favour; by default QUALITY.", vertex="error")


@message
class LiveMusicClientMessage(Message):
    """One message to a music session: exactly one of the four."""

    setup: LiveMusicClientSetup | None = wire("The first message; nothing else until the server has answered it.", vertex="error")
    client_content: LiveMusicClientContent | None = wire("What the music should be like.", vertex="error")
    music_generation_config: LiveMusicGenerationConfig | None = wire("How it is made.", vertex="error")
    playback_control: LiveMusicPlaybackControl | str | None = wire("What it does next.", vertex="error")


@message
class LiveMusicServerSetupComplete(Message):
    """The answer to ``setup``: the music session is open."""


@message
class LiveMusicSourceMetadata(Message):
    """What a chunk of music was made from."""

    client_content: LiveMusicClientContent | None = wire("The prompts.", vertex="error")
    music_generation_config: LiveMusicGenerationConfig | None = wire("The config.", vertex="error")


@message
class AudioChunk(Message):
    """A piece of music."""

    data: bytes | None = wire("16-bit PCM, by default 48,000 Hz stereo, samples of both channels in turn.", vertex="error")
    mime_type: str | None = wire('What it is: "audio/l16;rate=48000;channels=2".', vertex="error")
    source_metadata: LiveMusicSourceMetadata | None = wire("What it was made from.", vertex="error")


@message
class LiveMusicServerContent(Message):
    """Music."""

    audio_chunks: list[AudioChunk] | None = wire("Pieces, in order.", vertex="error")


@message
class LiveMusicFilteredPrompt(Message):
    """A prompt that was left out."""

    text: str | None = wire("The prompt.", vertex="error")
    filtered_reason: str | None = wire("Why it was left out.", vertex="error")


@message
class LiveMusicServerMessage(Message):
    """One message of a music session."""

    setup_complete: LiveMusicServerSetupComplete | None = wire("The session is open; always the first message.", vertex="error")
    server_content: LiveMusicServerContent | None = wire("Music.", vertex="error")
    filtered_prompt: LiveMusicFilteredPrompt | None = wire("A prompt that was left out.", vertex="error")
    decode_error: DecodeError | None = wire(
        "Set when this message stands for one that could not be understood; nothing else is set then."
    )
    error: ServiceError | None = wire("Set when the service answers with an error; iteration raises it.")

    @property
    def audio_chunks(self) -> list[AudioChunk]:
        """All pieces of music in this message, in order; empty without music."""
        return (self.server_content and self.server_content.audio_chunks) or []

    @property
    def audio_chunk(self) -> AudioChunk | None:
        """The first piece of music in this message, as Google's JavaScript client has it; None without music."""
        return next(iter(self.audio_chunks), None)
