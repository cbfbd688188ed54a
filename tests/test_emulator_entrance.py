"""Clients that begin and do not go on: they have seconds, there is room for a limited number, and others get through."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from genai_live.emulator import LiveEmulator, Scenario, steps
from genai_live.emulator.server import connection, entrance
from genai_live.emulator.server.received import MOST_MESSAGES, Received, ReceivedMessage
from tests.live_wire import SPEECH, TEXT, Wire, content, setup_over_tls, written
from tests.raw_client import CONTINUATION, PING, PONG, Raw, frame, upgrade
from tests.raw_client import TEXT as TEXT_FRAME
from tests.waiting import PATIENCE

HEAD = upgrade()
HALF_OPEN = {
    "nothing": b"",
    "half a head": HEAD[:50],
    "half a body": b"POST /v1alpha/auth_tokens HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
    "no setup": HEAD,
    "half a setup": HEAD + frame(TEXT_FRAME, b'{"setup"', fin=False),
    "half a frame": HEAD + frame(TEXT_FRAME, b'{"setup": {}}')[:-3],
    "pings": HEAD + frame(PING, b"x") * 3,
}


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[LiveEmulator]:
    """An emulator with room for five that have not shown what they are, one of which at once gives way to a sixth."""
    monkeypatch.setattr(entrance, "MOST_UNSETTLED", 5)
    monkeypatch.setattr(entrance, "YIELD_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING), LiveEmulator(pace=0.0, voice=False) as running:
        yield running
    assert not caplog.records


@pytest.mark.parametrize("begun", HALF_OPEN.values(), ids=HALF_OPEN)
def test_half_open_connections_do_not_starve_others(emulator: LiveEmulator, begun: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(Raw(emulator.port)).send(begun)
        with Wire(emulator.url, setup=TEXT) as wire:
            assert written(wire.ask("Is there room?")) == "You said: Is there room?"
        server = emulator._server
        assert server.do(lambda: len(server.connections)) <= 7  # five, the session, and one that is being cut


def test_sessions_are_not_limited_and_none_gives_way(emulator: LiveEmulator) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(emulator.url, setup=TEXT)) for _ in range(20)]
        for _ in range(20):
            stack.enter_context(Raw(emulator.port))
        assert [written(wire.ask("Still there?")) for wire in wires] == ["You said: Still there?"] * 20


def test_clients_that_are_only_slow_keep_their_place_and_others_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "MOST_UNSETTLED", 2)
    monkeypatch.setattr(entrance, "YIELD_SECONDS", PATIENCE)
    with LiveEmulator(pace=0.0, voice=False) as emulator, ExitStack() as stack:
        slow = [stack.enter_context(Raw(emulator.port)).send(HEAD) for _ in range(6)]
        for raw in slow:  # each answers, and makes room for the next
            assert raw.head().startswith(b"HTTP/1.1 101 ")
            raw.say({"setup": TEXT})
            assert json.loads(raw.read().payload) == {"setupComplete": {}}


def test_tls_handshakes_that_do_not_end_do_not_starve_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "MOST_UNSETTLED", 5)
    monkeypatch.setattr(entrance, "YIELD_SECONDS", 0.0)
    with LiveEmulator(tls=True, voice=False) as emulator, ExitStack() as stack:
        for begun in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n") * 10:
            stack.enter_context(Raw(emulator.port)).send(begun)
        assert setup_over_tls(emulator.url, emulator.ca_path) == {"setupComplete": {}}


@pytest.mark.parametrize("begun", [HALF_OPEN[name] for name in ("nothing", "half a head", "half a body")])
def test_a_request_that_does_not_come_is_not_waited_for(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.1)
    with LiveEmulator(voice=False) as emulator, Raw(emulator.port) as raw:
        assert raw.send(begun).head().startswith(b"HTTP/1.1 408 ")
        while raw.socket.recv(1_000):
            continue


@pytest.mark.parametrize("begun", [HALF_OPEN[name] for name in ("no setup", "half a setup", "half a frame", "pings")])
def test_a_setup_that_does_not_come_is_not_waited_for(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SETUP_SECONDS", 0.1)
    with LiveEmulator(voice=False) as emulator, Raw(emulator.port) as raw:
        assert raw.send(begun).head().startswith(b"HTTP/1.1 101 ")
        assert raw.closed() == (1008, "No setup message came within 0.1 s.")


def test_after_the_first_message_a_client_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SETUP_SECONDS", 0.1)
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.1)
    late = Scenario(steps.Wait(0.5), steps.GoAway(5), steps.Converse())
    with LiveEmulator(voice=False, scenario=late) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert "goAway" in wire.read()
        assert written(wire.ask("Hello")) == "You said: Hello"


def test_a_setup_that_is_left_unread_on_purpose_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SETUP_SECONDS", 0.5)
    with LiveEmulator(voice=False) as emulator, Raw(emulator.port) as raw:
        assert raw.send(HEAD).head().startswith(b"HTTP/1.1 101 ")
        emulator.current.stop_reading()
        raw.say({"setup": TEXT}).socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            raw.socket.recv(1)


def test_a_client_that_reads_slowly_still_gets_what_came_before_the_close_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_PATIENCE", 1.0)
    much = Scenario(steps.Huge(24_000_000), steps.Close(1011, "the end"))
    pause = threading.Event()
    with LiveEmulator(voice=False, scenario=much) as emulator, Raw(emulator.port).open(TEXT) as raw:
        got, last = 0, b""
        while piece := raw.socket.recv(1_500_000, socket.MSG_WAITALL):
            got, last = got + len(piece), (last + piece)[-200:]
            pause.wait(0.1)  # a slow reader: all of it takes it longer than the patience
    assert got > 24_000_000
    assert last.endswith(b"the end")


def test_pings_without_end_fill_no_memory_with_answers_that_nobody_reads() -> None:
    with LiveEmulator(voice=False) as emulator, Raw(emulator.port).open(TEXT) as raw:
        for _ in range(40):
            raw.send(frame(PING, bytes(125)) * 1_000)
        raw.send(frame(PING, b"last"), frame(TEXT_FRAME, json.dumps(content("x")).encode()))
        emulator.wait_for("clientContent")
        server = emulator._server
        (served,) = server.do(lambda: list(server.connections))
        assert served._transport is not None
        assert server.do(served._transport.get_write_buffer_size) < 1_000_000


def test_the_latest_ping_is_answered_when_the_client_reads_again() -> None:
    with LiveEmulator(voice=False) as emulator, Raw(emulator.port).open(SPEECH) as raw:
        emulator.current.send_raw(bytes(8_000_000))
        raw.send(frame(PING, b"first"), frame(PING, b"last"))
        assert len(raw.read().payload) == 8_000_000
        while (found := raw.read()).payload != b"last":
            assert found == (PONG, b"first", True)
        assert found.opcode == PONG


def test_a_million_small_messages_are_not_kept() -> None:
    received = Received(keep_bytes=1 << 30)
    for _ in range(MOST_MESSAGES + 10):
        received.add(ReceivedMessage("realtimeInput", {}, 0.0, 1, 2))
    assert len(received) == MOST_MESSAGES


def test_a_server_that_has_no_descriptors_left_goes_on_when_it_has() -> None:
    resource = pytest.importorskip("resource", reason="limits of descriptors are set by this module of Unix")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with LiveEmulator(pace=0.0, voice=False) as emulator, ExitStack() as stack:
        with Wire(emulator.url, setup=TEXT) as wire:
            wire.ask("Hello")
        sock = socket.socket()
        stack.callback(sock.close)
        resource.setrlimit(resource.RLIMIT_NOFILE, (sock.fileno() + 1, before[1]))
        try:
            sock.connect(("127.0.0.1", emulator.port))
            sock.sendall(HEAD)
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        sock.settimeout(PATIENCE)
        assert sock.recv(100).startswith(b"HTTP/1.1 101 ")
        sock.sendall(frame(CONTINUATION))
