"""Backends that misbehave behind the recorder: the client is told every end, and gets and keeps no credential."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from genai_live.emulator import LiveEmulator, Recorder, backend
from genai_live.emulator import recorder as recorder_module
from genai_live.emulator.script.recording import Event, read_recording
from genai_live.emulator.server.listener import MessageJoiner
from tests.live_wire import MLDEV, TEXT, Wire, content
from tests.proxies import Seen, http_proxy, socks5_proxy
from tests.raw_client import PING, PONG, Raw, upgrade
from tests.raw_client import TEXT as TEXT_FRAME
from tests.raw_client import frame as client_frame
from tests.raw_peer import BINARY, Door, Peer, beside, close_frame, door, frame
from tests.waiting import PATIENCE, until

KEY = "AIza-canary-0123456789abcdef-REAL"
SETUP_COMPLETE = b'{"setupComplete": {}}'


@contextmanager
def recorder_before(entrance: Door, out: Path, **options: Any) -> Iterator[Recorder]:
    """A recorder that brings the key, in front of a backend that the test plays."""
    with Recorder(entrance.url, out, headers={"x-goog-api-key": KEY}, **options) as recorder:
        yield recorder


@contextmanager
def between(out: Path, **options: Any) -> Iterator[tuple[Wire, Peer, Recorder]]:
    """A client without a key and a backend, both after setup."""
    with door() as entrance, recorder_before(entrance, out, **options) as recorder:
        opening = beside(Wire, recorder.url, setup=TEXT)
        peer = entrance.accept()
        peer.open()
        with opening.result(PATIENCE) as wire:
            yield wire, peer, recorder


def answered(entrance: Door, recorder: Recorder, answer: bytes, *, stays: bool = False) -> tuple[int, str]:
    """Status and body that a client gets when the backend answers the upgrade so."""
    opening = beside(Wire, recorder.url)
    peer = entrance.accept()
    read_head(peer)
    peer.send(answer)
    if not stays:
        peer.end()
    with pytest.raises(InvalidStatus) as caught:
        opening.result(PATIENCE)
    return caught.value.response.status_code, bytes(caught.value.response.body or b"").decode()


def read_head(peer: Peer) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.socket.recv(65_536)
    return head


def said(out: Path) -> list[Event]:
    return [line for line in read_recording(out) if isinstance(line, Event)]


# -- where the key goes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["ws://127.0.0.2:{port}/take", "//127.0.0.2:{port}/take", "http://127.0.0.2:{port}"])
def test_a_redirect_is_told_and_not_followed(tmp_path: Path, status: int, where: str) -> None:
    with door() as entrance, door(address="127.0.0.2") as elsewhere, recorder_before(entrance, tmp_path / "r") as recorder:
        location = where.format(port=elsewhere.url.rpartition(":")[2])
        answer = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        found, words = answered(entrance, recorder, answer)
        assert found == status
        assert "redirects to 127.0.0.2" in words
        elsewhere._listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            elsewhere._listener.accept()


def test_a_request_cannot_add_a_header_line_or_another_target(tmp_path: Path) -> None:
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        port = int(recorder.host.rpartition(":")[2])
        with Raw(port) as raw:
            head = upgrade(MLDEV + "?a=1\nX-Injected:1").replace(b"Host: x", b"Host: 127.0.0.1")
            assert raw.send(head).head().startswith(b"HTTP/1.1 400 ")
        with Raw(port) as raw:
            more = "X-Two: a\nX-Injected: 1\r\nProxy-Authorization: Basic c2VjcmV0\r\nX-Good: b\r\n"
            raw.send(upgrade(more=more).replace(b"Host: x", b"Host: 127.0.0.1"))
            seen = read_head(entrance.accept()).lower()
    assert b"x-injected" not in seen
    assert b"proxy-authorization" not in seen
    assert b"\r\nx-good: b\r\n" in seen


@pytest.mark.parametrize("proxy", [http_proxy, socks5_proxy])
def test_the_recorder_goes_through_the_environment_s_proxy(
    tmp_path: Path, proxy: Callable[[], AbstractContextManager[Seen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveEmulator(voice=False) as behind, proxy() as seen, Recorder(behind.url, tmp_path / "r") as recorder:
        monkeypatch.setenv("HTTP_PROXY", seen.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Raw(int(recorder.host.rpartition(":")[2])) as raw:
            assert raw.send(upgrade().replace(b"Host: x", b"Host: 127.0.0.1")).head().startswith(b"HTTP/1.1 101 ")
        assert seen.targets == [behind.host]


def test_a_proxy_behind_tls_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "https://me:hush-hush@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Recorder("http://127.0.0.1:9", tmp_path / "r") as recorder, Raw(int(recorder.host.rpartition(":")[2])) as raw:
        assert raw.send(upgrade().replace(b"Host: x", b"Host: 127.0.0.1")).head().startswith(b"HTTP/1.1 502 ")
    assert "the recorder does not go through https://127.0.0.1:9" in said(tmp_path / "r")[0].body


# -- what comes back ---------------------------------------------------------------------------------------------------

SPELT: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda key: "".join(f"%{ord(each):02x}" for each in key),
    "base64": lambda key: base64.b64encode(f"key={key}".encode()).decode(),
    "JSON": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "half": lambda key: key[:15],
}


def shows_key(text: str) -> bool:
    """True when eight characters of the key stand there in a row, in some spelling."""
    plain = [spell(KEY)[at : at + 8 * len(spell(KEY)) // len(KEY)] for spell in SPELT.values() for at in range(4, len(KEY) - 8)]
    return any(piece.lower() in text.lower() for piece in plain if len(piece) >= 8)


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT)
def test_a_message_that_repeats_the_key_reaches_neither_client_nor_file_with_it(
    tmp_path: Path, spell: Callable[[str], str]
) -> None:
    said_key = spell(KEY)
    with between(tmp_path / "r") as (wire, peer, _):
        words = f'{{"a": "bad key {said_key} was sent"}}'
        for data in (words, f'{{"{said_key}": 1, "a": "{said_key}", "a": 2}}', f"no JSON {said_key}"):
            peer.send(frame(BINARY, data.encode()))
            got = wire.socket.recv(timeout=PATIENCE)
            assert isinstance(got, bytes)
            assert b"<removed>" in got
            assert not shows_key(got.decode())
        peer.send(frame(BINARY, b'{"serverContent": {"turnComplete": true}}'))
        assert wire.read() == {"serverContent": {"turnComplete": True}}
    raw = b"".join(each.raw or b"" for each in said(tmp_path / "r")).decode()
    assert not shows_key((tmp_path / "r").read_text() + raw)


def test_a_message_in_fragments_is_looked_at_whole(tmp_path: Path) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        pieces = b"".join(frame(0, KEY[at : at + 5].encode(), fin=False) for at in range(0, len(KEY), 5))
        peer.send(frame(BINARY, b'{"a": "', fin=False) + pieces + frame(0, b'"}'))
        assert wire.read() == {"a": "<removed>"}


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT)
def test_a_close_reason_that_repeats_the_key_is_told_without_it(tmp_path: Path, spell: Callable[[str], str]) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        peer.send(close_frame(1007, f"API key {spell(KEY)} not valid".encode()[:123]))
        code, reason = wire.closed()
    assert (code, "<removed>" in reason) == (1007, True)
    assert not shows_key(reason + (tmp_path / "r").read_text())


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT)
def test_a_refusal_that_repeats_the_key_in_head_and_body_is_told_without_it(tmp_path: Path, spell: Callable[[str], str]) -> None:
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        body = f"API key {spell(KEY)} is not valid"
        head = f"HTTP/1.1 403 No\r\nX-Key: {KEY}\r\nLocation: http://h/?key={KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        assert answered(entrance, recorder, (head + body).encode())[0] == 403
    assert not shows_key((tmp_path / "r").read_text())


def test_the_key_is_in_no_log_and_no_repr(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        with between(tmp_path / "r") as (wire, peer, recorder):
            peer.send(frame(BINARY, json.dumps({"error": KEY}).encode()))
            wire.read()
            handler = recorder._handler
            shown = repr((recorder, vars(recorder), vars(handler), *map(vars, handler._tasks.values())))
        with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
            answered(entrance, recorder, b"HTTP/1.1 403 No\r\nX: " + KEY.encode() + b"\r\nContent-Length: 0\r\n\r\n")
    assert KEY not in shown + caplog.text + "".join(repr(vars(each)) for each in caplog.records)


def test_the_client_s_own_credentials_are_taken_out_too(tmp_path: Path) -> None:
    with door() as entrance, Recorder(entrance.url, tmp_path / "r") as recorder:
        own = {"Authorization": "Bearer ya29.own-bearer", "X-Custom": "own-header-0123"}
        opening = beside(Wire, recorder.url, MLDEV + "?key=own%2Dquery%2D0123", TEXT, additional_headers=own)
        peer = entrance.accept()
        peer.open()
        with opening.result(PATIENCE) as wire:
            peer.send(frame(BINARY, b'{"a": ["ya29.own-bearer", "own-header-0123", "own-query-0123", "own%2Dquery%2D0123"]}'))
            assert wire.read() == {"a": ["<removed>"] * 4}


# -- what is written down ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, 0o644, 0o666])
def test_a_recording_is_readable_for_its_owner_alone(tmp_path: Path, before: int | None) -> None:
    out = tmp_path / "r"
    if before is not None:
        out.write_text("old")
        out.chmod(before)
    with LiveEmulator(voice=False) as behind, Recorder(behind.url, out):
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert out.read_text() == ("" if before is None else "old"), "what is there stays until somebody talks"


TRAILING_COMMA = '{"setup": {"tools": [{"mcpServers": [{"headers": {"Authorization": "hush-hush"}}]}],}}'


@pytest.mark.parametrize(
    "setup",
    [TRAILING_COMMA, json.dumps([{"setup": {"apiKey": "hush-hush"}}]), "hush-hush", '{"setup": "hush-hush', b"\x00hush-hush"],
    ids=["comma", "list", "words", "half", "bytes"],
)
def test_what_a_client_says_that_is_no_json_object_is_not_kept(tmp_path: Path, setup: str | bytes) -> None:
    out = tmp_path / "r"
    with LiveEmulator(voice=False) as behind, Recorder(behind.url, out) as recorder, Wire(recorder.url) as wire:
        wire.send(setup)
        assert wire.closed()[0] == 1007
    (event, _) = said(out)
    assert (event.raw, event.removed) == (b"", len(setup))
    assert "hush" not in out.read_text()


SERVERS: list[dict[str, Any]] = [
    {"streamableHttpTransport": {"url": "https://mcp.example/mcp?api_key=hush-hush"}},
    {"streamableHttpTransport": {"url": "https://user:hush-hush@mcp.example/"}},
    {"streamableHttpTransport": {"url": "https://mcp.example/s/hush-hush/mcp"}},
    {"streamable_http_transport": {"url": "https://mcp.example#hush-hush"}},
    {"streamableHttpTransport": {"url": "mcp.example/sse?k=hush-hush"}},
    {"streamableHttpTransport": {"url": "https://mcp.example", "headers": {"X-Mine": "hush-hush"}}},
    {"streamableHttpTransport": {"url": "https://mcp.example", "headers": [{"X-Mine": ["hush-hush"]}]}},
    {"apiAuth": {"api_key_config": {"api-key-string": "hush-hush"}}, "endpoint": "https://mcp.example"},
    {"oauthConfig": {"accessToken": "hush-hush"}, "url": "https://mcp.example"},
    {"httpBasicAuthConfig": {"CREDENTIAL_SECRET": "hush-hush"}, "url": "https://mcp.example"},
]


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: json.dumps(server)[:70])
def test_a_credential_of_a_tool_is_not_kept_and_its_host_is(tmp_path: Path, server: dict[str, Any]) -> None:
    out = tmp_path / "r"
    with door() as entrance, Recorder(entrance.url, out) as recorder:
        opening = beside(Wire, recorder.url, setup={**TEXT, "tools": [{"mcpServers": [server]}]})
        peer = entrance.accept()
        peer.upgrade()
        assert "hush-hush" in json.dumps(peer.take_setup())
        peer.send(frame(BINARY, SETUP_COMPLETE))
        opening.result(PATIENCE).__exit__(None, None, None)
    text = out.read_text()
    assert "hush-hush" not in text
    assert "mcp.example" in text


def test_names_in_somebody_s_schema_are_no_credentials(tmp_path: Path) -> None:
    parameters = {
        "type": "OBJECT",
        "properties": {"password": {"type": "STRING", "description": "of the door, see https://a.b/c"}},
    }
    setup = {**TEXT, "tools": [{"functionDeclarations": [{"name": "open_door", "parameters": parameters}]}]}
    with LiveEmulator(voice=False) as behind, Recorder(behind.url, tmp_path / "r") as recorder, Wire(recorder.url, setup=setup):
        pass
    assert said(tmp_path / "r")[0].message == {"setup": setup}


def test_a_url_in_a_conversation_loses_its_password_and_its_key(tmp_path: Path) -> None:
    text = "look at https://me:hush-hush@a.example/x?page=2&api_key=hush-hush&sig=hush-hush please"
    with LiveEmulator(voice=False, pace=0.0) as behind, Recorder(behind.url, tmp_path / "r") as recorder:
        with Wire(recorder.url, setup=TEXT) as wire:
            wire.ask(text)
        assert behind.wait_for("clientContent").message == content(text)
    kept = (tmp_path / "r").read_text()
    assert "hush" not in kept
    assert "https://<removed>@a.example/x?page=2&api_key=<removed>" in kept


def test_a_recording_with_credentials_taken_out_can_be_replayed(tmp_path: Path) -> None:
    server = {"name": "m", "streamableHttpTransport": {"url": "https://mcp.example/s/hush", "headers": {"X-Key": "hush"}}}
    setup = {**TEXT, "tools": [{"mcpServers": [server]}]}
    question = "what is at https://a.example/?token=hush-hush"
    with ExitStack() as stack:
        behind = stack.enter_context(LiveEmulator(voice=False, pace=0.0))
        recorder = stack.enter_context(Recorder(behind.url, tmp_path / "r"))
        stack.enter_context(Wire(recorder.url, setup=setup)).ask(question)
    with LiveEmulator(replay=tmp_path / "r", voice=False, pace=0.0) as emulator:
        with Wire(emulator.url, setup=setup) as wire:
            wire.ask(question)
        emulator.current.wait_closed()
        emulator.assert_complete()


COSTLY = {"deep": b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", "many": b'{"a": [' + b"[]," * 300_000 + b"[]]}"}


@pytest.mark.parametrize("message", COSTLY.values(), ids=COSTLY)
def test_json_that_would_cost_too_much_to_look_through_is_passed_on_and_kept_as_bytes(tmp_path: Path, message: bytes) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        peer.send(frame(BINARY, message))
        assert wire.socket.recv(timeout=PATIENCE) == message
        wire.socket.send(message)
        assert peer.read_frame()[1] == message
    *_, server, client, _ = said(tmp_path / "r")
    assert server.raw == message or server.message == json.loads(message)
    assert client.removed == len(message) or client.message == json.loads(message)


def test_a_recording_that_cannot_be_written_ends_the_session_and_says_so(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here, the file that is always full")
    with LiveEmulator(voice=False) as behind:
        recorder = Recorder(behind.url, "/dev/full").start()
        with pytest.raises(InvalidStatus) as caught:
            Wire(recorder.url)
        with pytest.raises(OSError, match="space"):
            recorder.stop()
    assert caught.value.response.status_code == 502
    assert b"The recording cannot be written: No space" in bytes(caught.value.response.body or b"")


# -- ends --------------------------------------------------------------------------------------------------------------

NO_ANSWER = {
    "garbage": b"garbage garbage\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x0a",
    "nothing": b"",
    "half a head": b"HTTP/1.1 101 Switching",
    "no upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
    "wrong accept": b"HTTP/1.1 101 Y\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong=\r\n\r\n",
    "HTTP/2": b"HTTP/2 101 Y\r\n\r\n",
    "status": b"HTTP/1.1 1e3 Y\r\n\r\n",
    "interim only": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "header": b"HTTP/1.1 403 Forbidden\r\nno colon\r\n\r\n",
    "length": b"HTTP/1.1 403 Forbidden\r\nContent-Length: much\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER)
def test_an_answer_that_is_none_is_told_as_502(tmp_path: Path, answer: bytes) -> None:
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        status, words = answered(entrance, recorder, answer)
    assert status == 502
    assert words.startswith("The backend")
    assert [each.refused for each in said(tmp_path / "r")] == [502]


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 403 Forbidden\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_backend_that_hangs_before_it_has_answered_is_told_as_504(
    tmp_path: Path, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "OPEN_SECONDS", 0.2)
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        assert answered(entrance, recorder, begun, stays=True) == (504, "The backend did not answer the upgrade within 0.2 s.")


def test_an_answer_without_end_is_told_as_502(tmp_path: Path) -> None:
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99999999\r\n\r\n"
        assert answered(entrance, recorder, head + b"x" * backend.LARGEST_ANSWER, stays=True)[0] == 502


def test_informational_answers_before_the_upgrade_are_passed_over(tmp_path: Path) -> None:
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        opening = beside(Wire, recorder.url, setup=TEXT)
        peer = entrance.accept()
        for each in b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n":
            peer.send(bytes((each,)))
        peer.open()
        with opening.result(PATIENCE) as wire:
            assert wire.setup_complete == {"setupComplete": {}}


BROKEN = {
    "masked": b"\x82\x81\0\0\0\0x",
    "reserved bit": b"\xc2\x01x",
    "unknown kind": b"\x83\x01x",
    "continuation": frame(0, b"x"),
    "long ping": frame(9, bytes(126)),
    "close code": close_frame(1005),
    "too long": struct.pack("!BBQ", 0x82, 127, backend.LARGEST_MESSAGE + 1),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_backend_that_breaks_the_protocol_is_told_to_the_client_with_a_reason(tmp_path: Path, data: bytes) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        peer.send(data)
        code, reason = wire.closed()
        assert peer.read_close()[0] in (1002, 1009)
    assert (code, reason[:44]) == (1014, "The backend broke the WebSocket protocol: ut"[:42] + reason[42:44])
    assert [(each.sender, each.close) for each in said(tmp_path / "r")][-1] == ("server", 1014)


def test_a_reason_that_was_cut_within_a_character_is_told_up_to_it(tmp_path: Path) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        peer.send(close_frame(1008, "nicht gültig".encode()[:8]))
        assert wire.closed() == (1008, "nicht g")


def test_a_backend_that_does_not_answer_the_setup_ends_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "SETUP_SECONDS", 0.2)
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder:
        opening = beside(Wire, recorder.url)
        peer = entrance.accept()
        peer.upgrade()
        with opening.result(PATIENCE) as wire:
            wire.send({"setup": TEXT})
            words = "The backend did not answer the first message within 0.2 s."
            assert wire.closed() == (1014, words)
            assert peer.read_close() == (1014, words.encode())


def test_a_backend_that_falls_silent_is_pinged_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "PING_SECONDS", 0.05)
    monkeypatch.setattr(backend, "SILENCE_SECONDS", 0.5)
    with between(tmp_path / "r") as (wire, peer, _):
        for _ in range(20):  # a whole second in which it only answers pings
            assert peer.read_frame()[0] == PING
            peer.send(frame(PONG))
        code, reason = wire.closed()
        assert (code, "said nothing for 0.5 s" in reason) == (1014, True)


def test_a_recorder_that_stops_says_goodbye_to_both_sides(tmp_path: Path) -> None:
    with between(tmp_path / "r") as (wire, peer, recorder):
        recorder.stop()
        assert wire.closed() == (1001, "The recorder was stopped.")
        assert peer.read_close() == (1001, b"The recorder was stopped.")


def test_a_backend_that_does_not_answer_a_goodbye_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "CLOSE_SECONDS", 0.1)
    with between(tmp_path / "r") as (wire, peer, recorder):
        wire.socket.close(3001, "enough")
        assert peer.read_close() == (3001, b"enough")
        until(lambda: not recorder._handler._tasks)
        assert peer.at_end()


def test_the_recorder_tells_the_client_of_a_fault_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise ZeroDivisionError(f"with {KEY}")

    monkeypatch.setattr(backend, "dial", fail)
    with door() as entrance, recorder_before(entrance, tmp_path / "r") as recorder, pytest.raises(InvalidStatus) as caught:
        Wire(recorder.url)
    assert caught.value.response.status_code == 502
    assert "ZeroDivisionError: with <removed>" in caplog.text


# -- memory ------------------------------------------------------------------------------------------------------------

MUCH = 64 * 1024 * 1024
"""Bytes that a recorder without back-pressure would take; what buffers of sockets and of the loop hold is a tenth of it."""
HALF_MEGABYTE = b'"' + bytes(500_000).replace(b"\0", b"x") + b'"'


def flood(sock: socket.socket, data: bytes, most: int = MUCH, silence: float = 0.5) -> int:
    """Sends until the other side has taken nothing for so many seconds, or so many bytes; how many it took."""
    sock.settimeout(silence)
    taken = 0
    view = memoryview(data)
    while taken < most:
        try:
            taken += sock.send(view[taken % len(data) :])
        except TimeoutError:
            break
    return taken


@contextmanager
def raw_ends(out: Path, receive_buffer: int = 0) -> Iterator[tuple[socket.socket, socket.socket, Recorder]]:
    """The client's and the backend's socket of a session through a recorder, after both upgrades."""
    with ExitStack() as stack:
        entrance = stack.enter_context(door(receive_buffer=receive_buffer))
        recorder = stack.enter_context(recorder_before(entrance, out))
        raw = stack.enter_context(Raw(int(recorder.host.rpartition(":")[2])))
        raw.send(upgrade().replace(b"Host: x", b"Host: 127.0.0.1"))
        peer = entrance.accept()
        peer.upgrade()
        assert raw.head().startswith(b"HTTP/1.1 101 ")
        yield raw.socket, peer.socket, recorder


def test_a_backend_that_floods_a_client_that_does_not_read_is_not_read_either(tmp_path: Path) -> None:
    with raw_ends(tmp_path / "r") as (_, backend_end, _):
        assert flood(backend_end, frame(BINARY, HALF_MEGABYTE)) < MUCH / 2


def test_a_client_that_floods_a_backend_that_does_not_read_is_not_read_either(tmp_path: Path) -> None:
    with raw_ends(tmp_path / "r", receive_buffer=65_536) as (client_end, _, _):
        assert flood(client_end, client_frame(TEXT_FRAME, HALF_MEGABYTE)) < MUCH / 2


def test_a_side_that_reads_again_gets_everything_in_order(tmp_path: Path) -> None:
    with between(tmp_path / "r") as (wire, peer, _):
        messages = [json.dumps({"number": number, "data": "x" * 50_000}).encode() for number in range(200)]
        sending = beside(lambda: [peer.send(frame(BINARY, each)) for each in messages])
        assert [wire.read()["number"] for _ in messages] == list(range(200))
        sending.result(PATIENCE)
        sending = beside(lambda: [wire.send(each.decode()) for each in messages])
        assert [peer.read_message()["number"] for _ in messages] == list(range(200))
        sending.result(PATIENCE)


def test_pings_without_end_fill_no_memory_with_answers_that_nobody_reads(tmp_path: Path) -> None:
    with raw_ends(tmp_path / "r") as (client_end, backend_end, recorder):
        for end, ping in ((client_end, client_frame(PING, bytes(125))), (backend_end, frame(PING, bytes(125)))):
            assert flood(end, ping * 1_000, 6_000_000, PATIENCE) >= 6_000_000
        assert recorder._server.do(lambda: unsent(recorder)) < 1_000_000


def unsent(recorder: Recorder) -> int:
    """Bytes that wait in the recorder for either side to read."""
    (session,) = recorder._handler._tasks.values()
    assert session._backend is not None
    transports = (session._connection._transport, session._backend._transport)
    return sum(each.get_write_buffer_size() for each in transports if each is not None)


def test_frames_without_content_fill_no_memory() -> None:
    joiner = MessageJoiner()
    assert joiner.take(2, b"a", False) is None
    assert all(joiner.take(0, b"", False) is None for _ in range(100_000))
    assert sum(map(sys.getsizeof, vars(joiner).values())) < 1_000
    assert joiner.take(0, b"b", True) == (b"ab", False)
