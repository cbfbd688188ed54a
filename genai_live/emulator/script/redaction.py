"""Credentials taken out of words that pass by, also cut, escaped, in base64 or in hexadecimal. Pure: runs on any thread.

What is looked for is not a whole credential but a run of its characters, for words get cut, wrapped and abbreviated; or sixteen
of its letters and digits with signs and blanks between them. What is left of a key, fewer than eight characters in a row, opens
nothing.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from genai_live._secret import Secret

REMOVED = "<removed>"
"""What stands where a credential was."""

SHORTEST = 8
"""Characters of a run that is taken out, and of a text that is taken for a credential: shorter ones are in any words."""
LONG_TEXT = 2048
"""Bytes from which a text may be sound in base64, in which eight characters of a key come up by chance, once in some ten million
texts of this length: there only longer runs count."""
SHORTEST_IN_LONG = 16

_INT_BYTES, _LONG_BYTES = 4, 8
_BLOCKS = {SHORTEST: _INT_BYTES, SHORTEST_IN_LONG: _LONG_BYTES}
"""Bytes of the blocks that a text is cut into, to see fast that it holds nothing: every run of that length, and of one byte less,
holds a whole block, wherever it begins. 8 kB of sound take 45 µs that way."""

PUBLIC_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "host", "origin", "pragma", "referer", "user-agent"}
    | {"x-goog-api-client", "x-goog-request-params", "x-goog-user-project", "x-server-timeout", "upgrade", "connection"}
)
"""Headers that hold no credential; any other may. ``sec-websocket-*`` hold none either."""

_AUTHORIZATION = ("authorization", "proxy-authorization")
_TOKEN_PREFIX = "auth_tokens/"

_SIGNS = bytes(byte for byte in range(256) if not bytes((byte,)).isalnum())
_BETWEEN = re.compile(rb"(?:\\[bfnrt]|[^a-z0-9])+")
"""What may stand between the pieces of a credential without hiding it: signs, and JSON's spelling of a line's end."""
_ESCAPE = re.compile(
    rb"%([0-9a-f]{2})|\\+(?:u00|x)([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*([0-9]{2,3});|\\+(_|[^\w\s])", re.IGNORECASE
)
"""One escaped character of ASCII: in URLs, JSON and C, HTML; and a sign behind backslashes."""
_MAY_BE_ESCAPED = (b"%", b"\\", b"&#")
_LAYERS = 4
"""Escapes within escapes that are looked into: a URL within JSON within JSON has three."""
_WINDOW, _OVERLAP = 1 << 18, 1 << 12
"""Bytes that are looked through at once, and looked through again with those that follow: noting where each of a million escapes
stood takes 100 MB."""


def credentials_in(headers: Mapping[str, str], query: str = "") -> Iterator[Secret]:
    """What is secret in the headers (names in lower case) and the query of a request."""
    for name, value in headers.items():
        if name not in PUBLIC_HEADERS and not name.startswith("sec-websocket-"):
            yield from map(Secret, _parts(name, value))
    for part in query.split("&"):
        yield Secret(part.partition("=")[2])
    for _, value in parse_qsl(query):
        yield Secret(value)


def _parts(name: str, value: str) -> Iterator[str]:
    """What of a header's value is secret: not the scheme before it, nor the names of cookies."""
    words = re.split(r"[\s,;]+", value)
    if name == "cookie":
        words = [word.partition("=")[2] for word in words]
    elif name in _AUTHORIZATION and len(words) > 1:
        if words[0].lower() == "basic":
            with contextlib.suppress(ValueError):
                user, _, password = base64.b64decode(words[1]).decode("utf-8", "replace").partition(":")
                yield from (user, password)
        words = words[1:]
    yield from words


class Redactor:
    """Takes some credentials out of texts and bytes; those of fewer than eight characters stay."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        texts = {secret.reveal().removeprefix(_TOKEN_PREFIX).strip('"=') for secret in secrets}
        spellings = {spelling.lower() for text in texts if len(text) >= SHORTEST for spelling in _spellings(text.encode())}
        self._reveal: Callable[[], set[bytes]] = lambda: spellings  # a closure, as in Secret: no attribute shows it
        joined = {text.encode().lower().translate(None, _SIGNS) for text in texts}
        self._reveal_joined: Callable[[], set[bytes]] = lambda: {each for each in joined if len(each) >= SHORTEST_IN_LONG}
        self._blocks = {
            run: frozenset().union(*(_blocks(spelling[shift:], size) for spelling in spellings for shift in range(size)))
            for run, size in _BLOCKS.items()
        }
        size = _BLOCKS[SHORTEST_IN_LONG]
        self._joined_blocks = frozenset().union(
            *(_blocks(each[shift:], size) for each in self._reveal_joined() for shift in range(size))
        )

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._reveal())} spellings>"

    def text(self, text: str) -> str:
        """The text without what is a credential; the very same one when there is none in it."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self.octets(data)
        return text if clean is data else clean.decode("utf-8", "replace")

    def octets(self, data: bytes) -> bytes:
        """The bytes without what is a credential; the very same ones when there is none in them."""
        spans: list[tuple[int, int]] = []
        for start in range(0, len(data), _WINDOW):
            spans += ((start + first, start + end) for first, end in self._spans(data[start : start + _WINDOW + _OVERLAP]))
        return _without(data, spans) if spans else data

    def _spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where credentials stand, escaped or not."""
        yield from self._runs(data)
        layers: list[_Places] = []
        while len(layers) < _LAYERS and any(sign in data for sign in _MAY_BE_ESCAPED):
            data, places = _unescaped(data)
            if len(places.read) == 1:
                return
            layers.append(places)
            for run in self._runs(data):
                yield functools.reduce(lambda found, layer: layer.source(found), reversed(layers), run)

    def _runs(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where runs of a credential's characters begin and end."""
        shortest = SHORTEST if len(data) <= LONG_TEXT else SHORTEST_IN_LONG
        low = data.lower()
        may_hold = not self._blocks[shortest].isdisjoint(_blocks(low, _BLOCKS[shortest]))
        for spelling in self._reveal():
            if may_hold or len(spelling) < shortest:
                yield from _runs_of(spelling, low, min(shortest, len(spelling)))
        yield from self._pieces(low)

    def _pieces(self, low: bytes) -> Iterator[tuple[int, int]]:
        """Where a credential stands in pieces, however short, with nothing but signs and blanks between them."""
        joined = _BETWEEN.sub(b"", low) if b"\\" in low else low.translate(None, _SIGNS)
        if self._joined_blocks.isdisjoint(_blocks(joined, _BLOCKS[SHORTEST_IN_LONG])):
            return
        begins = [0, *(found.end() for found in _BETWEEN.finditer(low))]
        ends = [*(found.start() for found in _BETWEEN.finditer(low)), len(low)]
        places = [place for piece in zip(begins, ends, strict=True) for place in range(*piece)]
        for text in self._reveal_joined():
            for begin, end in _runs_of(text, joined, SHORTEST_IN_LONG):
                yield places[begin], places[end - 1] + 1


def _blocks(data: bytes, size: int) -> memoryview[int]:
    """The whole blocks of so many bytes, as numbers."""
    whole = memoryview(data)[: len(data) // size * size]
    return whole.cast("I") if size == _INT_BYTES else whole.cast("Q")


def _runs_of(spelling: bytes, low: bytes, shortest: int) -> Iterator[tuple[int, int]]:
    """Where ``low`` has ``shortest`` or more bytes in a row that ``spelling`` has in a row."""
    size = shortest // 2
    for probe in range(0, len(spelling) - size + 1, shortest - size + 1):
        at = low.find(spelling[probe : probe + size])
        while at >= 0:
            before, after = 0, size
            while before < min(probe, at) and spelling[probe - before - 1] == low[at - before - 1]:
                before += 1
            while after < min(len(spelling) - probe, len(low) - at) and spelling[probe + after] == low[at + after]:
                after += 1
            if before + after >= shortest:
                yield at - before, at + after
            at = low.find(spelling[probe : probe + size], at + after)


def _spellings(text: bytes) -> Iterator[bytes]:
    """The text as it may be written: plainly, in UTF-16, in hexadecimal, and in base64 at each of its three alignments."""
    yield text
    yield b"\0".join(bytes((byte,)) for byte in text)
    yield text.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text)
        # Characters at both ends depend on what stands beside the text.
        inner = encoded[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6]
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


class _Places(NamedTuple):
    """Where the bytes of an unescaped text stood: pieces that begin at ``read`` began at ``written``."""

    read: list[int]
    written: list[int]
    escaped: list[bool]

    def source(self, run: tuple[int, int]) -> tuple[int, int]:
        """Where a run of the unescaped text begins and ends in the escaped one."""
        return self._written_at(run[0]), self._written_at(run[1])

    def _written_at(self, position: int) -> int:
        piece = bisect.bisect_right(self.read, position) - 1
        return self.written[piece] + (0 if self.escaped[piece] else position - self.read[piece])


def _unescaped(data: bytes) -> tuple[bytes, _Places]:
    """The text with each escaped character as itself, and where everything stood."""
    places = _Places([0], [0], [False])
    pieces: list[bytes] = []
    length = end = 0
    for found in _ESCAPE.finditer(data):
        character = _character(found)
        if character is None:
            continue
        pieces += (data[end : found.start()], character)
        length += found.start() - end
        end = found.end()
        places.read.extend((length, length + 1))
        places.written.extend((found.start(), end))
        places.escaped.extend((True, False))
        length += 1
    return b"".join((*pieces, data[end:])), places


def _character(found: re.Match[bytes]) -> bytes | None:
    percent, backslash, hexadecimal, decimal, sign = found.groups()
    if sign is not None:
        return sign
    code = int(decimal) if decimal else int(percent or backslash or hexadecimal, 16)
    return bytes((code,)) if code < 256 else None


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """The bytes with each span, and those that touch each other together, replaced."""
    pieces: list[bytes] = []
    end = 0
    for start, stop in sorted(spans):
        if start > end or not pieces:
            pieces += (data[end:start], REMOVED.encode())
        end = max(end, stop)
    return b"".join((*pieces, data[end:]))
