"""What a caller passed, checked against the field table and turned into JSON. Pure, never changes its input: runs on any thread.

One walk over the table of ``genai_live.types`` does what the official clients spread over generated converters for each
backend: it takes objects and dicts in either spelling, refuses what the backend lacks and unknown names, and writes the
wire's names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import enum
import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from genai_live._backends import Backend
from genai_live.errors import ConfigError
from genai_live.types import _values
from genai_live.types._base import Message, WireField, fields_of, names_of
from genai_live.types._values import WrongType

Form = Callable[["Checker", Any, str], Any]
"""Turns one of several accepted shapes of a message into the message itself or a dict of it."""

_NEAR_WORD = 0.75
"""How alike (difflib ratio) two words must be for one to be a slip of the pen for the other: two letters swapped."""
_CONTAINERS = (list, tuple)

_log = logging.getLogger("genai_live")
_warned: set[str] = set()
"""What has been warned about, so that a warning is one for each process and not one for each message."""


@dataclasses.dataclass(frozen=True)
class Checker:
    """The rules of one conversion: whose backend, which other shapes a type may have."""

    backend: Backend
    forms: Mapping[type[Message], Form]
    """For types that take more shapes than objects and dicts of theirs."""
    keep_unknown: bool = False
    """True where a message object may have come from the server: what it holds in ``extra`` goes back as it is."""
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """For a misplaced key, in each spelling, the full path where it belongs."""

    def message(self, cls: type[Message], value: Any, path: str) -> dict[str, Any]:
        """The JSON of ``value`` as a ``cls``: camelCase, no nulls, falsy values kept, nothing shared with the input.

        Raises:
            ConfigError: with the full path of what is wrong.
        """
        form = self.forms.get(cls)
        if form is not None:
            value = form(self, value, path)
        if (long_form := cls.from_short_form(value)) is not None:
            value = long_form
        given, extra = spelled(cls, value, path)
        if extra and not (self.keep_unknown and isinstance(value, Message)):
            key = next(iter(extra))
            raise unknown_key(cls, key, path, f"it is {self.places[key]}" if key in self.places else "")
        result = {str(name): _values.write_json(item) for name, item in extra.items()}
        for field in fields_of(cls):
            if field.name in given and not field.local:
                result[self.wire_name(field)] = self.field(field, given[field.name], f"{path}.{field.name}")
        return result

    def wire_name(self, field: WireField) -> str:
        """The name of a field in the JSON of this backend."""
        return field.vertex_wire if self.backend.is_vertex else field.wire

    def field(self, field: WireField, value: Any, path: str) -> Any:
        """The JSON of one field's value.

        Raises:
            ConfigError: when the backend lacks the field, or the type is wrong.
        """
        self._check_support(field, path)
        if field.kind not in ("message", "enum"):
            return written(field, value, path)
        if field.shape == "boxed":
            return [self._item(field, value, path)]
        if field.shape == "list":
            if not isinstance(value, _CONTAINERS):
                raise ConfigError(f"must be a list, not {type(value).__name__}{_brackets(value)}", path)
            return [self._item(field, item, f"{path}[{index}]") for index, item in enumerate(value)]
        if field.shape == "map":
            if not isinstance(value, Mapping):
                raise ConfigError(f"must be a dict, not {type(value).__name__}", path)
            return {str(key): self._item(field, item, f"{path}[{str(key)!r}]") for key, item in value.items()}
        return self._item(field, value, path)

    def _item(self, field: WireField, value: Any, path: str) -> Any:
        assert field.type is not None
        if value is None:
            raise ConfigError("is None; leave it out instead", path)
        if field.kind == "enum":
            return enum_value(field.type, value, path)
        return self.message(field.type, value, path)

    def _check_support(self, field: WireField, path: str) -> None:
        mine, others = (field.vertex, field.mldev) if self.backend.is_vertex else (field.mldev, field.vertex)
        if mine is True:
            return
        if mine == "error":
            whose = f"only {self.backend.other} has it" if others is True else f"no Live session has it ({field.note})"
            raise ConfigError(f"{self.backend} does not have this field; {whose}", path)
        # Documented as unsupported, but no official client refuses it: the documentation may lag behind, so it is sent.
        warn_once(f"{path}: documented for {self.backend.other} only; {self.backend} may refuse it")


def written(field: WireField, value: Any, path: str) -> Any:
    """The JSON of a value that is neither message nor enum."""
    try:
        return _writer(field)(value)
    except WrongType as error:
        below = error.path and (error.path if error.path.startswith("[") else f".{error.path}")
        raise ConfigError(error.text + (_brackets(value) if field.shape == "list" else ""), path + below) from None


@functools.cache
def _writer(field: WireField) -> _values.Convert:
    if field.kind == "object":
        return _values.write_json
    write = _values.SCALARS[field.kind][1]
    shapes = {"list": _values.write_list, "map": _values.write_map, "boxed": _values.write_boxed}
    if field.shape == "joined":
        return _values.write_joined
    return shapes[field.shape](write) if field.shape in shapes else write


def _brackets(value: Any) -> str:
    """A hint for the commonest slip with lists."""
    return f"; write [{value!r}]" if isinstance(value, str) and len(value) <= _SHORT_TEXT else ""


_SHORT_TEXT = 40
"""Characters of the caller's text that an error quotes: a name or an enum, never a document."""


@contextlib.contextmanager
def not_endless(path: str) -> Iterator[None]:
    """Turns the end of the stack into a ConfigError: for the walk through a value that the caller passed as ``path``."""
    try:
        yield
    except RecursionError:
        raise ConfigError("is nested too deeply, or within itself", path) from None


def spelled(cls: type[Message], value: Any, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is set in an object or a dict of either spelling, under Python's names, and beside it what ``cls`` does not know.

    Raises:
        ConfigError: neither of the two, or a field in both spellings.
    """
    if isinstance(value, cls):
        own = {field.name: getattr(value, field.name) for field in fields_of(cls)}
        return {name: item for name, item in own.items() if item is not None}, dict(value.extra)
    if not isinstance(value, Mapping):
        raise ConfigError(f"must be {cls.__name__} or a dict of it, not {kind_of(value)}{_as_switch(cls, value)}", path)
    names = names_of(cls)
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, item in value.items():
        name = names.get(key) if isinstance(key, str) else None
        if name is None:
            unknown[str(key)] = item
        elif name in known and item is not None:
            raise ConfigError("is given twice, in two spellings", f"{path}.{name}")
        elif item is not None:
            known[name] = item
    return known, unknown


def _as_switch(cls: type[Message], value: object) -> str:
    """A hint for a setting that is switched on by being there, and was given as True or False."""
    if value is True:
        return "; write {} for its defaults"
    if value is False:
        return "; write {'disabled': True}" if "disabled" in names_of(cls) else "; leave it out"
    return ""


def kind_of(value: object) -> str:
    """The type of a value, for an error; for one of Google's SDK, which has the same names, with what to do about it."""
    name = type(value).__name__
    if type(value).__module__.startswith("google.genai"):
        return f"google.genai's {name}; take types from genai_live, or pass its .model_dump(exclude_none=True)"
    return name


@functools.cache
def places_in(root: type[Message], leave_out: frozenset[type[Message]]) -> dict[str, str]:
    """For each spelling of a name that only one type below ``root`` has: the dotted way to it, in Python's names."""
    ways: dict[str, list[str]] = {}
    waiting: list[tuple[type[Message], str]] = [(root, "")]
    seen = {root, *leave_out}
    while waiting:
        cls, way = waiting.pop(0)
        for spelling, name in names_of(cls).items():
            ways.setdefault(spelling, []).append(way + name)
        for field in fields_of(cls):
            if field.kind == "message" and field.shape == "one" and field.type is not None and field.type not in seen:
                seen.add(field.type)
                waiting.append((field.type, f"{way}{field.name}."))
    return {spelling: found[0] for spelling, found in ways.items() if len(found) == 1 or "." not in found[0]}


def unknown_key(cls: type[Message], key: str, path: str, hint: str = "") -> ConfigError:
    """The error for a key that ``cls`` does not have, with the nearest one that it has."""
    if not hint:
        near = difflib.get_close_matches(_snake_case(key), [field.name for field in fields_of(cls)], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"{cls.__name__} has no such field"
    return ConfigError(f"unknown key; {hint}", f"{path}.{key}")


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def enum_value(cls: type[enum.Enum], value: Any, path: str) -> str:
    """The name of an enum's member as the wire has it. An unknown name is sent, with one warning, unless it is nearly known.

    Raises:
        ConfigError: no text, or a slip of the pen.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if not isinstance(value, str):
        raise ConfigError(f"must be {cls.__name__} or a str, not {type(value).__name__}", path)
    members = _members(cls)
    if value.upper() in members:
        return members[value.upper()]
    near = next((name for name in members if _is_slip(value.upper(), name)), None)
    if near is not None:
        raise ConfigError(f"{value!r} is not known; did you mean {members[near]!r}?", path)
    warn_once(f"{path}: {value!r} is not a {cls.__name__} that this release knows; it is sent as it is")
    return text_of(value, path)


def text_of(value: Any, path: str) -> str:
    """Text as it is sent.

    Raises:
        ConfigError: for anything else, and for what UTF-8 cannot say.
    """
    try:
        return _values.write_string(value)
    except WrongType as error:
        raise ConfigError(error.text, path) from None


@functools.cache
def _members(cls: type[enum.Enum]) -> dict[str, str]:
    """Every name of an enum in upper case, with the spelling of the wire."""
    return {str(member.value).upper(): str(member.value) for member in cls}


def _is_slip(name: str, known: str) -> bool:
    """True for a name that can only be meant for ``known``: its words misspelt, run together, or without their common beginning.

    Word by word, because names with long common beginnings are alike as a whole: MEDIA_RESOLUTION_ULTRA_HIGH was news once, and
    no slip for MEDIA_RESOLUTION_HIGH.
    """
    if known.endswith(f"_{name}") or _letters(name) == _letters(known):
        return True
    words, known_words = name.split("_"), known.split("_")
    if len(words) != len(known_words):
        return False
    wrong = [(word, right) for word, right in zip(words, known_words, strict=True) if word != right]
    return all(
        word[:1] == right[:1] and difflib.SequenceMatcher(None, word, right).ratio() >= _NEAR_WORD for word, right in wrong
    )


def _letters(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())


def warn_once(text: str) -> None:
    """Logs a warning the first time that it has this text."""
    if text not in _warned:
        _warned.add(text)
        _log.warning("%s", text)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two JSON objects as one: where both hold objects these are merged, everywhere else ``over`` wins."""
    result = dict(base)
    for key, value in over.items():
        mine = result.get(key)
        result[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result
