"""A WAV file that is written bit by bit and right at every moment, also when the process is killed. One thread at a time."""

from __future__ import annotations

import logging
import os
import struct

from genai_live._arguments import file_path
from genai_live.audio import SAMPLE_BYTES
from genai_live.audio.wav import check_wav_name, wav_bytes
from genai_live.errors import ConfigError

logger = logging.getLogger("genai_live")

_RIFF_SIZE_AT, _DATA_SIZE_AT = 4, 40
"""Where the header has its two sizes: of all that follows, and of the sound."""
_SIZE = struct.Struct("<I")
_LARGEST = 2**32 - 2**16
"""Bytes of sound: a WAV file counts no further. Two channels of 24 kHz take 12 hours for it."""


class GrowingWav:
    """Sound that is appended to a file; after each piece the header says how much there is.

    The sound is written before the header counts it: what a killed process leaves is a whole file, and a piece more at the most.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], rate: int, channels: int = 1) -> None:
        self._path = file_path(path, "path")
        check_wav_name(self._path)
        header = wav_bytes(b"", rate, channels)
        try:
            self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115 # it stays open
            try:
                self._file.write(header)
            except OSError:
                self._file.close()
                raise
        except OSError as error:
            raise ConfigError(f"{self._path!r} cannot be written: {error.strerror or error}") from error
        self._header = len(header)
        self._frame = channels * SAMPLE_BYTES
        self._size = 0
        """Bytes of sound."""
        self.failed = False
        """True once a piece could not be written: the file stays as it was."""

    def write(self, pcm: bytes) -> None:
        """Appends whole frames. What the disk does not take is logged, once, and lost with all that follows."""
        if self.failed or self._file.closed or not pcm:
            return
        try:
            if self._size + len(pcm) > _LARGEST:
                raise OSError("a WAV file holds no more than 4 GiB")
            self._put(self._header + self._size, pcm)
            size = self._size + len(pcm)
            self._put(_DATA_SIZE_AT, _SIZE.pack(size))
            self._put(_RIFF_SIZE_AT, _SIZE.pack(self._header - 8 + size))
            self._size = size
        except OSError:
            self.failed = True
            logger.exception("%s cannot be written any more", self._path)

    def _put(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Nothing follows. Idempotent."""
        self._file.close()
