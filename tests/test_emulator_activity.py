"""The detector can be computed by hand: windows of 20 ms, thresholds, padding, silence; and the detector around it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from genai_live.emulator.model.pcm import samples_of
from genai_live.emulator.model.utterances import SpeechEvent, UtteranceDetector
from genai_live.emulator.model.voice_activity import Activity, ActivityDetector, DetectorSettings, level_dbfs
from tests.live_wire import RATE, silence, tone


def detect(pcm: bytes, chunk: int = 320, backend: str = "mldev", **config: Any) -> list[tuple[str, float]]:
    """What the detector says of a stream that is given to it in pieces of ``chunk`` samples."""
    detector = ActivityDetector(DetectorSettings.from_setup(config, backend), RATE)
    samples = samples_of(pcm)
    found = [activity for at in range(0, len(samples), chunk) for activity in detector.feed(samples[at : at + chunk])]
    return [("start" if activity.started else "end", round(activity.offset, 3)) for activity in found]


def test_speech_starts_where_it_got_loud_and_ends_where_it_got_quiet() -> None:
    assert detect(silence(0.5) + tone(1.0) + silence(1.0)) == [("start", 0.5), ("end", 1.5)]


@pytest.mark.parametrize("chunk", [1, 7, 160, 320, 641, 100_000])
def test_the_cut_of_the_stream_changes_nothing(chunk: int) -> None:
    pcm = silence(0.3) + tone(0.4) + silence(0.7) + tone(0.2) + silence(0.6)
    assert detect(pcm, chunk) == [("start", 0.3), ("end", 0.7), ("start", 1.4), ("end", 1.6)]


def test_silence_duration_decides_whether_a_pause_ends_speech() -> None:
    pcm = tone(0.4) + silence(0.3) + tone(0.4) + silence(2.0)
    assert detect(pcm, silenceDurationMs=200) == [("start", 0.0), ("end", 0.4), ("start", 0.7), ("end", 1.1)]
    assert detect(pcm, silenceDurationMs=400) == [("start", 0.0), ("end", 1.1)]


def test_prefix_padding_decides_how_short_a_sound_counts_as_speech() -> None:
    click = silence(0.2) + tone(0.06) + silence(1.0)
    assert detect(click, prefixPaddingMs=40) == [("start", 0.2), ("end", 0.26)]
    assert detect(click, prefixPaddingMs=100) == []


def test_a_short_stop_within_a_word_does_not_restart_the_padding() -> None:
    word = tone(0.06) + silence(0.04) + tone(0.06)
    assert detect(silence(0.2) + word + silence(1.0), prefixPaddingMs=120) == [("start", 0.2), ("end", 0.36)]


@pytest.mark.parametrize(("sensitivity", "heard"), [("HIGH", True), ("LOW", False)])
def test_start_sensitivity_decides_how_loud_speech_must_be(sensitivity: str, heard: bool) -> None:
    quiet = tone(0.5, amplitude=400)  # -38 dBFS
    found = detect(quiet + silence(2.0), startOfSpeechSensitivity=f"START_SENSITIVITY_{sensitivity}")
    assert bool(found) is heard


def test_end_sensitivity_decides_how_quiet_and_how_long_silence_must_be() -> None:
    fading = tone(0.5) + tone(3.0, amplitude=120) + silence(2.0)  # -49 dBFS
    assert detect(fading, endOfSpeechSensitivity="END_SENSITIVITY_HIGH")[-1] == ("end", 0.5)
    assert detect(fading, endOfSpeechSensitivity="END_SENSITIVITY_LOW")[-1] == ("end", 3.5)


def test_unspecified_sensitivity_is_high_on_mldev_and_low_on_vertex() -> None:
    quiet = tone(0.5, amplitude=400) + silence(2.0)
    unspecified = {"startOfSpeechSensitivity": "START_SENSITIVITY_UNSPECIFIED"}
    assert detect(quiet, backend="mldev", **unspecified)
    assert not detect(quiet, backend="vertex", **unspecified)


def test_levels_are_in_dbfs() -> None:
    assert round(level_dbfs(samples_of(tone(0.1, amplitude=32767)))) == 0
    assert round(level_dbfs(samples_of(tone(0.1, amplitude=3277)))) == -20
    assert level_dbfs(samples_of(silence(0.1))) == -120
    assert level_dbfs(samples_of(b"")) == -120


def test_an_odd_byte_is_dropped() -> None:
    assert list(samples_of(b"\x01\x00\x02")) == [1]


# -- the detector -----------------------------------------------------------------------------------------------------------


def utterances(heard: list[SpeechEvent]) -> list[tuple[float, float]]:
    """Length of speech, and of audio kept, of every utterance that ended."""
    ended = [item.utterance for item in heard if item.utterance is not None]
    return [(round(each.seconds, 2), round(len(each.samples) / each.rate, 2)) for each in ended]


def test_an_utterance_keeps_a_little_of_what_was_before_it_and_none_of_the_silence_that_ended_it() -> None:
    detector = UtteranceDetector(DetectorSettings())
    heard = detector.audio(silence(1.0) + tone(1.0) + silence(1.0), "audio/pcm;rate=16000")
    ((speech, kept),) = utterances(heard)
    assert speech == 1.0
    assert 1.1 <= kept <= 1.5


def test_a_pause_of_the_stream_ends_what_is_being_said_and_audio_opens_it_again() -> None:
    detector = UtteranceDetector(DetectorSettings())
    assert utterances(detector.audio(tone(0.5), "audio/pcm;rate=16000")) == []
    assert [seconds for seconds, _ in utterances(detector.pause())] == [0.5]
    assert detector.pause() == []
    assert utterances(detector.audio(tone(0.3) + silence(0.6), "audio/pcm;rate=16000"))[0][0] == 0.3


def test_the_clock_of_the_stream_goes_on_over_pauses_and_rates() -> None:
    detector = UtteranceDetector(DetectorSettings())
    detector.audio(silence(1.0), "audio/pcm;rate=16000")
    (start,) = detector.audio(tone(0.5, rate=8000), "audio/pcm;rate=8000")
    assert round(start.activity.offset, 2) == 1.0


def test_another_rate_ends_what_is_being_said() -> None:
    detector = UtteranceDetector(DetectorSettings())
    assert utterances(detector.audio(tone(0.5, rate=22_050), "audio/pcm;rate=22050")) == []
    heard = detector.audio(silence(1.0), "audio/pcm;rate=16000")
    assert utterances(heard) == [(0.5, 0.5)]
    assert not detector.listening


def test_a_rate_beyond_all_sense_is_no_rate() -> None:
    detector = UtteranceDetector(DetectorSettings())
    detector.audio(silence(1.0), "audio/pcm;rate=" + "9" * 5000)
    detector.audio(silence(1.0), "audio/pcm;rate=0")
    assert not detector.listening


def test_audio_without_a_rate_is_16_khz() -> None:
    detector = UtteranceDetector(DetectorSettings())
    detector.audio(silence(1.0), "audio/pcm")
    assert detector.seconds == 1.0


def test_manual_activity_counts_whatever_its_loudness() -> None:
    detector = UtteranceDetector(DetectorSettings(disabled=True))
    assert detector.audio(tone(1.0), "audio/pcm;rate=16000") == []
    assert detector.start()[0].activity == Activity(True, 1.0)
    detector.audio(silence(0.4), "audio/pcm;rate=16000")
    assert utterances(detector.end()) == [(0.4, 0.4)]
    assert detector.end() == []


def test_the_detector_needs_no_wall_clock() -> None:
    stream = list(itertools.chain.from_iterable([tone(0.3), silence(0.6)] for _ in range(20)))
    assert len(detect(b"".join(stream))) == 40
