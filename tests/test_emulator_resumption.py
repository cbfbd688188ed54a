"""Handles: given, taken up, refused; what a resumed session remembers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from genai_live.emulator import LiveEmulator, Scenario, steps
from tests.live_wire import MLDEV, SPEECH, TEXT, VERTEX, Wire, content, silence, tone, written
from tests.waiting import until


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


def resuming(handle: str = "", **more: Any) -> dict[str, Any]:
    return {**TEXT, "sessionResumption": {"handle": handle} if handle else {}, **more}


def handle_of(wire: Wire) -> str:
    found: str = wire.read_until("sessionResumptionUpdate")[-1]["sessionResumptionUpdate"]["newHandle"]
    return found


def refused(emulator: LiveEmulator, handle: str) -> tuple[int, str]:
    with Wire(emulator.url) as wire:
        wire.send({"setup": resuming(handle)})
        return wire.closed()


def resumes(emulator: LiveEmulator, handle: str) -> bool:
    with Wire(emulator.url) as wire:
        wire.send({"setup": resuming(handle)})
        with contextlib.suppress(ConnectionClosed):
            return "setupComplete" in wire.read()
    return False


def test_an_update_comes_when_it_was_asked_for_and_only_then(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=resuming()) as wire:
        assert len(handle_of(wire)) == 36
        wire.ask("Hello")
        assert handle_of(wire)
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.ask("Hello")
        assert not [m for m in wire.ask("Again") if "sessionResumptionUpdate" in m]


def test_a_handle_resumes_after_its_connection_has_ended_and_not_before(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=resuming()) as wire:
        handle = handle_of(wire)
        assert refused(emulator, handle) == (1011, "Internal error encountered.")
    emulator.sessions[0].wait_closed()
    with Wire(emulator.url, setup=resuming(handle)) as wire:
        assert wire.setup_complete == {"setupComplete": {}}
        assert handle_of(wire) != handle


def test_an_unknown_handle_is_refused_with_1008(emulator: LiveEmulator) -> None:
    assert refused(emulator, "no-such-handle") == (1008, "BidiGenerateContent session not found")


def test_a_handle_may_be_used_again_unless_the_scenario_says_once() -> None:
    once = Scenario(steps.Handles(single_use=True), steps.Converse())
    for scenario, again in ((None, "setupComplete"), (once, "refused")):
        with LiveEmulator(pace=0.0, voice=False, scenario=scenario) as emulator:
            with Wire(emulator.url, setup=resuming()) as wire:
                handle = handle_of(wire)
            emulator.sessions[0].wait_closed()
            with Wire(emulator.url, setup=resuming(handle)):
                pass
            emulator.sessions[1].wait_closed()
            if again == "refused":
                assert refused(emulator, handle) == (1011, "Internal error encountered.")
            else:
                with Wire(emulator.url, setup=resuming(handle)) as wire:
                    assert "setupComplete" in wire.setup_complete


def test_a_handle_can_need_time_to_settle() -> None:
    with LiveEmulator(voice=False, scenario=Scenario(steps.Handles(single_use=False, settle=3600), steps.Converse())) as emulator:
        with Wire(emulator.url, setup=resuming()) as wire:
            handle = handle_of(wire)
        emulator.sessions[0].wait_closed()
        assert refused(emulator, handle)[0] == 1011


def test_a_handle_that_has_settled_is_taken() -> None:
    scenario = Scenario(steps.Handles(single_use=False, settle=0.05), steps.Converse())
    with LiveEmulator(pace=0.0, voice=False, scenario=scenario) as emulator:
        with Wire(emulator.url, setup=resuming()) as wire:
            handle = handle_of(wire)
        emulator.sessions[0].wait_closed()
        until(lambda: resumes(emulator, handle))


def test_the_clock_of_the_audio_goes_on_in_a_resumed_session(emulator: LiveEmulator) -> None:
    setup = {**SPEECH, "model": "models/gemini-3.8-live", "sessionResumption": {}}
    with Wire(emulator.url, setup=setup) as wire:
        handle = handle_of(wire)
        wire.stream(silence(2.0))
        emulator.wait_for("realtimeInput", count=50)
    emulator.sessions[0].wait_closed()
    with Wire(emulator.url, setup={**setup, "sessionResumption": {"handle": handle}}) as wire:
        wire.stream(tone(0.3))
        offset = wire.read_until("voiceActivity")[-1]["voiceActivity"]["audioOffset"]
    assert offset == "2.000s"


def test_an_open_call_survives_and_its_response_is_taken_on_the_new_connection(emulator: LiveEmulator) -> None:
    setup = {"tools": [{"functionDeclarations": [{"name": "get_weather"}]}]}
    with Wire(emulator.url, setup=resuming(**setup)) as wire:
        handle = handle_of(wire)
        wire.send(content("weather"))
        (call,) = wire.read_until("toolCall")[-1]["toolCall"]["functionCalls"]
    emulator.sessions[0].wait_closed()
    with Wire(emulator.url, setup=resuming(handle, **setup)) as wire:
        wire.send({"toolResponse": {"functionResponses": [{"id": call["id"], "name": "get_weather", "response": {}}]}})
        assert written(wire.turn()) == "get_weather answered: {}"


def test_transparent_resumption_counts_client_messages_as_text_on_vertex(emulator: LiveEmulator) -> None:
    setup = {**TEXT, "sessionResumption": {"transparent": True}}
    with Wire(emulator.url, VERTEX, setup) as wire:
        assert wire.read()["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] == "0"
        wire.ask("Hello")
        assert wire.read()["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] == "1"


def test_a_test_can_send_a_handle_itself(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, MLDEV, TEXT) as wire:
        handle = emulator.current.resumption_update()
        assert handle_of(wire) == handle
