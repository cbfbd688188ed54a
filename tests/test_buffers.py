"""16-bit samples out of arrays and buffers of every kind; what holds other numbers is refused with the cure that works."""

from __future__ import annotations

import array
import base64
import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genai_live._backends import MLDEV
from genai_live._client_messages import inputs
from genai_live.audio import Audio, buffers, chunks, level_dbfs
from genai_live.audio.buffers import sample_bytes
from genai_live.errors import ConfigError

TONE = np.round(8_000 * np.sin(np.arange(320) / 5)).astype("<i2")
PCM = TONE.tobytes()


def in_pages() -> mmap.mmap:
    pages = mmap.mmap(-1, len(PCM))
    pages.write(PCM)
    return pages


def from_cffi() -> Any:
    cffi = pytest.importorskip("cffi", reason="cffi is not installed here")
    ffi = cffi.FFI()
    block = ffi.new("int16_t[320]", TONE.tolist())
    return ffi.buffer(block)


TAKEN: dict[str, Callable[[], Any]] = {
    "bytes": lambda: PCM,
    "bytearray": lambda: bytearray(PCM),
    "memoryview of bytes": lambda: memoryview(PCM),
    "memoryview of samples": lambda: memoryview(array.array("h", TONE.tolist())),
    "every second byte of twice as many": lambda: memoryview(bytes(byte for byte in PCM for _ in range(2)))[::2],
    "samples backwards, backwards": lambda: memoryview(array.array("h", TONE.tolist()[::-1]))[::-1],
    "memoryview of characters": lambda: memoryview(PCM).cast("c"),
    "memoryview of rows": lambda: memoryview(PCM).cast("B").cast("h", (320, 1)),
    "array of the standard library": lambda: array.array("h", TONE.tolist()),
    "array of bytes": lambda: array.array("B", PCM),
    "ctypes": lambda: (ctypes.c_int16 * 320)(*TONE.tolist()),
    "ctypes, bytes": lambda: (ctypes.c_char * 640).from_buffer_copy(PCM),
    "ctypes, big-endian": lambda: (ctypes.c_int16.__ctype_be__ * 320)(*TONE.tolist()),
    "pages of memory": in_pages,
    "cffi, as of RawInputStream": from_cffi,
    "numpy": lambda: TONE,
    "numpy, one column, as of InputStream": lambda: TONE.reshape(-1, 1),
    "numpy, one row, as of PyAV": lambda: TONE.reshape(1, -1),
    "numpy, a column of two": lambda: np.stack((TONE, -TONE), axis=1)[:, 0],
    "numpy, backwards, backwards": lambda: TONE[::-1].copy()[::-1],
    "numpy, in columns": lambda: np.asfortranarray(TONE.reshape(-1, 1)),
    "numpy, big-endian": lambda: TONE.astype(">i2"),
    "numpy, read-only": lambda: np.frombuffer(PCM, "<i2"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_samples_are_taken_out_of_whatever_holds_them(name: str) -> None:
    value = TAKEN[name]()
    assert sample_bytes(value, "x") == PCM
    assert Audio(value, 16_000).data == PCM
    assert b"".join(chunks(value)) == b"".join(chunks([value, value]))[: len(PCM)] == PCM
    for sent in (value, {"data": value, "mime_type": "audio/pcm;rate=16000"}):
        blob = inputs.realtime_input(MLDEV, audio=sent)["realtimeInput"]["audio"]
        assert base64.b64decode(blob["data"]) == PCM


def test_what_was_taken_does_not_change_with_the_buffer() -> None:
    """Drivers of sound cards use their buffer again."""
    for buffer in (bytearray(PCM), array.array("h", TONE.tolist()), TONE.copy()):
        taken = sample_bytes(buffer, "x")
        memoryview(buffer).cast("B")[:] = bytes(640)  # type: ignore[arg-type]
        assert taken == PCM


def test_a_machine_of_the_other_byte_order_swaps_its_own_samples_only(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = TONE.byteswap().tobytes()
    monkeypatch.setitem(buffers._ORDERS, "", "big")
    assert sample_bytes(memoryview(PCM).cast("h"), "x") == swapped
    assert sample_bytes((ctypes.c_int16.__ctype_le__ * 320)(*TONE.tolist()), "x") == PCM


def test_channels_may_be_columns_where_there_are_so_many() -> None:
    stereo = np.stack((TONE, -TONE), axis=1)
    assert Audio(stereo, 16_000, 2).data == stereo.tobytes()
    with pytest.raises(ConfigError, match=r"\(320, 2\).*pass x\[:, 0\]"):
        Audio(stereo, 16_000)
    with pytest.raises(ConfigError, match=r"\(2, 320\).*pass x\.T"):
        Audio(stereo.T, 16_000, 2)


# What holds other numbers. Each cure is tried: the sound that it gives is the sound that was meant.

FLOATS = (TONE / 32_768).astype("float32")
OTHERS: dict[str, Any] = {
    "float32, one column, as of sounddevice": FLOATS.reshape(-1, 1),
    "float32": FLOATS,
    "float32, two channels": np.stack((FLOATS, FLOATS), axis=1),
    "float32, channels first": np.stack((FLOATS, FLOATS)),
    "float64": FLOATS.astype("float64"),
    "float16": FLOATS.astype("float16"),
    "float32, backwards": FLOATS[::-1].copy()[::-1],
    "float32 of 16-bit values": TONE.astype("float32"),
    "float32 of the standard library": array.array("f", FLOATS.tolist()),
    "float32 in a memoryview": memoryview(array.array("f", FLOATS.tolist())),
    "int32": TONE.astype("int32") << 16,
    "int32, two channels": np.stack((TONE.astype("int32") << 16,) * 2, axis=1),
    "int64, of Python's numbers": TONE.astype("int64"),
    "uint16": (TONE.astype("int32") + 32_768).astype("uint16"),
    "int8": (TONE >> 8).astype("int8"),
    "int16, two channels": np.stack((TONE, TONE), axis=1),
    "int16, eight channels first": np.stack((TONE,) * 8),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_holds_other_numbers_is_refused_and_its_cure_gives_the_sound_that_was_meant(name: str) -> None:
    value = OTHERS[name]
    for call in (
        lambda: inputs.realtime_input(MLDEV, audio=value),
        lambda: inputs.realtime_input(MLDEV, audio={"data": value, "mime_type": "audio/pcm"}),
        lambda: Audio(value, 16_000),
        lambda: level_dbfs(value),
        lambda: list(chunks([value])),
    ):
        with pytest.raises(ConfigError, match="and sound is 16-bit PCM: ") as caught:
            call()
    cure = str(caught.value).partition("pass ")[2]
    mended = eval(cure, {"x": value, "numpy": np})
    assert np.abs(np.frombuffer(sample_bytes(mended, "x"), "<i2").astype(int) - TONE).max() <= 256
    assert level_dbfs(mended) == pytest.approx(level_dbfs(PCM), abs=0.2)


@pytest.mark.parametrize(
    ("value", "ways"),
    [
        (np.frombuffer(PCM, np.uint8), ["x.tobytes()", "(x.astype('int16') - 128) * 256"]),
        (TONE.astype("int32"), ["x.astype('int16')", "(x >> 16).astype('int16')"]),
    ],
)
def test_where_numbers_may_mean_two_things_both_cures_are_told(value: Any, ways: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        inputs.realtime_input(MLDEV, audio=value)
    for way in ways:
        assert way in str(caught.value)
        sample_bytes(eval(way, {"x": value}), "x")
    assert sample_bytes(eval(ways[0], {"x": value}), "x") == PCM


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((480, 640, 3), np.uint8), "a picture goes into video="),
        (np.zeros((480, 640), np.uint8), "a picture goes into video="),
        (np.zeros((320, 1, 1), np.int16), r"sound has the shape \(samples,\)"),
        (np.zeros(320, "complex64"), "scale it to"),
        (np.zeros(320, bool), "scale it to"),
        (np.int16(5), r"is int16 of int16 in the shape \(\)"),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_what_is_no_sound_at_all_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sample_bytes(value, "x")


def test_what_holds_nothing_is_refused_with_what_would() -> None:
    class Tensor:
        def __array__(self) -> None: ...

    gone = memoryview(bytearray(4))
    gone.release()
    for value, words in (
        (Tensor(), r"x: must be bytes of 16-bit PCM, not Tensor; pass numpy\.asarray\(\) of it"),
        ([1, 2], r"not list; .*array\.array\('h', samples\)"),
        (gone, "not memoryview"),
        (np.zeros(3, "datetime64[s]"), "not ndarray"),
    ):
        with pytest.raises(ConfigError, match=words):
            sample_bytes(value, "x")
