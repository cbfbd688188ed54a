"""A conversation without headphones: the emulator hears by its own detector, and the microphone hears the loudspeaker."""

from __future__ import annotations

import array
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client
from genai_live.audio import Audio, level_dbfs
from genai_live.emulator import LiveEmulator
from genai_live.voice import Conversation, ConversationState, Devices, Event, Interrupted, StateChanged, TurnEnded
from tests.house import ROOT
from tests.sound_server import (
    AHEAD,
    MONITOR_RATE,
    QUESTION,
    WITH_SOUND,
    Busy,
    Hearing,
    SoundServer,
    measured,
    needs_a_quiet_machine,
    settings,
)
from tests.waiting import PATIENCE, until

pytestmark = [WITH_SOUND, pytest.mark.alone]

LOUDNESS = 0.35
"""Of the loudspeaker in the microphone: a laptop's, at full volume."""
BLOCK = MONITOR_RATE // 100
LONG = " ".join(["we talk about the weather of the whole week"] * 4)
"""Words whose answer takes 4 s to say."""
LONGER = " ".join([LONG] * 3)
ROUNDS = 6
"""Questions of 5 s and their answers: a minute."""


@pytest.fixture(scope="module", autouse=True)
def minute() -> Iterator[subprocess.Popen[str]]:
    """The dialogue of the last test, in a process of its own with a card of its own: it goes on while the others run."""
    process = start_dialogue()
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # so that it ends its sound server
    process.communicate()


@pytest.fixture(scope="module")
def card(minute: object) -> Iterator[SoundServer]:
    """A sound card whose microphone hears its loudspeaker."""
    with fed_back() as server:
        yield server


@contextmanager
def fed_back() -> Iterator[SoundServer]:
    with SoundServer() as server, settings(server.variables):
        reload_devices()
        server.feed_back(LOUDNESS)
        yield server


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of speech."""
    question = Audio.load(QUESTION)
    return Audio(question.data[: 2 * 2 * question.rate], question.rate).save(tmp_path_factory.mktemp("said") / "words.wav")


def reload_devices() -> None:
    """PortAudio's list of devices is of the time at which it was loaded."""
    import sounddevice

    sounddevice._terminate()
    sounddevice._initialize()


class Timed(Devices):
    """Devices that note when they were flushed."""

    flushed_at = 0.0

    def flush(self) -> None:
        self.flushed_at = time.monotonic()
        super().flush()


class Talk:
    """A conversation, and what happened in it."""

    def __init__(self, devices: Devices | None = None, **options: Any) -> None:
        self.emulator = LiveEmulator(hears=[LONG] * 20, voice=False, **options).start()
        self.devices = devices or Devices()
        self.events: list[Event] = []
        client = Client("emulator", http_options={"base_url": self.emulator.url})
        self.conversation = Conversation.connect(client, self.devices, model="emulator", on_event=self.events.append)

    def seen(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, state: ConversationState) -> None:
        until(lambda: self.conversation.state is state)

    def is_disturbed(self) -> bool:
        """True when the machine was too busy for its sound card."""
        stats = self.devices.stats
        return stats["underflows"] + stats["overflows"] > 0

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *exception: object) -> None:
        self.conversation.close()
        self.emulator.stop()


def undisturbed(attempt: Callable[[Talk], None], devices: Callable[[], Devices] = Devices) -> None:
    """What an attempt measures counts unless the machine was too busy for its own sound card, every time."""

    def talk_once(busy: Busy) -> None:
        with Talk(devices()) as talk:
            busy.append(talk.is_disturbed)
            attempt(talk)

    measured(talk_once)


def test_a_question_spoken_over_the_answer_silences_it_within_a_quarter_second_for_good(card: SoundServer) -> None:
    def interrupts(talk: Talk) -> None:
        card.speak(QUESTION).wait()
        until(lambda: talk.devices.played > 2)
        hearing = card.hear()
        hearing.wait_for(MONITOR_RATE // 2)
        question = card.speak(QUESTION)
        until(lambda: talk.seen(Interrupted))
        (interrupted,) = talk.seen(Interrupted)
        assert interrupted.exact
        assert abs(interrupted.heard - talk.devices.played) < 0.05
        assert isinstance(talk.devices, Timed)
        quiet = silent_since(hearing, talk.devices.flushed_at)
        assert quiet < 0.25
        question.wait()  # until then no new answer can have begun
        assert not any(abs(sample) > 10 for sample in after_silence(hearing, talk.devices.flushed_at))
        talk.wait_for(ConversationState.SPEAKING)  # the next answer comes

    undisturbed(interrupts, Timed)


def silent_since(hearing: Hearing, at: float) -> float:
    """Seconds from ``at`` until the loudspeaker was silent, as its recording came."""
    until(lambda: not any(hearing.samples[-3 * BLOCK :]))
    return time.monotonic() - at


def after_silence(hearing: Hearing, at: float) -> array.array[int]:
    """What was recorded after the first block of silence that was delivered after ``at``."""
    samples = hearing.samples[hearing.length_at(at) :]
    silent = next(start for start in range(0, len(samples), BLOCK) if not any(samples[start : start + BLOCK]))
    return samples[silent:]


def test_residual_echo_is_35_db_below_what_the_microphone_hears_and_a_voice_in_it_within_3_db(
    card: SoundServer, words: Path
) -> None:
    needs_a_quiet_machine()  # where the card runs empty, the microphone is held back for two seconds
    played = Audio.load(QUESTION).converted(24_000)
    voice = level_dbfs(Audio.load(words).data)

    def talks(busy: Busy) -> None:
        devices, fed = Devices(), bytearray()
        devices.open(fed.extend, lambda control: None, lambda error: None)
        busy.append(lambda: devices.stats["underflows"] + devices.stats["overflows"] > 0)
        try:
            for _ in range(3):
                devices.play(played.data)
            until(lambda: devices.played > 3)
            microphone = card.overhear()
            microphone.wait_for(1_600)
            begin = len(fed)
            until(lambda: len(fed) - begin > 2 * 16_000 * 2)
            echo, left = level_dbfs(microphone.stop().tobytes()), level_dbfs(bytes(fed[begin:]))
            over = len(fed)
            card.speak(words).wait()
            both = level_dbfs(bytes(fed[over:]))
        finally:
            devices.close(1.0)
        assert echo > -40
        assert left < echo - 35
        assert abs(both - voice) < 3

    measured(talks)


def test_half_duplex_hears_nothing_while_the_answer_is_heard(card: SoundServer, words: Path) -> None:
    emulator = LiveEmulator(hears=[LONG], voice=False).start()
    client = Client("emulator", http_options={"base_url": emulator.url})
    devices = Devices(echo_cancellation=False)
    with Conversation.connect(client, devices, model="emulator", half_duplex=True) as conversation:
        conversation.send_text(LONGER)
        until(lambda: devices.played > 1)
        card.speak(words).wait()
        assert conversation.stats.interruptions == 0
        assert conversation.state is ConversationState.SPEAKING
    emulator.stop()


def test_a_card_that_is_unplugged_ends_the_conversation_with_its_error() -> None:
    with fed_back() as card, Talk() as talk:
        card.unplug()
        ended = talk.conversation.wait(10)
        assert type(ended.error).__name__ == "DeviceError"
        assert "is gone" in str(ended.error)
    assert [event for event in talk.events if isinstance(event, StateChanged)][-1].state is ConversationState.ENDED


def test_a_minute_of_dialogue_over_loudspeakers_has_no_interruption(minute: subprocess.Popen[str]) -> None:
    needs_a_quiet_machine()
    begun = [minute]  # a second attempt begins now

    def talks(busy: Busy) -> None:
        process = begun.pop() if begun else start_dialogue()
        told, errors = process.communicate(timeout=5 * PATIENCE)
        assert process.returncode == 0, errors
        found = json.loads(told)
        busy.append(lambda: bool(found["disturbed"]))
        assert found["interruptions"] == 0
        assert found["turns"] == ROUNDS
        assert found["played"] > 25
        assert found["removed"] > 35

    measured(talks)


def start_dialogue() -> subprocess.Popen[str]:
    command = [*AHEAD, sys.executable, "-c", "from tests.test_voice_on_devices import dialogue; dialogue()"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def dialogue() -> None:
    """A question, its answer, and so on; prints what came of it."""
    with fed_back() as card, Talk() as talk:
        for number in range(ROUNDS):
            card.speak(QUESTION).wait()
            until(lambda number=number: len(talk.seen(TurnEnded)) > number or talk.seen(Interrupted))
            if talk.seen(Interrupted):
                break
        found = {
            "interruptions": len(talk.seen(Interrupted)),
            "turns": len(talk.seen(TurnEnded)),
            "played": talk.devices.played,
            "removed": talk.devices.stats["echo_removed"],
            "disturbed": talk.is_disturbed(),
        }
    print(json.dumps(found), flush=True)
