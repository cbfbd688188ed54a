"""A function's JSON schema said as ``parameters``, for models that do not see a JSON schema. Pure: runs on any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genai_live.families import ModelFamily

_DECLARATIONS, _JSON_SCHEMA, _PARAMETERS = "functionDeclarations", "parametersJsonSchema", "parameters"
_SAME = (
    "title", "description", "default", "nullable", "minimum", "maximum", "minItems", "maxItems", "minLength",
    "maxLength", "minProperties", "maxProperties", "pattern", "required", "propertyOrdering",
)  # fmt: skip
"""Keywords that both have, with the same meaning."""
_IN_WORDS = frozenset({"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "contentEncoding"})
"""Keywords that a Schema lacks and a description can say."""
_SILENT = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"}
)
"""Keywords that say nothing about a value of their own."""
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})
_NULL = {"type": "null"}


class _UnsayableError(Exception):
    """A schema that ``parameters`` cannot express."""


class _Place(NamedTuple):
    """Where in a schema a keyword stands."""

    schema: Mapping[str, Any]
    root: Mapping[str, Any]
    references: tuple[str, ...]
    """Those that led here: one that is met again contains itself."""


def in_form_of(family: ModelFamily, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The JSON of tools, every declaration in the form that the family's models see.

    A schema that ``parameters`` cannot say, such as one that contains itself, stays a JSON schema.
    """
    if family.declares_with != _PARAMETERS:
        return tools
    return [
        {**tool, _DECLARATIONS: [_declaration(each) for each in tool[_DECLARATIONS]]} if _DECLARATIONS in tool else tool
        for tool in tools
    ]


def _declaration(declaration: dict[str, Any]) -> dict[str, Any]:
    said = as_parameters(declaration.get(_JSON_SCHEMA))
    if said is None:
        return declaration
    return {**{name: value for name, value in declaration.items() if name != _JSON_SCHEMA}, _PARAMETERS: said}


def as_parameters(schema: Any) -> dict[str, Any] | None:
    """A JSON schema as what ``FunctionDeclaration.parameters`` takes, in the wire's spelling; None when it cannot be said so."""
    try:
        return _said(schema, _Place({}, schema, ())) if isinstance(schema, Mapping) else None
    except _UnsayableError:
        return None


def _said(schema: Any, within: _Place) -> dict[str, Any]:
    place = _followed(schema, within)
    said: dict[str, Any] = {}
    words: list[str] = []
    for key, value in place.schema.items():
        if key in _IN_WORDS:
            words.append(f"{key}: {value}.")
        elif key in _KEYWORDS:
            found = _KEYWORDS[key](value, place)
            words += found.pop(_CHOICES, [])
            said.update(found)
        elif key not in _SAME and key not in _SILENT:
            raise _UnsayableError
    said.update({key: place.schema[key] for key in _SAME if key in place.schema})
    if "type" not in said and "anyOf" not in said:
        raise _UnsayableError
    if words:
        said["description"] = " ".join([*filter(None, [said.get("description")]), *words])
    return said


def _followed(schema: Any, within: _Place) -> _Place:
    """The schema with what it refers to in place of its reference; what stands beside the reference wins."""
    references = within.references
    while True:
        if not isinstance(schema, Mapping):
            raise _UnsayableError
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        if "$ref" in schema:
            references = (*references, str(schema["$ref"]))
            schema = {**_referred(references, within.root), **beside}
        elif len(schema.get("allOf") or ()) == 1:
            schema = {**schema["allOf"][0], **beside}
        else:
            return _Place(schema, within.root, references)


def _referred(references: tuple[str, ...], root: Mapping[str, Any]) -> Mapping[str, Any]:
    *before, reference = references
    if reference in before or not reference.startswith("#/"):
        raise _UnsayableError
    found: Any = root
    for step in reference[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise _UnsayableError
    return found


_FORMATS = frozenset({"float", "double", "int32", "int64", "enum", "date-time"})
"""Those that a Schema has; others are said in words, for the service refused a declaration with one (reported)."""


def _format(value: Any, place: _Place) -> dict[str, Any]:
    return {"format": value} if value in _FORMATS else {_CHOICES: [f"Format: {value}."]}


def _type(value: Any, place: _Place) -> dict[str, Any]:
    kinds = list(value) if isinstance(value, (list, tuple)) else [value]
    others = [kind for kind in kinds if kind != "null"]
    if not others or not _TYPES.issuperset(others):
        raise _UnsayableError
    said = [{"type": kind.upper()} for kind in others]
    return {**(said[0] if len(said) == 1 else {"anyOf": said}), **({"nullable": True} if len(others) < len(kinds) else {})}


def _properties(value: Any, place: _Place) -> dict[str, Any]:
    return {"properties": {name: _said(item, place) for name, item in value.items()}}


def _items(value: Any, place: _Place) -> dict[str, Any]:
    return {"items": _said(value, place)}


def _prefix_items(value: Any, place: _Place) -> dict[str, Any]:
    """A tuple whose items are all alike; of others the order would be lost."""
    items = [_said(item, place) for item in value]
    if not items or any(item != items[0] for item in items):
        raise _UnsayableError
    return {"items": items[0]}


def _any_of(value: Any, place: _Place) -> dict[str, Any]:
    others = [item for item in value if item != _NULL]
    said = [_said(item, place) for item in others]
    return {**(said[0] if len(said) == 1 else {"anyOf": said}), **({"nullable": True} if len(others) < len(value) else {})}


def _enum(value: Any, place: _Place) -> dict[str, Any]:
    """Choices of text as such, others in words, for a Schema has text only."""
    choices = [item for item in value if item is not None]
    nullable = {"nullable": True} if len(choices) < len(value) else {}
    if all(isinstance(item, str) for item in choices):
        return {"type": "STRING", "enum": choices, **nullable}
    return {_CHOICES: [f"One of {', '.join(map(repr, choices))}."], **nullable}


def _const(value: Any, place: _Place) -> dict[str, Any]:
    return _enum([value], place)


def _additional(value: Any, place: _Place) -> dict[str, Any]:
    """``false`` only forbids what is not named anyway; for anything else ``parameters`` has no word."""
    if value is not False:
        raise _UnsayableError
    return {}


_CHOICES = "choices in words"
_KEYWORDS: dict[str, Callable[[Any, _Place], dict[str, Any]]] = {
    "type": _type,
    "format": _format,
    "properties": _properties,
    "items": _items,
    "prefixItems": _prefix_items,
    "anyOf": _any_of,
    "oneOf": _any_of,
    "enum": _enum,
    "const": _const,
    "additionalProperties": _additional,
}
