"""SOCKS 4, 4a, 5 and 5h, byte by byte: what is asked of a proxy, and what its answers mean."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from genai_live import errors
from genai_live._deadline import Deadline
from genai_live._network import socks
from genai_live._network.proxy import parse_proxy
from genai_live._network.socks import through_socks
from genai_live._network.tcp import Held, Line
from genai_live._secret import Secret
from genai_live.errors import ErrorKind, Phase
from tests.waiting import PATIENCE, tcp_pair

OK_5 = b"\5\0" + b"\5\0\0\1" + bytes(6)
NO_USER = b"\5\1\0"


@contextmanager
def proxy_that_says(answers: bytes) -> Iterator[tuple[Line, socket.socket]]:
    near, far = tcp_pair()
    with near, far:
        far.sendall(answers)
        far.shutdown(socket.SHUT_WR)
        far.settimeout(PATIENCE)
        yield Line(near, Deadline(PATIENCE), Held()), far


def asked(url: str, host: str, answers: bytes, port: int = 443) -> bytes:
    """All that is sent to the proxy."""
    with proxy_that_says(answers) as (line, far):
        through_socks(line, parse_proxy(Secret(url), "ALL_PROXY"), host, port)
        line.sock.close()
        return b"".join(iter(lambda: far.recv(65_536), b""))


def refusal(url: str, answers: bytes, host: str = "service.example") -> errors.ConnectError:
    with pytest.raises(errors.ConnectError, match=r"\(ALL_PROXY\)") as raised:
        asked(url, host, answers)
    assert raised.value.phase is Phase.PROXY
    return raised.value


@pytest.mark.parametrize(
    ("url", "host", "address"),
    [
        ("socks5h://p", "service.example", b"\3\x0fservice.example"),
        ("socks5h://p", "127.0.0.1", b"\1\x7f\0\0\1"),
        ("socks5h://p", "::1", b"\4" + bytes(15) + b"\1"),
        ("socks5h://p", "bücher.example", b"\3\x15xn--bcher-kva.example"),
        ("socks5://p", "127.0.0.1", b"\1\x7f\0\0\1"),
        ("socks://p", "service.example", b"\3\x0fservice.example"),
    ],
)
def test_socks_5_names_the_host_as_its_scheme_says(url: str, host: str, address: bytes) -> None:
    assert asked(url, host, OK_5) == NO_USER + b"\5\1\0" + address + b"\1\xbb"


def test_socks_5_with_lookup_here_sends_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 443, 0, 2))]
    monkeypatch.setattr(socks, "look_up", lambda host, port: found)
    assert asked("socks5://p", "service.example", OK_5)[6:].startswith(b"\4\xfe\x80")


def test_socks_5_with_lookup_here_prefers_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 443, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)),
    ]
    monkeypatch.setattr(socks, "look_up", lambda host, port: found)
    assert asked("socks5://p", "localhost", OK_5)[6:] == b"\1\x7f\0\0\1\x01\xbb"


def test_socks_5_gives_user_and_password_only_where_they_are_wanted() -> None:
    url = "socks5h://us%40er:p%3Ass@p"
    assert asked(url, "h", OK_5)[:4] == b"\5\2\0\2"
    login = b"\1\5us@er\4p:ss"
    assert asked(url, "h", b"\5\2" + b"\1\0" + OK_5[2:]) == b"\5\2\0\2" + login + b"\5\1\0\3\1h\1\xbb"


@pytest.mark.parametrize("bound", [b"\1" + bytes(4), b"\3\7a.proxy", b"\4" + bytes(16)])
def test_what_follows_the_answer_of_socks_5_is_the_servers(bound: bytes) -> None:
    with proxy_that_says(b"\5\0" + b"\5\0\0" + bound + b"\0\0" + b"hello") as (line, _):
        through_socks(line, parse_proxy(Secret("socks5h://p")), "h", 1)
        assert line.receive(10) == b"hello"


@pytest.mark.parametrize(
    ("url", "host", "request_bytes"),
    [
        ("socks4://p", "127.0.0.1", b"\4\1\1\xbb\x7f\0\0\1\0"),
        ("socks4://user@p", "127.0.0.1", b"\4\1\1\xbb\x7f\0\0\1user\0"),
        ("socks4a://p", "service.example", b"\4\1\1\xbb\0\0\0\1\0service.example\0"),
        ("socks4a://user@p", "127.0.0.1", b"\4\1\1\xbb\x7f\0\0\1user\0"),
    ],
)
def test_socks_4_asks_in_one_request(url: str, host: str, request_bytes: bytes) -> None:
    assert asked(url, host, b"\0\x5a" + bytes(6)) == request_bytes


def test_socks_4_has_no_place_for_an_ipv6_address() -> None:
    with proxy_that_says(b"") as (line, _), pytest.raises(OSError, match="SOCKS 4 knows no other; use socks5"):
        through_socks(line, parse_proxy(Secret("socks4://p")), "::1", 1)


@pytest.mark.parametrize(
    ("code", "words", "kind", "retryable"),
    [
        (1, "general failure", ErrorKind.NETWORK, True),
        (2, "not allowed by ruleset", ErrorKind.OTHER, False),
        (4, "host unreachable", ErrorKind.NETWORK, True),
        (5, "connection refused", ErrorKind.NETWORK, True),
        (8, "address type not supported", ErrorKind.OTHER, False),
        (99, "refusal 99", ErrorKind.NETWORK, True),
    ],
)
def test_a_refusal_of_socks_5_is_told_by_its_number(code: int, words: str, kind: ErrorKind, retryable: bool) -> None:
    error = refusal("socks5h://p", b"\5\0" + bytes((5, code, 0, 1)) + bytes(6))
    assert words in str(error)
    assert "service.example:443" in str(error)
    assert (error.kind, error.retryable) == (kind, retryable)


@pytest.mark.parametrize(("code", "words", "kind"), [(91, "rejected", ErrorKind.NETWORK), (93, "user", ErrorKind.AUTH)])
def test_a_refusal_of_socks_4_is_told_by_its_number(code: int, words: str, kind: ErrorKind) -> None:
    error = refusal("socks4a://p", bytes((0, code)) + bytes(6))
    assert words in str(error)
    assert error.kind is kind


@pytest.mark.parametrize(("url", "answers"), [("socks5h://p", b"\5\xff"), ("socks5h://u:secret123@p", b"\5\2\1\1")])
def test_a_login_that_is_wrong_or_missing_says_where_it_belongs(url: str, answers: bytes) -> None:
    error = refusal(url, answers)
    assert error.kind is ErrorKind.AUTH
    assert "user name and password in the proxy's URL" in str(error)
    assert "secret123" not in str(error)


@pytest.mark.parametrize("url", ["socks5h://p", "socks4a://p"])
@pytest.mark.parametrize("answers", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\0\2\2\x28\0"])
def test_what_is_no_socks_proxy_is_called_so(url: str, answers: bytes) -> None:
    assert "speaks another protocol" in str(refusal(url, answers))


@pytest.mark.parametrize("answers", [b"", b"\5", b"\5\0", b"\5\0\5\0", OK_5[:-1]])
def test_a_proxy_that_hangs_up_halfway_is_a_lost_connection(answers: bytes) -> None:
    with pytest.raises(OSError, match="ended before the answer"):
        asked("socks5h://p", "h", answers)


@pytest.mark.parametrize("pair", ["x" * 256, f"user:{'x' * 256}"])
def test_a_login_that_socks_cannot_say_names_its_setting(pair: str) -> None:
    with pytest.raises(errors.ConfigError, match="at most 255 bytes") as raised:
        asked(f"socks5h://{pair}@p", "h", b"\5\2")
    assert raised.value.path == "ALL_PROXY"


@pytest.mark.parametrize("host", ["two..dots", "x" * 64 + ".example", ".".join(["x" * 60] * 5)])
@pytest.mark.parametrize("url", ["socks5h://p", "socks4a://p"])
def test_a_name_that_no_host_can_have_is_not_asked_for(url: str, host: str) -> None:
    with pytest.raises(errors.ConnectError, match="is not a valid host name"):
        asked(url, host, b"\5\0")
