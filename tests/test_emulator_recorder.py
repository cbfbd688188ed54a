"""Recording a backend, and playing what was recorded."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from genai_live.emulator import LiveEmulator, Recorder, Scenario, steps
from genai_live.emulator.script.recording import Event, Head, read_recording
from genai_live.errors import ConfigError
from tests.live_wire import (
    MLDEV,
    MUSIC,
    SPEECH,
    TEXT,
    VERTEX,
    Wire,
    content,
    kinds,
    setup_over_tls,
    silence,
    spoken,
    tone,
    transcript,
    trusting,
    written,
)
from tests.raw_peer import BINARY, beside, close_frame, door, frame
from tests.waiting import PATIENCE, until


@pytest.fixture
def backend() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def record(backend: LiveEmulator, out: Path, **options: Any) -> Recorder:
    return Recorder(backend.url, out, **options)


@contextmanager
def recorded(out: Path, headers: dict[str, str] | None = None, **options: Any) -> Iterator[Recorder]:
    """A recorder before a backend of its own, made with these options."""
    with LiveEmulator(voice=False, **options) as backend, Recorder(backend.url, out, headers=headers) as recorder:
        yield recorder


def events(out: Path) -> list[Event]:
    return [line for line in read_recording(out) if isinstance(line, Event)]


def replaying(out: Path, **options: Any) -> LiveEmulator:
    return LiveEmulator(replay=out, voice=False, **{"pace": 0.0, **options})


def test_a_recorder_that_nobody_talks_through_leaves_the_file_as_it_was(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out):
        assert out.read_bytes() == b""
    assert not out.exists()
    out.write_text("an older recording\n")
    with record(backend, out):
        pass
    with pytest.raises(OSError, match=r"in use|only one usage|10048"):
        record(backend, out, port=backend.port).start()
    assert out.read_text() == "an older recording\n"
    with record(backend, out) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        wire.ask("Hello")
    assert "older" not in out.read_text()


def test_a_recorder_passes_everything_on_and_writes_both_directions(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out) as recorder:
        with Wire(recorder.url, setup=TEXT) as wire:
            assert written(wire.ask("Hello")) == "You said: Hello"
            wire.socket.close(1000, "done")
        backend.current.wait_closed()
        assert recorder.sessions == 1
    (head, *lines) = list(read_recording(out))
    assert isinstance(head, Head)
    assert (head.backend, head.method, head.version) == ("mldev", "BidiGenerateContent", "v1beta")
    said = [(line.sender, next(iter(line.message))) for line in lines if isinstance(line, Event) and line.message]
    assert said[:3] == [("client", "setup"), ("server", "setupComplete"), ("client", "clientContent")]
    times = [line.at for line in lines if isinstance(line, Event)]
    assert times == sorted(times)
    assert [(line.sender, line.close, line.reason) for line in events(out)][-1] == ("client", 1000, "done")


def test_credentials_reach_the_backend_and_not_the_file(out: Path) -> None:
    with LiveEmulator(keys=["s3cret"], require_key=True, pace=0.0, voice=False) as backend, record(backend, out) as recorder:
        with Wire(recorder.url, MLDEV + "?key=s3cret", TEXT):
            pass
        with Wire(recorder.url, setup=TEXT, additional_headers={"x-goog-api-key": "s3cret"}) as wire:
            assert "setupComplete" in wire.setup_complete
    assert "s3cret" not in out.read_text()


def test_the_recorder_can_bring_the_credential(out: Path) -> None:
    key = {"X-Goog-Api-Key": "s3cret"}
    with recorded(out, key, keys=["s3cret"], require_key=True) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        assert "setupComplete" in wire.setup_complete
    assert "s3cret" not in out.read_text()


def test_secrets_within_tools_are_removed(backend: LiveEmulator, out: Path) -> None:
    servers = [{"name": "m", "streamableHttpTransport": {"url": "https://x", "headers": {"Authorization": "hush"}}}]
    with record(backend, out) as recorder, Wire(recorder.url, setup={**TEXT, "tools": [{"mcpServers": servers}]}) as wire:
        assert "setupComplete" in wire.setup_complete
    assert "hush" not in out.read_text()
    assert "https://x" in out.read_text()


def test_audio_is_left_out_on_request_and_replayed_as_silence_of_its_length(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out, without_audio=True) as recorder, Wire(recorder.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        recorded = wire.turn()
    assert out.stat().st_size < 20_000
    with replaying(out) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.1))
        replayed = wire.turn()
    assert kinds(replayed) == kinds(recorded)
    assert [len(spoken(message)) for message in replayed] == [len(spoken(message)) for message in recorded]
    assert not any(b"".join(map(spoken, replayed)))


def test_a_replay_says_what_the_backend_said_and_checks_the_client(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out) as recorder, Wire(recorder.url, VERTEX, {**TEXT, "sessionResumption": {}}) as wire:
        recorded = [wire.setup_complete, *wire.ask("Hello")]
    with replaying(out) as emulator:
        with Wire(emulator.url, VERTEX, {**TEXT, "session_resumption": {"handle": "of today"}}) as wire:
            assert [wire.setup_complete, *wire.ask("Hello")] == recorded
        emulator.current.wait_closed()
        emulator.assert_complete()
    with replaying(out) as emulator, Wire(emulator.url, VERTEX, {**TEXT, "sessionResumption": {}}) as wire:
        wire.send(content("Goodbye"))
        code, reason = wire.closed()
        assert (code, "expected clientContent as described" in reason) == (1008, True)
        with pytest.raises(AssertionError, match="Goodbye"):
            emulator.assert_complete()


def test_a_replay_needs_no_particular_cut_of_the_audio(backend: LiveEmulator, out: Path) -> None:
    pcm = tone(0.5) + silence(0.8)
    with record(backend, out) as recorder, Wire(recorder.url, setup=SPEECH) as wire:
        wire.stream(pcm, chunk=640)
        recorded = transcript(wire.turn(), "inputTranscription")
    with replaying(out) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(pcm, chunk=6400)
        assert transcript(wire.turn(), "inputTranscription") == recorded


def test_a_replay_keeps_the_recorded_time_or_takes_none(out: Path) -> None:
    slow = Scenario(steps.Wait(0.4), steps.GoAway(5), steps.Converse())
    with recorded(out, scenario=slow) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        wire.read()
    for pace, waits in ((1.0, True), (0.0, False)):
        with replaying(out, pace=pace) as emulator, Wire(emulator.url, setup=TEXT) as wire:
            started = emulator.wait_for("setup").at
            wire.read()
            wire.send(content("now"))
            assert (emulator.wait_for("clientContent").at - started >= 0.35) is waits


@pytest.mark.parametrize("path", [MLDEV, MUSIC])
def test_the_backend_s_close_is_passed_on_recorded_and_replayed(out: Path, path: str) -> None:
    late = Scenario(steps.Close(1011, "Deadline expired"))
    with recorded(out, scenario=late) as recorder, Wire(recorder.url, path, {"model": "models/emulator"}) as wire:
        assert wire.closed() == (1011, "Deadline expired")
    with replaying(out) as emulator, Wire(emulator.url, path, {"model": "models/emulator"}) as wire:
        assert wire.closed() == (1011, "Deadline expired")


def test_what_the_backend_says_when_the_client_has_gone_is_no_part_of_the_session(out: Path) -> None:
    """Nobody was told it, and a replay could say it to nobody."""
    with door() as entrance, Recorder(entrance.url, out) as recorder:
        leaving = beside(open_and_leave, recorder.url)
        peer = entrance.accept()
        peer.open()
        assert peer.read_close()[0] == 1000
        peer.send(frame(BINARY, b'{"goAway": {}}') + close_frame(1000))
        peer.end()
        leaving.result(PATIENCE)
        until(lambda: not recorder._handler._tasks)
    assert [(each.sender, each.close) for each in events(out)] == [("client", None), ("server", None), ("client", 1000)]


def open_and_leave(url: str) -> None:
    with Wire(url, setup=TEXT) as wire:
        wire.socket.close()


def test_a_lost_backend_is_passed_on_as_lost(out: Path) -> None:
    with recorded(out, scenario=Scenario(steps.Abort())) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        assert wire.closed()[0] == 1006
    assert [(event.sender, event.close) for event in events(out)][-1] == ("server", 1006)
    with replaying(out) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.closed()[0] == 1006


def test_a_lost_client_is_recorded_and_the_backend_loses_it_too(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        wire.socket.socket.shutdown(socket.SHUT_RDWR)
        assert backend.current.wait_closed().code == 1006
    assert [(event.sender, event.close) for event in events(out)][-1] == ("client", 1006)


def test_a_refused_upgrade_is_passed_on_recorded_and_replayed(out: Path) -> None:
    busy = Scenario(steps.RefuseUpgrade(429, "slow down"))
    with recorded(out, scenario=busy) as recorder, pytest.raises(InvalidStatus) as caught:
        Wire(recorder.url)
    assert (caught.value.response.status_code, caught.value.response.body) == (429, b"slow down")
    with replaying(out) as emulator, pytest.raises(InvalidStatus) as caught:
        Wire(emulator.url)
    assert (caught.value.response.status_code, caught.value.response.body) == (429, b"slow down")


def test_a_backend_that_is_not_there_is_a_502(out: Path) -> None:
    with Recorder("http://127.0.0.1:9", out) as recorder, pytest.raises(InvalidStatus) as caught:
        Wire(recorder.url)
    assert caught.value.response.status_code == 502


def test_what_is_no_json_is_kept_as_bytes(out: Path) -> None:
    garbage = Scenario(steps.SendRaw(b"\xff\x00", text=False), steps.SendRaw("no json"), steps.Converse())
    with recorded(out, scenario=garbage) as recorder, Wire(recorder.url, setup=TEXT) as wire:
        assert [wire.socket.recv(timeout=10) for _ in range(2)] == [b"\xff\x00", "no json"]
    with replaying(out) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert [wire.socket.recv(timeout=10) for _ in range(2)] == [b"\xff\x00", "no json"]


def test_recordings_over_tls_trust_what_they_are_told_to(out: Path) -> None:
    with LiveEmulator(tls=True, voice=False) as backend:
        recorder = Recorder(backend.url, out, ssl_context=trusting(backend.ca_path), tls=True).start()
        assert setup_over_tls(recorder.url, recorder.ca_path) == {"setupComplete": {}}
        recorder.stop()


def test_sessions_of_one_recording_are_played_one_after_the_other(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out) as recorder:
        for text in ("one", "two"):
            with Wire(recorder.url, setup=TEXT) as wire:
                wire.ask(text)
    with replaying(out) as emulator:
        for text in ("one", "two"):
            with Wire(emulator.url, setup=TEXT) as wire:
                assert written(wire.ask(text)) == f"You said: {text}"


@pytest.mark.parametrize("content", [b"", b"{}\n", b"no json\n", b'{"session": 1, "at": 0, "from": "client"}\n', b"\xff\xfe{}\n"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        LiveEmulator(replay=path)


def test_a_backend_must_be_a_url(out: Path) -> None:
    with pytest.raises(ConfigError, match="upstream"):
        Recorder("generativelanguage.googleapis.com", out)


def test_lines_of_a_recording_are_plain_json(backend: LiveEmulator, out: Path) -> None:
    with record(backend, out) as recorder, Wire(recorder.url, setup=SPEECH) as wire:
        wire.stream(tone(0.04))
        backend.wait_for("realtimeInput")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    audio = next(line for line in lines if "realtimeInput" in line.get("message", {}))
    assert base64.b64decode(audio["message"]["realtimeInput"]["audio"]["data"]) == tone(0.04)
    assert audio["frame"] == "text"
