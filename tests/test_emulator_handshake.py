"""Getting into the emulator: paths, upgrade, credentials, HTTP answers, and what the first frame must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from genai_live.emulator import LiveEmulator
from genai_live.errors import ConfigError
from tests.live_wire import CONSTRAINED, MLDEV, MUSIC, TEXT, VERTEX, Wire, content, fetch, setup_over_tls, written
from tests.raw_client import BINARY, PING, PONG, Raw, frame, upgrade


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


@pytest.mark.parametrize("path", [MLDEV, "/" + MLDEV, "/gateway" + MLDEV, "/gateway//" + MLDEV])
def test_the_live_path_is_found_behind_slashes_and_prefixes(emulator: LiveEmulator, path: str) -> None:
    with Wire(emulator.url, path, TEXT) as wire:
        assert wire.setup_complete == {"setupComplete": {}}


def test_the_vertex_path_answers_with_a_session_id(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, "/" + VERTEX, {"model": "projects/p/locations/l/publishers/google/models/emulator"}) as wire:
        assert len(wire.setup_complete["setupComplete"]["sessionId"]) == 36


def test_a_path_that_does_not_exist_is_answered_404_before_the_upgrade(emulator: LiveEmulator) -> None:
    with pytest.raises(InvalidStatus) as caught:
        Wire(emulator.url, "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateNothing")
    assert caught.value.response.status_code == 404


def test_plain_http_gets_404_for_unknown_paths_and_426_for_websocket_paths(emulator: LiveEmulator) -> None:
    status, body = fetch(emulator.port, "GET", "/v1beta/files")
    assert (status, body["error"]["status"]) == (404, "NOT_FOUND")
    assert fetch(emulator.port, "GET", MLDEV)[0] == 426


@pytest.mark.parametrize(
    "credential",
    [
        {"path": MLDEV + "?key=good"},
        {"path": MLDEV + "?access_token=good"},
        {"additional_headers": {"x-goog-api-key": "good"}},
        {"additional_headers": {"Authorization": "Bearer good"}},
        {"additional_headers": {"authorization": "Token good"}},
    ],
)
def test_a_key_is_found_wherever_it_travels(credential: dict[str, Any]) -> None:
    with (
        LiveEmulator(keys=["good"], require_key=True, voice=False) as emulator,
        Wire(emulator.url, **{"setup": TEXT, **credential}) as wire,
    ):
        assert "setupComplete" in wire.setup_complete


@pytest.mark.parametrize("value", ["invalid", "expired"])
def test_a_bad_key_is_let_through_the_upgrade_and_refused_with_1007_after_setup(emulator: LiveEmulator, value: str) -> None:
    with Wire(emulator.url, MLDEV + f"?key={value}") as wire:
        wire.send({"setup": TEXT})
        code, reason = wire.closed()
    assert code == 1007
    assert reason.startswith("API key expired" if value == "expired" else "API key not valid")


def test_no_key_is_accepted_by_default_and_refused_on_request(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        assert "setupComplete" in wire.setup_complete
    with LiveEmulator(require_key=True, voice=False) as strict, Wire(strict.url) as wire:
        wire.send({"setup": TEXT})
        assert wire.closed()[0] == 1008


def test_the_constrained_method_takes_ephemeral_tokens_only(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, CONSTRAINED + "?key=some-key") as wire:
        wire.send({"setup": TEXT})
        assert wire.closed() == (1007, "API key not valid. Please pass a valid API key.")


def test_the_first_message_must_be_setup(emulator: LiveEmulator) -> None:
    with Wire(emulator.url) as wire:
        wire.send({"clientContent": {"turnComplete": True}})
        assert wire.closed()[0] == 1007


def test_a_second_setup_ends_the_session(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"setup": TEXT})
        assert wire.closed()[0] == 1007


@pytest.mark.parametrize("frame", ["not json", b"\xff\xfe", "[]", '"text"', "{}", '{"setup": 3}'])
def test_what_is_not_a_message_is_refused_with_1007(emulator: LiveEmulator, frame: str | bytes) -> None:
    with Wire(emulator.url) as wire:
        wire.send(frame)
        assert wire.closed()[0] == 1007


def test_content_right_behind_the_setup_need_not_wait_for_its_answer(emulator: LiveEmulator) -> None:
    with Wire(emulator.url) as wire:
        wire.send({"setup": TEXT})
        wire.send(content("Hello"))
        assert wire.read() == {"setupComplete": {}}
        assert written(wire.turn()) == "You said: Hello"


def test_pings_are_answered_and_none_are_sent(emulator: LiveEmulator) -> None:
    with Raw(emulator.port).open(TEXT) as raw:
        raw.send(frame(PING, b"there?"))
        assert raw.read() == (PONG, b"there?", True)
        raw.say(content("Hello"))
        while b"turnComplete" not in (found := raw.read()).payload:
            assert found.opcode == BINARY


def test_an_upgrade_that_fails_leaves_a_session_that_is_over(emulator: LiveEmulator) -> None:
    with Raw(emulator.port) as raw:
        assert raw.send(upgrade().replace(b"Sec-WebSocket-Key", b"X")).head().startswith(b"HTTP/1.1 400 ")
    assert emulator.current.wait_closed().code == 1006


def test_setup_in_a_binary_frame_is_as_good_as_in_a_text_frame(emulator: LiveEmulator) -> None:
    with Wire(emulator.url) as wire:
        wire.send(json.dumps({"setup": TEXT}).encode())
        assert wire.read() == {"setupComplete": {}}
    assert not emulator.received[0].is_text


def test_frames_are_binary_and_pretty_by_default_and_text_and_compact_on_request(emulator: LiveEmulator) -> None:
    with Wire(emulator.url) as wire:
        wire.send({"setup": TEXT})
        assert wire.socket.recv(timeout=10) == b'{\n  "setupComplete": {}\n}\n'
    with LiveEmulator(frames="text", pretty=False, voice=False) as other, Wire(other.url) as wire:
        wire.send({"setup": TEXT})
        assert wire.socket.recv(timeout=10) == '{"setupComplete":{}}'


def test_tls_serves_a_certificate_of_a_throw_away_authority() -> None:
    with LiveEmulator(tls=True, voice=False) as emulator:
        assert emulator.url.startswith("https://localhost:")
        assert setup_over_tls(emulator.url, emulator.ca_path) == {"setupComplete": {}}


def test_the_music_method_is_there(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, MUSIC, {"model": "models/lyria-realtime-exp"}) as wire:
        assert wire.setup_complete == {"setupComplete": {}}


def test_bytes_that_are_not_http_are_answered_with_400(emulator: LiveEmulator) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", emulator.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_message_over_the_limit_ends_the_session_with_1009() -> None:
    from genai_live.emulator.server.settings import LARGEST_MESSAGE

    with LiveEmulator(voice=False) as emulator, Wire(emulator.url) as wire:
        wire.send("x" * (LARGEST_MESSAGE + 1))
        assert wire.closed()[0] == 1009


def test_an_emulator_can_be_stopped_and_started_again_and_says_what_it_is() -> None:
    emulator = LiveEmulator(voice=False)
    assert repr(emulator) == "<LiveEmulator stopped, 0 sessions>"
    for _ in range(2):
        with emulator, Wire(emulator.url, setup=TEXT) as wire:
            assert "setupComplete" in wire.setup_complete
    emulator.stop()
    assert len(emulator.sessions) == 2


def test_a_port_in_use_is_reported_to_the_caller(emulator: LiveEmulator) -> None:
    with pytest.raises(OSError, match="in use"):
        LiveEmulator(port=emulator.port, voice=False).start()


@pytest.mark.parametrize("options", [{"playback": "loud"}, {"frames": "smoke"}, {"voice": False, "scenario": [], "replay": "x"}])
def test_an_argument_that_means_nothing_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LiveEmulator(**options)
