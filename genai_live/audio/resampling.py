"""Channels made one, and rates converted. Pure: any thread, never blocks.

Rates are converted by a short filter of numpy's, so that live sound is not held back, and the few pairs of rates that it does not
have by soxr; the extra ``audio`` brings both, which are imported on use.
"""

from __future__ import annotations

import array
from typing import Any

from genai_live._extras import installing
from genai_live.audio.pcm import INPUT_RATE, SILENCE_DBFS, check_rate, level_dbfs, pcm_of, samples_of
from genai_live.audio.short_filter import ShortFilter, is_short
from genai_live.errors import ConfigError

_CANCELLED = 40.0
"""dB by which the mean of channels is below the loudest of them where they cancel each other: one is the other, inverted."""


def mixed(pcm: bytes, count: int) -> bytes:
    """Interleaved channels as one."""
    samples = samples_of(pcm)
    channels = [samples[channel::count] for channel in range(count)]
    mean = pcm_of(array.array("h", (sum(frame) // count for frame in zip(*channels, strict=True))))
    if not pcm or level_dbfs(mean) > SILENCE_DBFS + _CANCELLED:
        return mean
    loudest = max((pcm_of(channel) for channel in channels), key=level_dbfs)
    return loudest if level_dbfs(loudest) - level_dbfs(mean) > _CANCELLED else mean


class Resampler:
    """Converts mono PCM that arrives in pieces from one rate to another, without clicks at the seams.

    Between the rates of sound cards, telephones and models it holds sound back for 1 to 4 ms (``delay``). Not for two threads at
    once. Raises ConfigError when numpy is not installed, or soxr where the rates need it.
    """

    def __init__(self, from_rate: int, to_rate: int = INPUT_RATE) -> None:
        check_rate(from_rate)
        check_rate(to_rate)
        package = "numpy" if is_short(from_rate, to_rate) else "soxr"
        try:
            import numpy

            self._filter: Any = ShortFilter(numpy, from_rate, to_rate) if package == "numpy" else _Soxr(numpy, from_rate, to_rate)
        except ImportError as error:
            raise ConfigError(
                f"sound of {from_rate} Hz has to be converted to {to_rate} Hz, which needs the package {package}:"
                f" {installing('audio')}"
            ) from error

    @property
    def delay(self) -> float | None:
        """Seconds by which what comes out is behind what went in, until ``flush``; None with soxr, which does not say."""
        return self._filter.delay  # type: ignore[no-any-return]

    def feed(self, pcm: bytes) -> bytes:
        """What comes out after ``pcm`` went in: may be empty, for the filter needs some samples ahead."""
        return self._filter.feed(pcm)  # type: ignore[no-any-return]

    def flush(self) -> bytes:
        """The rest; nothing can be fed afterwards."""
        return self._filter.flush()  # type: ignore[no-any-return]


class _Soxr:
    """The same by soxr's own filter."""

    delay = None

    def __init__(self, numpy: Any, from_rate: int, to_rate: int) -> None:
        import soxr

        self._numpy = numpy
        self._stream: Any = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16")

    def feed(self, pcm: bytes) -> bytes:
        return self._convert(pcm, last=False)

    def flush(self) -> bytes:
        return self._convert(b"", last=True)

    def _convert(self, pcm: bytes, last: bool) -> bytes:
        converted = self._stream.resample_chunk(self._numpy.frombuffer(pcm, dtype="<i2"), last=last)
        return bytes(converted.astype("<i2", copy=False).tobytes())
