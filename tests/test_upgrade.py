"""The answer to the upgrade, by RFC 6455 section 4 and RFC 9110: what is passed over, what is refused, and with what words."""

from __future__ import annotations

from typing import Any

import pytest
import websocket

from genai_live import errors
from genai_live.errors import Phase
from tests.handshakes import accept_of, answered_by, key_in, upgrade
from tests.raw_peer import BINARY, Peer, beside, door, frame
from tests.servers import MODEL, PATIENCE, SETUP_COMPLETE, client_of

EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def connected_by(before: bytes, more: bytes = b"", chop: int = 0, **http_options: Any) -> None:
    """Connects to a server that answers with ``before``, and then with an upgrade that has ``more`` headers."""
    with door() as entrance:
        connecting = beside(client_of(entrance.url, **http_options).live.connect, model=MODEL, timeout=PATIENCE)
        peer = entrance.accept()
        data = before + upgrade(accept_of(key_in(request_to(peer))), more)
        for start in range(0, len(data), chop or len(data)):
            peer.send(data[start : start + (chop or len(data))])
        peer.take_setup()
        peer.send(frame(BINARY, SETUP_COMPLETE))
        connecting.result(PATIENCE).close(timeout=0)


def request_to(peer: Peer) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.socket.recv(1)
    return request


# What comes before the answer


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize("before", [CONTINUE, EARLY_HINTS, PROCESSING, CONTINUE + 3 * EARLY_HINTS, 16 * CONTINUE])
def test_interim_answers_are_passed_over(before: bytes, chop: int) -> None:
    connected_by(before, chop=chop)


def test_there_is_a_bound_to_them() -> None:
    error = answered_by(lambda key: 17 * CONTINUE + upgrade(accept_of(key)))
    assert "more than 16 interim answers" in str(error)
    assert error.phase is Phase.UPGRADE


def test_a_refusal_after_one_is_told_with_its_own_status_and_body() -> None:
    error = answered_by(lambda key: EARLY_HINTS + b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    assert isinstance(error, errors.HandshakeRejected)
    assert (error.status, error.body) == (403, "no")


def test_nothing_but_interim_answers_is_no_upgrade() -> None:
    assert answered_by(lambda key: CONTINUE).phase is Phase.UPGRADE


# What is not an upgrade


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 426, 500])
def test_no_status_but_101_counts_whatever_the_package_underneath_makes_of_it(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releases of websocket-client before 1.9.1 take a redirect for an upgrade."""

    def connect(self: websocket.WebSocket, url: str, **options: Any) -> None:
        options["socket"].send(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")
        while not head.endswith(b"\r\n\r\n"):
            head.extend(options["socket"].recv(1))

    head = bytearray()
    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    error = answered_by(lambda key: b"HTTP/1.1 %d Words\r\nLocation: /elsewhere\r\nContent-Length: 4\r\n\r\nbody" % status)
    assert isinstance(error, errors.HandshakeRejected)
    assert error.status == status


# What was not asked for


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (b"Sec-WebSocket-Extensions: permessage-deflate\r\n", "the extension 'permessage-deflate'"),
        (b"sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n", "the extension 'permessage-deflate;"),
        (b"Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x-mux\r\n", "'x-mux'"),
        (b"Sec-WebSocket-Protocol: graphql-ws\r\n", "the subprotocol 'graphql-ws'"),
        (b"SEC-WEBSOCKET-PROTOCOL: a, b\r\n", "the subprotocol 'a, b'"),
    ],
)
@pytest.mark.parametrize("before", [b"", EARLY_HINTS])
def test_an_upgrade_to_what_nobody_asked_for_is_none(before: bytes, headers: bytes, words: str) -> None:
    error = answered_by(lambda key: before + upgrade(accept_of(key), headers))
    assert f"{words}" in str(error)
    assert "was not asked for" in str(error)
    assert "does not keep to RFC 6455" in error.advice
    assert (error.phase, error.retryable) == (Phase.UPGRADE, False)


@pytest.mark.parametrize("headers", [b"Sec-WebSocket-Extensions:\r\n", b"Sec-WebSocket-Protocol: \r\n", b"X-Extensions: x\r\n"])
def test_a_header_that_names_none_is_none(headers: bytes) -> None:
    connected_by(b"", headers)


def test_a_subprotocol_of_the_callers_own_headers_may_be_chosen_and_no_other() -> None:
    own = {"Sec-WebSocket-Protocol": "v1.live, v2.live"}
    connected_by(b"", b"Sec-WebSocket-Protocol: v2.live\r\n", headers=own)
    connected_by(b"", headers=own)
    with door() as entrance:
        connecting = beside(client_of(entrance.url, headers=own).live.connect, model=MODEL, timeout=PATIENCE)
        peer = entrance.accept()
        peer.send(upgrade(accept_of(key_in(request_to(peer))), b"Sec-WebSocket-Protocol: v3.live\r\n"))
        error = connecting.exception(PATIENCE)
    assert "the subprotocol 'v3.live'" in str(error)
