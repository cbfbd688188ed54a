"""Python functions as tools: a function's signature and docstring become its declaration. Pure: runs on any thread."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import inspect
import json
import types as python_types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from genai_live.errors import ConfigError
from genai_live.types import FunctionDeclaration

_SCALAR_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_LISTS = (
    list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection, collections.abc.Set,
)  # fmt: skip
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_TYPED_DICT_MARKS = ("Required", "NotRequired", "ReadOnly")
"""What may stand around the type of a TypedDict's field; by name, because typing_extensions has its own before Python 3.13."""
_ACCEPTED = (
    "str, int, float, bool, None, lists, dicts with str keys, Literal, Enum, unions, dataclasses, TypedDicts, pydantic models"
)


def declaration(function: Callable[..., Any]) -> FunctionDeclaration:
    """The declaration of a function: its name, its docstring, and a JSON schema of its parameters made from their annotations.

    ``Optional[X]`` is X or null, a parameter with a default is not required, ``Annotated[X, "text"]`` describes it, ``*args`` and
    ``**kwargs`` are left out.

    Raises:
        ConfigError: no name, an async function, a parameter without annotation, or one whose type JSON cannot say.
    """
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise ConfigError("a tool needs a function with a name; use def, or pass a FunctionDeclaration")
    if inspect.iscoroutinefunction(function):
        raise ConfigError(f"the function {name!r} is async; this library calls tools on threads, so make it a plain function")
    parameters = _parameters(function, name)
    return FunctionDeclaration(
        name=name,
        description=inspect.cleandoc(function.__doc__) if function.__doc__ else None,
        parameters_json_schema=_parameters_schema(function, name, parameters) if parameters else None,
    )


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        raise ConfigError(f"the function {name!r} does not show its parameters; pass a FunctionDeclaration") from None
    found = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for parameter in found:
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(f"the parameter {parameter.name!r} of {name!r} is positional-only, and a model passes names")
    return found


def _parameters_schema(function: Callable[..., Any], name: str, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(_plain(function), include_extras=True)
    except NameError as error:
        raise ConfigError(f"an annotation of {name!r} names something that does not exist: {error}") from None
    try:
        return _object_schema(parameters, hints, name)
    except RecursionError:
        words = f"a type in the annotations of {name!r} contains itself; pass a FunctionDeclaration with a schema of your own"
        raise ConfigError(words) from None


def _object_schema(parameters: list[inspect.Parameter], hints: dict[str, Any], name: str) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in hints:
            raise ConfigError(
                f"the parameter {parameter.name!r} of {name!r} has no annotation; write for example {parameter.name}: str"
            )
        where = f"the parameter {parameter.name!r} of {name!r}"
        properties[parameter.name] = {**_schema(hints[parameter.name], where, definitions), **_default(parameter)}
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, **({"required": required} if required else {}), **({"$defs": definitions} if definitions else {})}


def _plain(function: Any) -> Any:
    """What the annotations belong to: the function of a method, the wrapped one of a decorator that keeps its signature."""
    function = inspect.unwrap(function)
    if isinstance(function, functools.partial):
        return function.func
    return function


def _default(parameter: inspect.Parameter) -> dict[str, Any]:
    """A default that JSON can say. None is left out: it says no more than that the parameter is not required."""
    if parameter.default is parameter.empty or parameter.default is None:
        return {}
    value = parameter.default.value if isinstance(parameter.default, enum.Enum) else parameter.default
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    return {"default": value}


def _schema(hint: Any, where: str, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911
    """The JSON schema of an annotation; ``definitions`` collects what it refers to."""
    if hint is Any:
        return {}
    if hint is None or (isinstance(hint, type) and hint in _SCALAR_TYPES):
        return {"type": _SCALAR_TYPES[type(None) if hint is None else hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return {**_schema(arguments[0], where, definitions), **_description(arguments[1:])}
    if getattr(origin, "_name", None) in _TYPED_DICT_MARKS:
        return _schema(arguments[0], where, definitions)
    if origin is Literal:
        return _enum_schema(list(arguments))
    if origin is Union or origin is python_types.UnionType:
        return {"anyOf": [_schema(member, where, definitions) for member in arguments]}
    # Before Python 3.11 list[int] is an instance of type, but no class.
    if origin is None and isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum_schema([member.value for member in hint])
    container = _container_schema(origin or hint, arguments, where, definitions)
    if container is not None:
        return container
    record = _record_schema(hint, where, definitions)
    if record is not None:
        return record
    shown = getattr(hint, "__name__", None) or str(hint)
    raise ConfigError(f"{where} is a {shown}, which JSON cannot say; accepted are {_ACCEPTED}")


def _description(notes: tuple[Any, ...]) -> dict[str, str]:
    text = next((note for note in notes if isinstance(note, str)), None)
    return {} if text is None else {"description": text}


def _enum_schema(values: list[Any]) -> dict[str, Any]:
    kinds = {_SCALAR_TYPES.get(type(value)) for value in values}
    only = kinds.pop() if len(kinds) == 1 else None
    return {"type": only, "enum": values} if only else {"enum": values}


def _container_schema(kind: Any, arguments: tuple[Any, ...], where: str, definitions: dict[str, Any]) -> dict[str, Any] | None:
    if kind is tuple and len(arguments) > 1 and arguments[1] is not Ellipsis:
        items = [_schema(item, where, definitions) for item in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if kind is tuple or kind in _LISTS:
        return {"type": "array", **({"items": _schema(arguments[0], where, definitions)} if arguments else {})}
    if kind in _MAPPINGS:
        if arguments and arguments[0] is not str:
            raise ConfigError(f"{where} is a dict whose keys are not str, which JSON cannot say")
        return {"type": "object", **({"additionalProperties": _schema(arguments[1], where, definitions)} if arguments else {})}
    return None


def _record_schema(hint: Any, where: str, definitions: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a class with named fields: pydantic's own, or one made from a dataclass or a TypedDict."""
    if not isinstance(hint, type):
        return None
    if hasattr(hint, "model_json_schema"):
        schema: dict[str, Any] = dict(hint.model_json_schema())
        definitions.update(schema.pop("$defs", {}))
        return schema
    is_typed_dict = hasattr(hint, "__required_keys__")  # typing.is_typeddict does not know those of typing_extensions
    if not (dataclasses.is_dataclass(hint) or is_typed_dict):
        return None
    hints = typing.get_type_hints(hint, include_extras=True)
    if is_typed_dict:
        required = [name for name, item in hints.items() if _is_required(hint, name, item)]
    else:
        missing = dataclasses.MISSING
        required = [f.name for f in dataclasses.fields(hint) if f.default is missing and f.default_factory is missing]
    properties = {name: _schema(item, f"{where}, field {name!r},", definitions) for name, item in hints.items()}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_required(cls: Any, name: str, item: Any) -> bool:
    """Whether a TypedDict requires a key; the class itself does not see marks in annotations that are text."""
    mark = getattr(typing.get_origin(item), "_name", None)
    return mark == "Required" or (mark != "NotRequired" and name in cls.__required_keys__)
