"""Sound of any rate and number of channels made into what a model hears: 16 kHz mono. Pure: any thread, never blocks.

Channels are averaged here; rates are converted by soxr (extra ``audio``), which is imported on use.
"""

from __future__ import annotations

import array
from typing import Any

from genai_live._arguments import came
from genai_live.audio.pcm import INPUT_RATE, check_rate, pcm_of, samples_of
from genai_live.audio.recording import Audio
from genai_live.errors import ConfigError

_HOW_TO_INSTALL = "install it with: pip install 'genai-live[audio]'"


def to_input(audio: Audio) -> Audio:
    """The same sound at 16 kHz in one channel; sound that is so already comes back as it is.

    Raises ConfigError when the rate has to change and soxr is not installed.
    """
    mono = to_mono(audio)
    if mono.rate == INPUT_RATE:
        return mono
    resampler = Resampler(mono.rate)
    return Audio(resampler.feed(mono.data) + resampler.flush(), INPUT_RATE)


def to_mono(audio: Audio) -> Audio:
    """The mean of all channels; mono sound comes back as it is."""
    if not isinstance(audio, Audio):
        raise ConfigError(f"must be Audio, not {came(audio)}; Audio.load(path) and Audio(data, rate) make one", "audio")
    count = audio.channels
    if count == 1:
        return audio
    samples = samples_of(audio.data)
    channels = [samples[channel::count] for channel in range(count)]
    mean = array.array("h", (sum(frame) // count for frame in zip(*channels, strict=True)))
    return Audio(pcm_of(mean), audio.rate)


class Resampler:
    """Converts mono PCM that arrives in pieces from one rate to another, without clicks at the seams.

    Not for two threads at once. Raises ConfigError when soxr is not installed.
    """

    def __init__(self, from_rate: int, to_rate: int = INPUT_RATE) -> None:
        check_rate(from_rate)
        check_rate(to_rate)
        try:
            import numpy
            import soxr
        except ImportError as error:
            raise ConfigError(
                f"sound of {from_rate} Hz has to be converted to {to_rate} Hz, and that takes the package soxr; {_HOW_TO_INSTALL}"
            ) from error
        self._numpy: Any = numpy
        self._stream: Any = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16")

    def feed(self, pcm: bytes) -> bytes:
        """What comes out after ``pcm`` went in: may be empty, for the filter needs some samples ahead."""
        return self._convert(pcm, last=False)

    def flush(self) -> bytes:
        """The rest; nothing can be fed afterwards."""
        return self._convert(b"", last=True)

    def _convert(self, pcm: bytes, last: bool) -> bytes:
        converted = self._stream.resample_chunk(self._numpy.frombuffer(pcm, dtype="<i2"), last=last)
        return bytes(converted.astype("<i2", copy=False).tobytes())
