"""The queue between reader and receiver: order, the bound, the pause, the end, and a second receiver."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import Future

import pytest

from genai_live._connection.inbox import Inbox
from genai_live._deadline import Deadline
from genai_live.errors import WrongThread
from genai_live.types import LiveServerMessage
from tests.raw_peer import beside
from tests.servers import PATIENCE

NOW = Deadline(0)


def a_message(number: int = 0) -> LiveServerMessage:
    message = LiveServerMessage()
    message.extra["number"] = number
    return message


def number_of(message: LiveServerMessage | None) -> int | None:
    return None if message is None else message.extra["number"]


def decoded(payload: bytes | bytearray) -> LiveServerMessage:
    return a_message(int(payload))


def inbox_of(limit: int, *sizes: int) -> Inbox[LiveServerMessage]:
    inbox: Inbox[LiveServerMessage] = Inbox(limit, lambda: None, decoded)
    for number, size in enumerate(sizes):
        inbox.put(a_message(number), size)
    return inbox


def test_messages_come_in_order_and_then_the_end_for_ever() -> None:
    inbox = inbox_of(100, 1, 2, 3)
    inbox.end()
    assert [number_of(inbox.get(NOW)) for _ in range(6)] == [0, 1, 2, None, None, None]


def test_what_was_put_as_bytes_is_decoded_when_it_is_taken() -> None:
    inbox = inbox_of(100, 1)
    inbox.put(b"1", 1)
    inbox.put(bytearray(b"2"), 1)
    assert [number_of(inbox.get(NOW)) for _ in range(3)] == [0, 1, 2]


def test_an_end_that_is_told_twice_is_one_end() -> None:
    inbox = inbox_of(100, 1)
    inbox.end()
    inbox.end()
    assert [number_of(inbox.get(NOW)) for _ in range(3)] == [0, None, None]


def test_nothing_within_the_deadline_is_a_timeout_and_loses_nothing() -> None:
    inbox = inbox_of(100)
    with pytest.raises(TimeoutError):
        inbox.get(Deadline(0.01))
    inbox.put(a_message(7), 1)
    assert number_of(inbox.get(NOW)) == 7


def test_a_second_receiver_is_told_so_and_the_first_goes_on() -> None:
    inbox = inbox_of(100)
    first = waiting_receiver(inbox)
    with pytest.raises(WrongThread, match="another thread"):
        inbox.get(NOW)
    with pytest.raises(WrongThread, match="another thread"):
        inbox.clear()
    with pytest.raises(WrongThread, match="another thread"):
        inbox.check_free()
    inbox.put(a_message(1), 1)
    inbox.tell()
    assert number_of(first.result(PATIENCE)) == 1
    inbox.check_free()


def waiting_receiver(inbox: Inbox[LiveServerMessage]) -> Future[LiveServerMessage | None]:
    receiving = beside(inbox.get, Deadline(PATIENCE))
    while not inbox.is_taken:
        threading.Event().wait(0.001)
    return receiving


def test_the_reader_pauses_at_the_bound_and_goes_on_when_half_is_taken() -> None:
    resumed: list[int] = []
    inbox: Inbox[LiveServerMessage] = Inbox(100, lambda: resumed.append(inbox.waiting_bytes), decoded)
    for number in range(3):
        inbox.put(a_message(number), 30)
    assert not inbox.pause_if_full()
    inbox.put(a_message(3), 30)
    assert inbox.pause_if_full()
    inbox.get(NOW)
    inbox.get(NOW)
    assert not resumed
    inbox.get(NOW)
    assert resumed == [30]
    inbox.get(NOW)
    assert resumed == [30]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_message_larger_than_the_whole_bound_stops_nothing_for_ever(limit: int) -> None:
    resumed = threading.Event()
    inbox: Inbox[LiveServerMessage] = Inbox(limit, resumed.set, decoded)
    inbox.put(a_message(), 1000)
    assert inbox.pause_if_full()
    inbox.get(NOW)
    assert resumed.is_set()


def test_no_pause_is_left_behind_by_a_receiver_that_was_faster() -> None:
    """The race itself: the reader decides to pause while the receiver empties the queue."""
    resumed = threading.Semaphore(0)
    inbox: Inbox[LiveServerMessage] = Inbox(10, resumed.release, decoded)
    rounds = 3000

    def read() -> None:
        for number in range(rounds):
            inbox.put(a_message(number), 10)
            inbox.tell()
            while inbox.pause_if_full():
                assert resumed.acquire(timeout=PATIENCE), "nobody woke the reader"

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        assert [number_of(inbox.get(Deadline(PATIENCE))) for _ in range(rounds)] == list(range(rounds))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)


def test_a_receiver_is_woken_once_for_all_that_was_put_before_it_was_told() -> None:
    inbox = inbox_of(100)
    receiving = waiting_receiver(inbox)
    for number in range(3):
        inbox.put(a_message(number), 1)
    assert not receiving.done()
    inbox.tell()
    assert number_of(receiving.result(PATIENCE)) == 0
    assert [number_of(inbox.get(NOW)) for _ in range(2)] == [1, 2]


def test_nothing_is_lost_whenever_the_receiver_is_told() -> None:
    inbox = inbox_of(1 << 30)
    count = 3000

    def read() -> None:
        for number in range(count):
            inbox.put(a_message(number), 10)
            if number % 3 == 0:
                inbox.tell()
        inbox.end()

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        assert [number_of(inbox.get(Deadline(PATIENCE))) for _ in range(count)] == list(range(count))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)


def test_what_a_callback_has_seen_is_forgotten_oldest_first() -> None:
    inbox = inbox_of(100, *[30] * 5)
    inbox.forget_oldest()
    assert inbox.forgotten == 2
    assert inbox.waiting_bytes == 90
    assert number_of(inbox.get(NOW)) == 2


def test_forgetting_leaves_the_end_alone() -> None:
    inbox = inbox_of(1, 30, 30)
    inbox.end()
    inbox.forget_oldest()
    assert inbox.get(NOW) is None


def test_forgetting_beside_a_receiver_is_no_second_receiver() -> None:
    inbox = inbox_of(50)
    count = 3000

    def read() -> None:
        for number in range(count):
            inbox.put(a_message(number), 10)
            inbox.forget_oldest()
        inbox.end()

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        seen = list(iter(lambda: number_of(inbox.get(Deadline(PATIENCE))), None))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)
    assert seen == sorted(seen)
    assert len(seen) + inbox.forgotten == count
    assert inbox.waiting_bytes == 0


def test_clear_forgets_what_waits_and_keeps_the_end() -> None:
    inbox = inbox_of(100, 1, 2)
    inbox.clear()
    assert inbox.waiting_bytes == 0
    inbox.put(a_message(5), 1)
    inbox.end()
    inbox.clear()
    assert inbox.get(NOW) is None
    inbox.clear()
    assert inbox.get(NOW) is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent with os.kill")
def test_ctrl_c_interrupts_a_wait_at_once_and_the_next_receiver_is_welcome() -> None:
    inbox = inbox_of(100)

    def interrupt() -> None:
        while not inbox.is_taken:
            threading.Event().wait(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = beside(interrupt)
    with pytest.raises(KeyboardInterrupt):
        inbox.get(Deadline(PATIENCE))
    interrupting.result(PATIENCE)
    inbox.put(a_message(1), 1)
    assert number_of(inbox.get(NOW)) == 1


def test_a_claim_that_ctrl_c_left_behind_keeps_its_own_thread_from_nothing() -> None:
    inbox = inbox_of(100)
    inbox._claim_for_this_thread()  # and then Ctrl-C, before anything was noted
    inbox.put(a_message(1), 1)
    assert number_of(inbox.get(NOW)) == 1
    inbox.put(a_message(2), 1)
    inbox.tell()
    assert number_of(beside(inbox.get, Deadline(PATIENCE)).result(PATIENCE)) == 2
