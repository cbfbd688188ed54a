"""Samples of the other encodings that WAV files have, made into 16-bit PCM. Pure: any thread, never blocks.

Integers keep their upper 16 bits, and G.711 is looked up in tables, both by slicing bytes: an hour of 48 kHz takes two seconds.
Floating point goes number by number: 0.35 s for a minute of sound at 16 kHz.
"""

from __future__ import annotations

import array
import functools
import math
import sys
from collections.abc import Callable

from genai_live.errors import ConfigError

_LOWEST, _HIGHEST = -32_768, 32_767
_FULL_SCALE = 32_768.0
"""What 1.0 becomes, cut to the highest sample; a tone of 16 bits that went through floating point comes back as it was."""
_FLOAT_BYTES = 4
_LOUDEST_FLOAT = 8.0
"""18 dB above full scale: more than a mix overshoots. Numbers above it are of another scale; cutting them would make noise."""


def from_8_bits(data: bytes) -> bytes:
    """Unsigned 8-bit samples, as WAV has them."""
    return _interleaved(bytes(len(data)), data.translate(_FLIPPED))


def from_wide_integers(data: bytes, width: int) -> bytes:
    """The upper 16 bits of little-endian samples of ``width`` bytes: 3 or 4."""
    return _interleaved(data[width - 2 :: width], data[width - 1 :: width])


def from_floats(data: bytes, width: int) -> bytes:
    """Little-endian floating point of 4 or 8 bytes from -1 to 1; what goes beyond is cut.

    Raises:
        ConfigError: numbers of another scale, or no numbers.
    """
    numbers = array.array("f" if width == _FLOAT_BYTES else "d", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    least, most = min(numbers, default=0.0), max(numbers, default=0.0)
    if math.isnan(sum(numbers)) or math.isinf(most - least):
        raise ConfigError("some of its samples are infinite or no numbers")
    if not -_LOUDEST_FLOAT <= least <= most <= _LOUDEST_FLOAT:
        factor = 1 / max(-least, most)
        raise ConfigError(
            f"floating-point samples go from -1 to 1, and here from {least:g} to {most:g}: scale them first, as"
            f" ffmpeg's -af volume={factor:.3g} does"
        )
    samples = array.array("h", (max(_LOWEST, min(_HIGHEST, round(number * _FULL_SCALE))) for number in numbers))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def from_mu_law(data: bytes) -> bytes:
    """G.711 mu-law, the telephone's encoding in America and Japan."""
    return _interleaved(*(data.translate(table) for table in _MU_LAW))


def to_mu_law(pcm: bytes) -> bytes:
    """G.711 mu-law of 16-bit PCM; 50 ms for a minute at 24 kHz, without the table, which takes 40 ms once."""
    samples = array.array("H", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return bytes(map(_mu_law_codes().__getitem__, samples))


def from_a_law(data: bytes) -> bytes:
    """G.711 A-law, the telephone's encoding elsewhere."""
    return _interleaved(*(data.translate(table) for table in _A_LAW))


def _interleaved(low: bytes, high: bytes) -> bytes:
    samples = bytearray(2 * len(high))
    samples[0::2] = low
    samples[1::2] = high
    return bytes(samples)


_FLIPPED = bytes(code ^ 0x80 for code in range(256))


def _tables(decode: Callable[[int], int]) -> tuple[bytes, bytes]:
    """The low and the high byte of the sample that each code stands for."""
    samples = [decode(code) & 0xFFFF for code in range(256)]
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 for sample in samples)


def _mu_law(code: int) -> int:
    """ITU-T G.711, table 2: inverted bits; sign, three bits of segment, four of step; 33 is the bias, of 14 bits."""
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 1) + 33 << (code >> 4 & 7)) - 33) << 2
    return -magnitude if code & 0x80 else magnitude


@functools.cache
def _mu_law_codes() -> bytes:
    """The code of each 16-bit sample, by its unsigned value: the largest magnitude that is not above it (G.711, table 2)."""
    positive = bytearray()
    for sample in range(1 << 15):
        biased = min((sample >> 2) + 33, 8_191)
        segment = biased.bit_length() - 6
        positive.append(~(segment << 4 | biased >> segment + 1 & 0x0F) & 0xFF)
    negative = bytes(positive[min(-sample, 32_767)] & 0x7F for sample in range(-(1 << 15), 0))
    return bytes(positive) + negative


def _a_law(code: int) -> int:
    """ITU-T G.711, table 1: even bits inverted; sign, three bits of segment, four of step; 13 bits."""
    code ^= 0x55
    segment, step = code >> 4 & 7, code & 0x0F
    magnitude = (2 * step + 1 if segment == 0 else 2 * step + 33 << segment - 1) << 3
    return magnitude if code & 0x80 else -magnitude


_MU_LAW, _A_LAW = _tables(_mu_law), _tables(_a_law)
