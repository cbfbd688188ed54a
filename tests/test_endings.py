"""The end is told: every way to end, in every phase, to every observer, the first time and every later time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from genai_live import Session, errors
from genai_live.errors import CloseInfo, Phase, SentBy
from tests.raw_peer import BINARY, TEXT, Door, Peer, beside, close_frame, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, message, refusing, text_part
from tests.waiting import LIMITS

CUT_REASON = ("You exceeded your current quota. " + "é" * 60).encode()[:123]
"""123 bytes that end inside a character, as the service cuts them."""
CLIENT, SERVER, NETWORK = SentBy.CLIENT, SentBy.SERVER, SentBy.NETWORK


class Observers:
    """Everybody who learns of an end: callbacks, a thread that waits, and every method called later."""

    def __init__(self) -> None:
        self.errors: list[errors.LiveError] = []
        self.closes: list[CloseInfo] = []
        self.closed = threading.Event()
        self.seen = threading.Semaphore(0)

    @property
    def callbacks(self) -> dict[str, Callable[..., object]]:
        return {"on_error": self.errors.append, "on_close": self._on_close, "on_message": lambda _: self.seen.release()}

    def _on_close(self, info: CloseInfo) -> None:
        self.closes.append(info)
        self.closed.set()


# Phases of an open session: what brings a session there.


def be_idle(session: Session, peer: Peer) -> None:
    pass


def be_between_turns(session: Session, peer: Peer) -> None:
    peer.send(frame(BINARY, text_part("whole")) + frame(BINARY, TURN_COMPLETE))


def be_in_a_turn(session: Session, peer: Peer) -> None:
    peer.send(frame(BINARY, text_part("half")))


def be_asked(session: Session, peer: Peer) -> None:
    session.send_client_content(turns="Hello")


def have_a_tool_pending(session: Session, peer: Peer) -> None:
    peer.send(frame(BINARY, message(toolCall={"functionCalls": [{"id": "1", "name": "f"}]})))


def be_finishing(session: Session, peer: Peer) -> None:
    session.send_realtime_input(audio=b"\0\0")
    beside(session.finish, PATIENCE)
    while "audioStreamEnd" not in peer.read_message().get("realtimeInput", {}):
        continue


PHASES: dict[str, tuple[Callable[[Session, Peer], None], int, Phase, bool]] = {
    "idle": (be_idle, 0, Phase.IDLE, False),
    "between turns": (be_between_turns, 2, Phase.IDLE, False),
    "mid-turn": (be_in_a_turn, 1, Phase.TURN, True),
    "asked": (be_asked, 0, Phase.TURN, True),
    "tool pending": (have_a_tool_pending, 1, Phase.TOOL, True),
    "finishing": (be_finishing, 0, Phase.CLOSING, False),
}
"""How to get there, messages that the client sees on the way, the phase that is told, whether an answer is due."""


# Ways to end.


@dataclass(frozen=True)
class Way:
    """One way to end: who does what, and what is told."""

    act: Callable[[Session, Peer], object]
    code: int
    reason: str
    sent_by: SentBy
    options: dict[str, Any] = field(default_factory=dict)
    says: bool = True
    """False when ``reason`` is only how the reason begins."""


def closes(code: int, reason: bytes | str = "") -> Callable[[Session, Peer], object]:
    return lambda session, peer: peer.send(close_frame(code, reason))


def sends_bytes(data: bytes) -> Callable[[Session, Peer], object]:
    return lambda session, peer: peer.send(data)


def fill(session: Session, peer: Peer) -> None:
    """Sends to a peer that does not read, until the write limit is over."""
    with pytest.raises(errors.ConnectionLost):
        while True:
            session.send_realtime_input(audio=bytes(1_000_000))


SOON_SILENT = {"ping_interval": 0.5, "silence_limit": 2.0}
"""Seconds: long enough for a busy machine to reach the phase first."""

WAYS: dict[str, Way] = {
    "close()": Way(lambda session, peer: session.close(timeout=0.2), 1000, "", CLIENT),
    "close() in a thread": Way(lambda session, peer: beside(session.close, 0.2), 1000, "", CLIENT),
    "abort": Way(lambda session, peer: session._connection.abort(), 1006, "aborted by this program", CLIENT),
    "server 1000": Way(closes(1000), 1000, "", SERVER),
    "server 1000 with reason": Way(closes(1000, "The operation was cancelled."), 1000, "The operation was cancelled.", SERVER),
    "server 1001": Way(closes(1001, "going away"), 1001, "going away", SERVER),
    "server 1007": Way(closes(1007, "Precondition check failed."), 1007, "Precondition check failed.", SERVER),
    "server 1008": Way(closes(1008, "Permission denied"), 1008, "Permission denied", SERVER),
    "server 1011": Way(closes(1011, "Internal error encountered."), 1011, "Internal error encountered.", SERVER),
    "a reason cut inside a character": Way(closes(1011, CUT_REASON), 1011, CUT_REASON.decode(errors="ignore"), SERVER),
    "server without code": Way(sends_bytes(frame(8)), 1005, "", SERVER),
    "server 1011 within a message": Way(
        sends_bytes(frame(TEXT, b'{"serverContent"', fin=False) + close_frame(1011, "Internal error encountered.")),
        1011,
        "Internal error encountered.",
        SERVER,
    ),
    "server with a code that no frame may carry": Way(
        sends_bytes(close_frame(1005)), 1002, "the server sent a Close frame with an impossible code", NETWORK
    ),
    "end of stream within a frame": Way(
        lambda session, peer: (peer.send(frame(TEXT, TURN_COMPLETE)[:-1]), peer.end()), 1006, "", NETWORK, says=False
    ),
    "end of stream": Way(lambda session, peer: peer.end(), 1006, "", NETWORK, says=False),
    "reset": Way(lambda session, peer: peer.reset(), 1006, "", NETWORK, says=False),
    "half-open": Way(lambda session, peer: None, 1006, "no byte came for", NETWORK, SOON_SILENT, says=False),
    "write timeout": Way(fill, 1006, "writing failed: the peer has not read", NETWORK, {"write_timeout": 0.3}, says=False),
    "a reserved bit": Way(sends_bytes(b"\xc1\x01x"), 1002, "the server set a reserved bit", NETWORK, says=False),
    "text that is not UTF-8": Way(sends_bytes(frame(TEXT, b"\xff")), 1007, "the server sent a text message", NETWORK, says=False),
    "a message over the limit": Way(
        sends_bytes(b"\x82\x7f" + (1 << 40).to_bytes(8, "big")), 1009, "a message of 1099511627776 bytes", NETWORK, says=False
    ),
}

NOT_REACHABLE = {
    ("half-open", "finishing"): "finish() itself limits the wait",
    ("half-open", "asked"): "the same as half-open in a turn, and slow",
    ("write timeout", "finishing"): "after finish() nobody sends",
}

ENDS = [(way, phase) for way in WAYS for phase in PHASES if (way, phase) not in NOT_REACHABLE]

WAITING: dict[str, Callable[[Session], object]] = {
    "iteration": list,
    "receive": lambda session: list(session.receive()),
    "collect": lambda session: session.collect(),
}
LATER: dict[str, Callable[[Session], object]] = {
    "iteration": list,
    "receive": lambda session: list(session.receive()),
    "collect": lambda session: session.collect(),
    "ask": lambda session: session.ask("x"),
    "send_client_content": lambda session: session.send_client_content(turns="x"),
    "send_text": lambda session: session.send_text("x"),
    "audio": lambda session: session.send_realtime_input(audio=b"\0\0"),
    "video": lambda session: session.send_realtime_input(video={"data": b"x", "mime_type": "image/png"}),
    "text": lambda session: session.send_realtime_input(text="x"),
    "activity_start": lambda session: session.send_realtime_input(activity_start={}),
    "activity_end": lambda session: session.send_realtime_input(activity_end={}),
    "audio_stream_end": lambda session: session.send_realtime_input(audio_stream_end=True),
    "send_tool_response": lambda session: session.send_tool_response(function_responses={"id": "1", "name": "f", "response": {}}),
    "send_context_update": lambda session: session.send_context_update(tools=[]),
    "stream_audio": lambda session: session.stream_audio(b"\0\0" * 640),
}
QUIET_WHEN_CLEAN = {"iteration"}


def told_to(observe: Callable[[Session], object], session: Session) -> errors.SessionClosed | None:
    try:
        observe(session)
    except errors.SessionClosed as error:
        return error
    return None


def check_record(info: CloseInfo | None, way: Way, phase: Phase, turn_open: bool) -> None:
    assert info is not None
    assert (info.code, info.sent_by, info.phase, info.turn_open) == (way.code, way.sent_by, phase, turn_open)
    assert info.reason == way.reason if way.says else info.reason.startswith(way.reason)


def check_observers(session: Session, observers: Observers, waited: Future[object]) -> None:
    info = session.close_info
    assert info is not None
    assert observers.closes == [info]
    assert observers.closes[0] is info
    told = [error for error in observers.errors if isinstance(error, errors.SessionClosed)]
    assert [error.close_info is info for error in told] == ([] if info.clean else [True])
    expected = {CLIENT: errors.SessionClosed, SERVER: errors.ClosedByServer, NETWORK: errors.ConnectionLost}[info.sent_by]
    first = waited.exception(PATIENCE)
    assert first is None if info.clean else type(first) is expected
    tell_quietly_once(session)
    for _ in range(2):
        for name, observe in LATER.items():
            error = told_to(observe, session)
            if info.clean and name in QUIET_WHEN_CLEAN:
                assert error is None
                continue
            assert type(error) is expected, name
            assert error.close_info is info, name
            assert (error.code, error.reason, error.phase, error.sent_by) == (info.code, info.reason, info.phase, info.sent_by)
    session.close()
    session.finish()
    assert session.close_info is info
    assert len(observers.closes) == 1


@contextmanager
def in_phase(name: str, options: dict[str, Any]) -> Iterator[tuple[Session, Peer, Observers, Future[object]]]:
    """A session brought to a phase, with a thread that waits for messages: by iteration, the only one that survives turns."""
    observers = Observers()
    reach, messages, _, _ = PHASES[name]
    with opened(callbacks=observers.callbacks, http_options=options, receive_buffer=4096) as (session, peer):
        waited = beside(WAITING["iteration"], session)
        reach(session, peer)
        for _ in range(messages):
            assert observers.seen.acquire(timeout=PATIENCE)
        yield session, peer, observers, waited


@pytest.mark.waits
@pytest.mark.parametrize(("way", "phase"), ENDS)
def test_an_end_is_told_to_every_observer_every_time(way: str, phase: str) -> None:
    end = WAYS[way]
    with in_phase(phase, end.options) as (session, peer, observers, waited):
        end.act(session, peer)
        assert observers.closed.wait(PATIENCE)
        check_record(session.close_info, end, *PHASES[phase][2:])
        check_observers(session, observers, waited)


def tell_quietly_once(session: Session) -> None:
    """After a clean end receive() ends quietly once; from then on it asks for a new session."""
    info = session.close_info
    assert info is not None
    error = told_to(LATER["receive"], session)
    assert (error is None) == info.clean


@pytest.mark.waits
@pytest.mark.parametrize("waits", ["receive", "collect"])
@pytest.mark.parametrize("way", ["close() in a thread", "server 1000 with reason", "server 1011", "reset", "a reserved bit"])
@pytest.mark.parametrize("phase", ["idle", "mid-turn"])
@pytest.mark.parametrize(("tls", "shared_reader"), [(False, False), (True, False), (False, True)])
def test_a_thread_that_waits_learns_of_the_end(way: str, phase: str, waits: str, tls: bool, shared_reader: bool) -> None:
    end, observers = WAYS[way], Observers()
    reach, messages, _, _ = PHASES[phase]
    with opened(callbacks=observers.callbacks, tls=tls, shared_reader=shared_reader) as (session, peer):
        waited = beside(WAITING[waits], session)
        reach(session, peer)
        for _ in range(messages):
            assert observers.seen.acquire(timeout=PATIENCE)
        end.act(session, peer)
        error = waited.exception(PATIENCE)
        assert observers.closed.wait(PATIENCE)
        assert session.close_info is not None
        if session.close_info.clean and waits == "receive":
            assert error is None
        else:
            assert isinstance(error, errors.SessionClosed)
            assert error.close_info is session.close_info


@pytest.mark.waits
@pytest.mark.parametrize("way", [name for name in WAYS if name not in ("half-open", "write timeout")])
def test_what_comes_while_we_close_changes_nothing(way: str) -> None:
    observers = Observers()
    with opened(callbacks=observers.callbacks) as (session, peer):
        waited = beside(WAITING["iteration"], session)
        closing = beside(session.close, PATIENCE)
        assert peer.read_close() == (1000, b"")
        WAYS[way].act(session, peer)
        if way.startswith("close()"):
            peer.end()
        closing.result(PATIENCE)
        assert session.close_info == CloseInfo(1000, "", CLIENT, Phase.IDLE, turn_open=False)
        check_observers(session, observers, waited)


# Ends before there is a session.


def ends_before_tls(entrance: Door) -> None:
    entrance.accept_tcp().close()


def speaks_no_tls(entrance: Door) -> None:
    entrance.accept_tcp().sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def stalls_before_tls(entrance: Door) -> None:
    entrance.accept_tcp()


def stalls_after_tcp(entrance: Door) -> None:
    entrance.accept()


def ends_in_upgrade(entrance: Door) -> None:
    peer = entrance.accept()
    peer.socket.recv(1)  # the request is there, so this is no longer the dialling
    peer.end()


def resets_in_upgrade(entrance: Door) -> None:
    peer = entrance.accept()
    peer.socket.recv(1)
    peer.reset()


def answers_no_http(entrance: Door) -> None:
    entrance.accept().send(b"220 mail.example.com ESMTP\r\n\r\n")


def answers(status: str, body: str = "") -> Callable[[Door], None]:
    def act(entrance: Door) -> None:
        peer = entrance.accept()
        peer.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return act


def in_setup(act: Callable[[Peer], object]) -> Callable[[Door], None]:
    def upgraded(entrance: Door) -> None:
        peer = entrance.accept()
        peer.upgrade()
        peer.take_setup()
        act(peer)

    return upgraded


def at_once(data: bytes) -> Callable[[Door], None]:
    """Refuses before the setup was read, as the service does for a bad key: the setup's write meets a closed socket."""

    def act(entrance: Door) -> None:
        peer = entrance.accept()
        peer.upgrade()
        peer.send(data)
        peer.reset()

    return act


@dataclass(frozen=True)
class Refusal:
    """One way in which connecting can fail."""

    act: Callable[[Door], None]
    kind: type[errors.ConnectError]
    phase: Phase
    code: int = 1006
    reason: str = ""
    sent_by: SentBy = NETWORK
    tls: bool = False
    options: dict[str, Any] = field(default_factory=dict)


CONNECT, TIMED_OUT, REJECTED = errors.ConnectError, errors.ConnectTimeout, errors.SetupRejected

REFUSALS: dict[str, Refusal] = {
    "TLS: ended": Refusal(ends_before_tls, CONNECT, Phase.TLS, tls=True),
    "TLS: not spoken": Refusal(speaks_no_tls, CONNECT, Phase.TLS, tls=True),
    "TLS: stalled": Refusal(stalls_before_tls, TIMED_OUT, Phase.TLS, tls=True),
    "upgrade: ended": Refusal(ends_in_upgrade, CONNECT, Phase.UPGRADE),
    "upgrade: reset": Refusal(resets_in_upgrade, CONNECT, Phase.UPGRADE),
    "upgrade: ended over TLS": Refusal(ends_in_upgrade, CONNECT, Phase.UPGRADE, tls=True),
    "upgrade: no HTTP": Refusal(answers_no_http, CONNECT, Phase.UPGRADE),
    "upgrade: 404": Refusal(answers("404 Not Found", "no such path"), errors.HandshakeRejected, Phase.UPGRADE, sent_by=SERVER),
    "upgrade: 503": Refusal(answers("503 Service Unavailable"), errors.HandshakeRejected, Phase.UPGRADE, sent_by=SERVER),
    "upgrade: 200": Refusal(answers("200 OK", "hello"), errors.HandshakeRejected, Phase.UPGRADE, sent_by=SERVER),
    "upgrade: stalled": Refusal(stalls_after_tcp, TIMED_OUT, Phase.UPGRADE),
    "setup: stalled": Refusal(in_setup(lambda peer: None), TIMED_OUT, Phase.SETUP),
    "setup: stalled over TLS": Refusal(in_setup(lambda peer: None), TIMED_OUT, Phase.SETUP, tls=True),
    "setup: ended": Refusal(in_setup(Peer.end), REJECTED, Phase.SETUP),
    "setup: reset": Refusal(in_setup(Peer.reset), REJECTED, Phase.SETUP),
    "setup: half-open": Refusal(
        in_setup(lambda peer: None),
        REJECTED,
        Phase.SETUP,
        reason="no byte came for",
        options={"ping_interval": 0.1, "silence_limit": 0.4},
    ),
    "setup: a reserved bit": Refusal(
        in_setup(lambda peer: peer.send(b"\xc1\x01x")), REJECTED, Phase.SETUP, 1002, "the server set a reserved bit"
    ),
    "setup: over the limit": Refusal(
        in_setup(lambda peer: peer.send(b"\x82\x7f" + (1 << 40).to_bytes(8, "big"))), REJECTED, Phase.SETUP, 1009, "a message of"
    ),
    "setup: refused at once": Refusal(
        at_once(close_frame(1008, "models/x is not found")), REJECTED, Phase.SETUP, 1008, "models/x is not found", SERVER
    ),
    **{
        f"setup: server {code}": Refusal(
            in_setup(lambda peer, code=code, reason=reason: peer.send(close_frame(code, reason))),  # type: ignore[misc]
            REJECTED,
            Phase.SETUP,
            code,
            reason.decode(errors="ignore"),
            SERVER,
        )
        for code, reason in {
            1000: b"",
            1001: b"going away",
            1007: b"API key not valid. Please pass a valid API key.",
            1008: b"models/x is not found for API version v1beta",
            1011: CUT_REASON,
        }.items()
    },
}


@pytest.mark.waits
@pytest.mark.parametrize("name", REFUSALS)
def test_a_connect_that_fails_tells_the_caller_and_the_callbacks_the_same(name: str) -> None:
    refusal = REFUSALS[name]
    for timeout in LIMITS if refusal.kind is TIMED_OUT else (PATIENCE,):
        error, observers = told_by(refusal, timeout)
        if not isinstance(error, TIMED_OUT) or error.phase is refusal.phase:
            break  # else this machine is so busy that it did not come so far
    assert type(error) is refusal.kind
    assert isinstance(error, CONNECT)
    info = error.close_info
    assert (error.phase, info.phase, info.code, info.sent_by) == (refusal.phase, refusal.phase, refusal.code, refusal.sent_by)
    assert info.reason.startswith(refusal.reason)
    assert (error.code, error.reason) == (info.code, info.reason)
    assert observers.errors == [error]
    assert [told is info for told in observers.closes] == [True]


def told_by(refusal: Refusal, timeout: float) -> tuple[BaseException | None, Observers]:
    observers = Observers()
    with door(tls=refusal.tls) as entrance:
        client = client_of(entrance.url, **refusal.options)
        connecting = beside(client.live.connect, model=MODEL, callbacks=observers.callbacks, timeout=timeout)
        acting = beside(refusal.act, entrance)
        error = connecting.exception(PATIENCE)
        assert observers.closed.wait(PATIENCE)
        acting.exception(PATIENCE)
    return error, observers


def test_a_port_that_refuses_is_told_as_dialling() -> None:
    observers = Observers()
    with refusing() as url, pytest.raises(CONNECT, match="refused") as raised:
        client_of(url).live.connect(model=MODEL, callbacks=observers.callbacks, timeout=PATIENCE)
    info = raised.value.close_info
    assert (raised.value.phase, info.phase, info.code, info.sent_by) == (Phase.DIALLING, Phase.DIALLING, 1006, NETWORK)
    assert observers.errors == [raised.value]
    assert [told is info for told in observers.closes] == [True]


def test_a_port_where_nobody_accepts_is_told_as_dialling() -> None:
    """The listener's queue is full, so the kernel drops the SYN: what a dead host looks like."""
    observers = Observers()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        with pytest.raises(errors.ConnectTimeout) as raised:
            client = client_of(f"http://127.0.0.1:{address[1]}")
            client.live.connect(model=MODEL, callbacks=observers.callbacks, timeout=LIMITS[0])
        assert observers.closed.wait(PATIENCE)
        for filler in fillers:
            filler.close()
    assert raised.value.phase is Phase.DIALLING
    assert observers.errors == [raised.value]
    assert observers.closes[0] is raised.value.close_info
