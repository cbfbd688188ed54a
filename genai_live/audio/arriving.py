"""Sound that arrives in pieces, of whatever kind, as 16 kHz mono. Runs on the thread that asks for the next piece."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from genai_live.audio.containers import TELLING, is_wav
from genai_live.audio.pcm import INPUT_RATE, check_no_file, piece_bytes
from genai_live.audio.recording import Audio
from genai_live.audio.resampling import Resampler, mixed
from genai_live.audio.wav import BARE_PCM, WavFormat, is_made_up, next_sound
from genai_live.errors import ConfigError

_LONGEST_HEADER = 1 << 20
"""Bytes before the sound of a WAV file; the headers of broadcasters have some ten thousand."""
_WAV = "the WAV file that comes in pieces"


def as_input(pieces: Iterable[Any], rate: int) -> Iterator[bytes]:
    """16 kHz mono PCM, piece by piece, from bytes or arrays of 16-bit samples at ``rate`` Hz, ``Audio``, or a WAV file in pieces.

    ``Audio`` and WAV files bring their own rate.

    Raises:
        ConfigError: at once when ``rate`` has to be converted and cannot be, and while iterating for a piece that is not sound,
            and for an end in the middle of a sample or of a WAV file.
    """
    return _as_input(pieces, _Through(WavFormat(rate, 1, *BARE_PCM)))


def _as_input(pieces: Iterable[Any], through: _Through) -> Iterator[bytes]:
    for format, data in _with_format(pieces, through.format):
        if format != through.format:
            yield through.flush()
            through = _Through(format)
        yield through.feed(data)
    yield through.flush()
    through.check_whole()


class _Through:
    """Samples of one format on their way."""

    def __init__(self, format: WavFormat) -> None:
        self.format = format
        self._resampler = None if format.rate == INPUT_RATE else Resampler(format.rate)
        self._rest = b""
        self._fed = 0

    def feed(self, data: bytes) -> bytes:
        """What comes out after ``data`` went in; half a sample waits for its other half."""
        self._fed += len(data)
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % self.format.frame
        self._rest = data[whole:]
        pcm = self.format.decode(data[:whole])
        if self.format.channels > 1:
            pcm = mixed(pcm, self.format.channels)
        return pcm if self._resampler is None else self._resampler.feed(pcm)

    def flush(self) -> bytes:
        """The rest; nothing is fed afterwards."""
        return b"" if self._resampler is None else self._resampler.flush()

    def check_whole(self) -> None:
        """Raises ConfigError when half a sample is left."""
        if self._rest:
            size = self.format.frame
            raise ConfigError(f"the audio ended in the middle of a sample: {self._fed} bytes are not a multiple of {size}")


def _with_format(pieces: Iterable[Any], bare: WavFormat) -> Iterator[tuple[WavFormat, bytes]]:
    wav = _WavInPieces()
    beginning: bytes | None = b""
    """What came so far, until it is known what it is; None from then on."""
    for piece in pieces:
        if isinstance(piece, Audio):
            yield WavFormat(piece.rate, piece.channels, *BARE_PCM), piece.data
            continue
        data = piece_bytes(piece)
        if beginning is not None:
            data = beginning + data
            beginning = data if len(data) < TELLING else None
            if beginning is not None:
                continue
            if not is_wav(data):
                check_no_file(data)
        if wav.begun or is_wav(data):
            yield from wav.feed(data)
        else:
            yield bare, data
    if beginning:
        yield bare, beginning
    wav.check_whole()


class _WavInPieces:
    """The sounds of WAV files, cut anywhere; one file may follow another."""

    def __init__(self) -> None:
        self._held = b""
        self._format: WavFormat | None = None
        self._left = 0
        """Bytes of the sound under way that are still to come."""
        self._has_end = True
        """False while the header of the sound under way did not know its length."""
        self.begun = False

    def feed(self, data: bytes) -> Iterator[tuple[WavFormat, bytes]]:
        """The sound in the next piece of the file."""
        self.begun = True
        if is_wav(data) and not (self._left and self._has_end):
            self._held, self._left = b"", 0  # the next file; bytes behind the sound of the one before are not sound
        self._held += data
        while self._held and (self._left or self._find_sound()):
            taken, self._held = self._held[: self._left], self._held[self._left :]
            self._left -= len(taken)
            assert self._format is not None
            yield self._format, taken

    def _find_sound(self) -> bool:
        found = next_sound(self._held, 0, self._format, _WAV)
        if found is None:
            if len(self._held) > _LONGEST_HEADER and self._format is None:
                raise ConfigError(f"{_WAV} has no sound in its first {_LONGEST_HEADER} bytes")
            return False
        self._format = found.format
        self._has_end = found.size > 0 and not is_made_up(found.size, 0)
        self._left = found.size if self._has_end else sys.maxsize
        self._held = self._held[found.start :]
        return True

    def check_whole(self) -> None:
        """Raises ConfigError when the file ended before its sound."""
        if self.begun and self._format is None:
            raise ConfigError(f"{_WAV} ended within its header")
        if self._left and self._has_end:
            raise ConfigError(f"{_WAV} ended {self._left} bytes before the end of its sound")
