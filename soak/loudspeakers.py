"""A long dialogue over loudspeakers, on a sound card without hardware: does the model ever hear itself?"""

from __future__ import annotations

import time

from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.voice import Conversation, ConversationState, Devices, Event, Interrupted
from soak.measuring import Result
from tests.sound_server import QUESTION, SoundServer, missing, settings
from tests.waiting import until

LONG = " ".join(["we talk about the weather of the whole week"] * 4)
"""Words whose answer takes 15 s to say."""
LOUDNESS = 0.35
"""Of the loudspeaker in the microphone."""
OVER = 5
"""Every so many answers are spoken over, which must stop them, and nothing else must."""


def loudspeakers(minutes: float, seed: int) -> Result:
    """A dialogue in which the microphone hears the loudspeaker; every fifth answer is spoken over."""
    if lacking := missing():
        return Result("loudspeakers", False, [f"not run: {lacking} is not installed"])
    events: list[Event] = []
    answers = spoken_over = 0
    with SoundServer() as card, settings(card.variables), LiveEmulator(hears=[LONG] * 10_000, voice=False) as emulator:
        card.feed_back(LOUDNESS)
        client = Client("emulator", http_options={"base_url": emulator.url})
        devices, ends = Devices(), time.monotonic() + minutes * 60
        with Conversation.connect(client, devices, model="emulator", on_event=events.append) as conversation:
            while time.monotonic() < ends:
                card.speak(QUESTION).wait()
                until(lambda: conversation.state is ConversationState.SPEAKING)
                answers += 1
                if answers % OVER == 0:
                    played = devices.played
                    until(lambda played=played: devices.played > played + 2)
                    card.speak(QUESTION).wait()
                    spoken_over += 1
                    until(lambda wanted=spoken_over: _interruptions(events) >= wanted)
                    until(lambda: conversation.state is ConversationState.SPEAKING)
                until(lambda: conversation.state in (ConversationState.LISTENING, ConversationState.ENDED))
                if conversation.state is ConversationState.ENDED:
                    break
            stats, heard = devices.stats, conversation.stats.heard
        ended = conversation.wait(1.0)
    interruptions = _interruptions(events)
    facts = [
        f"{minutes:g} min, {answers + spoken_over} answers, {heard:.0f} s of them heard, {spoken_over} spoken over",
        f"{interruptions - spoken_over} interruptions of itself",
        f"echo of {stats['echo_heard'] or 0:.0f} dBFS lowered by {stats['echo_removed'] or 0:.0f} dB",
        f"the machine was too busy for the card {stats['underflows'] + stats['overflows']} times, and"
        f" {stats['echo_gaps']} times without a word",
    ]
    if ended.error is not None:
        facts.append(str(ended.error))
    return Result("loudspeakers", ended.error is None and interruptions == spoken_over and heard > minutes * 20, facts)


def _interruptions(events: list[Event]) -> int:
    return sum(isinstance(event, Interrupted) for event in events)
