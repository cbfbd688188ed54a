"""A session that reconnects: goes on with its handle, loses nothing that could be kept, and says what was lost."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from genai_live import ApiClient, Live, LiveCallbacks, ReconnectPolicy, Session, types
from genai_live._connection.protocol import LiveProtocol
from genai_live._connection.questions import Question
from genai_live._network.dial import Dialler
from genai_live._network.transport import Transport, TransportLost
from genai_live._tool_answers import _Answers
from genai_live.errors import (
    ClosedByServer,
    CloseInfo,
    ConnectionLost,
    ErrorKind,
    LiveError,
    NotConnected,
    OutboxFull,
    Phase,
    SentBy,
    SessionClosed,
    TurnLost,
    WrongThread,
)
from tests.servers import (
    MODEL,
    PATIENCE,
    SETUP_COMPLETE,
    TURN_COMPLETE,
    client_of,
    live_server,
    message,
    text_part,
    wait_until_closed,
)
from tests.waiting import until

QUICK = ReconnectPolicy(first_pause=0.01)
Leg = Callable[[ServerConnection], object]


def handle(name: str) -> bytes:
    return message(sessionResumptionUpdate={"newHandle": name, "resumable": True})


def go_away(seconds: float) -> bytes:
    return message(goAway={"timeLeft": f"{seconds}s"})


class Service:
    """A server that treats each connection by the next of its legs, and keeps the setups and what the clients sent."""

    def __init__(self, *legs: Leg) -> None:
        self.setups: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self._legs = list(legs)

    def __call__(self, connection: ServerConnection) -> None:
        leg = self._legs[len(self.setups)]
        self.setups.append(json.loads(connection.recv(timeout=PATIENCE))["setup"])
        connection.send(SETUP_COMPLETE)
        leg(connection)

    def read(self, connection: ServerConnection) -> dict[str, Any]:
        self.received.append(json.loads(connection.recv(timeout=PATIENCE)))
        return self.received[-1]

    @property
    def handles(self) -> list[str | None]:
        """With which handle each connection was set up."""
        return [setup.get("sessionResumption", {}).get("handle") for setup in self.setups]

    @property
    def texts(self) -> list[str]:
        """The texts that came as realtime input."""
        return [each["realtimeInput"]["text"] for each in self.received if "text" in each.get("realtimeInput", {})]


def drop(connection: ServerConnection) -> None:
    """Ends the TCP connection without a Close frame."""
    connection.socket.shutdown(2)


def dropped_with(name: str) -> Leg:
    def leg(connection: ServerConnection) -> None:
        connection.send(handle(name))
        drop(connection)

    return leg


@contextmanager
def session_over(
    *legs: Leg, reconnect: Any = QUICK, shared_reader: bool = False, **arguments: Any
) -> Iterator[tuple[Session, Service]]:
    service = Service(*legs)
    with live_server(service) as url:
        client = client_of(url, shared_reader=shared_reader)
        with client.live.connect(model=MODEL, reconnect=reconnect, timeout=PATIENCE, **arguments) as session:
            yield session, service


def kinds(messages: list[types.LiveServerMessage]) -> list[str]:
    """What each message is, in a word."""
    names = {
        "reconnecting": lambda each: each.reconnecting,
        "reconnected": lambda each: each.reconnected,
        "handle": lambda each: each.session_resumption_update,
        "go away": lambda each: each.go_away,
        "text": lambda each: each.text,
    }
    return [next((name for name, found in names.items() if found(each)), "other") for each in messages]


def received_until(session: Session, last: str) -> list[types.LiveServerMessage]:
    found: list[types.LiveServerMessage] = []
    for each in session:
        found.append(each)
        if kinds([each]) == [last]:
            break
    return found


def echo(service_of: Callable[[], Service]) -> Leg:
    def leg(connection: ServerConnection) -> None:
        while True:
            sent = service_of().read(connection)
            if "text" in sent.get("realtimeInput", {}):
                connection.send(text_part(sent["realtimeInput"]["text"]))
                connection.send(TURN_COMPLETE)

    return leg


def test_a_session_asks_for_handles_when_it_is_to_reconnect() -> None:
    with session_over(wait_until_closed) as (_, service):
        assert service.setups[0]["sessionResumption"] == {}


@pytest.mark.parametrize("shared_reader", [False, True])
def test_the_callers_loop_goes_on_over_the_next_connection_which_carries_the_handle(shared_reader: bool) -> None:
    def second(connection: ServerConnection) -> None:
        connection.send(text_part("back"))
        wait_until_closed(connection)

    with session_over(dropped_with("h1"), second, shared_reader=shared_reader) as (session, service):
        received = received_until(session, "text")
        assert kinds(received) == ["handle", "reconnecting", "reconnected", "text"]
        assert service.handles == [None, "h1"]
        reconnecting, reconnected = received[1].reconnecting, received[2].reconnected
        assert reconnecting is not None
        assert (reconnecting.close_info.code, reconnecting.turn_lost) == (1006, False)
        assert reconnected is not None
        assert (reconnected.state_restored, reconnected.attempts) == (True, 1)
        assert session.close_info is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "The operation was cancelled."), (1001, ""), (1008, "The operation was aborted."), (1011, "Internal error")],
)
def test_an_end_by_the_service_that_another_connection_can_mend_is_mended(code: int, reason: str) -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.close(code, reason)

    with session_over(first, wait_until_closed) as (session, _):
        reconnecting = received_until(session, "reconnected")[1].reconnecting
        assert reconnecting is not None
        assert (reconnecting.close_info.code, reconnecting.close_info.reason) == (code, reason)


def test_the_newest_handle_is_used_and_kept_over_the_next_connection() -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        dropped_with("h2")(connection)

    with session_over(first, drop, dropped_with("h3"), wait_until_closed) as (session, service):
        assert kinds(received_until(session, "reconnected"))[-1] == "reconnected"
        received_until(session, "reconnected")
        received_until(session, "reconnected")
        assert service.handles == [None, "h2", "h2", "h3"]
        assert session.resumption.handle == "h3"


def test_attempts_go_on_while_the_service_refuses_and_are_counted() -> None:
    refusals = iter([True, True, False])
    service = Service(dropped_with("h1"), wait_until_closed)

    def handler(connection: ServerConnection) -> None:
        if service.setups and next(refusals):
            connection.recv(timeout=PATIENCE)
            connection.close(1011, "Internal error encountered.")
            return
        service(connection)

    with (
        live_server(handler) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        received = received_until(session, "reconnected")
        assert kinds(received) == ["handle", "reconnecting", "reconnected"]
        assert received[-1].reconnected is not None
        assert received[-1].reconnected.attempts == 3


def test_what_is_sent_without_a_connection_arrives_over_the_next_one_in_order() -> None:
    may_answer = threading.Event()
    service = Service(dropped_with("h1"), lambda connection: [service.read(connection) for _ in range(4)])

    def handler(connection: ServerConnection) -> None:
        if service.setups:
            may_answer.wait(PATIENCE)
        service(connection)

    with (
        live_server(handler) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        received_until(session, "reconnecting")
        session.send_realtime_input(text="one")
        session.send_tool_response(function_responses={"id": "c1", "name": "f", "response": {}})
        session.send_realtime_input(audio=b"\0\0")
        session.send_realtime_input(text="two")
        assert session.stats.messages_sent == 1
        may_answer.set()
        until(lambda: len(service.received) == 4)
        assert [next(iter(each.get("realtimeInput", each))) for each in service.received] == [
            "text",
            "toolResponse",
            "audio",
            "text",
        ]


def test_threads_that_send_before_and_while_the_next_connection_comes_up_keep_their_order_and_lose_nothing() -> None:
    half_sent = threading.Barrier(4)
    service = Service(dropped_with("h1"), lambda connection: [service.read(connection) for _ in range(600)])

    def handler(connection: ServerConnection) -> None:
        if service.setups:
            half_sent.wait(PATIENCE)
        service(connection)

    def send(session: Session, name: str) -> None:
        for number in range(200):
            if number == 100:
                half_sent.wait(PATIENCE)
            session.send_realtime_input(text=f"{name} {number}")

    with (
        live_server(handler) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        received_until(session, "reconnecting")
        for name in "abc":
            threading.Thread(target=send, args=(session, name), daemon=True).start()
        until(lambda: len(service.texts) == 600)
    for name in "abc":
        assert [text for text in service.texts if text.startswith(name)] == [f"{name} {number}" for number in range(200)]


def test_audio_is_dropped_and_counted_when_too_much_waits_and_text_is_refused() -> None:
    policy = ReconnectPolicy(first_pause=PATIENCE * 2, give_up_after=PATIENCE * 4, outbox_bytes=1_000)
    with session_over(dropped_with("h1"), reconnect=policy) as (session, _):
        received_until(session, "reconnecting")
        for _ in range(10):
            session.send_realtime_input(audio=bytes(300))
        assert session.stats.dropped == 8  # two fit
        with pytest.raises(OutboxFull, match=r"wait for message\.reconnected"):
            session.send_realtime_input(text="x" * 1_000)
        assert session.close_info is None


def test_the_websocket_is_an_error_of_the_library_while_there_is_none() -> None:
    policy = ReconnectPolicy(first_pause=PATIENCE * 2, give_up_after=PATIENCE * 4)
    with session_over(dropped_with("h1"), reconnect=policy) as (session, _):
        received_until(session, "reconnecting")
        with pytest.raises(NotConnected, match="it is reconnecting") as raised:
            _ = session.conn
    assert isinstance(raised.value, ConnectionError)
    assert raised.value.retryable


def test_an_answer_that_is_cut_off_is_told_at_once_and_can_be_asked_for_again() -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        service.read(connection)
        connection.send(text_part("The answer is"))
        drop(connection)

    service = Service(first, echo(lambda: service))
    with (
        live_server(service) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        with pytest.raises(TurnLost, match="ask again") as raised:
            session.ask("why?", timeout=PATIENCE)
        assert "".join(each.text or "" for each in raised.value.messages) == "The answer is"  # type: ignore[attr-defined]
        assert raised.value.close_info.turn_open
        assert session.ask("why?", timeout=PATIENCE).text == "why?"


@pytest.mark.parametrize("before", range(4))
def test_a_question_that_a_dying_connection_does_not_take_is_sent_or_told_as_lost_and_never_both(before: int) -> None:
    """How many writes the kernel takes for a peer that is gone, nobody knows."""
    policy = ReconnectPolicy(first_pause=0.2)
    service = Service(dropped_with("h1"), drop, echo(lambda: service))
    with (
        live_server(service) as url,
        client_of(url).live.connect(model=MODEL, reconnect=policy, timeout=PATIENCE) as session,
    ):
        received_until(session, "reconnecting")
        for number in range(before):
            session.send_client_content(turns=f"context {number}", turn_complete=False)
        try:
            told = session.ask("question", timeout=PATIENCE).text
        except TurnLost:
            told = "lost"
        assert session.ask("last", timeout=PATIENCE).text == "last"
        assert (told, service.texts.count("question")) in (("question", 1), ("lost", 0))


def test_a_question_that_was_told_as_lost_is_not_sent_by_a_thread_that_finds_out_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its frame is under way as the connection ends, and the next one is there before the thread has noticed."""

    def unread(connection: ServerConnection) -> None:
        with connection.recv_flow_control:  # websockets reads no further: else the frame may be out at once
            connection.send(handle("h1"))
            under_way.wait(PATIENCE)
            drop(connection)

    under_way, is_back, withdrawn = threading.Event(), threading.Event(), LiveProtocol.note_withdrawn
    push = Transport._write_slowly

    def pushed(transport: Transport, patience: Any) -> bool:
        under_way.set()
        return push(transport, patience)

    def noticed(protocol: LiveProtocol, question: Question) -> None:
        assert is_back.wait(PATIENCE)
        withdrawn(protocol, question)

    def on_message(each: types.LiveServerMessage) -> None:
        if each.reconnected is not None:
            is_back.set()

    monkeypatch.setattr(Transport, "_write_slowly", pushed)
    monkeypatch.setattr(LiveProtocol, "note_withdrawn", noticed)
    service = Service(unread, echo(lambda: service))
    with live_server(service) as url:
        live = client_of(url).live
        with live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE, callbacks={"on_message": on_message}) as session:
            with pytest.raises(TurnLost):
                session.ask("x" * 20_000_000, timeout=PATIENCE)
            assert session.ask("last", timeout=PATIENCE).text == "last"
    assert [text[:4] for text in service.texts] == ["last"]


def test_an_answer_that_was_repeated_is_not_sent_by_a_thread_that_finds_out_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As above, of a call: it lives on, so that its answer is repeated."""

    def unread(connection: ServerConnection) -> None:
        service.read(connection)
        with connection.recv_flow_control:
            connection.send(handle("h1"))
            connection.send(message(toolCall={"functionCalls": [{"id": "c1", "name": "f", "args": {}}]}))
            under_way.wait(PATIENCE)
            drop(connection)

    def second(connection: ServerConnection) -> None:
        service.read(connection)
        connection.send(text_part("done"))
        connection.send(TURN_COMPLETE)
        echo(lambda: service)(connection)

    under_way, is_back, withdrawn = threading.Event(), threading.Event(), _Answers.withdrawn
    push = Transport._write_slowly

    def pushed(transport: Transport, patience: Any) -> bool:
        under_way.set()
        return push(transport, patience)

    def noticed(answers: _Answers) -> None:
        assert is_back.wait(PATIENCE)
        withdrawn(answers)

    def on_message(each: types.LiveServerMessage) -> None:
        if each.reconnected is not None:
            is_back.set()

    monkeypatch.setattr(Transport, "_write_slowly", pushed)
    monkeypatch.setattr(_Answers, "withdrawn", noticed)
    service = Service(unread, second)
    with live_server(service) as url:
        live = client_of(url).live
        with live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE, callbacks={"on_message": on_message}) as session:
            call = session.ask("question", timeout=PATIENCE).tool_calls[0]
            session.send_tool_response(function_responses={"id": call.id, "name": "f", "response": {"x": "x" * 20_000_000}})
            assert session.collect(timeout=PATIENCE).text == "done"
            assert session.ask("last", timeout=PATIENCE).text == "last"
    assert sum("toolResponse" in each for each in service.received) == 1


def test_a_pending_tool_call_survives_and_its_answer_goes_over_the_next_connection() -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.send(message(toolCall={"functionCalls": [{"id": "c1", "name": "f", "args": {}}]}))
        drop(connection)

    def second(connection: ServerConnection) -> None:
        service.read(connection)
        connection.send(text_part("done"))
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    service = Service(first, second)
    with (
        live_server(service) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        for each in session.receive(timeout=PATIENCE):
            if each.reconnecting is not None:
                assert not each.reconnecting.turn_lost
                session.send_tool_response(function_responses={"id": "c1", "name": "f", "response": {"ok": True}})
        assert service.received[0]["toolResponse"]["functionResponses"][0]["id"] == "c1"


def test_an_open_activity_is_marked_again_before_what_follows() -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        service.read(connection)
        drop(connection)

    service = Service(first, lambda connection: [service.read(connection) for _ in range(3)])
    with (
        live_server(service) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        session.send_realtime_input(activity_start={})
        received_until(session, "reconnecting")
        session.send_realtime_input(audio=b"\0\0")
        session.send_realtime_input(activity_end={})
        until(lambda: len(service.received) == 4)
        assert [next(iter(each["realtimeInput"])) for each in service.received] == [
            "activityStart",
            "activityStart",
            "audio",
            "activityEnd",
        ]


def test_between_turns_a_go_away_is_followed_at_once_with_a_polite_close() -> None:
    closed: queue.Queue[int | None] = queue.Queue()

    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.send(go_away(50))
        with contextlib.suppress(Exception):
            connection.recv(timeout=PATIENCE)
        closed.put(connection.protocol.close_code)

    with session_over(first, wait_until_closed) as (session, service):
        assert kinds(received_until(session, "reconnected")) == ["handle", "go away", "reconnecting", "reconnected"]
        assert closed.get(timeout=PATIENCE) == 1000
        assert service.handles == [None, "h1"]


def test_a_go_away_in_mid_turn_waits_for_the_end_of_the_turn() -> None:
    may_end = threading.Event()

    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.send(text_part("one"))
        connection.send(go_away(10 * PATIENCE))
        may_end.wait(PATIENCE)
        connection.send(text_part("two"))
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    with session_over(first, wait_until_closed) as (session, _):
        begun = received_until(session, "go away")
        may_end.set()
        received = begun + received_until(session, "reconnected")
        assert kinds(received) == ["handle", "text", "go away", "text", "other", "reconnecting", "reconnected"]
        assert received[-2].reconnecting is not None
        assert not received[-2].reconnecting.turn_lost


def test_a_go_away_and_then_silence_is_followed_before_its_time_is_up_even_in_mid_turn() -> None:
    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.send(text_part("one"))
        connection.send(go_away(1.0))
        wait_until_closed(connection)

    with session_over(first, wait_until_closed) as (session, service):
        received = received_until(session, "reconnected")
        assert received[-2].reconnecting is not None
        assert received[-2].reconnecting.turn_lost
        assert service.handles == [None, "h1"]


def test_a_refused_handle_ends_the_session_with_the_services_own_words() -> None:
    service = Service(dropped_with("h1"))

    def handler(connection: ServerConnection) -> None:
        if service.setups:
            connection.recv(timeout=PATIENCE)
            connection.close(1008, "BidiGenerateContent session not found")
            return
        service(connection)

    with (
        live_server(handler) as url,
        client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session,
    ):
        with pytest.raises(ClosedByServer, match="session not found") as raised:
            received_until(session, "reconnected")
        assert raised.value.kind is ErrorKind.EXPIRED
        assert session.close_info is raised.value.close_info
        with pytest.raises(ClosedByServer, match="session not found"):
            session.send_realtime_input(text="late")


def test_a_policy_of_fresh_sessions_begins_anew_when_the_handle_is_refused_and_says_so() -> None:
    service = Service(dropped_with("h1"), wait_until_closed)

    def handler(connection: ServerConnection) -> None:
        if len(service.setups) == 1 and not refused.is_set():
            refused.set()
            connection.recv(timeout=PATIENCE)
            connection.close(1008, "BidiGenerateContent session not found")
            return
        service(connection)

    refused = threading.Event()
    policy = ReconnectPolicy(first_pause=0.01, fresh_session=True)
    with (
        live_server(handler) as url,
        client_of(url).live.connect(model=MODEL, reconnect=policy, timeout=PATIENCE) as session,
    ):
        reconnected = received_until(session, "reconnected")[-1].reconnected
        assert reconnected is not None
        assert not reconnected.state_restored
        assert service.handles == [None, None]


def test_without_a_handle_the_session_ends_as_it_would_without_reconnecting() -> None:
    with session_over(drop) as (session, _), pytest.raises(ConnectionLost):
        received_until(session, "reconnected")


def test_an_end_that_would_come_again_is_final_and_told_to_everybody_alike() -> None:
    told: list[CloseInfo | LiveError] = []
    closed = threading.Event()

    def first(connection: ServerConnection) -> None:
        connection.send(handle("h1"))
        connection.close(1007, "Request contains an invalid argument.")

    callbacks = LiveCallbacks(on_error=told.append, on_close=lambda info: (told.append(info), closed.set()))
    with session_over(first, callbacks=callbacks) as (session, service):
        with pytest.raises(ClosedByServer) as raised:
            received_until(session, "reconnected")
        assert closed.wait(PATIENCE)
        info = session.close_info
        assert raised.value.close_info is info
        assert [getattr(each, "close_info", each) for each in told] == [info, info]
        assert len(service.setups) == 1


def test_a_session_that_cannot_reconnect_in_time_ends_with_the_last_failure() -> None:
    with live_server(Service(dropped_with("h1"))) as url:
        policy = ReconnectPolicy(first_pause=0.01, give_up_after=0.05)
        session = client_of(url).live.connect(model=MODEL, reconnect=policy, timeout=PATIENCE)
        listening = iter(session)
        assert kinds([next(listening)]) == ["handle"]
    with pytest.raises(SessionClosed) as raised:
        list(listening)
    assert raised.value.sent_by is SentBy.NETWORK
    assert raised.value.retryable


@pytest.mark.parametrize("shared_reader", [False, True])
def test_close_while_there_is_no_connection_is_quick_and_quiet(shared_reader: bool) -> None:
    policy = ReconnectPolicy(first_pause=PATIENCE * 2, give_up_after=PATIENCE * 4)
    closed: list[CloseInfo] = []
    callbacks = LiveCallbacks(on_close=closed.append)
    with session_over(dropped_with("h1"), reconnect=policy, callbacks=callbacks, shared_reader=shared_reader) as (session, _):
        received_until(session, "reconnecting")
        session.close(timeout=PATIENCE)
        info = session.close_info
        assert info is not None
        assert (info.code, info.sent_by, info.clean) == (1000, SentBy.CLIENT, True)
        assert list(session) == []
        assert closed == [info]
        with pytest.raises(SessionClosed, match="this program closed it"):
            session.send_realtime_input(text="late")


def test_close_while_an_attempt_is_under_way_ends_it() -> None:
    reached, over = threading.Event(), threading.Event()
    service = Service(dropped_with("h1"))

    def handler(connection: ServerConnection) -> None:
        if service.setups:
            reached.set()
            over.wait(PATIENCE)
            return
        service(connection)

    with live_server(handler) as url:
        session = client_of(url).live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE)
        assert reached.wait(PATIENCE)
        session.close(timeout=0.2)
        over.set()
        assert session.close_info is not None
        assert session.close_info.sent_by is SentBy.CLIENT


@pytest.mark.parametrize("shared_reader", [False, True])
def test_a_callback_hears_of_both_and_may_send_and_close_but_not_receive(shared_reader: bool) -> None:
    heard: list[str] = []
    closed = threading.Event()

    def second(connection: ServerConnection) -> None:
        service.read(connection)
        service.read(connection)
        wait_until_closed(connection)

    def on_message(each: types.LiveServerMessage) -> None:
        heard.extend(kinds([each]))
        if each.reconnecting is not None:
            with pytest.raises(WrongThread):
                session.collect()
            session.send_realtime_input(text="during")
        if each.reconnected is not None:
            session.send_realtime_input(text="after")
            session.close()

    service = Service(lambda connection: (ready.wait(PATIENCE), dropped_with("h1")(connection)), second)
    ready = threading.Event()
    with live_server(service) as url:
        client = client_of(url, shared_reader=shared_reader)
        callbacks = LiveCallbacks(on_message=on_message, on_close=lambda info: closed.set())
        session = client.live.connect(model=MODEL, reconnect=QUICK, callbacks=callbacks, timeout=PATIENCE)
        ready.set()
        assert closed.wait(PATIENCE)
        until(lambda: len(service.received) == 2)
    assert heard == ["handle", "reconnecting", "reconnected"]
    assert service.texts == ["during", "after"]


def test_close_in_the_callback_that_hears_of_the_drop_ends_the_session() -> None:
    closed: queue.Queue[CloseInfo] = queue.Queue()
    ready = threading.Event()

    def on_message(each: types.LiveServerMessage) -> None:
        if each.reconnecting is not None:
            session.close()

    service = Service(lambda connection: (ready.wait(PATIENCE), dropped_with("h1")(connection)))
    with live_server(service) as url:
        callbacks = LiveCallbacks(on_message=on_message, on_close=closed.put)
        session = client_of(url).live.connect(model=MODEL, reconnect=QUICK, callbacks=callbacks, timeout=PATIENCE)
        ready.set()
        assert closed.get(timeout=PATIENCE).clean
    assert len(service.setups) == 1


def test_on_open_is_called_once_and_on_close_once_however_many_connections_there_were() -> None:
    told: list[str] = []
    callbacks = LiveCallbacks(on_open=lambda: told.append("open"), on_close=lambda info: told.append("close"))
    with session_over(dropped_with("h1"), dropped_with("h2"), wait_until_closed, callbacks=callbacks) as (session, _):
        received_until(session, "reconnected")
        received_until(session, "reconnected")
    assert told == ["open", "close"]


def test_usage_and_counters_go_on_over_all_connections() -> None:
    def leg(connection: ServerConnection) -> None:
        connection.send(message(usageMetadata={"totalTokenCount": 5}))
        dropped_with("h1")(connection)

    with session_over(leg, leg, wait_until_closed) as (session, _):
        received_until(session, "reconnected")
        received_until(session, "reconnected")
        assert session.usage is not None
        assert session.usage.total_token_count == 10
        assert session.stats.messages_sent == 3
        assert session.stats.bytes_received > 3 * len(SETUP_COMPLETE)


def test_finish_without_a_connection_returns_within_its_time() -> None:
    policy = ReconnectPolicy(first_pause=PATIENCE * 2, give_up_after=PATIENCE * 4)
    with session_over(dropped_with("h1"), reconnect=policy) as (session, _):
        received_until(session, "reconnecting")
        session.finish(timeout=0.1)
        assert session.close_info is not None
        assert session.close_info.phase in (Phase.SETUP, Phase.CLOSING)


def test_credentials_are_fetched_anew_for_every_connection() -> None:
    keys: list[str] = []

    class Rotating:
        def headers(self, deadline: object) -> dict[str, str]:
            keys.append(f"key-{len(keys)}")
            return {"x-goog-api-key": keys[-1]}

    seen: list[str] = []
    service = Service(dropped_with("h1"), wait_until_closed)

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.headers["x-goog-api-key"])
        service(connection)

    with live_server(handler) as url:
        live = Live(ApiClient(http_options={"base_url": url}), auth=Rotating())  # type: ignore[arg-type]
        with live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE) as session:
            received_until(session, "reconnected")
    assert seen == ["key-0", "key-1"]


def test_a_session_that_finds_no_thread_to_reconnect_on_ends_as_its_connection_did(monkeypatch: pytest.MonkeyPatch) -> None:
    start, may_drop = threading.Thread.start, threading.Event()

    def none_left(thread: threading.Thread) -> None:
        if thread.name.startswith("genai-live-reader"):
            raise RuntimeError("can't start new thread")
        start(thread)

    def first(connection: ServerConnection) -> None:
        may_drop.wait(PATIENCE)
        dropped_with("h1")(connection)

    with session_over(first) as (session, _):
        monkeypatch.setattr(threading.Thread, "start", none_left)
        may_drop.set()
        with pytest.raises(ConnectionLost):
            received_until(session, "reconnected")
        assert session.close_info is not None
        assert session.close_info.sent_by is SentBy.NETWORK


def test_a_callback_of_an_end_that_a_dialling_thread_finds_may_close_the_session_without_waiting_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two attempts the first is refused on the thread that dials, and for the second there is no thread."""
    start, may_drop, waited = threading.Thread.start, threading.Event(), queue.SimpleQueue[float]()
    attempts = iter([True])

    def one_left(thread: threading.Thread) -> None:
        if thread.name == "genai-live-dial" and not next(attempts, False):
            raise RuntimeError("can't start new thread")
        start(thread)

    def leg(connection: ServerConnection) -> None:
        may_drop.wait(PATIENCE)
        dropped_with("h1")(connection)

    def on_close(_: object) -> None:
        began = time.monotonic()
        session.close(timeout=PATIENCE)
        waited.put(time.monotonic() - began)

    with live_server(Service(leg)) as url:
        client = client_of(url, shared_reader=True)
        callbacks = {"on_close": on_close}
        session = client.live.connect(model=MODEL, reconnect=QUICK, timeout=PATIENCE, callbacks=callbacks)
        monkeypatch.setattr(threading.Thread, "start", one_left)
        monkeypatch.setattr(Dialler, "open", unreachable)
        may_drop.set()
        assert waited.get(timeout=2 * PATIENCE) < PATIENCE / 2


def unreachable(self: Dialler, *_: object) -> None:
    raise self.failure(TransportLost("no route to host"), Phase.DIALLING)


def test_what_a_sender_is_told_first_the_session_says_too() -> None:
    """An end that is final, seen by a sender while the reader, who will tell everybody else, is inside a callback."""
    in_callback, go_on = threading.Event(), threading.Event()

    def on_message(_: types.LiveServerMessage) -> None:
        in_callback.set()
        go_on.wait(PATIENCE)

    def leg(connection: ServerConnection) -> None:
        connection.send(text_part("hold"))
        wait_until_closed(connection)

    with live_server(Service(leg)) as url:
        session = client_of(url).live.connect(model=MODEL, callbacks={"on_message": on_message}, reconnect=QUICK)
        assert in_callback.wait(PATIENCE)
        connection: Any = session._connection
        connection._connection.abort("Ctrl-C in the middle of a frame")  # what a send that was interrupted does
        with pytest.raises(SessionClosed) as raised:
            session.send_text("x")
        assert session.close_info == raised.value.close_info
        go_on.set()
        session.close()
        assert session.close_info == raised.value.close_info
