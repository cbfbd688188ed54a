"""Clients that break every rule on the wire: refused with the right code, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator, Scenario, steps
from tests.live_wire import SPEECH, TEXT, Wire, audio, content, setup_over_tls, tone, written
from tests.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, Raw, frame, upgrade
from tests.raw_client import TEXT as TEXT_FRAME
from tests.waiting import until

TOOL = {"functionDeclarations": [{"name": "get_weather"}]}


@pytest.fixture
def emulator(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[LiveEmulator]:
    """An emulator that serves, holds nothing and has said nothing when the test is over."""
    with caplog.at_level(logging.WARNING), LiveEmulator(pace=0.0, voice=False) as running:
        yield running
        with Wire(running.url, setup=TEXT) as wire:
            assert written(wire.ask("Still there?")) == "You said: Still there?"
        assert_nothing_stays(running)
    assert not caplog.records
    assert capfd.readouterr().err == ""


def assert_nothing_stays(emulator: LiveEmulator) -> None:
    """No connection, no session that believes in one, no task but the server's own."""
    server = emulator._server
    until(lambda: not server.do(lambda: server.connections))
    assert all(session.ending is not None for session in emulator.sessions)
    assert server.do(lambda: len(asyncio.all_tasks())) == 2, "the server, and the one that asks"


# -- HTTP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"\xff\xfe / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET //[ HTTP/1.1\r\n\r\n", 404),
        (b"GET http://[x/ws HTTP/1.1\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nno colon\r\n: no name\r\n\r\n", 404),
        (b"GET " + b"a" * 70_000, 431),
        (b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", 413),
        (b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", 200),
        (b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 200),
        (b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: 2\r\n\r\n\xff{", 400),
        (b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000, 400),
        (upgrade().replace(b"Sec-WebSocket-Key", b"X"), 400),
        (upgrade().replace(b"MDEyMzQ1Njc4OWFiY2RlZg==", b"short"), 400),
        (upgrade().replace(b"Version: 13", b"Version: 12"), 400),
        (upgrade().replace(b"Connection: Upgrade", b"Connection: close"), 426),
        (upgrade(more="Sec-WebSocket-Key: another\r\n"), 400),
        (upgrade(more="Authorization: Bearer " + "x" * 16_000 + "\r\n"), 101),
        (upgrade(more="".join(f"X-{number}: y\r\n" for number in range(500))), 101),
        (upgrade(more="no colon\r\nBad Name: x\r\n folded\r\nX: \xff\r\n"), 101),
        (upgrade() + frame(TEXT_FRAME, b'{"setup": {"model": "models/emulator"}}'), 101),
    ],
)
def test_a_request_head_is_answered_whatever_is_in_it(emulator: LiveEmulator, head: bytes, status: int) -> None:
    with Raw(emulator.port) as raw:
        assert raw.send(head).head().split(b" ")[1] == str(status).encode()


def test_a_request_may_come_byte_by_byte(emulator: LiveEmulator) -> None:
    with Raw(emulator.port) as raw:
        for number in upgrade() + frame(TEXT_FRAME, json.dumps({"setup": TEXT}).encode()):
            raw.send(bytes((number,)))
        assert raw.head().startswith(b"HTTP/1.1 101 ")
        assert json.loads(raw.read().payload) == {"setupComplete": {}}


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT_FRAME, b"{}", masked=False), 1002),
        (frame(TEXT_FRAME, b"{}", reserved=4), 1002),
        (frame(3, b"{}"), 1002),
        (frame(11, b""), 1002),
        (frame(CONTINUATION, b"{}"), 1002),
        (frame(TEXT_FRAME, b"{", fin=False) + frame(TEXT_FRAME, b"}"), 1002),
        (frame(PING, b"x", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, struct.pack("!H", 1005)), 1002),
        (frame(CLOSE, struct.pack("!H", 99)), 1002),
        (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        (frame(TEXT_FRAME, b'"\xff"'), 1007),
        (struct.pack("!BBQ", 0x81, 0xFF, 1 << 62) + bytes(4), 1009),
        (struct.pack("!BBQ", 0x81, 0xFF, 1 << 63) + bytes(4), 1009),
        (frame(BINARY, bytes(9_000_000), fin=False) + frame(CONTINUATION, bytes(9_000_000)), 1009),
        (frame(CLOSE, struct.pack("!H", 1000)), 1000),
        (frame(CLOSE, struct.pack("!H", 4321) + b"mine"), 4321),
        (frame(CLOSE), 1005),
    ],
)
@pytest.mark.parametrize("setup", [None, TEXT])
def test_a_frame_that_breaks_the_protocol_ends_the_session_with_its_code(
    emulator: LiveEmulator, data: bytes, code: int, setup: dict[str, Any] | None
) -> None:
    with Raw(emulator.port).open(setup) as raw:
        assert raw.send(data).closed()[0] == code


def test_fragments_with_a_ping_between_them_are_one_message(emulator: LiveEmulator) -> None:
    text = json.dumps(content("In pieces")).encode()
    with Raw(emulator.port).open(TEXT) as raw:
        pieces = [frame(CONTINUATION, text[at : at + 1], fin=False) for at in range(len(text))]
        raw.send(frame(TEXT_FRAME, fin=False), *pieces, frame(PING, b"now"), frame(CONTINUATION))
        assert raw.read() == (PONG, b"now", True)
        assert b"You said: In" in raw.read().payload


def test_what_comes_after_the_emulator_s_close_is_not_listened_to(emulator: LiveEmulator) -> None:
    with Raw(emulator.port).open(TEXT) as raw:
        raw.send(frame(TEXT_FRAME, b"no json"), *[frame(TEXT_FRAME, json.dumps(content("x")).encode())] * 50)
        assert raw.closed() == (1007, "Invalid JSON payload received. Expected a value.")
        raw.send(frame(CLOSE, struct.pack("!H", 1007)))
    emulator.current.wait_closed()
    assert emulator.received.kinds() == ["setup"]


# -- JSON --------------------------------------------------------------------------------------------------------------

WRONG: list[str | bytes] = [
    "",
    "null",
    "true",
    "3",
    "NaN",
    '"setup"',
    "[{}]",
    '{"setup": null}',
    '{"setup": []}',
    '{"setup": {"model": 3}}',
    '{"setup": {"model": "m"}} trailing',
    "{'setup': {}}",
    '{"setup": {"generationConfig": {"temperature": 1e999}}}',
    '{"setup": {"generationConfig": {"maxOutputTokens": 1.5}}}',
    '{"setup": {"generationConfig": {"maxOutputTokens": 99999999999999999999999}}}',
    '{"setup": {"generationConfig": {"seed": ' + "9" * 5000 + "}}}",
    '{"setup": {"generationConfig": {"responseModalities": "TEXT"}}}',
    '{"setup": {"generationConfig": {"responseModalities": ["SMELL"]}}}',
    '{"setup": {"generation_config": {}, "generationConfig": {}, "model": "m"}}',
    '{"setup": {"tools": {}}}',
    '{"setup": {"realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": -1e400}}}}',
    '{"setup": {"x": 1}}',
    '{"\\ud800": 1}',
    '{"setup": {"model": "\\ud800"}, "clientContent": {}}',
    b'{"setup": "\xff"}',
    "\ufeff{}",
    '{"a":' * 5000,
    '{"setup": {"tools": ' + "[" * 5000 + "]" * 5000 + "}}",
    '{"' + "x" * 100_000 + '": 1}',
]


@pytest.mark.parametrize("message", WRONG, ids=lambda message: repr(message[:30]))
def test_json_that_is_no_setup_is_refused_with_1007_and_words(emulator: LiveEmulator, message: str | bytes) -> None:
    with Wire(emulator.url) as wire:
        wire.send(message)
        code, reason = wire.closed()
    assert code == 1007
    assert reason


LATER: list[tuple[Any, int]] = [
    ({"setup": TEXT}, 1007),
    ({"clientContent": {}, "realtimeInput": {}}, 1007),
    ({"clientContent": {"turns": {"parts": []}}}, 1007),
    ({"clientContent": {"turns": [None]}}, 1007),
    ({"clientContent": {"turns": [{"parts": [{"text": 5}]}]}}, 1007),
    ({"realtimeInput": {"audio": {"data": "not base64!", "mimeType": "audio/pcm"}}}, 1007),
    ({"realtimeInput": {"audio": "AAAA"}}, 1007),
    ({"realtimeInput": {"audioStreamEnd": "yes"}}, 1007),
    ({"realtimeInput": {"activityStart": {}}}, 1007),
    ({"toolResponse": {"functionResponses": [{"id": "nobody", "name": "f", "response": {}}]}}, 1008),
    ({"toolResponse": {"functionResponses": [{"id": "x", "name": "f", "response": "text"}]}}, 1007),
    ({"serverContent": {}}, 1007),
    ({"setupComplete": {}}, 1007),
]


@pytest.mark.parametrize(("message", "code"), LATER, ids=lambda value: json.dumps(value)[:40])
def test_a_wrong_message_after_setup_is_refused(emulator: LiveEmulator, message: Any, code: int) -> None:
    with Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(message)
        found, reason = wire.closed()
    assert (found, bool(reason)) == (code, True)


def test_bytes_at_random_never_bring_it_down(emulator: LiveEmulator) -> None:
    source = random.Random(4)
    good = [frame(TEXT_FRAME, json.dumps(each).encode()) for each in (content("Hi"), audio(tone(0.1)), {"setup": TEXT})]
    for number in range(150):
        with Raw(emulator.port) as raw:
            if number % 3:
                raw.open(TEXT if number % 3 == 1 else None)
            data = bytearray(b"".join(source.choices(good, k=5)) if number % 2 else source.randbytes(500))
            for _ in range(source.randrange(20)):
                data[source.randrange(len(data))] = source.randrange(256)
            raw.send(bytes(data)).vanish(reset=bool(number % 5))


# -- vanishing ---------------------------------------------------------------------------------------------------------

POINTS: dict[str, Callable[[Raw], object]] = {
    "before a byte": lambda raw: None,
    "within the head": lambda raw: raw.send(upgrade()[:50]),
    "within a REST body": lambda raw: raw.send(b"POST /v1beta/auth_tokens HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"),
    "before the answer": lambda raw: raw.send(upgrade()),
    "after the upgrade": lambda raw: raw.open(),
    "within a frame": lambda raw: raw.open().send(b"\x81\xfe"),
    "within a message": lambda raw: raw.open(TEXT).send(frame(TEXT_FRAME, b"{", fin=False)),
    "before setupComplete": lambda raw: raw.open().say({"setup": TEXT}),
    "after setup": lambda raw: raw.open(TEXT),
    "after a prompt": lambda raw: raw.open(SPEECH).say(content("A long answer, please, of many words")),
    "within an answer": lambda raw: raw.open(SPEECH).say(content("A long answer, please, of many words")).read(),
    "with a call open": lambda raw: raw.open({**TEXT, "tools": [TOOL]}).say(content("weather?")).read(),
    "while speaking": lambda raw: raw.open(SPEECH).say(audio(tone(1.0))),
}


@pytest.mark.parametrize("reset", [False, True], ids=["end of file", "reset"])
@pytest.mark.parametrize("point", POINTS)
def test_a_client_may_vanish_at_any_point(emulator: LiveEmulator, point: str, reset: bool) -> None:
    raw = Raw(emulator.port)
    POINTS[point](raw)
    raw.vanish(reset)


@pytest.mark.parametrize("reset", [False, True], ids=["end of file", "reset"])
@pytest.mark.parametrize(
    "script",
    [
        [steps.IgnoreUpgrade()],
        [steps.Expect("setup"), steps.Silence()],
        [steps.Trickle(), steps.Reply("x" * 5000)],
        [steps.Fragments(1), steps.Huge(10_000), steps.Silence()],
        [steps.Reply("y", audio=60.0)],
        [steps.CallTool("f"), steps.Expect("toolResponse")],
        [steps.At(60.0, steps.GoAway()), steps.Wait(60.0)],
        [steps.Garbage(100, frame=False), steps.Silence()],
    ],
    ids=lambda script: script[0].verb,
)
def test_a_client_may_vanish_from_any_scenario(script: list[steps.Step], reset: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), LiveEmulator(voice=False, scenario=Scenario(*script)) as emulator:
        raw = Raw(emulator.port).send(upgrade(), frame(TEXT_FRAME, json.dumps({"setup": SPEECH}).encode()))
        if script[0].verb != "ignoreUpgrade":
            raw.socket.recv(100)
        raw.vanish(reset)
        assert_nothing_stays(emulator)
    assert not caplog.records


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_stop_returns_at_once_whatever_its_clients_do(caplog: pytest.LogCaptureFixture) -> None:
    emulator = LiveEmulator(voice=False).start()
    clients = []
    for point in POINTS.values():
        clients.append(Raw(emulator.port))
        point(clients[-1])
    deaf = Raw(emulator.port).open(SPEECH)
    emulator.current.send_raw(bytes(20_000_000))
    stopper = threading.Thread(target=emulator.stop)
    stopper.start()
    stopper.join(5.0)
    assert not stopper.is_alive(), "connections are cut, nobody is waited for"
    assert all(session.ending is not None for session in emulator.sessions)
    for client in (*clients, deaf):
        client.vanish(reset=False)
    assert not caplog.records


def test_stop_returns_at_once_while_a_tls_handshake_is_under_way() -> None:
    emulator = LiveEmulator(tls=True, voice=False).start()
    assert setup_over_tls(emulator.url, emulator.ca_path) == {"setupComplete": {}}
    with Raw(emulator.port).send(b"\x16\x03\x01"):
        stopper = threading.Thread(target=emulator.stop)
        stopper.start()
        stopper.join(5.0)
        assert not stopper.is_alive()


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_comes_as_the_emulator_stops_leaves_nothing_behind(tls: bool) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(20):
            emulator = LiveEmulator(tls=tls, voice=False).start()
            with Raw(emulator.port).send(b"\x16\x03\x01"):
                emulator.stop()
        gc.collect()  # once: to look through all that the suite has made takes a fifth of a second
    assert [str(warning.message) for warning in found] == []
