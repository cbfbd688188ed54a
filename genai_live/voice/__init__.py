"""Talking with a model: a conversation between a session and a pair of ears and a mouth.

A map, from the bottom up:

=============  ==========================================================================================
sound_end      what a pair of ears and a mouth is: the protocol ``SoundEnd``, its rates, its controls
events         what happens in a conversation, as frozen values, in the order in which it happened
event_queue    events on their way to who iterates, bounded
states         what a conversation does, moved by one table
settings       the setup of a spoken session: completed before dialling, or read off an open session
detection      when the user stopped speaking, by loudness: for figures
playback       how much of the model's sound is queued, at the end, heard
latency        how long answers took
transcript     what both sides said, and the history that another session goes on from
leftovers      what still comes of an answer that was cut short
answers        one answer of the model's, from the question to the last sample
dialogue       what becomes of messages, acts and time: all decisions, without threads and clock
mouth          the model's sound on its way to the end, converted
microphone     what the end hears on its way to the service: muted, half duplex, waiting for a connection
mailbox        one thing at a time, and nobody waits
growing_files  files that are right at every moment: a WAV file, lines of text
recorder       both sides as one stereo WAV, and the transcript
audience       who is told what happens
conversation   ``Conversation``: the threads, the session, the end
files          ``Files``: an end that hears WAV files as a microphone would, and plays into one
conformance    the promises of an end, as ``genai_live.testing.check_sound_end`` looks at them
sound_cards    microphones and loudspeakers: their streams, clocks and echo; a room of its own
devices        ``Devices``: a microphone and a loudspeaker as an end
=============  ==========================================================================================

Of the session everything here uses public methods alone; beside it, the library's own checks of arguments, deadlines and flags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.voice.conversation import Conversation, ConversationStats
from genai_live.voice.devices import Devices, DeviceStats
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
from genai_live.voice.files import Files
from genai_live.voice.latency import Latencies
from genai_live.voice.recorder import FileRecorder, MemoryRecorder, Recorder
from genai_live.voice.sound_cards.forms import SoundDevice, sound_devices
from genai_live.voice.sound_end import Control, Heard, Moved, Mute, Press, Rates, Release, SoundEnd, Text, Unmute

__all__ = [
    "AnswerLost",
    "Control",
    "Conversation",
    "ConversationState",
    "ConversationStats",
    "DeviceChanged",
    "DeviceStats",
    "Devices",
    "Ended",
    "Event",
    "FileRecorder",
    "Files",
    "Heard",
    "Interrupted",
    "Latencies",
    "Latency",
    "Level",
    "MemoryRecorder",
    "ModelWords",
    "Moved",
    "Mute",
    "Press",
    "Rates",
    "Reconnected",
    "Reconnecting",
    "Recorder",
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
