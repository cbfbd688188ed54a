"""Python functions as declarations: name, description, and the JSON schema of their parameters."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pydantic
import pytest
import typing_extensions

from genai_live import tools
from genai_live.errors import ConfigError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Marked(typing_extensions.TypedDict, total=False):
    left: typing_extensions.Required[int]
    right: typing_extensions.NotRequired[str]


@dataclasses.dataclass
class Place:
    city: str
    country: str = "DE"


class Pair(TypedDict, total=False):
    left: int


class Inner(pydantic.BaseModel):
    x: int


class Outer(pydantic.BaseModel):
    inner: Inner


def schema_of(annotation: Any) -> Any:
    def function(a: Any) -> None:
        pass

    function.__annotations__ = {"a": annotation}
    schema = tools.declaration(function).parameters_json_schema
    return schema["properties"]["a"]


SCHEMAS: list[tuple[Any, Any]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, {"type": "null"}),
    (Any, {}),
    (list, {"type": "array"}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (Sequence[str], {"type": "array", "items": {"type": "string"}}),
    (set[str], {"type": "array", "items": {"type": "string"}}),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
    ),
    (dict, {"type": "object"}),
    (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
    (Mapping[str, list[int]], {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal["a", 1], {"enum": ["a", 1]}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045 - the older form
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
    (Annotated[int, "metres"], {"type": "integer", "description": "metres"}),
    (
        Place,
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "country": {"type": "string", "default": "DE"}},
            "required": ["city"],
        },
    ),
    (Pair, {"type": "object", "properties": {"left": {"type": "integer"}}}),
]


@pytest.mark.parametrize(("annotation", "schema"), SCHEMAS, ids=str)
def test_an_annotation_has_its_schema(annotation: Any, schema: Any) -> None:
    assert schema_of(annotation) == schema


def test_a_function_becomes_a_declaration() -> None:
    def weather(city: str, days: int = 1, unit: Literal["c", "f"] | None = None, *rest: Any, **more: Any) -> str:
        """Tells the weather.

        In words.
        """
        return f"{city}{days}{unit}{rest}{more}"

    made = tools.declaration(weather)
    assert made.name == "weather"
    assert made.description == "Tells the weather.\n\nIn words."
    assert made.parameters_json_schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 1},
            "unit": {"anyOf": [{"type": "string", "enum": ["c", "f"]}, {"type": "null"}]},
        },
        "required": ["city"],
    }


def test_the_marks_of_a_typed_dict_say_what_is_required() -> None:
    def move(to: Marked) -> None: ...

    schema = tools.declaration(move).parameters_json_schema
    assert schema["properties"]["to"] == {
        "type": "object",
        "properties": {"left": {"type": "integer"}, "right": {"type": "string"}},
        "required": ["left"],
    }


def test_a_function_without_parameters_has_no_schema_and_without_docstring_no_description() -> None:
    def now() -> str:
        return ""

    made = tools.declaration(now)
    assert made.parameters_json_schema is None
    assert made.description is None


def test_parameters_with_defaults_are_not_required() -> None:
    def paint(colour: Colour = Colour.RED, anything: Any = object()) -> None:  # noqa: B008
        """Paints."""

    schema = tools.declaration(paint).parameters_json_schema
    assert "required" not in schema
    assert schema["properties"] == {"colour": {"type": "string", "enum": ["red", "blue"], "default": "red"}, "anything": {}}


def test_a_method_has_no_self_and_a_decorated_function_keeps_its_signature() -> None:
    class Lamp:
        def switch(self, on: bool) -> None:
            """Switches."""

    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    for function in (Lamp().switch, logged(Lamp().switch)):
        assert tools.declaration(function).parameters_json_schema == {
            "type": "object",
            "properties": {"on": {"type": "boolean"}},
            "required": ["on"],
        }


def test_a_pydantic_model_brings_its_own_schema_and_definitions_to_the_root() -> None:
    def store(outer: Outer) -> None:
        """Stores."""

    schema = tools.declaration(store).parameters_json_schema
    assert schema["properties"]["outer"]["properties"]["inner"] == {"$ref": "#/$defs/Inner"}
    assert schema["$defs"]["Inner"]["properties"]["x"]["type"] == "integer"


def unannotated(a) -> None:  # type: ignore[no-untyped-def]
    pass


def unsayable(a: complex) -> None:
    pass


def wrong_keys(a: dict[int, str]) -> None:
    pass


def lost(a: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda a: a, "a tool needs a function with a name"),
        (unannotated, "the parameter 'a' of 'unannotated' has no annotation; write for example a: str"),
        (unsayable, "the parameter 'a' of 'unsayable' is a complex, which JSON cannot say"),
        (wrong_keys, "the parameter 'a' of 'wrong_keys' is a dict whose keys are not str"),
        (lost, "an annotation of 'lost' names something that does not exist"),
        (print, "'print'"),  # which shows its parameters since Python 3.11, without annotations
    ],
)
def test_what_cannot_be_declared_is_refused_with_the_reason(function: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tools.declaration(function)
    assert words in str(caught.value)
