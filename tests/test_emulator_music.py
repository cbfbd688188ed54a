"""The music method: what it takes, what it refuses, and the chords it plays."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator, Scenario, steps
from tests.live_wire import MUSIC, Wire

SETUP = {"model": "models/lyria-realtime-exp"}
JAZZ = {"clientContent": {"weightedPrompts": [{"text": "Jazz", "weight": 3.0}, {"text": "Piano", "weight": 1}]}}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with LiveEmulator(pace=0.0, voice=False) as running, Wire(running.url, MUSIC, SETUP) as open_wire:
        yield open_wire


def chunk(message: dict[str, Any]) -> dict[str, Any]:
    (found,) = message["serverContent"]["audioChunks"]
    assert isinstance(found, dict)
    return found


def test_play_brings_a_beat_of_stereo_at_a_time_with_its_source(wire: Wire) -> None:
    wire.send(JAZZ)
    wire.send({"musicGenerationConfig": {"bpm": 140, "scale": "C_MAJOR_A_MINOR"}})
    wire.send({"playbackControl": "PLAY"})
    first, second = chunk(wire.read()), chunk(wire.read())
    assert len(base64.b64decode(first["data"])) == round(48_000 * 60 / 140) * 2 * 2
    assert first["mimeType"] == "audio/l16;rate=48000;channels=2"
    assert first["data"] == second["data"]
    prompts = first["sourceMetadata"]["clientContent"]["weightedPrompts"]
    assert [(prompt["text"], prompt["weight"]) for prompt in prompts] == [("Jazz", 0.75), ("Piano", 0.25)]
    assert first["sourceMetadata"]["musicGenerationConfig"] == {"bpm": 140, "scale": "C_MAJOR_A_MINOR"}


def test_other_prompts_sound_otherwise(wire: Wire) -> None:
    sounds = set()
    for text in ("Jazz", "Harp"):
        wire.send({"clientContent": {"weightedPrompts": [{"text": text, "weight": 1.0}]}})
        wire.send({"playbackControl": "PLAY"})
        sounds.add(chunk(wire.read())["data"])
        wire.send({"playbackControl": "PAUSE"})
        wire.send({"clientContent": {"weightedPrompts": [{"text": "filtered", "weight": 1.0}, {"text": text, "weight": 1.0}]}})
        wire.read_until("filteredPrompt")
    assert len(sounds) == 2


def test_a_filtered_prompt_is_reported(wire: Wire) -> None:
    wire.send({"clientContent": {"weightedPrompts": [{"text": "a filtered thing", "weight": 1.0}]}})
    assert wire.read()["filteredPrompt"]["text"] == "a filtered thing"


@pytest.mark.parametrize(
    "message",
    [
        {"clientContent": {"weightedPrompts": []}},
        {"clientContent": {"weightedPrompts": [{"text": "x", "weight": 0}]}},
        {"clientContent": {"turns": []}},
        {"musicGenerationConfig": {"bpm": 30}},
        {"musicGenerationConfig": {"temperature": 3.5}},
        {"musicGenerationConfig": {"topK": 0}},
        {"playbackControl": "DANCE"},
        {"realtimeInput": {"text": "x"}},
        {"setup": SETUP},
    ],
)
def test_what_music_does_not_take_ends_the_session_with_1007(wire: Wire, message: dict[str, Any]) -> None:
    wire.send(message)
    assert wire.closed()[0] == 1007


def test_the_state_follows_playback_control() -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator, Wire(emulator.url, MUSIC, SETUP) as wire:
        for control, state in (("PLAY", "play"), ("PAUSE", "pause"), ("RESET_CONTEXT", "pause"), ("STOP", "stop")):
            wire.send({"playbackControl": control})
            emulator.wait_for(lambda item, control=control: item.message == {"playbackControl": control})
            assert emulator.current.state == state


def test_a_scenario_can_play_a_music_session() -> None:
    scenario = Scenario(
        steps.Expect("playbackControl"),
        steps.Send({"serverContent": {"audioChunks": [{"data": "AAAA", "mimeType": "audio/l16"}]}}),
        steps.Close(1011, "Internal error encountered."),
    )
    with LiveEmulator(voice=False, scenario=scenario) as emulator, Wire(emulator.url, MUSIC, SETUP) as wire:
        wire.send({"playbackControl": "PLAY"})
        assert chunk(wire.read())["data"] == "AAAA"
        assert wire.closed() == (1011, "Internal error encountered.")
        emulator.assert_complete()
