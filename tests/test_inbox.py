"""The queue between reader and receiver: order, the bound, the pause, the end, a second receiver, and what signals leave."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import Future

import pytest

from genai_live._connection.inbox import GIVEN, ITEM_BYTES, Inbox
from genai_live._connection.ledger import SESSION, Asked, Mark, Question
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


def inbox_of(limit: int, *sizes: int, backlog: int | None = None) -> Inbox[LiveServerMessage]:
    inbox: Inbox[LiveServerMessage] = Inbox(limit, limit if backlog is None else backlog, lambda: None, decoded)
    for number, size in enumerate(sizes):
        put(inbox, number, size)
    return inbox


def put(inbox: Inbox[LiveServerMessage], number: int, size: int = 1, mark: Mark = SESSION) -> int:
    """Puts a message that costs ``size`` bytes beside what each costs."""
    return inbox.put(a_message(number), size, mark)


def cost(messages: int, size: int = 1) -> int:
    """What so many messages of ``size`` bytes cost."""
    return messages * (size + ITEM_BYTES)


def get(inbox: Inbox[LiveServerMessage], deadline: Deadline) -> LiveServerMessage | None:
    """Receives one message, as an iterator does."""
    item = inbox.next(deadline)
    if item is None:
        inbox.let_go()
        return None
    message = inbox.decoded(item[0], item[1]) if isinstance(item[0], (bytes, bytearray)) else item[0]
    inbox.claim = {GIVEN: item}
    return message


def test_messages_come_in_order_and_then_the_end_for_ever() -> None:
    inbox = inbox_of(cost(100), 1, 2, 3)
    inbox.end()
    assert [number_of(get(inbox, NOW)) for _ in range(6)] == [0, 1, 2, None, None, None]


def test_what_was_put_as_bytes_is_decoded_when_it_is_taken() -> None:
    inbox = inbox_of(cost(100), 1)
    inbox.put(b"1", 1, SESSION)
    inbox.put(bytearray(b"2"), 1, SESSION)
    assert [number_of(get(inbox, NOW)) for _ in range(3)] == [0, 1, 2]


def test_an_end_that_is_told_twice_is_one_end() -> None:
    inbox = inbox_of(cost(100), 1)
    inbox.end()
    inbox.end()
    assert [number_of(get(inbox, NOW)) for _ in range(3)] == [0, None, None]


def test_nothing_within_the_deadline_is_a_timeout_and_loses_nothing() -> None:
    inbox = inbox_of(cost(100))
    with pytest.raises(TimeoutError):
        get(inbox, Deadline(0.01))
    put(inbox, 7, 1)
    assert number_of(get(inbox, NOW)) == 7


def test_a_second_receiver_is_told_so_and_the_first_goes_on() -> None:
    inbox = inbox_of(cost(100))
    first = waiting_receiver(inbox)
    with pytest.raises(WrongThread, match="another thread"):
        get(inbox, NOW)
    with pytest.raises(WrongThread, match="another thread"):
        inbox.begin_to_gather()
    with pytest.raises(WrongThread, match="another thread"):
        inbox.check_free()
    put(inbox, 1, 1)
    inbox.wake()
    assert number_of(first.result(PATIENCE)) == 1
    inbox.check_free()


def waiting_receiver(inbox: Inbox[LiveServerMessage]) -> Future[LiveServerMessage | None]:
    receiving = beside(get, inbox, Deadline(PATIENCE))
    while not inbox.is_taken:
        threading.Event().wait(0.001)
    return receiving


def test_the_reader_pauses_at_the_bound_and_goes_on_when_half_is_taken() -> None:
    resumed: list[int] = []
    inbox: Inbox[LiveServerMessage] = Inbox(cost(4), cost(4), lambda: resumed.append(inbox.waiting_bytes), decoded)
    for number in range(3):
        put(inbox, number)
    assert not inbox.pause_if_full()
    put(inbox, 3)
    assert inbox.pause_if_full()
    get(inbox, NOW)
    assert not resumed
    get(inbox, NOW)
    assert resumed == [cost(2)]
    get(inbox, NOW)
    assert resumed == [cost(2)]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_message_larger_than_the_whole_bound_stops_nothing_for_ever(limit: int) -> None:
    resumed = threading.Event()
    inbox: Inbox[LiveServerMessage] = Inbox(limit, limit, resumed.set, decoded)
    put(inbox, 0, 1000)
    assert inbox.pause_if_full()
    get(inbox, NOW)
    assert resumed.is_set()


def test_an_empty_message_costs_what_python_keeps_for_it() -> None:
    inbox = inbox_of(cost(10))
    assert put(inbox, 0, 0) == inbox.waiting_bytes == ITEM_BYTES


def test_no_pause_is_left_behind_by_a_receiver_that_was_faster() -> None:
    """The race itself: the reader decides to pause while the receiver empties the queue."""
    resumed = threading.Semaphore(0)
    inbox: Inbox[LiveServerMessage] = Inbox(cost(1, 10), cost(1, 10), resumed.release, decoded)
    rounds = 3000

    def read() -> None:
        for number in range(rounds):
            put(inbox, number, 10)
            inbox.wake()
            while inbox.pause_if_full():
                assert resumed.acquire(timeout=PATIENCE), "nobody woke the reader"

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        assert [number_of(get(inbox, Deadline(PATIENCE))) for _ in range(rounds)] == list(range(rounds))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)


def test_a_receiver_is_woken_once_for_all_that_was_put_before_it_was_told() -> None:
    inbox = inbox_of(cost(100))
    receiving = waiting_receiver(inbox)
    for number in range(3):
        put(inbox, number, 1)
    assert not receiving.done()
    inbox.wake()
    assert number_of(receiving.result(PATIENCE)) == 0
    assert [number_of(get(inbox, NOW)) for _ in range(2)] == [1, 2]


def test_nothing_is_lost_whenever_the_receiver_is_told() -> None:
    inbox = inbox_of(1 << 30)
    count = 3000

    def read() -> None:
        for number in range(count):
            put(inbox, number, 10)
            if number % 3 == 0:
                inbox.wake()
        inbox.end()

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        assert [number_of(get(inbox, Deadline(PATIENCE))) for _ in range(count)] == list(range(count))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)


def test_what_a_callback_has_seen_is_forgotten_oldest_first_and_its_turn_is_incomplete() -> None:
    question = Question(1, Asked.CONTENT)
    inbox = inbox_of(cost(100), backlog=cost(3))
    for number in range(5):
        put(inbox, number, mark=question.part)
    inbox.forget_oldest()
    assert (inbox.forgotten, question.incomplete) == (2, True)
    assert inbox.waiting_bytes == cost(3)
    assert number_of(get(inbox, NOW)) == 2


def test_forgetting_leaves_the_end_alone() -> None:
    inbox = inbox_of(1, 30, 30)
    inbox.end()
    inbox.forget_oldest()
    assert get(inbox, NOW) is None


def test_forgetting_beside_a_receiver_is_no_second_receiver() -> None:
    inbox = inbox_of(cost(5, 10))
    count = 3000

    def read() -> None:
        for number in range(count):
            put(inbox, number, 10)
            inbox.forget_oldest()
        inbox.end()

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reading = beside(read)
        seen = list(iter(lambda: number_of(get(inbox, Deadline(PATIENCE))), None))
        reading.result(PATIENCE)
    finally:
        sys.setswitchinterval(old)
    assert seen == sorted(seen)
    assert len(seen) + inbox.forgotten == count
    assert inbox.waiting_bytes == 0


def test_what_was_looked_at_and_not_given_stays() -> None:
    inbox = inbox_of(cost(10), 1, 2, 3)
    inbox.begin_to_gather()
    assert [number_of(inbox.at(place, NOW)[0]) for place in range(3)] == [0, 1, 2]  # type: ignore[index, arg-type]
    inbox.let_go()
    assert inbox.waiting_messages == 3
    assert [number_of(get(inbox, NOW)) for _ in range(3)] == [0, 1, 2]


def test_a_turn_is_taken_in_one_step_but_for_what_is_for_others() -> None:
    inbox = inbox_of(cost(10), 1, 2, 3, 4)
    inbox.begin_to_gather()
    inbox.at(2, NOW)
    inbox.claim = {GIVEN: inbox.taking(3, [1])}
    assert inbox.waiting_messages == 2
    assert [number_of(get(inbox, NOW)) for _ in range(2)] == [1, 3]


def test_while_a_turn_is_gathered_the_reader_knows_that_nothing_may_be_forgotten() -> None:
    inbox = inbox_of(cost(10))
    inbox.begin_to_gather()
    assert inbox.is_gathering
    inbox.let_go()
    assert not inbox.is_gathering


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent with os.kill")
def test_ctrl_c_interrupts_a_wait_at_once_and_the_next_receiver_is_welcome() -> None:
    inbox = inbox_of(cost(100))

    def interrupt() -> None:
        while not inbox.is_taken:
            threading.Event().wait(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = beside(interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(inbox, Deadline(PATIENCE))
    interrupting.result(PATIENCE)
    put(inbox, 1, 1)
    assert number_of(get(inbox, NOW)) == 1


def test_a_claim_that_ctrl_c_left_behind_keeps_its_own_thread_from_nothing() -> None:
    inbox = inbox_of(cost(10))
    inbox.begin_to_gather()  # and then Ctrl-C, before anything was given
    put(inbox, 1)
    assert number_of(get(inbox, NOW)) == 1
    put(inbox, 2)
    inbox.wake()
    assert number_of(beside(get, inbox, Deadline(PATIENCE)).result(PATIENCE)) == 2
