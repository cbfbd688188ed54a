"""How one value looks in JSON and in Python: pure conversions that every codec here shares. Runs on any thread.

A ``read_*`` function is strict: it takes what JSON may hold for its kind, as the protobuf JSON mapping defines it. A
``write_*`` function takes every form in which a caller may hold the value and gives the one form that is sent. Both raise
WrongType, which names no content of the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

from genai_live import _json

Convert = Callable[[Any], Any]

# google.protobuf.Duration: at most 315,576,000,000 s (10,000 years) either way, at most nine decimals.
_LONGEST_DURATION = 315_576_000_000
_is_duration = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s").fullmatch
# An int64 has at most 19 digits; a longer text is not a number that any field of the protocol can hold.
_is_integer = re.compile(r"-?[0-9]{1,19}").fullmatch
_is_number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
# RFC 3339: up to nanoseconds, of which Python keeps microseconds.
_is_timestamp = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))"
).fullmatch
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How protobuf JSON spells what a JSON number cannot say."""


class WrongType(ValueError):
    """A value is not of the kind that its field has; ``path`` grows from the inside out."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.path = ""

    def inside(self, step: str) -> WrongType:
        """The same error, seen from one level further out."""
        self.path = f"{step}.{self.path}" if self.path and not self.path.startswith("[") else step + self.path
        return self


def must_be(what: str, value: object) -> WrongType:
    """The error for a value of another type; it names the type only, because the value may be a secret or an hour of audio."""
    return WrongType(f"must be {what}, not {type(value).__name__}")


# Reading: JSON to Python.


def read_string(value: Any) -> str:
    """Text."""
    if type(value) is str:
        return value
    raise must_be("text", value)


def read_bool(value: Any) -> bool:
    """A boolean, also as the text "true" or "false"."""
    if value is True or value is False:
        return value is True
    if type(value) is str and value in ("true", "false"):
        return value == "true"
    raise must_be("true or false", value)


def read_integer(value: Any) -> int:
    """A whole number, also as text (protobuf JSON writes every int64 as text) or as a float without a fraction."""
    if type(value) is int:
        return value
    if (type(value) is str and _is_integer(value)) or (type(value) is float and value.is_integer()):
        return int(value)
    raise must_be("a whole number", value)


def read_number(value: Any) -> float:
    """A number, also as text, where the texts NaN, Infinity and -Infinity are the ones that JSON numbers lack."""
    if type(value) is float or type(value) is int:
        return value
    if type(value) is str:
        if value in _NON_FINITE:
            return _NON_FINITE[value]
        if _is_number(value) and math.isfinite(number := float(value)):
            return number
    raise must_be("a number", value)


def read_bytes(value: Any) -> bytes:
    """Bytes from base64 in either alphabet, padded or not. Other text is a plain ValueError: then a payload is lost."""
    if type(value) is str:
        return _json.b64decode(value)
    raise must_be("base64 text", value)


def read_duration(value: Any) -> float:
    """Seconds from a text such as "9.5s"."""
    if type(value) is str and _is_duration(value):
        return float(value[:-1])
    raise must_be('seconds as text such as "9.5s"', value)


def read_timestamp(value: Any) -> datetime:
    """A moment with its offset from RFC 3339 text; what is finer than a microsecond is cut off."""
    match = _is_timestamp(value) if type(value) is str else None
    if match is None:
        raise must_be('a time as text such as "2025-01-01T00:00:00Z"', value)
    *date_and_time, fraction, zulu, sign, hours, minutes = match.groups()
    try:
        offset = timedelta() if zulu else timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-offset if sign == "-" else offset)
        year, month, day, hour, minute, second = map(int, date_and_time)
        return datetime(year, month, day, hour, minute, second, int((fraction or "0")[:6].ljust(6, "0")), zone)
    except ValueError as error:
        raise WrongType(f"no such time: {error}") from None


def read_struct(value: Any) -> dict[str, Any]:
    """A JSON object that belongs to the user; its keys are left alone."""
    if type(value) is dict:
        return value
    raise must_be("an object", value)


def read_json(value: Any) -> Any:
    """Any JSON value that belongs to the user."""
    return value


def enum_reader(enum: type[Enum]) -> Convert:
    """Reads a member of ``enum`` in any letter case; a name that this release does not know stays text."""
    members: dict[Any, Enum] = {member.value: member for member in enum}
    by_upper = {value.upper(): member for value, member in members.items()}

    def read_enum(value: Any) -> Any:
        if type(value) is str:
            return members.get(value) or by_upper.get(value.upper(), value)
        raise must_be(f"a name of {enum.__name__}", value)

    return read_enum


# Writing: Python to JSON.


def write_string(value: Any) -> str:
    """Text; a member of a text enum counts as text."""
    if isinstance(value, Enum) and isinstance(value.value, str):
        return value.value
    if isinstance(value, str):
        return _encodable(value)
    raise must_be("text", value)


def _encodable(text: str) -> str:
    """The text, unless it holds half of a surrogate pair: what a file name or a broken terminal gives, and UTF-8 cannot say."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise WrongType(f"character {error.start} is half of a surrogate pair, which cannot be sent as UTF-8") from None
    return text


def write_bool(value: Any) -> bool:
    """A boolean, and nothing that merely is true or false in Python."""
    if value is True or value is False:
        return value is True
    raise must_be("True or False", value)


def write_integer(value: Any) -> int:
    """A whole number; 9.0 counts, True does not."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return read_integer(value)


def write_number(value: Any) -> float | str:
    """A number; the ones that JSON lacks are written as protobuf JSON spells them."""
    number: float = value if isinstance(value, (int, float)) and not isinstance(value, bool) else read_number(value)
    if isinstance(number, int) or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def write_bytes(value: Any) -> str:
    """Base64 of bytes; text is taken to be base64 already, and is checked."""
    if isinstance(value, str):
        try:
            value = _json.b64decode(value)
        except ValueError:
            raise WrongType("text here is taken as base64, and this text is not; pass bytes") from None
    elif not isinstance(value, (bytes, bytearray, memoryview)):
        raise must_be("bytes", value)
    return _json.b64encode(bytes(value)).decode("ascii")


def write_duration(value: Any) -> str:
    """Text such as "9.5s" from seconds, a timedelta, or that text itself."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        if _is_duration(value):
            return value
        raise WrongType('must be seconds, as a number or as text such as "9.5s"')
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise must_be("seconds", value)
    if not abs(value) <= _LONGEST_DURATION:
        raise WrongType("must be seconds within 10,000 years")
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


def write_timestamp(value: Any) -> str:
    """RFC 3339 text from a datetime that knows its offset, or that text itself."""
    if isinstance(value, str):
        read_timestamp(value)
        return value
    if not isinstance(value, datetime):
        raise must_be("a datetime", value)
    offset = value.utcoffset()
    if offset is None:
        raise WrongType("this datetime has no time zone; use for example datetime.now(timezone.utc)")
    # RFC 3339 knows offsets in whole minutes only; local mean times of the past have seconds.
    return (value if offset % timedelta(minutes=1) == timedelta() else value.astimezone(timezone.utc)).isoformat()


def write_json(value: Any) -> Any:
    """A copy of a JSON value that belongs to the user: keys untouched, bytes as base64, times as text, tuples as lists."""
    if isinstance(value, Enum):
        return write_json(value.value)
    if isinstance(value, Mapping):
        return {_key(key): _at(f"[{key!r}]", write_json, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_at(f"[{index}]", write_json, item) for index, item in enumerate(value)]
    return _write_leaf(value)


def _write_leaf(value: Any) -> Any:
    if isinstance(value, str):
        return _encodable(value)
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return write_bytes(value)
    if isinstance(value, (date, time)):  # a datetime is a date too
        return value.isoformat()
    if isinstance(value, float):
        raise WrongType("JSON has no NaN and no infinity; pass None in its place")
    raise WrongType(f"{must_be(_JSON_VALUES, value)}{_cure(value)}")


def _cure(value: object) -> str:
    """What to pass in the place of a value that JSON has no word for, where there is one way."""
    if isinstance(value, type):
        return ""
    cure = next((_CURES[cls.__name__] for cls in type(value).__mro__ if cls.__name__ in _CURES), None)
    cure = cure or next((cure for name, cure in _CURES_BY_MEMBER.items() if hasattr(value, name)), None)
    return f"; pass {cure}" if cure else ""


_CURES = {
    **dict.fromkeys(("set", "frozenset", "range", "dict_keys", "dict_values"), "list(x)"),
    **dict.fromkeys(("Decimal", "UUID", "PurePath", "complex"), "str(x)"),
    "timedelta": "x.total_seconds()",
}
"""By the name of a class, for importing these modules takes longer than the rest of the types."""
_CURES_BY_MEMBER = {
    "tolist": "x.tolist()",
    "model_dump": "x.model_dump(mode='json')",
    "__dataclass_fields__": "dataclasses.asdict(x)",
    "to_dict": "x.to_dict()",
}
"""By what the objects of numpy, pydantic, pandas and others have."""


_JSON_VALUES = "text, a number, True, False, None, bytes, a date or time, or a list or dict of these"
"""What a caller may put where any JSON value is taken."""


def _key(key: object) -> str:
    if isinstance(key, str):
        return write_string(key)
    raise WrongType(f"{must_be('text as the key of an object', key)}; pass str(key)")


def write_struct(value: Any) -> Any:
    """As write_json, for an object."""
    if isinstance(value, Mapping):
        return write_json(value)
    raise must_be("a dict", value)


def enum_writer(enum: type[Enum]) -> Convert:
    """Writes a member of ``enum``, or its name in any letter case; a name that this release does not know is passed on."""
    by_upper: dict[str, str] = {member.value.upper(): member.value for member in enum}

    def write_enum(value: Any) -> str:
        text = write_string(value)
        return by_upper.get(text.upper(), text)

    return write_enum


SCALARS: dict[str, tuple[Convert, Convert]] = {
    "string": (read_string, write_string),
    "bool": (read_bool, write_bool),
    "integer": (read_integer, write_integer),
    "number": (read_number, write_number),
    "bytes": (read_bytes, write_bytes),
    "duration": (read_duration, write_duration),
    "timestamp": (read_timestamp, write_timestamp),
    "struct": (read_struct, write_struct),
    "json": (read_json, write_json),
}
"""For each kind of value the function that reads it and the one that writes it."""


# Shapes: how often a value occurs.


def read_list(read: Convert) -> Convert:
    """Reads a JSON array, each item with ``read``."""

    def read_items(values: Any) -> list[Any]:
        if type(values) is list:
            return [read(value) for value in values]
        raise must_be("a list", values)

    return read_items


def write_list(write: Convert) -> Convert:
    """Writes a list or a tuple, each item with ``write``."""

    def write_items(values: Any) -> list[Any]:
        if not isinstance(values, (list, tuple)):
            raise must_be("a list", values)
        return [_at(f"[{index}]", write, value) for index, value in enumerate(values)]

    return write_items


def read_map(read: Convert) -> Convert:
    """Reads a JSON object with the user's own keys, each value with ``read``."""

    def read_values(values: Any) -> dict[str, Any]:
        if type(values) is dict:
            return {key: read(value) for key, value in values.items()}
        raise must_be("an object", values)

    return read_values


def write_map(write: Convert) -> Convert:
    """Writes a mapping with the user's own keys, each value with ``write``."""

    def write_values(values: Any) -> dict[str, Any]:
        if not isinstance(values, Mapping):
            raise must_be("a dict", values)
        return {_key(key): _at(f"[{key!r}]", write, value) for key, value in values.items()}

    return write_values


def _at(step: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except WrongType as error:
        raise error.inside(step) from None


def read_joined(value: Any) -> list[str]:
    """Names from one comma-joined text, which is how JSON spells a google.protobuf.FieldMask; a list is taken as it is."""
    if type(value) is str:
        return value.split(",") if value else []
    return [read_string(item) for item in read_list(read_string)(value)]


def write_joined(value: Any) -> str:
    """One comma-joined text from a list of names, or that text itself."""
    if isinstance(value, str):
        return value
    names: list[str] = write_list(write_string)(value)
    return ",".join(names)


def read_boxed(read: Convert) -> Convert:
    """Reads the only item of a list."""

    def read_only_item(values: Any) -> Any:
        if type(values) is list and len(values) == 1:
            return read(values[0])
        raise must_be("a list of one item", values)

    return read_only_item


def write_boxed(write: Convert) -> Convert:
    """Writes one value as a list of one item."""

    def write_only_item(value: Any) -> list[Any]:
        return [write(value)]

    return write_only_item
