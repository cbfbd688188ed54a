"""What a caller passes to a music session, as checked client messages. Pure, never changes its input: runs on any thread.

Source: Live music reference (BidiGenerateMusic).
"""

from __future__ import annotations

from typing import Any

from genai_live._backends import Backend
from genai_live._validation import Checker
from genai_live.errors import ConfigError
from genai_live.types import LiveMusicGenerationConfig, LiveMusicPlaybackControl, WeightedPrompt
from genai_live.types._base import fields_of

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 3.0),
    "top_k": (1, 1000),
    "seed": (-(2**31), 2**31 - 1),
    "guidance": (0.0, 6.0),
    "bpm": (60, 200),
    "density": (0.0, 1.0),
    "brightness": (0.0, 1.0),
}
"""What the service takes, both ends included: Live music reference, LiveMusicGenerationConfig; ``seed`` is an int32."""


def weighted_prompts(prompts: Any, backend: Backend) -> dict[str, Any]:
    """A clientContent message: what the music should be like from now on.

    Raises:
        ConfigError: no prompt, or one without text, or whose weight is 0 or not finite.
    """
    if not isinstance(prompts, (list, tuple)):
        raise ConfigError(f"takes a list of WeightedPrompt or dicts of it, not {type(prompts).__name__}", "prompts")
    if not prompts:
        raise ConfigError("is empty; the music needs at least one prompt (pause() or stop() makes it quiet)", "prompts")
    checker = Checker(backend, {}, keep_unknown=True)
    return {"clientContent": {"weightedPrompts": [_prompt(checker, each, f"prompts[{i}]") for i, each in enumerate(prompts)]}}


def _prompt(checker: Checker, prompt: Any, path: str) -> dict[str, Any]:
    written = checker.message(WeightedPrompt, prompt, path)
    if not written.get("text"):
        raise ConfigError("is missing; say what the music should be like", f"{path}.text")
    weight = written.get("weight", 1.0)
    if isinstance(weight, str):  # how protobuf JSON spells NaN and the infinities
        raise ConfigError(f"is {weight}; it must be a finite number, and not 0", f"{path}.weight")
    if weight == 0:
        raise ConfigError("is 0, which the service refuses; leave the prompt out instead", f"{path}.weight")
    return written


def generation_config(config: Any, backend: Backend) -> dict[str, Any]:
    """A musicGenerationConfig message; it takes the place of the whole config, so an empty one goes back to the defaults.

    Raises:
        ConfigError: an unknown field, a wrong type, or a value outside its range.
    """
    written = Checker(backend, {}, keep_unknown=True).message(LiveMusicGenerationConfig, config, "config")
    for field in fields_of(LiveMusicGenerationConfig):
        if field.name in RANGES and field.wire in written:
            _check_range(written[field.wire], *RANGES[field.name], f"config.{field.name}")
    return {"musicGenerationConfig": written}


def _check_range(value: float | str, low: float, high: float, path: str) -> None:
    if isinstance(value, str) or not low <= value <= high:
        raise ConfigError(f"is {value}; the service takes {low} to {high}", path)


def playback(control: LiveMusicPlaybackControl) -> dict[str, Any]:
    """A playbackControl message."""
    return {"playbackControl": control.value}
