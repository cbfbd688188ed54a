"""Talking with a model: a conversation between a session and a pair of ears and a mouth.

A map, from the bottom up:

=============  =======================================================================================
sound_end      what a pair of ears and a mouth is: the protocol ``SoundEnd``, its rates, its controls
events         what happens in a conversation, as frozen values, in the order in which it happened
=============  =======================================================================================

Everything here stands on the public API of the library.
"""

from __future__ import annotations

from genai_live.voice.events import (
    AnswerLost,
    ConversationState,
    DeviceChanged,
    Ended,
    Event,
    Interrupted,
    Latency,
    Level,
    ModelWords,
    Reconnected,
    Reconnecting,
    StateChanged,
    ToolRunChanged,
    TurnEnded,
    UserWords,
    Utterance,
    Waiting,
)
from genai_live.voice.sound_end import Control, Mute, Press, Rates, Release, SoundEnd, Text, Unmute

__all__ = [
    "AnswerLost",
    "Control",
    "ConversationState",
    "DeviceChanged",
    "Ended",
    "Event",
    "Interrupted",
    "Latency",
    "Level",
    "ModelWords",
    "Mute",
    "Press",
    "Rates",
    "Reconnected",
    "Reconnecting",
    "Release",
    "SoundEnd",
    "StateChanged",
    "Text",
    "ToolRunChanged",
    "TurnEnded",
    "Unmute",
    "UserWords",
    "Utterance",
    "Waiting",
]
