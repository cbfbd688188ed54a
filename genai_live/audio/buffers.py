"""16-bit samples out of whatever holds them, and the true cure for what holds others. Pure: any thread, never blocks.

Objects are asked through Python's buffer protocol, which the arrays of the standard library and of numpy, cffi's and ctypes'
buffers and memoryviews share; nothing is imported. What would be heard as noise is refused with the expression that mends it.
"""

from __future__ import annotations

import array
import math
import sys
from typing import Any

from genai_live._arguments import came
from genai_live.errors import ConfigError

PLAIN = (bytes, bytearray)
"""What is bytes without a question."""

_MOST_CHANNELS = 32
"""Above this, the shorter side of an array is not a number of channels: sound cards have up to 32, pictures more lines."""
_LOUDEST = 1.5
"""Where floating-point sound ends, with what a mixer may add: values above it were never scaled to -1..1."""
_16_BITS, _INT32_BYTES = 32_767, 4
_BYTES, _SAMPLES, _FLOATS, _INTEGERS = "Bc", "h", "efdg", "ilqILQnN"
"""Kinds of items, by their characters in the struct module."""


def is_buffer(value: object) -> bool:
    """True for what holds items of one kind in memory: bytes, arrays, buffers."""
    return isinstance(value, PLAIN) or _view(value) is not None


def sample_bytes(value: Any, path: str, channels: int = 1) -> bytes:
    """The bytes of 16-bit little-endian samples that ``value`` holds, copied unless it is ``bytes``.

    Bytes are taken to be such samples; an array has to say so: 16-bit integers of either byte order, in the shape (n,), or (n,
    ``channels``). ``path`` names the caller's argument.

    Raises:
        ConfigError: no buffer, or one of other numbers or another shape; the text says what to pass instead.
    """
    if isinstance(value, PLAIN):
        return bytes(value)
    view = _view(value)
    if view is None:
        raise ConfigError(f"must be bytes of 16-bit PCM, not {came(value)}{hint(value)}", path)
    order, kind = _format(view)
    if not (_fits(view.shape or (), channels) if kind == _SAMPLES else kind in _BYTES and not _is_of_numbers(value)):
        raise ConfigError(f"{_described(value, view)}, and sound is 16-bit PCM: {_cure(value, view, kind, channels)}", path)
    data = view.tobytes()
    return _swapped(data) if kind == _SAMPLES and order == "big" else data


def plain_bytes(value: Any, path: str) -> bytes:
    """The bytes that ``value`` holds, such as an encoded picture; an array of bytes is taken, any other is refused.

    Raises:
        ConfigError: no bytes.
    """
    if isinstance(value, PLAIN):
        return bytes(value)
    view = _view(value)
    if view is None or _format(view)[1] not in _BYTES or max(view.shape or (0,), default=0) != view.nbytes:
        raise ConfigError(f"must be bytes, not {came(value) if view is None else _described(value, view)}", path)
    return view.tobytes()


def _view(value: object) -> memoryview | None:
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):  # no buffer, one that was released, items that no format describes
        return None


def _format(view: memoryview) -> tuple[str, str]:
    """Byte order and kind of the items."""
    order = _ORDERS.get(view.format[:-1])
    return (order, view.format[-1:]) if order else (sys.byteorder, view.format)


_ORDERS = {"": sys.byteorder, "@": sys.byteorder, "=": sys.byteorder, "<": "little", ">": "big", "!": "big"}
"""As the struct module spells them."""


def _swapped(data: bytes) -> bytes:
    samples = array.array("h", data)
    samples.byteswap()
    return samples.tobytes()


def _is_of_numbers(value: object) -> bool:
    """True for numpy's arrays and their like: their bytes may be 8-bit samples, and nothing says whether they are."""
    return hasattr(value, "dtype")


def _fits(shape: tuple[int, ...], channels: int) -> bool:
    if len(shape) == 1:
        return True
    return len(shape) == 2 and (shape[1] == channels or (channels == 1 and shape[0] == 1))


# What to do instead.


def _described(value: Any, view: memoryview) -> str:
    items = str(getattr(value, "dtype", "")) or f"items of the format {view.format!r}"
    return f"is {type(value).__name__} of {items} in the shape {view.shape}"


def hint(value: object) -> str:
    """What to do with a value that holds no samples."""
    if hasattr(value, "__array__"):
        return "; pass numpy.asarray() of it, as int16"
    return "; a list of samples becomes array.array('h', samples)" if isinstance(value, (list, int, float)) else ""


def _cure(value: Any, view: memoryview, kind: str, channels: int) -> str:
    """The expression that makes of ``x`` what is taken."""
    if not view.shape:
        return "pass the whole array, not its numbers one by one"
    picked = _one_channel(view.shape, channels)
    if not picked:
        return "a picture goes into video=, and sound has the shape (samples,) or (samples, channels)"
    if not _is_of_numbers(value):
        picked = picked.replace("x", "numpy.asarray(x)")
    if kind in _FLOATS:
        kind = "float beyond 1" if _peak(value) > _LOUDEST else "float"
    elif kind in _INTEGERS:
        width = "long" if view.itemsize > _INT32_BYTES else "wide"
        kind = f"{width} beyond 16 bits" if _peak(value) > _16_BITS + 1 else width
    return _CURES.get(kind, _NO_CURE).format(x=picked)


_CURES = {
    "h": "pass {x}",
    "B": "pass x.tobytes() if these are the bytes of samples, or ({x}.astype('int16') - 128) * 256 if each is a sample",
    "b": "pass {x}.astype('int16') * 256",
    "H": "pass ({x}.astype('int32') - 32768).astype('int16')",
    "float": "pass ({x} * 32767).clip(-32768, 32767).astype('int16')",
    "float beyond 1": "its values are no longer from -1 to 1, but 16-bit ones: pass {x}.clip(-32768, 32767).astype('int16')",
    "wide": "pass {x}.astype('int16') if its values are of 16 bits, or ({x} >> 16).astype('int16') if they are of 32",
    "wide beyond 16 bits": "pass ({x} >> 16).astype('int16')",
    "long": "pass {x}.astype('int16')",
}
"""By kind of items; ``{x}`` is the channel that is meant."""
_NO_CURE = "scale it to -32768..32767 and pass it as int16"


def _one_channel(shape: tuple[int, ...], channels: int) -> str:
    """The part of ``x`` that is sound of so many channels; empty where its shape is not sound's."""
    if len(shape) == 1 or _fits(shape, channels):
        return "x"
    if len(shape) != 2:
        return ""
    rows, columns = shape
    if channels > 1:
        return "x.T" if rows == channels else ""
    if columns <= min(_MOST_CHANNELS, rows):
        return "x[:, 0]"
    return "x[0]" if rows <= _MOST_CHANNELS else ""


def _peak(value: Any) -> float:
    """The largest magnitude in an array; 0 where that cannot be asked."""
    try:
        least, most = (value.min(), value.max()) if hasattr(value, "max") else (min(value), max(value))
        peak = max(abs(float(least)), abs(float(most)))
    except (TypeError, ValueError, ArithmeticError):
        return 0.0
    return peak if math.isfinite(peak) else 0.0
