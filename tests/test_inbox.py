"""The queue between reader and receiver: order, marks, the bound, the pause, the end, interruptions, and a second receiver."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from genai_live._connection import inbox as inbox_module
from genai_live._connection.inbox import GIVEN, ITEM_BYTES, Inbox
from genai_live._connection.questions import SESSION, Asked, Mark, Question
from genai_live._deadline import Deadline
from genai_live.errors import WrongThread
from genai_live.types import LiveServerMessage
from tests.raw_peer import beside
from tests.servers import PATIENCE
from tests.striking import struck_at
from tests.waiting import until

NOW = Deadline(0)
PATIENT = partial(Deadline, PATIENCE)


def a_message(number: int = 0) -> LiveServerMessage:
    message = LiveServerMessage()
    message.extra["number"] = number
    return message


def number_of(message: Any) -> int | None:
    return None if message is None else message.extra["number"]


def decoded(payload: bytes | bytearray) -> LiveServerMessage:
    return a_message(int(payload))


def an_inbox(limit: int = 1 << 30, backlog: int | None = None, resume: Callable[[], object] = lambda: None) -> Inbox[Any]:
    """``limit`` and ``backlog`` are in messages of ``SIZE`` bytes, as they are counted."""
    return Inbox(limit * COUNTED, (limit if backlog is None else backlog) * COUNTED, lambda: (resume(), None)[1], decoded)


SIZE = 10
COUNTED = SIZE + ITEM_BYTES


def put(inbox: Inbox[Any], *numbers: int, mark: Mark = SESSION) -> None:
    for number in numbers:
        inbox.put(a_message(number), SIZE, mark)


def receive(inbox: Inbox[Any], deadline: Deadline = NOW) -> LiveServerMessage | None:
    """What a receiver does, up to its last step."""
    try:
        item = inbox.next(deadline)
        if item is None:
            inbox.let_go()
            return None
        message, mark = item[0], item[1]
        if isinstance(message, (bytes, bytearray)):
            message = inbox.decoded(message, mark)
    except BaseException:
        inbox.let_go()
        raise
    inbox.claim = {GIVEN: item}
    return message


def received(inbox: Inbox[Any], count: int, deadline: Callable[[], Deadline] = lambda: NOW) -> list[int | None]:
    return [number_of(receive(inbox, deadline())) for _ in range(count)]


@contextmanager
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(old)


# Order, and the end.


def test_messages_come_in_order_and_then_the_end_for_ever() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1, 2)
    inbox.end()
    assert received(inbox, 6) == [0, 1, 2, None, None, None]


def test_every_message_comes_with_its_mark_and_a_mark_may_come_alone() -> None:
    inbox, question = an_inbox(), Question(1, Asked.CONTENT)
    put(inbox, 0, mark=question.part)
    inbox.put(None, 0, question.last)
    first, second = inbox.at(0, NOW), inbox.at(1, NOW)
    assert first is not None
    assert second is not None
    assert (number_of(first[0]), first[1]) == (0, question.part)
    assert (second[0], second[1]) == (None, question.last)


def test_what_was_put_as_bytes_is_decoded_when_it_is_taken_and_knows_whether_it_ends_a_turn() -> None:
    inbox, question = an_inbox(), Question(1, Asked.CONTENT)
    inbox.put(b"1", 1, question.part)
    inbox.put(bytearray(b"2"), 1, question.last)
    messages = [receive(inbox), receive(inbox)]
    assert [number_of(message) for message in messages] == [1, 2]
    assert [message.ends_turn for message in messages if message] == [False, True]


def test_an_end_that_is_told_twice_is_one_end() -> None:
    inbox = an_inbox()
    put(inbox, 0)
    inbox.end()
    inbox.end()
    assert received(inbox, 3) == [0, None, None]


def test_the_end_is_no_message_wherever_a_receiver_looks() -> None:
    inbox = an_inbox()
    put(inbox, 0)
    inbox.end()
    assert [inbox.at(place, NOW) is None for place in (0, 1, 2)] == [False, True, True]
    assert inbox.waiting_messages == 1


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 5e-4])
def test_a_queue_that_may_then_wait_for_ever_is_given_no_time_that_is_next_to_nothing(seconds: float) -> None:
    class Tokens:
        def get(self, block: bool = True, timeout: float | None = None) -> None:
            assert not block
            raise queue.Empty

    inbox = an_inbox()
    inbox._tokens = Tokens()  # type: ignore[assignment]
    with pytest.raises(TimeoutError):
        receive(inbox, Deadline(seconds))


def test_nothing_within_the_deadline_is_a_timeout_and_loses_nothing() -> None:
    inbox = an_inbox()
    with pytest.raises(TimeoutError):
        receive(inbox, Deadline(0.01))
    put(inbox, 7)
    assert received(inbox, 1) == [7]


# Looking, and being given.


def test_what_a_receiver_has_only_looked_at_stays() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1)
    for _ in range(2):
        item = inbox.next(NOW)
        assert item is not None
        assert number_of(item[0]) == 0
        inbox.let_go()
    assert inbox.waiting_messages == 2


def test_what_was_given_counts_as_taken_at_once() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1)
    receive(inbox)
    assert inbox.waiting_messages == 1


def test_what_was_given_and_has_not_reached_its_caller_can_be_taken_back() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1)
    item = inbox.next(NOW)
    inbox.claim = {GIVEN: item}
    inbox.take_back(item)
    assert received(inbox, 2) == [0, 1]


def test_taking_back_leaves_what_another_receiver_was_given() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1)
    first = inbox.next(NOW)
    inbox.claim = {GIVEN: first}
    receive(inbox)
    inbox.take_back(first)
    assert inbox.waiting_messages == 0


def gather(inbox: Inbox[Any], count: int, but: list[int]) -> None:
    """Gathers so many messages, and leaves those at some places to others."""
    inbox.begin_to_gather()
    for place in range(count):
        inbox.at(place, NOW)
    inbox.end_gathering()
    inbox.claim = {GIVEN: inbox.taking(count, but)}


def test_a_turn_is_taken_whole_but_for_what_is_for_another_receiver() -> None:
    inbox = an_inbox()
    put(inbox, 0, 1, 2, 3, 4)
    gather(inbox, 4, [1, 2])
    assert inbox.waiting_messages == 3
    assert received(inbox, 3) == [1, 2, 4]


def test_what_is_left_to_others_is_forgotten_beyond_the_backlog_oldest_first_and_its_turn_is_incomplete() -> None:
    inbox, old, new = an_inbox(limit=10, backlog=2), Question(1, Asked.NOTHING), Question(2, Asked.NOTHING)
    inbox.begin_to_gather()
    put(inbox, 0, mark=old.part)
    put(inbox, 1, 2, mark=new.part)
    put(inbox, 3)
    gather(inbox, 4, [0, 1, 2])
    assert received(inbox, 2) == [1, 2]
    assert inbox.forgotten == 1
    assert (old.incomplete, new.incomplete) == (True, False)


def test_a_message_can_be_dropped_and_marked_anew_where_it_stands() -> None:
    inbox, question = an_inbox(), Question(1, Asked.CONTENT)
    put(inbox, 0, 1, 2)
    inbox.begin_to_gather()
    inbox.at(2, NOW)
    inbox.drop(1)
    inbox.replace(1, question.part)
    item = inbox.at(1, NOW)
    assert item is not None
    assert (number_of(item[0]), item[1]) == (2, question.part)
    inbox.let_go()
    assert received(inbox, 2) == [0, 2]


# The bound.


def test_messages_count_with_what_they_cost_beside_their_bytes() -> None:
    inbox = an_inbox()
    assert inbox.waiting_bytes == 0
    assert [inbox.put(a_message(), SIZE, SESSION) for _ in range(2)] == [COUNTED, 2 * COUNTED]
    receive(inbox)
    assert inbox.waiting_bytes == COUNTED
    receive(inbox)
    inbox.end()
    assert inbox.waiting_bytes == 0


def test_the_reader_pauses_at_the_bound_and_goes_on_when_half_is_taken() -> None:
    resumed: list[int] = []
    inbox = an_inbox(4, resume=lambda: resumed.append(inbox.waiting_bytes))
    put(inbox, 0, 1, 2)
    assert not inbox.pause_if_full()
    put(inbox, 3)
    assert inbox.pause_if_full()
    received(inbox, 1)
    assert not resumed
    received(inbox, 1)
    assert resumed == [2 * COUNTED]
    assert not inbox.pause_if_full()
    received(inbox, 2)
    assert resumed == [2 * COUNTED]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_message_larger_than_the_whole_bound_stops_nothing_for_ever(limit: int) -> None:
    resumed = threading.Event()
    inbox: Inbox[Any] = Inbox(limit, limit, resumed.set, decoded)
    inbox.put(a_message(), 1000, SESSION)
    assert inbox.pause_if_full()
    receive(inbox)
    assert resumed.is_set()


def test_no_pause_is_left_behind_by_a_receiver_that_was_faster() -> None:
    """The race itself: the reader decides to pause while the receiver empties the queue."""
    resumed = threading.Semaphore(0)
    inbox = an_inbox(1, resume=resumed.release)
    rounds = 3000

    def read() -> None:
        for number in range(rounds):
            put(inbox, number)
            inbox.wake()
            while inbox.pause_if_full():
                assert resumed.acquire(timeout=PATIENCE), "nobody woke the reader"

    with switching():
        reading = beside(read)
        assert received(inbox, rounds, PATIENT) == list(range(rounds))
        reading.result(PATIENCE)


def test_a_reader_that_is_slow_to_go_on_is_told_again() -> None:
    resumed: list[None] = []
    inbox = an_inbox(2, resume=lambda: resumed.append(None))
    put(inbox, 0, 1)
    inbox.pause_if_full()
    received(inbox, 2)
    assert len(resumed) == 2
    put(inbox, 2)
    inbox.read_on()
    received(inbox, 1)
    assert len(resumed) == 2


def test_a_reader_that_paused_for_who_gathers_reads_on_when_that_is_over() -> None:
    resumed = threading.Event()
    inbox = an_inbox(2, resume=resumed.set)
    inbox.begin_to_gather()
    put(inbox, 0, 1)
    assert inbox.pause_if_full()
    assert inbox.is_gathering
    inbox.let_go()
    assert resumed.is_set()
    assert not inbox.is_gathering


# Waking.


def waiting_receiver(inbox: Inbox[Any]) -> Future[LiveServerMessage | None]:
    receiving = beside(receive, inbox, PATIENT())
    until(lambda: inbox.is_taken and inbox.is_awaited)
    return receiving


def test_a_receiver_is_woken_once_for_all_that_was_put_before_it_was_told() -> None:
    inbox = an_inbox()
    receiving = waiting_receiver(inbox)
    put(inbox, 0, 1, 2)
    assert not receiving.done()
    inbox.wake()
    assert number_of(receiving.result(PATIENCE)) == 0
    assert received(inbox, 2) == [1, 2]


def test_nothing_is_lost_whenever_the_receiver_is_told() -> None:
    inbox, count = an_inbox(), 3000

    def read() -> None:
        for number in range(count):
            put(inbox, number)
            if number % 3 == 0:
                inbox.wake()
        inbox.end()

    with switching():
        reading = beside(read)
        assert received(inbox, count, PATIENT) == list(range(count))
        reading.result(PATIENCE)


# Forgetting.


def test_what_a_callback_has_seen_is_forgotten_oldest_first_and_its_turn_is_incomplete() -> None:
    inbox, first, second = an_inbox(limit=10, backlog=3), Question(1, Asked.CONTENT), Question(2, Asked.CONTENT)
    put(inbox, 0, 1, mark=first.part)
    put(inbox, 2, 3, 4, mark=second.part)
    inbox.forget_oldest()
    assert (inbox.forgotten, inbox.waiting_bytes) == (2, 3 * COUNTED)
    assert (first.incomplete, second.incomplete) == (True, False)
    assert received(inbox, 1) == [2]


def test_a_note_and_a_late_report_that_are_forgotten_leave_the_turn_whole() -> None:
    inbox, question = an_inbox(limit=10, backlog=0), Question(1, Asked.CONTENT)
    put(inbox, 0, mark=question.late)
    inbox.forget_oldest()
    assert not question.incomplete
    assert inbox.forgotten == 1


def test_forgetting_leaves_the_end_alone() -> None:
    inbox = an_inbox(limit=10, backlog=0)
    put(inbox, 0, 1)
    inbox.end()
    put(inbox, 2)
    inbox.forget_oldest()
    assert receive(inbox) is None


def test_forgetting_beside_a_receiver_is_no_second_receiver() -> None:
    inbox, count = an_inbox(limit=50, backlog=5), 3000

    def read() -> None:
        for number in range(count):
            put(inbox, number)
            inbox.forget_oldest()
            inbox.wake()
        inbox.end()

    with switching():
        reading = beside(read)
        seen = list(iter(lambda: number_of(receive(inbox, PATIENT())), None))
        reading.result(PATIENCE)
    assert seen == sorted(set(seen))  # type: ignore[type-var]  # numbers
    assert len(seen) + inbox.forgotten == count
    assert inbox.waiting_bytes == 0


# Receivers.


def test_a_second_receiver_is_told_so_and_the_first_goes_on() -> None:
    inbox = an_inbox()
    first = waiting_receiver(inbox)
    for refused in (inbox.check_free, inbox.begin_to_gather, partial(receive, inbox)):
        with pytest.raises(WrongThread, match="another thread"):
            refused()
    assert not inbox.is_gathering
    put(inbox, 1)
    inbox.wake()
    assert number_of(first.result(PATIENCE)) == 1
    inbox.check_free()


def test_receivers_that_come_at_any_moment_get_every_message_once() -> None:
    """Refused or served, but never given what another one is about to be given."""
    inbox, count = an_inbox(), 4000
    put(inbox, *range(count))
    inbox.end()

    def work() -> list[int]:
        seen = []
        while True:
            try:
                number = number_of(receive(inbox, PATIENT()))
            except WrongThread:
                continue
            if number is None:
                return seen
            seen.append(number)

    with switching():
        workers = [beside(work) for _ in range(3)]
        seen = [worker.result(PATIENCE) for worker in workers]
    assert sorted(number for each in seen for number in each) == list(range(count))
    assert all(each == sorted(each) for each in seen)


# Interruptions.


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent with os.kill")
def test_ctrl_c_interrupts_a_wait_at_once_and_the_next_receiver_is_welcome() -> None:
    inbox = an_inbox()

    def interrupt() -> None:
        until(lambda: inbox.is_taken)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = beside(interrupt)
    with pytest.raises(KeyboardInterrupt):
        receive(inbox, PATIENT())
    interrupting.result(PATIENCE)
    put(inbox, 1)
    assert number_of(beside(receive, inbox, PATIENT()).result(PATIENCE)) == 1


def test_a_claim_that_ctrl_c_left_behind_keeps_its_own_thread_from_nothing() -> None:
    inbox = an_inbox()
    put(inbox, 1)
    inbox.next(NOW)  # and then Ctrl-C, before anything was noted
    assert received(inbox, 1) == [1]
    put(inbox, 2)
    assert number_of(beside(receive, inbox, PATIENT()).result(PATIENCE)) == 2


@pytest.mark.parametrize("beginning", range(3))
def test_ctrl_c_at_any_line_of_a_receiver_loses_nothing_gives_nothing_twice_and_keeps_the_reader_going(beginning: int) -> None:
    line = 0
    while True:
        line += 1
        resumed = threading.Event()
        inbox = an_inbox(2, resume=resumed.set)
        put(inbox, 0, 1, 2)
        assert inbox.pause_if_full()
        seen = received(inbox, beginning)
        struck = struck_at(line, inbox_module, lambda inbox=inbox, seen=seen: seen.append(number_of(receive(inbox))))  # type: ignore[misc]
        while inbox.waiting_messages:
            seen += received(inbox, 1)
        assert seen == [0, 1, 2]
        with pytest.raises(TimeoutError):
            receive(inbox)
        assert resumed.is_set()
        assert inbox.waiting_bytes == 0
        if not struck:
            break
    assert line > 5


def test_ctrl_c_at_any_line_of_taking_a_turn_takes_it_or_leaves_it() -> None:
    line = 0
    while True:
        line += 1
        inbox = an_inbox()
        put(inbox, 0, 1, 2, 3)
        struck = struck_at(line, inbox_module, partial(gather, inbox, 3, [1]))
        given = GIVEN in inbox.claim
        assert given != struck
        inbox.let_go()
        assert received(inbox, 2 if given else 4) == ([1, 3] if given else [0, 1, 2, 3])
        if not struck:
            break
    assert line > 10
