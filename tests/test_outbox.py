"""What waits while a session has no connection: order, bound, and what makes room."""

from __future__ import annotations

import pytest

from genai_live._base64_text import Payload
from genai_live._connection.outbox import Outbox
from genai_live._connection.protocol import Sent
from genai_live.errors import OutboxFull


def sent_from(outbox: Outbox) -> list[Payload]:
    payloads: list[Payload] = []
    while len(outbox):
        payloads.append(outbox.first.payload)
        outbox.remove_first()
    return payloads


def test_messages_wait_in_order() -> None:
    outbox = Outbox(100)
    for payload, kind in ((b"a", Sent.AUDIO), (b"b", Sent.QUESTION), (b"c", Sent.AUDIO)):
        outbox.put(payload, kind)
    assert sent_from(outbox) == [b"a", b"b", b"c"]
    assert (sent_from(outbox), outbox.dropped) == ([], 0)


def test_the_oldest_audio_and_video_make_room_and_are_counted() -> None:
    outbox = Outbox(3)
    outbox.put(b"t", Sent.NOTHING)
    for payload, kind in ((b"1", Sent.AUDIO), (b"2", Sent.VIDEO), (b"3", Sent.AUDIO), (b"u", Sent.QUESTION)):
        outbox.put(payload, kind)
    assert outbox.dropped == 2
    assert sent_from(outbox) == [b"t", b"3", b"u"]


def test_audio_that_does_not_fit_beside_text_is_dropped_itself() -> None:
    outbox = Outbox(2)
    outbox.put(b"tt", Sent.QUESTION)
    outbox.put(b"a", Sent.AUDIO)
    assert (sent_from(outbox), outbox.dropped) == ([b"tt"], 1)


def test_text_that_does_not_fit_is_refused_and_nothing_else_is_lost() -> None:
    outbox = Outbox(3)
    outbox.put(b"tt", Sent.QUESTION)
    with pytest.raises(OutboxFull, match="2 bytes wait"):
        outbox.put(b"uu", Sent.NOTHING)
    assert (sent_from(outbox), outbox.dropped) == ([b"tt"], 0)


def test_what_can_never_fit_drops_nothing_that_waits() -> None:
    outbox = Outbox(3)
    outbox.put(b"a", Sent.AUDIO)
    outbox.put(b"v", Sent.VIDEO)
    for kind in (Sent.QUESTION, Sent.RESPONSE, Sent.ACTIVITY_END):
        with pytest.raises(OutboxFull):
            outbox.put(b"much too long", kind)
    outbox.put(b"sound of all sizes", Sent.AUDIO)
    assert (sent_from(outbox), outbox.dropped) == ([b"a", b"v"], 1)


def test_what_a_dying_connection_never_wrote_is_the_first_to_go_out() -> None:
    outbox = Outbox(100)
    outbox.put(b"later", Sent.QUESTION)
    outbox.put_back([(b"first", Sent.QUESTION, None), (b"second", Sent.QUESTION, None)])
    assert sent_from(outbox) == [b"first", b"second", b"later"]


def test_answers_to_calls_of_a_lost_conversation_are_forgotten() -> None:
    outbox = Outbox(100)
    for payload, kind in ((b"question", Sent.QUESTION), (b"response", Sent.RESPONSE)):
        outbox.put(payload, kind)
    outbox.forget(Sent.RESPONSE)
    assert sent_from(outbox) == [b"question"]
