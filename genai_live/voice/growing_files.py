"""Files that are written bit by bit and right at every moment, also when the process is killed. One thread at a time.

A file that is there already stays as it was until the first piece comes: not every conversation begins.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable
from contextlib import suppress

from genai_live._arguments import file_path
from genai_live.audio.wav import check_wav_name, wav_bytes
from genai_live.errors import ConfigError

logger = logging.getLogger("genai_live")

_RIFF_SIZE_AT, _DATA_SIZE_AT = 4, 40
"""Where the header has its two sizes: of all that follows, and of the sound."""
_SIZE = struct.Struct("<I")
_LARGEST = 2**32 - 2**16
"""Bytes of sound: a WAV file counts no further. Two channels of 24 kHz take 12 hours for it."""


class _GrowingFile:
    """Pieces that are appended, each whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: str, head: bytes = b"") -> None:
        self._path = path
        self._head = head
        self._size = len(head)
        self._is_new = not os.path.lexists(path)
        self._failed = False
        """True once a piece could not be written: the file stays as it was."""
        try:
            self._file = open(path, "wb", buffering=0, opener=_opened)  # noqa: SIM115 # it stays open
            try:
                self._is_begun = os.fstat(self._file.fileno()).st_size == 0
                if self._is_begun:
                    self._put(0, head)
            except OSError:
                self.discard()
                raise
        except OSError as error:
            raise ConfigError(f"{path!r} cannot be written: {error.strerror or error}") from error

    def begin(self) -> None:
        """Empties what was there before. Idempotent; the first piece does it too."""
        self._do(self._begin)

    def append(self, piece: bytes) -> None:
        """Appends a piece. What the disk does not take is logged, once, and lost with all that follows."""
        if piece:
            self._do(lambda: self._append(piece))

    def _do(self, act: Callable[[], None]) -> None:
        if self._failed or self._file.closed:
            return
        try:
            act()
        except OSError as error:
            self._failed = True
            with suppress(OSError):
                self._file.truncate(self._size)
            logger.warning("%s cannot be written any more (%s): it ends here", self._path, error.strerror or error)

    def _begin(self) -> None:
        if not self._is_begun:
            self._put(0, self._head)
            self._file.truncate(self._size)
            self._is_begun = True

    def _append(self, piece: bytes) -> None:
        self._begin()
        self._put(self._size, piece)
        self._count(self._size + len(piece))
        self._size += len(piece)

    def _count(self, size: int) -> None:
        """The file has so many bytes from now on."""

    def _put(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Nothing follows. Idempotent."""
        with suppress(OSError):  # of a disk that is away
            self._file.close()

    def discard(self) -> None:
        """Nothing was to be written: takes the file away, if it was not there before."""
        self.close()
        if self._is_new:
            with suppress(OSError):
                os.remove(self._path)


class GrowingWav(_GrowingFile):
    """Sound that is appended to a WAV file; after each piece the header says how much there is.

    The sound is written before the header counts it: what a killed process leaves is a whole file, and a piece more at the most.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], rate: int, channels: int = 1) -> None:
        name = file_path(path, "path")
        check_wav_name(name)
        super().__init__(name, wav_bytes(b"", rate, channels))

    def _count(self, size: int) -> None:
        sound = size - len(self._head)
        if sound > _LARGEST:
            raise OSError("a WAV file holds no more than 4 GiB")
        self._put(_DATA_SIZE_AT, _SIZE.pack(sound))
        self._put(_RIFF_SIZE_AT, _SIZE.pack(size - 8))


class GrowingLines(_GrowingFile):
    """Lines of text; a killed process leaves whole ones.

    Raises:
        ConfigError: the file cannot be written.
    """

    def write(self, line: str) -> None:
        """Appends a line, and its end."""
        self.append(f"{line}\n".encode())


def _opened(path: str, flags: int) -> int:
    """For ``open``: empties nothing."""
    return os.open(path, flags & ~os.O_TRUNC, 0o666)
