"""Other rates: what the short filter keeps, what it stops, how late it is; measured with numpy, and held beside soxr."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from genai_live.audio import Audio, Resampler, to_mono
from genai_live.audio.short_filter import is_short
from genai_live.errors import ConfigError

pytest.importorskip("soxr", reason="the extra audio is not installed")

LIVE = [
    (48_000, 16_000), (44_100, 16_000), (32_000, 16_000), (24_000, 16_000), (22_050, 16_000), (12_000, 16_000), (11_025, 16_000),
    (8_000, 16_000), (96_000, 16_000), (24_000, 48_000), (24_000, 44_100), (24_000, 32_000), (24_000, 8_000), (16_000, 48_000),
]  # fmt: skip
"""Rates of sound cards and telephones to those of the models, and back."""
live = pytest.mark.parametrize(("from_rate", "to_rate"), LIVE)


def sine(hertz: float, rate: int, seconds: float = 0.5) -> Any:
    return np.round(16_000 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype("<i2")


def converted(samples: Any, from_rate: int, to_rate: int) -> Any:
    resampler = Resampler(from_rate, to_rate)
    return np.frombuffer(resampler.feed(samples.tobytes()) + resampler.flush(), "<i2")


def spectrum(samples: Any, rate: int) -> tuple[Any, Any]:
    """Frequencies, and the level at each in dB below a sine of 16,000, without the beginning and the end."""
    middle = samples[len(samples) // 8 : -len(samples) // 8].astype(float)
    window = np.blackman(len(middle))
    levels = np.abs(np.fft.rfft(middle * window)) / (16_000 * window.sum() / 2)
    return np.fft.rfftfreq(len(middle), 1 / rate), 20 * np.log10(levels + 1e-9)


def test_nine_kilohertz_are_not_heard_after_48_have_become_16() -> None:
    _, levels = spectrum(converted(sine(9_000, 48_000), 48_000, 16_000), 16_000)
    assert levels.max() < -70


@live
@pytest.mark.parametrize("part", [0.51, 0.53, 0.5625, 0.6, 0.7])
def test_what_the_lower_rate_cannot_hold_is_60_db_down(from_rate: int, to_rate: int, part: float) -> None:
    """Downwards what is above its half, upwards the images of what is below it."""
    lower = min(from_rate, to_rate)
    hertz = part * lower if part * lower < from_rate / 2 else (1 - part) * lower
    frequencies, levels = spectrum(converted(sine(hertz, from_rate), from_rate, to_rate), to_rate)
    assert levels[abs(frequencies - hertz) > 40].max() < -60
    if hertz > lower / 2:
        assert levels.max() < -60


@live
@pytest.mark.parametrize("part", [0.01, 0.1, 0.25, 0.4, 0.42])
def test_what_both_rates_hold_stays_as_loud_and_stays_alone(from_rate: int, to_rate: int, part: float) -> None:
    hertz = round(part * min(from_rate, to_rate))
    frequencies, levels = spectrum(converted(sine(hertz, from_rate, 1.0), from_rate, to_rate), to_rate)
    near = abs(frequencies - hertz) < 20
    assert levels[near].max() == pytest.approx(spectrum(sine(hertz, to_rate, 1.0), to_rate)[1].max(), abs=0.2)
    assert levels[~near].max() < -70


@live
def test_live_sound_is_held_back_for_less_than_5_ms(from_rate: int, to_rate: int) -> None:
    """From a click going in to its peak coming out, in blocks of 1 ms."""
    resampler = Resampler(from_rate, to_rate)
    block = from_rate // 1_000
    click = np.zeros(from_rate // 5, "<i2")
    click[len(click) // 2] = 30_000
    came: list[int] = []
    peak_at, peak = 0.0, 0
    for start in range(0, len(click), block):
        out = np.frombuffer(resampler.feed(click[start : start + block].tobytes()), "<i2")
        if len(out) and int(np.abs(out).max()) > peak:
            peak, peak_at = int(np.abs(out).max()), min(start + block, len(click)) / from_rate
        came.extend(out.tolist())
    assert peak_at - len(click) // 2 / from_rate < 0.005
    assert resampler.delay is not None
    assert resampler.delay < 0.005
    assert abs(int(np.argmax(np.abs(came))) / to_rate - len(click) // 2 / from_rate) <= 0.5 / to_rate + 1e-9, (
        "and it is not moved"
    )


@live
def test_pieces_of_any_size_give_what_the_whole_gives(from_rate: int, to_rate: int) -> None:
    noise = np.random.default_rng(1).integers(-20_000, 20_000, from_rate // 2).astype("<i2")
    sizes = itertools.cycle([1, 441, 0, 7, 160, 3_000, 2])
    resampler, pieces, start = Resampler(from_rate, to_rate), [], 0
    while start < len(noise):
        size = next(sizes)
        pieces.append(resampler.feed(noise[start : start + size].tobytes()))
        start += size
    in_pieces = np.frombuffer(b"".join(pieces) + resampler.flush(), "<i2")
    whole = converted(noise, from_rate, to_rate)
    assert len(in_pieces) == len(whole) == math.ceil(len(noise) * to_rate / from_rate)
    assert np.abs(in_pieces.astype(int) - whole).max() <= 1, "no more than the rounding of single precision"


@live
def test_it_is_the_sound_that_soxr_makes(from_rate: int, to_rate: int) -> None:
    import soxr

    lower = min(from_rate, to_rate)
    speech = sum(sine(part * lower, from_rate) // 6 for part in (0.02, 0.05, 0.11, 0.2, 0.31))
    ours = converted(speech.astype("<i2"), from_rate, to_rate)
    theirs = soxr.resample(speech.astype("<i2"), from_rate, to_rate, quality="VHQ")
    middle = slice(len(ours) // 4, len(ours) * 3 // 4)
    assert np.abs(ours[middle].astype(int) - theirs[middle]).max() <= 16, "60 dB below its level"


def test_blocks_of_10_ms_become_blocks_of_10_ms() -> None:
    for from_rate, to_rate in ((48_000, 16_000), (24_000, 48_000), (44_100, 16_000)):
        resampler = Resampler(from_rate, to_rate)
        sizes = [len(resampler.feed(bytes(from_rate // 100 * 2))) for _ in range(6)]
        assert sizes[1:] == [to_rate // 100 * 2] * 5
        assert sizes[0] == pytest.approx(sizes[1] - 2 * to_rate * (resampler.delay or 0), abs=4)


def test_loud_sound_is_cut_and_not_wrapped() -> None:
    square = np.where(np.arange(4_800) % 96 < 48, 32_767, -32_768).astype("<i2")
    out = converted(square, 48_000, 16_000)
    assert (np.sign(out[4:14].astype(int)) == 1).all()
    assert (np.sign(out[20:30].astype(int)) == -1).all()


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44_101, 16_000), (4_000, 16_000)])
def test_the_rates_that_it_does_not_have_are_soxrs(from_rate: int, to_rate: int) -> None:
    assert not is_short(from_rate, to_rate)
    resampler = Resampler(from_rate, to_rate)
    samples = sine(440, from_rate, 1.0).tobytes()
    out = resampler.feed(samples[:1_000]) + resampler.feed(samples[1_000:]) + resampler.flush()
    assert resampler.delay is None
    assert len(out) // 2 == pytest.approx(to_rate, abs=4)


# Channels.


def test_channels_that_cancel_each_other_are_still_heard() -> None:
    """Balanced microphones on a stereo input: one channel is the other, inverted."""
    tone = sine(440, 16_000)
    for other in (-tone, -tone + 1):
        mono = to_mono(Audio(np.stack((tone, other), axis=1), 16_000, 2))
        assert mono.level == pytest.approx(Audio(tone, 16_000).level, abs=0.1)


def test_silence_on_all_channels_stays_silence() -> None:
    assert to_mono(Audio(bytes(400), 16_000, 2)).data == bytes(200)
    assert to_mono(Audio(b"", 16_000, 2)).data == b""


def test_sound_is_converted_to_any_rate() -> None:
    sound = Audio(np.stack((sine(440, 24_000),) * 2, axis=1), 24_000, 2)
    out = sound.converted(48_000)
    assert (out.rate, out.channels, out.seconds) == (48_000, 1, sound.seconds)
    assert out.level == pytest.approx(sound.level, abs=0.1)
    assert out.converted(48_000) is out
    with pytest.raises(ConfigError, match="rate: must be a positive whole number"):
        sound.converted(48)
