"""What the model sends becomes what the annotation says, at every depth; what does not fit is refused in one sentence."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar

import annotated_types
import pydantic
import pytest
import typing_extensions

from genai_live import tools
from genai_live._extras import installing
from genai_live.errors import ConfigError, ToolError
from genai_live.tools import ToolContext, arguments, declaration, tool
from genai_live.tools.callee import Callee
from genai_live.types import FunctionCall
from tests.calling_service import calling
from tests.naming import named
from tests.waiting import PATIENCE

T = TypeVar("T")
City = NewType("City", str)


class Unit(enum.Enum):
    CELSIUS = "C"
    KELVIN = "K"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Days(enum.Flag):
    SATURDAY = 1
    SUNDAY = 2


class Opaque(enum.Enum):
    THIS = object()
    THAT = object()


@dataclasses.dataclass
class Booking:
    """A stay.

    Attributes:
        when: Arrival.
    """

    when: datetime.datetime
    unit: Unit | None = None
    prices: dict[str, decimal.Decimal] = dataclasses.field(default_factory=dict)
    kind: ClassVar[str] = "stay"
    made: int = dataclasses.field(init=False, default=7)
    seed: dataclasses.InitVar[int] = 0


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@dataclasses.dataclass
class Node:
    name: str
    children: list[Node] = dataclasses.field(default_factory=list)


Forest = pydantic.create_model(
    "Forest",
    trees=(list[pydantic.create_model("Tree", height=(int, ...))], ...),  # type: ignore[misc]
)


@dataclasses.dataclass
class Tree:
    forest: Forest | None = None  # type: ignore[valid-type]
    branches: list[Tree] = dataclasses.field(default_factory=list)


class Point(NamedTuple):
    x: int
    y: int = 0


class Span(typing_extensions.NamedTuple, Generic[T]):
    begin: T
    end: T


class Pair(TypedDict, total=False):
    left: typing_extensions.Required[uuid.UUID]
    right: int


class Options(pydantic.BaseModel):
    day: datetime.date
    detail: bool = False


class Code(str):
    """A code."""


Json = typing_extensions.TypeAliasType("Json", "dict[str, Json] | list[Json] | int | None")
Both = typing_extensions.TypeAliasType("Both", tuple[T, T], type_params=(T,))

ID = uuid.UUID(int=5)
NOON = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.timezone.utc)

VALUES: list[tuple[Any, Any, Any]] = [
    (int, 5.0, 5),
    (int, "5", 5),
    (float, 5, 5.0),
    (bool, "true", True),
    (Any, {"a": 1}, {"a": 1}),
    (datetime.datetime, "2026-05-01T12:00:00Z", NOON),
    (datetime.datetime, "2026-05-01T12:00:00.5+00:00", NOON + datetime.timedelta(seconds=0.5)),
    (datetime.date, "2026-05-01", datetime.date(2026, 5, 1)),
    (datetime.time, "09:30", datetime.time(9, 30)),
    (datetime.timedelta, "PT1H30M", datetime.timedelta(hours=1.5)),
    (datetime.timedelta, "P2DT3S", datetime.timedelta(days=2, seconds=3)),
    (datetime.timedelta, 90, datetime.timedelta(seconds=90)),
    (uuid.UUID, str(ID), ID),
    (decimal.Decimal, 19.99, decimal.Decimal("19.99")),
    (decimal.Decimal, "0.10", decimal.Decimal("0.10")),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (bytes, "aGk=", b"hi"),
    (bytes, "_-8=", b"\xff\xef"),
    (bytes, "aGk", b"hi"),
    (Unit, "C", Unit.CELSIUS),
    (Level, 2.0, Level.HIGH),
    (Days, 3, Days.SATURDAY | Days.SUNDAY),
    (Opaque, "THAT", Opaque.THAT),
    (Literal["a", None, Unit.KELVIN], "K", Unit.KELVIN),
    (Unit | None, None, None),
    (Optional[Unit], "K", Unit.KELVIN),  # noqa: UP045 - the older form
    (int | str, "5", "5"),
    (int | str, 5, 5),
    (float | None, 5, 5.0),
    (datetime.date | str, "May", "May"),
    (list[Unit], ["C", "K"], [Unit.CELSIUS, Unit.KELVIN]),
    (Sequence[uuid.UUID], [str(ID)], [ID]),
    (set[int], [1, 2.0], {1, 2}),
    (frozenset[str], ["a"], frozenset({"a"})),
    (collections.deque[int], [1], collections.deque([1])),
    (tuple[int], [1], (1,)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (tuple[()], [], ()),
    (dict[str, decimal.Decimal], {"a": 1.5}, {"a": decimal.Decimal("1.5")}),
    (dict[Literal["a", "b"], int], {"b": 1}, {"b": 1}),
    (dict[Unit, int], {"C": 1}, {Unit.CELSIUS: 1}),
    (Mapping[uuid.UUID, int], {str(ID): 1}, {ID: 1}),
    (collections.defaultdict[str, int], {"a": 1}, {"a": 1}),
    (City, "Rome", "Rome"),
    (Code, "x", Code("x")),
    (Json, {"a": [1, None]}, {"a": [1, None]}),
    (list[Both[datetime.date]], [["2026-05-01", "2026-05-02"]], [(datetime.date(2026, 5, 1), datetime.date(2026, 5, 2))]),
    (Point, {"x": 1}, Point(1)),
    (Point, [1, 2], Point(1, 2)),
    (Pair, {"left": str(ID)}, {"left": ID}),
    (Box[Unit], {"content": "C"}, Box(Unit.CELSIUS)),
    (Span[Unit], {"begin": "C", "end": "K"}, Span(Unit.CELSIUS, Unit.KELVIN)),
    (Node, {"name": "a", "children": [{"name": "b"}]}, Node("a", [Node("b")])),
    (Options, {"day": "2026-05-01"}, Options(day=datetime.date(2026, 5, 1))),
    (list[Options] | None, [{"day": "2026-05-01"}], [Options(day=datetime.date(2026, 5, 1))]),
    (Annotated[int, pydantic.AfterValidator(lambda value: value + 1)], 1, 2),
    (Annotated[str, pydantic.Field(min_length=1)], "a", "a"),
    (
        list[Booking],
        [{"when": "2026-05-01T12:00:00Z", "unit": "K", "prices": {"night": 99.5}}],
        [Booking(NOON, Unit.KELVIN, {"night": decimal.Decimal("99.5")})],
    ),
]


def taking(annotation: Any) -> Callable[..., Any]:
    def function(a: Any) -> None: ...

    function.__annotations__ = {"a": annotation}
    return function


def made(annotation: Any, value: Any) -> Any:
    return arguments(taking(annotation), FunctionCall(name="function", args={"a": value}))["a"]


@pytest.mark.parametrize(("annotation", "value", "expected"), VALUES, ids=named)
def test_what_the_model_sends_becomes_what_the_annotation_says(annotation: Any, value: Any, expected: Any) -> None:
    found = made(annotation, value)
    assert found == expected
    assert type(found) is type(expected) or isinstance(found, collections.defaultdict)


@pytest.mark.parametrize(("annotation", "words"), [
    (int, "a must be a whole number, not 5.5."),
    (list[Unit], "a must be a list, not 5.5."),
    (Unit, 'a must be one of "C", "K", not 5.5.'),
    (datetime.date, "a must be text, not 5.5."),
    (tuple[int], "a must be a list, not 5.5."),
    (Booking, "a must be an object, not 5.5."),
    (Unit | None, 'a must be one of "C", "K", not 5.5.'),
    (Annotated[float, annotated_types.Interval(ge=1, lt=5)], "a must be below 5, not 5.5."),
    (Annotated[float | None, pydantic.Field(le=5)], "a must be 5 or below, not 5.5."),
    (Annotated[float, annotated_types.MultipleOf(2)], "a must be a multiple of 2, not 5.5."),
])  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_sentence(annotation: Any, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        made(annotation, 5.5)
    assert str(caught.value) == words


@pytest.mark.parametrize(("annotation", "value", "words"), [
    (list[Booking], [{"when": "May"}], 'a[0].when must be a date and time such as "2026-05-01T09:30:00Z", not \'May\'.'),
    (Booking, {}, "a lacks when."),
    (Booking, {"when": "2026-05-01T12:00:00", "nights": 1}, "a has no 'nights'; it takes when, unit, prices, seed."),
    (tuple[int], [1, 2], "a must be a list of exactly 1, not [1, 2]."),
    (dict[str, list[int]], {"x": [1, "b"]}, "a['x'][1] must be a whole number, not 'b'."),
    (Annotated[str, pydantic.Field(pattern="^[A-Z]+$")], "lh1", "a must match ^[A-Z]+$, not 'lh1'."),
    (Annotated[list[int], annotated_types.MaxLen(1)], [1, 2], "a must have a length of 1 or less, not [1, 2]."),
    (Days, 4, "a must be a sum of 1, 2, not 4."),
    (bytes, "?", "a must be base64, not '?'."),
    (re.Pattern, "(", "a must be a regular expression, not '('."),
    (
        Json, {"a": ["b"]},
        "a['a'][0] fits none of its types: it must be an object, not 'b', or it must be a list, not 'b', or it must be a whole"
        " number, not 'b'.",
    ),
    (
        Node | Booking, {"name": 5},
        "a fits none of its types: its name must be text, not 5, or it has no 'name'; it takes when, unit, prices, seed.",
    ),
])  # fmt: skip
def test_the_sentence_says_where_it_does_not_fit(annotation: Any, value: Any, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        made(annotation, value)
    assert str(caught.value) == words


def test_what_pydantic_refuses_is_said_in_its_words() -> None:
    with pytest.raises(ToolError, match=r"^a\.day is refused: "):
        made(Options, {"day": "May"})


def test_limits_and_texts_reach_the_schema() -> None:
    def forecast(
        city: Annotated[str, pydantic.Field(description="Its name", max_length=40)],
        days: Annotated[int, annotated_types.Ge(1), annotated_types.Le(14), typing_extensions.Doc("How many")] = 3,
        style: str = pydantic.Field(default="short", description="short or long"),
    ) -> None: ...

    assert declaration(forecast).parameters_json_schema["properties"] == {
        "city": {"type": "string", "maxLength": 40, "description": "Its name"},
        "days": {"type": "integer", "minimum": 1, "maximum": 14, "description": "How many", "default": 3},
        "style": {"type": "string", "description": "short or long", "default": "short"},
    }
    assert arguments(forecast, FunctionCall(name="forecast", args={"city": "Rome"})) == {"city": "Rome", "style": "short"}


GOOGLE = """Forecasts.

    Of a place.

    Args:
        city: The city's name,
            in English.
        days (int): How many.

    Returns:
        A text.
    """
SPHINX = """Forecasts.

    Of a place.

    :param city: The city's name,
        in English.
    :param int days: How many.
    :returns: A text.
    """
NUMPY = """Forecasts.

    Of a place.

    Parameters
    ----------
    city : str
        The city's name,
        in English.
    days : int
        How many.

    Returns
    -------
    str
        A text.
    """


@pytest.mark.parametrize("text", [GOOGLE, SPHINX, NUMPY], ids=["Google", "Sphinx", "NumPy"])
def test_the_texts_of_a_docstrings_parameters_go_to_them(text: str) -> None:
    def forecast(city: str, days: Annotated[int, "from the annotation"] = 1) -> None: ...

    forecast.__doc__ = text
    said = declaration(forecast)
    assert said.description == "Forecasts.\n\nOf a place.\n\nReturns: A text."
    properties = said.parameters_json_schema["properties"]
    assert properties["city"]["description"] == "The city's name, in English."
    assert properties["days"]["description"] == "from the annotation"


def test_without_the_parser_the_texts_stay_in_the_description_and_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forecast(city: str) -> None: ...

    forecast.__doc__ = GOOGLE
    monkeypatch.setitem(sys.modules, "docstring_parser", None)
    said = declaration(forecast)
    assert "The city's name" in str(said.description)
    assert [record.getMessage() for record in caplog.records] == [
        "the texts of the parameters of forecast stay in its description; to have each told with its parameter: "
        + installing("tools")
    ]


def test_two_classes_of_one_name_stay_two() -> None:
    def billing() -> Any:
        class Item(pydantic.BaseModel):
            price: float

        return pydantic.create_model("Order", items=(list[Item], ...))

    def shipping() -> Any:
        class Item(pydantic.BaseModel):
            weight: int

        return pydantic.create_model("Parcel", items=(list[Item], ...))

    def ship(order: Any, parcel: Any) -> None: ...

    ship.__annotations__ = {"order": billing(), "parcel": shipping()}
    schema = declaration(ship).parameters_json_schema
    places = [schema["properties"][name]["properties"]["items"]["items"]["$ref"] for name in ("order", "parcel")]
    found = [list(schema["$defs"][place.rpartition("/")[2]]["properties"]) for place in places]
    assert found == [["price"], ["weight"]]


def test_a_class_inside_one_of_its_name_stays_another() -> None:
    schema = declaration(taking(Tree)).parameters_json_schema
    inner = schema["$defs"]["Tree"]["properties"]["forest"]["anyOf"][0]["properties"]["trees"]["items"]["$ref"]
    assert list(schema["$defs"][inner.rpartition("/")[2]]["properties"]) == ["height"]
    assert made(Tree, {"forest": {"trees": [{"height": 3}]}}) == Tree(Forest.model_validate({"trees": [{"height": 3}]}))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), object()], ids=named)
def test_a_default_that_json_cannot_say_is_not_said(value: Any) -> None:
    def look(far: float = value) -> None: ...

    assert declaration(look).parameters_json_schema == {"type": "object", "properties": {"far": {"type": "number"}}}


def test_a_class_that_contains_itself_is_referred_to() -> None:
    schema = declaration(taking(Node)).parameters_json_schema
    assert schema["properties"]["a"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_fields_have_their_defaults_and_texts_and_what_is_no_field_is_none() -> None:
    schema = declaration(taking(Booking)).parameters_json_schema["properties"]["a"]
    assert list(schema["properties"]) == ["when", "unit", "prices", "seed"]
    assert schema["required"] == ["when"]
    assert schema["description"] == "A stay."
    assert schema["properties"]["when"]["description"] == "Arrival."
    assert schema["properties"]["seed"]["default"] == 0


# Callables of every kind.


class Lamp:
    """A lamp."""

    def switch(self, on: bool) -> bool:
        """Switches."""
        return on

    def __call__(self, on: bool) -> bool:
        """Is called."""
        return on


def kept(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def lost(function: Any) -> Any:
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def dim(level: int, on: bool) -> bool:
    """Dims."""
    return on


async def later(on: bool) -> bool:
    """Later."""
    return on


def given(on: bool, /) -> bool:
    """Given."""
    return on


def bit_by_bit(on: bool) -> Iterator[bool]:
    """Bit by bit."""
    yield on


CALLABLES: list[tuple[Any, str, str]] = [
    (Lamp().switch, "switch", "Switches."),
    (Lamp(), "Lamp", "Is called."),
    (kept(Lamp().switch), "switch", "Switches."),
    (functools.partial(dim, 3), "dim", "Dims."),
    (functools.partial(dim, level=3), "dim", "Dims."),
    (functools.update_wrapper(functools.partial(dim, level=3), dim), "dim", "Dims."),
    (functools.partial(kept(dim), 3), "dim", "Dims."),
    (functools.lru_cache(Lamp().switch), "switch", "Switches."),
    (later, "later", "Later."),
    (given, "given", "Given."),
    (bit_by_bit, "bit_by_bit", "Bit by bit."),
    (tool(name="light.on")(kept(Lamp().switch)), "light.on", "Switches."),
    (functools.partial(tool(name="dimmed")(kept(dim)), 3), "dimmed", "Dims."),
]


@pytest.mark.parametrize(("function", "name", "text"), CALLABLES, ids=[str(row[1:]) for row in CALLABLES])
def test_a_callable_of_any_kind_is_declared_by_what_the_model_may_set(function: Any, name: str, text: str) -> None:
    said = declaration(function)
    assert (said.name, said.description) == (name, text)
    assert said.parameters_json_schema == {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
    assert arguments(function, FunctionCall(name=name, args={"on": True})) == {"on": True}


class Desk:
    @tool(name="ring", approve=True)
    @staticmethod
    def ring(on: bool) -> bool:
        """Rings."""
        return on

    @staticmethod
    @tool(name="knock", approve=True)
    def knock(on: bool) -> bool:
        """Knocks."""
        return on

    @tool(name="call", approve=True)
    @classmethod
    def call(cls, on: bool) -> bool:
        """Calls."""
        return on


@pytest.mark.parametrize("desk", [Desk, Desk()], ids=["class", "object"])
@pytest.mark.parametrize("name", ["ring", "knock", "call"])
def test_a_mark_reaches_the_function_in_a_static_or_class_method(desk: Any, name: str) -> None:
    callee = Callee(getattr(desk, name))
    assert (callee.name, callee.marks.approve) == (name, True)


def test_bound_methods_have_marks_of_their_own() -> None:
    left, right = (tool(name=name, sequential=True)(Lamp().switch) for name in ("left", "right"))
    assert [declaration(each).name for each in (left, right, Lamp().switch)] == ["left", "right", "switch"]
    assert left(True) is True
    assert Callee(left).marks.sequential


def test_contexts_that_python_could_not_pass_are_refused() -> None:
    def by_place(context: ToolContext, /, city: str) -> None: ...

    def two(context: ToolContext, city: str, other: ToolContext) -> None: ...

    with pytest.raises(ConfigError, match="'context' of 'by_place' is passed by keyword, so it must stand after the '/'"):
        declaration(by_place)
    with pytest.raises(ConfigError, match="'context' and 'other' of 'two' are both of type ToolContext"):
        declaration(two)


def test_a_choice_that_json_cannot_say_is_refused() -> None:
    with pytest.raises(ConfigError, match="is a Literal of b'a', which JSON cannot say"):
        declaration(taking(Literal[b"a"]))


def test_a_number_that_no_float_holds_does_not_fit() -> None:
    with pytest.raises(ToolError, match="a must be a number, not 1000"):
        made(float, 10**400)


def test_what_nobody_can_tell_the_arguments_of_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"'inner' takes only \*args and \*\*kwargs.* functools\.wraps"):
        declaration(lost(dim))


def test_the_parameter_of_the_context_is_not_told() -> None:
    def look(context: ToolContext, city: str, other: ToolContext | None = None) -> None: ...

    assert list(declaration(look).parameters_json_schema["properties"]) == ["city"]


def test_null_for_a_parameter_with_a_default_means_the_default() -> None:
    def look(city: str, days: int = 3) -> None: ...

    assert arguments(look, FunctionCall(name="look", args={"city": "Rome", "days": None})) == {"city": "Rome"}


@pytest.mark.parametrize("settings", [
    {"timeout": 0}, {"behavior": "LATER"}, {"scheduling": "SOON"}, {"approve": 1}, {"name": 5},
])  # fmt: skip
def test_a_mark_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        tool(**settings)


def test_a_mark_without_parentheses_is_refused_and_a_marked_function_is_called_as_before() -> None:
    with pytest.raises(ConfigError, match=r"@tool\(\)"):
        tool(dim)  # type: ignore[arg-type]
    assert tools.tool()(dim) is dim


# MCP.


def mcp_tool(module: str, field: str) -> Any:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    made = type("Tool", (), {"__module__": module})()
    made.name, made.description = "weather", "Tells the weather."
    setattr(made, field, schema)
    return made


@pytest.mark.parametrize(("module", "field"), [("mcp.types", "inputSchema"), ("mcp_types._types", "input_schema")])
def test_a_tool_object_of_either_release_of_mcp_is_a_declaration_for_the_caller_to_answer(module: str, field: str) -> None:
    with calling(mcp_tool(module, field), dim) as (service, session):
        (declared,) = service.setups[0]["tools"]
        assert declared["functionDeclarations"][0] == {
            "name": "weather",
            "description": "Tells the weather.",
            "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
        session.send_text("go")
        service.call(("c", "weather", {"city": "Rome"}))
        assert session.collect(timeout=PATIENCE).tool_calls[0].name == "weather"
