"""Talking with a model: a conversation between a session and a pair of ears and a mouth.

A map, from the bottom up:

=============  =======================================================================================
sound_end      what a pair of ears and a mouth is: the protocol ``SoundEnd``, its rates, its controls
events         what happens in a conversation, as frozen values, in the order in which it happened
sound_cards    which sound cards there are, in which form one is opened, and what to do when there is none
streams        a microphone and a loudspeaker as streams of PortAudio: callbacks and deques
watch          when a stream counts as lost
echo           the loudspeaker's sound taken out of the microphone's
leaving        how a process ends although a sound card hangs
devices        ``Devices``: the five above as an end
=============  =======================================================================================

Everything here stands on the public API of the library.
"""

from __future__ import annotations

from genai_live.voice.devices import Devices, DeviceStats
from genai_live.voice.echo import EchoStats
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
from genai_live.voice.sound_cards import SoundDevice, sound_devices
from genai_live.voice.sound_end import Control, Mute, Press, Rates, Release, SoundEnd, Text, Unmute

__all__ = [
    "AnswerLost",
    "Control",
    "ConversationState",
    "DeviceChanged",
    "DeviceStats",
    "Devices",
    "EchoStats",
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
    "SoundDevice",
    "SoundEnd",
    "StateChanged",
    "Text",
    "ToolRunChanged",
    "TurnEnded",
    "Unmute",
    "UserWords",
    "Utterance",
    "Waiting",
    "sound_devices",
]
