"""The table of annotations, in two directions: the JSON schema of each kind, and the value made of what the model sends.

Both directions of a kind stand side by side, at every depth: a list of bookings is a list of what a booking is. Pure: runs on
any thread. pydantic is asked only about what is pydantic's.
"""

from __future__ import annotations

import base64
import binascii
import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import enum
import functools
import inspect
import json
import math
import operator
import pathlib
import re
import types as python_types
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union

from genai_live.errors import ConfigError
from genai_live.tools.docstrings import written_by_hand
from genai_live.tools.fit import Unfit, below, must_be, shown
from genai_live.tools.notes import notes_in
from genai_live.tools.plain import Unsayable, plain

Make = Callable[[Any], Any]
"""Makes the Python value of a JSON value; raises Unfit."""

_ACCEPTED = (
    "str, int, float, bool, None, bytes, dates and times, UUID, Decimal, Path, lists, sets, tuples, dicts with keys of text,"
    " Literal, Enum, unions, dataclasses, TypedDicts, NamedTuples, pydantic models"
)
_JSON_KINDS: dict[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array", dict: "object",
}  # fmt: skip
_TYPED_DICT_MARKS = ("Required", "NotRequired", "ReadOnly")
"""What may stand around the type of a TypedDict's field; by name, because typing_extensions has its own before Python 3.13."""


class Form(NamedTuple):
    """An annotation, understood."""

    schema: dict[str, Any]
    make: Make


# Scalars.


def _text(value: Any) -> str:
    if type(value) is not str:
        raise must_be("text", value)
    return value


def _integer(value: Any) -> int:
    """A whole number; ``5.0`` is 5, for JSON has one kind of number, and so is "5", for some models write so."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,300}\s*", value):
        return int(value)
    raise must_be("a whole number", value)


def _number(value: Any) -> float:
    try:
        found = float(value) if type(value) in (int, float, str) else math.nan
    except (ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise must_be("a number", value)
    return found


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise must_be("true or false", value)


def _null(value: Any) -> None:
    if value is not None:
        raise must_be("null", value)


def _anything(value: Any) -> Any:
    return value


def _bytes(value: Any) -> bytes:
    text = _text(value)
    try:
        return base64.b64decode(text.translate(_URL_SAFE) + "=" * (-len(text) % _QUANTUM), validate=True)
    except (binascii.Error, ValueError):
        raise must_be("base64", value) from None


_URL_SAFE = str.maketrans("-_", "+/")
_QUANTUM = 4
"""Characters of base64 for three bytes; models leave out what fills the last one up."""


def _parsed(parse: Callable[[str], Any], what: str) -> Make:
    """Reads a value from its text."""

    def make(value: Any) -> Any:
        try:
            return parse(_text(value).strip())
        except (ValueError, InvalidOperation, OverflowError, re.error):
            raise must_be(what, value) from None

    return make


def _with_offset(text: str) -> str:
    """Python 3.10 knows neither Z nor fractions of other than three or six digits."""
    text = re.sub(r"[Zz]$", "+00:00", text)
    return re.sub(r"\.(\d+)", lambda found: f".{found[1][:6].ljust(6, '0')}", text)


def _date_and_time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(_with_offset(text))


def _date(text: str) -> datetime.date:
    found = _date_and_time(text)  # a date with a time of midnight is a date too
    if found.timetz() != datetime.time() and found.time() != datetime.time():
        raise ValueError
    return found.date()


_is_duration = re.compile(
    r"(?P<sign>-)?P(?:(?P<weeks>[\d.]+)W)?(?:(?P<days>[\d.]+)D)?"
    r"(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
).fullmatch
"""ISO 8601, without years and months, which have no length."""


def _duration(value: Any) -> datetime.timedelta:
    """ISO 8601, or seconds."""
    if type(value) in (int, float):
        with _within_range(value):
            return datetime.timedelta(seconds=value)
    found = _is_duration(_text(value).strip())
    if found is None or not any(found.groups()[1:]):
        raise must_be('a duration such as "PT1H30M", or seconds', value)
    with _within_range(value):
        length = datetime.timedelta(**{name: float(text) for name, text in found.groupdict().items() if text and name != "sign"})
        return -length if found["sign"] else length


class _within_range:  # noqa: N801 - read as a word of the sentence "with _within_range(value)"
    def __init__(self, value: Any) -> None:
        self.value = value

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, frames: object) -> None:
        if isinstance(error, (OverflowError, ValueError)):
            raise must_be("a duration of less than 999,999,999 days", self.value) from None


def _decimal(value: Any) -> Decimal:
    if type(value) in (int, float):
        return Decimal(repr(value))
    found: Decimal = _parsed(Decimal, "a decimal number")(value)
    if not found.is_finite():
        raise must_be("a decimal number", value)
    return found


def _string(fmt: str, make: Make) -> Form:
    return Form({"type": "string", "format": fmt}, make)


SCALARS: dict[Any, Form] = {
    str: Form({"type": "string"}, _text),
    int: Form({"type": "integer"}, _integer),
    float: Form({"type": "number"}, _number),
    bool: Form({"type": "boolean"}, _boolean),
    None: Form({"type": "null"}, _null),
    type(None): Form({"type": "null"}, _null),
    Any: Form({}, _anything),
    object: Form({}, _anything),
    bytes: Form({"type": "string", "contentEncoding": "base64"}, _bytes),
    bytearray: Form({"type": "string", "contentEncoding": "base64"}, lambda value: bytearray(_bytes(value))),
    datetime.datetime: _string(
        "date-time",
        _parsed(_date_and_time, 'a date and time such as "2026-05-01T09:30:00Z"'),
    ),
    datetime.date: _string("date", _parsed(_date, 'a date such as "2026-05-01"')),
    datetime.time: _string(
        "time", _parsed(lambda text: datetime.time.fromisoformat(_with_offset(text)), 'a time such as "09:30"')
    ),
    datetime.timedelta: _string("duration", _duration),
    uuid.UUID: _string("uuid", _parsed(uuid.UUID, "a UUID")),
    Decimal: Form({"type": "number"}, _decimal),
    **{
        kind: _string("path", _parsed(kind, "a path"))
        for kind in (pathlib.Path, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)
    },
    re.Pattern: _string("regex", _parsed(re.compile, "a regular expression")),
}
"""Kinds that are what they are, whatever stands around them."""
if hasattr(typing, "LiteralString"):
    SCALARS[typing.LiteralString] = SCALARS[str]

_abc = collections.abc
_SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {
    **dict.fromkeys((list, _abc.Sequence, _abc.MutableSequence, _abc.Collection, _abc.Iterable, _abc.Reversible), list),
    **dict.fromkeys((_abc.Iterator, _abc.Generator), iter),
    **dict.fromkeys((set, _abc.Set, _abc.MutableSet), set),
    frozenset: frozenset,
    collections.deque: collections.deque,
}
"""What is an array to JSON, and how it is made of a list."""
_MAPPINGS: dict[Any, Callable[[dict[Any, Any]], Any]] = {
    **dict.fromkeys((dict, _abc.Mapping, _abc.MutableMapping), dict),
    collections.OrderedDict: collections.OrderedDict,
}


class _Named:
    """A class or an alias while it is understood: one that is met again contains itself, and is referred to by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_referred_to = False
        self.make: Make = _anything

    @property
    def reference(self) -> Form:
        return Form({"$ref": f"#/$defs/{self.name}"}, self._make_later)

    def _make_later(self, value: Any) -> Any:
        return self.make(value)


class Forms:
    """Understands the annotations of one function; ``definitions`` are what their schemas refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._open: dict[Any, _Named] = {}
        self._done: dict[Any, Form] = {}
        self._variables: dict[Any, Any] = {}
        """What type variables stand for, inside a generic class."""

    def of(self, hint: Any, where: str) -> Form:
        """The form of an annotation; ``where`` is the beginning of the sentence that refuses it.

        Raises:
            ConfigError: JSON cannot say it.
        """
        if _is_hashable(hint) and hint in SCALARS:
            return SCALARS[hint]
        origin = typing.get_origin(hint) or hint
        for is_kind, form_of in KINDS:
            if is_kind(hint, origin):
                return form_of(self, hint, where)
        name = getattr(hint, "__name__", None) or getattr(hint, "__forward_arg__", None) or str(hint)
        raise ConfigError(f"{where} is a {name}, which JSON cannot say; accepted are {_ACCEPTED}")

    def named(self, key: Any, name: str, form_of: Callable[[], Form]) -> Form:
        """The form of something that may contain itself."""
        if key in self._done:
            return self._done[key]
        if key in self._open:
            self._open[key].is_referred_to = True
            return self._open[key].reference
        named = self._open[key] = _Named(self._free(name))
        try:
            form = form_of()
        finally:
            del self._open[key]
        named.make = form.make
        if not named.is_referred_to:
            return form
        self.definitions[named.name] = form.schema
        self._done[key] = Form(named.reference.schema, form.make)
        return self._done[key]

    def _free(self, name: str) -> str:
        taken = {*self.definitions, *(each.name for each in self._open.values())}
        names = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
        return next(each for each in names if each not in taken)

    def moved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema that brings its own definitions, which go to the root; two classes of one name stay two."""
        schema = dict(schema)
        brought: dict[str, Any] = schema.pop("$defs", {})
        names = {name: name for name in brought}
        open_names = {each.name for each in self._open.values()}
        while True:
            renamed = {name: _renamed(item, names) for name, item in brought.items()}
            known = self.definitions
            other = next((n for n in brought if names[n] in open_names or known.get(names[n], renamed[n]) != renamed[n]), None)
            if other is None:
                break
            taken = {*known, *names.values(), *open_names}
            names[other] = next(n for n in (f"{other}_{number}" for number in range(2, len(taken) + 3)) if n not in taken)
        self.definitions.update({names[name]: item for name, item in renamed.items()})
        moved: dict[str, Any] = _renamed(schema, names)
        return moved

    @contextlib.contextmanager
    def generic(self, hint: Any) -> Iterator[Any]:
        """The class that ``hint`` names; inside, its type variables stand for what ``hint`` gives them."""
        before, cls = self._variables, typing.get_origin(hint) or hint
        arguments = [before.get(each, each) if _is_hashable(each) else each for each in typing.get_args(hint)]
        self._variables = {**before, **dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))}
        try:
            yield cls
        finally:
            self._variables = before

    def standing_for(self, variable: Any) -> Any:
        """What a type variable stands for: what it was given, its bound, its constraints, or anything."""
        if variable in self._variables and self._variables[variable] is not variable:
            return self._variables[variable]
        if variable.__bound__ is not None:
            return variable.__bound__
        return functools.reduce(operator.or_, variable.__constraints__) if variable.__constraints__ else Any


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The schema with other names behind its references."""
    if isinstance(value, dict):
        return {key: _reference(item, names) if key == "$ref" else _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value


def _reference(value: Any, names: Mapping[str, str]) -> Any:
    path, slash, name = str(value).rpartition("/")
    return path + slash + names.get(name, name) if isinstance(value, str) else _renamed(value, names)


def _is_hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


# What stands around a type, or in place of one.


def _annotated(forms: Forms, hint: Any, where: str) -> Form:
    inner, *beside = typing.get_args(hint)
    if any(_is_for_pydantic(note) for note in beside):
        return _pydantic(forms, hint, where)
    form, notes = forms.of(inner, where), notes_in(beside)
    return Form(notes.on(form.schema), lambda value: notes.check(form.make(value)))


def _is_for_pydantic(note: Any) -> bool:
    """True for what changes or checks a value in pydantic's own way (AfterValidator, for example)."""
    return hasattr(note, "__get_pydantic_core_schema__") and not isinstance(note, type)


def _inner(forms: Forms, hint: Any, where: str) -> Form:
    return forms.of(typing.get_args(hint)[0], where)


def _new_type(forms: Forms, hint: Any, where: str) -> Form:
    return forms.of(hint.__supertype__, where)


def _variable(forms: Forms, hint: Any, where: str) -> Form:
    return forms.of(forms.standing_for(hint), where)


def _alias(forms: Forms, hint: Any, where: str) -> Form:
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    value = _without_names(origin, where)
    if arguments:
        value = value[arguments if len(arguments) > 1 else arguments[0]]
    return forms.named(hint, origin.__name__, lambda: forms.of(value, where))


def _without_names(alias: Any, where: str) -> Any:
    """What an alias stands for; it may name itself, and others of its module, in text."""
    holder = type(alias.__name__, (), {"__annotations__": {"value": alias.__value__}, "__module__": alias.__module__})
    try:
        return typing.get_type_hints(holder, localns={alias.__name__: alias}, include_extras=True)["value"]
    except NameError as error:
        raise ConfigError(f"{where} is a {alias.__name__}, which names something unknown: {error}") from None


# Choices.


def _literal(forms: Forms, hint: Any, where: str) -> Form:
    choices = [(each.value if isinstance(each, enum.Enum) else each, each) for each in typing.get_args(hint)]
    unsayable = next((said for said, _ in choices if type(said) not in _JSON_KINDS), None)
    if unsayable is not None:
        raise ConfigError(f"{where} is a Literal of {unsayable!r}, which JSON cannot say")
    return _choice(choices)


def _enum(forms: Forms, hint: Any, where: str) -> Form:
    """By value; by name where JSON cannot say the values."""
    if issubclass(hint, enum.Flag):
        return _flag(hint)
    by_value = all(type(member.value) in _JSON_KINDS and not isinstance(member.value, (list, dict)) for member in hint)
    return _choice([(member.value if by_value else member.name, member) for member in hint])


def _choice(choices: list[tuple[Any, Any]]) -> Form:
    """One of these: what JSON says, and what that is in Python."""
    said = [each for each, _ in choices]

    def make(value: Any) -> Any:
        for each, meant in choices:
            if type(each) is type(value) and each == value:
                return meant
        for each, meant in choices:  # 1.0 for 1, "1" for 1
            if not isinstance(each, bool) and isinstance(each, (int, float)) and _looks_like(value, each):
                return meant
        raise must_be(f"one of {', '.join(json.dumps(each) for each in said)}", value)

    kinds = {_JSON_KINDS.get(type(each)) for each in said}
    only = kinds.pop() if len(kinds) == 1 else None
    return Form({"type": only, "enum": said} if only else {"enum": said}, make)


def _looks_like(value: Any, number: float) -> bool:
    try:
        return not isinstance(value, bool) and _number(value) == number
    except Unfit:
        return False


def _flag(hint: Any) -> Form:
    members = [member for member in hint if member.value]
    whole = 0
    for member in members:
        whole |= member.value
    words = f"Sum of: {', '.join(f'{member.value} {member.name}' for member in members)}."

    def make(value: Any) -> Any:
        number = _integer(value)
        if number & ~whole or number < 0:
            raise must_be(f"a sum of {', '.join(str(member.value) for member in members)}", value)
        return hint(number)

    return Form({"type": "integer", "minimum": 0, "maximum": whole, "description": words}, make)


def _union(forms: Forms, hint: Any, where: str) -> Form:
    members = [forms.of(each, where) for each in typing.get_args(hint)]

    def make(value: Any) -> Any:
        """Made by the first member whose JSON type it has, else by the first that can make something of it."""
        kind = _JSON_KINDS.get(type(value), "")
        exact = [form for form in members if kind in _json_kinds(form.schema)]
        failures: list[tuple[Form, Unfit]] = []
        for form in (*exact, *(form for form in members if not any(form is each for each in exact))):
            try:
                return form.make(value)
            except Unfit as failure:
                failures.append((form, failure))
        telling = [failure for form, failure in failures if form.schema.get("type") != "null"]
        if len(telling) == 1 or len(exact) == 1:
            raise telling[0]
        raise Unfit(f"fits none of its types: {', or '.join(dict.fromkeys(_clause(each) for each in telling))}")

    return Form({"anyOf": [form.schema for form in members]}, make)


def _clause(failure: Unfit) -> str:
    return f"its {failure.path.removeprefix('.')} {failure.words}" if failure.path else f"it {failure.words}"


def _json_kinds(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema takes."""
    if "anyOf" in schema:
        return {kind for member in schema["anyOf"] for kind in _json_kinds(member)}
    if "enum" in schema:
        return {_JSON_KINDS.get(type(each), "") for each in schema["enum"]}
    if "$ref" in schema:
        return {"object"}
    kinds = schema.get("type", [*_JSON_KINDS.values()])
    return {kinds} if isinstance(kinds, str) else set(kinds)


# Containers.


def _array(forms: Forms, hint: Any, where: str) -> Form:
    arguments = typing.get_args(hint)
    item, build = forms.of(arguments[0], where) if arguments else None, _SEQUENCES[typing.get_origin(hint) or hint]

    def make(value: Any) -> Any:
        made = _items(value, item.make if item is not None else _anything)
        try:
            return build(made)
        except TypeError:
            raise Unfit("holds a list or an object, which a set cannot") from None

    return Form({"type": "array", **({"items": item.schema} if item is not None else {})}, make)


def _items(value: Any, make: Make) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise must_be("a list", value)
    made = []
    for index, item in enumerate(value):
        with below(f"[{index}]"):
            made.append(make(item))
    return made


def _tuple(forms: Forms, hint: Any, where: str) -> Form:
    arguments = typing.get_args(hint)
    if hint is tuple or arguments[1:] == (Ellipsis,):
        item = forms.of(arguments[0], where) if arguments else SCALARS[Any]
        schema = {"type": "array", **({"items": item.schema} if arguments else {})}
        return Form(schema, lambda value: tuple(_items(value, item.make)))
    items = [forms.of(each, where) for each in arguments if each != ()]  # tuple[()] of Python 3.10

    def make(value: Any) -> Any:
        listed = _items(value, _anything)
        if len(listed) != len(items):
            raise must_be(f"a list of exactly {len(items)}", value)
        made = []
        for index, (form, each) in enumerate(zip(items, listed, strict=True)):
            with below(f"[{index}]"):
                made.append(form.make(each))
        return tuple(made)

    prefix = {"prefixItems": [form.schema for form in items]} if items else {}
    return Form({"type": "array", **prefix, "minItems": len(items), "maxItems": len(items)}, make)


def _mapping(forms: Forms, hint: Any, where: str) -> Form:
    arguments, origin = typing.get_args(hint), typing.get_origin(hint) or hint
    build = _MAPPINGS.get(origin) or _default_dict(arguments)
    if not arguments:
        return Form({"type": "object"}, lambda value: build(_pairs(value, _anything, _anything)))
    key, item = forms.of(arguments[0], where), forms.of(arguments[1], where)
    if _json_kinds(key.schema) != {"string"}:
        raise ConfigError(f"{where} is a dict whose keys are not str, which JSON cannot say")
    schema: dict[str, Any] = {"type": "object", "additionalProperties": item.schema}
    if "enum" in key.schema:
        schema = {"type": "object", "properties": dict.fromkeys(key.schema["enum"], item.schema), "additionalProperties": False}
    return Form(schema, lambda value: build(_pairs(value, key.make, item.make)))


def _default_dict(arguments: tuple[Any, ...]) -> Callable[[dict[Any, Any]], Any]:
    of = arguments[1] if len(arguments) > 1 else None
    make_missing = typing.get_origin(of) or of
    return lambda made: collections.defaultdict(make_missing if isinstance(make_missing, type) else None, made)


def _pairs(value: Any, make_key: Make, make_item: Make) -> dict[Any, Any]:
    made = {}
    for key, item in _object(value).items():
        with below(f"[{key!r}]"):
            made[make_key(key)] = make_item(item)
    return made


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise must_be("an object", value)
    return value


# Records.


class Field(NamedTuple):
    """One field of a record."""

    name: str
    hint: Any
    required: bool
    default: dict[str, Any]
    """``{"default": value}`` where there is one that JSON can say."""


def said_default(value: Any) -> dict[str, Any]:
    """A default that JSON can say. None is left out: it says no more than that the value is not required; NaN would be null."""
    try:
        made = plain(value)
    except Unsayable:
        return {}
    return {} if made is None else {"default": made}


def _record(forms: Forms, hint: Any, where: str, fields: list[Field], build: Callable[..., Any]) -> Form:
    """An object with these fields, made into a value by ``build(**fields)``."""
    made = {each.name: forms.of(each.hint, f"{where}, field {each.name!r},") for each in fields}
    text = written_by_hand(typing.get_origin(hint) or hint)
    properties = {}
    for each in fields:
        words = text.parameters.get(each.name)
        described = {"description": words} if words else {}
        properties[each.name] = {**described, **made[each.name].schema, **each.default}
    required = [each.name for each in fields if each.required]
    schema = {"type": "object", "properties": properties, **({"required": required} if required else {})}
    if text.description:
        schema["description"] = text.description

    def make(value: Any) -> Any:
        values = checked_names(_object(value), list(made), required)
        arguments = {}
        for name, item in values.items():
            with below(f".{name}"):
                arguments[name] = made[name].make(item)
        try:
            return build(**arguments)
        except (ValueError, TypeError, ArithmeticError) as error:  # the class refuses it: its words are for its author
            raise Unfit(f"is refused: {error}") from error

    return Form(schema, make)


def checked_names(values: Mapping[str, Any], names: list[str], required: list[str]) -> Mapping[str, Any]:
    """The values themselves.

    Raises:
        Unfit: when one has no place, or one is missing.
    """
    unknown = next((name for name in values if name not in names), None)
    if unknown is not None:
        raise Unfit(f"has no {unknown!r}; it takes {', '.join(names) or 'nothing'}")
    missing = [name for name in required if name not in values]
    if missing:
        raise Unfit(f"lacks {', '.join(missing)}")
    return values


def _dataclass(forms: Forms, hint: Any, where: str) -> Form:
    with forms.generic(hint) as cls:
        hints = _hints(cls, where)
        found = [each for each in _given_fields(cls, hints) if each.init]
        missing = dataclasses.MISSING
        fields = [
            Field(
                each.name,
                hints[each.name].type if isinstance(hints[each.name], dataclasses.InitVar) else hints[each.name],
                each.default is missing and each.default_factory is missing,
                {} if each.default is missing else said_default(each.default),
            )
            for each in found
        ]
        form = forms.named(hint, cls.__name__, lambda: _record(forms, hint, where, fields, cls))
    return form


def _given_fields(cls: Any, hints: Mapping[str, Any]) -> list[Any]:
    """The fields that making an object takes: InitVars, which ``fields`` leaves out, are among them, ClassVars are not."""
    listed = dataclasses.fields(cls)
    held = cls.__dataclass_fields__.values()
    return [each for each in held if each in listed or isinstance(hints.get(each.name), dataclasses.InitVar)]


def _typed_dict(forms: Forms, hint: Any, where: str) -> Form:
    with forms.generic(hint) as cls:
        hints = _hints(cls, where)
        fields = [Field(name, item, _is_required(cls, name, item), {}) for name, item in hints.items()]
        form = forms.named(hint, cls.__name__, lambda: _record(forms, hint, where, fields, dict))
    return form


def _is_required(cls: Any, name: str, item: Any) -> bool:
    """Whether a TypedDict requires a key; the class itself does not see marks in annotations that are text."""
    mark = getattr(typing.get_origin(item), "_name", None)
    return mark == "Required" or (mark != "NotRequired" and name in cls.__required_keys__)


def _named_tuple(forms: Forms, hint: Any, where: str) -> Form:
    with forms.generic(hint) as cls:
        names, hints, defaults = cls._fields, _hints(cls, where), cls._field_defaults
        fields = [Field(name, hints.get(name, Any), name not in defaults, said_default(defaults.get(name))) for name in names]
        form = forms.named(hint, cls.__name__, lambda: _record(forms, hint, where, fields, cls))

    def make(value: Any) -> Any:
        return form.make(dict(zip(names, value, strict=False)) if isinstance(value, list) and len(value) <= len(names) else value)

    return Form(form.schema, make)


def _hints(cls: Any, where: str) -> dict[str, Any]:
    try:
        try:
            return typing.get_type_hints(cls, include_extras=True)
        except TypeError:  # Python 3.10 does not know an InitVar that stands in an annotation of text
            every = (inspect.get_annotations(base, eval_str=True) for base in reversed(cls.__mro__))
            return {name: hint for hints in every for name, hint in hints.items()}
    except NameError as error:
        raise ConfigError(f"{where} is a {cls.__name__}, of which an annotation names something unknown: {error}") from None


def _pydantic(forms: Forms, hint: Any, where: str) -> Form:
    """What is pydantic's is asked of pydantic: models, its dataclasses and types, annotations with its validators."""
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError

    try:
        adapter: Any = TypeAdapter(hint)
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise ConfigError(f"{where} is refused by pydantic: {error.message}") from None

    def make(value: Any) -> Any:
        try:
            return adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            failure = error.errors(include_url=False, include_context=False)[0]
            path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in failure["loc"])
            given = f", not {shown(failure['input'])}" if not isinstance(failure["input"], (dict, list)) else ""
            raise Unfit(f"is refused: {failure['msg']}{given}", path) from None

    return Form(forms.moved(schema), make)


def _subclass(forms: Forms, hint: Any, where: str) -> Form:
    """A class of one's own that is text or a number."""
    base = SCALARS[next(each for each in (str, int, float) if issubclass(hint, each))]

    def make(value: Any) -> Any:
        try:
            return hint(base.make(value))
        except ValueError as error:
            raise Unfit(f"is refused: {error}") from error

    return Form(base.schema, make)


def _is_class(hint: Any, origin: Any) -> bool:
    # Before Python 3.11 list[int] is an instance of type, but no class.
    return isinstance(origin, type)


def _is_pydantic(hint: Any, origin: Any) -> bool:
    if not isinstance(hint, type):
        return isinstance(origin, type) and hasattr(origin, "__pydantic_generic_metadata__")
    return hasattr(hint, "__get_pydantic_core_schema__") or hasattr(hint, "__is_pydantic_dataclass__")


_UNIONS = (Union, python_types.UnionType)
_AROUND = (typing.ClassVar, typing.Final)

KINDS: list[tuple[Callable[[Any, Any], bool], Callable[[Forms, Any, str], Form]]] = [
    (lambda hint, origin: origin is Annotated or typing.get_origin(hint) is Annotated, _annotated),
    (lambda hint, origin: getattr(origin, "_name", None) in _TYPED_DICT_MARKS or origin in _AROUND, _inner),
    (lambda hint, origin: hasattr(hint, "__supertype__"), _new_type),
    (lambda hint, origin: isinstance(hint, TypeVar), _variable),
    (lambda hint, origin: type(origin).__name__ == "TypeAliasType", _alias),
    (lambda hint, origin: origin is Literal or getattr(origin, "_name", None) == "Literal", _literal),
    (lambda hint, origin: any(origin is each for each in _UNIONS), _union),
    (lambda hint, origin: _is_class(hint, origin) and issubclass(origin, enum.Enum), _enum),
    (lambda hint, origin: origin is tuple, _tuple),
    (lambda hint, origin: _is_hashable(origin) and origin in _SEQUENCES, _array),
    (lambda hint, origin: _is_hashable(origin) and (origin in _MAPPINGS or origin is collections.defaultdict), _mapping),
    (_is_pydantic, _pydantic),
    (lambda hint, origin: hasattr(origin, "__required_keys__"), _typed_dict),
    (lambda hint, origin: _is_class(hint, origin) and dataclasses.is_dataclass(origin), _dataclass),
    (lambda hint, origin: _is_class(hint, origin) and issubclass(origin, tuple) and hasattr(origin, "_fields"), _named_tuple),
    (lambda hint, origin: _is_class(hint, origin) and issubclass(origin, (str, int, float)), _subclass),
    (lambda hint, origin: origin is re.Pattern, lambda forms, hint, where: SCALARS[re.Pattern]),
]
"""Kinds in the order in which they are asked for: which annotations are of the kind, and their form."""
