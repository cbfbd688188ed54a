"""Masking of frames (RFC 6455 section 5.3): in C where the ``websockets`` package is installed, else in Python. Any thread.

Measured on the 7.7 kB of an audio message, CPython 3.11: 0.25 µs in C, 9 µs in Python, of 30 µs that sending it took.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.machinery import PathFinder

_XOR_TABLES = tuple(
    (int.from_bytes(bytes(range(256)), "little") ^ int.from_bytes(bytes([key]) * 256, "little")).to_bytes(256, "little")
    for key in range(256)
)
_TRANSLATE_FROM = 600
"""Bytes from which four strided translations beat one big-integer XOR: 9 µs against 15 µs for 7.7 kB, 4 ms against 13 ms for
4 MB."""

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
