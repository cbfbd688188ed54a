"""Samples of 16-bit PCM: MIME types, level, chunks. Pure functions: run on any thread and never block."""

from __future__ import annotations

import array
import math
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from genai_live._arguments import came, is_number, text, whole_number
from genai_live.audio.buffers import hint, is_buffer, sample_bytes
from genai_live.audio.containers import TEXT, WAV_FILE, cure_of, kind_of_file
from genai_live.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Buffer

INPUT_RATE = 16_000
"""Hz: what the models hear natively (Live API best practices); the service resamples other rates itself."""

OUTPUT_RATE = 24_000
"""Hz: what the models speak, and what ``audio/pcm`` without a rate means in an answer (as Vertex AI sends it)."""

SAMPLE_BYTES = 2
"""Bytes of one sample: 16 bits, little-endian, signed."""

SILENCE_DBFS = -96.0
"""dBFS reported for silence: the range of 16 bits (20 * log10(2**-16) = -96.3), so that a level is always a finite number."""

LOWEST_RATE = 1_000
"""Hz: below it, a rate was meant in kHz; the slowest that sound is recorded at is 4,000."""
HIGHEST_RATE = 2**32 - 1
"""Hz: what the header of a WAV file has room for."""
MOST_CHANNELS = 2**15 - 1
"""Likewise: the bytes of one moment of all channels are a number of 16 bits there."""

SHORTEST_CHUNK_MS = 20
LONGEST_CHUNK_MS = 100
"""Milliseconds in one message: shorter costs more frames than it gains, longer is heard late (best practices: 20 to 40)."""

FULL_SCALE = 32_768.0
"""The largest magnitude of a 16-bit sample."""

_LEVEL_BLOCK = 4_096
"""Samples handed to math.hypot at once: keeps the argument list small for long recordings."""


def mime_type_of(rate: int, channels: int = 1) -> str:
    """The MIME type that says "16-bit PCM at ``rate`` Hz" (Live API reference, realtimeInput.audio)."""
    check_rate(rate)
    return f"audio/pcm;rate={rate}" + (f";channels={channels}" if check_channels(channels) > 1 else "")


def rate_of(mime_type: str, default: int = OUTPUT_RATE) -> int:
    """The sampling rate in Hz that an audio MIME type names, else ``default``: 24000, what a model speaks.

    Raises:
        ConfigError: when the type is not audio, or its rate is not a number of Hz that sound can have.
    """
    return _parameter(mime_type, "rate", check_rate(default), LOWEST_RATE, HIGHEST_RATE)


def channels_of(mime_type: str) -> int:
    """The number of channels that an audio MIME type names, else 1; Lyria answers in ``audio/l16;rate=48000;channels=2``.

    Raises:
        ConfigError: when the type is not audio or the number is not positive.
    """
    return _parameter(mime_type, "channels", 1, 1, MOST_CHANNELS)


def _parameter(mime_type: str, name: str, default: int, least: int, most: int) -> int:
    kind, *parameters = text(mime_type, "mime_type").split(";")
    if not kind.strip().lower().startswith("audio/"):
        raise ConfigError(f"{mime_type!r} is not the MIME type of audio; audio/pcm;rate=16000 is one")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() != name:
            continue
        digits = value.strip().strip('"')
        if not (digits.isascii() and digits.isdigit() and least <= int(digits) <= most):
            raise ConfigError(f"{mime_type!r} has {value.strip()!r} as its {name}, not a whole number from {least} to {most}")
        return int(digits)
    return default


def check_rate(rate: object) -> int:
    """``rate`` itself.

    Raises:
        ConfigError: when it is not a positive whole number of Hz.
    """
    if isinstance(rate, bool) or not isinstance(rate, int) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ConfigError(f"must be a positive whole number of samples a second, such as 16000, not {came(rate)}", "rate")
    return rate


def check_channels(channels: object) -> int:
    """``channels`` itself.

    Raises:
        ConfigError: when it is not a whole number from 1 to what a WAV file can say.
    """
    return whole_number(channels, "channels", 1, MOST_CHANNELS)


def check_chunk_ms(chunk_ms: object) -> float:
    """``chunk_ms`` itself.

    Raises:
        ConfigError: when it is not a number from 20 to 100 milliseconds.
    """
    if not is_number(chunk_ms) or not SHORTEST_CHUNK_MS <= chunk_ms <= LONGEST_CHUNK_MS:  # type: ignore[operator]
        accepted = f"{SHORTEST_CHUNK_MS} to {LONGEST_CHUNK_MS} milliseconds"
        raise ConfigError(f"must be {accepted}, not {came(chunk_ms)}", "chunk_ms")
    return chunk_ms  # type: ignore[return-value]


def samples_of(pcm: Buffer) -> array.array[int]:
    """The samples as native numbers.

    Raises:
        ConfigError: when the last one is cut in half.
    """
    data = sample_bytes(pcm, "pcm")
    if len(data) % SAMPLE_BYTES:
        raise ConfigError(f"{len(data)} bytes are not whole 16-bit samples: the number of bytes is odd")
    samples = array.array("h", data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def pcm_of(samples: array.array[int]) -> bytes:
    """The samples as little-endian bytes."""
    if sys.byteorder == "big":
        samples = array.array("h", samples)
        samples.byteswap()
    return samples.tobytes()


def level_dbfs(pcm: Buffer) -> float:
    """The level in dBFS: 0 is a square wave at full scale, a sine at full scale has -3, silence has SILENCE_DBFS.

    Raises:
        ConfigError: for an odd number of bytes.
    """
    samples = samples_of(pcm)
    if not samples:
        return SILENCE_DBFS
    # hypot is the root of the sum of squares in C, faster than sum(map(mul, ...)) (docs/performance.md).
    blocks = (samples[start : start + _LEVEL_BLOCK] for start in range(0, len(samples), _LEVEL_BLOCK))
    root_mean_square = math.hypot(*(math.hypot(*block) for block in blocks)) / math.sqrt(len(samples))
    if root_mean_square == 0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 20 * math.log10(root_mean_square / FULL_SCALE))


def chunk_bytes(rate: int, chunk_ms: float, channels: int = 1) -> int:
    """Bytes in one chunk: whole samples of every channel, rounded down."""
    return max(1, int(rate * chunk_ms / 1000)) * SAMPLE_BYTES * channels


def chunks(
    pcm: Buffer | Iterable[Buffer],
    rate: int = INPUT_RATE,
    chunk_ms: float = 40,
    channels: int = 1,
) -> Iterator[bytes]:
    """Cuts PCM at ``rate`` Hz, or an iterable that gives it in pieces of any size, into chunks of 20 to 100 milliseconds.

    No sample is ever split, and only the last chunk may be shorter. An iterable is pulled as the chunks are asked for, so a slow
    one blocks the caller.

    Raises:
        ConfigError: at once for a wrong rate or chunk_ms, and while iterating for a piece that is not bytes, for bytes that begin
            as a WAV file does, and for an end in the middle of a sample.
    """
    size = chunk_bytes(check_rate(rate), check_chunk_ms(chunk_ms), check_channels(channels))
    pieces = (pcm,) if is_buffer(pcm) else pcm
    if not isinstance(pieces, Iterable):
        raise ConfigError(f"must be bytes of 16-bit PCM or an iterable of them, not {came(pcm)}", "pcm")
    return _cut(pieces, size, channels)


def _cut(pieces: Iterable[Any], size: int, channels: int) -> Iterator[bytes]:
    rest = b""
    total = 0
    frame = SAMPLE_BYTES * channels
    for piece in pieces:
        data = piece_bytes(piece, channels)
        if total == 0:
            check_no_file(data)
        total += len(data)
        data = rest + data if rest else data
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            yield data[start : start + size]
        rest = data[whole:]
    if len(rest) % frame:
        raise ConfigError(f"the audio ended in the middle of a sample: {total} bytes are not a multiple of {frame}")
    if rest:
        yield rest


def piece_bytes(piece: object, channels: int = 1) -> bytes:
    """The bytes of a piece of PCM.

    Raises:
        ConfigError: for anything else.
    """
    if not is_buffer(piece):
        raise ConfigError(f"audio is given as bytes of 16-bit PCM, not as {type(piece).__name__}{hint(piece)}")
    return sample_bytes(piece, "pcm", channels)


def check_no_file(data: bytes) -> None:
    """Raises ConfigError when what should be samples is the beginning of a file, which would be heard as noise."""
    kind = kind_of_file(data)
    if kind is not None:
        advice = "pass the file's path, or Audio.load(path)" if kind == WAV_FILE else cure_of(kind)
        raise ConfigError(f"these bytes are {kind}{'' if kind == TEXT else ' with its header'}, not bare PCM: {advice}")
