"""Sound: samples, levels, chunks, WAV files, conversion and pacing; nothing here needs a session or a clock."""

from __future__ import annotations

import array
import base64
import itertools
import math
import re
import struct
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genai_live._extras import installing
from genai_live.audio import (
    SILENCE_DBFS,
    Audio,
    Pacer,
    Resampler,
    channels_of,
    chunks,
    level_dbfs,
    mime_type_of,
    pcm,
    rate_of,
    to_input,
    to_mono,
    write_wav,
)
from genai_live.errors import ConfigError


def tone(seconds: float, rate: int = 16_000, hertz: float = 440, amplitude: float = 0.5, channels: int = 1) -> bytes:
    """A sine wave, the same in every channel."""
    frames = (round(amplitude * 32_767 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(round(seconds * rate)))
    return pcm.pcm_of(array.array("h", (sample for frame in frames for sample in [frame] * channels)))


def wav_file(
    path: Path, *, tag: int = 1, bits: int = 16, data: bytes = b"\0\0" * 100, announced: int | None = None, extra: bytes = b""
) -> Path:
    """A mono WAV file at 16 kHz written byte by byte, so that it can be wrong."""
    fmt = struct.pack("<HHIIHH", tag, 1, 16_000, 16_000 * bits // 8, bits // 8, bits) + extra
    size = len(data) if announced is None else announced
    chunk = struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + struct.pack("<4sI", b"data", size) + data
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", (4 + len(chunk)) & 0xFFFFFFFF, b"WAVE") + chunk)
    return path


# What is not sound

NOTHINGS = [None, 5, 1.5, True, "text", [1], {"a": 1}, object(), print]
DOORS: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
    "pcm": (level_dbfs, NOTHINGS),
    "pcm of chunks": (chunks, [None, 5, 1.5, True, print]),
    "mime_type": (rate_of, [None, 5, b"audio/pcm", ["audio/pcm"]]),
    "mime_type of channels": (channels_of, [None, 5, b"audio/pcm"]),
    "rate": (mime_type_of, [None, "16000", 0, True, 1e4, 10**400]),
    "rate by default": (lambda value: rate_of("audio/pcm", value), ["16000", 0]),
    "channels": (lambda value: mime_type_of(16_000, value), [None, "2", 0, True, 2.0, 10**400]),
    "channels of chunks": (lambda value: chunks(b"", 16_000, 40, value), [0, -1, None, 1.5]),
    "audio": (to_mono, NOTHINGS),
    "rate of a resampler": (Resampler, [1.5, float("nan"), float("inf"), 0, None, 10**400]),
    "rate of a pacer": (Pacer, [0, None, "16000", float("nan")]),
    "path": (Audio.load, [None, 5, 1.5, True, [1], object(), "nul\0", "\ud800"]),
    "path to save": (Audio(b"", 16_000).save, [None, 5, 1.5, True, "nul\0"]),
    "rate to save": (lambda value: write_wav("never.wav", b"", value), [None, "x", -1, 2**32]),
    "channels to save": (lambda value: write_wav("never.wav", b"", 16_000, value), [None, 0, 2**15]),
    "pcm to save": (lambda value: write_wav("never.wav", value, 16_000), NOTHINGS),
}


@pytest.mark.parametrize("name", DOORS)
def test_what_is_no_sound_or_no_number_is_refused_by_the_arguments_name(name: str) -> None:
    call, wrong = DOORS[name]
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"^{name.partition(' ')[0]}: "):
            call(value)


# Levels


def test_a_sine_at_full_scale_has_minus_three_dbfs_and_half_of_it_six_less() -> None:
    assert level_dbfs(tone(1.0, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(tone(1.0, amplitude=0.5)) == pytest.approx(-9.03, abs=0.01)


def test_a_square_wave_at_full_scale_has_zero_dbfs() -> None:
    assert level_dbfs(struct.pack("<hh", -32_768, -32_768)) == 0.0


@pytest.mark.parametrize("silence", [b"", bytes(1_280)])
def test_silence_has_a_finite_level(silence: bytes) -> None:
    assert level_dbfs(silence) == SILENCE_DBFS


def test_the_level_of_a_long_recording_is_that_of_its_parts() -> None:
    assert level_dbfs(tone(3.0)) == pytest.approx(level_dbfs(tone(0.1)), abs=0.01)


def test_half_a_sample_has_no_level() -> None:
    with pytest.raises(ConfigError, match="odd"):
        level_dbfs(b"\0\0\0")


# MIME types


@pytest.mark.parametrize(
    ("mime_type", "rate", "channels"),
    [
        ("audio/pcm;rate=24000", 24_000, 1),
        ("audio/pcm; rate=16000", 16_000, 1),
        ("AUDIO/PCM;RATE=8000", 8_000, 1),
        ("audio/pcm", 24_000, 1),
        ("audio/l16;rate=48000;channels=2", 48_000, 2),
        ('audio/pcm;codec=x;rate="44100"', 44_100, 1),
    ],
)
def test_a_mime_type_says_rate_and_channels(mime_type: str, rate: int, channels: int) -> None:
    assert (rate_of(mime_type), channels_of(mime_type)) == (rate, channels)


def test_the_rate_of_input_without_one_is_what_the_caller_says() -> None:
    assert rate_of("audio/pcm", default=16_000) == 16_000


@pytest.mark.parametrize(
    "mime_type", ["image/png", "", "audio/pcm;rate=fast", "audio/pcm;rate=0", "audio/pcm;rate=-1", "audio/pcm;rate="]
)
def test_a_mime_type_that_is_not_of_audio_or_has_no_usable_rate_is_refused(mime_type: str) -> None:
    with pytest.raises(ConfigError):
        rate_of(mime_type)


def test_the_mime_type_that_is_written_is_read_back() -> None:
    assert rate_of(mime_type_of(22_050)) == 22_050
    assert channels_of(mime_type_of(48_000, 2)) == 2


# Chunks


def test_pcm_is_cut_into_chunks_of_the_asked_length_and_a_rest() -> None:
    data = tone(0.1)
    cut = list(chunks(data, rate=16_000, chunk_ms=40))
    assert [len(chunk) for chunk in cut] == [1_280, 1_280, 640]
    assert b"".join(cut) == data


@pytest.mark.parametrize("piece", [1, 3, 1_279, 1_280, 1_281, 5_000])
def test_pieces_of_any_size_become_the_same_chunks(piece: int) -> None:
    data = tone(0.5)
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    assert list(chunks(iter(pieces))) == list(chunks(data))


def test_a_chunk_of_stereo_holds_whole_samples_of_both_channels() -> None:
    assert [len(chunk) for chunk in chunks(bytes(4 * 441), rate=22_050, chunk_ms=20, channels=2)] == [4 * 441]


def test_a_rate_that_does_not_divide_evenly_still_gives_whole_samples() -> None:
    assert {len(chunk) % 2 for chunk in chunks(bytes(2 * 11_025), rate=11_025, chunk_ms=25)} == {0}


def test_memoryviews_and_bytearrays_are_taken_and_come_out_as_bytes() -> None:
    cut = list(chunks([memoryview(bytes(1_280)), bytearray(1_280)]))
    assert cut == [bytes(1_280)] * 2
    assert {type(chunk) for chunk in cut} == {bytes}


def test_a_chunk_that_was_handed_out_does_not_change_with_the_callers_buffer() -> None:
    buffer = bytearray(1_280)
    first = next(chunks([buffer]))
    buffer[:] = b"x" * 1_280
    assert first == bytes(1_280)


def test_no_sound_gives_no_chunk() -> None:
    assert list(chunks(b"")) == []
    assert list(chunks([])) == []
    assert list(chunks([b"", b""])) == []


def test_an_end_in_the_middle_of_a_sample_is_told_after_the_whole_chunks() -> None:
    cut = chunks([bytes(1_280), b"\0"])
    assert len(next(cut)) == 1_280
    with pytest.raises(ConfigError, match=r"middle of a sample.*1281 bytes"):
        next(cut)


@pytest.mark.parametrize("chunk_ms", [19, 101, 0, -40, "40", None, True, float("nan")])
def test_chunks_shorter_than_20_or_longer_than_100_ms_are_refused_at_once(chunk_ms: object) -> None:
    with pytest.raises(ConfigError, match="20 to 100 milliseconds"):
        chunks(b"", chunk_ms=chunk_ms)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, -1, 16_000.0, "16000", None, True])
def test_a_rate_that_is_not_a_positive_whole_number_is_refused_at_once(rate: object) -> None:
    with pytest.raises(ConfigError, match="rate: must be a positive whole number"):
        chunks(b"", rate=rate)  # type: ignore[arg-type]


def test_text_among_the_pieces_is_refused() -> None:
    with pytest.raises(ConfigError, match="not as str"):
        list(chunks(["AAAA"]))  # type: ignore[list-item]


def test_a_wav_file_given_as_pcm_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"Audio\.load"):
        list(chunks(b"RIFF\x24\0\0\0WAVEfmt "))


# WAV files and Audio


def test_a_saved_wav_is_what_the_standard_library_reads(tmp_path: Path) -> None:
    data = tone(0.25, rate=24_000)
    path = Audio(data, 24_000).save(tmp_path / "answer.wav")
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        assert file.readframes(file.getnframes()) == data


def test_a_wav_that_the_standard_library_wrote_is_loaded(tmp_path: Path) -> None:
    data = tone(0.1, rate=44_100, channels=2)
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        file.writeframes(data)
    assert Audio.load(tmp_path / "in.wav") == Audio(data, 44_100, 2)


def test_audio_knows_its_length_level_and_mime_type() -> None:
    audio = Audio(tone(1.5, rate=24_000, amplitude=1.0), 24_000)
    assert audio.seconds == 1.5
    assert audio.level == pytest.approx(-3.01, abs=0.01)
    assert audio.mime_type == "audio/pcm;rate=24000"
    assert repr(audio) == "Audio(1.50 s, 24000 Hz, mono)"
    assert Audio(bytes(4 * 48_000), 48_000, channels=2).seconds == 1.0


def test_audio_without_data_is_false_and_has_no_length() -> None:
    silence = Audio(b"", 24_000)
    assert not silence
    assert silence.seconds == 0


def test_audio_keeps_its_own_copy_of_a_buffer() -> None:
    buffer = bytearray(4)
    audio = Audio(buffer, 16_000)  # type: ignore[arg-type]
    buffer[0] = 1
    assert audio.data == bytes(4)
    assert hash(audio) == hash(Audio(bytes(4), 16_000))


def test_the_length_is_in_samples_and_slices_are_too() -> None:
    stereo = Audio(bytes(range(40)), 16_000, 2)
    assert len(stereo) == 10
    assert stereo[2:4] == Audio(bytes(range(8, 16)), 16_000, 2)
    assert stereo[-1:].data == bytes(range(36, 40))
    assert stereo[:5] + stereo[5:] == stereo == stereo[:]
    assert len(stereo[20:]) == 0
    for wrong in (3, slice(None, None, 2), "a"):
        with pytest.raises(TypeError, match="cut by slices of samples without a step"):
            stereo[wrong]  # type: ignore[index]
    with pytest.raises(TypeError, match="not iterable"):
        iter(stereo)  # type: ignore[call-overload]


def test_sound_is_joined_where_it_fits() -> None:
    first, second = Audio(b"\1\2", 24_000), Audio(b"\3\4", 24_000)
    assert first + second == Audio(b"\1\2\3\4", 24_000)
    assert sum([first, second], Audio(b"", 24_000)) == first + second
    for other in (Audio(b"", 16_000), Audio(b"", 24_000, 2)):
        with pytest.raises(ConfigError, match=r"convert one first, as other\.converted\(24000\) does"):
            first + other
        assert first + other.converted(24_000) == first
    with pytest.raises(TypeError, match="unsupported operand"):
        first + b"\3\4"  # type: ignore[operator]


def test_numpy_sees_its_samples() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    samples = np.asarray(Audio(b"\1\0\xff\xff", 16_000))
    assert samples.dtype == np.int16
    assert samples.tolist() == [1, -1]
    assert np.asarray(Audio(bytes(range(8)), 16_000, 2)).shape == (2, 2)
    assert np.array(Audio(b"\1\0", 16_000), dtype=float).tolist() == [1.0]
    copied = np.array(Audio(b"\1\0", 16_000))
    copied[0] = 7
    assert (np.asarray(Audio(b"", 16_000)).shape, copied.tolist()) == ((0,), [7])
    assert Audio(np.asarray(Audio(tone(0.1), 16_000)), 16_000) == Audio(tone(0.1), 16_000)


def test_numpy_gets_no_copy_where_it_asks_for_none() -> None:
    sound = Audio(b"\1\0", 16_000)
    assert not sound.__array__(copy=False).flags.writeable
    assert sound.__array__(copy=True).flags.writeable
    with pytest.raises(ValueError, match="Audio is int16, and float32 takes a copy"):
        sound.__array__("float32", copy=False)


def test_it_goes_through_json_and_comes_back() -> None:
    sound = Audio(tone(0.01), 24_000, 2)
    assert sound.to_dict() == {"data": base64.b64encode(sound.data).decode(), "rate": 24_000, "channels": 2}
    assert Audio.from_dict(sound.to_dict()) == Audio.from_json(sound.to_json(indent=1)) == sound
    assert Audio.from_dict({"data": b"\1\2", "rate": 8_000}) == Audio(b"\1\2", 8_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1], "Audio: must be a dict of data, rate, channels, not list"),
        ({"data": "AAA="}, "Audio: a key is missing; it is a dict of data, rate, channels"),
        ({"data": "AAA=", "rate": 16_000, "volume": 1}, "Audio: unknown key 'volume'"),
        ({"data": "AA*=", "rate": 16_000}, "Audio.data: a str is taken as base64, and this one is not"),
        ({"data": None, "rate": 16_000}, "Audio holds bytes of 16-bit PCM, not NoneType"),
        ({"data": "AA==", "rate": 16_000}, "1 bytes are not whole"),
        ({"data": "AAA=", "rate": "16000"}, "rate: must be a positive whole number"),
    ],
)
def test_a_dict_of_something_else_is_refused(data: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        Audio.from_dict(data)


@pytest.mark.parametrize(
    ("data", "rate", "channels"),
    [(b"\0", 16_000, 1), (b"\0\0", 16_000, 2), ("text", 16_000, 1), (b"", 0, 1), (b"", 16_000, 0), (b"", 16_000, True)],
)
def test_audio_that_cannot_be_is_refused(data: object, rate: int, channels: int) -> None:
    with pytest.raises(ConfigError):
        Audio(data, rate, channels)  # type: ignore[arg-type]


def test_the_extensible_header_of_many_recorders_is_read(tmp_path: Path) -> None:
    extra = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    assert Audio.load(wav_file(tmp_path / "x.wav", tag=0xFFFE, extra=extra)).seconds == 100 / 16_000


@pytest.mark.parametrize("announced", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_piped_wav_file_of_unknown_length_is_read_to_its_end(tmp_path: Path, announced: int) -> None:
    assert len(Audio.load(wav_file(tmp_path / "x.wav", announced=announced, data=bytes(321))).data) == 320


def test_chunks_before_and_after_the_sound_are_skipped(tmp_path: Path) -> None:
    content = wav_file(tmp_path / "x.wav").read_bytes()
    note = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    (tmp_path / "x.wav").write_bytes(content[:12] + note + content[12:] + note)
    assert len(Audio.load(tmp_path / "x.wav").data) == 200


@pytest.mark.parametrize(
    ("tag", "bits", "reason"),
    [
        (1, 64, "64-bit"),
        (3, 16, "16-bit floats"),
        (2, 4, "compressed"),
        (0x55, 0, "compressed"),
    ],
)
def test_a_wav_of_other_samples_is_refused_with_a_way_out(tmp_path: Path, tag: int, bits: int, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        Audio.load(wav_file(tmp_path / "x.wav", tag=tag, bits=bits))
    assert "ffmpeg" in str(caught.value)
    assert "x.wav" in str(caught.value)


def test_a_truncated_wav_file_says_how_much_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"truncated.*1000 bytes of sound are announced and 200 are there"):
        Audio.load(wav_file(tmp_path / "x.wav", announced=1_000))


@pytest.mark.parametrize("length", [12, 20, 30, 40])
def test_a_wav_file_cut_in_its_header_is_told_as_truncated(tmp_path: Path, length: int) -> None:
    path = wav_file(tmp_path / "x.wav")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ConfigError, match="truncated"):
        Audio.load(path)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3\x04 an mp3", b"RIFF\0\0\0\0AVI LIST"])
def test_a_file_that_is_not_a_wav_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(ConfigError, match="is not a WAV file"):
        Audio.load(tmp_path / "x.wav")


def test_a_missing_file_and_a_directory_are_told_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.wav.*cannot be read: No such file"):
        Audio.load(tmp_path / "gone.wav")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Audio.load(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        Audio(b"", 16_000).save(tmp_path / "gone" / "x.wav")


# Conversion


def test_sound_that_is_already_16_khz_mono_is_left_alone() -> None:
    audio = Audio(tone(0.1), 16_000)
    assert to_input(audio) is audio


def test_stereo_becomes_the_mean_of_its_channels_without_any_extra() -> None:
    stereo = Audio(struct.pack("<6h", 100, 300, -32_768, -32_768, 32_767, 32_767), 16_000, channels=2)
    assert to_mono(stereo) == Audio(struct.pack("<3h", 200, -32_768, 32_767), 16_000)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_rate_becomes_16_khz_of_the_same_length_pitch_and_level(rate: int) -> None:
    pytest.importorskip("soxr")
    original = Audio(tone(1.0, rate=rate, channels=2), rate, channels=2)
    converted = to_input(original)
    samples = pcm.samples_of(converted.data)
    crossings = sum(1 for before, after in itertools.pairwise(samples) if before < 0 <= after)
    assert converted.rate == 16_000
    assert converted.seconds == pytest.approx(1.0, abs=0.002)
    assert converted.level == pytest.approx(original.level, abs=0.2)
    assert crossings == pytest.approx(440, abs=2)


def test_sound_converted_in_pieces_is_the_sound_converted_whole() -> None:
    pytest.importorskip("soxr")
    data = tone(0.5, rate=48_000)
    resampler = Resampler(48_000)
    pieces = [resampler.feed(piece) for piece in chunks(data, rate=48_000)]
    in_pieces = pcm.samples_of(b"".join(pieces) + resampler.flush())
    whole = pcm.samples_of(to_input(Audio(data, 48_000)).data)
    assert len(in_pieces) == len(whole)
    assert max(abs(a - b) for a, b in zip(in_pieces, whole, strict=True)) <= 2, "no more than the dither of 16 bits"


@pytest.mark.parametrize(("package", "rate"), [("numpy", 44_100), ("soxr", 44_101)])
def test_without_the_package_another_rate_is_refused_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, package: str, rate: int
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs the package {package}: {re.escape(installing('audio'))}"):
        to_input(Audio(tone(0.1, rate=rate), rate))


# Pacing


def test_each_chunk_is_due_a_multiple_of_its_length_after_the_first() -> None:
    pacer = Pacer(16_000)
    assert pacer.due(now=100.0) == 100.0
    assert [pacer.sent(640, now=100.0 + 0.04 * n) for n in range(3)] == pytest.approx([100.04, 100.08, 100.12])


def test_sixty_seconds_take_sixty_seconds_however_late_each_wake_up_is() -> None:
    """Every wake-up comes 3 ms late; counted from the piece before, 1,500 chunks would take 4.5 s too long."""
    pacer = Pacer(16_000)
    due = pacer.due(now=0.0)
    for _ in range(1_500):
        due = pacer.sent(640, now=due + 0.003)
    assert due == pytest.approx(60.003, abs=1e-6)


def test_a_short_stall_is_made_up_at_twice_real_time_and_not_in_a_burst() -> None:
    pacer = Pacer(16_000)
    due = pacer.sent(640, now=0.0)
    times = [due + 0.4]
    for _ in range(25):
        due = pacer.sent(640, now=times[-1])
        times.append(due)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) == pytest.approx(0.02)
    assert max(gaps) == pytest.approx(0.04)
    assert times[-1] == pytest.approx(26 * 0.04), "the schedule is met again"


def test_a_long_stall_moves_the_schedule() -> None:
    """A laptop that slept for an hour does not send that hour at double speed."""
    pacer = Pacer(16_000)
    pacer.sent(640, now=0.0)
    assert pacer.sent(640, now=3_600.0) == pytest.approx(3_600.04)


def test_the_schedule_follows_the_samples_and_not_the_number_of_chunks() -> None:
    """At 11,025 Hz a chunk of 40 ms has 441 samples, which is exact, and one of 25 ms has 275, which is not."""
    pacer = Pacer(11_025)
    pacer.due(now=0.0)
    assert pacer.sent(275, now=0.0) == pytest.approx(275 / 11_025)


def test_sounds_are_summed_and_nothing_else_is() -> None:
    one = Audio(b"\1\0", 16_000)
    assert sum([one, one]) == one + one == Audio(b"\1\0\1\0", 16_000)
    for other in (1, None, b"", 0.0):
        with pytest.raises(TypeError):
            other + one


@pytest.mark.parametrize("name", ["answer.mp3", "answer.OGG", "answer.pcm"])
def test_a_wav_file_has_no_name_of_another_kind(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name}' would hold a WAV file: name it \.wav"):
        Audio(b"\1\0", 16_000).save(tmp_path / name)
    assert not (tmp_path / name).exists()
    assert Audio(b"\1\0", 16_000).save(tmp_path / "answer").exists()
