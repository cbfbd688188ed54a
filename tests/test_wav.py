"""WAV files of every encoding, with every header that programs leave behind: read, or refused with the true cure."""

from __future__ import annotations

import base64
import io
import math
import random
import struct
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genai_live.audio import Audio, encodings, read_wav, write_wav
from genai_live.audio.containers import FILE_BEGINNINGS, kind_of_file, may_be_file
from genai_live.errors import ConfigError

RATE = 16_000
SAMPLES = np.array([round(9_000 * math.sin(n / 8)) for n in range(RATE // 10)], "<i2")
PCM = SAMPLES.tobytes()
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def header(tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, extra: bytes = b"") -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + extra


def extensible(tag: int, bits: int) -> bytes:
    return header(0xFFFE, bits=bits, extra=struct.pack("<HHIH", 22, bits, 4, tag) + GUID_TAIL)


def chunk(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return kind + struct.pack("<I", len(content) if size is None else size) + content


def riff(
    fmt: bytes, data: bytes, size: int | None = None, before: bytes = b"", after: bytes = b"", magic: bytes = b"RIFF"
) -> bytes:
    body = b"WAVE" + chunk(b"fmt ", fmt) + before + chunk(b"data", data, size) + after
    return chunk(magic, body, 0 if size == 0 else min(len(body), size or len(body)))


def near(sound: Audio, expected: Any = SAMPLES, within: int = 1) -> bool:
    return len(sound) == len(expected) and int(np.abs(np.asarray(sound).astype(int) - np.asarray(expected)).max()) <= within


# Encodings.

FULL = SAMPLES.astype(np.int64) << 16
ENCODINGS: dict[str, tuple[bytes, int]] = {
    "16 bits": (riff(header(), PCM), 0),
    "16 bits, extensible": (riff(extensible(1, 16), PCM), 0),
    "24 bits": (riff(header(bits=24), b"".join(struct.pack("<i", s)[1:] for s in FULL.tolist())), 0),
    "24 bits, extensible": (riff(extensible(1, 24), b"".join(struct.pack("<i", s)[1:] for s in FULL.tolist())), 0),
    "32 bits": (riff(header(bits=32), FULL.astype("<i4").tobytes()), 0),
    "8 bits": (riff(header(bits=8), ((SAMPLES >> 8) + 128).astype(np.uint8).tobytes()), 255),
    "float 32": (riff(header(3, bits=32), (SAMPLES / 32_768).astype("<f4").tobytes()), 0),
    "float 64": (riff(header(3, bits=64), (SAMPLES / 32_768).astype("<f8").tobytes()), 0),
    "float, extensible": (riff(extensible(3, 32), (SAMPLES / 32_768).astype("<f4").tobytes()), 0),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_the_same_sound(name: str) -> None:
    content, within = ENCODINGS[name]
    sound = Audio.load(io.BytesIO(content))
    assert (sound.rate, sound.channels) == (RATE, 1)
    assert near(sound, within=within)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_what_the_standard_library_writes_is_read(width: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((2, width, 22_050, 0, "NONE", ""))
        written.writeframes(bytes(range(8)) * width * 2)
    sound = Audio.load(io.BytesIO(file.getvalue()))
    assert (sound.rate, sound.channels, len(sound)) == (22_050, 2, 8)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the standard library has had no audioop since Python 3.13")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_telephone_sound_and_wide_samples_are_decoded_as_the_standard_library_did() -> None:
    import audioop

    every_code = bytes(range(256))
    assert encodings.from_mu_law(every_code) == audioop.ulaw2lin(every_code, 2)
    assert encodings.from_a_law(every_code) == audioop.alaw2lin(every_code, 2)
    noise = random.Random(1).randbytes(1_200)
    for width in (3, 4):
        assert encodings.from_wide_integers(noise, width) == audioop.lin2lin(noise, width, 2)
    assert encodings.from_8_bits(noise) == audioop.lin2lin(audioop.bias(noise, 1, -128), 1, 2)


def test_telephone_sound_has_the_values_of_the_recommendation() -> None:
    """ITU-T G.711, the ends and the middle of its tables."""
    assert struct.unpack("<4h", encodings.from_mu_law(b"\x00\x80\x7f\xff")) == (-32_124, 32_124, 0, 0)
    assert struct.unpack("<4h", encodings.from_a_law(b"\x2a\xaa\x55\xd5")) == (-32_256, 32_256, -8, 8)
    for tag, quiet in ((7, b"\xff"), (6, b"\xd5")):
        sound = Audio.load(io.BytesIO(riff(header(tag, rate=8_000, bits=8, extra=b"\0\0"), quiet * 800)))
        assert (sound.rate, sound.seconds) == (8_000, 0.1)
        assert sound.level < -70


def test_every_code_of_mu_law_comes_back_from_its_sample() -> None:
    every_code = bytes(code for code in range(256) if code != 0x7F)  # minus nothing, which is nothing
    assert encodings.to_mu_law(encodings.from_mu_law(every_code)) == every_code


def test_mu_law_is_never_farther_from_a_sample_than_its_step() -> None:
    samples = np.arange(-32_124, 32_125, 7).astype("<i2")
    heard = np.frombuffer(encodings.from_mu_law(encodings.to_mu_law(samples.tobytes())), "<i2")
    distance = np.abs(samples.astype(int) - heard)
    assert (distance <= np.maximum(8, np.abs(samples.astype(int)) // 16)).all()


def test_floating_point_beyond_full_scale_is_cut_and_not_wrapped() -> None:
    assert struct.unpack("<3h", encodings.from_floats(struct.pack("<3f", 1.5, -1.5, 1.0), 4)) == (32_767, -32_768, 32_767)
    assert encodings.from_floats(b"", 4) == b""


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (20_000.0, r"go from -1 to 1, and here from 0 to 20000: scale them first, as ffmpeg's -af volume=5e-05 does"),
        (float("nan"), "infinite or no numbers"),
        (float("inf"), "infinite or no numbers"),
        (-float("inf"), "infinite or no numbers"),
    ],
)
def test_floating_point_of_another_scale_is_refused(number: float, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^the BytesIO: .*{words}"):
        Audio.load(io.BytesIO(riff(header(3, bits=32), struct.pack("<4f", 0.0, number, 0.5, 0.0))))


@pytest.mark.parametrize(
    ("fmt", "words"),
    [
        (header(2, bits=4), r"compressed sound \(0x0002\)"),
        (header(0x11, bits=4), "compressed"),
        (header(0x55, bits=0), "compressed"),
        (header(1, bits=64), "64-bit samples"),
        (header(3, bits=16), "16-bit floats"),
        (header(1, channels=0), "0 channels at 16000 Hz"),
        (header(1, rate=0), "1 channels at 0 Hz"),
        (header(1, rate=16), "positive whole number of samples a second"),
        (struct.pack("<HHIIHH", 1, 1, RATE, RATE * 4, 4, 24), "1 x 24 bits take 4 bytes, which is unclear"),
    ],
)
def test_what_no_sound_here_can_be_is_refused(fmt: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Audio.load(io.BytesIO(riff(fmt, bytes(96))))


def test_the_cure_for_an_unknown_encoding_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "my recording.wav"
    path.write_bytes(riff(header(2, bits=4), bytes(96)))
    with pytest.raises(ConfigError) as caught:
        Audio.load(path)
    assert f"ffmpeg -i '{path}' -c:a pcm_s16le converted.wav" in str(caught.value)


# Headers.

LIST = chunk(b"LIST", b"INFOx")
DS64 = chunk(b"ds64", struct.pack("<QQQI", 36 + len(PCM), len(PCM), len(SAMPLES), 0))
HEADERS: dict[str, bytes] = {
    "size 0, as of a program that was killed": riff(header(), PCM, size=0),
    "size 0xFFFFFFFF, as of ffmpeg": riff(header(), PCM, size=0xFFFFFFFF),
    "size 0x7FFFFFFF": riff(header(), PCM, size=0x7FFFFFFF),
    "size 0x7FFFF000, as of sox": riff(header(), PCM, size=0x7FFFF000),
    "size 0x80000000, as of arecord": riff(header(), PCM, size=0x80000000),
    "size 2,000,000,000, as of services that speak": riff(header(), PCM, size=2_000_000_000),
    "RF64": riff(header(), PCM, size=0xFFFFFFFF, before=DS64, magic=b"RF64"),
    "BW64": riff(header(), PCM, size=0xFFFFFFFF, before=DS64, magic=b"BW64"),
    "RF64 without a length": riff(header(), PCM, size=0xFFFFFFFF, before=chunk(b"ds64", bytes(28)), magic=b"RF64"),
    "a chunk before": riff(header(), PCM, before=LIST + b"\0"),
    "an odd chunk without its padding": riff(header(), PCM, before=LIST),
    "a chunk behind": riff(header(), PCM, after=LIST + b"\0"),
    "chunks that nobody knows behind": riff(header(), PCM, after=chunk(b"myTG", bytes(5_000))),
    "padding behind": riff(header(), PCM) + bytes(5_000),
    "a tag behind": riff(header(), PCM) + b"TAG" + b"\xff" * 125,
    "one byte too many": riff(header(), PCM + b"x"),
    "sound in two chunks": riff(header(), PCM[:1_000], after=chunk(b"data", PCM[1_000:])),
    "two files joined": riff(header(), PCM[:1_000]) + riff(header(), PCM[1_000:]),
    "two files joined that were piped": riff(header(), PCM[:1_000], size=0xFFFFFFFF) + riff(header(), PCM[1_000:], size=0),
}


@pytest.mark.parametrize("name", HEADERS)
def test_whatever_the_header_says_the_sound_is_whole(name: str) -> None:
    assert Audio.load(HEADERS[name]).data == PCM


def test_a_file_without_sound_has_no_sound() -> None:
    assert Audio.load(riff(header(), b"")).data == b""
    assert Audio.load(riff(header(), b"", after=LIST + b"\0")).data == b""


REFUSED: dict[str, tuple[bytes, str]] = {
    "cut off": (riff(header(), PCM)[:2_000], r"truncated.*3200 bytes of sound are announced and 1956 are there; .*ffmpeg"),
    "a header from an earlier time": (
        riff(header(), PCM, size=400),
        r"announces 400 bytes.*and 2800 more follow.*-ignore_length 1",
    ),
    "joined files of two rates": (riff(header(), PCM) + riff(header(rate=24_000), PCM), "sounds of several formats"),
    "sound before its format": (chunk(b"RIFF", b"WAVE" + chunk(b"data", PCM)), "no format before its data"),
    "no sound": (chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", header())), "no format or no data"),
    "a short format": (chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", header()[:10]) + chunk(b"data", PCM)), "its format is cut off"),
    "empty": (b"", "it is empty"),
    "AIFF": (b"FORM\0\0\0\x2eAIFFCOMM", "not a WAV file, but an AIFF file; .*ffmpeg"),
    "FLAC": (b"fLaC" + bytes(40), "but a FLAC file"),
    "MP3": (b"ID3\x04" + bytes(40), "but an MP3 file"),
    "Ogg": (b"OggS" + bytes(40), "but an Ogg file"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(40), "but a WebM file"),
    "M4A": (b"\0\0\0\x20ftypM4A ", "but an MP4 file"),
    "big-endian": (b"RIFX" + bytes(40), r"but a big-endian WAV file \(RIFX\)"),
    "no kind of file": (bytes(400), "does not begin with RIFF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_whole_is_refused_with_the_reason(name: str) -> None:
    content, words = REFUSED[name]
    with pytest.raises(ConfigError, match=words):
        Audio.load(io.BytesIO(content))


# Files in every form.


def test_a_file_is_read_from_its_path_opened_or_as_bytes(tmp_path: Path) -> None:
    path = Audio(PCM, RATE).save(tmp_path / "x.wav")
    with path.open("rb") as file:
        assert Audio.load(file) == Audio(PCM, RATE)
    for source in (path, str(path), path.read_bytes(), memoryview(path.read_bytes()), io.BytesIO(path.read_bytes())):
        assert read_wav(source) == (PCM, RATE, 1)


def test_a_file_is_written_to_its_path_or_opened(tmp_path: Path) -> None:
    sound, memory = Audio(PCM, 24_000), io.BytesIO()
    sound.save(memory)
    with (tmp_path / "x.wav").open("wb") as file:
        write_wav(file, PCM, 24_000)
    assert memory.getvalue() == sound.wav_bytes() == (tmp_path / "x.wav").read_bytes()
    with wave.open(io.BytesIO(sound.wav_bytes())) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, 24_000)
        assert read.readframes(read.getnframes()) == PCM


def test_a_file_opened_for_text_or_closed_is_refused(tmp_path: Path) -> None:
    path = Audio(PCM, RATE).save(tmp_path / "x.wav")
    with path.open(encoding="latin-1") as text, pytest.raises(ConfigError, match="opened for bytes, with 'rb'"):
        Audio.load(text)  # type: ignore[call-overload, arg-type]
    with (tmp_path / "y").open("w") as text, pytest.raises(ConfigError, match="opened for bytes, with 'wb'"):
        Audio(PCM, RATE).save(text)  # type: ignore[call-overload]
    closed = io.BytesIO()
    closed.close()
    for call in (lambda: Audio.load(closed), lambda: Audio(PCM, RATE).save(closed)):
        with pytest.raises(ConfigError, match=r"BytesIO cannot be .*closed"):
            call()


def test_sound_that_no_wav_file_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_live.audio.wav._LARGEST_FILE", 1_000)
    with pytest.raises(ConfigError, match="more than a WAV file can hold"):
        Audio(PCM, RATE).wav_bytes()


# Files of other kinds, by their beginning alone.


def adts(size: int) -> bytes:
    return bytes((0xFF, 0xF1, 0x50, 0x80 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC)) + bytes(size - 7)


BEGINNINGS: list[tuple[str, bytes, str]] = [
    ("MP3, 128 kbit/s, 44.1 kHz", (b"\xff\xfb\x90\x64" + bytes(413)) * 3, "an MP3 file"),
    ("MP3, padded", b"\xff\xfb\x92\x64" + bytes(414) + (b"\xff\xfb\x90\x64" + bytes(413)) * 2, "an MP3 file"),
    ("MP3, 64 kbit/s, 24 kHz", (b"\xff\xf3\x84\xc4" + bytes(188)) * 4, "an MP3 file"),
    ("MP3 of one frame", b"\xff\xfb\x90\x64" + bytes(413), "an MP3 file"),
    ("AAC", adts(200) + adts(317) + adts(90), "an AAC file"),
    ("MP4", b"\0\0\0\x20ftypM4A " + bytes(20), "an MP4 file"),
    ("Windows Media", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "a Windows Media file"),
    ("AVI", b"RIFF\0\0\0\0AVI LIST", "a RIFF file of 'AVI '"),
    ("base64", base64.b64encode(riff(header(), PCM)), "text"),
    ("an error", b'{"error": {"code": 404, "message": "The requested voice was not found."}}', "text"),
    ("a page", b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>", "text"),
]


@pytest.mark.parametrize(("data", "kind"), [row[1:] for row in BEGINNINGS], ids=[row[0] for row in BEGINNINGS])
def test_what_is_no_sound_is_known_by_its_beginning(data: bytes, kind: str) -> None:
    assert kind_of_file(data) == kind
    assert data[:4] in FILE_BEGINNINGS or may_be_file(data)


def test_sound_is_taken_for_no_file_however_quiet_or_loud() -> None:
    noise = np.random.default_rng(1)
    for level in (1, 2, 30, 300, 1_000, 3_000, 12_000):
        sound = noise.normal(0, level, 400_000).clip(-32_768, 32_767).astype("<i2").tobytes()
        found = {kind_of_file(sound[at : at + 1_280]) for at in range(0, len(sound), 1_280)}
        found |= {kind_of_file(sound[at : at + 1_280]) for at in range(len(sound) - 1_280) if sound[at] == 0xFF and not at % 2}
        assert found == {None}
    assert kind_of_file(bytes(1_280)) is kind_of_file(b"\xff" * 1_280) is kind_of_file(b"ab" * 640) is None
