"""Framing against a strict server, in the manner of the Autobahn client cases, whose numbers the cases have.

The frames of the client are read by the sans-IO parser of the websockets library, which accepts nothing that RFC 6455 forbids.
What the library's users get of a message is seen by its size: messages of stars are not JSON, and are reported with their size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from genai_live import Session, errors
from tests.raw_peer import BINARY, CONTINUATION, PING, PONG, TEXT, Door, beside, close_frame, door, frame
from tests.servers import MODEL, PATIENCE, SETUP_COMPLETE, client_of


class Strict:
    """A server that reads by the book and writes whatever a case says."""

    def __init__(self, entrance: Door) -> None:
        self.socket = entrance.accept_tcp()
        self.socket.settimeout(PATIENCE)
        self.protocol = ServerProtocol(max_size=None)
        self.frames: list[Frame] = []
        self.at_end = False
        while not self.frames:
            self._receive()
        assert self.frames.pop(0).opcode is Opcode.TEXT  # setup
        self.socket.sendall(frame(BINARY, SETUP_COMPLETE))

    def send(self, data: bytes, chop: int = 0) -> None:
        for start in range(0, len(data), chop or len(data) or 1):
            self.socket.sendall(data[start : start + (chop or len(data))])

    def next_frame(self) -> Frame:
        while not self.frames:
            assert not self.at_end, "the client left without a Close frame"
            self._receive()
        return self.frames.pop(0)

    def read_to_the_end(self) -> None:
        while not self.at_end:
            self._receive()
        assert self.frames == []

    def _receive(self) -> None:
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.at_end = True
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
                self.socket.sendall(b"".join(self.protocol.data_to_send()))
            else:
                assert isinstance(event, Frame)
                self.frames.append(event)
        assert self.protocol.parser_exc is None or isinstance(self.protocol.parser_exc, EOFError), self.protocol.parser_exc


@contextmanager
def strict(**http_options: Any) -> Iterator[tuple[Session, Strict]]:
    with door() as entrance:
        connecting = beside(client_of(entrance.url, **http_options).live.connect, model=MODEL)
        server = Strict(entrance)
        session = connecting.result(PATIENCE)
        try:
            yield session, server
        finally:
            session.close(0)


def sizes_until_the_end(session: Session) -> list[int]:
    """The sizes of all messages that the user gets; they are not JSON, so each carries an error that tells."""
    sizes = []
    try:
        for message in session:
            assert message.decode_error is not None
            sizes.append(message.decode_error.size)
    except errors.SessionClosed:
        pass
    return sizes


def stars(size: int) -> bytes:
    return b"*" * size


def check_served(data: bytes, sizes: list[int], answers: list[tuple[Opcode, bytes]] | None = None, chop: int = 0) -> None:
    """The client takes ``data`` without complaint, delivers these messages, and sends these frames; then both close."""
    with strict() as (session, server):
        received = beside(sizes_until_the_end, session)
        sending = beside(server.send, data + close_frame(1000, "done"), chop)
        for opcode, payload in answers or []:
            answer = server.next_frame()
            assert (answer.opcode, answer.data) == (opcode, payload)
        goodbye = server.next_frame()
        assert (goodbye.opcode, goodbye.data[:2]) == (Opcode.CLOSE, struct.pack("!H", 1000))
        server.read_to_the_end()
        sending.result(PATIENCE)
        assert received.result(PATIENCE) == sizes
        assert session.close_info is not None
        assert (session.close_info.code, session.close_info.sent_by) == (1000, errors.SentBy.SERVER)


def check_refused(data: bytes, code: int, sizes: list[int] | None = None) -> None:
    """The client fails the connection with ``code``, after it has delivered what came whole."""
    with strict() as (session, server):
        received = beside(sizes_until_the_end, session)
        server.send(data)
        goodbye = server.next_frame()
        assert (goodbye.opcode, goodbye.data[:2]) == (Opcode.CLOSE, struct.pack("!H", code))
        server.read_to_the_end()
        assert received.result(PATIENCE) == (sizes or [])
        assert session.close_info is not None
        assert (session.close_info.code, session.close_info.sent_by) == (code, errors.SentBy.NETWORK)


SIZES = [0, 125, 126, 127, 128, 65_535, 65_536]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", SIZES)
def test_case_1_messages_of_every_length_form(opcode: int, size: int) -> None:
    check_served(frame(opcode, stars(size)), [size])


LONG_FORMS = {
    "7 bits in 16": b"\x7e" + (125).to_bytes(2, "big"),
    "none in 16": b"\x7e" + bytes(2),
    "7 bits in 64": b"\x7f" + (125).to_bytes(8, "big"),
    "16 bits in 64": b"\x7f" + (65_535).to_bytes(8, "big"),
    "none in 64": b"\x7f" + bytes(8),
    "the highest bit of 64": b"\x7f" + (1 << 63).to_bytes(8, "big"),
}
"""Lengths that are not written in the shortest form, or that no frame can have (RFC 6455 section 5.2)."""


@pytest.mark.parametrize("form", LONG_FORMS)
@pytest.mark.parametrize("first", [0x80 | TEXT, 0x80 | BINARY, BINARY, 0x80 | PING])
def test_a_length_in_a_form_that_is_not_the_shortest_is_refused(first: int, form: str) -> None:
    check_refused(frame(TEXT, stars(9)) + bytes((first,)) + LONG_FORMS[form], 1002, [9])


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_case_1_1_8_a_message_that_comes_in_chops_of_997_bytes(opcode: int) -> None:
    check_served(frame(opcode, stars(65_536)), [65_536], chop=997)


@pytest.mark.parametrize("payload", [b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125])
@pytest.mark.parametrize("chop", [0, 1])
def test_case_2_pings_are_answered_with_their_payload(payload: bytes, chop: int) -> None:
    check_served(frame(PING, payload), [], [(Opcode.PONG, payload)], chop)


def test_case_2_5_a_ping_of_126_bytes_is_refused() -> None:
    check_refused(frame(PING, bytes(126)), 1002)


@pytest.mark.parametrize("payload", [b"", b"unasked"])
def test_case_2_7_pongs_that_nobody_asked_for_mean_nothing(payload: bytes) -> None:
    check_served(frame(PONG, payload), [])
    check_served(frame(PONG, payload) + frame(PING, b"and now?"), [], [(Opcode.PONG, b"and now?")])


@pytest.mark.parametrize("chop", [0, 1])
def test_case_2_10_ten_pings_are_answered_in_order(chop: int) -> None:
    payloads = [f"payload-{number}".encode() for number in range(10)]
    check_served(b"".join(frame(PING, each) for each in payloads), [], [(Opcode.PONG, each) for each in payloads], chop)


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, 8])
def test_case_3_reserved_bits_are_refused_and_what_came_before_is_kept(bits: int, opcode: int) -> None:
    broken = bytearray(frame(opcode, b"\x03\xe8"))
    broken[0] |= bits << 4
    check_refused(frame(TEXT, stars(9)) + bytes(broken), 1002, [9])


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved"])
def test_case_4_reserved_opcodes_are_refused(opcode: int, payload: bytes) -> None:
    check_refused(frame(TEXT, stars(9)) + frame(opcode, payload) + frame(PING), 1002, [9])


@pytest.mark.parametrize("opcode", [PING, PONG, 8])
def test_case_5_1_control_frames_in_fragments_are_refused(opcode: int) -> None:
    check_refused(frame(opcode, b"", fin=False) + frame(CONTINUATION), 1002)


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize("between", [b"", frame(PING, b"between"), frame(PONG, b"between")])
def test_case_5_3_fragments_make_one_message(between: bytes, chop: int) -> None:
    data = frame(TEXT, stars(3), fin=False) + between + frame(CONTINUATION, stars(4))
    check_served(data, [7], [(Opcode.PONG, b"between")] if between[:1] == b"\x89" else [], chop)


@pytest.mark.parametrize(
    "data",
    [
        frame(CONTINUATION, stars(1)),
        frame(CONTINUATION, stars(1), fin=False),
        frame(TEXT, stars(1), fin=False) + frame(TEXT, stars(1)),
        frame(TEXT, stars(1), fin=False) + frame(BINARY, stars(1), fin=False),
        frame(TEXT, stars(1), fin=False) + frame(CONTINUATION, stars(1)) + frame(CONTINUATION, stars(1)),
    ],
    ids=["no beginning", "no beginning, no end", "text in text", "binary in text", "one too many"],
)
def test_case_5_9_fragments_out_of_order_are_refused(data: bytes) -> None:
    with strict() as (session, server):
        server.send(data)
        goodbye = server.next_frame()
        assert goodbye.data[:2] == struct.pack("!H", 1002)
        sizes_until_the_end(session)


def test_case_5_19_fragments_with_pings_and_pauses_between_them() -> None:
    with strict() as (session, server):
        received = beside(sizes_until_the_end, session)
        server.send(frame(TEXT, stars(1), fin=False) + frame(CONTINUATION, stars(2), fin=False) + frame(PING, b"first"))
        assert server.next_frame().data == b"first"  # the pause: nothing goes on before the pong
        server.send(frame(CONTINUATION, stars(3), fin=False) + frame(PING, b"second"))
        assert server.next_frame().data == b"second"
        server.send(frame(CONTINUATION, b"") + close_frame(1000))
        server.next_frame()
        assert received.result(PATIENCE) == [6]


VALID = ["Hello", "κόσμε", "\U00010000", "\ud7ff", "\U0010ffff", "\ufffd", "Hello-µ@ßöäüàá-UTF-8!!", "\ufffe"]
INVALID = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xbf",
    b"\xe0\x80",
    b"\xfe\xfe\xff\xff",
    b"\xc0\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",
    b"\xed\xaf\xbf\xed\xbf\xbf",
    b"\xf4\x8f\xbf",
]


@pytest.mark.parametrize("words", VALID)
@pytest.mark.parametrize("cut", [0, 1])
def test_case_6_valid_utf_8_is_delivered_wherever_it_is_cut(words: str, cut: int) -> None:
    payload = b'{"serverContent":{"modelTurn":{"parts":[{"text":"' + words.encode() + b'"}]}}}'
    pieces = [payload[start : start + 1] for start in range(len(payload))] if cut else [payload]
    data = b"".join(
        frame(CONTINUATION if number else TEXT, piece, fin=number == len(pieces) - 1) for number, piece in enumerate(pieces)
    )
    with strict() as (session, server):
        server.send(data)
        assert next(iter(session)).text == words


@pytest.mark.parametrize("words", INVALID)
def test_case_6_invalid_utf_8_in_text_is_refused(words: bytes) -> None:
    check_refused(frame(TEXT, b'{"x":"' + words + b'"}'), 1007)


@pytest.mark.parametrize("words", INVALID)
def test_case_6_invalid_utf_8_in_binary_is_one_message_that_could_not_be_understood(words: bytes) -> None:
    payload = b'{"x":"' + words + b'"}'
    check_served(frame(BINARY, payload), [len(payload)])


LATE = [frame(TEXT, stars(5)), frame(PING, b"late"), close_frame(1001), frame(CONTINUATION, stars(5))]


@pytest.mark.parametrize("late", LATE, ids=["a message", "a ping", "a second Close", "a fragment"])
def test_case_7_1_what_follows_a_close_frame_is_ignored(late: bytes) -> None:
    with strict() as (session, server):
        received = beside(sizes_until_the_end, session)
        server.send(frame(TEXT, stars(4)) + close_frame(1000) + late)
        goodbye = server.next_frame()
        assert (goodbye.opcode, goodbye.data) == (Opcode.CLOSE, struct.pack("!H", 1000))
        server.read_to_the_end()
        assert received.result(PATIENCE) == [4]


def test_a_clean_close_within_a_message_is_an_error_because_the_message_is_lost() -> None:
    with strict() as (session, server):
        server.send(frame(TEXT, b'{"serverContent"', fin=False) + close_frame(1000))
        with pytest.raises(errors.ClosedByServer):
            list(session)
        assert session.close_info is not None
        assert (session.close_info.code, session.close_info.clean) == (1000, False)


def test_case_7_3_1_a_close_frame_without_a_code_is_answered() -> None:
    with strict() as (session, server):
        server.send(frame(8))
        assert server.next_frame().opcode is Opcode.CLOSE
        server.read_to_the_end()
        sizes_until_the_end(session)
        assert session.close_info is not None
        assert session.close_info.code == 1005


def test_case_7_3_2_a_close_frame_of_one_byte_is_refused() -> None:
    check_refused(frame(8, b"\x03"), 1002)


def test_case_7_3_6_a_close_frame_of_126_bytes_is_refused() -> None:
    check_refused(close_frame(1000, "x" * 124), 1002)


@pytest.mark.parametrize("reason", [b"", b"Hello", b"x" * 123, ("é" * 61).encode()])
def test_case_7_3_3_a_reason_is_told_verbatim(reason: bytes) -> None:
    with strict() as (session, server):
        server.send(close_frame(1000, reason))
        assert server.next_frame().data[:2] == struct.pack("!H", 1000)
        sizes_until_the_end(session)
        assert session.close_info is not None
        assert session.close_info.reason == reason.decode()


def test_case_7_5_1_a_reason_that_is_no_utf_8_is_told_as_far_as_it_goes() -> None:
    """RFC 6455 would have 1007 here. The service cuts its reasons at 123 bytes wherever that falls: its words matter more."""
    with strict() as (session, server):
        server.send(close_frame(1011, ("x" + "é" * 61).encode()[:122]))
        assert server.next_frame().data[:2] == struct.pack("!H", 1011)
        sizes_until_the_end(session)
        assert session.close_info is not None
        assert session.close_info.reason == "x" + "é" * 60


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_case_7_7_valid_codes_are_told_and_answered(code: int) -> None:
    with strict() as (session, server):
        server.send(close_frame(code))
        assert server.next_frame().data == struct.pack("!H", code)
        server.read_to_the_end()
        sizes_until_the_end(session)
        assert session.close_info is not None
        assert (session.close_info.code, session.close_info.sent_by) == (code, errors.SentBy.SERVER)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_case_7_9_invalid_codes_are_refused(code: int) -> None:
    check_refused(close_frame(code), 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("piece", [64 * 1024, 1024 * 1024, 8 * 1024 * 1024])
def test_case_9_eight_megabytes_whole_or_in_fragments(opcode: int, piece: int) -> None:
    size = 8 * 1024 * 1024
    count = size // piece
    data = b"".join(frame(CONTINUATION if number else opcode, stars(piece), fin=number == count - 1) for number in range(count))
    check_served(data, [size])


def test_case_9_5_a_megabyte_in_chops_of_64_bytes() -> None:
    check_served(frame(TEXT, stars(1 << 20)), [1 << 20], chop=64)


def test_masked_frames_of_a_server_are_refused() -> None:
    check_refused(frame(TEXT, stars(9)) + Frame(Opcode.TEXT, b"x").serialize(mask=True), 1002, [9])


def test_compression_that_was_not_negotiated_is_refused_by_its_bit() -> None:
    """permessage-deflate (RFC 7692) marks its messages with the first reserved bit."""
    compressed = bytearray(frame(TEXT, b"\xaa\x56\x2a\x4e\x2d\x2a"))
    compressed[0] |= 0x40
    check_refused(bytes(compressed), 1002)


def test_the_client_offers_no_extension_and_no_subprotocol() -> None:
    with door() as entrance:
        connecting = beside(client_of(entrance.url).live.connect, model=MODEL)
        peer = entrance.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.socket.recv(1)
        assert b"sec-websocket-extensions" not in request.lower()
        assert b"sec-websocket-protocol" not in request.lower()
        assert b"sec-websocket-version: 13" in request.lower()
        peer.end()
        assert connecting.exception(PATIENCE) is not None


def test_everything_that_eight_senders_send_is_by_the_book() -> None:
    each = 60
    with strict() as (session, server):

        def send(name: int) -> None:
            for number in range(each):
                session.send_realtime_input(text=f"{name}:{number}:" + "y" * (number * 1103))

        sending = [beside(send, name) for name in range(8)]
        frames = [server.next_frame() for _ in range(8 * each)]
        assert all(each.opcode is Opcode.TEXT and each.fin for each in frames)
        for one in sending:
            one.result(PATIENCE)
        closing = beside(session.close, PATIENCE)
        goodbye = server.next_frame()
        assert (goodbye.opcode, goodbye.data) == (Opcode.CLOSE, struct.pack("!H", 1000))
        server.send(close_frame(1000))
        server.read_to_the_end()
        closing.result(PATIENCE)


def test_close_waits_for_the_answer_and_reads_what_comes_before_it() -> None:
    with strict() as (session, server):
        closing = beside(session.close, PATIENCE)
        assert server.next_frame().opcode is Opcode.CLOSE
        server.send(frame(TEXT, stars(70_000)) + frame(PING, b"no answer after Close"))
        assert not closing.done()
        server.send(close_frame(1000))
        server.read_to_the_end()
        closing.result(PATIENCE)
        assert sizes_until_the_end(session) == [70_000]
