"""From realtime audio to utterances: automatic detection, manual activity, end of stream. Pure: no thread, no time of day."""

from __future__ import annotations

import re
from array import array
from collections import deque
from dataclasses import dataclass, field

from genai_live.emulator.model.pcm import samples_of
from genai_live.emulator.model.voice_activity import Activity, ActivityDetector, DetectorSettings

DEFAULT_RATE = 16_000
"""Hz of audio whose MIME type does not say: the rate the service works at."""

_RATE = re.compile(r"rate=(\d{1,9})")

_PIECE_SECONDS = 0.1
"""Audio is looked at in pieces of at most this length, so that a whole recording in one message is cut as finely as a stream."""

_PREROLL_SECONDS = 0.3
"""Audio from before the detected start that belongs to an utterance: the soft beginning of its first word."""

_TAIL_SECONDS = 0.1
"""Of the silence that ended an utterance, so much stays in it."""

LONGEST_UTTERANCE_SECONDS = 300.0
"""Audio of one utterance that is kept; what is longer is still measured."""


@dataclass(frozen=True)
class Utterance:
    """Speech from one start to one end."""

    samples: array[int]
    rate: int
    started: float
    """Seconds from the start of the stream."""
    ended: float
    images: int = 0

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return max(0.0, self.ended - self.started)


@dataclass(frozen=True)
class SpeechEvent:
    """Something that was noticed: activity began, or it ended with an utterance."""

    activity: Activity
    utterance: Utterance | None = None


@dataclass
class UtteranceDetector:
    """What one session's audio holds: utterances, found by voice activity detection or marked by the client."""

    settings: DetectorSettings
    _detector: ActivityDetector | None = None
    _preroll: deque[array[int]] = field(default_factory=deque)
    _preroll_samples: int = 0
    _kept: array[int] = field(default_factory=lambda: array("h"))
    _started: float | None = None
    seconds: float = 0.0
    """Audio that came so far."""

    @property
    def listening(self) -> bool:
        """True between the start and the end of an activity."""
        return self._started is not None

    def audio(self, pcm: bytes, mime: str) -> list[SpeechEvent]:
        """Hears one message of audio."""
        found = _RATE.search(mime)
        rate = int(found[1]) if found and int(found[1]) > 0 else DEFAULT_RATE
        events = self._change_rate(rate) if self._detector is not None and self._detector.rate != rate else []
        if self._detector is None:
            self._detector = ActivityDetector(self.settings, rate, self.seconds)
        samples = samples_of(pcm)
        self.seconds += len(samples) / rate
        piece = max(1, round(rate * _PIECE_SECONDS))
        if len(samples) <= piece:
            return events + self._hear(self._detector, samples)
        for at in range(0, len(samples), piece):
            events += self._hear(self._detector, samples[at : at + piece])
        return events

    def start(self) -> list[SpeechEvent]:
        """The client says that speech starts (automatic detection is disabled)."""
        return [self._begin(Activity(True, self.seconds))]

    def end(self) -> list[SpeechEvent]:
        """The client says that speech ended; nothing when it never started."""
        return [self._finish(Activity(False, self.seconds), 0.0)] if self.listening else []

    def pause(self) -> list[SpeechEvent]:
        """audioStreamEnd: what is being said ends here; the next audio opens the stream again."""
        if self._detector is None:
            return []
        return [self._finish(activity, 0.0) for activity in self._detector.finish()]

    def _change_rate(self, rate: int) -> list[SpeechEvent]:
        """A stream of another rate begins: what is being said ends with the old one."""
        events = self.pause()
        self._detector = ActivityDetector(self.settings, rate, self.seconds)
        self._preroll.clear()
        self._preroll_samples = 0
        return events

    def _hear(self, detector: ActivityDetector, samples: array[int]) -> list[SpeechEvent]:
        self._keep(samples, detector.rate)
        if self.settings.disabled:
            return []
        heard = []
        for activity in detector.feed(samples):
            if activity.started:
                heard.append(self._begin(activity))
            else:
                heard.append(self._finish(activity, self.settings.silence_seconds - _TAIL_SECONDS))
        return heard

    def _keep(self, samples: array[int], rate: int) -> None:
        if self.listening:
            if len(self._kept) < rate * LONGEST_UTTERANCE_SECONDS:
                self._kept.extend(samples)
            return
        self._preroll.append(samples)
        self._preroll_samples += len(samples)
        while self._preroll_samples - len(self._preroll[0]) > rate * _PREROLL_SECONDS:
            self._preroll_samples -= len(self._preroll.popleft())

    def _begin(self, activity: Activity) -> SpeechEvent:
        self._started = activity.offset
        self._kept = array("h")
        if not self.settings.disabled:
            for samples in self._preroll:
                self._kept.extend(samples)
        self._preroll.clear()
        self._preroll_samples = 0
        return SpeechEvent(activity)

    def _finish(self, activity: Activity, trim_seconds: float) -> SpeechEvent:
        rate = self._detector.rate if self._detector is not None else DEFAULT_RATE
        kept, self._kept = self._kept, array("h")
        trim = max(0, round(rate * trim_seconds))
        if trim and len(kept) > trim:
            del kept[-trim:]
        started, self._started = self._started, None
        return SpeechEvent(activity, Utterance(kept, rate, started if started is not None else activity.offset, activity.offset))
