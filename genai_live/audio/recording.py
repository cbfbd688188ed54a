"""``Audio``: a piece of sound that knows its rate, saves and loads itself. A frozen value, for any thread."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, overload

from genai_live import _json
from genai_live._arguments import came, file_path
from genai_live.audio.buffers import hint, is_buffer, sample_bytes
from genai_live.audio.pcm import SAMPLE_BYTES, check_channels, check_rate, level_dbfs, mime_type_of
from genai_live.audio.resampling import Resampler, mixed
from genai_live.audio.wav import read_wav, wav_bytes, write_wav
from genai_live.errors import ConfigError

_KEYS = ("data", "rate", "channels")


@dataclass(frozen=True)
class Audio:
    """16-bit little-endian PCM: ``data`` in bytes, ``rate`` in Hz, ``channels`` interleaved. No data is false.

    ``data`` may also be given as an array of 16-bit integers, of the shape (samples,) or (samples, channels). ``len`` counts
    samples of one channel, slices are in samples, ``+`` joins sound of one rate, ``numpy.asarray(audio)`` is an int16 array.

    Raises ConfigError when the data is not bytes or not whole samples, or the rate or the channels are not positive.
    """

    data: bytes = field(repr=False)
    rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        check_rate(self.rate)
        check_channels(self.channels)
        if not is_buffer(self.data):
            raise ConfigError(f"Audio holds bytes of 16-bit PCM, not {type(self.data).__name__}{hint(self.data)}")
        object.__setattr__(self, "data", sample_bytes(self.data, "data", self.channels))
        if len(self.data) % self._frame:
            raise ConfigError(f"{len(self.data)} bytes are not whole 16-bit samples of {self.channels} channel(s)")

    @property
    def _frame(self) -> int:
        """Bytes of one moment of all channels."""
        return SAMPLE_BYTES * self.channels

    def __bool__(self) -> bool:
        return bool(self.data)

    def __len__(self) -> int:
        return len(self.data) // self._frame

    def __repr__(self) -> str:
        channels = "mono" if self.channels == 1 else f"{self.channels} channels"
        return f"Audio({self.seconds:.2f} s, {self.rate} Hz, {channels})"

    def _repr_html_(self) -> str:
        from genai_live import _html
        from genai_live.audio.player import player

        return _html.box(player(self.data, self.rate, self.channels))

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self) / self.rate

    @property
    def level(self) -> float:
        """Level of the whole in dBFS, as in ``level_dbfs``."""
        return level_dbfs(self.data)

    @property
    def mime_type(self) -> str:
        """The MIME type that says what ``data`` is, such as ``audio/pcm;rate=24000``."""
        return mime_type_of(self.rate, self.channels)

    # Pieces of it, and more of it.

    def __getitem__(self, samples: slice) -> Audio:
        """``audio[24000:48000]`` is the second second of sound at 24,000 Hz."""
        if not isinstance(samples, slice) or samples.step not in (None, 1):
            raise TypeError("Audio is cut by slices of samples without a step, such as audio[:audio.rate] for its first second")
        start, stop, _ = samples.indices(len(self))
        return Audio(self.data[start * self._frame : stop * self._frame], self.rate, self.channels)

    __iter__ = None  # it is not a row of objects; numpy.asarray(audio) has its samples

    def __add__(self, other: Audio) -> Audio:
        """This sound, and the other behind it.

        Raises:
            ConfigError: when they differ in rate or channels.
        """
        if not isinstance(other, Audio):
            return NotImplemented
        if (self.rate, self.channels) != (other.rate, other.channels):
            raise ConfigError(
                f"sound of {self.rate} Hz and {self.channels} channel(s) is not joined to sound of {other.rate} Hz and "
                f"{other.channels}: convert one first, as other.converted({self.rate}) does, to {self.rate} Hz mono"
            )
        return Audio(self.data + other.data, self.rate, self.channels)

    def __radd__(self, other: int) -> Audio:
        """This sound: ``sum`` begins with 0."""
        return self if other == 0 and isinstance(other, int) else NotImplemented

    def converted(self, rate: int) -> Audio:
        """The same sound in one channel at another rate (Hz); sound of that form is returned unchanged.

        Takes milliseconds for a second of sound.

        Raises:
            ConfigError: when the rate has to change and numpy is not installed.
        """
        check_rate(rate)
        if (self.rate, self.channels) == (rate, 1):
            return self
        mono = self.data if self.channels == 1 else mixed(self.data, self.channels)
        if self.rate != rate:
            resampler = Resampler(self.rate, rate)
            mono = resampler.feed(mono) + resampler.flush()
        return Audio(mono, rate)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """For numpy: int16, of the shape (samples,), or (samples, channels) where there are several; read-only unless copied."""
        import numpy

        samples = numpy.frombuffer(self.data, dtype="<i2")
        shaped = samples if self.channels == 1 else samples.reshape(-1, self.channels)
        wanted = numpy.dtype("int16" if dtype is None else dtype)
        if copy is False and wanted != shaped.dtype:
            raise ValueError(f"Audio is int16, and {wanted} takes a copy of it")
        return shaped.astype(wanted, copy=bool(copy))

    # Files.

    def wav_bytes(self) -> bytes:
        """A WAV file that any player opens, as bytes: for IPython, a web page, an upload."""
        return wav_bytes(self.data, self.rate, self.channels)

    @overload
    def save(self, path: str | os.PathLike[str]) -> Path: ...
    @overload
    def save(self, path: BinaryIO) -> None: ...

    def save(self, path: Any) -> Path | None:
        """Writes a WAV file that any player opens, and returns its path; also into a file opened for writing bytes.

        Blocks on the file.

        Raises:
            ConfigError: when it cannot be written, or its name is that of another kind of file, such as ``.mp3``.
        """
        write_wav(path, self.data, self.rate, self.channels)
        return None if hasattr(path, "write") else Path(file_path(path, "path"))

    @classmethod
    def load(cls, path: str | os.PathLike[str] | BinaryIO | bytes) -> Audio:
        """Reads a WAV file of any rate and number of channels: its path, a file opened for reading bytes, or its bytes.

        16, 24 and 32 bits, 8 bits, floating point, mu-law and A-law all become 16 bits. Blocks on the file.

        Raises:
            ConfigError: with the reason, for any other file.
        """
        return cls(*read_wav(path))

    # JSON.

    def to_dict(self) -> dict[str, Any]:
        """A dict of what JSON has: ``data`` as base64, ``rate``, ``channels``."""
        return {"data": _json.b64encode(self.data).decode("ascii"), "rate": self.rate, "channels": self.channels}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Audio:
        """The sound that ``to_dict`` wrote.

        Raises:
            ConfigError: for anything else.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(f"must be a dict of {', '.join(_KEYS)}, not {came(data)}", "Audio")
        unknown = [str(key) for key in data if key not in _KEYS]
        if unknown or "data" not in data or "rate" not in data:
            found = f"unknown key {unknown[0]!r}" if unknown else "a key is missing"
            raise ConfigError(f"{found}; it is a dict of {', '.join(_KEYS)}", "Audio")
        return cls(_decoded(data["data"]), data["rate"], data.get("channels", 1))

    def to_json(self, **options: Any) -> str:
        """``to_dict`` as JSON text; ``options`` such as ``indent`` go to json.dumps."""
        return json.dumps(self.to_dict(), **options)

    @classmethod
    def from_json(cls, text: str | bytes, **options: Any) -> Audio:
        """The sound that ``to_json`` wrote; ``options`` go to json.loads. Raises as from_dict, and ValueError for no JSON."""
        return cls.from_dict(json.loads(text, **options))


def _decoded(data: object) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return _json.b64decode(data)
    except ValueError:
        raise ConfigError("a str is taken as base64, and this one is not", "Audio.data") from None


def of_whole_samples(data: bytes, rate: int) -> Audio:
    """Mono sound of what is known to be right, without another look: of each message of a conversation, 25 times a second."""
    audio = object.__new__(Audio)
    audio.__dict__.update(data=data, rate=rate, channels=1)
    return audio
