"""Voice activity detection: PCM in, starts and ends of speech out, on a clock of samples. Pure: no thread, no time of day.

Speech is what is louder than a threshold, in windows of 20 ms. The service's detector is a model of its own; this one is meant
to be predictable: a test can compute what it will say. Source of the settings: Live API reference, AutomaticActivityDetection.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from operator import mul
from typing import Any

WINDOW_SECONDS = 0.02
"""The shortest stretch of speech that has one loudness; usual in voice detectors (10 to 30 ms)."""

FULL_SCALE = 32768.0
"""Amplitude of 0 dBFS in 16-bit PCM."""

_STRIDE = 3
"""Every third sample is measured: loudness needs no more, and an odd stride has no pitch in common with usual test tones."""

START_DBFS = {"HIGH": -45.0, "LOW": -32.0}
"""Louder than this is speech. Quiet speech into a headset is about -40 dBFS, a room with people in it about -50."""

END_MARGIN_DB = {"HIGH": 3.0, "LOW": 9.0}
"""So far below the start threshold must speech fall to count as silence: a low sensitivity is slow to believe in an end."""

PREFIX_MS = {"HIGH": 60, "LOW": 200}
"""Speech needed before a start is committed, when setup does not say."""

SILENCE_MS = {"HIGH": 500, "LOW": 900}
"""Silence needed before an end is committed, when setup does not say."""

_GAP_WINDOWS = 2
"""Quiet windows that do not yet break a start that is being committed: stops between syllables last up to 40 ms."""


@dataclass(frozen=True)
class DetectorSettings:
    """What setup.realtimeInputConfig.automaticActivityDetection asks for, with defaults filled in."""

    disabled: bool = False
    start_dbfs: float = START_DBFS["HIGH"]
    end_dbfs: float = START_DBFS["HIGH"] - END_MARGIN_DB["HIGH"]
    prefix_seconds: float = PREFIX_MS["HIGH"] / 1000
    silence_seconds: float = SILENCE_MS["HIGH"] / 1000

    @classmethod
    def from_setup(cls, config: dict[str, Any], backend: str) -> DetectorSettings:
        """Reads an automaticActivityDetection object; unspecified sensitivity is HIGH on mldev and LOW on vertex."""
        start = _sensitivity(config.get("startOfSpeechSensitivity"), backend)
        end = _sensitivity(config.get("endOfSpeechSensitivity"), backend)
        return cls(
            disabled=bool(config.get("disabled", False)),
            start_dbfs=START_DBFS[start],
            end_dbfs=START_DBFS[start] - END_MARGIN_DB[end],
            prefix_seconds=int(config.get("prefixPaddingMs") or PREFIX_MS[start]) / 1000,
            silence_seconds=int(config.get("silenceDurationMs") or SILENCE_MS[end]) / 1000,
        )


def _sensitivity(value: str | None, backend: str) -> str:
    if value and value.endswith("_HIGH"):
        return "HIGH"
    if value and value.endswith("_LOW"):
        return "LOW"
    return "LOW" if backend == "vertex" else "HIGH"


@dataclass(frozen=True)
class Activity:
    """Speech started or ended."""

    started: bool
    """True for a start, False for an end."""
    offset: float
    """Seconds from the start of the audio stream to where the speech started or ended."""


def level_dbfs(samples: array[int]) -> float:
    """Loudness of some samples in dB below full scale; silence is -120."""
    if not samples:
        return -120.0
    power = sum(map(mul, samples, samples)) / len(samples)
    return 20 * math.log10(max(math.sqrt(power), 1e-1) / FULL_SCALE) if power else -120.0


class ActivityDetector:
    """Finds speech in a stream of one rate."""

    def __init__(self, settings: DetectorSettings, rate: int, start_offset: float = 0.0) -> None:
        self.settings = settings
        self.rate = rate
        self._start_offset = start_offset
        self._window = max(1, round(rate * WINDOW_SECONDS))
        self._rest: array[int] = array("h")
        self._heard = 0
        self._prefix_windows = max(1, math.ceil(settings.prefix_seconds / WINDOW_SECONDS))
        self._silence_windows = max(1, math.ceil(settings.silence_seconds / WINDOW_SECONDS))
        self._start_power = self._power(settings.start_dbfs)
        self._end_power = self._power(settings.end_dbfs)
        self.speaking = False
        self._loud = 0
        self._quiet = 0
        self._candidate = 0

    @staticmethod
    def _power(dbfs: float) -> float:
        return (FULL_SCALE * 10 ** (dbfs / 20)) ** 2

    @property
    def offset(self) -> float:
        """Seconds of audio heard so far, on the stream's clock."""
        return self._start_offset + (self._heard + len(self._rest)) / self.rate

    def feed(self, samples: array[int]) -> list[Activity]:
        """Hears some samples; returns what started and ended in them, in order."""
        if self._rest:
            samples = self._rest + samples
        window, found = self._window, []
        end = len(samples) - len(samples) % window
        for at in range(0, end, window):
            part = samples[at : at + window : _STRIDE]
            activity = self._judge(sum(map(mul, part, part)) / len(part))
            if activity is not None:
                found.append(activity)
        self._rest = samples[end:]
        return found

    def finish(self) -> list[Activity]:
        """The stream pauses: speech that is going on ends here."""
        self._loud = self._quiet = 0
        if not self.speaking:
            return []
        self.speaking = False
        return [Activity(False, self.offset)]

    def _judge(self, power: float) -> Activity | None:
        started_at = self._heard
        self._heard += self._window
        return self._await_end(power) if self.speaking else self._await_start(power, started_at)

    def _await_start(self, power: float, at: int) -> Activity | None:
        if power < self._start_power:
            self._quiet += 1
            if self._quiet > _GAP_WINDOWS:
                self._loud = 0
            return None
        if self._loud == 0:
            self._candidate = at
        self._loud += 1
        self._quiet = 0
        if self._loud < self._prefix_windows:
            return None
        self.speaking = True
        return Activity(True, self._start_offset + self._candidate / self.rate)

    def _await_end(self, power: float) -> Activity | None:
        if power >= self._end_power:
            self._quiet = 0
            return None
        self._quiet += 1
        if self._quiet < self._silence_windows:
            return None
        self.speaking = False
        self._loud = 0
        ended = self._heard - self._quiet * self._window
        self._quiet = 0
        return Activity(False, self._start_offset + ended / self.rate)
