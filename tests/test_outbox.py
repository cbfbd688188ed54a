"""What waits while a session has no connection: order, bound, and what makes room."""

from __future__ import annotations

import pytest

from genai_live._connection.outbox import Outbox
from genai_live._connection.protocol import Sent
from genai_live.errors import OutboxFull


def sent_from(outbox: Outbox) -> list[bytes]:
    payloads = []
    while len(outbox):
        payloads.append(outbox.first)
        outbox.remove_first()
    return payloads


def test_messages_wait_in_order() -> None:
    outbox = Outbox(100)
    for payload, kind in ((b"a", Sent.AUDIO), (b"b", Sent.ANSWER), (b"c", Sent.AUDIO)):
        outbox.put(payload, kind)
    assert sent_from(outbox) == [b"a", b"b", b"c"]
    assert (sent_from(outbox), outbox.dropped) == ([], 0)


def test_the_oldest_audio_and_video_make_room_and_are_counted() -> None:
    outbox = Outbox(3)
    for payload, kind in ((b"t", Sent.NOTHING), (b"1", Sent.AUDIO), (b"2", Sent.VIDEO), (b"3", Sent.AUDIO), (b"u", Sent.ANSWER)):
        outbox.put(payload, kind)
    assert outbox.dropped == 2
    assert sent_from(outbox) == [b"t", b"3", b"u"]


def test_audio_that_does_not_fit_beside_text_is_dropped_itself() -> None:
    outbox = Outbox(2)
    outbox.put(b"tt", Sent.ANSWER)
    outbox.put(b"a", Sent.AUDIO)
    assert (sent_from(outbox), outbox.dropped) == ([b"tt"], 1)


def test_text_that_does_not_fit_is_refused_and_nothing_else_is_lost() -> None:
    outbox = Outbox(3)
    outbox.put(b"tt", Sent.ANSWER)
    with pytest.raises(OutboxFull, match="2 bytes wait"):
        outbox.put(b"uu", Sent.NOTHING)
    assert (sent_from(outbox), outbox.dropped) == ([b"tt"], 0)
