"""What was played, as the microphone would count it: at its rate, and by its clock."""

from __future__ import annotations

from typing import Any

from genai_live.audio import INPUT_RATE


class Stretcher:
    """Makes sound longer or shorter by a little: a curve through each four samples, of Catmull and Rom. Two samples late."""

    def __init__(self) -> None:
        import numpy

        self._numpy = numpy
        self._rest: Any = numpy.zeros(3, "float32")
        """The end of what came before, of which something is still to be made."""
        self._place = 1.0
        """Of the next sample, in that."""

    def stretch(self, samples: Any, pace: float) -> Any:
        """Samples of 16 bits, longer by the part ``pace``; an array of the same kind."""
        numpy = self._numpy
        known = numpy.concatenate([self._rest, samples.astype("float32")])
        step, end = 1.0 / (1.0 + pace), len(known) - 2
        places = numpy.arange(self._place, end, step)
        places = places[places < end]  # the last may be rounded up
        before = places.astype("int64")
        part = (places - before).astype("float32")
        a, b, c, d = (known[before + each] for each in (-1, 0, 1, 2))
        curve = b + part * 0.5 * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
        place = self._place + step * len(places)
        kept = min(int(place) - 1, len(known) - 3)
        self._rest, self._place = known[kept:], place - kept
        return numpy.clip(numpy.rint(curve), -32_768, 32_767).astype("<i2")


class Converter:
    """The loudspeaker's sound at the microphone's rate, by the microphone's clock."""

    def __init__(self, rate: int) -> None:
        import numpy

        self._numpy = numpy
        self._rate = rate
        self._stretcher = Stretcher()
        self._resampler: Any = None
        if rate != INPUT_RATE:
            import soxr

            # LQ: 10 ms late, which is less than any sound card's latency, for a quarter of the usual cost.
            self._resampler = soxr.ResampleStream(rate, INPUT_RATE, 1, dtype="int16", quality="LQ")
        self._taken = self._given = 0
        """Samples before and behind the resampler, which gives lumps of up to 20 ms that say nothing of their time."""

    def convert(self, pcm: bytes, at: float, pace: float = 0.0) -> tuple[bytes, float]:
        """What comes for 16-bit mono PCM that begins at ``at``, and when that begins; longer by the part ``pace``."""
        if not pace and self._resampler is None:
            return pcm, at
        samples = self._numpy.frombuffer(pcm, dtype="<i2")
        if pace:
            samples = self._stretcher.stretch(samples, pace)
        if self._resampler is not None:
            at -= self._taken / self._rate - self._given / INPUT_RATE
            self._taken += len(samples)
            samples = self._resampler.resample_chunk(samples)
            self._given += len(samples)
        return samples.tobytes(), at

    def release(self) -> None:
        """Nothing is converted any more: soxr complains at the interpreter's exit of what is still held then."""
        self._resampler = None
