"""WebSocket frames (RFC 6455 section 5): bytes to messages and back. Pure: no socket, thread or clock; runs on any thread."""

from __future__ import annotations

import importlib.util
import os
import struct
from collections import deque
from collections.abc import Callable
from importlib.machinery import PathFinder

from genai_live import _process
from genai_live._base64_text import Payload

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""Opcodes, RFC 6455 section 5.2."""

FINAL = 0x80
"""First bit of a frame: no fragment of the message follows."""
RESERVED_BITS = 0x70
MASKED = 0x80
LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES = 126, 127
"""Values of the seven-bit length that announce a longer one, RFC 6455 section 5.2."""
_LONG_LENGTHS = {LENGTH_IN_2_BYTES: (LENGTH_IN_2_BYTES, 2), LENGTH_IN_8_BYTES: (1 << 16, 8)}
"""The least length that may be written so, and its bytes: the shortest form must be used."""
_NO_LENGTH = 1 << 63
"""The most significant bit of the longest form must be 0."""
_WHOLE = (FINAL | BINARY, FINAL | TEXT)
"""First bytes of frames that are a message each."""
SHORTEST_HEADER = 2
CODE_BYTES = 2
"""A Close frame's payload starts with its code, RFC 6455 section 5.5.1."""
LONGEST_CONTROL_PAYLOAD = 125
"""Bytes, RFC 6455 section 5.5; a close reason therefore has at most 123."""

EVENTS_AT_ONCE = 256
"""Messages that are cut from the bytes at once: 64 KiB hold 32,768 empty frames, which take 2.6 MB as objects."""
PINGS_IN_A_ROW = 64
"""Pings of one read that are all answered; of more, the latest (RFC 6455 section 5.5.3): an answer costs as much as a message."""

_MEDIUM_HEAD = struct.Struct("!BBH").pack
PIECE_BYTES = 1 << 16
"""Bytes that are masked at once, and written at once: a megabyte of text takes 1.3 ms that way, and 2.1 ms where the whole is
masked (see ``Base64Text``)."""

PROTOCOL_ERROR, NO_STATUS, ABNORMAL, BAD_DATA, TOO_BIG = 1002, 1005, 1006, 1007, 1009
"""Close codes, RFC 6455 section 7.4.1."""

Event = tuple[int, "bytes | bytearray"]
"""Opcode and payload of a whole message, or of a control frame."""

# Masking (section 5.3): in C where the ``websockets`` package is installed, else in Python
# (docs/performance.md has both).

_XOR_TABLES = tuple(
    (int.from_bytes(bytes(range(256)), "little") ^ int.from_bytes(bytes([key]) * 256, "little")).to_bytes(256, "little")
    for key in range(256)
)
_TRANSLATE_FROM = 600
"""Bytes from which four strided translations beat one big-integer XOR (docs/performance.md)."""

Masking = Callable[[bytes, bytes], "bytes | bytearray"]


def masked_in_python(payload: bytes, key: bytes) -> bytes | bytearray:
    """XORs the payload with the repeated four-byte key."""
    size = len(payload)
    if size < _TRANSLATE_FROM:
        stream = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")).to_bytes(size, "little")
    result = bytearray(size)
    for lane in range(4):
        result[lane::4] = payload[lane::4].translate(_XOR_TABLES[key[lane]])
    return result


def masking_in_c() -> Masking | None:
    """The same from the ``websockets`` package; None where that is not installed, or without its compiled part.

    Only the compiled part is loaded: importing the whole package takes 48 ms.
    """
    package = importlib.util.find_spec("websockets")
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("websockets.speedups", places) if places else None
    if found is None or found.loader is None:
        return None
    try:
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
    except ImportError:
        return None
    masking: Masking | None = getattr(module, "apply_mask", None)
    return masking


masked: Masking = masking_in_c() or masked_in_python
"""The faster of the two."""

KEY_BYTES = 4
_KEYS_AT_ONCE = 256
"""Keys of one draw: a draw for each frame is a system call for each."""
_keys: deque[bytes] = deque()
_process.in_child(_keys.clear)  # what the parent has drawn, it uses


def random_key() -> bytes:
    """A masking key of the system's strong randomness (section 10.3). Any thread."""
    try:
        return _keys.pop()
    except IndexError:
        drawn = os.urandom(KEY_BYTES * _KEYS_AT_ONCE)
        _keys.extend(drawn[start : start + KEY_BYTES] for start in range(KEY_BYTES, len(drawn), KEY_BYTES))
        return drawn[:KEY_BYTES]


# Frames out.


def frame(opcode: int, payload: bytes) -> bytes:
    """One final, masked frame, as a client must send it."""
    size = len(payload)
    try:
        key = _keys.pop()  # ``random_key`` without its call
    except IndexError:
        key = random_key()
    if size < LENGTH_IN_2_BYTES:
        head = bytes((FINAL | opcode, MASKED | size))
    elif size < 1 << 16:
        head = _MEDIUM_HEAD(FINAL | opcode, MASKED | LENGTH_IN_2_BYTES, size)
    else:
        head = _long_head(opcode, size)
    return b"".join((head, key, masked(payload, key)))


def _long_head(opcode: int, size: int) -> bytes:
    return bytes((FINAL | opcode, MASKED | LENGTH_IN_8_BYTES)) + size.to_bytes(8, "big")


class LargeFrame:
    """One final, masked frame like those of ``frame``, made piece by piece while it is written. Has a length, as bytes have."""

    def __init__(self, opcode: int, payload: Payload) -> None:
        self._key = random_key()
        self._head = _long_head(opcode, len(payload)) + self._key
        self._payload = payload

    def __len__(self) -> int:
        return len(self._head) + len(self._payload)

    def from_byte(self, offset: int) -> bytes | bytearray:
        """What follows from ``offset`` on, a piece of it; the same whenever it is asked, which TLS needs of a repeated write."""
        if offset < len(self._head):
            return self._head[offset:] + masked(self._payload[:PIECE_BYTES], self._key)
        position = offset - len(self._head)
        start = position - position % len(self._key)
        return masked(self._payload[start : start + PIECE_BYTES], self._key)[position - start :]


Frame = bytes | LargeFrame
"""What a client writes."""


def message_frame(payload: Payload) -> Frame:
    """A text message in one frame."""
    if isinstance(payload, bytes) and len(payload) <= PIECE_BYTES:
        return frame(TEXT, payload)
    return LargeFrame(TEXT, payload)


def frame_of_server(opcode: int, payload: bytes) -> bytes:
    """One final frame without a mask, as a server must send it."""
    size = len(payload)
    if size < LENGTH_IN_2_BYTES:
        return bytes((FINAL | opcode, size)) + payload
    if size < 1 << 16:
        return _MEDIUM_HEAD(FINAL | opcode, LENGTH_IN_2_BYTES, size) + payload
    return bytes((FINAL | opcode, LENGTH_IN_8_BYTES)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "", *, framed: Callable[[int, bytes], bytes] = frame) -> bytes:
    """A Close frame whose reason is cut to 123 bytes on a character boundary."""
    words = reason.encode()[: LONGEST_CONTROL_PAYLOAD - CODE_BYTES].decode(errors="ignore").encode()
    return framed(CLOSE, code.to_bytes(CODE_BYTES, "big") + words)


def read_close(payload: bytes | bytearray) -> tuple[int, str]:
    """Code and reason of a received Close frame; 1005 when it carries none.

    The service cuts reasons at 123 bytes wherever that falls, so half a character at the end is dropped and not an error,
    although RFC 6455 section 8.1 would have the connection failed for it: the server's words matter more here.
    """
    if len(payload) < CODE_BYTES:
        return NO_STATUS, ""
    words = bytes(payload[CODE_BYTES:])
    for cut in range(4):  # a character has at most four bytes
        try:
            return int.from_bytes(payload[:CODE_BYTES], "big"), words[: len(words) - cut].decode()
        except UnicodeDecodeError:
            continue
    return int.from_bytes(payload[:CODE_BYTES], "big"), words.decode(errors="replace")


def is_utf8(payload: bytes | bytearray) -> bool:
    """True when a text message's payload is what it has to be (RFC 6455 section 8.1)."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def may_be_sent(code: int) -> bool:
    """True for close codes that may stand in a Close frame (RFC 6455 section 7.4)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class Violation(Exception):
    """The peer broke RFC 6455, or sent more than we take: the connection has to end with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def _without_mask_bit(length: int) -> int:
    """The second byte of a client's frame, whose mask bit has to be set (section 5.1)."""
    if not length & MASKED:
        raise Violation(PROTOCOL_ERROR, "the client sent a frame without a mask")
    return length & ~MASKED


class FrameParser:
    """Cuts messages from the bytes of one connection, in order.

    ``feed`` returns what became complete, ``EVENTS_AT_ONCE`` at most; the rest stays as bytes until the next call. When the peer
    breaks the protocol, ``violation`` is set, what was complete before it is still returned, and everything after it is ignored;
    the same holds for what follows a Close frame.

    ``of_client`` is True where a client is the peer, whose frames are masked; a server's must not be.
    """

    def __init__(self, max_message_bytes: int, *, of_client: bool = False) -> None:
        self.violation: Violation | None = None
        self._max_message_bytes = max_message_bytes
        self._is_masked = of_client
        self._peer = "client" if of_client else "server"
        self._begun = bytearray()
        """A frame that is not whole yet."""
        self._missing = 0
        """Bytes that it lacks, as far as is known: of its header, or of all."""
        self._fragments = bytearray()
        """What has come of a message in fragments. In one piece: an object for each took 40 bytes for one of 2 bytes."""
        self._fragments_opcode = CONTINUATION
        self._empty_fragments = 0
        """They take no memory, but a message of nothing else has no end."""
        self._finished = False
        self.rest = b""
        """What came and was not looked at: frames enough for one call of ``feed`` lay before it, and the next goes on with it."""

    @property
    def within_a_message(self) -> bool:
        """True when a message has begun in fragments and its end has not come."""
        return self._fragments_opcode != CONTINUATION

    def feed(self, data: bytes) -> list[Event]:
        """Takes the next bytes; returns the messages and control frames that they complete."""
        events: list[Event] = []
        if self._finished:
            return events
        if self.rest:
            data, self.rest = self.rest + data, b""
        try:
            used = self._complete(data, events) if self._begun else 0
            if not self._begun:
                used = self._cut(data, used, events)
                if not self._finished and len(events) < EVENTS_AT_ONCE:
                    self._begun += data[used:]
                elif not self._finished:
                    self.rest = data[used:]
        except Violation as violation:
            self.violation, self._finished = violation, True
        return events

    def _complete(self, data: bytes, events: list[Event]) -> int:
        """Completes the frame that has begun, as far as ``data`` goes, and returns the number of bytes used.

        It takes no more than that: whole frames are cut from the read they lie in, and nearly every read begins within one.
        """
        used = 0
        while self._begun and used < len(data):
            piece = data[used : used + self._missing]
            self._begun += piece
            used += len(piece)
            self._cut(self._begun, 0, events)
        return used

    def _payload_of_begun(self, start: int) -> bytearray:
        """The frame that had begun is whole, and is all that was kept: its payload without another copy of it, 1 ms for 4 MB."""
        payload, self._begun = self._begun, bytearray()
        del payload[:start]  # moves the start of the bytearray, copies nothing
        return payload

    def _cut(self, buffer: bytes | bytearray, position: int, events: list[Event]) -> int:
        """Appends the event of every whole frame from ``position`` on; returns where the first begins that was not cut."""
        size = len(buffer)
        while len(events) < EVENTS_AT_ONCE and not self._finished:
            start = position + SHORTEST_HEADER
            if start > size:
                self._missing = start - size
                return position
            first, length = buffer[position], buffer[position + 1]
            if self._is_masked:
                length = _without_mask_bit(length)
                start += KEY_BYTES
            if length >= LENGTH_IN_2_BYTES:  # or the mask bit, which a server must not set (section 5.1)
                if length & MASKED:
                    raise Violation(PROTOCOL_ERROR, "the server sent a masked frame")
                least, wide = _LONG_LENGTHS[length]
                start += wide
                if start > size:
                    self._missing = start - size
                    return position
                length = int.from_bytes(buffer[position + SHORTEST_HEADER : position + SHORTEST_HEADER + wide], "big")
                if not least <= length < _NO_LENGTH:
                    raise Violation(PROTOCOL_ERROR, f"the {self._peer} wrote a frame's length in a form that RFC 6455 forbids")
            end = start + length
            # A whole message in one frame, as the service sends: what follows would find nothing to say.
            plain = first in _WHOLE and self._fragments_opcode == CONTINUATION and length <= self._max_message_bytes
            if not plain:
                self._check(first, length)
            if end > size:
                self._missing = end - size
                return position
            key = bytes(buffer[start - KEY_BYTES : start]) if self._is_masked else b""
            payload = buffer[start:end] if buffer is not self._begun else self._payload_of_begun(start)
            if key:
                payload = masked(bytes(payload), key)
            if plain:
                events.append((first & 0xF, payload))
            else:
                self._take(first, payload, events)
            position = end
        return position

    def _check(self, first: int, length: int) -> None:
        """Judges a frame by its header, before its payload is waited for."""
        opcode = first & 0xF
        if first & RESERVED_BITS:
            raise Violation(PROTOCOL_ERROR, f"the {self._peer} set a reserved bit without a negotiated extension")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Violation(PROTOCOL_ERROR, f"the {self._peer} sent a frame of unknown kind {opcode:#x}")
            if length > LONGEST_CONTROL_PAYLOAD or not first & FINAL:
                raise Violation(PROTOCOL_ERROR, f"the {self._peer} sent a control frame that is too long or fragmented")
            return
        if opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, f"the {self._peer} sent a frame of unknown kind {opcode:#x}")
        if (opcode == CONTINUATION) != (self._fragments_opcode != CONTINUATION):
            raise Violation(PROTOCOL_ERROR, f"the {self._peer} broke the order of fragments")
        size = length + len(self._fragments)
        if max(size, self._empty_fragments) > self._max_message_bytes:
            what = f"{size} bytes" if size > self._max_message_bytes else f"{self._empty_fragments} empty fragments"
            setting = "" if self._is_masked else " (http_options max_message_bytes)"  # which no page has
            raise Violation(TOO_BIG, f"a message of {what} or more is over the limit of {self._max_message_bytes}{setting}")

    def _take(self, first: int, payload: bytes | bytearray, events: list[Event]) -> None:
        opcode = first & 0xF
        if opcode >= CLOSE:
            if opcode == CLOSE:
                self._check_close(payload)
                self._finished = True
            if opcode == PING and len(events) >= PINGS_IN_A_ROW and events[-1][0] == events[-PINGS_IN_A_ROW][0] == PING:
                events.pop()  # the latest is answered in its place
            events.append((opcode, payload))
        elif first & FINAL and opcode != CONTINUATION:
            events.append((opcode, payload))
        else:
            self._take_fragment(opcode, payload, bool(first & FINAL), events)

    def _take_fragment(self, opcode: int, payload: bytes | bytearray, final: bool, events: list[Event]) -> None:
        if opcode != CONTINUATION:
            self._fragments_opcode = opcode
        if not payload:
            self._empty_fragments += 1
        elif self._fragments or isinstance(payload, bytes):
            self._fragments += payload
        else:
            self._fragments = payload
        if final:
            events.append((self._fragments_opcode, self._fragments))
            self._fragments, self._fragments_opcode, self._empty_fragments = bytearray(), CONTINUATION, 0

    def _check_close(self, payload: bytes | bytearray) -> None:
        if len(payload) == 1 or (payload and not may_be_sent(int.from_bytes(payload[:CODE_BYTES], "big"))):
            raise Violation(PROTOCOL_ERROR, f"the {self._peer} sent a Close frame with an impossible code")
