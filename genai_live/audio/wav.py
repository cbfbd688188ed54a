"""WAV files of 16-bit PCM, read and written. Functions for any thread; they block as long as the file system does.

The RIFF chunks are read here and not with the standard library's ``wave``: before Python 3.12 that refuses the extensible
header many recorders write, and it gives back what there is of a truncated file without a word.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from genai_live._arguments import file_path, octets
from genai_live.audio.pcm import RIFF_MAGIC, SAMPLE_BYTES, check_channels, check_rate
from genai_live.errors import ConfigError

_PCM_FORMAT = 0x0001
_FLOAT_FORMAT = 0x0003
_EXTENSIBLE_FORMAT = 0xFFFE
"""Format tags of the fmt chunk (Microsoft, mmreg.h); the extensible one keeps the true tag in its sub-format at byte 24."""

_SUBFORMAT_AT = 24
_FMT_BYTES = 16
_HEADER = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FMT = struct.Struct("<HHIIHH")

_PIPED_SIZE = 0x7FFF_0000
"""Sizes from here up are written by programs that pipe a WAV file and cannot go back to fill in the true one (ffmpeg
0xFFFFFFFF, sox 0x7FFFF000, arecord 0x80000000): the sound goes on to the end of the file."""


class WavData(NamedTuple):
    """What a WAV file holds: ``pcm`` bytes (16-bit little-endian), ``rate`` in Hz, ``channels``."""

    pcm: bytes
    rate: int
    channels: int


def read_wav(path: str | os.PathLike[str]) -> WavData:
    """Reads a WAV file of 16-bit PCM; raises ConfigError, with the reason in one sentence, for any other file."""
    name = file_path(path, "path")
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name!r} cannot be read: {error.strerror or error}") from error
    return _parse(content, name)


def write_wav(path: str | os.PathLike[str], pcm: bytes, rate: int, channels: int = 1) -> None:
    """Writes 16-bit PCM as a WAV file; raises ConfigError when the bytes are not whole samples or the file cannot be written."""
    frame = SAMPLE_BYTES * check_channels(channels)
    check_rate(rate)
    if len(octets(pcm, "pcm")) % frame:
        raise ConfigError(f"{len(pcm)} bytes are not whole 16-bit samples of {channels} channel(s)")
    fmt = _FMT.pack(_PCM_FORMAT, channels, rate, rate * frame, frame, 8 * SAMPLE_BYTES)
    header = _HEADER.pack(RIFF_MAGIC, 4 + 2 * _CHUNK.size + _FMT_BYTES + len(pcm), b"WAVE")
    name = file_path(path, "path")
    try:
        with open(name, "wb") as file:
            file.write(header + _CHUNK.pack(b"fmt ", _FMT_BYTES) + fmt + _CHUNK.pack(b"data", len(pcm)))
            file.write(pcm)
    except OSError as error:
        raise ConfigError(f"{name!r} cannot be written: {error.strerror or error}") from error


def _parse(content: bytes, name: str) -> WavData:
    if len(content) < _HEADER.size or content[:4] != RIFF_MAGIC or content[8:12] != b"WAVE":
        raise ConfigError(f"{name!r} is not a WAV file: it does not begin with RIFF ... WAVE")
    rate, channels = 0, 0
    at = _HEADER.size
    while at + _CHUNK.size <= len(content):
        kind, size = _CHUNK.unpack_from(content, at)
        at += _CHUNK.size
        if kind == b"fmt ":
            rate, channels = _parse_format(content[at : at + size], name)
        elif kind == b"data":
            if not rate:
                break
            return WavData(_data(content, at, size, SAMPLE_BYTES * channels, name), rate, channels)
        at += size + size % 2  # RIFF: chunks begin at even offsets
    raise ConfigError(f"{name!r} is a truncated WAV file: it has no format or no data")


def _parse_format(chunk: bytes, name: str) -> tuple[int, int]:
    if len(chunk) < _FMT_BYTES:
        raise ConfigError(f"{name!r} is a truncated WAV file: its format is cut off")
    tag, channels, rate, _, _, bits = _FMT.unpack_from(chunk)
    if tag == _EXTENSIBLE_FORMAT and len(chunk) >= _SUBFORMAT_AT + 2:
        (tag,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
    advice = f"convert it, for example with: ffmpeg -i {name} -c:a pcm_s16le converted.wav"
    if tag == _FLOAT_FORMAT:
        raise ConfigError(f"{name!r} holds {bits}-bit floating-point samples, not 16-bit PCM; {advice}")
    if tag != _PCM_FORMAT:
        raise ConfigError(f"{name!r} is compressed (format {tag:#06x}), not 16-bit PCM; {advice}")
    if bits != 8 * SAMPLE_BYTES:
        raise ConfigError(f"{name!r} holds {bits}-bit samples, not 16-bit PCM; {advice}")
    if not channels or not rate:
        raise ConfigError(f"{name!r} says it has {channels} channels at {rate} Hz, which no sound can have")
    return rate, channels


def _data(content: bytes, at: int, size: int, frame: int, name: str) -> bytes:
    there = len(content) - at
    if size >= _PIPED_SIZE:
        size = there - there % frame
    elif size > there:
        raise ConfigError(f"{name!r} is a truncated WAV file: {size} bytes of sound are announced and {there} are there")
    if size % frame:
        raise ConfigError(f"{name!r} ends in the middle of a sample: {size} bytes are not a multiple of {frame}")
    return content[at : at + size]
