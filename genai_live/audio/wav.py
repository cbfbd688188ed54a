"""WAV files, read and written: what they hold becomes 16-bit PCM. Functions for any thread; they block as long as the file does.

The RIFF chunks are read here and not with the standard library's ``wave``: before Python 3.12 that refuses the extensible
header many recorders write, it knows neither floating point nor G.711, and it gives back what there is of a truncated file
without a word. Headers that were never brought up to date are read as what they are: the sound goes on to the end.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from genai_live._arguments import file_path
from genai_live.audio import encodings
from genai_live.audio.buffers import is_buffer, plain_bytes, sample_bytes
from genai_live.audio.containers import TEXT, WAV_MAGIC, is_wav, kind_of_file
from genai_live.audio.pcm import SAMPLE_BYTES, check_channels, check_rate
from genai_live.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
"""Format tags of the fmt chunk (Microsoft, mmreg.h); the extensible one keeps the true tag in its sub-format at byte 24."""
_DECODERS: dict[tuple[int, int], Callable[[bytes], bytes]] = {
    (_PCM, 1): encodings.from_8_bits,
    (_PCM, 2): bytes,
    (_PCM, 3): lambda data: encodings.from_wide_integers(data, 3),
    (_PCM, 4): lambda data: encodings.from_wide_integers(data, 4),
    (_FLOAT, 4): lambda data: encodings.from_floats(data, 4),
    (_FLOAT, 8): lambda data: encodings.from_floats(data, 8),
    (_A_LAW, 1): encodings.from_a_law,
    (_MU_LAW, 1): encodings.from_mu_law,
}
"""What makes 16-bit samples, by format tag and bytes of one sample."""

BARE_PCM = (_PCM, SAMPLE_BYTES)
"""Format tag and bytes of a sample, for what has no header."""

_SUBFORMAT_AT = 24
_FMT_BYTES = 16
_HEADER = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FMT = struct.Struct("<HHIIHH")
_DS64 = struct.Struct("<QQ")
_LARGEST_FILE = 2**32 - 1
"""Bytes behind the first eight of a WAV file, as far as its header can count."""

_PIPED_SIZE = 0x7FFF_0000
"""Sizes from here up are written by programs that pipe a WAV file and cannot go back to fill in the true one (ffmpeg
0xFFFFFFFF, sox 0x7FFFF000, arecord 0x80000000): the sound goes on to the end of the file."""
_MADE_UP_SIZE, _MADE_UP_TIMES = 1_000_000_000, 10
"""So do sizes above this of which not a tenth is there: web services that speak write 2,000,000,000."""
_LEFT_OVER = 1_024
"""Bytes behind the sound that are not chunks, from which they are taken for the rest of the sound and not for some padding."""
_CHUNKS_OF_WAV = frozenset(
    (b"fmt ", b"data", b"LIST", b"fact", b"cue ", b"bext", b"JUNK", b"junk", b"ID3 ", b"id3 ", b"PEAK", b"smpl", b"iXML", b"FLLR")
)
_find_another_file = re.compile(rb"(?:RIFF|RF64|BW64).{4}WAVEfmt ", re.DOTALL).search


class WavData(NamedTuple):
    """What a WAV file holds: ``pcm`` bytes (16-bit little-endian), ``rate`` in Hz, ``channels``."""

    pcm: bytes
    rate: int
    channels: int


class WavFormat(NamedTuple):
    """What the header says of the samples."""

    rate: int
    channels: int
    tag: int
    width: int
    """Bytes of one sample."""

    @property
    def frame(self) -> int:
        """Bytes of one moment of all channels."""
        return self.width * self.channels

    def decode(self, data: bytes) -> bytes:
        """Whole frames as 16-bit PCM.

        Raises:
            ConfigError: for floating point of another scale than -1 to 1.
        """
        return _DECODERS[self.tag, self.width](data)


class SoundChunk(NamedTuple):
    """Where sound begins in a WAV file, and how many bytes of it are announced there."""

    format: WavFormat
    start: int
    size: int


def read_wav(path: str | os.PathLike[str] | BinaryIO | bytes) -> WavData:
    """Reads a WAV file from its path, a file opened for reading bytes, or its bytes.

    16, 24 and 32 bits, 8 bits, floating point, mu-law and A-law become 16-bit PCM.

    Raises:
        ConfigError: with the reason in one sentence, for a file that cannot be read, is cut off, or holds anything else.
    """
    content, name = content_of(path)
    return parse_wav(content, name)


def content_of(source: Any) -> tuple[bytes, str]:
    """All that is in a file, and its name for errors."""
    if is_buffer(source) and kind_of_file(content := plain_bytes(source, "path")) not in (None, TEXT):  # else a path of bytes
        return content, "the data"
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return _read(source), repr(name) if isinstance(name, str) else f"the {type(source).__name__}"
    path = file_path(source, "path")
    try:
        return Path(path).read_bytes(), repr(path)
    except OSError as error:
        raise ConfigError(f"{path!r} cannot be read: {error.strerror or error}") from error


def _read(file: Any) -> bytes:
    try:
        content = file.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed, or its text cannot be decoded
        raise ConfigError(f"the {type(file).__name__} cannot be read: {error}") from error
    if not isinstance(content, (bytes, bytearray)):
        raise ConfigError(f"must be a file opened for bytes, with 'rb', not one that reads {type(content).__name__}", "path")
    return bytes(content)


def parse_wav(content: bytes, name: str = "the data") -> WavData:
    """What the bytes of a WAV file hold; several sounds of one format, such as joined files, become one.

    Raises:
        ConfigError: as ``read_wav``; ``name`` is its subject.
    """
    if not is_wav(content):
        raise _no_wav(content, name)
    pieces: list[bytes] = []
    at, first = 0, None
    while (found := next_sound(content, at, first, name)) is not None:
        first = first or found.format
        if found.format != first:
            raise ConfigError(f"{name} holds sounds of several formats, one behind the other: load them one by one")
        end = _end_of(content, found, name)
        whole = end - (end - found.start) % first.frame  # a part of a sample cannot be heard
        pieces.append(_decoded(first, content[found.start : whole], name))
        at = _behind(content, found.start, end - found.start)
    if first is None:
        raise ConfigError(f"{name} is a truncated WAV file: it has no format or no data")
    return WavData(b"".join(pieces), first.rate, first.channels)


def next_sound(content: bytes, at: int, known: WavFormat | None, name: str) -> SoundChunk | None:
    """The first sound behind ``at``, where ``known`` is the format so far; None where the bytes end before one begins."""
    announced = 0
    while at + _CHUNK.size <= len(content):
        kind, size = _CHUNK.unpack_from(content, at)
        start = at + _CHUNK.size
        if kind in WAV_MAGIC and content[start : start + 4] == b"WAVE":  # the file itself, or another one behind it
            at, known = start + 4, None
            continue
        if kind in (b"ds64", b"fmt ") and start + size > len(content):
            return None
        if kind == b"ds64" and size >= _DS64.size:
            announced = _DS64.unpack_from(content, start)[1]
        elif kind == b"fmt ":
            known = _format_of(content[start : start + size], name)
        elif kind == b"data":
            if known is None:
                raise ConfigError(f"{name} is a truncated WAV file: it has no format before its data")
            return SoundChunk(known, start, announced or size)
        at = _behind(content, start, size)
    return None


def _decoded(format: WavFormat, data: bytes, name: str) -> bytes:
    try:
        return format.decode(data)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _behind(content: bytes, start: int, size: int) -> int:
    """Where the next chunk begins: at an even offset (RIFF), which some programs forget."""
    end = start + size
    return end + size % 2 if content[end : end + 4] not in _CHUNKS_OF_WAV else end


def is_made_up(size: int, there: int) -> bool:
    """True for a size that was written before the length was known, where ``there`` bytes follow."""
    return size > there and (size >= _PIPED_SIZE or (size >= _MADE_UP_SIZE and there * _MADE_UP_TIMES < size))


def _end_of(content: bytes, found: SoundChunk, name: str) -> int:
    start, size = found.start, found.size
    there = len(content) - start
    if is_made_up(size, there) or (size == 0 and not _are_chunks(content, start)):
        another = _find_another_file(content, start)
        return another.start() if another else len(content)
    if size > there:
        advice = f"what is there is kept by: ffmpeg -i {_argument(name)} -c copy whole.wav"
        raise ConfigError(f"{name} is a truncated WAV file: {size} bytes of sound are announced and {there} are there; {advice}")
    behind = _behind(content, start, size)
    left = len(content) - behind
    if left >= _LEFT_OVER and not _are_chunks(content, behind) and any(content[behind:]):
        advice = f"if they are sound, they are kept by: ffmpeg -ignore_length 1 -i {_argument(name)} -c copy whole.wav"
        raise ConfigError(
            f"{name} announces {size} bytes of sound, and {left} more follow that are not part of a WAV file; {advice}"
        )
    return start + size


def _are_chunks(content: bytes, at: int) -> bool:
    """True where chunks that a WAV file has, or any that end with the file, begin; also at the file's end."""
    if content[at : at + 4] in _CHUNKS_OF_WAV or content[at : at + 4] in WAV_MAGIC:
        return True
    while at + _CHUNK.size <= len(content) and content[at : at + 4].isascii() and content[at : at + 4].decode().isprintable():
        at = _behind(content, at + _CHUNK.size, _CHUNK.unpack_from(content, at)[1])
    return at in (len(content), len(content) + 1)


def _format_of(chunk: bytes, name: str) -> WavFormat:
    if len(chunk) < _FMT_BYTES:
        raise ConfigError(f"{name} is a truncated WAV file: its format is cut off")
    tag, channels, rate, _, frame, bits = _FMT.unpack_from(chunk)
    if tag == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
        (tag,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
    width = -(-bits // 8)
    if (tag, width) not in _DECODERS:
        held = (
            f"{bits}-bit samples" if tag == _PCM else f"{bits}-bit floats" if tag == _FLOAT else f"compressed sound ({tag:#06x})"
        )
        raise ConfigError(f"{name} holds {held}, which is not read here; {_conversion(name)}")
    if not channels or not rate:
        raise ConfigError(f"{name} says it has {channels} channels at {rate} Hz, which no sound can have")
    if frame not in (0, width * channels):
        raise ConfigError(f"{name} says that {channels} x {bits} bits take {frame} bytes, which is unclear; {_conversion(name)}")
    return WavFormat(rate, check_channels(channels), tag, width)


def _no_wav(content: bytes, name: str) -> ConfigError:
    if not content:
        return ConfigError(f"{name} is not a WAV file: it is empty")
    kind = kind_of_file(content)
    if kind is None:
        return ConfigError(f"{name} is not a WAV file: it does not begin with RIFF ... WAVE; {_conversion(name)}")
    return ConfigError(f"{name} is not a WAV file, but {kind}; {_conversion(name)}")


def _conversion(name: str) -> str:
    return f"convert it, for example with: ffmpeg -i {_argument(name)} -c:a pcm_s16le converted.wav"


def _argument(name: str) -> str:
    """The name as a shell has it."""
    return name if name.startswith("'") else "in.wav"


# Writing.


def wav_bytes(pcm: Buffer, rate: int, channels: int = 1) -> bytes:
    """A WAV file of 16-bit PCM.

    Raises:
        ConfigError: when the bytes are not whole samples, or too many for a WAV file.
    """
    frame = SAMPLE_BYTES * check_channels(channels)
    check_rate(rate)
    data = sample_bytes(pcm, "pcm", channels)
    if len(data) % frame:
        raise ConfigError(f"{len(data)} bytes are not whole 16-bit samples of {channels} channel(s)")
    return _file(_FMT.pack(_PCM, channels, rate, min(rate * frame, 2**32 - 1), frame, 8 * SAMPLE_BYTES), data)


def mu_law_wav_bytes(codes: bytes, rate: int) -> bytes:
    """A WAV file of one channel of G.711 mu-law, which players and browsers know, too.

    Raises:
        ConfigError: when they are too many for a WAV file.
    """
    padding = b"\0" * (len(codes) % 2)  # a chunk has an even number of bytes
    return _file(_FMT.pack(_MU_LAW, 1, rate, rate, 1, 8), codes, padding)


def _file(fmt: bytes, data: bytes, padding: bytes = b"") -> bytes:
    size = 4 + 2 * _CHUNK.size + len(fmt) + len(data) + len(padding)
    if size > _LARGEST_FILE:
        raise ConfigError(f"{len(data)} bytes of sound are more than a WAV file can hold (4 GiB): save it in pieces")
    header = _HEADER.pack(WAV_MAGIC[0], size, b"WAVE")
    return b"".join((header, _CHUNK.pack(b"fmt ", len(fmt)), fmt, _CHUNK.pack(b"data", len(data)), data, padding))


OTHER_KINDS = frozenset((
    ".mp3", ".ogg", ".oga", ".opus", ".flac", ".m4a", ".mp4", ".aac", ".webm", ".wma", ".aif", ".aiff", ".au", ".raw", ".pcm",
))  # fmt: skip
"""Names that promise another kind of file, which a player or a next program would believe."""


def write_wav(path: str | os.PathLike[str] | BinaryIO, pcm: Buffer, rate: int, channels: int = 1) -> None:
    """Writes 16-bit PCM as a WAV file to a path, or into a file opened for writing bytes.

    Raises:
        ConfigError: when the bytes are not whole samples, the file cannot be written, or its name is that of another kind.
    """
    content = wav_bytes(pcm, rate, channels)
    if hasattr(path, "write"):
        _write(path, content)
        return
    name = file_path(path, "path")
    check_wav_name(name)
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{name!r} cannot be written: {error.strerror or error}") from error


def check_wav_name(name: str) -> None:
    """Raises ConfigError for the name of another kind of file, such as ``.mp3``."""
    if Path(name).suffix.lower() in OTHER_KINDS:
        raise ConfigError(f"{name!r} would hold a WAV file: name it .wav; others are made of it, as by ffmpeg -i in.wav {name!r}")


def _write(file: Any, content: bytes) -> None:
    try:
        file.write(content)
    except TypeError as error:
        raise ConfigError("must be a file opened for bytes, with 'wb', not for text", "path") from error
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ConfigError(f"the {type(file).__name__} cannot be written: {error}") from error
