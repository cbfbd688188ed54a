"""Bad input from both sides: what servers and proxies send that nobody expects, and what callers pass that nothing can take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_live import Client, Session, errors
from tests.handshakes import accept_of, answered_by, upgrade
from tests.raw_peer import BINARY, TEXT, beside, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, answer_setup, client_of, live_server, message, text_part

# Messages.

STRANGE = {
    "no JSON": b"{not json",
    "nothing at all": b"",
    "an array": b'[{"serverContent":{"turnComplete":true}}]',
    "null": b"null",
    "a number": b"1e999",
    "deep nesting": b'{"a":' * 100_000,
    "a text with a NUL": b'{"serverContent":\0}',
    "no base64": message(serverContent={"modelTurn": {"parts": [{"inlineData": {"data": "*", "mimeType": "audio/pcm"}}]}}),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_that_cannot_be_understood_is_an_event_and_the_session_goes_on(name: str, opcode: int) -> None:
    told: list[errors.LiveError] = []
    with opened(callbacks={"on_error": told.append}) as (session, peer):
        peer.send(frame(opcode, STRANGE[name]) + frame(opcode, text_part("on")) + frame(opcode, TURN_COMPLETE))
        received = list(session.receive(PATIENCE))
        assert received[0].decode_error is not None
        assert received[0].decode_error.size == len(STRANGE[name])
        assert [each.text for each in received[1:]] == ["on", None]
        assert told == [received[0].decode_error]
        assert session.stats.undecodable == 1
        assert session.close_info is None


UNKNOWN: dict[str, dict[str, Any]] = {
    "an empty object": {},
    "a message of another kind": {"weatherReport": {"rain": True}},
    "a field of another type": {"serverContent": "hello"},
    "null in place of an object": {"serverContent": None, "toolCall": None},
    "an unknown enum value": {"serverContent": {"turnCompleteReason": "BORED"}},
    "setupComplete again": {"setupComplete": {}},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_message_that_nobody_knows_is_delivered_and_the_session_goes_on(name: str) -> None:
    with opened() as (session, peer):
        peer.send(frame(BINARY, message(**UNKNOWN[name])) + frame(BINARY, text_part("on")) + frame(BINARY, TURN_COMPLETE))
        received = list(session.receive(PATIENCE))
        assert received[0].decode_error is None
        assert [each.text for each in received[1:]] == ["on", None]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4))
def test_whatever_bytes_a_server_sends_everybody_is_told_and_nobody_waits(pieces: list[bytes]) -> None:
    with opened() as (session, peer):
        waiting = beside(lambda: list(session))
        for piece in pieces:
            try:
                peer.send(piece)
            except ConnectionError:
                break  # the client has seen enough
        peer.end()
        error = waiting.exception(PATIENCE)
        assert error is None or isinstance(error, errors.SessionClosed)
        assert session._connection._connection.ended.wait(PATIENCE)


# Upgrades.

REFUSED_UPGRADES: dict[str, Callable[[bytes], bytes]] = {
    "a wrong key": lambda key: upgrade(b"wrong"),
    "no key": lambda key: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "another protocol": lambda key: upgrade(accept_of(key)).replace(b"websocket", b"h2c"),
    "nothing but a line": lambda key: b"\r\n\r\n",
    "bytes": lambda key: bytes(range(256)) * 4,
    "a line without an end": lambda key: b"HTTP/1.1 101 " + b"x" * 200_000,
    "headers without an end": lambda key: b"HTTP/1.1 101 OK\r\n" + b"a: b\r\n" * 20_000,
    "a refusal in HTTP/1.0": lambda key: b"HTTP/1.0 400 Bad Request\r\n\r\nno",
    "a redirect": lambda key: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "a page": lambda key: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>captive portal</html>",
}


@pytest.mark.parametrize("name", REFUSED_UPGRADES)
def test_an_upgrade_that_is_none_is_refused_in_its_phase(name: str) -> None:
    error = answered_by(REFUSED_UPGRADES[name])
    assert error.phase is errors.Phase.UPGRADE
    assert error.close_info.code == 1006


# Callers.


class Thing:
    """Of no type that anything takes."""


WRONG: list[Any] = [5, 1.5, "x", b"x", True, [5], {"a": 1}, Thing(), {1: 2}, float("nan"), -1, print]

CLIENT: dict[str, set[str]] = {
    "api_key": {"str"},
    "vertexai": {"bool"},
    "enterprise": {"bool"},
    "shared_reader": {"bool"},
    "credentials": set(),
    "project": {"str"},
    "location": {"str"},
    "http_options": set(),
}
"""Arguments of Client, and the types among WRONG that each takes."""
NUMBER, WHOLE = {"int", "float"}, {"int"}
HTTP_OPTIONS: dict[str, set[str]] = {
    "base_url": set(),
    "api_version": {"str"},
    "headers": set(),
    "timeout": NUMBER,
    "proxy": {"str"},
    "ca_bundle": {"str"},
    "ssl_context": set(),
    "connect_retries": WHOLE,
    "ping_interval": NUMBER,
    "silence_limit": NUMBER,
    "write_timeout": NUMBER,
    "max_message_bytes": NUMBER,
    "queue_bytes": NUMBER,
}
CONNECT: dict[str, set[str]] = {
    "model": {"str"},
    "config": set(),
    "callbacks": set(),
    "timeout": NUMBER,
    "resume": {"str"},
    "history": {"str"},
    "extra_setup": {"dict"},
}


def wrong_for(accepted: set[str]) -> Iterator[Any]:
    """What is wrong: every value of another type, and the numbers that are not an amount."""
    for value in WRONG:
        is_amount = isinstance(value, bool) or not isinstance(value, int | float) or value > 0
        if type(value).__name__ not in accepted or not is_amount:
            yield value


def check(error: errors.ConfigError, name: str, value: Any) -> None:
    """The argument is named, and so is what came: by its type, its text, or the key in it that nobody knows."""
    words = str(error)
    assert name.rpartition(".")[2] in words
    inside = [str(key) for key in value] if isinstance(value, dict) else []
    inside += [type(item).__name__ for item in value] if isinstance(value, list) else []
    assert any(word in words for word in (type(value).__name__, repr(value), str(value), *inside)), words


CASES_OF_CLIENT = [(name, value) for name, accepted in CLIENT.items() for value in wrong_for(accepted)]
CASES_OF_OPTIONS = [(name, value) for name, accepted in HTTP_OPTIONS.items() for value in wrong_for(accepted)]
CASES_OF_CONNECT = [(name, value) for name, accepted in CONNECT.items() for value in wrong_for(accepted)]


@pytest.mark.parametrize(("name", "value"), CASES_OF_CLIENT)
def test_a_wrong_argument_of_client_is_refused_by_name(name: str, value: Any) -> None:
    others: dict[str, Any] = {"api_key": {}, "shared_reader": {"api_key": "k"}, "http_options": {"api_key": "k"}}.get(
        name, {"vertexai": True} if name not in ("vertexai", "enterprise") else {"api_key": "k"}
    )
    with pytest.raises(errors.ConfigError) as raised:
        Client(**{**others, name: value})
    check(raised.value, name, value)


@pytest.mark.parametrize(("name", "value"), CASES_OF_OPTIONS)
def test_a_wrong_option_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(errors.ConfigError) as raised:
        Client(api_key="k", http_options={name: value})
    assert f"http_options.{name}" in str(raised.value)
    if name not in ("proxy", "base_url"):  # may hold a password
        check(raised.value, name, value)


@pytest.mark.parametrize(("name", "value"), CASES_OF_CONNECT)
def test_a_wrong_argument_of_connect_is_refused_by_name_and_nothing_is_dialled(name: str, value: Any) -> None:
    client = client_of("http://127.0.0.1:1")
    with pytest.raises(errors.ConfigError) as raised:
        client.live.connect(**{"model": MODEL, name: value})
    check(raised.value, name, value)


CALLS: dict[str, tuple[Callable[[Session, Any], object], set[str]]] = {
    "turns": (lambda session, value: session.send_client_content(turns=value), {"str"}),
    "turn_complete": (lambda session, value: session.send_client_content(turn_complete=value), {"bool"}),
    "media": (lambda session, value: session.send_realtime_input(media=value), set()),
    "audio": (lambda session, value: session.send_realtime_input(audio=value), set()),
    "video": (lambda session, value: session.send_realtime_input(video=value), set()),
    "text": (lambda session, value: session.send_realtime_input(text=value), {"str"}),
    "activity_start": (lambda session, value: session.send_realtime_input(activity_start=value), {"bool"}),
    "activity_end": (lambda session, value: session.send_realtime_input(activity_end=value), {"bool"}),
    "audio_stream_end": (lambda session, value: session.send_realtime_input(audio_stream_end=value), {"bool"}),
    "function_responses": (lambda session, value: session.send_tool_response(function_responses=value), set()),
    "system_instruction": (lambda session, value: session.send_context_update(system_instruction=value), {"str"}),
    "tools": (lambda session, value: session.send_context_update(tools=value), {"builtin_function_or_method"}),
    "send_text.text": (lambda session, value: session.send_text(value), {"str"}),
    "rate": (lambda session, value: session.stream_audio(b"\0\0", rate=value), WHOLE),
    "chunk_ms": (lambda session, value: session.stream_audio(b"\0\0", chunk_ms=value), NUMBER),
    "realtime": (lambda session, value: session.stream_audio(b"\0\0", realtime=value), {"bool"}),
    "wait": (lambda session, value: session.stream_audio(b"\0\0", wait=value), {"bool"}),
    "content": (lambda session, value: session.ask(value), {"str"}),
    "ask.timeout": (lambda session, value: session.ask("x", value), NUMBER),
    "receive.timeout": (lambda session, value: session.receive(value), NUMBER),
    "collect.timeout": (lambda session, value: session.collect(value), NUMBER),
    "close.timeout": (lambda session, value: session.close(value), NUMBER),
    "finish.timeout": (lambda session, value: session.finish(value), NUMBER),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_of_a_session_is_refused_by_name_and_nothing_is_sent(name: str) -> None:
    call, accepted = CALLS[name]
    arrived: list[Any] = []
    done = threading.Event()

    def handler(connection: Any) -> None:
        answer_setup(connection)
        arrived.extend(connection)
        done.set()

    with live_server(handler) as url:
        with client_of(url).live.connect(model=MODEL) as session:
            for value in wrong_for(accepted):
                with pytest.raises(errors.ConfigError) as raised:
                    call(session, value)
                check(raised.value, name, value)
            assert session.close_info is None
        assert done.wait(PATIENCE)
    assert arrived == []


@pytest.mark.parametrize("source", [5, 1.5, True, None, [5], Thing(), print, "no such file.wav", b"x", {"a": 1}])
def test_what_is_no_sound_is_refused_with_what_is(source: Any) -> None:
    with opened() as (session, _), pytest.raises(errors.ConfigError) as raised:
        session.stream_audio(source)
    assert any(word in str(raised.value) for word in ("bytes", "WAV", "samples", "cannot be read", "Blob"))


def test_a_factory_that_gives_no_websocket_is_named() -> None:
    from genai_live.live import Live

    live = Live(client_of("http://127.0.0.1:1")._api_client, websocket_factory=lambda url, headers, timeout: Thing())  # type: ignore[arg-type,return-value]
    with pytest.raises(errors.ConnectError, match=r"websocket_factory.*Thing"):
        live.connect(model=MODEL)
