"""Which kind of file some bytes are the beginning of. Pure: any thread, never blocks."""

from __future__ import annotations

import re

WAV_MAGIC = (b"RIFF", b"RF64", b"BW64")
"""The first four bytes of a WAV file; the second and third are those of files above 4 GB (EBU Tech 3306, ITU-R BS.2088)."""

WAV_FILE = "a WAV file"
TELLING = 12
"""Bytes that show whether it is a file or bare samples."""
_WAVE_AT = slice(8, 12)
_FTYP_AT = slice(4, 8)
_KINDS: dict[bytes, str] = {
    b"ID3\x02": "an MP3 file", b"ID3\x03": "an MP3 file", b"ID3\x04": "an MP3 file", b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file", b"\x1aE\xdf\xa3": "a WebM file", b"FORM": "an AIFF file", b"RIFX": "a big-endian WAV file (RIFX)",
    b"riff": "a Wave64 file", b"caff": "a Core Audio file", b".snd": "a Sun audio file", b"#!AM": "an AMR file",
    b"MThd": "a MIDI file", b"0&\xb2u": "a Windows Media file",
}  # fmt: skip
"""By the first four bytes."""
TEXT = "text"
_LETTERS = rb"[\t\n\r -~]{64}"
_looks_like_text = re.compile(_LETTERS).match
_TEXT_BYTES, _DIFFERENT = 64, 20
"""Letters at the beginning of a text, and how many different ones: base64 and pages of errors have more, a tone made of two
bytes less. Samples of two letters each would be a roar of 8,000 to 32,000, all above zero."""
_FRAMES = 3
"""Headers of frames, one where the other ends, that make MP3 and AAC: sound has the 12 bits of a single one now and then, too."""
_MP3_BITRATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Of layer III in kbit/s by the header's index: version 1, and the halves and quarters of its rates (ISO 11172-3, 13818-3)."""
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""In Hz, by the header's version."""

FILE_BEGINNINGS = frozenset((*WAV_MAGIC, *_KINDS))
"""The first four bytes that bare samples do not have: in a session that speaks for years they may, once."""
may_be_file = re.compile(rb"\xff[\xe2\xe3\xf0-\xf3\xf8-\xfb]|....ftyp|" + _LETTERS, re.DOTALL).match
"""A quick look at what does not begin so, for sound that is sent many times a second: frames, MP4, text."""


def is_wav(data: bytes) -> bool:
    """True for the beginning of a WAV file, with 12 bytes of it at hand."""
    return data.startswith(WAV_MAGIC) and data[_WAVE_AT] == b"WAVE"


def kind_of_file(data: bytes) -> str | None:
    """The kind of file that begins so; None for bare samples."""
    if is_wav(data):
        return WAV_FILE
    if len(data) < TELLING:
        return None
    if data[_FTYP_AT] == b"ftyp":
        return "an MP4 file"
    if data[:4] in WAV_MAGIC:
        return f"a RIFF file of {data[_WAVE_AT].decode('latin-1')!r}"
    return _KINDS.get(data[:4]) or _kind_of_frames(data) or (TEXT if _is_text(data) else None)


def cure_of(kind: str) -> str:
    """What to do with a file of this kind, other than WAV, where bare samples belong."""
    return "decode its base64 first, or send it as text" if kind == TEXT else "decode it first, for example with ffmpeg"


def _is_text(data: bytes) -> bool:
    return _looks_like_text(data) is not None and len(set(data[:_TEXT_BYTES])) >= _DIFFERENT


def _kind_of_frames(data: bytes) -> str | None:
    """MP3 or AAC without anything before its frames."""
    if data[:1] != b"\xff":
        return None
    for kind, size_at in (("an MP3 file", _mp3_frame), ("an AAC file", _aac_frame)):
        at, frames = 0, 0
        while frames < _FRAMES and at < len(data) and (size := size_at(data, at)):
            at, frames = at + size, frames + 1
        if frames == _FRAMES or (frames and at == len(data)):
            return kind
    return None


def _mp3_frame(data: bytes, at: int) -> int:
    """Bytes of the frame of layer III that begins there; 0 for none."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in _MP3_RATES or bitrate == 0xF or not bitrate or rate == 3:
        return 0
    per_frame = 144_000 if version == 3 else 72_000
    return per_frame * _MP3_BITRATES[version or 2][bitrate] // _MP3_RATES[version][rate] + (head[2] >> 1 & 1)


def _aac_frame(data: bytes, at: int) -> int:
    """Bytes of the ADTS frame that begins there; 0 for none."""
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > len(head) else 0
