"""Canaries: every credential, through every way to fail, in everything that a program or a person can look at."""

from __future__ import annotations

import base64
import http.client
import inspect
import io
import json
import logging
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import websocket
from websockets.sync.server import ServerConnection

from genai_live import Client, Live, errors, types
from genai_live._network.tcp import Line
from genai_live.api_client import ApiClient
from genai_live.emulator import LiveEmulator
from tests.proxies import Seen, http_proxy, socks5_proxy
from tests.raw_peer import CLOSE, TEXT, Peer, frame
from tests.servers import (
    MODEL,
    PATIENCE,
    TURN_COMPLETE,
    answer_setup,
    client_of,
    live_server,
    message,
    raw_server,
    refusing,
    text_part,
)

CANARIES = {
    "key": "AIzaCanaryKey0123456789",
    "token": "auth_tokens/canaryToken0123456789",
    "bearer": "ya29.canaryBearer0123456789",
    "refresh token": "1//canaryRefresh0123456789",
    "client secret": "GOCSPX-canaryClient0123456789",
    "own header": "canaryOwnHeader0123456789",
    "custom auth": "canaryCustomAuth0123456789",
    "user": "canaryUser0123456789",
    "password": "canaryPassword0123456789",
    "query": "canaryQuery0123456789",
    "proxy user": "canaryProxyUser0123456789",
    "proxy password": "canaryProxyPassword0123456789",
}
ENCODED = [
    base64.b64encode(f"{CANARIES[user]}:{CANARIES[password]}".encode()).decode()
    for user, password in (("user", "password"), ("proxy user", "proxy password"))
]
TESTS = "/tests/"
"""Frames of the tests hold the canaries, as a user's own frames do."""


def found_in(text: str) -> list[str]:
    return [canary for canary in (*CANARIES.values(), *ENCODED) if canary in text]


def looks(value: object) -> str:
    """A repr as tools that report errors make it: never raising."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(error).__name__}>"


def everything_about(error: BaseException) -> str:
    """Words, attributes, chain, and the variables of every frame that is not a test's."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    shown: list[str] = []
    while chain:
        each = chain.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        chain += [each.__cause__, each.__context__]
        shown += [str(each), looks(each), looks(each.args), looks(vars(each))]
        for walked, _ in traceback.walk_tb(each.__traceback__):
            if TESTS not in walked.f_code.co_filename:
                shown += [f"{walked.f_code.co_filename} {name}={looks(value)}" for name, value in walked.f_locals.items()]
    return "\n".join(shown)


def pickled(value: object) -> str:
    try:
        return pickle.dumps(value).decode("latin-1")
    except Exception as error:
        return f"{error}"


class Watch:
    """All that is logged and traced, of every package underneath."""

    def __init__(self, log: pytest.LogCaptureFixture, trace: io.StringIO) -> None:
        self._log = log
        self._trace = trace

    def check(self, *shown: str) -> None:
        for text in (*shown, self._log.text, self._trace.getvalue()):
            assert found_in(text) == [], text


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Watch]:
    caplog.set_level(logging.DEBUG)
    trace = io.StringIO()
    websocket.enableTrace(True, handler=logging.StreamHandler(trace), level="DEBUG")
    for name in ("genai_live", "genai_live.wire", "websocket", "urllib3", "google", "requests", "socks"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.CRITICAL, logger="websockets")  # the server's, which may know what it was sent
    try:
        yield Watch(caplog, trace)
    finally:
        websocket.enableTrace(False)
    written = capfd.readouterr()
    assert found_in(written.out + written.err) == []


# Credentials, each as a way to make a Live


class CustomAuth:
    """An Auth of the user's own, which does not know Secret."""

    def headers(self, deadline: Any) -> dict[str, Any]:
        return {"x-goog-api-key": CANARIES["custom auth"]}


def google(url: str, *, token: str | None) -> Any:
    credentials = pytest.importorskip("google.oauth2.credentials")
    return credentials.Credentials(
        token=token,
        refresh_token=CANARIES["refresh token"],
        token_uri=f"{url}/token",
        client_id="id",
        client_secret=CANARIES["client secret"],
    )


def client_with(kind: str, url: str, **options: Any) -> Client:
    """A client whose credential is of this kind; the proxy, if it wants one, has its own."""
    host = url.partition("://")[2]
    if kind == "key":
        return client_of_key(CANARIES["key"], url, options)
    if kind == "token":
        return client_of_key(CANARIES["token"], url, options)
    if kind == "bearer":
        vertex = {"vertexai": True, "credentials": google(url, token=CANARIES["bearer"]), "project": "p", "location": "l"}
        return Client(**vertex, http_options={"base_url": url, **options})
    if kind == "own header":
        headers = {"Authorization": f"Bearer {CANARIES['own header']}", "X-Other": CANARIES["own header"]}
        return Client(http_options={"base_url": url, "headers": headers, **options})
    if kind == "user and password":
        scheme = url.partition("://")[0]
        base_url = f"{scheme}://{CANARIES['user']}:{CANARIES['password']}@{host}"
        return Client(http_options={"base_url": base_url, **options})
    assert kind == "query"
    return Client(http_options={"base_url": f"{url}/?key={CANARIES['query']}", **options})


def client_of_key(key: str, url: str, options: dict[str, Any]) -> Client:
    return Client(api_key=key, http_options={"base_url": url, **options})


KINDS = ["key", "token", "bearer", "own header", "user and password", "query"]


# Ways to fail: each gives the URL and the options of a client that will


def request_of(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65_536)
    return head


def echoing(connection: socket.socket) -> None:
    """A gateway that tells its visitors what they sent."""
    head = request_of(connection)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))


def repeats_in_its_headers(connection: socket.socket) -> None:
    """As ``echoing``, in the head of the answer, which websocket-client's trace shows."""
    sent = request_of(connection).replace(b"\r\n", b" ")[:4_000]
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /?%b\r\nX-Debug: %b\r\nContent-Length: 0\r\n\r\n" % (sent, sent))


def repeats_everything(connection: socket.socket) -> None:
    """What echo servers do: no HTTP at all."""
    connection.sendall(request_of(connection))


def hang_up_in_upgrade(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def hang_up_in_setup(connection: socket.socket) -> None:
    Peer(connection).upgrade()
    connection.close()


def stall(connection: socket.socket) -> None:
    while connection.recv(65_536):
        continue


def wrong_accept(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n")


def credential_of(connection: ServerConnection) -> str:
    request = connection.request
    assert request is not None
    sent = [request.headers.get(name, "") for name in ("x-goog-api-key", "authorization")]
    return (sent[0] or sent[1].split(" ")[-1])[:60]


def repeats_in_reason(connection: ServerConnection) -> None:
    connection.recv()
    connection.close(1008, f"API key not valid: {credential_of(connection)}")


def raw(handler: Callable[[socket.socket], None]) -> Callable[[ExitStack], dict[str, Any]]:
    return lambda stack: {"url": stack.enter_context(raw_server(handler))}


def unreachable(stack: ExitStack) -> dict[str, Any]:
    return {"url": stack.enter_context(refusing())}


def untrusted(stack: ExitStack) -> dict[str, Any]:
    return {"url": stack.enter_context(live_server(tls=True))}


def echoes_as_proxy(connection: socket.socket) -> None:
    sent = request_of(connection)
    words = sent.replace(b"\r\n", b" ")
    head = b"HTTP/1.1 407 %b\r\nProxy-Authenticate: %b\r\nContent-Length: %d\r\n\r\n" % (words, words, len(sent))
    connection.sendall(head + sent)


def behind(how: str) -> Callable[[ExitStack], dict[str, Any]]:
    def enter(stack: ExitStack) -> dict[str, Any]:
        pair = f"{CANARIES['proxy user']}:{CANARIES['proxy password']}"
        if how == "SOCKS":
            proxy = stack.enter_context(socks5_proxy(user="other:one"))
        elif how == "gone":
            proxy = Seen(stack.enter_context(refusing()))
        elif how == "echo":
            proxy = Seen(stack.enter_context(raw_server(echoes_as_proxy)))
        else:
            proxy = stack.enter_context(http_proxy(user="other:one"))
        return {"url": "https://service.invalid", "proxy": proxy.with_user(pair)}

    return enter


FAILURES: dict[str, Callable[[ExitStack], dict[str, Any]]] = {
    "no such name": lambda stack: {"url": "http://no-such-host.invalid"},
    "nobody listens": unreachable,
    "untrusted certificate": untrusted,
    "TLS stalled": lambda stack: {**raw(stall)(stack), "secure": True},
    "bundle missing": lambda stack: {"url": "https://service.invalid", "ca_bundle": "/nowhere.pem"},
    "proxy wants another": behind("HTTP"),
    "proxy gone": behind("gone"),
    "SOCKS proxy wants another": behind("SOCKS"),
    "refused with an echo": raw(echoing),
    "repeated in the answer's headers": raw(repeats_in_its_headers),
    "repeated as the answer": raw(repeats_everything),
    "repeated by the proxy": behind("echo"),
    "hung up in upgrade": raw(hang_up_in_upgrade),
    "hung up in setup": raw(hang_up_in_setup),
    "stalled": raw(stall),
    "wrong accept": raw(wrong_accept),
    "repeated in the reason": lambda stack: {"url": stack.enter_context(live_server(repeats_in_reason))},
}
OF_THE_WEBSOCKET = ("hung up in setup", "wrong accept", "repeated in the reason")
SHORT = 0.1
"""Seconds, for ways that end by the timeout."""


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_connect_that_fails_shows_no_credential(kind: str, failure: str, watch: Watch) -> None:
    told: list[errors.LiveError] = []
    with ExitStack() as stack:
        options = FAILURES[failure](stack)
        url = options.pop("url")
        if options.pop("secure", False):
            url = url.replace("http", "https")
        client = client_with(kind, url, **options)
        with pytest.raises(errors.ConnectError) as raised:
            timeout = SHORT if "stalled" in failure else PATIENCE
            client.live.connect(model=MODEL, timeout=timeout, callbacks={"on_error": told.append})
        assert told == [raised.value]
        watch.check(everything_about(raised.value), everything_about(told[0]), pickled(raised.value), repr(client))


@pytest.mark.parametrize("failure", [name for name in FAILURES if name not in OF_THE_WEBSOCKET])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("bearer", "token")])
def test_a_token_request_that_fails_shows_no_credential(kind: str, failure: str, watch: Watch) -> None:
    with ExitStack() as stack:
        options = FAILURES[failure](stack)
        url = options.pop("url")
        if options.pop("secure", False):
            url = url.replace("http", "https")
        client = client_with(kind, url, timeout=int(SHORT * 1000) if "stalled" in failure else 20_000, **options)
        with pytest.raises(errors.LiveError) as raised:
            client.auth_tokens.create()
        watch.check(everything_about(raised.value), pickled(raised.value))


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_shows_no_credential_while_it_lives_nor_when_it_ends(kind: str, watch: Watch) -> None:
    told: list[Any] = []

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.recv()
        connection.send(text_part("half"))
        connection.recv()
        connection.close(1011, f"no longer for {credential_of(connection)}")

    callbacks = {"on_error": told.append, "on_close": told.append, "on_message": lambda received: 1 / 0}
    with live_server(handler) as url:
        client = client_with(kind, url)
        session = client.live.connect(model=MODEL, timeout=PATIENCE, callbacks=callbacks)
        session.send_client_content(turns="Hello")
        next(iter(session))
        shown = [looks(each) for each in (client, session, session.conn, session.conn.headers, session._connection)]
        session.send_client_content(turns="again")
        with pytest.raises(errors.ClosedByServer) as raised:
            list(session)
        assert "no longer for <set>" in raised.value.reason or kind == "query"
        watch.check(*shown, looks(session), everything_about(raised.value), pickled(raised.value), *map(looks, told))


@pytest.mark.parametrize("violation", [frame(TEXT, b"\xff"), frame(CLOSE, b"\0"), b"\x70\0", b""])
def test_a_broken_frame_shows_no_credential(violation: bytes, watch: Watch) -> None:
    def handler(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.open(violation)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(handler) as url:
        session = client_of_key(CANARIES["key"], url, {}).live.connect(model=MODEL, timeout=PATIENCE)
        with pytest.raises(errors.SessionClosed) as raised:
            list(session)
        watch.check(everything_about(raised.value), pickled(raised.value), looks(session))


def test_success_is_logged_without_credentials_too(watch: Watch) -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        for kind in (kind for kind in KINDS if kind != "token"):  # the emulator knows which tokens it has made
            client = client_with(kind, emulator.url)
            with client.live.connect(model=MODEL, timeout=PATIENCE) as session:
                session.ask("Hello", timeout=PATIENCE)
                watch.check(looks(session.conn.headers))
            if kind != "bearer":
                token = client.auth_tokens.create()
                watch.check(looks(token))
                assert (token.name or "missing") not in looks(token)


# Credentials objects


def token_server(answer: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    return handler


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 400 Bad\r\nContent-Length: 26\r\n\r\n{"error": "invalid_grant"}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno!!",
        b"",
    ],
    ids=["invalid grant", "no token", "no JSON", "hangs up"],
)
def test_a_refresh_that_fails_shows_neither_refresh_token_nor_client_secret(answer: bytes, watch: Watch) -> None:
    with raw_server(token_server(answer)) as url:
        credentials = google(url, token=None)
        client = Client(vertexai=True, credentials=credentials, project="p", location="l", http_options={"base_url": url})
        with pytest.raises(errors.CredentialsError) as raised:
            client.live.connect(model=MODEL, timeout=PATIENCE)
        assert raised.value.__cause__ is not None
        watch.check(everything_about(raised.value), looks(client))


def test_a_refresh_that_succeeds_shows_nothing_either(watch: Watch) -> None:
    tokens = {"access_token": CANARIES["bearer"], "expires_in": 3600, "refresh_token": CANARIES["refresh token"]}
    answer = json.dumps(tokens).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
    with raw_server(token_server(head + answer)) as token_url, live_server() as url:
        credentials = google(token_url, token=None)
        client = Client(vertexai=True, credentials=credentials, project="p", location="l", http_options={"base_url": url})
        with client.live.connect(model=MODEL, timeout=PATIENCE) as session:
            assert session.ask("Hello", timeout=PATIENCE).text == "Hello"
            assert credentials.token == CANARIES["bearer"]
            watch.check(looks(client), looks(session), looks(client._api_client.google))


def test_an_auth_of_the_users_own_that_does_not_know_secrets_is_kept_secret(watch: Watch) -> None:
    with raw_server(echoing) as url:
        live = Live(ApiClient(api_key="test-key", http_options={"base_url": url}), auth=CustomAuth())
        with pytest.raises(errors.HandshakeRejected) as raised:
            live.connect(model=MODEL, timeout=PATIENCE)
        assert "<set>" in raised.value.body
        watch.check(everything_about(raised.value), pickled(raised.value))


def test_a_websocket_factory_that_fails_shows_no_credential(watch: Watch) -> None:
    seen: list[dict[str, str]] = []

    def factory(url: str, headers: Any, timeout: float | None) -> Any:
        seen.append(dict(headers))
        connection = websocket.WebSocket()
        websocket.enableTrace(False)  # what the user's own connection traces is the user's
        connection.connect(url, header=dict(headers), timeout=timeout)
        raise AssertionError

    with raw_server(echoing) as url:
        live = Live(ApiClient(api_key=CANARIES["key"], http_options={"base_url": url}), websocket_factory=factory)
        with pytest.raises(errors.ConnectError, match=r"WebSocketBadStatusException.*403") as raised:
            live.connect(model=MODEL, timeout=PATIENCE)
        assert seen[0]["x-goog-api-key"] == CANARIES["key"]
        watch.check(everything_about(raised.value), pickled(raised.value))


# Arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": CANARIES["key"] + "\n x"},
        {"api_key": CANARIES["key"], "vertexai": "yes"},
        {"api_key": CANARIES["key"], "credentials": object()},
        {"api_key": CANARIES["key"], "project": "p"},
        {"api_key": CANARIES["key"], "bogus": 1},
        {"api_key": CANARIES["key"].encode()},
        {"api_key": CANARIES["key"], "http_options": {"headers": {"Authorization": CANARIES["own header"] + "\r\nX: y"}}},
        {"api_key": CANARIES["key"], "http_options": {"headers": {"Authorization": CANARIES["own header"]}, "bogus": 1}},
        {"api_key": CANARIES["key"], "http_options": {"headers": {"Authorization": CANARIES["own header"].encode()}}},
        {"api_key": CANARIES["key"], "http_options": {"base_url": f"ftp://{CANARIES['user']}:{CANARIES['password']}@host"}},
        {"api_key": CANARIES["key"], "http_options": {"base_url": f"https://{CANARIES['user']}:{CANARIES['password']}@host:x"}},
        {"api_key": CANARIES["key"], "http_options": {"proxy": f"ftp://u:{CANARIES['proxy password']}@proxy"}},
        {"api_key": CANARIES["key"], "http_options": {"proxy": f"http://u:{CANARIES['proxy password']}@proxy:port"}},
        {"api_key": CANARIES["key"], "http_options": {"proxy": "http://proxy", "write_timeout": -1}},
    ],
    ids=" and ".join,
)
@pytest.mark.parametrize("make", [Client, ApiClient])
def test_a_client_that_cannot_be_made_shows_no_argument(make: Any, arguments: dict[str, Any], watch: Watch) -> None:
    with pytest.raises((errors.ConfigError, TypeError)) as raised:
        make(**arguments)
    watch.check(everything_about(raised.value), pickled(raised.value))


@pytest.mark.parametrize(
    "config",
    [
        {"http_options": {"headers": {"Authorization": CANARIES["own header"] + "\n"}}},
        {"http_options": {"headers": {"Authorization": CANARIES["own header"]}, "proxy": "http://proxy"}},
        {"http_options": {"headers": {"Authorization": CANARIES["own header"]}}, "bogus": 1},
    ],
)
def test_a_config_that_cannot_be_used_shows_no_header(config: dict[str, Any], watch: Watch) -> None:
    client = client_of("http://127.0.0.1:1")
    for call in (partial(client.live.connect, model=MODEL), client.auth_tokens.create):
        with pytest.raises(errors.LiveError) as raised:
            call(config=config)
        watch.check(everything_about(raised.value), pickled(raised.value))


def test_a_key_of_the_environment_that_cannot_be_one_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", CANARIES["key"] + " x")
    with pytest.raises(errors.ConfigError, match="GEMINI_API_KEY") as raised:
        Client()
    watch.check(everything_about(raised.value))


def test_a_proxy_of_the_environment_that_cannot_be_one_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"gopher://u:{CANARIES['proxy password']}@proxy")
    client = client_of("http://service.invalid")
    for call in (lambda: client.live.connect(model=MODEL), client.auth_tokens.create):
        with pytest.raises(errors.LiveError, match="HTTP_PROXY") as raised:
            call()
        watch.check(everything_about(raised.value))


def test_a_token_request_shows_nothing_through_the_debugging_of_http_client(
    monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        assert client_of_key(CANARIES["key"], emulator.url, {}).auth_tokens.create().name
    watch.check()


def test_ctrl_c_during_a_token_request_shows_no_credential(monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    def interrupted(self: Line, data: bytes) -> None:
        assert CANARIES["key"].encode() in data
        raise KeyboardInterrupt

    monkeypatch.setattr(Line, "send", interrupted)
    with raw_server(stall) as url, pytest.raises(KeyboardInterrupt) as raised:
        client_of_key(CANARIES["key"], url, {}).auth_tokens.create()
    watch.check(everything_about(raised.value))


# Looking at things


def test_no_object_of_the_library_shows_or_pickles_a_credential() -> None:
    everything = {
        "headers": {"Authorization": CANARIES["own header"]},
        "proxy": f"http://{CANARIES['proxy user']}:{CANARIES['proxy password']}@proxy",
        "base_url": f"https://{CANARIES['user']}:{CANARIES['password']}@host/?key={CANARIES['query']}",
    }
    for client in (
        Client(api_key=CANARIES["key"], http_options=everything),
        Client(api_key=CANARIES["token"], http_options=everything),
        Client(vertexai=True, credentials=google("https://h", token=CANARIES["bearer"]), project="p", http_options=everything),
        Client(http_options=everything),
    ):
        api_client = client._api_client
        endpoints = [api_client.live_endpoint(), api_client.rest_endpoint("auth_tokens")]
        objects: list[Any] = [client, api_client, client.live, client.auth_tokens, *endpoints]
        objects += [api_client.google, api_client.settings.address.user_info, api_client.hidden_headers()]
        objects += [api_client.options, api_client.options.proxy, api_client.http_options]
        assert [found_in(looks(each)) for each in objects] == [[]] * len(objects)
        holders = [client, api_client, client.live, client.auth_tokens, api_client.options, api_client.options.proxy]
        assert [found_in(pickled(each)) for each in holders] == [[]] * len(holders)
        with pytest.raises(TypeError, match="make a new one in the other process"):
            pickle.dumps(client)


def plain_texts(root: object) -> list[str]:
    """Every str and bytes that can be reached by attributes, as ``vars`` and ``__slots__`` show them, and by members."""
    seen: dict[int, object] = {}
    waiting, found = [root], []
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type) or inspect.ismodule(each):
            continue
        seen[id(each)] = each
        if isinstance(each, (str, bytes)):
            found.append(str(each))
        elif isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, (list, tuple, set, frozenset)):
            waiting += each
        else:
            slots = [name for cls in type(each).__mro__ for name in getattr(cls, "__slots__", ())]
            names = {*getattr(each, "__dict__", {}), *slots}
            waiting += [getattr(each, name) for name in names if hasattr(each, name)]
            waiting += [getattr(each, "__self__", None), getattr(each, "__func__", None)]
    return found


VARIABLES = ["GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GENAI_LIVE_EMULATOR_HOST"]


@pytest.mark.parametrize("variable", [*VARIABLES, None])
@pytest.mark.parametrize("kind", [*KINDS, "custom"])
def test_no_credential_lies_open_in_what_a_client_holds(kind: str, variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable is not None:
        address = f"u:{CANARIES['password']}@host.example:1"
        is_key = variable.endswith("KEY")
        monkeypatch.setenv(variable, CANARIES["key"] if is_key else f"http://{address}" if "URL" in variable else address)
    proxy = f"http://{CANARIES['proxy user']}:{CANARIES['proxy password']}@proxy"
    headers = {"X-Other": CANARIES["own header"]}
    if kind == "custom":
        headers["Authorization"] = CANARIES["custom auth"]
        client = Client(http_options=types.HttpOptions(proxy=proxy, headers=headers))
    elif kind == "own header":
        client = client_with(kind, "https://host.example", proxy=proxy)
    else:
        client = client_with(kind, "https://host.example", proxy=proxy, headers=headers)
    held = plain_texts(client)
    assert len(held) > 10
    assert found_in("\n".join(held)) == []
    of_one_session = client._api_client.with_options({"headers": {"X-More": CANARIES["own header"]}})
    assert found_in("\n".join(plain_texts(of_one_session))) == []


@pytest.mark.parametrize("reconnect", [False, True])
@pytest.mark.parametrize("kind", ["key", "user and password", "query"])
def test_no_credential_lies_open_in_what_a_session_holds(kind: str, reconnect: bool) -> None:
    with live_server() as url, client_with(kind, url).live.connect(model=MODEL, reconnect=reconnect) as session:
        held = plain_texts(session)
        assert len(held) > 10
        assert found_in("\n".join(held)) == []


@pytest.mark.parametrize(
    "value",
    [
        "{user}:{password}@127.0.0.1",
        "{user}:{password}",
        "{password}@",
        "127.0.0.1:8765:{password}",
        "127.0.0.1:8765?key={query}",
        "127.0.0.1/{query}:x",
        "http:/{user}:{password}@127.0.0.1:1",
        "http://{user}:{password}@127.0.0.1:one",
        "http://{user}:{password}@",
        "ftp://{user}:{password}@127.0.0.1:1",
        "{user} {password}",
        "http://http://{user}:{password}@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("variable", ["GENAI_LIVE_EMULATOR_HOST", "GOOGLE_GEMINI_BASE_URL", "base_url"])
def test_an_address_that_is_none_is_not_shown_where_a_password_may_stand_in_it(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    text = value.format(**CANARIES)
    if variable != "base_url":
        monkeypatch.setenv(variable, text)
    with pytest.raises(errors.ConfigError, match=variable) as raised:
        Client(api_key="k", http_options={"base_url": text} if variable == "base_url" else None)
    watch.check(everything_about(raised.value))


def test_http_options_show_where_but_not_with_what() -> None:
    options = types.HttpOptions(
        base_url=f"https://u:{CANARIES['password']}@host:1/path?key={CANARIES['query']}", proxy="http://p"
    )
    assert repr(options) == "HttpOptions(base_url='https://<set>@host:1/path?<set>', proxy=<set>)"
    assert repr(types.HttpOptions(base_url="https://host/path")) == "HttpOptions(base_url='https://host/path')"


def test_the_url_carries_no_credential_but_what_the_callers_own_did(watch: Watch) -> None:
    seen: list[str] = []

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.path)
        answer_setup(connection)
        connection.send(TURN_COMPLETE)
        threading.Event().wait(0)

    with live_server(handler) as url:
        for kind in KINDS:
            with client_with(kind, url).live.connect(model=MODEL, timeout=PATIENCE):
                continue
    assert found_in("".join(seen[:-1])) == []
    assert seen[-1].endswith(f"?key={CANARIES['query']}")


def test_the_callers_own_query_reaches_the_token_service_and_no_log(watch: Watch) -> None:
    heads: list[str] = []

    def handler(connection: socket.socket) -> None:
        heads.append(connection.recv(65_536).decode())
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{"name":"auth_tokens/a"}')

    with raw_server(handler) as url, http_proxy() as proxy:
        for options in ({}, {"proxy": proxy.url}):
            assert client_with("query", url, **options).auth_tokens.create().name == "auth_tokens/a"
    assert [head.split("\r\n")[0].partition("?")[2] for head in heads] == [f"key={CANARIES['query']} HTTP/1.1"] * 2
    assert proxy.targets
    watch.check()


def test_a_message_that_cannot_be_read_is_told_by_its_size(watch: Watch) -> None:
    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.send(b"{" + CANARIES["key"].encode())
        connection.send(message(serverContent={"turnComplete": True}))
        connection.recv()

    with ExitStack() as stack:
        client = client_of_key(CANARIES["key"], stack.enter_context(live_server(handler)), {})
        session = stack.enter_context(client.live.connect(model=MODEL, timeout=PATIENCE))
        watch.check(looks(list(session.receive(PATIENCE))))
