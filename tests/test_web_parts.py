"""The parts of a page's way: words, allowance, what waits, the store, and a bare socket whose peer does what no page does."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_live._connection.reader import Reader
from genai_live._network import frames
from genai_live._network.frames import FrameParser, frame, frame_of_server
from genai_live.errors import CloseInfo, Phase, SentBy
from genai_live.voice import Ended, ModelWords, Text, Utterance
from genai_live.web import BrowserEnd, MemoryStore, StoredConversation, outgoing, store, wire_format
from genai_live.web.allowance import IDLE, LONG, Bucket, Hours
from genai_live.web.asgi_line import AsgiLine
from genai_live.web.line import GOODBYE
from genai_live.web.outgoing import Outgoing
from genai_live.web.page_pace import Pace, Window
from genai_live.web.page_sound import PageSound
from genai_live.web.visitor_socket import MOST_BESIDE, MOST_BYTES, VisitorSocket
from genai_live.web.wire_format import OUTPUT_BYTES, BadMessage, Played, Start
from tests.raw_peer import beside
from tests.waiting import PATIENCE, until

# Words


def test_what_a_page_says_is_read_as_values() -> None:
    assert wire_format.read('{"event": "start", "version": 1, "token": "t", "conversation": null}') == Start("t", None)
    assert wire_format.read('{"event": "played", "seconds": 1.5, "flushes": 2}') == Played(1.5, 2)
    assert wire_format.read('{"event": "played", "seconds": 1}') == Played(1.0, None)
    assert wire_format.read('{"event": "text", "text": "Hello", "more": 1}') == Text("Hello")


@given(
    st.one_of(
        st.text(),
        st.dictionaries(st.text(), st.text()).map(json.dumps),
        st.builds(
            lambda event, seconds, text: json.dumps({"event": event, "seconds": seconds, "text": text, "version": text}),
            st.sampled_from(["start", "played", "text", "press"]),
            st.one_of(st.none(), st.floats(), st.integers(), st.text(), st.lists(st.integers())),
            st.one_of(st.none(), st.integers(), st.text()),
        ),
    )
)
def test_whatever_a_page_says_is_understood_or_refused(text: str) -> None:
    try:
        said = wire_format.read(text)
    except BadMessage:
        return
    assert not isinstance(said, Played) or 0 <= said.seconds < float("inf")


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "NaN", "Infinity", "true", '"1"', "null"])
def test_a_page_cannot_have_heard_what_is_no_number_of_seconds(number: str) -> None:
    with pytest.raises(BadMessage):
        wire_format.read(f'{{"event": "played", "seconds": {number}}}')


def test_half_a_character_of_a_page_is_one_that_can_be_sent_on() -> None:
    assert wire_format.read(r'{"event": "text", "text": "a\ud83d b"}') == Text("a\ufffd b")
    start = wire_format.read(r'{"event": "start", "version": 1, "token": "\ud83d", "conversation": "\udc00"}')
    assert start == Start("\ufffd", "\ufffd")


def test_a_page_hears_that_there_was_an_error_and_not_which() -> None:
    info = CloseInfo(1011, "project 123 has no quota", SentBy.SERVER, Phase.IDLE)
    said = wire_format.shown(Ended(1.0, info, RuntimeError("secret words")))
    assert "secret" not in said
    assert "quota" not in said
    assert json.loads(said)["error"] == wire_format.TROUBLE
    assert json.loads(wire_format.shown(ModelWords(1.0, "Hi", final=True)))["text"] == "Hi"


# Allowance


def test_real_time_never_empties_a_bucket_and_a_flood_does() -> None:
    bucket = Bucket(0.0)
    assert all(bucket.take(1_280 + 320, number * 0.04) for number in range(10_000))
    assert not all(bucket.take(1_280, 400.0) for _ in range(10_000))


def test_what_a_network_held_back_for_25_seconds_may_come_at_once() -> None:
    bucket = Bucket(0.0)
    assert all(bucket.take(1_280 + 320, 25.0) for _ in range(25 * 25 // 1))


def test_a_conversation_ends_when_nobody_speaks_or_when_it_was_long() -> None:
    hours = Hours(60.0, 900.0, 0.0)
    assert (hours.over(59.0), hours.next) == (None, 60.0)
    assert hours.over(60.0) is IDLE
    hours.spoken(60.0)
    assert hours.over(119.0) is None
    hours.spoken(890.0)
    assert hours.over(900.0) is LONG
    assert Hours(None, None, 0.0).over(1e9) is None


def test_a_page_has_heard_no_more_than_it_was_given_and_no_less_than_before() -> None:
    sound, second = PageSound(), bytes(OUTPUT_BYTES)
    sound.give(second)
    assert sound.report(0.25, 0)
    assert (sound.played, sound.waiting) == (0.25, 0.75)
    assert not sound.report(0.125, 0)
    assert sound.report(7.0, 3)
    assert (sound.played, sound.waiting, sound.flushes) == (1.0, 0.0, 0)


def test_sound_that_a_page_never_took_counts_as_heard_and_a_replay_does_not() -> None:
    sound, second = PageSound(), bytes(OUTPUT_BYTES)
    sound.replay(second)
    sound.give(second)
    sound.drop(OUTPUT_BYTES // 4)
    assert (sound.played, sound.dropped) == (0.25, 0.25)
    assert sound.report(1.5, 0)
    assert sound.played == 0.75


def test_after_a_flush_only_what_is_given_then_waits() -> None:
    sound, second = PageSound(), bytes(OUTPUT_BYTES)
    sound.give(second)
    sound.report(0.25, 0)
    sound.flush()
    assert (sound.waiting, sound.unheard.read()) == (0.0, (b"", 0.0, 1))
    assert not sound.report(0.25, 1)
    assert sound.flushes == 1
    sound.give(second)
    assert sound.waiting == 1.0


# What waits


def test_sound_is_dropped_oldest_first_and_events_are_kept() -> None:
    outgoing = Outgoing()
    outgoing.put("first")
    for number in range(40):
        outgoing.put(bytes([number]) * wire_format.OUTPUT_BYTES)
    outgoing.put("last")
    assert outgoing.keep_newest(30.0) == 11 * wire_format.OUTPUT_BYTES
    left = [outgoing.take() for _ in range(len(outgoing))]
    assert (left[0], left[-1]) == ("first", "last")
    assert [each[0] for each in left[1:-1]] == list(range(11, 40))


def test_a_page_is_slow_when_it_takes_less_than_it_hears() -> None:
    pace = Pace()
    pace.waits(0, 0.0)
    assert not pace.is_slow(1.9)
    assert pace.is_slow(2.0)
    pace.waits(10 * wire_format.OUTPUT_BYTES, 2.0)
    assert not pace.is_slow(9.0)
    assert pace.is_slow(11.0)
    pace.waits_no_more()
    assert not pace.is_slow(100.0)


def test_events_without_end_are_too_much() -> None:
    outgoing = Outgoing()
    while not outgoing.is_too_much:
        outgoing.put("x" * 10_000)
    assert len(outgoing) < 30


SECOND = bytes(wire_format.OUTPUT_BYTES)


def test_a_page_is_given_so_much_more_than_it_says_that_it_has_heard() -> None:
    window = Window(2.0)
    for _ in range(2):
        window.sent(SECOND, 0.0)
    assert not window.is_full
    window.sent(SECOND, 0.0)
    assert window.is_full
    assert window.reported(1.0, 0, 1.0)
    assert not window.is_full
    assert not window.reported(1.0, 0, 2.0)
    assert not window.reported(0.5, 0, 2.0)


def test_what_a_flush_has_dropped_is_no_longer_waited_for_once_the_page_says_so() -> None:
    window = Window(2.0)
    for message in (SECOND, SECOND, wire_format.FLUSH, SECOND, SECOND):
        window.sent(message, 0.0)
    assert window.is_full
    assert window.reported(0.5, 1, 5.0)
    assert not window.is_full
    window.sent(SECOND, 5.0)
    assert window.is_full
    assert window.reported(1.5, 1, 6.0)
    assert not window.is_full
    every = Window(0.5)
    for message in (SECOND, wire_format.FLUSH):
        every.sent(message, 0.0)
    assert every.reported(0.0, None, 1.0)  # a page that counts no flushes
    assert not every.is_full


def test_no_page_has_heard_more_than_time_has_passed() -> None:
    window = Window(2.0)
    for _ in range(10):
        window.sent(SECOND, 100.0)
    window.reported(1e9, 5, 103.0)
    assert window.is_full
    window.reported(1e9, 5, 109.0)
    assert not window.is_full


class Daphne:
    """A server that takes whatever it is given, and a page that reports what it is told to."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def receive(self) -> Any:
        return await self._queue.get()

    def says(self, event: str, **fields: Any) -> None:
        self._queue.put_nowait({"type": "websocket.receive", "text": json.dumps({"event": event, **fields})})

    @property
    def sound(self) -> int:
        return sum(len(each.get("bytes") or b"") for each in self.sent) // wire_format.OUTPUT_BYTES


async def until_true(true: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "this never happened"
        await asyncio.sleep(0.005)


def test_a_server_that_takes_everything_is_given_no_more_than_the_page_keeps_up_with(monkeypatch: pytest.MonkeyPatch) -> None:
    async def visit() -> None:
        server = Daphne()
        line = AsgiLine(server.receive, server.send)
        end = BrowserEnd(line)
        running = asyncio.ensure_future(line.run())
        end.begin()
        server.says("start", version=1, token="", conversation=None)
        for _ in range(60):
            end.play(SECOND)
        await until_true(lambda: server.sound == 31)
        end._line._window._first_at -= 60.0  # type: ignore[attr-defined] # a minute ago
        server.says("played", seconds=5.0, flushes=0)
        await until_true(lambda: server.sound == 36)
        end.flush()
        await until_true(lambda: server.sent[-1].get("text") == wire_format.FLUSH)
        for _ in range(60):
            end.play(SECOND)
        server.says("played", seconds=6.0, flushes=1)
        await until_true(lambda: server.sound == 36 + 31)
        monkeypatch.setattr(outgoing, "STALL", 0.1)
        await running  # it says no more, and is let go
        assert server.sent[-1] == {"type": "websocket.close", "code": 1001, "reason": ""}
        assert end.is_gone
        assert server.sound == 36 + 31

    asyncio.run(visit())


# The store


def test_a_conversation_has_one_owner_until_the_lease_is_over() -> None:
    store = MemoryStore()
    assert store.claim("c", "one", 60.0)
    assert store.claim("c", "one", 60.0)
    assert not store.claim("c", "two", 60.0)
    store.release("c", "two")
    assert not store.claim("c", "two", 60.0)
    store.release("c", "one")
    assert store.claim("c", "two", 0.0)
    assert store.claim("c", "one", 60.0)


def test_what_was_saved_is_there_until_its_time_is_over() -> None:
    store, kept = MemoryStore(), StoredConversation("ann", "handle")
    store.save("c", kept, 60.0)
    assert store.load("c") == kept
    assert store.load("d") is None
    store.save("c", kept, 0.0)
    assert store.load("c") is None


def test_visitors_that_never_come_back_keep_a_bounded_memory_of_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_SOUND", 1_000)
    memory = MemoryStore()
    for name, size in {"a": 400, "b": 400, "c": 400, "d": 400}.items():
        memory.save(name, StoredConversation("ann", "handle", unheard=bytes(size)), 60.0)
    memory.save("d", StoredConversation("ann", "handle", unheard=bytes(100)), 60.0)
    kept = {name: memory.load(name) for name in "abcd"}
    assert {name: each and len(each.unheard) for name, each in kept.items()} == {"a": 0, "b": 0, "c": 400, "d": 100}


def test_visitors_that_never_come_back_keep_a_bounded_memory_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_WORDS", 1_000)
    memory, said = MemoryStore(), Utterance("user", "x" * 400, 0.0, 1.0)
    for each in range(3):
        memory.save(f"c{each}", StoredConversation("ann", "handle", (said,)), 60.0)
    assert [memory.load(f"c{each}") is None for each in range(3)] == [True, False, False]


# Frames of a client


MESSAGES = st.tuples(st.sampled_from([frames.TEXT, frames.BINARY, frames.PING]), st.binary(max_size=300))


@given(st.lists(MESSAGES, max_size=6), st.data())
def test_frames_of_a_client_are_read_however_they_are_cut(messages: list[tuple[int, bytes]], data: st.DataObject) -> None:
    messages = [(opcode, payload[:125] if opcode == frames.PING else payload) for opcode, payload in messages]
    stream = b"".join(frame(opcode, payload) for opcode, payload in messages)
    parser, read, position = FrameParser(1_000, of_client=True), [], 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        read += parser.feed(stream[position : position + size])
        position += size
    assert parser.violation is None
    assert [(opcode, bytes(payload)) for opcode, payload in read] == messages


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_of_a_server_is_read_by_a_client_and_one_of_a_client_is_not(size: int) -> None:
    payload = os.urandom(size)
    assert FrameParser(1 << 20).feed(frame_of_server(frames.BINARY, payload)) == [(frames.BINARY, payload)]
    server, client = FrameParser(1 << 20, of_client=True), FrameParser(1 << 20)
    server.feed(frame_of_server(frames.BINARY, payload))
    client.feed(frame(frames.BINARY, payload))
    assert server.violation is not None
    assert server.violation.reason == "the client sent a frame without a mask"
    assert client.violation is not None


def test_masking_keys_are_drawn_together_and_used_once() -> None:
    keys = [frames.random_key() for _ in range(2_000)]
    assert all(len(key) == 4 for key in keys)
    assert len(set(keys)) > 1_990


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_uses_no_key_that_its_parent_has_drawn() -> None:
    frames.random_key()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(frames.random_key() for _ in range(100)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 400)
    os.close(reading)
    os.close(writing)
    ours = {frames.random_key() for _ in range(1_000)}
    assert not ours & {theirs[start : start + 4] for start in range(0, 400, 4)}


# A bare socket


class Taker:
    """Notes what comes."""

    def __init__(self) -> None:
        self.messages: list[bytes | str] = []
        self.errors: list[Exception | None] = []
        self.over, self.floods = threading.Event(), threading.Event()

    def take(self, message: bytes | str) -> None:
        self.messages.append(message)

    def flooded(self) -> None:
        self.floods.set()

    def gone(self, error: Exception | None) -> None:
        self.errors.append(error)
        self.over.set()

    def on_time(self, now: float) -> float:
        return float("inf")


def visited() -> tuple[VisitorSocket, Taker, socket.socket]:
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)
    line, taker = VisitorSocket(near, Reader(shared=True)), Taker()
    line.begin(taker)
    return line, taker, far


class Lent(socket.socket):
    """As a web server with TLS lends it; what is to happen does so while the socket is read."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def pending(self) -> int:
        return 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.meanwhile()
        return super().recv(size, flags)


def test_what_is_sent_while_the_socket_of_a_server_with_tls_is_read_goes_out_behind_the_read() -> None:
    near, far = socket.socketpair()
    lent = Lent(fileno=near.detach())
    lent.setblocking(False)
    far.settimeout(PATIENCE)
    line = VisitorSocket(lent, Reader(shared=True))
    line._taker = Taker()
    lent.meanwhile = lambda: beside(line.send, "listening").result(PATIENCE)
    line.on_ready(selectors.EVENT_READ)
    assert b"listening" in far.recv(100)
    far.close()
    lent.close()


def all_of(peer: socket.socket) -> list[tuple[int, bytes]]:
    """Frames of the server, until it closes."""
    parser, read = FrameParser(1 << 24), []
    while data := peer.recv(65_536):
        read += parser.feed(data)
    return [(opcode, bytes(payload)) for opcode, payload in read]


def close_code(read: list[tuple[int, bytes]]) -> int:
    assert read[-1][0] == frames.CLOSE
    return int.from_bytes(read[-1][1][:2], "big")


def unfinished(opcode: int, payload: bytes) -> bytes:
    """A frame that is not the last of its message."""
    whole = frame(opcode, payload)
    return bytes((whole[0] & ~frames.FINAL,)) + whole[1:]


FLOODS = {
    "pongs": frame(frames.PONG, b""),
    "pings": frame(frames.PING, b"p"),
    "fragments": unfinished(frames.CONTINUATION, b"c"),
}


@pytest.mark.parametrize("of", FLOODS)
def test_a_flood_of_frames_that_are_no_messages_is_noticed(of: str) -> None:
    _, taker, peer = visited()
    flood = FLOODS[of]
    peer.sendall(unfinished(frames.TEXT, b"t") + flood * (MOST_BESIDE // len(flood) + 1_000))
    assert taker.floods.wait(PATIENCE)
    peer.close()


def test_a_page_that_floods_on_after_its_goodbye_is_not_waited_for() -> None:
    line, taker, peer = visited()
    line.end(1008, "rate")
    begin = time.monotonic()
    peer.sendall(FLOODS["pongs"] * (MOST_BESIDE // len(FLOODS["pongs"]) + 1_000))
    assert taker.over.wait(PATIENCE)
    assert time.monotonic() - begin < GOODBYE
    peer.close()


def test_messages_are_no_flood() -> None:
    _, taker, peer = visited()
    peer.sendall(frame(frames.BINARY, bytes(1_280)) * 2_000 + frame(frames.TEXT, b"last"))
    until(lambda: taker.messages[-1:] == ["last"])
    assert not taker.floods.is_set()
    peer.close()


def test_a_page_that_leaves_while_another_thread_writes_is_answered_by_that_one() -> None:
    line, _, peer = visited()
    with peer:
        with line._write_lock:
            peer.sendall(frames.close_frame(1000))
            until(lambda: line._close is not None)
            assert not line.wait(0.05), "its answer was not written"
        line._flush()  # as whoever has written does
        assert close_code(all_of_now(peer)) == 1000


def all_of_now(peer: socket.socket) -> list[tuple[int, bytes]]:
    """Frames of the server in what has come."""
    return [(opcode, bytes(payload)) for opcode, payload in FrameParser(1 << 24).feed(peer.recv(65_536))]


def test_a_goodbye_that_finds_another_thread_about_to_write_is_written_by_that_one() -> None:
    line, _, peer = visited()

    class Ending(list[bytes]):
        """Ends the line, as another thread would, while a sender that may write looks whether anything waits."""

        is_first = True

        def __bool__(self) -> bool:
            if self.is_first:
                self.is_first = False
                line.end(1000)
            return False

    with peer:
        line._controls = Ending()
        assert line.send(b"\0\0") == 0
        peer.settimeout(1.0)  # a goodbye that nobody writes ends with the socket, after two seconds
        assert peer.recv(65_536)[:1] == bytes([frames.FINAL | frames.CLOSE])


def test_fragments_are_joined_pings_are_answered_and_a_close_is_answered_with_its_code() -> None:
    line, taker, peer = visited()
    with peer:
        whole = frame(frames.TEXT, b"Hello")
        begun, rest = bytes([frames.TEXT]) + frame(frames.TEXT, b"Hel")[1:], bytes([0x80]) + frame(0, b"lo")[1:]
        peer.sendall(whole + begun + frame(frames.PING, b"there?") + rest + frame(frames.BINARY, b"\1\0"))
        peer.sendall(frames.close_frame(3_000))
        read = all_of(peer)
    assert taker.over.wait(PATIENCE)
    assert taker.messages == ["Hello", "Hello", b"\1\0"]
    assert read[0] == (frames.PONG, b"there?")
    assert close_code(read) == 3_000
    assert taker.errors == [None]
    assert line.wait(PATIENCE)


@pytest.mark.waits
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame_of_server(frames.TEXT, b"no mask"), 1002),
        (frame(0x3, b"no such kind"), 1002),
        (frame(frames.CONTINUATION, b"of nothing"), 1002),
        (bytes([0xC2]) + frame(frames.BINARY, b"compressed")[1:], 1002),
        (frame(frames.TEXT, b"\xff\xfe"), 1007),
        (frame(frames.BINARY, bytes(MOST_BYTES + 1)), 1009),
        (frame(frames.CLOSE, b"\0"), 1002),
    ],
    ids=["no mask", "kind", "order", "compressed", "characters", "length", "close"],
)
def test_a_peer_that_breaks_the_protocol_is_told_so_and_let_go(sent: bytes, code: int) -> None:
    _, taker, peer = visited()
    with peer:
        peer.sendall(sent)
        assert close_code(all_of(peer)) == code
    assert taker.over.wait(PATIENCE)
    assert taker.messages == []


def test_what_was_sent_before_the_end_goes_out_before_the_close() -> None:
    line, taker, peer = visited()
    with peer:
        for number in range(100):
            line.send(f"{number}")
        line.send(bytes(100_000))
        line.end(1012, "moving")
        line.send("nobody gets this")
        read = all_of(peer)
    assert [payload for opcode, payload in read if opcode == frames.TEXT] == [b"%d" % number for number in range(100)]
    assert read[-1] == (frames.CLOSE, (1012).to_bytes(2, "big") + b"moving")
    assert taker.over.wait(PATIENCE)


def test_a_peer_that_does_not_answer_a_close_is_not_waited_for() -> None:
    line, taker, peer = visited()
    with peer:
        began = time.monotonic()
        line.end(1000)
        assert taker.over.wait(PATIENCE)
        assert time.monotonic() - began < 30


def test_a_defect_ends_the_visit_at_once(caplog: pytest.LogCaptureFixture) -> None:
    _, taker, peer = visited()

    def fail(_: object) -> None:
        raise ZeroDivisionError

    taker.take = fail  # type: ignore[assignment,method-assign]
    with peer:
        peer.sendall(frame(frames.TEXT, b"hello"))
        began = time.monotonic()
        assert taker.over.wait(PATIENCE)
        assert time.monotonic() - began < 10  # and not when the next ping is due
    assert "ZeroDivisionError" in caplog.text


def test_a_flood_of_pings_takes_no_memory() -> None:
    line, taker, peer = visited()
    with peer:
        peer.settimeout(PATIENCE)
        for _ in range(100):
            peer.sendall(frame(frames.PING, bytes(125)) * 1_000)
        assert len(line._controls) < 100
    assert taker.over.wait(PATIENCE)


def test_many_threads_send_whole_messages_to_a_slow_peer() -> None:
    line, taker, peer = visited()
    with peer:

        def speak(number: int) -> None:
            for count in range(300):
                line.send(f"{number} {count} " + "x" * 100)

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(4)]
        parser, read = FrameParser(1 << 20), []
        for thread in threads:
            thread.start()
        while len(read) < 1_200:
            read += parser.feed(peer.recv(1_000))
        for thread in threads:
            thread.join(PATIENCE)
        assert parser.violation is None
        for number in range(4):
            own = [int(payload.split()[1]) for _, payload in read if payload.startswith(b"%d " % number)]
            assert own == list(range(300))
        line.end(1000)
    assert taker.over.wait(PATIENCE)
    until(lambda: taker.errors)
