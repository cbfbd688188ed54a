"""Whole frames out and messages in, over sockets that are full, broken, closing, interrupted, many, or all at once."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from genai_live import Session, _deadline, errors
from genai_live._connection import connection as connection_module
from genai_live._deadline import Deadline
from genai_live._network import frames
from genai_live._network import transport as transport_module
from genai_live._network.transport import Transport, TransportLost, WriteTimedOut
from genai_live.types import LiveServerMessage
from tests.raw_peer import BINARY, CLOSE, PING, PONG, TEXT, Peer, beside, close_frame, frame, opened
from tests.servers import PATIENCE, TURN_COMPLETE, live_server, message, session_with, text_part
from tests.striking import struck_at

BIG = bytes(range(256)) * 8_000
"""Two megabytes: more than a socket pair takes at once."""


@contextmanager
def pair(wrapped: Callable[[socket.socket], Any] = lambda sock: sock) -> Iterator[tuple[Transport, Peer, threading.Event]]:
    """A transport, its peer, and the event that the reader would be woken by."""
    ours, theirs = socket.socketpair()
    wanted = threading.Event()
    websocket: Any = SimpleNamespace(sock=wrapped(ours))
    with ours, theirs:
        yield Transport(websocket, 1 << 30, wanted.set), Peer(theirs), wanted


def text(payload: bytes) -> bytes:
    return frames.frame(TEXT, payload)


SOON = 0.2
"""Seconds of limits that are meant to pass."""


# Writing.


def test_a_frame_that_the_socket_takes_in_pieces_arrives_whole() -> None:
    with pair() as (transport, peer, _):
        writing = beside(transport.write, text(BIG), PATIENCE)
        assert peer.read_frame() == (TEXT, BIG)
        writing.result(PATIENCE)
        assert transport.messages_written == 1
        assert transport.waiting_bytes == 0


def test_a_peer_that_does_not_read_ends_a_write_at_its_limit() -> None:
    with pair() as (transport, _, _), pytest.raises(WriteTimedOut, match="has not read"):
        transport.write(text(BIG), SOON)


def test_a_deadline_ends_the_wait_alone_and_the_rest_of_the_frame_is_written_later() -> None:
    with pair() as (transport, peer, wanted):
        with pytest.raises(TimeoutError):
            transport.write(text(BIG), PATIENCE, Deadline(SOON))
        assert wanted.is_set()
        assert transport.wants_flush
        writing = beside(transport.write, text(b"next"), PATIENCE)
        assert [peer.read_frame()[1] for _ in range(2)] == [BIG, b"next"]
        writing.result(PATIENCE)


def test_a_writer_that_waits_for_another_has_a_limit_too() -> None:
    with pair() as (transport, peer, _):
        first = beside(transport.write, text(BIG), PATIENCE)
        wait_until(lambda: transport._writing)
        with pytest.raises(WriteTimedOut, match="another thread"):
            transport.write(text(b"second"), SOON)
        assert peer.read_frame() == (TEXT, BIG)
        first.result(PATIENCE)


class NotesWaits:
    """The send lock, and the seconds for which it was waited for."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.waits: list[float] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking:
            self.waits.append(timeout)
        return bool(self.lock.acquire(blocking, timeout))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lock, name)


@pytest.mark.parametrize("seconds", [0.1, None])
def test_the_wait_for_another_threads_frame_is_one_that_ctrl_c_ends_on_windows_too(
    seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it interrupts no wait for a lock, so that every one is short."""
    monkeypatch.setattr(_deadline, "WAIT_SLICE", 0.01)
    with pair() as (transport, peer, _):
        noted = transport._send_lock = NotesWaits(transport._send_lock)  # type: ignore[assignment]
        first = beside(transport.write, text(BIG), PATIENCE)
        wait_until(lambda: transport._writing)
        second = beside(transport.write, text(b"second"), seconds)
        wait_until(lambda: len(noted.waits) > 3)
        if seconds is None:
            assert [peer.read_frame()[1] for _ in range(2)] == [BIG, b"second"]
            second.result(PATIENCE)
        else:
            assert isinstance(second.exception(PATIENCE), WriteTimedOut)
            peer.read_frame()
        first.result(PATIENCE)
        assert all(0 <= each <= 0.01 for each in noted.waits)


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.002)):
        if true():
            return
        pause.wait(0.002)
    raise AssertionError("it did not come true")


def test_write_soon_never_blocks_and_what_is_left_goes_out_with_a_flush() -> None:
    with pair() as (transport, peer, wanted):
        for number in range(4):
            transport.write_soon(text(BIG + bytes([number])))
        assert wanted.is_set()
        assert transport.wants_flush
        reading = beside(lambda: [peer.read_frame()[1][-1] for _ in range(4)])
        while transport.wants_flush:
            transport.flush()
        assert reading.result(PATIENCE) == [0, 1, 2, 3]


def test_what_was_to_go_soon_goes_before_what_comes_later() -> None:
    with pair() as (transport, peer, _):
        transport.write_soon(text(BIG))
        transport.write_soon(text(b"second"))
        writing = beside(transport.write, text(b"third"), PATIENCE)
        assert [peer.read_frame()[1] for _ in range(3)] == [BIG, b"second", b"third"]
        writing.result(PATIENCE)


class AtOnce:
    """An opening that does something just before the first byte of its frame."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.written = act
        self.was_withdrawn = False

    def withdrawn(self) -> None:
        self.was_withdrawn = True


@pytest.mark.parametrize("way", ["write", "write_soon"])
def test_a_frame_that_went_out_is_not_refused_for_one_behind_it_that_did_not(way: str) -> None:
    with pair() as (transport, peer, wanted):
        lost = AtOnce(transport.shut)
        behind = lambda: beside(transport.write_soon, text(b"behind"), lost).result(PATIENCE)  # noqa: E731
        opening = AtOnce(behind)
        if way == "write":
            assert transport.write(text(b"first"), PATIENCE, None, opening)
        else:
            with pytest.raises(TransportLost):
                transport.write_soon(text(b"first"), opening)
            assert len(transport.unwritten) == 1
        assert peer.read_frame() == (TEXT, b"first")
        assert not opening.was_withdrawn
        assert wanted.is_set(), "the reader is asked to write, and meets the loss"


def test_the_reader_has_nothing_to_flush_while_a_writer_is_at_it() -> None:
    """Else it would spin: the socket is writable again and again, and the writer's lock is taken."""
    with pair() as (transport, peer, _):
        writing = beside(transport.write, text(BIG), PATIENCE)
        wait_until(lambda: transport.waiting_bytes > 0)
        assert not transport.wants_flush
        transport.write_soon(text(b"pong"))
        assert not transport.wants_flush
        assert [peer.read_frame()[1] for _ in range(2)] == [BIG, b"pong"]
        writing.result(PATIENCE)


def test_no_frame_follows_a_close_frame() -> None:
    with pair() as (transport, peer, _):
        transport.write(frames.close_frame(1000), PATIENCE)
        with pytest.raises(TransportLost, match="Close frame"):
            transport.write(text(b"late"), PATIENCE)
        with pytest.raises(TransportLost, match="Close frame"):
            transport.write_soon(text(b"late"))
        with pytest.raises(TransportLost, match="Close frame"):
            transport.write(frames.close_frame(1002), PATIENCE)
        transport.shut()
        assert peer.read_frame()[0] == CLOSE
        assert peer.socket.recv(10) == b""


def test_shut_wakes_a_writer_that_waits() -> None:
    with pair() as (transport, _, _):
        writing = beside(transport.write, text(BIG), PATIENCE)
        wait_until(lambda: transport.waiting_bytes > 0)
        transport.shut()
        assert isinstance(writing.exception(PATIENCE), TransportLost)


def test_a_socket_that_is_closed_under_a_writer_is_a_loss_and_no_os_error() -> None:
    with pair() as (transport, _, _):
        writing = beside(transport.write, text(BIG), PATIENCE)
        wait_until(lambda: transport.waiting_bytes > 0)
        transport.release()
        assert isinstance(writing.exception(PATIENCE), TransportLost)
        with pytest.raises(TransportLost):
            transport.write(text(b"x"), PATIENCE)


def test_no_descriptor_for_waiting_is_a_loss_and_no_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> Any:
        raise OSError(24, "Too many open files")

    with pair() as (transport, _, _):
        monkeypatch.setattr("selectors.DefaultSelector", none_left)
        with pytest.raises(TransportLost, match="Too many open files"):
            transport.write(text(BIG), PATIENCE)


# Ctrl-C.


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent with os.kill")
@pytest.mark.parametrize("sends_again", [True, False])
def test_ctrl_c_in_a_send_that_waits_comes_at_once_and_leaves_whole_frames(
    sends_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    write_slowly = Transport._write_slowly

    def seen(transport: Transport, patience: Any) -> bool:
        waiting.set()
        return write_slowly(transport, patience)

    monkeypatch.setattr(Transport, "_write_slowly", seen)
    with opened(receive_buffer=4096) as (session, peer):
        interrupting = beside(interrupt_after, waiting)
        with pytest.raises(KeyboardInterrupt):
            session.send_client_content(turns="x" * 8_000_000)
        interrupting.result(PATIENCE)
        sending = beside(session.send_client_content, turns="after") if sends_again else None
        assert len(peer.read_message()["clientContent"]["turns"][0]["parts"][0]["text"]) == 8_000_000
        if sending is not None:
            assert peer.read_message()["clientContent"]["turns"][0]["parts"][0]["text"] == "after"
            sending.result(PATIENCE)
        assert session.close_info is None


def interrupt_after(waiting: threading.Event) -> None:
    assert waiting.wait(PATIENCE)
    threading.Event().wait(0.02)  # from here on the sender is inside its wait
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interruption_between_the_system_call_and_its_record_ends_the_connection() -> None:
    """How many bytes went out is not known then, so anything that followed might be read as part of the frame."""

    class Interrupted:
        """A socket whose ``send`` is not one step of C: OpenSSL's, say, or a patched one."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock
            self.interrupt = True

        def __getattr__(self, name: str) -> Any:
            return getattr(self.sock, name)

        def send(self, data: Any) -> int:
            sent = self.sock.send(data)
            if self.interrupt:
                self.interrupt = False
                raise KeyboardInterrupt
            return sent

    with pair(Interrupted) as (transport, _, _):
        with pytest.raises(KeyboardInterrupt):
            transport.write(text(b"one"), PATIENCE)
        assert transport.interrupted
        with pytest.raises(TransportLost, match="interrupted"):
            transport.write(text(b"two"), PATIENCE)


class Noted:
    """An opening that notes what it is told."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.is_written = False
        self.then = then

    def written(self) -> None:
        self.is_written = True
        self.then()

    def withdrawn(self) -> None:
        self.is_written = False


def test_ctrl_c_at_any_line_of_a_write_leaves_whole_frames_keeps_nobody_out_and_tells_what_went_out() -> None:
    line = 0
    with pair() as (transport, peer, _):
        while True:
            line += 1
            noted = Noted()
            struck = struck_at(line, transport_module, partial(transport.write, text(b"struck"), PATIENCE, None, noted))
            beside(transport.write, text(b"next"), PATIENCE).result(PATIENCE)
            arrived = peer.read_frame()[1]
            assert (arrived == b"struck") == noted.is_written
            assert arrived == b"next" or peer.read_frame()[1] == b"next"
            if not struck:
                break
    assert line > 20


def test_ctrl_c_at_any_line_of_a_flush_loses_no_frame_that_waits() -> None:
    line = 0
    with pair() as (transport, peer, _):
        while True:
            line += 1
            transport._soon.extend(((text(b"one"), None), (text(b"two"), None)))
            struck = struck_at(line, transport_module, transport.flush)
            beside(transport.write, text(b"next"), PATIENCE).result(PATIENCE)
            assert [peer.read_frame()[1] for _ in range(3)] == [b"one", b"two", b"next"]
            if not struck:
                break
    assert line > 20


def test_a_signal_handler_that_writes_while_its_own_thread_does_is_written_next() -> None:
    inner = Noted()
    with pair() as (transport, peer, _):
        outer = Noted(lambda: transport.write(text(b"from the handler"), PATIENCE, None, inner))
        transport.write(text(b"one"), PATIENCE, None, outer)
        assert [peer.read_frame()[1] for _ in range(2)] == [b"one", b"from the handler"]
    assert inner.is_written


class Interrupted:
    """A lock with Ctrl-C behind its ``acquire``, and, in a ``with``, before it is let go."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.interrupt = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lock, name)

    def acquire(self, *arguments: Any, **named: Any) -> bool:
        taken = self.lock.acquire(*arguments, **named)
        if self.interrupt:
            raise KeyboardInterrupt
        return taken

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exception: object) -> None:
        if self.interrupt:
            raise KeyboardInterrupt
        self.lock.release()


def test_an_interruption_between_taking_the_lock_and_noting_it_keeps_no_other_writer_out() -> None:
    with pair() as (transport, peer, _):
        transport._send_lock = lock = Interrupted()  # type: ignore[assignment]
        transport._owns_send_lock = lock._is_owned
        with pytest.raises(KeyboardInterrupt):
            transport.write(text(b"one"), PATIENCE)
        transport._soon.append((text(b"two"), None))
        with pytest.raises(KeyboardInterrupt):
            transport.flush()
        lock.interrupt = False
        beside(transport.write, text(b"three"), PATIENCE).result(PATIENCE)
        assert [peer.read_frame()[1] for _ in range(2)] == [b"two", b"three"]
        assert not transport.interrupted


def test_an_interruption_before_the_socket_is_let_go_keeps_no_other_writer_out() -> None:
    """As Python 3.10 has it, where an exception is on its way already."""
    with pair() as (transport, peer, _):
        transport._call_lock = lock = Interrupted()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            transport.write(text(b"one"), PATIENCE)
        lock.interrupt = False
        beside(transport.write, text(b"two"), PATIENCE).result(PATIENCE)
        assert [peer.read_frame()[1] for _ in range(2)] == [b"one", b"two"]


# Reading.


def test_what_came_before_an_end_is_returned_before_the_end_is_known() -> None:
    with pair() as (transport, peer, _):
        peer.send(frame(TEXT, b"one") + frame(PING) + frame(TEXT, b"two"))
        peer.end()
        assert transport.read() == [(TEXT, b"one"), (PING, b""), (TEXT, b"two")]
        assert transport.failure is None
        assert transport.read() == []
        assert "without a Close frame" in str(transport.failure)


def test_a_violation_is_known_with_the_read_that_brought_it() -> None:
    """The server may send nothing more: whoever waited for another read would wait for ever."""
    with pair() as (transport, peer, _):
        peer.send(frame(TEXT, b"good") + b"\xff\xff")
        assert transport.read() == [(TEXT, b"good")]
        assert isinstance(transport.failure, frames.Violation)


def test_nothing_there_is_no_end() -> None:
    with pair() as (transport, _, _):
        assert transport.read() == []
        assert transport.failure is None


def test_a_violation_behind_a_good_message_ends_the_session_without_another_byte() -> None:
    with opened() as (session, peer):
        peer.send(frame(BINARY, text_part("good")) + b"\xc1\x01x")
        received = iter(session)
        assert next(received).text == "good"
        with pytest.raises(errors.ConnectionLost, match="reserved bit"):
            next(received)
        assert peer.read_close()[0] == 1002


def test_setup_complete_and_a_whole_turn_in_one_segment_are_all_delivered() -> None:
    turn = [frame(BINARY, text_part(text)) for text in "abc"]
    with opened(*turn, frame(BINARY, TURN_COMPLETE)) as (session, _):
        assert session.collect(PATIENCE).text == "abc"


def test_setup_complete_and_a_close_in_one_segment_are_both_told() -> None:
    with opened(frame(BINARY, text_part("a")), close_frame(1011, "Internal error encountered.")) as (session, _):
        received = iter(session)
        assert next(received).text == "a"
        with pytest.raises(errors.ClosedByServer) as raised:
            next(received)
        assert raised.value.code == 1011


@pytest.mark.parametrize("tls", [False, True])
def test_a_message_of_64_mib_comes_through_in_both_directions(tls: bool) -> None:
    limit = 64 * 1024 * 1024
    envelope = len(text_part(""))
    with opened(tls=tls) as (session, peer):
        sending = beside(peer.send, frame(BINARY, text_part("x" * (limit - envelope))))
        received = next(iter(session))
        assert len(received.text or "") == limit - envelope
        sending.result(PATIENCE)
        asking = beside(session.send_client_content, turns="y" * limit)
        assert len(peer.read_message()["clientContent"]["turns"][0]["parts"][0]["text"]) == limit
        asking.result(PATIENCE)


def test_a_message_one_byte_over_the_limit_is_told_as_what_it_is() -> None:
    with opened(http_options={"max_message_bytes": 1000}) as (session, peer):
        peer.send(frame(BINARY, b" " * 1000) + frame(BINARY, b" " * 1001))
        with pytest.raises(errors.ConnectionLost) as raised:
            list(session)
        error = raised.value
        assert (error.code, error.sent_by, error.retryable) == (1009, errors.SentBy.NETWORK, False)
        assert "a message of 1001 bytes" in error.reason
        assert "max_message_bytes" in error.advice
        assert peer.read_close()[0] == 1009


def test_pings_are_answered_with_their_payload_while_a_sender_waits() -> None:
    with opened(receive_buffer=4096) as (session, peer):
        sending = beside(session.send_client_content, turns="x" * 8_000_000)
        wait_until(lambda: session._sound.unsent_bytes() > 0)
        peer.send(frame(PING, b"are you there?"))
        assert len(peer.read_message()["clientContent"]["turns"][0]["parts"][0]["text"]) == 8_000_000
        assert peer.read_frame() == (PONG, b"are you there?")
        sending.result(PATIENCE)


def test_a_flood_of_pings_by_a_peer_that_does_not_read_takes_no_memory() -> None:
    with opened(receive_buffer=4096) as (session, peer):
        for _ in range(200):
            peer.send(frame(PING, b"x" * 125) * 200)
        peer.send(frame(BINARY, text_part("done")))
        assert next(iter(session)).text == "done"
        assert session._sound.unsent_bytes() < 200_000


# The server's last words, and a write that fails because of them.

LAST_WORDS = close_frame(1011, "Internal error encountered.")


def check_last_words(error: BaseException | None, session: Session) -> None:
    assert isinstance(error, errors.ClosedByServer), repr(error)
    assert (error.code, error.reason) == (1011, "Internal error encountered.")
    assert error.close_info is session.close_info


def send_until_it_fails(session: Session) -> None:
    while True:
        session.send_realtime_input(audio=bytes(3200))


def say_and_leave(peer: Peer) -> None:
    """A Close frame and RST: the client's next write fails, and the reason is in its receive buffer."""
    peer.send(LAST_WORDS)
    peer.reset()


def test_a_write_that_fails_tells_the_reason_of_the_servers_close() -> None:
    for _ in range(30):
        with opened() as (session, peer):
            sending = beside(send_until_it_fails, session)
            say_and_leave(peer)
            check_last_words(sending.exception(PATIENCE), session)


def socket_of(transport: Transport | None) -> socket.socket:
    assert transport is not None
    return transport._socket


def unread(sock: socket.socket) -> int:
    """Bytes that have arrived, up to a megabyte."""
    try:
        return len(sock.recv(1 << 20, socket.MSG_PEEK))
    except BlockingIOError:
        return 0


def test_the_reason_of_a_close_is_found_behind_messages_whose_callbacks_take_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, release = threading.Event(), threading.Event()
    taken: list[int] = []

    def on_message(message: LiveServerMessage) -> None:
        taken.append(int(message.text or ""))
        inside.set()
        release.wait(PATIENCE)
        hours = len(taken) * 3600.0
        monkeypatch.setattr(connection_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + hours))

    # Two reads at least: one takes an eighth of queue_bytes.
    count, options = 100, {"queue_bytes": 1 << 19}
    with opened(callbacks={"on_message": on_message}, http_options=options) as (session, peer):
        connection = session._connection._connection
        sock = socket_of(connection.transport)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        peer.send(frame(BINARY, text_part("0")))
        assert inside.wait(PATIENCE)
        waiting = b"".join(frame(BINARY, text_part(f"{number:1000}")) for number in range(1, count))
        peer.send(waiting)
        wait_until(lambda: unread(sock) == len(waiting))  # RST drops what has not arrived
        say_and_leave(peer)
        sending = beside(send_until_it_fails, session)
        wait_until(lambda: connection._write_failure != "")
        release.set()
        check_last_words(sending.exception(PATIENCE), session)
    assert taken == list(range(count))


def test_a_write_that_fails_while_the_reader_is_in_a_callback_waits_for_the_reason() -> None:
    inside, release = threading.Event(), threading.Event()

    def on_message(_: object) -> None:
        inside.set()
        release.wait(PATIENCE)

    with opened(callbacks={"on_message": on_message}) as (session, peer):
        peer.send(frame(BINARY, text_part("x")))
        assert inside.wait(PATIENCE)
        say_and_leave(peer)
        sending = beside(send_until_it_fails, session)
        wait_until(lambda: session._connection._connection._write_failure != "")
        release.set()
        check_last_words(sending.exception(PATIENCE), session)


def test_a_write_that_fails_while_the_reader_is_paused_finds_the_reason_behind_what_waits() -> None:
    """Nothing of what came before the Close frame is lost either."""
    count = 20
    with opened(http_options={"queue_bytes": 10_000}) as (session, peer):
        for number in range(count):
            peer.send(frame(BINARY, text_part(f"{number:1000}")))
        wait_until(lambda: session._connection.delivery.paused)
        say_and_leave(peer)
        check_last_words(beside(send_until_it_fails, session).exception(PATIENCE), session)
        received = iter(session)
        assert [int(next(received).text or "") for _ in range(count)] == list(range(count))
        with pytest.raises(errors.ClosedByServer):
            next(received)


@pytest.mark.parametrize("together", [True, False])
def test_a_write_that_fails_in_a_callback_tells_the_reason(together: bool) -> None:
    held: list[Session] = []
    raised: list[BaseException] = []
    ready, failed = threading.Event(), threading.Event()

    def on_message(_: object) -> None:
        ready.wait(PATIENCE)
        try:
            send_until_it_fails(held[0])
        except errors.SessionClosed as error:
            raised.append(error)
        failed.set()

    with opened(callbacks={"on_message": on_message}) as (session, peer):
        held.append(session)
        if together:  # the Close frame has been read already when the callback runs
            peer.send(frame(BINARY, text_part("x")) + LAST_WORDS)
        else:
            peer.send(frame(BINARY, text_part("x")))
            peer.send(LAST_WORDS)
        peer.reset()
        ready.set()
        assert failed.wait(PATIENCE)
        assert session._connection._connection.ended.wait(PATIENCE)
        check_last_words(raised[0], session)


def test_a_pong_that_cannot_be_written_loses_neither_messages_nor_the_reason() -> None:
    inside, release = threading.Event(), threading.Event()

    def on_message(_: object) -> None:
        inside.set()
        release.wait(PATIENCE)

    with opened(callbacks={"on_message": on_message}) as (session, peer):
        peer.send(frame(BINARY, text_part("first")))
        assert inside.wait(PATIENCE)
        peer.send(frame(PING, b"x") + frame(BINARY, text_part("second")) + LAST_WORDS)
        peer.reset()
        release.set()
        received = iter(session)
        assert [next(received).text for _ in range(2)] == ["first", "second"]
        with pytest.raises(errors.ClosedByServer) as raised:
            next(received)
        check_last_words(raised.value, session)


def test_sends_and_a_close_at_the_same_moment_are_sent_or_refused_and_never_follow_the_close_frame() -> None:
    for _ in range(20):
        with opened() as (session, peer):
            sent: list[int] = []
            sending = beside(count_sends, session, sent)
            wait_until(lambda sent=sent: len(sent) > 20)  # type: ignore[misc]
            closing = beside(session.close, PATIENCE)
            arrived = read_to_close(peer)
            peer.send(close_frame(1000))
            closing.result(PATIENCE)
            assert isinstance(sending.exception(PATIENCE), errors.SessionClosed)
            assert arrived == len(sent)


def count_sends(session: Session, sent: list[int]) -> None:
    while True:
        session.send_realtime_input(text="x")
        sent.append(1)


def read_to_close(peer: Peer) -> int:
    count = 0
    while True:
        opcode, _ = peer.read_frame()
        if opcode == CLOSE:
            peer.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.socket.recv(1)
            peer.socket.setblocking(True)
            return count
        count += 1


# Many descriptors.


@pytest.mark.skipif(sys.platform == "win32", reason="Windows numbers its sockets otherwise")
@pytest.mark.parametrize("tls", [False, True])
def test_descriptors_above_1023_work(tls: bool) -> None:
    """select() stops there; this library and what it stands on must not."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows no descriptors above 1023")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while taken[-1] < 1100:
            taken.append(os.dup(taken[0]))
        with session_with(tls=tls) as session:
            assert session.conn.fileno() > 1023
            assert session.ask("x" * 2_000_000, timeout=PATIENCE).text == "x" * 2_000_000
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# All at once.


@pytest.mark.parametrize("tls", [False, True])
def test_eight_senders_beside_a_streaming_server_keep_order_and_lose_nothing(tls: bool) -> None:
    senders, each = 8, 150
    streamed = "s" * 2000
    arrived: list[str] = []
    complete = threading.Event()

    def handler(connection: Any) -> None:
        connection.recv(timeout=PATIENCE)
        connection.send(message(setupComplete={}))
        streaming = beside(stream, connection)
        for raw in connection:
            arrived.append(_text_of(raw))
            if len(arrived) == senders * each:
                complete.set()
                break
        streaming.exception(PATIENCE)

    def stream(connection: Any) -> None:
        while not complete.is_set():
            connection.send(text_part(streamed))
        connection.send(TURN_COMPLETE)

    with session_with(handler, tls=tls) as session:

        def send(name: int) -> None:
            for number in range(each):
                session.send_realtime_input(text=f"{name}:{number}:" + chr(97 + name) * (number * 37 % 5000))

        sending = [beside(send, name) for name in range(senders)]
        turn = session.collect(PATIENCE)
        for one in sending:
            one.result(PATIENCE)
        assert complete.is_set()
    assert set(turn.text) == {"s"}
    assert len(turn.text) % len(streamed) == 0
    for name in range(senders):
        mine = [text.split(":") for text in arrived if text.startswith(f"{name}:")]
        assert [int(number) for _, number, _ in mine] == list(range(each))
        assert all(body == chr(97 + name) * (int(number) * 37 % 5000) for _, number, body in mine)


def _text_of(raw: Any) -> str:
    import json

    return str(json.loads(raw)["realtimeInput"]["text"])


def test_two_sessions_in_one_process_know_nothing_of_each_other() -> None:
    with live_server() as url:
        from tests.servers import MODEL, client_of

        client = client_of(url)
        with client.live.connect(model=MODEL) as one, client.live.connect(model=MODEL) as other:
            one.close()
            assert other.ask("still here", timeout=PATIENCE).text == "still here"
