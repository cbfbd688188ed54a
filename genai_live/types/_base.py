"""What message types are made of: the field declaration and the base class. Runs on any thread.

A type is declared once, as a dataclass whose fields are ``wire(...)``. That declaration carries the field's name on the wire,
its path in ``setup``, which backends take it, and what it means.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from genai_live import _public, errors
from genai_live._field_docs import documented
from genai_live.types import _values
from genai_live.types._fields import (
    NamesOf,
    Seconds,
    Shape,
    Support,
    WireField,
    camel_case,
    describe,
    field_codec,
    fields_of,
    names_of,
    once,
    spelled_in_python,
    unknown_field,
)
from genai_live.types._pydantic import PydanticMethods

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[Any], Any]:
        """Tells type checkers only; the real one is in typing since Python 3.11."""
        return lambda decorator: decorator


__all__ = ["Message", "NamesOf", "Seconds", "WireField", "camel_case", "describe", "fields_of", "message", "names_of", "wire"]

T = TypeVar("T")

_LONGEST_TEXT_SHOWN = 500
"""Characters of one text in a repr: a message of an unknown kind may hold an hour of audio as text."""
_DEEPEST_SHOWN = 20
"""Levels of what is not known here that a repr goes down: a peer may nest what it likes, and a log line must not fail for it."""


def wire(
    note: str,
    *,
    name: str = "",
    vertex_name: str = "",
    path: str = "",
    mldev: Support = True,
    vertex: Support = True,
    secret: bool = False,
    local: bool = False,
    shape: Shape | None = None,
) -> Any:
    """Declares one field.

    Args:
        note: What it means, with unit and range.
        name: Its name in JSON, where that is not the Python name in lowerCamelCase.
        vertex_name: Its name in JSON on Vertex AI, where that differs.
        path: Where it goes within ``setup``, where that is not its own name.
        mldev: Whether the Gemini Developer API takes it.
        vertex: Whether Vertex AI takes it.
        secret: True for what repr must not show.
        local: True for what never is part of a Live message.
        shape: How the value travels, where the annotation does not say it.
    """
    row = {
        "note": note, "name": name, "vertex_name": vertex_name, "path": path, "mldev": mldev, "vertex": vertex,
        "secret": secret, "local": local, "shape": shape,
    }  # fmt: skip
    return dataclasses.field(default=None, metadata={"wire": row, "dataclasses_json": {}})


@dataclass_transform(kw_only_default=True)
def message(cls: type[T]) -> type[T]:
    """Makes a message type of a class whose fields are ``wire(...)``."""
    built = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
    declared: Any = built
    for name, field in declared.__dataclass_fields__.items():
        # These four keys are what dataclasses-json reads from a field. The codecs look the field up when they are first used,
        # because the classes that an annotation names need not exist yet.
        options = field.metadata["dataclasses_json"]
        if not options:
            options["letter_case"] = functools.partial(_wire_name, field)
            options["exclude"] = functools.partial(_is_left_out, declared, name)
            options["encoder"] = functools.partial(_encode_value, declared, name)
            options["decoder"] = functools.partial(_decode_value, declared, name)
    return documented(built, _notes)


def _notes(cls: type) -> dict[str, str]:
    """What help() says of each field: its declaration's own words."""
    fields: Any = cls
    return {name: field.metadata["wire"]["note"] for name, field in fields.__dataclass_fields__.items() if name != "extra"}


def _wire_name(field: dataclasses.Field[Any], name: str) -> str:
    return field.metadata["wire"]["name"] or camel_case(name)


def _is_left_out(cls: type[Message], name: str, value: Any) -> bool:
    """True for what is absent, and for objects of this process."""
    return value is None or name in _objects_of(cls)


@once
def _objects_of(cls: type[Message]) -> frozenset[str]:
    return frozenset(field.name for field in fields_of(cls) if field.kind == "object")


def _encode_value(cls: type[Message], name: str, value: Any) -> Any:
    return _json_codecs(cls)[name][1](value)


def _decode_value(cls: type[Message], name: str, value: Any) -> Any:
    return _json_codecs(cls)[name][0](value)


class _ExtraOnFirstUse:
    """Gives every message a dict of its own when ``extra`` is first asked for: most messages never need one."""

    def __get__(self, instance: Message | None, owner: type[Message]) -> Any:
        if instance is None:
            return self
        created: dict[str, Any] = {}
        instance.__dict__["extra"] = created
        return created


class _MessageClass(type):
    """The class of message classes: says what to write instead of google-genai's ``Schema.from_json_schema`` and its like."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name):
            raise _public.missing(cls, name)


@dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)
class Message(PydanticMethods, metaclass=_MessageClass):
    """Base of all message types: keyword arguments only, in snake_case or camelCase; what is absent is None.

    Objects may be changed, compared, copied and pickled. The constructor checks names; values are checked where they are sent.

    Raises:
        ConfigError: a keyword that the type does not have, or one in both spellings.
    """

    extra: dict[str, Any] = dataclasses.field(
        default_factory=dict,
        metadata={"dataclasses_json": {"encoder": dict, "decoder": dict, "exclude": lambda extra: not extra}},
    )
    """What was received and is not known here, under the names of the wire; sent back on encoding, beside the known fields."""

    def __init__(self, *misplaced: Any, **fields: Any) -> None:
        if misplaced:
            fields = self._placed(*misplaced, **fields)
        names = names_of(type(self))
        for name, value in fields.items():
            if name == "extra":
                self.extra.update(_extra(type(self), value))
            elif name not in names:
                raise errors.ConfigError(unknown_field(type(self), name))
            elif names[name] in self.__dict__:
                raise errors.ConfigError(f"{type(self).__name__}: {names[name]!r} is given twice, in two spellings")
            elif value is not None:
                self.__dict__[names[name]] = value

    @classmethod
    def _placed(cls, *values: Any, **fields: Any) -> dict[str, Any]:
        """The keyword arguments for ``values`` without a keyword; most types have no use for one."""
        few = ", ".join(f"{field.name}=..." for field in fields_of(cls)[:2])
        raise TypeError(f"{cls.__name__} takes keyword arguments: {cls.__name__}({few})")

    if not TYPE_CHECKING:
        __getattr__ = _public.find

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in type(self).__dataclass_fields__:
                raise AttributeError(unknown_field(type(self), name))
            object.__setattr__(self, name, value)

    __hash__ = None  # type: ignore[assignment] # messages may be changed

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _present(self) == _present(other)

    def __repr__(self) -> str:
        fields = {field.name: field for field in fields_of(type(self))}
        shown = (f"{name}={_shown(value, fields.get(name))}" for name, value in _present(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        from genai_live.types import _lines

        return _lines.html_of(self, _lines.fields_of)

    @classmethod
    def from_short_form(cls, value: Any) -> Self | None:
        """The message that another accepted form of it stands for, such as plain text; None where there is no such form."""
        return None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, infer_missing: bool = True) -> Self:
        """A message from a dict in snake_case or camelCase, through dataclasses-json; unknown keys are kept in ``extra``.

        Raises:
            ConfigError: a value of the wrong type, or a field given in both spellings.
        """
        with _naming(cls):
            if not isinstance(data, (cls, Mapping)):
                raise _values.must_be(f"a {cls.__name__} or a dict", data)
            return typing.cast("Self", _through_dataclasses_json(cls, data, infer_missing))

    def to_dict(self, encode_json: bool = False) -> dict[str, Any]:
        """The message as JSON has it, through dataclasses-json: camelCase, bytes as base64, no nulls.

        Raises:
            ConfigError: a value of the wrong type.
        """
        with _naming(type(self)):
            return _to_dict(type(self), self, encode_json)

    @classmethod
    def from_json(cls, text: str | bytes, *, infer_missing: bool = True, **options: Any) -> Self:
        """A message from JSON text; ``options`` go to json.loads. Raises as from_dict, and ValueError for what is not JSON."""
        from dataclasses_json import DataClassJsonMixin

        decode: Any = DataClassJsonMixin.from_json
        with _naming(cls):  # the parser recurses too
            return typing.cast("Self", decode.__func__(cls, text, infer_missing=infer_missing, **options))

    def to_json(self, **options: Any) -> str:
        """The message as JSON text; ``options`` such as ``indent`` go to json.dumps. Raises as to_dict."""
        from dataclasses_json import DataClassJsonMixin

        encode: Any = DataClassJsonMixin.to_json
        return typing.cast("str", encode(self, **options))


Message.extra = _ExtraOnFirstUse()  # type: ignore[assignment]


# The way through dataclasses-json. Its import brings marshmallow and takes half a second, so it waits for the first use, and
# nothing between connect() and close() needs it.


def _through_dataclasses_json(cls: type[Message], data: Any, infer_missing: bool = True) -> Message:
    from dataclasses_json import DataClassJsonMixin

    if isinstance(data, cls):
        return data
    if (long_form := cls.from_short_form(data)) is not None:
        data = vars(long_form)
    decode: Any = DataClassJsonMixin.from_dict
    return typing.cast("Message", decode.__func__(cls, spelled_in_python(cls, data), infer_missing=infer_missing))


def _to_dict(cls: type[Message], value: Any, encode_json: bool = False) -> dict[str, Any]:
    from dataclasses_json import DataClassJsonMixin

    held = _through_dataclasses_json(cls, value)
    encode: Any = DataClassJsonMixin.to_dict
    data: dict[str, Any] = encode(held, encode_json=encode_json)
    extra = data.pop("extra", {})
    return {**{key: _values.write_json(value) for key, value in extra.items() if value is not None}, **data}


@contextlib.contextmanager
def _naming(cls: type[Message]) -> Iterator[None]:
    """Turns what is wrong with a value into a ConfigError with the path to it."""
    try:
        yield
    except _values.WrongType as error:
        raise errors.ConfigError(error.text, f"{cls.__name__}.{error.path}".rstrip(".")) from None
    except RecursionError:
        raise errors.ConfigError("nested too deeply, or within itself", cls.__name__) from None


@once
def _json_codecs(cls: type[Message]) -> dict[str, tuple[_values.Convert, _values.Convert]]:
    """For dataclasses-json: how to read and write each field's value, nested messages through dataclasses-json again."""
    codecs: dict[str, tuple[_values.Convert, _values.Convert]] = {}
    for field in fields_of(cls):
        held: Any = field.type
        nested = functools.partial(_through_dataclasses_json, held), functools.partial(_to_dict, held)
        read, write = field_codec(field, nested)
        codecs[field.name] = functools.partial(_either, field.name, read, write), functools.partial(_within, field.name, write)
    return codecs


def _either(name: str, read: _values.Convert, write: _values.Convert, value: Any) -> Any:
    """Reads JSON, or what a Python caller holds instead of it: bytes, seconds, a datetime, a tuple."""
    try:
        return read(value)
    except ValueError:
        return _within(name, lambda held: read(write(held)), value)


def _within(name: str, convert: _values.Convert, value: Any) -> Any:
    try:
        return convert(value)
    except _values.WrongType as error:
        raise error.inside(name) from None


def _extra(cls: type[Message], value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise errors.ConfigError(f"{cls.__name__}: extra takes a dict with names as keys, not {type(value).__name__}")
    return value


def _present(held: Message) -> dict[str, Any]:
    """What a message holds, in the order of declaration, with ``extra`` last."""
    values = held.__dict__
    present = {name: values[name] for name in type(held).__dataclass_fields__ if values.get(name) is not None}
    extra = present.pop("extra", None)
    return {**present, "extra": extra} if extra else present


def _shown(value: Any, field: WireField | None = None, deepest: int = _DEEPEST_SHOWN) -> str:
    """Repr of a value, with sizes in place of bytes and of very long texts, and without secrets, at any depth."""
    if field is not None and field.secret:
        return "<set>"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        is_base64 = field is not None and field.kind == "bytes"
        return f"<{len(value)} characters>" if is_base64 or len(value) > _LONGEST_TEXT_SHOWN else repr(value)
    if isinstance(value, (list, tuple, dict)):
        return _shown_inside(value, field, deepest - 1) if deepest else "..."
    return repr(value)


def _shown_inside(value: Any, field: WireField | None, deepest: int) -> str:
    """A dict in a message's place is shown as that message, because only its fields know what is secret."""
    if not isinstance(value, dict):
        return f"[{', '.join(_shown(item, field, deepest) for item in value)}]"
    if field is None or field.kind != "message" or field.shape == "map":
        return "{" + ", ".join(f"{key!r}: {_shown(item, None, deepest)}" for key, item in value.items()) + "}"
    cls: Any = field.type
    held = cls.__new__(cls)
    with contextlib.suppress(_values.WrongType):
        held.__dict__.update(spelled_in_python(cls, value))
    return repr(held)
