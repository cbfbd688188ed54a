"""Sound made of numbers: tones that stand for words, and PCM of one rate as PCM of another. Pure: runs on any thread."""

from __future__ import annotations

import math
import sys
from array import array
from functools import lru_cache
from zlib import crc32

ANSWER_RATE = 24_000
"""Hz of every answer of the service."""

SECONDS_PER_LETTER = 0.06
"""About 16 letters a second: the pace of ordinary English speech."""

BYTES_PER_SAMPLE = 2
"""16-bit PCM."""

_AMPLITUDE = 6000
"""About -15 dBFS: as loud as speech."""

_LOWEST_HZ, _PITCHES = 220, 12
"""Each word gets one of twelve semitones from A3 upwards, so that equal words sound equal."""

_RAMP_SECONDS = 0.008
"""Tones fade in and out over this time: a jump is heard as a click."""


def samples_of(pcm: bytes) -> array[int]:
    """16-bit little-endian PCM as numbers; an odd last byte is dropped."""
    samples = array("h")
    samples.frombytes(pcm[: len(pcm) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def to_bytes(samples: array[int]) -> bytes:
    """Numbers as 16-bit little-endian PCM."""
    if sys.byteorder == "big":
        samples = array("h", samples)
        samples.byteswap()
    return samples.tobytes()


@lru_cache(maxsize=256)
def tone(pitch: int, count: int, rate: int) -> array[int]:
    """``count`` samples of one of twelve pitches, faded in and out."""
    hz = _LOWEST_HZ * 2 ** (pitch % _PITCHES / _PITCHES)
    period = max(2, round(rate / hz))
    cycle = array("h", (round(_AMPLITUDE * math.sin(2 * math.pi * n / period)) for n in range(period)))
    tone = (cycle * (count // period + 1))[:count]
    ramp = min(round(rate * _RAMP_SECONDS), count // 2)
    for n in range(ramp):
        tone[n] = tone[n] * n // ramp
        tone[-1 - n] = tone[-1 - n] * n // ramp
    return tone


def tones(text: str, rate: int = ANSWER_RATE) -> bytes:
    """One tone for each word of ``text``, as long as saying it takes, with a pause of one letter between them."""
    samples = array("h")
    letter = round(rate * SECONDS_PER_LETTER)
    for word in text.split():
        samples.extend(tone(crc32(word.lower().encode()), letter * len(word), rate))
        samples.extend(array("h", bytes(2 * letter)))
    return to_bytes(samples)


def resample(samples: array[int], rate: int, new_rate: int) -> array[int]:
    """PCM at another rate by straight lines between samples: good enough to be understood, which is all an echo needs."""
    if rate == new_rate or len(samples) < 2:
        return samples
    if rate * 3 == new_rate * 2:
        return _three_for_two(samples)
    count = len(samples) * new_rate // rate
    last = len(samples) - 1
    out = array("h", bytes(2 * count))
    for n in range(count):
        at, part = divmod(n * rate, new_rate)
        here = samples[at]
        out[n] = here + (samples[min(at + 1, last)] - here) * part // new_rate
    return out


def _three_for_two(samples: array[int]) -> array[int]:
    """16 kHz to 24 kHz, which is nearly every case, without a step of Python for every sample."""
    if len(samples) % 2:
        samples = samples[:-1]
    even, odd = samples[0::2], samples[1::2]
    after = even[1:]
    after.append(odd[-1])
    out = array("h", bytes(6 * len(even)))
    out[0::3] = even
    out[1::3] = array("h", [(a + b + b) // 3 for a, b in zip(even, odd, strict=True)])
    out[2::3] = array("h", [(b + b + c) // 3 for b, c in zip(odd, after, strict=True)])
    return out
