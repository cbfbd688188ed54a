"""The model inside the emulator: turns a prompt into an answer to be sent. Runs on the emulator's loop thread."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from genai_live.emulator.model.answers import Call, Prompt, answer_text, wanted_calls
from genai_live.emulator.model.pcm import ANSWER_RATE, BYTES_PER_SAMPLE, resample, samples_of, to_bytes, tones
from genai_live.emulator.model.session_options import SessionOptions


@dataclass(frozen=True)
class Sound:
    """Audio of an answer, kept at the rate it was made at and converted frame by frame as it is sent."""

    samples: array[int]
    rate: int = ANSWER_RATE

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate

    def frames(self, frame_bytes: int) -> Iterator[bytes]:
        """PCM at 24 kHz in pieces of about ``frame_bytes``."""
        step = max(2, frame_bytes // BYTES_PER_SAMPLE * self.rate // ANSWER_RATE) & ~1
        for at in range(0, len(self.samples), step):
            yield to_bytes(resample(self.samples[at : at + step], self.rate, ANSWER_RATE))


@dataclass
class Answer:
    """What the model does about a prompt."""

    heard: str | None = None
    """What was understood of speech; None when nothing was said."""
    text: str = ""
    thought: str = ""
    """A thought part that goes before the answer; only scenarios have them."""
    sound: Sound | None = None
    calls: list[Call] = field(default_factory=list)
    rounds: list[list[Call]] = field(default_factory=list)
    """Calls that follow when those have their responses, round by round."""


class Model:
    """Answers at once, with what can be measured: words for text, the caller's own voice for speech, tones for its own words."""

    description = "answers with tones, or with the caller's own voice; speech is measured, not understood"

    def __init__(self, hears: Iterator[str]) -> None:
        self._hears = hears

    def consider(self, prompt: Prompt, options: SessionOptions, called_before: bool, then: Callable[[Answer], None]) -> None:
        """Calls ``then`` with the answer: at once, or later on this thread."""
        then(self._answer(prompt, options, called_before))

    def _answer(self, prompt: Prompt, options: SessionOptions, called_before: bool) -> Answer:
        heard = self._listen(prompt)
        rounds = wanted_calls(prompt, options.seen_declarations, called_before)
        if rounds:
            return Answer(heard, calls=rounds[0], rounds=rounds[1:])
        text = answer_text(prompt)
        return Answer(heard, text, sound=self._speak(prompt, text, options) if options.speaks else None)

    def close(self) -> None:
        """Gives back what it holds; it can be used again."""

    def _listen(self, prompt: Prompt) -> str | None:
        if prompt.utterance is None:
            return None
        words = self._understand(prompt)
        prompt.understood = bool(words)
        if not words:
            return f"[{prompt.utterance.seconds:.1f} s of speech]"
        prompt.text = f"{prompt.text} {words}".strip()
        return words

    def _understand(self, prompt: Prompt) -> str:
        """The words of the prompt's utterance; empty when it cannot be understood."""
        return next(self._hears, "")

    def _speak(self, prompt: Prompt, text: str, options: SessionOptions) -> Sound:
        if prompt.utterance is not None and prompt.utterance.samples:
            return Sound(prompt.utterance.samples, prompt.utterance.rate)
        return Sound(samples_of(tones(text)))
