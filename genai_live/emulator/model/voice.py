"""Speech recognition and synthesis, as far as installed: pocketsphinx hears, espeak-ng speaks. Runs on a worker thread.

Both are looked for when an emulator is made; neither is imported or started before. What they do takes a tenth of a second or
more, so one worker thread does it and the emulator's loop goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import shutil
import subprocess
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from genai_live._extras import installing
from genai_live.emulator.model.answers import Prompt
from genai_live.emulator.model.pcm import ANSWER_RATE, resample, samples_of, to_bytes
from genai_live.emulator.model.session_options import SessionOptions
from genai_live.emulator.model.speech import Answer, Model, Sound
from genai_live.errors import ConfigError

RECOGNISER_RATE = 16_000
"""Hz that the English model of pocketsphinx was trained at."""

SYNTHESISER = "espeak-ng"
WORDS_A_MINUTE = 150
"""A little slower than espeak-ng's default of 175, which recognisers and people find hard to follow."""

LONGEST_SPEAKING = 20.0
"""Seconds that espeak-ng may take; it needs a few milliseconds for a sentence."""

WAV_HEAD = 44
"""Bytes before the samples of a WAV file without extra chunks, which is what espeak-ng writes; lengths in it are not set."""

RATE_AT = slice(24, 28)
"""Where a WAV file says its rate in Hz."""

_log = logging.getLogger("genai_live.emulator")


class Recogniser:
    """English speech to text by pocketsphinx, offline, with the model that comes in its wheel."""

    def __init__(self) -> None:
        self._decoder: Any = None

    @staticmethod
    def installed() -> bool:
        """True when the package is there."""
        return importlib.util.find_spec("pocketsphinx") is not None

    def transcribe(self, samples: array[int], rate: int) -> str:
        """The words of one utterance; empty when there are none. Blocks for about a fifth of the utterance's length."""
        if self._decoder is None:
            from pocketsphinx import Decoder

            self._decoder = Decoder(samprate=RECOGNISER_RATE, loglevel="FATAL")
        self._decoder.start_utt()
        self._decoder.process_raw(to_bytes(resample(samples, rate, RECOGNISER_RATE)), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis is not None else ""


class Synthesiser:
    """Text to speech by the program espeak-ng."""

    @staticmethod
    def installed() -> bool:
        """True when the program is there."""
        return shutil.which(SYNTHESISER) is not None

    @staticmethod
    @lru_cache(maxsize=128)
    def say(text: str, language: str) -> Sound:
        """Speech; blocks for some milliseconds.

        Raises:
            OSError: the program cannot be run.
            subprocess.SubprocessError: it failed.
        """
        command = [SYNTHESISER, "-v", language, "-s", str(WORDS_A_MINUTE), "--stdin", "--stdout"]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=LONGEST_SPEAKING)
        rate = int.from_bytes(done.stdout[RATE_AT], "little")
        # Converted here, on the worker, once: not frame by frame on the loop that serves everybody.
        return Sound(resample(samples_of(done.stdout[WAV_HEAD:]), rate, ANSWER_RATE))


class VoiceModel(Model):
    """Answers in speech, to what was said, as far as the two are installed."""

    def __init__(self, hears: Iterator[str], recogniser: Recogniser | None, synthesiser: Synthesiser | None) -> None:
        super().__init__(hears)
        self._recogniser = recogniser
        self._synthesiser = synthesiser
        self._worker: ThreadPoolExecutor | None = None
        understands = "understands English by pocketsphinx" if recogniser else "measures speech without understanding it"
        self.description = f"{understands}, {'speaks by espeak-ng' if synthesiser else 'answers with tones'}"

    def consider(self, prompt: Prompt, options: SessionOptions, called_before: bool, then: Callable[[Answer], None]) -> None:
        """Calls ``then`` with the answer when the worker has it."""
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="genai_live emulator voice")
        loop = asyncio.get_running_loop()

        def done(future: Future[Answer]) -> None:
            if not future.cancelled():
                with contextlib.suppress(RuntimeError):  # the emulator was stopped meanwhile, and its loop is closed
                    loop.call_soon_threadsafe(then, future.result())

        self._worker.submit(self._answer, prompt, options, called_before).add_done_callback(done)

    def close(self) -> None:
        """Ends the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown(wait=False, cancel_futures=True)

    def _understand(self, prompt: Prompt) -> str:
        told = super()._understand(prompt)
        if told or self._recogniser is None or prompt.utterance is None:
            return told
        try:
            return self._recogniser.transcribe(prompt.utterance.samples, prompt.utterance.rate)
        except Exception as error:  # a binding to C: whatever it raises, speech that was not understood can still be measured
            _log.warning("pocketsphinx could not transcribe %.1f s of speech: %s", prompt.utterance.seconds, error)
            return ""

    def _speak(self, prompt: Prompt, text: str, options: SessionOptions) -> Sound:
        if self._synthesiser is None:
            return super()._speak(prompt, text, options)
        try:
            return self._synthesiser.say(text, options.language)
        except (OSError, subprocess.SubprocessError) as error:
            _log.warning("espeak-ng could not say %d characters in %r: %s", len(text), options.language, error)
            return super()._speak(prompt, text, options)


def make_model(hears: Sequence[str], voice: bool | None) -> Model:
    """The model that is wanted: voiced where something is installed (None), always (True), or never (False).

    Raises:
        ConfigError: for True when neither program nor package is there.
    """
    recogniser = Recogniser() if voice is not False and Recogniser.installed() else None
    synthesiser = Synthesiser() if voice is not False and Synthesiser.installed() else None
    if recogniser is None and synthesiser is None:
        if voice:
            words = f"takes, to hear, the package pocketsphinx ({installing('emulator-voice')}), to speak, the program espeak-ng"
            raise ConfigError(words, "voice")
        return Model(iter(hears))
    return VoiceModel(iter(hears), recogniser, synthesiser)
