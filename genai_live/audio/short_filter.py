"""The filter of ``resampling`` for live sound: 2 to 4 ms late, aliases 72 dB down. By numpy; for one thread at a time.

soxr's own filters are longer than a conversation likes: its default holds sound back for 30 to 65 ms (docs/performance.md).
"""

from __future__ import annotations

import math
from typing import Any

_HALF = 28
"""Periods of the lower rate on either side of the filter's middle: 1.75 ms at 16 kHz, 3.5 ms at 8 kHz. The delay is this long."""
_STOPPED = 72.0
"""dB by which aliases are damped, from half the lower rate on; flat to 0.42 of the lower rate (6.7 kHz at 16, 3.4 at 8)."""
_SLOWEST = 8_000
"""Hz: below this, _HALF periods come too near to 5 ms."""
_MOST_PHASES, _WIDEST = 1_000, 50
"""Rows of the table of coefficients, and how many times one rate is the other; sound cards and telephones need 640, and 24."""
_AT_ONCE = 512
"""Samples that are converted at once. What is needed meanwhile, 200 to 700 bytes a sample, then stays in memory that the process
has: blocks of 4,096 take four times as long, because the system hands out and takes back their pages each time."""


def is_short(from_rate: int, to_rate: int) -> bool:
    """True where this filter converts between the rates, and is short."""
    lower, higher = sorted((from_rate, to_rate))
    return lower >= _SLOWEST and higher <= lower * _WIDEST and to_rate // math.gcd(from_rate, to_rate) <= _MOST_PHASES


class ShortFilter:
    """Converts mono PCM that arrives in pieces. Output sample ``n`` is the sound at ``n / to_rate`` seconds, exactly.

    A row of the table holds the coefficients for one position of an output sample between two input samples; the positions
    repeat after as many output samples as there are rows.
    """

    def __init__(self, numpy: Any, from_rate: int, to_rate: int) -> None:
        self._numpy = numpy
        common = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        half = _HALF * from_rate / min(from_rate, to_rate)
        self._taps = 2 * math.ceil(half)
        self._table = self._coefficients(half, min(from_rate, to_rate) / from_rate)
        self._held = numpy.zeros(self._taps // 2 - 1, dtype="float32")
        """Input samples that coming output samples still need, from ``_begin`` on."""
        self._begin = 0
        self._next = 0
        """Number of the next output sample, and of the first input sample held; both go back to 0 every ``_up`` samples."""
        self._fed = self._given = 0
        self.delay = self._taps / 2 / from_rate

    def _coefficients(self, half: float, lower: float) -> Any:
        """A low-pass by Kaiser's window (Oppenheim and Schafer, 7.5.3), sampled once for each position."""
        numpy = self._numpy
        width = (_STOPPED - 7.95) / (14.36 * 2 * _HALF)
        cutoff = (0.5 - width / 2) * lower
        beta = 0.1102 * (_STOPPED - 8.7)
        times = numpy.arange(self._taps) - (self._taps // 2 - 1) - numpy.arange(self._up)[:, None] / self._up
        window = numpy.i0(beta * numpy.sqrt(numpy.clip(1 - (times / half) ** 2, 0, None))) * (abs(times) <= half)
        table = numpy.sinc(2 * cutoff * times) * window
        return (table / table.sum(axis=1, keepdims=True)).astype("float32")

    def feed(self, pcm: bytes) -> bytes:
        """What comes out after ``pcm`` went in: as much sound, ``delay`` seconds late."""
        samples = self._numpy.frombuffer(pcm, dtype="<i2")
        self._fed += len(samples)
        if len(samples) <= _AT_ONCE:
            return self._through(samples)
        return b"".join(self._through(samples[start : start + _AT_ONCE]) for start in range(0, len(samples), _AT_ONCE))

    def flush(self) -> bytes:
        """The rest: as many samples come out in all as the sound that went in has at the new rate."""
        left = -(-self._fed * self._up // self._down) - self._given
        return self._through(self._numpy.zeros(self._taps, dtype="<i2"))[: 2 * left]

    def _through(self, samples: Any) -> bytes:
        numpy = self._numpy
        held = numpy.concatenate((self._held, samples))
        # The output samples whose windows end within what is held.
        last = self._begin + len(held) - self._taps
        end = max(((last + 1) * self._up - 1) // self._down + 1, self._next)
        starts, positions = numpy.divmod(numpy.arange(self._next, end) * self._down, self._up)
        windows = numpy.lib.stride_tricks.as_strided(held, (max(len(held) - self._taps + 1, 0), self._taps), held.strides * 2)
        found = numpy.einsum("ij,ij->i", windows[starts - self._begin], self._table[positions])
        keep = end * self._down // self._up
        self._held = held[keep - self._begin :].copy()
        self._given += end - self._next
        turns = end // self._up  # the numbers stay small, however long the sound is
        self._begin, self._next = keep - turns * self._down, end - turns * self._up
        return bytes(numpy.clip(numpy.rint(found), -32_768, 32_767).astype("<i2").tobytes())
