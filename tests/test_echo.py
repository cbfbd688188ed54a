"""Echo cancellation on computed rooms: the same sound every time, no device."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from genai_live.audio import Audio, level_dbfs
from genai_live.voice.sound_cards.echo import TOGETHER, EchoCanceller
from genai_live.voice.sound_cards.pairing import FRAME_BYTES, SILENCE

numpy = pytest.importorskip("numpy")
pytest.importorskip("pywebrtc_audio")

QUESTION = Path(__file__).parent.parent / "genai_live" / "cli" / "data" / "question.wav"
RATE = 16_000
FRAME = RATE // 100


def speech(times: int = 3) -> Any:
    """What the loudspeaker plays."""
    samples = numpy.frombuffer(Audio.load(QUESTION).data, dtype="<i2").astype(float)
    return numpy.concatenate([samples, samples[::-1], samples][:times])


def echo_of(played: Any, gain: float, delay: float, tail: float = 0.06) -> Any:
    """What comes back of it: after ``delay`` seconds, with the decaying reflections of a room."""
    taps = int(tail * RATE)
    room = numpy.random.default_rng(1).standard_normal(taps) * numpy.exp(-numpy.arange(taps) / (0.2 * taps)) * 0.1
    room[0] = 1.0
    late = numpy.concatenate([numpy.zeros(int(delay * RATE)), played])[: len(played)]
    return numpy.convolve(late, room)[: len(played)] * gain


def pcm(samples: Any) -> bytes:
    noise = numpy.random.default_rng(2).standard_normal(len(samples)) * 5
    return bytes(numpy.clip(samples + noise, -32_768, 32_767).astype("<i2").tobytes())


def cleaned(heard: bytes, played: bytes, canceller: EchoCanceller | None = None, card: float = 0.04, rough: float = 0.0) -> bytes:
    """Both in step, block by block, as two devices give them, whose clocks are wrong by up to ``rough``.

    ``card`` is the time that sound takes through these.
    """
    canceller = canceller or EchoCanceller(RATE)
    parts, chance = [], random.Random(1)
    for number, start in enumerate(range(0, len(heard) - FRAME_BYTES + 1, FRAME_BYTES)):
        canceller.played(played[start : start + FRAME_BYTES], number * 0.01 + card + chance.uniform(0.0, rough))
        parts.append(hear(canceller, heard[start : start + FRAME_BYTES], number * 0.01))
    return b"".join(parts)


def hear(canceller: EchoCanceller, pcm: bytes, at: float) -> bytes:
    """What comes of a block, and of those before it, when somebody looks."""
    canceller.heard(pcm, at)
    return canceller.take()


def frames_of(sound: bytes) -> list[bytes]:
    return [sound[at : at + FRAME_BYTES] for at in range(0, len(sound), FRAME_BYTES)]


def loudest(sound: bytes, seconds: float = 0.02) -> float:
    """dBFS of its loudest piece."""
    size = int(seconds * RATE) * 2
    return max(level_dbfs(sound[start : start + size]) for start in range(0, len(sound) - size, size))


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.2])
@pytest.mark.parametrize("gain", [0.1, 0.35, 1.0])
def test_an_echo_is_at_least_35_db_below_what_the_microphone_hears(gain: float, delay: float) -> None:
    played = speech()
    heard = pcm(echo_of(played, gain, delay))
    left = cleaned(heard, pcm(played), card=min(delay, 0.04))
    second = 2 * RATE
    assert level_dbfs(left[second:]) < level_dbfs(heard[second:]) - 35


@pytest.mark.parametrize("lost", [-3, -2, -1, 1, 2, 4])
def test_where_a_card_lost_sound_no_echo_is_heard_while_the_canceller_finds_it_anew(lost: int) -> None:
    played = speech()
    heard, given = pcm(echo_of(played, 1.0, 0.06)), pcm(played)
    canceller = EchoCanceller(RATE)
    half = 500 * FRAME_BYTES
    cleaned(heard[:half], given[:half], canceller, rough=0.003)
    canceller.disturbed()
    missing = (bytes(-lost * FRAME_BYTES) + given[half:]) if lost < 0 else given[half + lost * FRAME_BYTES :]
    assert loudest(cleaned(heard[half:], missing, canceller, rough=0.003)) < -45


@pytest.mark.parametrize("lost", [0.002, 0.0053, 0.0267, 0.14])
@pytest.mark.parametrize("side", ["heard", "played"])
def test_where_times_say_that_sound_was_lost_the_echo_stays_cancelled_and_nobody_is_held_back(lost: float, side: str) -> None:
    played = speech()
    heard, given = echo_of(played, 1.0, 0.06), played
    at = 600 * FRAME
    missing = int(lost * RATE)
    if side == "heard":
        heard = numpy.delete(heard, slice(at, at + missing))
    else:  # the card played silence instead, so that what follows is heard later
        heard = echo_of(numpy.insert(played, at, numpy.zeros(missing)), 1.0, 0.06)
    near, far, parts, canceller = pcm(heard), pcm(given), [], EchoCanceller(RATE)
    for number in range(min(len(near), len(far)) // FRAME_BYTES):
        piece = slice(number * FRAME_BYTES, (number + 1) * FRAME_BYTES)
        late = missing / RATE if number >= 600 else 0.0
        canceller.played(far[piece], number * 0.01 + 0.04 + (late if side == "played" else 0.0))
        parts.append(hear(canceller, near[piece], number * 0.01 + (late if side == "heard" else 0.0)))
    left = b"".join(parts)
    assert canceller.stats["echo_gaps"] == 1
    assert loudest(left[2 * at :]) < -45
    after = left[2 * at + 20 * FRAME_BYTES :]
    assert SILENCE.pcm not in frames_of(after)


@pytest.mark.parametrize(("rough", "held_back"), [(0.0, 30), (0.003, 200)], ids=["filled", "not sure"])
def test_a_voice_is_heard_again_soon_after_a_card_has_reported_a_loss(rough: float, held_back: int) -> None:
    voice, played = pcm(speech()), pcm(speech()[::-1])
    canceller, chance, left = EchoCanceller(RATE), random.Random(1), b""
    for number in range(len(voice) // FRAME_BYTES):
        piece = slice(number * FRAME_BYTES, (number + 1) * FRAME_BYTES)
        canceller.played(played[piece], number * 0.01 + 0.04 + chance.uniform(0.0, rough))
        left += hear(canceller, voice[piece], number * 0.01)
        if number == 99:
            canceller.disturbed()
    assert abs(frames_of(left).count(SILENCE.pcm) - held_back) < TOGETHER
    assert level_dbfs(left[4 * 2 * RATE :]) > level_dbfs(voice) - 10


def test_what_was_lost_before_anything_was_played_makes_nobody_inaudible() -> None:
    voice, played = pcm(speech()), pcm(speech()[::-1])
    canceller = EchoCanceller(RATE)
    cleaned(bytes(20 * FRAME_BYTES), bytes(20 * FRAME_BYTES), canceller)
    canceller.disturbed()
    undisturbed = EchoCanceller(RATE)
    cleaned(bytes(20 * FRAME_BYTES), bytes(20 * FRAME_BYTES), undisturbed)
    assert cleaned(voice, played, canceller) == cleaned(voice, played, undisturbed)


@pytest.mark.parametrize("delay", [0.02, 0.06])
def test_no_echo_is_loud_enough_to_count_as_speech_not_even_that_of_the_first_word(delay: float) -> None:
    played = speech()
    left = cleaned(pcm(echo_of(played, 0.35, delay)), pcm(played), card=min(delay, 0.04))
    assert loudest(left) < -45  # the emulator's threshold of speech


@pytest.mark.parametrize("ppm", [50, -100, 200])
def test_an_echo_is_as_faint_between_cards_whose_clocks_run_apart(ppm: int) -> None:
    """Where that is not made good, the loudest piece of the minute has -17 to -24 dBFS."""
    faster, length = 1 + ppm / 1e6, RATE // 25
    minute = numpy.resize(speech(), 60 * RATE)
    heard, left, canceller = as_counted(echo_of(minute, 0.35, 0.06), faster), [], EchoCanceller(RATE)
    for at in range(0, len(heard) - length, length):
        canceller.played(pcm(minute[at : at + length]), at / RATE + 0.04)
        left.append(hear(canceller, pcm(heard[at : at + length]), at / RATE / faster))
    assert loudest(b"".join(left)) < -45
    assert canceller.stats["echo_drift"] == pytest.approx(ppm, abs=2)


def as_counted(samples: Any, faster: float) -> Any:
    """What a card gives whose clock is ``faster`` by that factor."""
    finer = 4
    spectrum = numpy.fft.rfft(samples)
    fine = numpy.fft.irfft(numpy.concatenate([spectrum, numpy.zeros((finer - 1) * len(samples) // 2)])) * finer
    return numpy.interp(numpy.arange(len(samples)) * finer / faster, numpy.arange(len(fine)), fine)


def test_a_voice_that_speaks_at_the_same_time_keeps_its_loudness_within_3_db() -> None:
    played = speech()
    voice = numpy.zeros(len(played))
    voice[-60_000:] = speech(1)[:60_000]
    left = cleaned(pcm(echo_of(played, 0.35, 0.06) + voice), pcm(played))
    assert abs(level_dbfs(left[-100_000:]) - level_dbfs(pcm(voice)[-100_000:])) < 3


def test_a_voice_alone_is_left_as_it_is() -> None:
    voice = pcm(speech())
    left = cleaned(voice, bytes(len(voice)))
    assert abs(level_dbfs(left) - level_dbfs(voice)) < 0.5


def test_the_figures_say_how_loud_the_echo_was_and_what_is_left_of_it() -> None:
    played = speech()
    canceller = EchoCanceller(RATE)
    before = canceller.stats
    assert (before["echo_heard"], before["echo_left"], before["echo_removed"]) == (None, None, None)
    heard = pcm(echo_of(played, 0.35, 0.06))
    cleaned(heard, pcm(played), canceller)
    stats = canceller.stats
    assert abs((stats["echo_heard"] or 0.0) - level_dbfs(heard)) < 6
    assert (stats["echo_removed"] or 0.0) > 35
    assert math.isclose(stats["echo_delay"] or 0.0, 0.02, abs_tol=1e-6)  # of 0.04 as it came: two frames ahead
    assert 0 < (stats["echo_cost"] or 0.0) < 1


def test_a_loudspeaker_of_another_rate_is_converted() -> None:
    played = speech()
    heard = pcm(echo_of(played, 0.35, 0.06))
    at_48 = Audio(pcm(played), RATE).converted(48_000).data
    canceller = EchoCanceller(48_000)
    parts = []
    for number in range(len(heard) // FRAME_BYTES):
        canceller.played(at_48[number * 960 : (number + 1) * 960], number * 0.01)
        parts.append(hear(canceller, heard[number * FRAME_BYTES : (number + 1) * FRAME_BYTES], number * 0.01))
    left = b"".join(parts)
    assert level_dbfs(left[2 * RATE :]) < level_dbfs(heard[2 * RATE :]) - 35


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("seed", range(4))
def test_looks_that_come_late_are_no_lost_sound_whatever_the_length_of_a_block(rate: int, seed: int) -> None:
    block = rate * 256 // 24_000
    played = Audio(pcm(speech()), RATE).converted(rate).data
    voice = pcm(speech()[::-1])
    late = random.Random(seed)
    canceller, left, now = EchoCanceller(rate), b"", 0.0
    heard_of = played_of = 0
    while now < 12:
        now += late.choice([0.04, 0.04, 0.042, 0.03, 0.06, 0.11])  # a busy machine
        while (at := played_of * block / rate) <= now:  # the times are the cards', whenever somebody looks
            canceller.played(played[2 * block * played_of : 2 * block * (played_of + 1)], at + 0.03)
            played_of += 1
        for _ in range((int(now * 100) - heard_of) // TOGETHER * TOGETHER):
            frame_heard = voice[heard_of * FRAME_BYTES : (heard_of + 1) * FRAME_BYTES]
            canceller.heard(frame_heard, heard_of * 0.01 - 0.015)
            heard_of += 1
        left += canceller.take()
    assert len(left) > 11 * 2 * RATE
    assert SILENCE.pcm not in frames_of(left)
    assert level_dbfs(left) > level_dbfs(voice[: len(left)]) - 10


@pytest.mark.parametrize("late", [0.09, 0.12, 0.15])
def test_a_late_look_at_the_first_sound_holds_nothing_back(late: float) -> None:
    voice, played = pcm(speech()[::-1]), bytes(300 * FRAME_BYTES) + pcm(speech())
    canceller, left, now, heard_of, played_of = EchoCanceller(RATE), b"", 0.0, 0, 0
    while now < 9:
        now += late if 3 <= now + 0.04 < 3.04 else 0.04
        while played_of * 0.01 <= now:
            canceller.played(played[played_of * FRAME_BYTES : (played_of + 1) * FRAME_BYTES], played_of * 0.01 + 0.03)
            played_of += 1
        while heard_of * 0.01 + 0.005 <= now:
            canceller.heard(voice[heard_of * FRAME_BYTES : (heard_of + 1) * FRAME_BYTES], heard_of * 0.01 - 0.005)
            heard_of += 1
        left += canceller.take()
    assert heard_of * FRAME_BYTES - len(left) <= TOGETHER * FRAME_BYTES
    assert SILENCE.pcm not in frames_of(left)


@pytest.mark.parametrize("latency", [0.2, 0.1, 0.03])
def test_a_loudspeaker_whose_latency_falls_makes_nobody_inaudible_for_long(latency: float) -> None:
    voice, played = pcm(speech()[::-1]), pcm(speech())
    canceller, left = EchoCanceller(RATE), b""
    for number in range(1_350):  # a sound server moves the stream to another loudspeaker after 5 s
        piece = slice(number * FRAME_BYTES, (number + 1) * FRAME_BYTES)
        canceller.played(played[piece], number * 0.01 + (0.3 if number < 500 else latency))
        left += hear(canceller, voice[piece], number * 0.01 - 0.015)
    assert len(left) > (1_350 - TOGETHER) * FRAME_BYTES
    assert SILENCE.pcm not in frames_of(left)[1_000:]


def test_no_echo_is_heard_while_its_reference_is_missing() -> None:
    played = speech()
    heard, given = pcm(echo_of(played, 1.0, 0.06)), pcm(played)
    canceller = EchoCanceller(RATE)
    half = 500 * FRAME_BYTES
    cleaned(heard[:half], given[:half], canceller)
    left = b"".join(
        hear(canceller, heard[at : at + FRAME_BYTES], 0.0) for at in range(half, half + 60 * FRAME_BYTES, FRAME_BYTES)
    )
    assert len(left) > 30 * FRAME_BYTES
    assert loudest(left) < -45


def test_frames_that_wait_for_their_partners_are_cancelled_as_soon_as_those_come() -> None:
    canceller = EchoCanceller(RATE)
    for number in range(8):
        canceller.played(bytes(FRAME_BYTES), number * 0.01)
    assert len(hear(canceller, b"\1\0" * FRAME * 8, 0.0)) == 8 * FRAME_BYTES
    assert hear(canceller, b"\1\0" * FRAME * 4, 0.08) == b""
    canceller.played(bytes(FRAME_BYTES) * 4, 0.08)
    assert len(hear(canceller, b"\1\0" * FRAME, 0.12)) == 4 * FRAME_BYTES
