"""A replay says what was recorded, nothing else, and holds the client to what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator, Recorder
from tests.live_wire import MLDEV, MUSIC, SPEECH, TEXT, Wire, content, kinds, silence, spoken, tone

Client = Callable[[Wire], list[dict[str, Any]]]
"""Says something, and returns what the server said after setupComplete."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def record(out: Path, setup: dict[str, Any], client: Client, path: str = MLDEV, **options: Any) -> list[dict[str, Any]]:
    """What the client saw of a plain emulator, while it was recorded."""
    with LiveEmulator(pace=0.0, voice=False) as backend, Recorder(backend.url, out, **options) as recorder:
        with Wire(recorder.url, path, setup) as wire:
            seen = client(wire)
            wire.socket.close()
        backend.current.wait_closed()
    return seen


def replaying(out: Path) -> LiveEmulator:
    return LiveEmulator(replay=out, pace=0.0, voice=False)


def ask_with_tool(wire: Wire) -> list[dict[str, Any]]:
    wire.send({"realtimeInput": {"text": "The weather?"}})
    found = wire.read_until("toolCall")
    (call,) = found[-1]["toolCall"]["functionCalls"]
    wire.send({"toolResponse": {"functionResponses": [{"id": call["id"], "name": "get_weather", "response": {}}]}})
    while not any(map(spoken, found)):
        found += wire.turn()
    return found


def speak(wire: Wire) -> list[dict[str, Any]]:
    wire.stream(silence(0.2) + tone(0.5) + silence(0.8))
    return wire.turn()


@pytest.mark.parametrize("client", [ask_with_tool, speak])
@pytest.mark.parametrize("model", ["gemini-3.1-flash-live-preview", "gemini-3.8-live", "gemini-live-2.5-flash-preview"])
def test_a_replay_adds_nothing_of_the_emulator_s_own(out: Path, client: Client, model: str) -> None:
    tools = [{"functionDeclarations": [{"name": "get_weather"}]}] if client is ask_with_tool else []
    setup = {**SPEECH, "model": f"models/{model}", "sessionResumption": {}, "tools": tools}
    recorded = record(out, setup, client)
    with replaying(out) as emulator:
        with Wire(emulator.url, setup=setup) as wire:
            assert client(wire) == recorded
            for _ in range(messages_of_the_server(out) - len([wire.setup_complete, *recorded])):
                wire.read()  # what came as the recorded client was leaving: a client that leaves before it cuts the replay short
        emulator.current.wait_closed()
        emulator.assert_complete()


def messages_of_the_server(out: Path) -> int:
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return sum(line.get("from") == "server" and "message" in line for line in lines)


def ask_twice(wire: Wire) -> list[dict[str, Any]]:
    return [*wire.ask("one"), *wire.ask("two")]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ([content("one"), content("three")], "expected clientContent as described, but turns[0].parts[0].text is"),
        ([{"realtimeInput": {"text": "one"}}], 'expected clientContent, got {"realtimeInput": {"text": "one"}}'),
        ([content("one"), content("two"), content("three")], "expected close, got"),
        ([content("one", complete=False)], "turnComplete"),
        ([{"clientContent": {"turnComplete": True}}], "the message has no 'turns'"),
    ],
)
def test_a_client_that_deviates_is_told_where_and_so_is_the_test(out: Path, said: list[dict[str, Any]], complaint: str) -> None:
    record(out, TEXT, ask_twice)
    with replaying(out) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        for message in said:
            wire.send(message)
        code, reason = wire.closed()
        assert code == 1008
        assert complaint[:50] in reason
        (failure,) = emulator.failures
        assert complaint in failure
        with pytest.raises(AssertionError) as caught:
            emulator.assert_complete()
        assert failure in str(caught.value)


def test_another_setup_is_a_deviation_but_another_handle_is_not(out: Path) -> None:
    record(out, {**TEXT, "sessionResumption": {}}, lambda wire: wire.ask("one"))
    with replaying(out) as emulator:
        with Wire(emulator.url, setup={**TEXT, "sessionResumption": {"handle": "of today"}}) as wire:
            wire.ask("one")
        with Wire(emulator.url, setup={**TEXT, "model": "models/other"}) as wire:
            assert wire.setup_complete == {"setupComplete": {}}, "only one session was recorded: the next is natural"
    with replaying(out) as emulator, Wire(emulator.url) as wire:
        wire.send({"setup": {**TEXT, "model": "models/other"}})
        assert 'model is "models/other", not "models/emulator"' in wire.closed()[1]


def test_a_client_that_stops_early_leaves_steps_that_are_named(out: Path) -> None:
    record(out, TEXT, ask_twice)
    with replaying(out) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            wire.ask("one")
        emulator.current.wait_closed()
        with pytest.raises(AssertionError, match=r"not done: Expect\(kind='clientContent'.*'two'"):
            emulator.assert_complete()


def test_a_thousand_messages_that_came_early_are_taken_in_order(out: Path) -> None:
    def count(wire: Wire) -> list[dict[str, Any]]:
        for number in range(1000):
            wire.send(content(str(number), complete=False))
        return wire.ask("end")

    recorded = record(out, TEXT, count)
    with replaying(out) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert count(wire) == recorded


def test_music_is_recorded_without_its_sound_and_replayed(out: Path) -> None:
    def play(wire: Wire) -> list[dict[str, Any]]:
        wire.send({"clientContent": {"weightedPrompts": [{"text": "harp", "weight": 1.0}]}})
        wire.send({"playbackControl": "PLAY"})
        return [wire.read()]

    recorded = record(out, {"model": "models/lyria-realtime-exp"}, play, MUSIC, without_audio=True)
    assert out.stat().st_size < 10_000
    with replaying(out) as emulator, Wire(emulator.url, MUSIC, {"model": "models/lyria-realtime-exp"}) as wire:
        (replayed,) = play(wire)
    chunks = [message["serverContent"]["audioChunks"][0] for message in (*recorded, replayed)]
    assert [len(chunk["data"]) for chunk in chunks] == [len(chunks[0]["data"])] * 2
    assert chunks[1]["sourceMetadata"] == chunks[0]["sourceMetadata"]


def test_a_close_without_a_code_is_replayed_as_one(out: Path) -> None:
    head = {"session": 1, "backend": "mldev", "method": "BidiGenerateContent", "version": "v1", "started": "2026-10-01"}
    lines = [head, {"session": 1, "at": 0.0, "from": "client", "frame": "text", "message": {"setup": TEXT}}]
    lines.append({"session": 1, "at": 0.1, "from": "server", "close": 1005, "reason": ""})
    out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with replaying(out) as emulator, Wire(emulator.url) as wire:
        wire.send({"setup": TEXT})
        assert wire.closed() == (1005, "")


def test_what_is_streamed_may_come_at_any_time(out: Path) -> None:
    record(out, SPEECH, lambda wire: wire.ask("one"))
    with replaying(out) as emulator:
        with Wire(emulator.url, setup=SPEECH) as wire:
            wire.stream(tone(0.2))
            assert kinds(wire.ask("one"))[-1] == "turnComplete"
        emulator.current.wait_closed()
        emulator.assert_complete()
