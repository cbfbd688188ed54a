"""``Audio`` of any rate and number of channels made into what a model hears: 16 kHz mono. Pure: any thread, never blocks."""

from __future__ import annotations

from genai_live._arguments import came
from genai_live.audio.pcm import INPUT_RATE
from genai_live.audio.recording import Audio
from genai_live.errors import ConfigError


def to_input(audio: Audio) -> Audio:
    """The same sound at 16 kHz in one channel; 16 kHz mono is returned unchanged.

    Raises:
        ConfigError: when the rate has to change and numpy is not installed.
    """
    return _checked(audio).converted(INPUT_RATE)


def to_mono(audio: Audio) -> Audio:
    """The mean of all channels, or the loudest where they cancel each other out; mono sound is returned unchanged."""
    return _checked(audio).converted(audio.rate)


def _checked(audio: Audio) -> Audio:
    if not isinstance(audio, Audio):
        raise ConfigError(f"must be Audio, not {came(audio)}; Audio.load(path) and Audio(data, rate) make one", "audio")
    return audio
