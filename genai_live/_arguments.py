"""What a caller's arguments may be, where that is a number, a flag, a path or bytes. Pure functions: run on any thread.

Each returns the value itself, or raises ConfigError with the argument's name, what it takes, and what came: a number as it is,
anything else by its type, because the text of a caller may be a secret, and the ``repr`` of an object may do anything.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable

from genai_live.errors import ConfigError

_LARGEST = sys.float_info.max
"""Python's int has no end, but nothing can wait for one that no float holds, or count with it."""


def is_number(value: object) -> bool:
    """True for an int or float with which arithmetic goes on: no bool, no NaN, no int that is larger than every float."""
    if isinstance(value, float):
        return not math.isnan(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def came(value: object) -> str:
    """What a value is, for an error."""
    if is_number(value) or isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return "an int of more than 308 digits"
    return type(value).__name__


def check_made(value: object, name: str) -> None:
    """Raises ConfigError for a class where one of its objects is wanted."""
    if isinstance(value, type):
        raise ConfigError(f"is the class {value.__name__}, and one of it is wanted: {value.__name__}(...)", name)


def number_above_0(value: object, name: str) -> float:
    """``value`` itself. Infinity is one.

    Raises:
        ConfigError: when it is not a number above 0.
    """
    if not is_number(value) or not value > 0:  # type: ignore[operator]
        raise ConfigError(f"must be a number above 0, not {came(value)}", name)
    return value  # type: ignore[return-value]


def number_from_0(value: object, name: str) -> float:
    """``value`` itself.

    Raises:
        ConfigError: when it is not a finite number, 0 or above.
    """
    if not is_number(value) or not 0 <= value <= _LARGEST:  # type: ignore[operator]
        raise ConfigError(f"must be a number, 0 or above, not {came(value)}", name)
    return value  # type: ignore[return-value]


def whole_number(value: object, name: str, least: int, most: int | None = None) -> int:
    """``value`` itself.

    Raises:
        ConfigError: when it is not a whole number within these limits.
    """
    if is_number(value) and isinstance(value, int) and least <= value and (most is None or value <= most):
        return value
    limits = f"{least} or above" if most is None else f"{least} to {most}"
    raise ConfigError(f"must be a whole number, {limits}, not {came(value)}", name)


def flag(value: object, name: str) -> bool:
    """``value`` itself.

    Raises:
        ConfigError: when it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"must be True or False, not {came(value)}", name)
    return value


def text(value: object, name: str) -> str:
    """``value`` itself.

    Raises:
        ConfigError: when it is not a str.
    """
    if not isinstance(value, str):
        raise ConfigError(f"must be a str, not {came(value)}", name)
    return value


def encodable(value: object, name: str) -> str:
    """``value`` itself.

    Raises:
        ConfigError: when it is not a str, or holds half of a surrogate pair.
    """
    try:
        text(value, name).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"character {error.start} is half of a surrogate pair, which cannot be sent as UTF-8", name) from None
    return value  # type: ignore[return-value]


def texts(value: object, name: str) -> tuple[str, ...]:
    """The members of a list, or of another iterable.

    Raises:
        ConfigError: when one is not a str, and for a str alone.
    """
    members = tuple(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else (None,)
    if not all(isinstance(member, str) for member in members):
        raise ConfigError(f"must be a list of str, not {came(value)}", name)
    return members


def file_path(value: object, name: str) -> str:
    """The path as text.

    Raises:
        ConfigError: for anything else, ints too, which ``open`` takes as descriptors.
    """
    try:
        path = os.fsdecode(value)  # type: ignore[arg-type]
        path.encode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    except TypeError:
        raise ConfigError(f"must be the path of a file, not {came(value)}", name) from None
    except UnicodeError:
        raise ConfigError("holds a character that no path has", name) from None
    if "\0" in path:
        raise ConfigError("holds a character that no path has", name)
    return path


def octets(value: object, name: str) -> bytes | bytearray | memoryview:
    """``value`` itself.

    Raises:
        ConfigError: when it does not hold bytes.
    """
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise ConfigError(f"must be bytes, not {came(value)}", name)
    return value
