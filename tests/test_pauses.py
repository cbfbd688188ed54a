"""Reading pauses while too much waits to be received; what a read brought beyond that stays where it is, and nothing is lost.

One segment holds hundreds of small frames here: the first few fill the queue, the others lie behind them, and no byte follows
that would wake a reader.
"""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Session, errors, types
from genai_live._connection.inbox import ITEM_BYTES
from tests.processes import run
from tests.raw_peer import BINARY, CLOSE, CONTINUATION, PING, PONG, Peer, beside, close_frame, door, frame, opened
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, client_of, message, raw_server, text_part
from tests.waiting import until

QUEUE = 20_000
COUNT = 400
"""Ten times what fits into the queue, more than is cut from the bytes of a read at once, and less than the system takes at once:
a reset would discard the rest."""
WORDS = [f"{number}" for number in range(COUNT)]
BURST = b"".join(frame(BINARY, text_part(word)) for word in WORDS)
SMALL = {"queue_bytes": QUEUE}
TLS_AND_READER = [(False, False), (True, False), (False, True), (True, True)]


def pauses(session: Session) -> None:
    """Waits until the reader has paused, and has found that it has to stay so."""
    delivery = session._connection.delivery
    until(lambda: delivery.paused and session._connection._connection.registered == 0)


@contextmanager
def paused(*behind: bytes, **options: Any) -> Iterator[tuple[Session, Peer]]:
    """A session whose reader has paused within one burst of texts; ``behind`` came with it."""
    with opened(http_options={**SMALL, **options.pop("http_options", {})}, **options) as (session, peer):
        peer.send(BURST + b"".join(behind))
        pauses(session)
        yield session, peer


def words_of(session: Session, count: int = COUNT) -> list[str]:
    received = iter(session)
    return [next(received).text or "" for _ in range(count)]


def connection_of(session: Session) -> Any:
    return session._connection._connection


@pytest.mark.parametrize(("tls", "shared_reader"), TLS_AND_READER)
def test_what_one_read_brought_beyond_the_bound_waits_and_is_delivered_without_another_byte(
    tls: bool, shared_reader: bool
) -> None:
    with paused(tls=tls, shared_reader=shared_reader) as (session, _):
        assert session.stats.waiting_bytes < QUEUE + 2 * ITEM_BYTES
        assert words_of(session) == WORDS
        until(lambda: not session._connection.delivery.paused)  # the reader looks when the last one was taken


def test_tiny_messages_of_one_read_stop_at_the_bound_too() -> None:
    with opened(http_options=SMALL) as (session, peer):
        peer.send(frame(BINARY, b"{}") * 8_000 + frame(BINARY, TURN_COMPLETE))
        pauses(session)
        assert session.stats.waiting_bytes < QUEUE + 2 * ITEM_BYTES
        assert len(list(session.receive(PATIENCE))) == 8_001


def test_a_message_in_fragments_behind_the_pause_comes_whole() -> None:
    pieces = [frame(BINARY, text_part("whole")[:9], fin=False), frame(PING), frame(CONTINUATION, text_part("whole")[9:])]
    with paused(*pieces) as (session, _):
        assert words_of(session, COUNT + 1)[-1] == "whole"


def test_half_a_frame_behind_the_pause_is_completed_by_a_later_read() -> None:
    whole = frame(BINARY, text_part("x" * 10_000))
    with paused(whole[:5_000]) as (session, peer):
        assert words_of(session) == WORDS
        peer.send(whole[5_000:])
        assert words_of(session, 1) == ["x" * 10_000]


def test_the_other_sessions_of_a_shared_reader_go_on() -> None:
    with door() as entrance:
        client = client_of(entrance.url, shared_reader=True, **SMALL)
        sessions, peers = [], []
        for _ in range(2):
            connecting = beside(client.live.connect, model=MODEL)
            peers.append(entrance.accept())
            peers[-1].open()
            sessions.append(connecting.result(PATIENCE))
        peers[0].send(BURST)
        pauses(sessions[0])
        peers[1].send(BURST[: len(BURST) // 8])
        assert words_of(sessions[1], COUNT // 10) == WORDS[: COUNT // 10]
        assert words_of(sessions[0]) == WORDS
        for session in sessions:
            session.close(0.0)


# The end behind the pause.


@pytest.mark.parametrize("tls", [False, True])
def test_a_close_frame_behind_the_pause_is_told_after_what_came_before_it(tls: bool) -> None:
    told: list[Any] = []
    with paused(close_frame(1011, "enough"), tls=tls, callbacks={"on_close": told.append}) as (session, _):
        assert session.close_info is None
        assert words_of(session) == WORDS
        with pytest.raises(errors.ClosedByServer, match="enough"):
            next(iter(session))
        until(lambda: told == [session.close_info])


def test_a_turn_and_a_polite_close_behind_the_pause_are_a_quiet_end() -> None:
    with paused(frame(BINARY, TURN_COMPLETE), close_frame(1000)) as (session, _):
        assert len(list(session)) == COUNT + 1
        assert session.close_info is not None
        assert session.close_info.clean


def test_the_end_of_the_stream_behind_the_pause_is_told_after_what_came_before_it() -> None:
    with paused() as (session, peer):
        peer.end()
        assert words_of(session) == WORDS
        with pytest.raises(errors.ConnectionLost):
            next(iter(session))


def test_a_broken_frame_behind_the_pause_ends_the_session_there() -> None:
    with paused(b"\x83\x00", frame(BINARY, text_part("never"))) as (session, _):
        assert words_of(session) == WORDS
        with pytest.raises(errors.ConnectionLost, match="unknown kind 0x3"):
            next(iter(session))


def send_until_it_fails(session: Session) -> None:
    while True:
        session.send_realtime_input(audio=bytes(3200))


@pytest.mark.parametrize("shared_reader", [False, True])
def test_a_write_that_fails_finds_the_reason_behind_the_pause_and_loses_nothing(shared_reader: bool) -> None:
    told: list[Any] = []
    last_words = close_frame(1011, "last words")
    with paused(last_words, shared_reader=shared_reader, callbacks={"on_close": told.append}) as (session, peer):
        peer.reset()
        error = beside(send_until_it_fails, session).exception(PATIENCE)
        assert isinstance(error, errors.ClosedByServer)
        assert error.reason == "last words"
        until(lambda: session.close_info is not None)
        assert session.stats.waiting_bytes < QUEUE + 2 * ITEM_BYTES
        assert told == []
        assert words_of(session) == WORDS
        with pytest.raises(errors.ClosedByServer, match="last words"):
            next(iter(session))
        until(lambda: told == [session.close_info])


def test_a_write_that_fails_while_reading_pauses_reads_ahead_within_the_bound() -> None:
    queue, flood = 1_000_000, frame(BINARY, b"{}") * 2_000_000
    with opened(http_options={"queue_bytes": queue}) as (session, peer):
        tracemalloc.start()
        try:
            flooding = beside(peer.send, flood)
            pauses(session)
            connection_of(session)._write_failure = "a failure of the test's own"
            connection_of(session).attend_soon()
            until(lambda: session.close_info is not None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * queue
        session.close()
        assert flooding.exception(PATIENCE) is not None


def test_an_end_that_waits_for_a_receiver_keeps_no_thread_when_the_session_is_dropped() -> None:
    with door() as entrance:
        connecting = beside(client_of(entrance.url, **SMALL).live.connect, model=MODEL)
        peer = entrance.accept()
        peer.open()
        session = connecting.result(PATIENCE)
        del connecting
        peer.send(BURST + close_frame(1011, "last words"))
        pauses(session)
        peer.reset()
        assert beside(send_until_it_fails, session).exception(PATIENCE) is not None
        connection = connection_of(session)
        until(lambda: connection.close_info is not None)
        assert not connection.ended.is_set()
        del session
        until(lambda: gc.collect() >= 0 and connection.ended.is_set())


# The end by this program.


@pytest.mark.parametrize(("tls", "shared_reader"), TLS_AND_READER)
def test_close_while_reading_pauses_hears_the_answer_and_keeps_what_the_queue_holds(tls: bool, shared_reader: bool) -> None:
    with paused(tls=tls, shared_reader=shared_reader) as (session, peer):
        waiting = session.stats.waiting_messages
        closing = beside(session.close, PATIENCE)
        assert peer.read_close()[0] == 1000
        peer.send(close_frame(1000))
        closing.result(PATIENCE)
        received = [each.text for each in session]
        assert waiting <= len(received) < COUNT
        assert received == WORDS[: len(received)]


def test_close_under_a_flood_keeps_the_bound() -> None:
    with opened(http_options=SMALL) as (session, peer):
        flooding = beside(peer.send, frame(BINARY, b"{}") * 10_000_000)
        pauses(session)
        session.close(0.5)
        assert session.stats.waiting_bytes < QUEUE + 2 * ITEM_BYTES
        assert flooding.exception(PATIENCE) is not None


def test_close_after_a_write_has_failed_waits_for_no_receiver() -> None:
    with paused(close_frame(1011)) as (session, peer):
        peer.reset()
        assert beside(send_until_it_fails, session).exception(PATIENCE) is not None
        started = time.monotonic()
        session.close(PATIENCE)
        assert time.monotonic() - started < PATIENCE / 4
        assert connection_of(session).ended.is_set()


def test_finish_while_reading_pauses_waits_for_the_turn_that_lies_behind() -> None:
    with opened(http_options=SMALL) as (session, peer):
        session.send_client_content(turns="well?")
        peer.send(BURST)
        pauses(session)
        finishing = beside(session.finish, PATIENCE)
        peer.send(frame(BINARY, TURN_COMPLETE))
        received = iter(session)
        assert [next(received).text for _ in range(COUNT)] == WORDS
        assert next(received).ends_turn
        assert peer.read_close()[0] == 1000
        peer.send(close_frame(1000))
        finishing.result(PATIENCE)


# Time.


@pytest.mark.waits
def test_a_ping_behind_the_pause_is_answered_in_its_place_and_the_pause_is_no_silence() -> None:
    limit = 0.4
    with paused(frame(PING, b"?"), http_options={"ping_interval": limit / 4, "silence_limit": limit}) as (session, peer):
        assert not connection_of(session).ended.wait(3 * limit)
        assert session.close_info is None
        answer = beside(first_pong, peer)
        threading.Event().wait(limit / 4)
        assert not answer.done()
        assert words_of(session) == WORDS
        assert answer.result(PATIENCE) == b"?"


def first_pong(peer: Peer) -> bytes:
    while True:
        opcode, payload = peer.read_frame()
        assert opcode != CLOSE
        if opcode == PONG:
            return payload
        if opcode == PING:
            peer.send(frame(PONG, payload))


def test_a_go_away_behind_the_pause_is_followed_when_all_before_it_was_received() -> None:
    update = message(sessionResumptionUpdate={"newHandle": "handle", "resumable": True})
    with door() as entrance:
        connecting = beside(client_of(entrance.url, **SMALL).live.connect, model=MODEL, reconnect=True)
        peer = entrance.accept()
        peer.open()
        with connecting.result(PATIENCE) as session:
            going_away = frame(BINARY, TURN_COMPLETE) + frame(BINARY, message(goAway={"timeLeft": "50s"}))
            peer.send(frame(BINARY, update) + BURST + going_away)
            pauses(session)
            received = iter(session)
            assert next(received).session_resumption_update is not None
            assert [next(received).text for _ in range(COUNT)] == WORDS
            assert next(received).ends_turn
            assert next(received).go_away is not None
            assert peer.read_close()[0] == 1000
            peer.send(close_frame(1000))
            peer.at_end()
            entrance.accept().open()
            assert next(received).reconnecting is not None
            assert next(received).reconnected is not None


def test_a_connection_whose_go_away_was_read_is_not_left_while_what_follows_it_lies_unread() -> None:
    update = message(sessionResumptionUpdate={"newHandle": "handle", "resumable": True})
    begun = [frame(BINARY, each) for each in (update, text_part("begun"), message(goAway={"timeLeft": "0s"}))]
    with door() as entrance:
        connecting = beside(client_of(entrance.url, **SMALL).live.connect, model=MODEL, reconnect=True)
        peer = entrance.accept()
        peer.open()
        with connecting.result(PATIENCE) as session:
            peer.send(b"".join(begun) + BURST + frame(BINARY, TURN_COMPLETE))
            pauses(session)
            received = iter(session)
            texts = [next(received).text for _ in range(COUNT + 3)]
            assert texts[-COUNT:] == WORDS
            assert next(received).ends_turn
            assert peer.read_close()[0] == 1000
            peer.send(close_frame(1000))
            peer.at_end()
            entrance.accept().open()
            assert next(received).reconnecting is not None


# Callbacks.


def test_a_callback_sees_all_of_a_burst_and_the_reader_never_pauses() -> None:
    seen: list[str] = []
    with opened(http_options=SMALL, callbacks={"on_message": lambda each: seen.append(each.text or "")}) as (session, peer):
        peer.send(BURST)
        until(lambda: len(seen) == COUNT)
        assert seen == WORDS
        assert not session._connection.delivery.paused


def test_an_executor_that_is_behind_pauses_within_a_burst_and_sees_all_of_it() -> None:
    release = threading.Event()
    seen: list[str] = []

    def on_message(each: types.LiveServerMessage) -> None:
        release.wait(PATIENCE)
        seen.append(each.text or "")

    with ThreadPoolExecutor(1) as pool, paused(callbacks={"on_message": on_message, "executor": pool}) as (session, _):
        assert session._connection.dispatcher.waiting_bytes < QUEUE + 2 * ITEM_BYTES
        release.set()
        until(lambda: len(seen) == COUNT)
        assert seen == WORDS


def test_a_callback_that_asks_the_network_in_vain_leaves_the_rest_of_a_burst_to_be_seen() -> None:
    held: list[Session] = []
    seen: list[str] = []
    ready = threading.Event()

    def on_message(each: types.LiveServerMessage) -> None:
        ready.wait(PATIENCE)
        seen.append(each.text or "")
        if len(seen) == 1:
            with pytest.raises(errors.ClosedByServer, match="in between"):
                send_until_it_fails(held[0])

    with opened(http_options=SMALL, callbacks={"on_message": on_message}) as (session, peer):
        held.append(session)
        peer.send(BURST + close_frame(1011, "in between"))
        peer.reset()
        ready.set()
        assert connection_of(session).ended.wait(PATIENCE)
        assert seen == WORDS


# Processes.


def test_a_fork_while_reading_pauses_leaves_the_parent_all_of_it() -> None:
    pytest.importorskip("fcntl", reason="there is no fork here")

    def handler(connection: Any) -> None:
        peer = Peer(connection)
        peer.open(BURST)
        peer.at_end()

    body = f"""
faulthandler.cancel_dump_traceback_later()
client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "queue_bytes": {QUEUE}}})
session = connect()
wait_for(lambda: session._connection.delivery.paused)
child = os.fork()
if child == 0:
    try:
        next(iter(session))
    except errors.ForkedSession:
        session.close()
        os._exit(7)
    os._exit(1)
tell(child=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
received = iter(session)
tell(texts=[next(received).text for _ in range({COUNT})] == [str(number) for number in range({COUNT})])
session.close(timeout=0)
"""
    with raw_server(handler) as url:
        outcome = run(body, url, flags=("-W", "ignore::DeprecationWarning"))
    assert (outcome.stderr.replace("messages of", "").startswith(f" {QUEUE} bytes"), outcome.code) == (True, 0)
    assert outcome.told == {"child": 7, "texts": True}


def test_a_child_that_a_callback_forks_within_a_burst_takes_no_bytes_of_the_parent() -> None:
    pytest.importorskip("fcntl", reason="there is no fork here")
    many = 60_000

    def handler(connection: Any) -> None:
        peer = Peer(connection)
        peer.open(b"".join(frame(BINARY, text_part(str(number))) for number in range(many)))
        peer.at_end()

    body = f"""
reader, writer = os.pipe()
faulthandler.cancel_dump_traceback_later()
seen = []

def on_message(message):
    seen.append(message.text)
    if message.text == "1000" and os.fork() == 0:
        os.write(writer, b"child")
        os.close(writer)

session = connect(callbacks={{"on_message": on_message}})
wait_for(lambda: len(seen) > 1000)
os.close(writer)
with open(reader, "rb") as pipe:
    tell(child=pipe.read().decode())  # up to its end: the child is gone
wait_for(lambda: len(seen) == {many})
tell(seen=seen == [str(number) for number in range({many})])
session.close(timeout=0)
"""
    with raw_server(handler) as url:
        outcome = run(body, url, flags=("-W", "ignore::DeprecationWarning"))
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {"child": "child", "seen": True}
