"""Client messages parsed as strictly as protobuf JSON is, and brought into one spelling. Pure: runs on any thread.

Both spellings of a name are taken, enums by name or number, 64-bit integers as text, base64 in every variant, null as absent.
Unknown names, names that the backend lacks, a name in both spellings and values of the wrong type end the session with 1007 and
the service's own form of words. Source of the names and kinds: the field table of ``genai_live.types``; of the rules: protobuf
JSON mapping, and protocol topic "Rules for a strict emulator".
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from genai_live import _json
from genai_live.types._base import Message, WireField, fields_of

INVALID_ARGUMENT_CODE = 1007
"""What the service closes with when a message is wrong."""

_INT64 = 2**63
_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_LONGEST_QUOTE = 60
"""Characters of a wrong value that a reason repeats: the whole reason has 123 bytes."""

KNOWN_ANYWAY = frozenset({("LiveClientSetup", "labels")})
"""Fields that the official clients' low-level converters refuse on one backend while their connect path sends them there."""


UNKNOWN_TO_THE_SERVICE: dict[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("mldev", ""): frozenset({("Schema", "additionalProperties"), ("Schema", "defs"), ("Schema", "ref")}),
    ("mldev", "v1beta"): frozenset({("LiveClientSetup", "proactivity")}),
}
"""Fields of Google's clients that the service answers with 1007, by backend and API version (empty for all of them).

Seen in live checks of September and October 2026: additionalProperties in ``parameters``, proactivity on v1beta. The public proto
of Schema has neither of the three."""


class Refused(Exception):
    """A message that ends the session: close code and reason."""

    def __init__(self, reason: str, code: int = INVALID_ARGUMENT_CODE) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


Check = Callable[[Any, str], Any]
"""Takes a JSON value and its path; returns it in canonical form, or raises Refused."""


def camel_case(name: str) -> str:
    """``turn_complete`` as ``turnComplete``."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def snake_case(name: str) -> str:
    """``turnComplete`` as ``turn_complete``: the name in the proto file, which paths in reasons are made of."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: "_" + found[0].lower(), name)


def unknown_name(name: str, path: str) -> Refused:
    """The service's words for a name it does not know."""
    place = f" at '{path}'" if path else ""
    return Refused(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')


def wrong_value(value: Any, path: str, kind: str) -> Refused:
    """The service's words for a value of the wrong type."""
    try:
        shown = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        shown = str(value)
    return Refused(f"Invalid value at '{path}' ({kind}), {shown[:_LONGEST_QUOTE]}")


# -- scalars -----------------------------------------------------------------------------------------------------------


def _string(value: Any, path: str) -> str:
    if type(value) is str:
        return value
    raise wrong_value(value, path, "TYPE_STRING")


def _bool(value: Any, path: str) -> bool:
    if value is True or value is False:
        return bool(value)
    raise wrong_value(value, path, "TYPE_BOOL")


def _integer(value: Any, path: str) -> int:
    number = value
    if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not -_INT64 <= number < _INT64:
        raise wrong_value(value, path, "TYPE_INT64")
    return number


def _number(value: Any, path: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else _fail()
    except ValueError:
        raise wrong_value(value, path, "TYPE_DOUBLE") from None


def _fail() -> float:
    raise ValueError


def _bytes(value: Any, path: str) -> str:
    if type(value) is not str:
        raise wrong_value(value, path, "TYPE_BYTES")
    try:
        _json.b64decode(value)
    except ValueError:
        raise Refused(f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{value[:20]}\"") from None
    return value


def _duration(value: Any, path: str) -> str:
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return value
    raise wrong_value(value, path, "type.googleapis.com/google.protobuf.Duration")


def _timestamp(value: Any, path: str) -> str:
    try:
        # Python before 3.11 knows neither "Z" nor fractions of other than 3 or 6 digits.
        at = datetime.fromisoformat(re.sub(r"\.\d+", "", value).replace("Z", "+00:00")) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise wrong_value(value, path, "type.googleapis.com/google.protobuf.Timestamp")
    return str(value)


def _struct(value: Any, path: str) -> dict[str, Any]:
    if type(value) is dict:
        return value
    raise wrong_value(value, path, "type.googleapis.com/google.protobuf.Struct")


def _anything(value: Any, path: str) -> Any:
    return value


_SCALARS: dict[str, Check] = {
    "string": _string,
    "bool": _bool,
    "integer": _integer,
    "number": _number,
    "bytes": _bytes,
    "duration": _duration,
    "timestamp": _timestamp,
    "struct": _struct,
    "json": _anything,
}


def _enum(members: type[Enum]) -> Check:
    names = [str(member.value) for member in members]
    known = frozenset(names)

    def check(value: Any, path: str) -> str:
        if isinstance(value, str) and value in known:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            # The table has no numbers; the declared order is the proto's for every enum whose numbers are public.
            return names[value] if 0 <= value < len(names) else names[0]
        raise wrong_value(value, path, f"type.googleapis.com/google.ai.generativelanguage.{members.__name__}")

    return check


def _list_of(check: Check) -> Check:
    def check_list(value: Any, path: str) -> list[Any]:
        if type(value) is not list:
            raise wrong_value(value, path, "TYPE_LIST")
        return [check(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return check_list


def _map_of(check: Check) -> Check:
    def check_map(value: Any, path: str) -> dict[str, Any]:
        return {key: check(item, f"{path}[{key}]") for key, item in _struct(value, path).items()}

    return check_map


def _joined(value: Any, path: str) -> str:
    """A google.protobuf.FieldMask: one text."""
    return _string(value, path)


# -- messages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Slot:
    """One accepted spelling of one field."""

    wire: str
    snake: str
    check: Check


class Validator:
    """Checks the messages of one backend; its tables are made when a type is first met."""

    def __init__(self, backend: str, version: str = "", *, strict: bool = False) -> None:
        self._backend = backend
        unknown = [UNKNOWN_TO_THE_SERVICE.get((backend, each), frozenset()) for each in {"", version}] if strict else []
        self._unknown = frozenset[tuple[str, str]]().union(*unknown)
        self._tables: dict[type[Message], dict[str, _Slot]] = {}

    def check(self, cls: type[Message], value: Any, path: str = "") -> dict[str, Any]:
        """``value`` as a message of type ``cls`` in camelCase, without nulls.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        if type(value) is not dict:
            raise wrong_value(value, path or "message", f"type.googleapis.com/google.ai.generativelanguage.{cls.__name__}")
        table = self._tables.get(cls) or self._make_table(cls)
        found: dict[str, Any] = {}
        for name, item in value.items():
            slot = table.get(name)
            if slot is None:
                raise unknown_name(name, path)
            if item is None:
                continue
            if slot.wire in found:
                raise Refused(f"Invalid JSON payload received. Duplicate name \"{name}\" at '{path}': the field is already set.")
            found[slot.wire] = slot.check(item, f"{path}.{slot.snake}" if path else slot.snake)
        return found

    def check_one_of(self, cls: type[Message], value: Any) -> tuple[str, Any]:
        """The only member of a message that is a oneof, as its name and its value.

        Raises:
            Refused: for none and for several.
        """
        found = self.check(cls, value)
        if not found:
            raise Refused("Invalid value: the oneof field 'message_type' is not set.")
        first, *more = found
        if more:
            place = snake_case(more[0])
            words = "oneof field 'message_type' is already set. Cannot set"
            raise Refused(f"Invalid value at '{place}' (oneof), {words} '{more[0]}'")
        return first, found[first]

    def _make_table(self, cls: type[Message]) -> dict[str, _Slot]:
        table: dict[str, _Slot] = {}
        self._tables[cls] = table  # entered before its fields, because a Schema holds Schemas
        for field in fields_of(cls):
            wire = field.vertex_wire if self._backend == "vertex" else field.wire
            if self._supported(cls, field):
                slot = _Slot(wire, snake_case(wire), self._check_for(field))
                table[wire] = table[slot.snake] = slot
        return table

    def _supported(self, cls: type[Message], field: WireField) -> bool:
        support = field.vertex if self._backend == "vertex" else field.mldev
        name = cls.__name__, field.wire
        return not field.local and name not in self._unknown and (support is True or name in KNOWN_ANYWAY)

    def _check_for(self, field: WireField) -> Check:
        if field.kind == "message":
            assert field.type is not None
            one: Check = functools.partial(self._check_nested, field.type)
        elif field.kind == "enum":
            assert field.type is not None
            one = _enum(field.type)
        else:
            one = _SCALARS[field.kind]
        shapes = {"list": _list_of, "map": _map_of}
        if field.shape == "joined":
            return _joined
        return shapes[field.shape](one) if field.shape in shapes else one

    def _check_nested(self, cls: type[Message], value: Any, path: str) -> dict[str, Any]:
        return self.check(cls, value, path)
