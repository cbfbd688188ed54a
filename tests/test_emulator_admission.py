"""Requests that are taken, and those that a web page, or a name pointed at this machine, could have made."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from pathlib import Path

import pytest

from genai_live.emulator import LiveEmulator, Recorder
from genai_live.emulator.server.admission import Admission
from genai_live.emulator.server.request import Request
from genai_live.errors import ConfigError
from tests.live_wire import MLDEV
from tests.raw_client import Raw, upgrade

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def taken(admission: Admission, host: str | None, origin: str | None = None) -> bool:
    headers = {name: value for name, value in (("host", host), ("origin", origin)) if value is not None}
    return admission.refusal(Request("GET", MLDEV, headers, 0)) is None


OWN_NAMES = ["127.0.0.1:8765", "127.0.0.1", "localhost:8765", "LOCALHOST", "localhost.:1", "[::1]:8765", "127.8.9.1"]


@pytest.mark.parametrize("host", OWN_NAMES)
def test_this_machine_s_own_names_are_known(host: str) -> None:
    assert taken(Admission(LOOPBACK, always=True), host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8765",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8765",
        "127.0.0.1@evil.example",
        "evil.example, 127.0.0.1",
        "93.184.216.34:8765",
        "[2606:2800::1]",
        "2130706433",
        "0x7f.1",
        "127.0.0.1:8765:1",
        "[::1",
        "local host",
        "x",
    ],
)
def test_a_name_that_anybody_may_have_pointed_here_is_not_taken(host: str | None) -> None:
    assert not taken(Admission(LOOPBACK, always=True), host)


@pytest.mark.parametrize("host", ["192.168.1.5:8765", "[fe80::1]:8765", "127.0.0.1", "localhost:1"])
def test_beyond_loopback_any_address_is_taken_because_nobody_looked_it_up(host: str) -> None:
    assert taken(Admission(EVERYWHERE), host)


def test_beyond_loopback_names_are_not_taken_but_the_server_s_own_and_those_that_are_given() -> None:
    assert not taken(Admission(EVERYWHERE), "emulator:8765")
    assert taken(Admission(EVERYWHERE, ["emulator"]), "Emulator:8765")
    assert taken(Admission("devbox.internal"), "devbox.internal:8765")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:3000",
        "http://localhost",
        "null",
        "",
        "file://",
        "chrome-extension://abcdefgh",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8765/",
        "http://127.0.0.1:8765, https://evil.example",
        "HTTP://EVIL.EXAMPLE",
    ],
)
def test_no_page_is_taken(origin: str) -> None:
    assert not taken(Admission(LOOPBACK, always=True), "127.0.0.1:8765", origin)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "https://127.0.0.1:8765"])
def test_the_server_s_own_origin_is_taken_which_clients_send_that_are_no_browsers(origin: str) -> None:
    assert taken(Admission(LOOPBACK, always=True), "127.0.0.1:8765", origin)


@pytest.mark.parametrize(
    ("named", "origin"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("HTTP://Localhost:3000", "http://localhost:3000"),
        ("http://app.test", "http://app.test:80"),
        ("https://app.test:443", "https://app.test"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_a_page_that_is_named_is_taken_and_no_other(named: str, origin: str) -> None:
    admission = Admission(LOOPBACK, origins=[named], always=True)
    assert taken(admission, "127.0.0.1:8765", origin)
    assert not taken(admission, "127.0.0.1:8765", origin + "0")


def test_an_emulator_on_this_machine_takes_everything_until_something_is_named() -> None:
    assert taken(Admission(LOOPBACK), "x", "https://evil.example")
    assert not taken(Admission(LOOPBACK, origins=["http://a.test"]), "127.0.0.1", "https://evil.example")
    assert not taken(Admission(LOOPBACK, hosts=["emulator"]), "x")


@pytest.mark.parametrize(
    ("hosts", "origins", "name"),
    [
        (["http://a"], [], "allowed_hosts"),
        (["a:80"], [], "allowed_hosts"),
        ("emulator", [], "allowed_hosts"),
        ([], ["a.test"], "allowed_origins"),
        ([], ["http://a.test/path"], "allowed_origins"),
        ([], "http://a.test", "allowed_origins"),
    ],
)
def test_what_is_no_host_or_no_origin_is_told_at_once(hosts: Iterable[str], origins: Iterable[str], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Admission(LOOPBACK, hosts, origins)


def status(port: int, host: str, origin: str | None = None, path: str = MLDEV) -> int:
    """The HTTP status that an upgrade request gets."""
    more = f"Origin: {origin}\r\n" if origin is not None else ""
    with Raw(port) as raw:
        head = raw.send(upgrade(path, more).replace(b"Host: x", f"Host: {host}".encode())).head()
    return int(head.split(b" ")[1])


def test_the_recorder_spends_its_key_for_no_page_and_no_other_name(tmp_path: Path) -> None:
    with LiveEmulator(voice=False) as backend:
        key = {"x-goog-api-key": "AIza-of-the-user"}
        with Recorder(backend.url, tmp_path / "r", headers=key, allowed_origins=["http://app.test"]) as recorder:
            port = int(recorder.host.rpartition(":")[2])
            assert status(port, recorder.host, "https://evil.example") == 403
            assert status(port, f"evil.example:{port}", f"http://evil.example:{port}") == 403
            assert status(port, "evil.example") == 403
            assert recorder.sessions == 0
            assert not backend.sessions
            assert status(port, recorder.host, "http://app.test") == 101
            assert status(port, f"localhost:{port}") == 101


def test_an_emulator_beyond_loopback_checks_its_sessions_and_its_tokens() -> None:
    with LiveEmulator(host=EVERYWHERE, voice=False, allowed_hosts=["emulator"]) as emulator:
        assert status(emulator.port, "evil.example") == 403
        assert status(emulator.port, "127.0.0.1", "https://evil.example") == 403
        assert status(emulator.port, "emulator:8765") == 101
        connection = http.client.HTTPConnection(LOOPBACK, emulator.port, timeout=10)
        connection.request("POST", "/v1alpha/auth_tokens", "{}", {"host": "evil.example"})
        assert connection.getresponse().status == 403
        connection.close()


def test_no_address_is_not_taken_for_every_address() -> None:
    with pytest.raises(ConfigError, match="host: must be an address"):
        LiveEmulator(host="")
