"""The field table of a message type: what each declaration says, resolved once for each class. Runs on any thread.

Codec, setup builder, checks and documentation read fields through ``fields_of``; this is the only place that looks at
annotations.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from genai_live._field_docs import summary
from genai_live.types import _values

F = TypeVar("F", bound=Callable[..., Any])

Support = Literal[True, False, "error"]
"""What a backend does with a field: takes it; lacks it by documentation only; lacks it, so that Google's clients refuse it."""
Kind = Literal[
    "string", "bool", "integer", "number", "bytes", "duration", "timestamp", "struct", "json", "enum", "message", "object"
]
"""What one value is; "struct" and "json" belong to the user and are never re-cased, "object" exists in this process only."""
Shape = Literal["one", "list", "map", "joined", "boxed"]
"""How often it occurs; "joined" is a list that travels as one comma-joined text, "boxed" one value that travels in a list."""

Seconds = Annotated[float, "duration"]
"""A length of time in seconds; on the wire a text such as "9.5s"."""


E = TypeVar("E")
NamesOf = list[E | str] | list[E] | list[str]
"""Members of an enum, their names, or both; written out, because a type checker does not take a list[E] for a list[E | str]."""


class WireField(NamedTuple):
    """One row of the table: everything the library knows about one field of one type."""

    name: str
    """Name in Python."""
    wire: str
    """Name in JSON."""
    vertex_wire: str
    """Name in JSON on Vertex AI; the same as ``wire`` with three exceptions."""
    kind: Kind
    shape: Shape
    type: type[Any] | None
    """The class of a message or an enum."""
    note: str
    """What the field means, with unit and range."""
    path: str
    """Where a field of LiveConnectConfig goes in ``setup``, such as "generationConfig.topK"; elsewhere the same as ``wire``."""
    mldev: Support
    """Support by the Gemini Developer API."""
    vertex: Support
    """Support by Vertex AI."""
    secret: bool
    """Never shown by repr."""
    local: bool
    """Read by this library; never part of a Live message."""


def once(build: F) -> F:
    """Keeps each result for good; functools.cache, whose own type refuses classes of unhashable instances."""
    return typing.cast("F", functools.cache(build))


def camel_case(name: str) -> str:
    """The lowerCamelCase spelling of a Python name."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def snake_case(name: str) -> str:
    """The Python spelling of a name in lowerCamelCase."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def unknown_field(cls: type[Any], name: str) -> str:
    """One sentence about a field that ``cls`` does not have, with the nearest one that it has."""
    near = difflib.get_close_matches(name, names_of(cls), n=1)
    hint = f"; did you mean {names_of(cls)[near[0]]!r}?" if near else ""
    return f"{cls.__name__} has no field {name!r}{hint}"


def spelled_in_python(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """One level of a dict in either spelling: names of Python, nulls dropped, what is unknown under ``extra``.

    Raises:
        WrongType: no mapping, or a field given in both spellings.
    """
    if not isinstance(data, Mapping):
        raise _values.must_be(f"a {cls.__name__} or a dict", data)
    names = names_of(cls)
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in data.items():
        if value is None:
            continue
        name = names.get(key)
        if name is None:
            extra[key] = value
        elif name in known:
            raise _values.WrongType(f"{name!r} is given twice, in two spellings")
        else:
            known[name] = value
    return {**known, "extra": extra} if extra else known


@once
def fields_of(cls: type[Any]) -> tuple[WireField, ...]:
    """The table of one type, in the order of its declaration; worked out once for each class."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_row(field, hints[field.name]) for field in dataclasses.fields(cls) if "wire" in field.metadata)


def _row(field: dataclasses.Field[Any], hint: Any) -> WireField:
    row = field.metadata["wire"]
    kind, shape, cls = _resolved(hint)
    name = row["name"] or camel_case(field.name)
    return WireField(
        name=field.name,
        wire=name,
        vertex_wire=row["vertex_name"] or name,
        kind=kind,
        shape=row["shape"] or shape,
        type=cls,
        note=row["note"],
        path=row["path"] or name,
        mldev=row["mldev"],
        vertex=row["vertex"],
        secret=row["secret"],
        local=row["local"] or kind == "object",
    )


_SCALAR_KINDS: dict[Any, Kind] = {
    bool: "bool",
    int: "integer",
    float: "number",
    str: "string",
    bytes: "bytes",
    datetime: "timestamp",
    Seconds: "duration",
}


def _members(hint: Any) -> list[Any]:
    """The members of a union except None; of anything else, itself."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [member for member in typing.get_args(hint) if member is not type(None)]
    return [hint]


def _resolved(hint: Any) -> tuple[Kind, Shape, type[Any] | None]:
    """What an annotation says. The first member of a union is the wire's type; the others are forms that are taken for it."""
    hint = _members(hint)[0]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        kind, _, cls = _resolved(arguments[0])
        return kind, "list", cls
    if origin is dict:
        kind, _, cls = _resolved(arguments[1])
        return ("struct", "one", None) if kind == "json" else (kind, "map", cls)
    if hint is Any:
        return "json", "one", None
    if isinstance(hint, type) and "extra" in getattr(hint, "__dataclass_fields__", ()):
        return "message", "one", hint
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "enum", "one", hint
    return _SCALAR_KINDS.get(hint, "object"), "one", None


def describe(cls: type[Any]) -> str:
    """The table of one type as text: each field's name in Python and in JSON, its type, who lacks it, and what it means."""
    lines = [f"{cls.__name__}: {summary(cls).strip()}"]
    for field in fields_of(cls):
        kind = field.type.__name__ if field.type else field.kind
        lines.append(
            f"  {field.name} ({field.path}): {'' if field.shape == 'one' else field.shape + ' of '}{kind}{_limits(field)}"
        )
        lines.append(f"      {field.note}")
    return "\n".join(lines)


def _limits(field: WireField) -> str:
    if field.local:
        return ", local to this library"
    refusing = [name for name, support in (("Developer API", field.mldev), ("Vertex AI", field.vertex)) if support is not True]
    return f", not on the {' and '.join(refusing)}" if refusing else ""


@once
def names_of(cls: type[Any]) -> dict[str, str]:
    """Every accepted spelling of the names of a type's fields, with the name in Python."""
    names: dict[str, str] = {}
    for field in dataclasses.fields(cls):
        row = field.metadata.get("wire")
        if row is not None:
            for spelling in (field.name, row["name"], row["vertex_name"]):
                if spelling:
                    names.setdefault(camel_case(spelling), field.name)
                    names.setdefault(snake_case(spelling), field.name)
    return names


def field_codec(field: WireField, nested: tuple[_values.Convert, _values.Convert]) -> tuple[_values.Convert, _values.Convert]:
    """The two functions that read and write the value of ``field``, given the two for the message type that it holds."""
    if field.kind == "object":
        return _values.read_json, _values.read_json
    if field.kind == "message":
        read, write = nested
    elif field.kind == "enum":
        assert field.type is not None
        read, write = _values.enum_reader(field.type), _values.enum_writer(field.type)
    else:
        read, write = _values.SCALARS[field.kind]
    if field.shape == "list":
        return _values.read_list(read), _values.write_list(write)
    if field.shape == "map":
        return _values.read_map(read), _values.write_map(write)
    if field.shape == "joined":
        return _values.read_joined, _values.write_joined
    if field.shape == "boxed":
        return _values.read_boxed(read), _values.write_boxed(write)
    return read, write
