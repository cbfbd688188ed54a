"""Sound made small enough to be kept in a page: a WAV file of at most so many bytes. Pure: any thread; 0.2 s for a minute.

A spoken minute is 2.9 MB as it is, and a notebook keeps what it shows. Browsers play G.711 in WAV files as well: half the bytes,
and at the telephone's 8,000 Hz a sixth.
"""

from __future__ import annotations

import array
import sys
from typing import NamedTuple

from genai_live.audio.encodings import to_mu_law
from genai_live.audio.pcm import SAMPLE_BYTES
from genai_live.audio.resampling import mixed
from genai_live.audio.wav import mu_law_wav_bytes, wav_bytes

HEADER_BYTES = 64
"""More than a WAV file has around its samples."""
LOWEST_RATE = 8_000
"""Hz: a telephone's, below which speech is hard to understand."""


class SmallWav(NamedTuple):
    """A WAV file that fits."""

    content: bytes
    seconds: float
    """How much of the sound is in it, from its beginning."""
    is_reduced: bool
    """True when it does not sound as it was."""


def small_wav(pcm: bytes, rate: int, channels: int = 1, largest: int | None = None) -> SmallWav:
    """16-bit PCM as a WAV file of at most ``largest`` bytes; None has no limit.

    What does not fit becomes mono and 8-bit mu-law, then slower down to 8,000 Hz, then shorter.
    """
    samples = len(pcm) // (SAMPLE_BYTES * channels)
    room = max(largest - HEADER_BYTES, 0) if largest is not None else len(pcm)
    if len(pcm) <= room:
        return SmallWav(wav_bytes(pcm, rate, channels), samples / rate, is_reduced=False)
    most = max(rate // LOWEST_RATE, 1)
    divisor = next((each for each in range(1, most) if samples <= room * each), most)
    samples = min(samples, room * divisor)
    kept = pcm[: samples * SAMPLE_BYTES * channels]
    codes = to_mu_law(_slower(kept if channels == 1 else mixed(kept, channels), divisor))
    return SmallWav(mu_law_wav_bytes(codes, rate // divisor), samples / rate, is_reduced=True)


def _slower(pcm: bytes, divisor: int) -> bytes:
    """The mean of each ``divisor`` samples, a filter that is good enough for speech in a telephone's quality."""
    if divisor == 1:
        return pcm
    samples = array.array("h", pcm[: len(pcm) - len(pcm) % (SAMPLE_BYTES * divisor)])
    if sys.byteorder == "big":
        samples.byteswap()
    rows = zip(*(samples[at::divisor] for at in range(divisor)), strict=True)
    means = array.array("h", (sum(row) // divisor for row in rows))
    if sys.byteorder == "big":
        means.byteswap()
    return means.tobytes()
