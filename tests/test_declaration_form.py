"""A JSON schema said as the Schema of ``parameters``, and what cannot be said so."""

from __future__ import annotations

from typing import Any

import pytest

from genai_live._client_messages.declaration_form import as_parameters, in_form_of
from genai_live.families import ModelFamily


def inside(schema: dict[str, Any], **root: Any) -> Any:
    """How one property of an object is said; None when the whole cannot be said."""
    said = as_parameters({"type": "object", "properties": {"x": schema}, **root})
    return None if said is None else said["properties"]["x"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "description": "A city."}, {"type": "STRING", "description": "A city."}),
        ({"type": "integer", "minimum": 0, "default": 3}, {"type": "INTEGER", "minimum": 0, "default": 3}),
        ({"type": ["number", "null"]}, {"type": "NUMBER", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        (
            {"anyOf": [{"type": "string", "description": "in"}, {"type": "null"}], "description": "out"},
            {"type": "STRING", "nullable": True, "description": "out"},
        ),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"type": "string", "enum": ["C", "F"]}, {"type": "STRING", "enum": ["C", "F"]}),
        ({"enum": ["C", None]}, {"type": "STRING", "enum": ["C"], "nullable": True}),
        ({"const": "C"}, {"type": "STRING", "enum": ["C"]}),
        ({"type": "integer", "enum": [1, 2], "description": "Size."}, {"type": "INTEGER", "description": "Size. One of 1, 2."}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "description": "exclusiveMinimum: 0."}),
        ({"type": "array", "items": {"type": "boolean"}}, {"type": "ARRAY", "items": {"type": "BOOLEAN"}}),
        (
            {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2},
            {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": 2, "maxItems": 2},
        ),
        (
            {"type": "object", "properties": {"y": {"type": "string"}}, "required": ["y"], "additionalProperties": False},
            {"type": "OBJECT", "properties": {"y": {"type": "STRING"}}, "required": ["y"]},
        ),
        ({"allOf": [{"type": "string"}], "title": "T"}, {"type": "STRING", "title": "T"}),
    ],
)
def test_what_both_can_say_is_said(schema: dict[str, Any], said: dict[str, Any]) -> None:
    assert inside(schema) == said


def test_references_are_followed_wherever_they_stand_and_twice() -> None:
    place = {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}}
    definitions = {"City": {"type": "string"}, "Place": place}
    pair = {"type": "object", "properties": {"a": {"$ref": "#/$defs/Place"}, "b": {"$ref": "#/$defs/Place", "description": "B"}}}
    said = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    assert inside(pair, **{"$defs": definitions})["properties"] == {"a": said, "b": {**said, "description": "B"}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "null"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}]},
        {"not": {"type": "string"}},
        {"enum": [1, 2]},
        {"$ref": "#/$defs/Nowhere"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/Node"},
    ],
)
def test_what_parameters_have_no_word_for_stays_a_json_schema(schema: Any) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert inside(schema, **{"$defs": {"Node": node}}) is None


def test_a_declaration_that_cannot_be_said_and_what_is_no_function_stay_as_they_are() -> None:
    family = ModelFamily("old", "", declares_with="parameters")
    anything = {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"x": {}}}}
    given = [{"googleSearch": {}}, {"functionDeclarations": [anything, {"name": "g"}]}]
    assert in_form_of(family, given) == given


def test_the_callers_declarations_are_not_changed() -> None:
    function = {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {}}}
    (tool,) = in_form_of(ModelFamily("old", "", declares_with="parameters"), [{"functionDeclarations": [function]}])
    assert tool["functionDeclarations"] == [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]
    assert "parametersJsonSchema" in function
