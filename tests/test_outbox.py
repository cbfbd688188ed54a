"""What waits while a session has no connection: order, bound, what makes room, and what comes back from a dead connection."""

from __future__ import annotations

import pytest

from genai_live._connection.outbox import Outbox, Waiting
from genai_live._connection.protocol import Sent
from genai_live._connection.questions import Asked, Question
from genai_live.errors import OutboxFull


def waiting_in(outbox: Outbox) -> list[Waiting]:
    """Takes everything out, in order."""
    found = []
    while len(outbox):
        found.append(outbox.first)
        outbox.remove_first()
    return found


def payloads_of(outbox: Outbox) -> list[bytes]:
    return [waiting.payload for waiting in waiting_in(outbox)]  # type: ignore[misc]  # bytes are put here


def test_messages_wait_in_order_with_their_kinds_and_questions() -> None:
    outbox, question = Outbox(100), Question(1, Asked.CONTENT)
    messages = [Waiting(b"a", Sent.AUDIO), Waiting(b"b", Sent.QUESTION, question), Waiting(b"c", Sent.AUDIO)]
    for message in messages:
        outbox.put(*message)
    assert waiting_in(outbox) == messages
    assert (waiting_in(outbox), outbox.dropped) == ([], 0)


def test_the_oldest_audio_and_video_make_room_and_are_counted() -> None:
    outbox = Outbox(3)
    outbox.put(b"t", Sent.NOTHING)
    for payload, kind in ((b"1", Sent.AUDIO), (b"2", Sent.VIDEO), (b"3", Sent.AUDIO), (b"u", Sent.QUESTION)):
        outbox.put(payload, kind)
    assert outbox.dropped == 2
    assert payloads_of(outbox) == [b"t", b"3", b"u"]


def test_audio_that_does_not_fit_beside_text_is_dropped_itself() -> None:
    outbox = Outbox(2)
    outbox.put(b"tt", Sent.QUESTION)
    outbox.put(b"a", Sent.AUDIO)
    assert (payloads_of(outbox), outbox.dropped) == ([b"tt"], 1)


@pytest.mark.parametrize("kind", [kind for kind in Sent if kind not in (Sent.AUDIO, Sent.VIDEO)])
def test_what_keeps_its_value_is_refused_where_it_does_not_fit_and_nothing_else_is_lost(kind: Sent) -> None:
    outbox = Outbox(4)
    outbox.put(b"tt", Sent.QUESTION)
    outbox.put(b"a", Sent.AUDIO)
    with pytest.raises(OutboxFull, match="3 bytes wait"):
        outbox.put(b"uuu", kind)
    assert (payloads_of(outbox), outbox.dropped) == ([b"tt", b"a"], 0)


def test_what_a_dead_connection_has_not_written_goes_before_what_came_later_and_counts() -> None:
    outbox = Outbox(5)
    outbox.put(b"3", Sent.QUESTION)
    outbox.put_back([Waiting(b"1", Sent.QUESTION), Waiting(b"2", Sent.NOTHING)])
    with pytest.raises(OutboxFull, match="3 bytes wait"):
        outbox.put(b"too much", Sent.QUESTION)
    assert payloads_of(outbox) == [b"1", b"2", b"3"]


def test_whether_a_message_waits_is_asked_of_this_very_message() -> None:
    outbox, response = Outbox(100), bytearray(b"response")
    assert not outbox.holds(response)
    outbox.put(response, Sent.RESPONSE)
    assert outbox.holds(response)
    assert not outbox.holds(bytearray(response))


def test_messages_of_a_kind_that_means_nothing_any_more_are_forgotten_and_make_room() -> None:
    outbox = Outbox(4)
    for payload, kind in ((b"a", Sent.RESPONSE), (b"b", Sent.QUESTION), (b"c", Sent.RESPONSE)):
        outbox.put(payload, kind)
    outbox.forget(Sent.RESPONSE)
    outbox.put(b"ddd", Sent.NOTHING)
    assert payloads_of(outbox) == [b"b", b"ddd"]
