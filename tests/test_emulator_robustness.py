"""Whatever a client sends, the emulator answers it or refuses it: it never fails of itself, and never stops serving others."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_live import types
from genai_live.emulator import LiveEmulator
from genai_live.emulator.model.speech import Model
from genai_live.emulator.server.request import Route
from genai_live.emulator.server.settings import Settings
from genai_live.emulator.session.live_session import LiveSession
from genai_live.emulator.session.server_state import ServerState
from tests.live_wire import SPEECH, TEXT, Wire, audio, content, tone, written
from tests.message_strategies import EXAMPLES, json_values, messages


class Sink:
    """A connection that goes nowhere: keeps what was sent, and how it was closed."""

    congested = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, data: bytes, is_text: bool) -> None:
        """Keeps one message."""
        self.sent.append(json.loads(data))

    def close(self, code: int, reason: str) -> None:
        """Keeps the end."""
        self.closed = self.closed or (code, reason)


def talk(setup: dict[str, Any], frames: list[bytes], backend: str) -> Sink:
    """What a session says to some frames after its setup, without sockets and without waiting."""

    async def run() -> Sink:
        sink = Sink()
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        server = ServerState(Settings(pace=0.0), Model(iter(())))
        session = LiveSession(server, sink, Route(backend, "BidiGenerateContent", "v1beta"), 1)  # type: ignore[arg-type]
        for frame in (json.dumps({"setup": setup}).encode(), *frames):
            if sink.closed is None:
                session.receive(frame, True)
                for _ in range(30):
                    await asyncio.sleep(0)
        assert not problems, problems
        return sink

    return asyncio.run(run())


TOOL = {"functionDeclarations": [{"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {"x": {}}}}]}
SETUPS = [
    TEXT,
    {**SPEECH, "tools": [TOOL], "sessionResumption": {}},
    {**SPEECH, "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}},
    {**SPEECH, "model": "models/gemini-3.8-live", "tools": [TOOL]},
    {**SPEECH, "model": "models/gemini-3.1-flash-live-preview", "realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}},
]

sensible = st.sampled_from(
    [
        content("The weather?"),
        content("Half", complete=False),
        audio(tone(0.3)),
        audio(bytes(40_000)),
        audio(b"RIFF not a wave file"),
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"activityEnd": {}}},
        {"realtimeInput": {"audioStreamEnd": True}},
        {"realtimeInput": {"text": "weather"}},
        {"realtimeInput": {}},
        {"toolResponse": {"functionResponses": []}},
        {"toolResponse": {"functionResponses": [{"name": "get_weather", "response": {}, "willContinue": True}]}},
        {"contextUpdate": {"tools": {"tools": []}}},
        {"clientContent": {}},
    ]
)
generated = messages(types.LiveClientMessage).map(types.Message.to_dict)
structured = st.dictionaries(
    st.sampled_from(["clientContent", "realtimeInput", "toolResponse", "contextUpdate", "setup", "x"]), json_values, max_size=2
)
frames = (sensible | generated | structured).map(lambda message: json.dumps(message).encode()) | st.binary(max_size=20)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(SETUPS), st.lists(frames, max_size=8), st.sampled_from(["mldev", "vertex"]))
def test_any_sequence_of_frames_is_answered_or_refused(
    caplog: pytest.LogCaptureFixture, setup: dict[str, Any], frames: list[bytes], backend: str
) -> None:
    caplog.clear()
    with caplog.at_level(logging.ERROR, "genai_live.emulator"):
        sink = talk(setup, frames, backend)
    assert not caplog.records
    assert sink.closed is None or sink.closed[0] in (1007, 1008)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(messages(types.LiveClientSetup).map(types.Message.to_dict), st.sampled_from(["mldev", "vertex"]))
def test_any_setup_is_answered_or_refused(caplog: pytest.LogCaptureFixture, setup: dict[str, Any], backend: str) -> None:
    caplog.clear()
    with caplog.at_level(logging.ERROR, "genai_live.emulator"):
        sink = talk({"model": "models/emulator", **setup}, [json.dumps(content("Hello")).encode()], backend)
    assert not caplog.records
    assert sink.sent or sink.closed is not None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(json_values, st.sampled_from(["parameters", "parametersJsonSchema"]))
def test_any_schema_of_a_function_can_be_called(caplog: pytest.LogCaptureFixture, value: Any, field: str) -> None:
    caplog.clear()
    schemas = [value, {"type": value}, {"properties": value}, {"properties": {"x": value}}, {"enum": value}, {"items": value}]
    for schema in schemas:
        tool = {"functionDeclarations": [{"name": "get_weather", field: schema}]}
        sink = talk({**TEXT, "tools": [tool]}, [json.dumps(content("The weather, 5 of it?")).encode()], "mldev")
        assert not caplog.records
        assert sink.closed is not None or any("toolCall" in message for message in sink.sent)


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"items": schema}
    deep = json.dumps({"setup": {**TEXT, "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]}})
    with LiveEmulator(voice=False) as emulator:
        with Wire(emulator.url) as wire:
            wire.send(deep.replace('{"items": {"items"', '{"items": ' * 2_000 + '{"items": {"items"', 1))
            assert wire.closed()[0] == 1007
        with Wire(emulator.url) as wire:
            wire.send("[" * 100_000)
            assert wire.closed()[0] == 1007
        with Wire(emulator.url, setup=TEXT) as wire:
            assert written(wire.ask("Still there?")) == "You said: Still there?"


def test_a_defect_of_the_emulator_ends_one_session_with_1011_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: LiveSession, kind: str, body: Any) -> None:
        raise KeyError(kind)

    with LiveEmulator(pace=0.0, voice=False) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        monkeypatch.setattr(LiveSession, "take", fail)
        wire.send(content("Hello"))
        assert wire.closed() == (1011, "Internal error encountered.")
    assert "could not be handled" in caplog.text
