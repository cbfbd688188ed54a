"""What ``Annotated`` says beside a type, in two directions: words of its JSON schema, and checks of its values. Pure.

Notes are read by what they have, not by their class, so that neither pydantic nor annotated_types nor typing_extensions is
imported: a text, ``documentation`` (Doc), ``description`` and ``metadata`` (pydantic.Field), and the limits of ``LIMITS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from genai_live.tools.fit import Unfit, shown


class Limit(NamedTuple):
    """A limit, in two directions."""

    keywords: Mapping[str, str]
    """By the JSON type that it limits: how a schema says it."""
    holds: Callable[[Any, Any], bool]
    """Whether a value keeps to a bound."""
    words: str
    """What a value must be; the bound stands in braces."""


_NUMBERS = ("integer", "number")


def _numeric(keyword: str) -> dict[str, str]:
    return dict.fromkeys(_NUMBERS, keyword)


def _is_multiple(value: Any, step: Any) -> bool:
    if isinstance(value, float) or isinstance(step, float):  # 0.3 is a multiple of 0.1 for everybody but a remainder
        quotient = float(value) / float(step)
        return math.isclose(quotient, round(quotient), abs_tol=1e-9)
    return bool(value % step == 0)


def _matches(value: Any, pattern: Any) -> bool:
    return not isinstance(value, str) or re.search(pattern, value) is not None


LIMITS: dict[str, Limit] = {
    "gt": Limit(_numeric("exclusiveMinimum"), lambda value, bound: value > bound, "must be above {}"),
    "ge": Limit(_numeric("minimum"), lambda value, bound: value >= bound, "must be {} or above"),
    "lt": Limit(_numeric("exclusiveMaximum"), lambda value, bound: value < bound, "must be below {}"),
    "le": Limit(_numeric("maximum"), lambda value, bound: value <= bound, "must be {} or below"),
    "multiple_of": Limit(_numeric("multipleOf"), _is_multiple, "must be a multiple of {}"),
    "min_length": Limit(
        {"string": "minLength", "array": "minItems", "object": "minProperties"},
        lambda value, bound: len(value) >= bound,
        "must have a length of {} or more",
    ),
    "max_length": Limit(
        {"string": "maxLength", "array": "maxItems", "object": "maxProperties"},
        lambda value, bound: len(value) <= bound,
        "must have a length of {} or less",
    ),
    "pattern": Limit({"string": "pattern"}, _matches, "must match {}"),
}
"""By the names that annotated_types and pydantic have for them."""


class Notes(NamedTuple):
    """What stands beside one type."""

    description: str | None
    limits: tuple[tuple[str, Any], ...]
    """Names of ``LIMITS``, each with its bound."""
    predicates: tuple[Callable[[Any], Any], ...]
    """What a value must be true for."""

    def on(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with these notes."""
        noted = dict(schema)
        for name, bound in self.limits:
            noted = _limited(noted, LIMITS[name], bound)
        if self.description is not None:
            noted["description"] = self.description
        return noted

    def check(self, value: Any) -> Any:
        """The value itself. None, where it may be, has none.

        Raises:
            Unfit: when it does not keep to a limit.
        """
        if value is None:
            return None
        for name, bound in self.limits:
            limit = LIMITS[name]
            if not _holds(limit.holds, value, bound):
                raise Unfit(f"{limit.words.format(bound)}, not {shown(value)}")
        for predicate in self.predicates:
            if not predicate(value):
                raise Unfit(f"is refused by {getattr(predicate, '__name__', 'a predicate')}: {shown(value)}")
        return value


def notes_in(notes: Iterable[Any]) -> Notes:
    """Reads what stands beside a type."""
    texts, limits, predicates = [], [], []
    for note in _flat(notes):
        text = _text_of(note)
        if text is not None:
            texts.append(text)
        if isinstance(note, str):
            continue
        limits += [(name, getattr(note, name)) for name in LIMITS if _bound_of(note, name) is not None]
        if type(note).__name__ == "Predicate" and callable(getattr(note, "func", None)):
            predicates.append(note.func)
    patterns = [(name, getattr(bound, "pattern", bound) if name == "pattern" else bound) for name, bound in limits]
    return Notes(texts[0] if texts else None, tuple(patterns), tuple(predicates))


def _flat(notes: Iterable[Any]) -> Iterator[Any]:
    for note in notes:
        yield note
        held = getattr(note, "metadata", None)
        if isinstance(held, (list, tuple)):  # pydantic's FieldInfo
            yield from _flat(held)
        elif getattr(note, "__is_annotated_types_grouped_metadata__", False):  # Interval, Len, StringConstraints
            yield from _flat(note)


def _text_of(note: Any) -> str | None:
    if isinstance(note, str):
        return note
    found = getattr(note, "documentation", None) or getattr(note, "description", None)
    return found if isinstance(found, str) else None


def _bound_of(note: Any, name: str) -> Any:
    if getattr(note, "__is_annotated_types_grouped_metadata__", False):
        return None
    bound = getattr(note, name, None)
    return None if callable(bound) or (name == "min_length" and bound == 0) else bound


def _holds(holds: Callable[[Any, Any], bool], value: Any, bound: Any) -> bool:
    try:
        return holds(value, bound)
    except TypeError:  # the limit is for another member of a union
        return True


def _limited(schema: dict[str, Any], limit: Limit, bound: Any) -> dict[str, Any]:
    said = float(bound) if isinstance(bound, Decimal) else bound
    if not isinstance(said, (int, float, str)):  # a date, for example: it is checked, JSON has no word for it
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [_limited(member, limit, bound) for member in schema["anyOf"]]}
    keyword = limit.keywords.get(str(schema.get("type")))
    return schema if keyword is None else {**schema, keyword: said}
