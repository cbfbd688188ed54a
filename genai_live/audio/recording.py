"""``Audio``: a piece of sound that knows its rate, saves and loads itself. A frozen value, for any thread."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from genai_live._arguments import file_path
from genai_live.audio.pcm import SAMPLE_BYTES, check_channels, check_rate, level_dbfs, mime_type_of
from genai_live.audio.wav import read_wav, write_wav
from genai_live.errors import ConfigError


@dataclass(frozen=True)
class Audio:
    """16-bit little-endian PCM: ``data`` in bytes, ``rate`` in Hz, ``channels`` interleaved. No data is false.

    Raises ConfigError when the data is not bytes or not whole samples, or the rate or the channels are not positive.
    """

    data: bytes = field(repr=False)
    rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.data, (bytes, bytearray, memoryview)):
            raise ConfigError(f"Audio holds bytes of 16-bit PCM, not {type(self.data).__name__}")
        if not isinstance(self.data, bytes):
            object.__setattr__(self, "data", bytes(self.data))
        check_rate(self.rate)
        check_channels(self.channels)
        if len(self.data) % (SAMPLE_BYTES * self.channels):
            raise ConfigError(f"{len(self.data)} bytes are not whole 16-bit samples of {self.channels} channel(s)")

    def __bool__(self) -> bool:
        return bool(self.data)

    def __repr__(self) -> str:
        channels = "mono" if self.channels == 1 else f"{self.channels} channels"
        return f"Audio({self.seconds:.2f} s, {self.rate} Hz, {channels})"

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.data) / (SAMPLE_BYTES * self.channels * self.rate)

    @property
    def level(self) -> float:
        """Level of the whole in dBFS, as in ``level_dbfs``."""
        return level_dbfs(self.data)

    @property
    def mime_type(self) -> str:
        """The MIME type that says what ``data`` is, such as ``audio/pcm;rate=24000``."""
        return mime_type_of(self.rate, self.channels)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes a WAV file that any player opens, and returns its path.

        Blocks on the file system. Raises ConfigError when the file cannot be written.
        """
        write_wav(path, self.data, self.rate, self.channels)
        return Path(file_path(path, "path"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Audio:
        """Reads a WAV file of 16-bit PCM with any rate and number of channels.

        Blocks on the file system. Raises ConfigError, with the reason, for any other file.
        """
        return cls(*read_wav(path))
