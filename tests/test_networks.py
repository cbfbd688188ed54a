"""Proxies and certificates as users meet them: one rule, for the token over REST and the session over the WebSocket."""

from __future__ import annotations

import datetime
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Client, errors
from genai_live.emulator import LiveEmulator
from tests.proxies import Seen, http_proxy, socks5_proxy
from tests.rest_servers import rest_server
from tests.servers import AUTHORITY, BUNDLES, MODEL, PATIENCE, client_of, live_server, raw_server, refusing, served

OTHER = datetime.timedelta(days=30)


@pytest.fixture(autouse=True)
def _no_bundle_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@contextmanager
def emulator(*, tls: bool) -> Iterator[str]:
    """A server with both legs; gives its base URL."""
    with LiveEmulator(tls=served("localhost") if tls else False, pace=0.0, voice=False) as running:
        yield f"https://localhost:{running.port}" if tls else running.url


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "TLS"])
def service(request: pytest.FixtureRequest) -> Iterator[str]:
    with emulator(tls=request.param) as url:
        yield url


@pytest.fixture(scope="module")
def secure_service() -> Iterator[str]:
    with emulator(tls=True) as url:
        yield url


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def make_token(client: Client) -> None:
    token = client.auth_tokens.create(config={"uses": 1})
    assert (token.name or "").startswith("auth_tokens/")


def hold_session(client: Client) -> None:
    with client.live.connect(model=MODEL, timeout=PATIENCE) as session:
        assert session.ask("Hello", timeout=PATIENCE).text is not None


Leg = Callable[[Client], None]
both_legs = pytest.mark.parametrize("leg", [make_token, hold_session])


def client(url: str, **options: Any) -> Client:
    return Client(api_key="test-key", http_options={"base_url": url, **options})


# Proxies that help


@pytest.fixture(params=["http", "http with user", "https", "https with user", "socks5", "socks5 with user"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Seen]:
    kind, _, user = str(request.param).partition(" with ")
    pair = "us%40er:p%3Ass" if user else ""
    decoded = "us@er:p:ss" if user else ""
    with socks5_proxy(user=decoded) if kind == "socks5" else http_proxy(user=decoded, tls=kind == "https") as seen:
        if user:
            seen.url = seen.with_user(pair)
        yield seen
        assert set(seen.credentials) <= {decoded}


@both_legs
def test_a_proxy_of_the_client_is_used(leg: Leg, proxy: Seen, service: str, bundle: str) -> None:
    leg(client(service, proxy=proxy.url, ca_bundle=bundle))
    assert {target.rpartition(":")[2] for target in proxy.targets} == {port_of(service)}
    assert proxy.targets


@both_legs
def test_a_proxy_of_the_environment_is_used(
    leg: Leg, proxy: Seen, service: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY" if service.startswith("https") else "HTTP_PROXY", proxy.url)
    leg(client(service, ca_bundle=bundle))
    assert proxy.targets


@both_legs
def test_no_proxy_goes_around_the_environments_proxy_but_not_around_the_clients(
    leg: Leg, service: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with http_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        leg(client(service, ca_bundle=bundle))
        assert proxy.targets == []
        leg(client(service, ca_bundle=bundle, proxy=proxy.url))
        assert proxy.targets


@both_legs
def test_a_proxy_of_the_system_is_used_and_an_empty_one_of_the_client_goes_around_it(
    leg: Leg, service: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy() as proxy:
        monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": proxy.url, "https": proxy.url})
        leg(client(service, ca_bundle=bundle, proxy=""))
        assert proxy.targets == []
        leg(client(service, ca_bundle=bundle))
        assert proxy.targets


@both_legs
@pytest.mark.parametrize("kind", ["socks5://", "socks5h://", "socks4a://", "socks://", "http://"])
def test_a_proxy_that_is_gone_is_told_with_the_variable_that_names_it(
    leg: Leg, kind: str, service: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing() as gone:
        monkeypatch.setenv("ALL_PROXY", gone.replace("http://", kind))
        with pytest.raises(errors.ConnectError, match=r"^Connection refused, .* through the proxy .* \(ALL_PROXY\)\."):
            leg(client(service, ca_bundle=bundle))


def test_google_tokens_are_fetched_through_a_socks_proxy_without_another_package(
    bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    with rest_server(lambda request: (200, {"access_token": "ya29.fresh", "expires_in": 3600}), tls=True) as tokens:
        google = pytest.importorskip("google.oauth2.credentials").Credentials(
            token=None, refresh_token="refresh", token_uri=f"{tokens.url}/token", client_id="id", client_secret="secret"
        )
        with emulator(tls=True) as url, socks5_proxy(user="u:p") as proxy:
            options = {"base_url": url, "proxy": proxy.with_user("u:p"), "ca_bundle": bundle}
            hold_session(Client(vertexai=True, credentials=google, project="p", location="l", http_options=options))
            assert proxy.targets == [f"localhost:{port_of(tokens.url)}", f"localhost:{port_of(url)}"]
        with refusing() as gone, pytest.raises(errors.CredentialsError, match="Connection refused"):
            google.token = None
            options = {"base_url": url, "proxy": gone.replace("http", "socks5h"), "ca_bundle": bundle}
            hold_session(Client(vertexai=True, credentials=google, project="p", location="l", http_options=options))


def test_two_clients_of_one_process_use_two_proxies(service: str, bundle: str) -> None:
    with http_proxy() as first, http_proxy() as second:
        for seen in (first, second):
            hold_session(client(service, proxy=seen.url, ca_bundle=bundle))
        assert len(first.targets) == len(second.targets) == 1


def test_an_emulator_named_by_the_environment_is_not_sought_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulator(tls=False) as url, http_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", url.removeprefix("http://"))
        hold_session(Client())
        assert proxy.targets == []


def test_a_google_token_is_fetched_through_the_same_proxy_with_the_same_trust(bundle: str) -> None:
    credentials = pytest.importorskip("google.oauth2.credentials")
    with emulator(tls=True) as url, http_proxy() as proxy:
        google = credentials.Credentials(
            token=None, refresh_token="refresh", token_uri=f"{url}/token", client_id="id", client_secret="secret"
        )
        options = {"base_url": url, "proxy": proxy.url, "ca_bundle": bundle}
        with pytest.raises(errors.CredentialsError):  # the emulator gives no Google tokens: getting so far is enough
            Client(vertexai=True, credentials=google, project="p", location="l", http_options=options).live.connect(
                model=MODEL, timeout=PATIENCE
            )
        assert proxy.targets
        assert set(proxy.targets) == {f"localhost:{port_of(url)}"}


# Proxies that do not


@both_legs
@pytest.mark.parametrize("user", ["", "wrong:password"], ids=["no user", "wrong user"])
def test_407_is_shown_with_the_proxys_name_and_what_it_asks_for(leg: Leg, user: str, secure_service: str, bundle: str) -> None:
    with http_proxy(user="right:one") as proxy, pytest.raises(errors.ConnectError) as raised:
        leg(client(secure_service, proxy=proxy.with_user(user) if user else proxy.url, ca_bundle=bundle, connect_retries=3))
    error = raised.value
    assert (error.phase, error.status, error.kind, error.retryable) == (errors.Phase.PROXY, 407, errors.ErrorKind.AUTH, False)
    assert proxy.url in str(error)
    assert "407" in str(error)
    assert "password" in str(error)
    assert "wrong" not in str(error)
    assert len(proxy.targets) == 1


@both_legs
@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (401, "did not accept", errors.ErrorKind.AUTH),
        (403, "ask its operator", errors.ErrorKind.OTHER),
        (502, "could not reach", errors.ErrorKind.UNAVAILABLE),
    ],
)
def test_a_proxys_status_is_not_taken_for_the_services(
    leg: Leg, status: int, words: str, kind: errors.ErrorKind, secure_service: str, bundle: str
) -> None:
    answer = b"HTTP/1.1 %d Words\r\nContent-Length: 0\r\n\r\n" % status
    with http_proxy(answer=answer) as proxy, pytest.raises(errors.ConnectError, match=words) as raised:
        leg(client(secure_service, proxy=proxy.with_user("a:b"), ca_bundle=bundle))
    assert (raised.value.status, raised.value.phase, raised.value.kind) == (status, errors.Phase.PROXY, kind)
    assert raised.value.retryable == (status == 502)


def test_407_tells_which_scheme_the_proxy_wants_and_has_its_body(secure_service: str, bundle: str) -> None:
    words = 'asks for Basic realm="tests"'
    with http_proxy(user="right:one") as proxy, pytest.raises(errors.ConnectError, match=words) as raised:
        hold_session(client(secure_service, proxy=proxy.url, ca_bundle=bundle))
    assert raised.value.body == "this proxy knows you not"


def test_a_proxys_own_503_is_worth_another_try_and_its_403_is_not(secure_service: str, bundle: str) -> None:
    for status, tries in ((503, 3), (403, 1)):
        answer = b"HTTP/1.1 %d Words\r\nContent-Length: 0\r\n\r\n" % status
        with http_proxy(answer=answer) as proxy, pytest.raises(errors.ConnectError, match=str(status)) as raised:
            hold_session(client(secure_service, proxy=proxy.url, ca_bundle=bundle, connect_retries=2))
        assert raised.value.status == status
        assert len(proxy.targets) == tries


@both_legs
def test_a_proxy_that_is_not_there_is_named(leg: Leg, service: str, bundle: str) -> None:
    with refusing() as gone, pytest.raises(errors.ConnectError, match=f"^Connection refused, .* {gone} ") as raised:
        leg(client(service, proxy=gone, ca_bundle=bundle))
    assert raised.value.retryable


def test_something_that_is_no_proxy_is_called_so(service: str, bundle: str) -> None:
    answer = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
    with http_proxy(answer=answer) as proxy, pytest.raises(errors.ConnectError, match="another protocol") as raised:
        hold_session(client(service, proxy=proxy.url, ca_bundle=bundle))
    assert (raised.value.phase, raised.value.retryable) == (errors.Phase.PROXY, False)


def test_a_socks_proxy_that_does_not_know_the_user_says_so(service: str, bundle: str) -> None:
    with socks5_proxy(user="right:one") as proxy, pytest.raises(errors.ConnectError, match="user name and password") as raised:
        hold_session(client(service, proxy=proxy.with_user("wrong:password"), ca_bundle=bundle))
    assert (raised.value.phase, raised.value.kind) == (errors.Phase.PROXY, errors.ErrorKind.AUTH)
    assert "wrong" not in str(raised.value)


@both_legs
def test_a_socks_proxy_that_refuses_is_quoted(leg: Leg, service: str, bundle: str) -> None:
    with socks5_proxy(refusal=2) as proxy, pytest.raises(errors.ConnectError, match="not allowed by ruleset"):
        leg(client(service, proxy=proxy.url, ca_bundle=bundle))


@pytest.mark.parametrize(("scheme", "host"), [("socks5h", "localhost"), ("socks5", "127.0.0.1")])
def test_who_looks_the_name_up_is_what_the_scheme_says(scheme: str, host: str, bundle: str) -> None:
    with emulator(tls=True) as url, socks5_proxy(scheme=scheme) as proxy:
        for leg in (make_token, hold_session):
            leg(client(url, proxy=proxy.url, ca_bundle=bundle))
        asked = {target.rpartition(":")[0] for target in proxy.targets}
        assert asked == {host} or (scheme == "socks5" and asked <= {"127.0.0.1", "::1"})


@both_legs
def test_a_name_that_nobody_knows_is_told_as_that(leg: Leg) -> None:
    with pytest.raises(errors.ConnectError, match="Check the host's name") as raised:
        leg(client("http://no-such-host.invalid"))
    assert (raised.value.phase, raised.value.retryable) == (errors.Phase.NAME_LOOKUP, True)


@both_legs
@pytest.mark.parametrize("host", ["two..dots", "x" * 64 + ".example"])
def test_a_name_that_no_host_can_have_is_told_as_that(leg: Leg, host: str) -> None:
    with pytest.raises(errors.ConnectError, match="is not a valid host name") as raised:
        leg(client(f"http://{host}"))
    assert (raised.value.phase, raised.value.retryable) == (errors.Phase.NAME_LOOKUP, False)


# Certificates


@both_legs
@pytest.mark.parametrize("source", ["ca_bundle", "ssl_context", *BUNDLES])
def test_a_private_authority_is_trusted_through_one_setting(
    leg: Leg, source: str, secure_service: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source in BUNDLES:
        monkeypatch.setenv(source, bundle)
        leg(client(secure_service))
    elif source == "ca_bundle":
        leg(client(secure_service, ca_bundle=bundle))
    else:
        leg(client(secure_service, ssl_context=ssl.create_default_context(cafile=bundle)))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3 says so to users too, and is right
@both_legs
def test_a_context_that_verifies_nothing_does_so_for_both(leg: Leg) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with LiveEmulator(tls=served("elsewhere.example"), pace=0.0, voice=False) as running:
        leg(client(f"https://localhost:{running.port}", ssl_context=context))


@both_legs
def test_an_unknown_authority_names_the_store_and_the_setting(leg: Leg, secure_service: str) -> None:
    words = r"issuer certificate.*certifi's bundle and the system's store.*ca_bundle"
    with pytest.raises(errors.ConnectError, match=words) as raised:
        leg(client(secure_service, connect_retries=3))
    assert (raised.value.phase, raised.value.retryable) == (errors.Phase.TLS, False)


@both_legs
@pytest.mark.parametrize("source", ["ca_bundle", "SSL_CERT_FILE"])
def test_an_expired_certificate_says_so_and_names_the_store(
    leg: Leg, source: str, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    context = served("localhost", not_before=now - 2 * OTHER, not_after=now - OTHER)
    options = {"ca_bundle": bundle} if source == "ca_bundle" else {}
    if source != "ca_bundle":
        monkeypatch.setenv(source, bundle)
    with LiveEmulator(tls=context, pace=0.0, voice=False) as running, pytest.raises(errors.ConnectError) as raised:
        leg(client(f"https://localhost:{running.port}", **options))
    for words in ("certificate has expired", bundle, source, "clock"):
        assert words in str(raised.value)
    assert raised.value.phase is errors.Phase.TLS


@both_legs
def test_a_certificate_for_another_host_says_so_and_names_the_store(leg: Leg, bundle: str) -> None:
    with (
        LiveEmulator(tls=served("elsewhere.example"), pace=0.0, voice=False) as running,
        pytest.raises(errors.ConnectError) as raised,
    ):
        leg(client(f"https://localhost:{running.port}", ca_bundle=bundle))
    for words in ("not valid for 'localhost'", f"the ca_bundle {bundle}", "another host"):
        assert words in str(raised.value)


@both_legs
def test_a_bundle_that_cannot_be_read_is_named(leg: Leg, secure_service: str) -> None:
    with pytest.raises(errors.LiveError, match=r"http_options.ca_bundle: /nowhere/bundle.pem cannot be used .*: No such file"):
        leg(client(secure_service, ca_bundle="/nowhere/bundle.pem"))


@both_legs
def test_tls_to_a_server_that_speaks_none_is_told_as_that(leg: Leg, bundle: str) -> None:
    with (
        raw_server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url,
        pytest.raises(errors.ConnectError, match="may not speak TLS") as raised,
    ):
        leg(client(url.replace("http", "https"), ca_bundle=bundle))
    assert raised.value.phase is errors.Phase.TLS


def server_hello(version: bytes) -> bytes:
    """How a server chooses a version of TLS (RFC 2246, section 7.4.1.3)."""
    hello = version + bytes(32) + b"\0" + b"\0\x2f" + b"\0"
    handshake = b"\2" + len(hello).to_bytes(3, "big") + hello
    return b"\x16" + version + len(handshake).to_bytes(2, "big") + handshake


OLD_TLS = {
    "no version in common": b"\x15\3\1\0\2\2\x46",
    "no cipher in common": b"\x15\3\3\0\2\2\x28",
    "ciphers that are too weak": b"\x15\3\3\0\2\2\x47",
    "TLS 1.1": server_hello(b"\3\2"),
    "TLS 1.0": server_hello(b"\3\1"),
    "SSL 3": server_hello(b"\3\0"),
}


@both_legs
@pytest.mark.parametrize("answer", OLD_TLS)
def test_tls_that_is_too_old_says_so(leg: Leg, answer: str, bundle: str) -> None:
    def handler(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(OLD_TLS[answer])
        connection.recv(65_536)

    with raw_server(handler) as url, pytest.raises(errors.ConnectError, match=r"too old.*TLS 1\.2 or newer") as raised:
        leg(client(url.replace("http", "https"), ca_bundle=bundle))
    assert (raised.value.phase, raised.value.retryable) == (errors.Phase.TLS, False)


def test_a_proxy_behind_an_unknown_certificate_is_named(secure_service: str) -> None:
    with http_proxy(tls=True) as proxy, pytest.raises(errors.ConnectError, match=f"{proxy.url}.*certificate") as raised:
        hold_session(client(secure_service, proxy=proxy.url))
    assert raised.value.phase is errors.Phase.PROXY


def test_much_data_goes_both_ways_through_tls_in_tls(bundle: str) -> None:
    with live_server(tls=True) as url, http_proxy(tls=True) as proxy:
        with client_of(url, proxy=proxy.url, ca_bundle=bundle, ssl_context=None).live.connect(model=MODEL) as session:
            for size in (1, 16_384, 16_385, 3_000_000):
                text = "x" * size
                session.send_client_content(turns=text)
                assert session.collect(PATIENCE).text == text
        assert len(proxy.targets) == 1
