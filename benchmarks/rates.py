"""``python -m benchmarks.rates``: the table of docs/performance.md about other rates. One process, its main thread.

Needs the extra ``audio``. Every figure is that of the stream as it runs, block by block.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr

from genai_live.audio import Resampler

RATES = [
    (48_000, 16_000), (44_100, 16_000), (32_000, 16_000), (24_000, 16_000), (8_000, 16_000), (24_000, 48_000), (24_000, 44_100),
    (24_000, 8_000),
]  # fmt: skip
LOUD = 16_000
Convert = Callable[[Any], Any]
"""A block of samples to what comes out after it."""


def ours(from_rate: int, to_rate: int) -> Convert:
    resampler = Resampler(from_rate, to_rate)
    return lambda block: np.frombuffer(resampler.feed(block.tobytes()), "<i2")


def of_soxr(quality: str) -> Callable[[int, int], Convert]:
    def make(from_rate: int, to_rate: int) -> Convert:
        stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality=quality)
        return stream.resample_chunk

    return make


def sine(hertz: float, rate: int) -> Any:
    return np.round(LOUD * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype("<i2")


def delay_ms(convert: Convert, rate: int) -> float:
    block, click = rate // 1_000, np.zeros(rate // 2, "<i2")
    at = len(click) // 2
    click[at] = 30_000
    peak, when = 0, 0
    for start in range(0, len(click), block):
        out = np.abs(convert(click[start : start + block]).astype(int))
        if out.size and out.max() > peak:
            peak, when = out.max(), start + block
    return (when - at) / rate * 1_000


def aliases_db(convert: Convert, from_rate: int, to_rate: int) -> float:
    lower = min(from_rate, to_rate)
    hertz = 0.5625 * lower if 0.5625 * lower < from_rate / 2 else 0.4375 * lower
    out = convert(sine(hertz, from_rate))
    middle = out[len(out) // 8 : -len(out) // 8].astype(float)
    window = np.blackman(len(middle))
    levels = np.abs(np.fft.rfft(middle * window)) / (LOUD * window.sum() / 2)
    elsewhere = abs(np.fft.rfftfreq(len(middle), 1 / to_rate) - hertz) > 40
    return float(20 * np.log10(levels[elsewhere].max() + 1e-9))


def band_hertz(make: Callable[[int, int], Convert], from_rate: int, to_rate: int) -> float:
    for hertz in np.arange(0.25, 0.5, 0.005) * min(from_rate, to_rate):
        out = make(from_rate, to_rate)(sine(hertz, from_rate))[to_rate // 4 : -to_rate // 4].astype(float)
        if np.sqrt((out**2).mean()) < LOUD / 2**0.5 * 10 ** (-1 / 20):
            return float(hertz)
    return min(from_rate, to_rate) / 2


def cost_us(convert: Convert, rate: int) -> float:
    block = np.random.default_rng(1).integers(-9_000, 9_000, rate // 100).astype("<i2")
    best = float("inf")
    for _ in range(7):
        began = time.thread_time()
        for _ in range(200):
            convert(block)
        best = min(best, (time.thread_time() - began) / 200)
    return best * 1e6


def main() -> None:
    ways = {"genai_live": ours, "soxr HQ": of_soxr("HQ"), "soxr QQ": of_soxr("QQ")}
    figures = ("delay, ms", "aliases, dB", "band, Hz", "µs")
    print("|  | " + " | ".join(f"{way}: {figure}" for way in ways for figure in figures) + " |")
    print("|---" * (1 + len(ways) * len(figures)) + "|")
    for from_rate, to_rate in RATES:
        cells = []
        for make in ways.values():
            cells += [
                f"{delay_ms(make(from_rate, to_rate), from_rate):.0f}",
                f"{aliases_db(make(from_rate, to_rate), from_rate, to_rate):.0f}".replace("-0", "0"),
                f"{band_hertz(make, from_rate, to_rate):,.0f}",
                f"{cost_us(make(from_rate, to_rate), from_rate):.0f}",
            ]
        print(f"| {from_rate / 1000:g} to {to_rate / 1000:g} kHz | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
