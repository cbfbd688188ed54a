"""Which kind of file some bytes are the beginning of. Pure: any thread, never blocks."""

from __future__ import annotations

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
    b"MThd": "a MIDI file",
}  # fmt: skip
"""By the first four bytes. MP3 without a tag begins with 12 bits that sound may have too, so it is not recognised here."""

FILE_BEGINNINGS = frozenset((*WAV_MAGIC, *_KINDS))
"""The first four bytes that bare samples do not have: in a session that speaks for years they may, once."""


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
    return _KINDS.get(data[:4])
