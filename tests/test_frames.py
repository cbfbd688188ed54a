"""Framing: our frames against the parser of the websockets library, its frames against ours, and what a broken peer sends."""

from __future__ import annotations

import base64
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from genai_live._base64_text import Base64Text
from genai_live._network.frames import (
    BINARY,
    CLOSE,
    PIECE_BYTES,
    PING,
    TEXT,
    FrameParser,
    LargeFrame,
    Violation,
    close_frame,
    frame,
    message_frame,
    read_close,
)

LIMIT = 1 << 20


def read_by_websockets(data: bytes) -> Frame:
    """Parses one client frame with an implementation that is not ours."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=True)
    try:
        next(parsing)
    except StopIteration as done:
        return done.value
    raise AssertionError("the frame is not whole")


def from_server(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """One server frame, written by an implementation that is not ours."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=False)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 599, 600, 601, 65_535, 65_536, 1_000_003])
def test_another_implementation_reads_our_frames_of_every_length_form(size: int) -> None:
    payload = os.urandom(size)
    parsed = read_by_websockets(frame(BINARY, payload))
    assert (parsed.opcode, parsed.data, parsed.fin) == (Opcode.BINARY, payload, True)


@pytest.mark.parametrize("size", [PIECE_BYTES + 1, 3 * PIECE_BYTES, 1_000_003])
def test_another_implementation_reads_a_large_frame_however_it_is_cut(size: int) -> None:
    payload = os.urandom(size)
    large = message_frame(payload)
    assert isinstance(large, LargeFrame)
    for most in (997, PIECE_BYTES - 1, size):
        written = bytearray()
        while len(written) < len(large):
            written += large.from_byte(len(written))[:most]
        parsed = read_by_websockets(bytes(written))
        assert (parsed.opcode, parsed.data, parsed.fin) == (Opcode.TEXT, payload, True)


def test_a_part_of_a_large_frame_is_the_same_whenever_it_is_asked_for() -> None:
    large = message_frame(os.urandom(200_000))
    assert isinstance(large, LargeFrame)
    for offset in (0, 1, 13, 14, 15, 65_550, len(large) - 1):
        assert large.from_byte(offset) == large.from_byte(offset)


def test_base64_that_is_made_piece_by_piece_is_read_whole() -> None:
    sound = os.urandom(300_001)
    large = message_frame(Base64Text(b'{"data":"', sound, b'"}'))
    assert isinstance(large, LargeFrame)
    written = bytearray()
    while len(written) < len(large):
        written += large.from_byte(len(written))
    assert read_by_websockets(bytes(written)).data == b'{"data":"' + base64.b64encode(sound) + b'"}'


def test_every_frame_has_a_mask_of_its_own() -> None:
    assert len({frame(TEXT, b"same")[2:6] for _ in range(50)}) > 45


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_frames_of_another_implementation_are_read_in_every_length_form(size: int) -> None:
    payload = os.urandom(size)
    assert FrameParser(LIMIT).feed(from_server(BINARY, payload)) == [(BINARY, payload)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_it_does_not_matter_how_the_bytes_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(from_server(BINARY, payload) for payload in payloads)
    parser, events, position = FrameParser(LIMIT), [], 0
    while position < len(stream):
        step = data.draw(st.integers(1, 400))
        events += parser.feed(stream[position : position + step])
        position += step
    assert [bytes(payload) for _, payload in events] == payloads


def test_fragments_are_joined_and_control_frames_between_them_come_through() -> None:
    stream = (
        from_server(TEXT, b"one ", fin=False)
        + from_server(PING, b"?")
        + from_server(0, b"two ", fin=False)
        + from_server(0, b"three")
        + from_server(BINARY, b"next")
    )
    assert FrameParser(LIMIT).feed(stream) == [(PING, b"?"), (TEXT, b"one two three"), (BINARY, b"next")]


@pytest.mark.parametrize("pings", [1, 64, 65, 10_000])
def test_of_a_flood_of_pings_the_first_and_the_latest_come_through(pings: int) -> None:
    stream = b"".join(from_server(PING, b"%d" % number) for number in range(pings))
    events = FrameParser(LIMIT).feed(from_server(TEXT, b"before") + stream + from_server(TEXT, b"after"))
    assert (events[0], events[-1]) == ((TEXT, b"before"), (TEXT, b"after"))
    assert [int(payload) for _, payload in events[1:-1]] == [*range(min(pings - 1, 63)), pings - 1]


def test_nothing_is_read_after_a_close_frame() -> None:
    parser = FrameParser(LIMIT)
    assert parser.feed(from_server(CLOSE, struct.pack("!H", 1000)) + from_server(TEXT, b"late")) == [(CLOSE, b"\x03\xe8")]
    assert parser.feed(from_server(TEXT, b"later")) == []
    assert parser.violation is None


BROKEN = {
    "a masked frame": (Frame(Opcode.TEXT, b"x").serialize(mask=True), 1002),
    "a reserved bit": (b"\xc1\x01x", 1002),
    "an unknown data opcode": (b"\x83\x01x", 1002),
    "an unknown control opcode": (b"\x8b\x00", 1002),
    "a fragmented ping": (b"\x09\x01x", 1002),
    "a ping of 126 bytes": (b"\x89\x7e\x00\x7e" + bytes(126), 1002),
    "a continuation of nothing": (b"\x80\x01x", 1002),
    "a new message inside a fragmented one": (b"\x01\x01a\x81\x01b", 1002),
    "a close frame of one byte": (b"\x88\x01\x03", 1002),
    "a close code that may not be sent": (b"\x88\x02\x03\xed", 1002),
    "a message over the limit": (b"\x82\x7f" + (LIMIT + 1).to_bytes(8, "big"), 1009),
    "fragments over the limit": (b"\x02\x7f" + LIMIT.to_bytes(8, "big") + bytes(LIMIT) + b"\x80\x01x", 1009),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_frame_is_named_and_what_came_before_it_is_kept(case: str) -> None:
    broken, code = BROKEN[case]
    parser = FrameParser(LIMIT)
    assert parser.feed(from_server(TEXT, b"good") + broken) == [(TEXT, b"good")]
    assert isinstance(parser.violation, Violation)
    assert parser.violation.code == code
    assert parser.feed(from_server(TEXT, b"more")) == []


@pytest.mark.parametrize("empty", [0, 1, LIMIT])
def test_a_message_of_the_limit_may_come_in_fragments_and_empty_ones_between(empty: int) -> None:
    pieces = [b"\x02\x01x", b"\x00\x00" * empty, b"\x80\x7f" + (LIMIT - 1).to_bytes(8, "big") + bytes(LIMIT - 1)]
    events = FrameParser(LIMIT).feed(b"".join(pieces))
    assert [(opcode, len(payload)) for opcode, payload in events] == [(BINARY, LIMIT)]


def test_a_message_of_empty_fragments_has_an_end() -> None:
    parser = FrameParser(1000)
    assert parser.feed(b"\x01\x00" + b"\x00\x00" * 999) == []
    assert parser.violation is None
    parser.feed(b"\x00\x00" * 2)
    assert isinstance(parser.violation, Violation)
    assert parser.violation.code == 1009
    assert "empty fragments" in str(parser.violation)


def test_empty_fragments_of_one_message_do_not_count_for_the_next() -> None:
    parser = FrameParser(1000)
    for _ in range(10):
        assert parser.feed(b"\x01\x00" + b"\x00\x00" * 900 + b"\x80\x01x") == [(TEXT, b"x")]


def test_the_limit_is_reported_with_its_name() -> None:
    parser = FrameParser(10)
    parser.feed(from_server(BINARY, bytes(11)))
    assert "11 bytes" in str(parser.violation)
    assert "max_message_bytes" in str(parser.violation)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", (1005, "")),
        (b"\x03\xe8", (1000, "")),
        (b"\x03\xf0models/x is not found", (1008, "models/x is not found")),
        (b"\x03\xf3" + ("é" * 61).encode() + "€".encode()[:1], (1011, "é" * 61)),
        (b"\x03\xf3" + "ok 😀".encode()[:-1], (1011, "ok ")),
        (b"\x03\xf3bad \xff\xff\xff\xff\xff end", (1011, "bad \ufffd\ufffd\ufffd\ufffd\ufffd end")),
    ],
)
def test_a_close_reason_cut_inside_a_character_loses_only_that_character(payload: bytes, expected: tuple[int, str]) -> None:
    assert read_close(payload) == expected


def test_our_close_reason_is_cut_at_123_bytes_on_a_character_boundary() -> None:
    parsed = read_by_websockets(close_frame(1000, "é" * 100))
    assert parsed.data == struct.pack("!H", 1000) + ("é" * 61).encode()
