"""JSON and base64 by what is installed: orjson and pybase64 (extra ``speed``), else the standard library. Runs on any thread."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

# Several times faster than the standard library where they are installed (docs/performance.md).
try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
try:
    import pybase64
except ImportError:
    pybase64 = None  # type: ignore[assignment]

_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")

JSON_ENGINE = "orjson" if orjson else "json"
"""Which package reads and writes JSON here."""


def _standard_loads(data: bytes | bytearray | memoryview) -> Any:
    # str(..., "utf-8") is strict; json.loads(bytes) would guess UTF-16 and let lone surrogates through.
    try:
        return _standard_decoder.decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# The standard library takes NaN and Infinity, which JSON does not have and orjson refuses.
_standard_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _standard_dumps(value: Any) -> bytes:
    return whole(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)).encode()


OBJECT_BYTES, LIST_BYTES, VALUE_BYTES = 512, 96, 64
"""Bytes that an object, a list and a further value of either take once they are decoded, message classes included, at most."""
GROWTH = 512
"""How many times what it came in a JSON value can take at most: an object for every two bytes, half of them in between."""


def objects_bytes(data: bytes | bytearray) -> int:
    """About the bytes that the values of a JSON text take as objects, beside their characters."""
    return data.count(b"{") * OBJECT_BYTES + data.count(b"[") * LIST_BYTES + data.count(b",") * VALUE_BYTES


def whole(text: str) -> str:
    """The text with both halves of a character joined, where pieces were cut between them, and with U+FFFD for half a one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def mended(value: Any) -> Any:
    """A JSON value whose texts are ``whole``."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {mended(name): mended(held) for name, held in value.items()}
    return [mended(held) for held in value] if isinstance(value, list) else value


def loads(data: bytes | bytearray | memoryview) -> Any:
    """Parses UTF-8 JSON. Half a character, escaped, stays what it is.

    Raises:
        ValueError: for anything else.
    """
    if orjson is None:
        return _standard_loads(data)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if b"\\u" not in bytes(data):
            raise
        return _standard_loads(data)  # orjson refuses escaped halves of characters, which models were seen to write


def dumps(value: Any) -> bytes:
    """Writes compact UTF-8 JSON, half characters as U+FFFD.

    Raises:
        TypeError: for a value of a type that JSON does not have.
        ValueError: for a value that JSON cannot say.
    """
    if orjson is None:
        return _standard_dumps(value)
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # orjson refuses integers of more than 64 bits, which JSON itself allows, and halves of characters.
        return _standard_dumps(value)


b64encode: Callable[[bytes], bytes] = pybase64.b64encode if pybase64 else base64.b64encode
"""Encodes to standard base64 with padding."""


def _strict_decoder() -> tuple[Callable[..., bytes], tuple[Any, ...]]:
    if pybase64:
        return pybase64.b64decode, (None, True)  # by name these two would take half of the time
    if sys.version_info >= (3, 11):
        return functools.partial(binascii.a2b_base64, strict_mode=True), ()
    return functools.partial(base64.b64decode, validate=True), ()


b64decode_strictly, STRICTLY = _strict_decoder()
"""Decodes standard base64 with padding; ValueError for anything else. ``b64decode_strictly(text, *STRICTLY)`` is C alone:
what is decoded for every message passes no function of this module."""


def b64decode(text: str | bytes | bytearray | memoryview) -> bytes:
    """Decodes base64 in the standard or the URL-safe alphabet, padded or not.

    Raises:
        ValueError: for anything else.
    """
    try:
        # What the service writes comes first: looking for the other variants before it would double the time.
        return b64decode_strictly(text, *STRICTLY)
    except ValueError:
        return _b64decode_any(text)


def _b64decode_any(text: str | bytes | bytearray | memoryview) -> bytes:
    data = text.encode("ascii", "strict") if isinstance(text, str) else bytes(text)
    data = data.translate(_URL_SAFE_TO_STANDARD).rstrip(b"=") if b"-" in data or b"_" in data else data
    data += b"=" * (-len(data) % 4)
    try:
        return b64decode_strictly(data, *STRICTLY)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
