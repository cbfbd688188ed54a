"""Random messages of every type, made from the field table: what the property tests draw from."""

from __future__ import annotations

import os
from datetime import timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st

from genai_live import types
from genai_live.types import Message, WireField, fields_of
from genai_live.types._base import names_of

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "200"))
"""Examples of each property; set HYPOTHESIS_EXAMPLES=2000 for a thorough run."""

MESSAGE_TYPES: list[type[Message]] = sorted(
    (
        found
        for found in (getattr(types, name) for name in dir(types))
        if isinstance(found, type) and issubclass(found, Message) and found is not Message
    ),
    key=lambda cls: cls.__name__,
)

_DEEPEST = 3

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
present_json = json_values.filter(lambda value: value is not None)
structs = st.dictionaries(keys, json_values, max_size=3)
_minutes = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": text,
    "bool": st.booleans(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
    "bytes": st.binary(max_size=30),
    "duration": st.integers(-(10**7), 10**7).map(lambda milliseconds: milliseconds / 1000),
    "timestamp": st.datetimes(timezones=_minutes),
    "struct": structs,
    "json": present_json,
}


def enum_values(enum: Any) -> st.SearchStrategy[Any]:
    """Members, and names that no member has in any letter case."""
    known = {member.value.upper() for member in enum}
    return st.sampled_from(list(enum)) | text.filter(lambda value: value.upper() not in known)


def field_values(field: WireField, depth: int) -> st.SearchStrategy[Any]:
    one = SCALARS.get(field.kind)
    if field.kind == "enum":
        one = enum_values(field.type)
    elif field.kind == "message":
        assert field.type is not None
        one = messages(field.type, depth + 1)
    assert one is not None
    if field.shape == "list":
        return st.lists(one, max_size=3)
    if field.shape == "map":
        return st.dictionaries(keys, one, max_size=3)
    if field.shape == "joined":
        return st.lists(st.from_regex(r"[a-zA-Z_.]{1,9}", fullmatch=True), max_size=3)
    return one


@cache
def messages(cls: type[Message], depth: int = 0) -> st.SearchStrategy[Message]:
    """Messages of one type with some of their fields set and now and then an unknown key."""
    fields = [field for field in fields_of(cls) if field.kind != "object" and (depth < _DEEPEST or field.kind != "message")]
    return st.deferred(lambda: st.composite(_draw_message)(cls, fields, depth))


def _draw_message(draw: st.DrawFn, cls: type[Message], fields: list[WireField], depth: int) -> Message:
    chosen = draw(st.lists(st.sampled_from(fields), max_size=4, unique=True)) if fields else []
    held = cls(**{field.name: draw(field_values(field, depth)) for field in chosen})
    if draw(st.integers(0, 9)) == 0:
        names = names_of(cls)
        held.extra.update(draw(st.dictionaries(keys.filter(lambda key: key not in names), present_json, max_size=2)))
    return held


any_message = st.sampled_from(MESSAGE_TYPES).flatmap(messages)
