"""One session of the music method: prompts and config in, beats of chords out. Runs on the emulator's loop thread.

Source: protocol topic "Live music"; no recording of the real thing was at hand, so every message here is only documented.
"""

from __future__ import annotations

import asyncio
from array import array
from functools import lru_cache
from typing import Any
from zlib import crc32

from genai_live import _json
from genai_live.emulator.model.pcm import to_bytes, tone
from genai_live.emulator.server.listener import Ending
from genai_live.emulator.server.validation import Refused
from genai_live.emulator.session.session import Session
from genai_live.types.music import LiveMusicClientMessage

MUSIC_RATE = 48_000
MUSIC_MIME = "audio/l16;rate=48000;channels=2"
"""16-bit stereo, as in the official clients' fixtures."""

DEFAULT_BPM = 120
"""Beats per minute where the config names none. One audioChunk is one beat: half a second at this pace."""

FADE = 0.8
"""Part of its loudness that a chord loses until the next beat: beats can be heard, and found in the samples."""

SHORTEST_INTERVAL = 0.02
"""Seconds between chunks at pace 0: music has no end, and without a pause it would fill every buffer."""

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 3.0),
    "topK": (1, 1000),
    "seed": (-(2**31), 2**31 - 1),
    "guidance": (0.0, 6.0),
    "bpm": (60, 200),
    "density": (0.0, 1.0),
    "brightness": (0.0, 1.0),
}
"""Live music reference, LiveMusicGenerationConfig."""

FILTER_WORD = "filtered"
"""A prompt that contains this word is answered with filteredPrompt, so that programs can be tried with one."""


class MusicSession(Session):
    """One WebSocket on BidiGenerateMusic."""

    message_type = LiveMusicClientMessage
    playback = "STOP"
    """The last playbackControl."""

    _timer: asyncio.TimerHandle | None = None
    _content: dict[str, Any] | None = None
    _config: dict[str, Any] | None = None
    _bpm = DEFAULT_BPM
    """What is played: a new config's bpm is heard after RESET_CONTEXT, or when the music begins."""

    @property
    def state(self) -> str:
        """What the session is doing, in words."""
        return super().state if self.setup is None else self.playback.lower()

    def begin(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Takes the setup.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        if not setup.get("model"):
            raise Refused("* BidiGenerateMusicRequest.setup.model: model is not specified")
        return setup

    def complete_setup(self) -> None:
        """Answers the setup."""
        self.send({"setupComplete": {}})
        if self.driver is not None:
            self.driver.happened("setup complete")

    def take(self, kind: str, body: Any) -> None:
        """Takes prompts, config and playback control.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        if kind == "clientContent":
            self._take_prompts(body)
        elif kind == "musicGenerationConfig":
            self._take_config(body)
        else:
            self._control(body)

    def ended(self, ending: Ending) -> None:
        """The connection is gone."""
        self._pause()
        super().ended(ending)

    def _take_prompts(self, body: dict[str, Any]) -> None:
        prompts = body.get("weightedPrompts") or []
        if not prompts:
            raise Refused("Request contains an invalid argument: weighted_prompts is empty.")
        for prompt in prompts:
            if not prompt.get("weight", 1.0):
                raise Refused("Request contains an invalid argument: the weight of a prompt must not be 0.")
            if FILTER_WORD in prompt.get("text", ""):
                self.send({"filteredPrompt": {"text": prompt["text"], "filteredReason": "The emulator filters this word."}})
        total = sum(prompt.get("weight", 1.0) for prompt in prompts)
        if not total:
            raise Refused("Request contains an invalid argument: the weights of the prompts add up to 0.")
        self._content = {
            "weightedPrompts": [
                {"text": prompt.get("text", ""), "weight": prompt.get("weight", 1.0) / total}
                for prompt in prompts
                if FILTER_WORD not in prompt.get("text", "")
            ]
        }

    def _take_config(self, config: dict[str, Any]) -> None:
        for name, (low, high) in RANGES.items():
            value = config.get(name)
            if value is not None and not low <= value <= high:
                raise Refused(f"Request contains an invalid argument: {name} must be between {low:g} and {high:g}.")
        self._config = config

    def _control(self, control: str) -> None:
        if control == "RESET_CONTEXT" or (control == "PLAY" and self.playback == "STOP"):
            self._bpm = (self._config or {}).get("bpm") or DEFAULT_BPM
        if control == "RESET_CONTEXT":
            return
        self.playback = control
        self._pause()
        if control == "PLAY":
            self._play()

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _play(self) -> None:
        if not self.congested and (self.driver is None or not self.driver.scripted):
            self.send({"serverContent": {"audioChunks": [self._chunk()]}})
        interval = max(SHORTEST_INTERVAL, 60 / self._bpm * self.settings.pace)
        self._timer = asyncio.get_running_loop().call_later(interval, self._play)

    def _chunk(self) -> dict[str, Any]:
        prompts = (self._content or {}).get("weightedPrompts") or [{"text": "", "weight": 1.0}]
        source = {"clientContent": self._content, "musicGenerationConfig": self._config}
        return {
            "data": beat(tuple((prompt["text"], prompt["weight"]) for prompt in prompts), self._bpm),
            "mimeType": MUSIC_MIME,
            "sourceMetadata": {name: value for name, value in source.items() if value is not None},
        }


@lru_cache(maxsize=32)
def beat(prompts: tuple[tuple[str, float], ...], bpm: int) -> str:
    """One beat of stereo in base64: a note for each prompt, as loud as its weight. Equal prompts sound equal."""
    count = round(MUSIC_RATE * 60 / bpm)
    chord = array("d", bytes(8 * count))
    for text, weight in prompts:
        note = tone(crc32(text.encode()), count, MUSIC_RATE)
        chord = array("d", (before + weight * sample for before, sample in zip(chord, note, strict=True)))
    loss = FADE / count
    stereo = array("h", bytes(4 * count))
    stereo[0::2] = stereo[1::2] = array("h", (_limited(sample * (1.0 - loss * n)) for n, sample in enumerate(chord)))
    return _json.b64encode(to_bytes(stereo)).decode()


def _limited(sample: float) -> int:
    """Within 16 bits: weights of both signs can add up to more than the loudest note."""
    return max(-32_768, min(32_767, round(sample)))
