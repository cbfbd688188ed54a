"""What ``stream_audio`` takes: sound whole or in pieces, bare or with its header, made into chunks of 16 kHz mono."""

from __future__ import annotations

import array
import base64
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from genai_live._streaming.sound_source import open_source
from genai_live.audio import Audio
from genai_live.errors import ConfigError
from genai_live.types import Blob

CHUNK = bytes(range(256)) * 5
"""40 ms at 16 kHz."""


def pcm(source: Any, rate: int = 16_000) -> bytes:
    """All that is sent of a source."""
    return b"".join(open_source(source, rate, 40).chunks)


WAV = Audio(CHUNK * 3, 16_000).wav_bytes()
IN_PIECES: dict[str, Callable[[], Any]] = {
    "a WAV file as bytes": lambda: WAV,
    "a WAV file in memory": lambda: io.BytesIO(WAV),
    "a WAV file in pieces": lambda: (WAV[at : at + 1_000] for at in range(0, len(WAV), 1_000)),
    "a WAV file byte by byte": lambda: (WAV[at : at + 1] for at in range(len(WAV))),
    "a WAV file that was piped, in pieces": lambda: iter([WAV[:40] + b"\xff\xff\xff\xff", WAV[44:]]),
    "a WAV file of unknown length, in pieces": lambda: iter([WAV[:40] + bytes(4), WAV[44:]]),
    "a WAV file and what stands behind it, in pieces": lambda: iter([WAV, b"LIST\4\0\0\0INFO"]),
    "several WAV files, one behind the other": lambda: iter([Audio(CHUNK, 16_000).wav_bytes()] * 3),
    "a list of WAV files": lambda: [Audio(CHUNK, 16_000).wav_bytes()] * 3,
    "pieces that are Audio": lambda: iter([Audio(CHUNK, 16_000)] * 3),
    "Audio among bytes": lambda: [CHUNK, Audio(CHUNK, 16_000), array.array("h", CHUNK)],
    "samples in memory": lambda: io.BytesIO(CHUNK * 3),
    "an array of samples": lambda: array.array("h", CHUNK * 3),
    "a list of arrays": lambda: [memoryview(CHUNK).cast("h")] * 3,
    "a Blob": lambda: Blob(data=CHUNK * 3, mime_type="audio/pcm;rate=16000"),
    "a Blob of a WAV file": lambda: Blob(data=WAV, mime_type="audio/wav"),
    "Blobs, as a session gives them": lambda: iter([Blob(data=CHUNK, mime_type="audio/pcm;rate=16000")] * 3),
    "dicts with base64": lambda: [{"data": base64.b64encode(CHUNK * 3).decode(), "mimeType": "audio/pcm"}],
    "pieces of few bytes": lambda: iter([CHUNK[:5], CHUNK[5:7], CHUNK[7:] + CHUNK * 2]),
}


@pytest.mark.parametrize("name", IN_PIECES)
def test_sound_is_sent_whole_in_whatever_pieces_it_comes(name: str) -> None:
    assert pcm(IN_PIECES[name]()) == CHUNK * 3


def test_a_few_bytes_are_sound_too() -> None:
    assert pcm(iter([b"\1\2"])) == b"\1\2"


def test_a_pipe_is_sent_as_it_comes_and_a_program_may_write_its_wav_header_there() -> None:
    script = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    for content in (CHUNK * 3, WAV):
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            assert program.stdin is not None
            program.stdin.write(content)
            program.stdin.close()
            assert pcm(program.stdout) == CHUNK * 3


def test_pieces_of_other_rates_and_channels_are_converted_each_by_its_own() -> None:
    pytest.importorskip("numpy", reason="numpy is not installed")
    second = Audio(bytes(2 * 48_000), 48_000)
    stereo = Audio(bytes(4 * 24_000), 24_000, 2)
    for source in (
        iter([second, stereo]),
        [second, stereo],
        iter([second.wav_bytes(), stereo.wav_bytes()]),
        [Blob(data=second.data, mime_type="audio/pcm;rate=48000"), {"data": stereo.wav_bytes(), "mime_type": "audio/wav"}],
        iter([second[:24_000], second[24_000:].wav_bytes(), stereo[:1], stereo[1:]]),
    ):
        assert len(pcm(source, rate=8_000)) == 2 * 2 * 16_000


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([CHUNK, WAV[:20]], "ended within its header"),
        ([WAV[:20]], "ended within its header"),
        ([WAV[:500]], "ended 3384 bytes before the end of its sound"),
        ([b"RIFF\0\0\0\0WAVE" + b"LIST\xff\xff\0\0" * 200_000], "no sound in its first 1048576 bytes"),
        ([b"fLaC" + bytes(100)], "are a FLAC file with its header"),
        ([CHUNK, "text"], "not as str"),
        ([CHUNK, [0.5]], r"not as list; a list of samples becomes array\.array\('h', samples\)"),
        ([1, 2], r"not as int; a list of samples becomes array\.array\('h', samples\)"),
        ([{"data": CHUNK}], r"source\.mime_type: must be of audio, such as 'audio/pcm;rate=16000', not None"),
        ([{"data": CHUNK, "mime_type": "audio/ogg"}], r"source\.data: is 'audio/ogg', and a stream is made of PCM"),
        ([{"date": CHUNK, "mime_type": "audio/pcm"}], r"source\.date: unknown key"),
        ([CHUNK, array.array("f", [0.5])], r"pass \(numpy.asarray\(x\) \* 32767\)"),
    ],
)
def test_pieces_that_are_no_sound_or_end_too_early_are_told(pieces: list[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        pcm(iter(pieces))


def test_a_file_of_samples_knows_its_length_and_a_pipe_does_not() -> None:
    assert open_source(io.BytesIO(CHUNK), 16_000, 40).seconds == 0.04
    assert open_source(iter([CHUNK]), 16_000, 40).seconds is None


def test_a_rate_that_cannot_be_converted_is_told_before_anything_is_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)

    def never() -> Any:
        raise AssertionError("it was pulled")
        yield b""

    with pytest.raises(ConfigError, match="needs the package numpy"):
        open_source(never(), 48_000, 40)
