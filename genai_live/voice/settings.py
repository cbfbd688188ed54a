"""What a conversation needs of its session's setup: asked for before dialling, or read off a session that is open. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genai_live._arguments import came
from genai_live._validation import spelled
from genai_live.errors import ConfigError
from genai_live.types import AutomaticActivityDetection, GenerationConfig, LiveConnectConfig, RealtimeInputConfig
from genai_live.types._base import Message

TurnTaking = Literal["automatic", "push_to_talk"]
_TURN_TAKINGS = ("automatic", "push_to_talk")
_TEXT = "a conversation is spoken, and the session answers in TEXT: connect with response_modalities=['AUDIO']"


@dataclass(frozen=True)
class Settings:
    """How a session's conversation goes."""

    turn_taking: TurnTaking
    interruptible: bool
    """False where the service goes on speaking whatever the user says (``activity_handling`` NO_INTERRUPTION)."""

    @classmethod
    def of(cls, setup: Mapping[str, Any]) -> Settings:
        """The settings in a setup message.

        Raises:
            ConfigError: the session answers in text.
        """
        modalities = setup.get("generationConfig", {}).get("responseModalities") or ()
        if any(str(each).upper() != "AUDIO" for each in modalities):
            raise ConfigError(_TEXT, "session")
        realtime = setup.get("realtimeInputConfig", {})
        manual = realtime.get("automaticActivityDetection", {}).get("disabled", False)
        return cls("push_to_talk" if manual else "automatic", realtime.get("activityHandling") != "NO_INTERRUPTION")


def completed(config: LiveConnectConfig | Mapping[str, Any] | None, turn_taking: str) -> dict[str, Any]:
    """The config of a spoken conversation: what the caller left open is asked for, what the caller set stays.

    Raises:
        ConfigError: it asks for text, or its turn taking is another one.
    """
    if turn_taking not in _TURN_TAKINGS:
        other = repr(turn_taking) if isinstance(turn_taking, str) else came(turn_taking)
        raise ConfigError(f"must be 'automatic' or 'push_to_talk', not {other}", "turn_taking")
    given = _fields(LiveConnectConfig, config, "config")
    generation = _fields(GenerationConfig, given.get("generation_config"), "config.generation_config")
    modalities = given.get("response_modalities") or generation.get("response_modalities")
    if not modalities:
        given["response_modalities"] = ["AUDIO"]
    elif _names(modalities) != ["AUDIO"]:
        raise ConfigError(f"must be ['AUDIO'] in a conversation, not {_names(modalities)}", "config.response_modalities")
    for name in ("input_audio_transcription", "output_audio_transcription"):
        given.setdefault(name, {})
    realtime = _fields(RealtimeInputConfig, given.get("realtime_input_config"), "config.realtime_input_config")
    path = "config.realtime_input_config.automatic_activity_detection"
    detection = _fields(AutomaticActivityDetection, realtime.get("automatic_activity_detection"), path)
    disabled = detection.get("disabled")
    if disabled is not None and bool(disabled) is not (turn_taking == "push_to_talk"):
        words = f"is {disabled}, and turn_taking={turn_taking!r} needs {not disabled}: leave it out"
        raise ConfigError(words, f"{path}.disabled")
    if turn_taking == "push_to_talk":
        detection = {**detection, "disabled": True}
        given["realtime_input_config"] = {**realtime, "automatic_activity_detection": detection}
    return given


def _fields(cls: type[Message], value: Any, path: str) -> dict[str, Any]:
    """What is set in a config, or a part of one, under Python's names, and what is not known as it stands."""
    if value is None:
        return {}
    known, unknown = spelled(cls, value, path)
    return {**unknown, **known}


def _names(modalities: Any) -> list[str]:
    several = modalities if isinstance(modalities, (list, tuple)) else [modalities]
    return [str(getattr(each, "value", each)).upper() for each in several]
