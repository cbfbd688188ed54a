"""Which parameters a callable has, whatever it is: a function, a method, an object, a partial, a wrapped one. Pure.

What a partial binds, and the parameter that gets the ToolContext, is not the model's affair.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genai_live.errors import ConfigError
from genai_live.tools.marks import ToolContext, marks_of

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Signature(NamedTuple):
    """A callable, as far as Python knows it."""

    name: str
    function: Callable[..., Any]
    """The function inside, which has the annotations and the docstring."""
    parameters: list[inspect.Parameter]
    hints: Mapping[str, Any]
    context: str | None
    """The parameter that gets the ToolContext."""


def signature_of(function: Callable[..., Any]) -> Signature:
    """Looks at a callable.

    Raises:
        ConfigError: no name, no parameters to be seen, an annotation that is missing or leads nowhere.
    """
    inner = innermost(function)
    name = marks_of(function).name or _name_of(function, inner)
    parameters = _parameters(function, name)
    of_context = [each.name for each in parameters if _is_context(each.annotation)]
    _check_contexts([each for each in parameters if each.name in of_context], name)
    told = [each for each in parameters if each.name not in of_context and each.kind not in _VARIABLE]
    if not told and not of_context and any(each.kind in _VARIABLE for each in parameters):
        raise ConfigError(
            f"the function {name!r} takes only *args and **kwargs, so its arguments are unknown; put functools.wraps on its"
            " decorator, or pass a FunctionDeclaration"
        )
    return Signature(name, inner, told, _hints(inner, told, name), of_context[0] if of_context else None)


def innermost(function: Any) -> Any:
    """The function that annotations and docstring belong to."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif inspect.isroutine(function) or inspect.isclass(function):
            return getattr(function, "__func__", function)
        elif callable(function):
            function = type(function).__call__
        else:
            return function


def _name_of(function: Any, inner: Any) -> str:
    if not callable(function):
        raise ConfigError(f"a tool is a function, not {type(function).__name__}")
    while isinstance(function, functools.partial):
        function = function.func
    named = getattr(function, "__name__", None)
    if named is None and not inspect.isroutine(function):
        named = type(function).__name__
    if not isinstance(named, str) or named == "<lambda>":
        raise ConfigError("a tool needs a function with a name; use def, @tool(name=...), or pass a FunctionDeclaration")
    return named


def _parameters(function: Any, name: str) -> list[inspect.Parameter]:
    if isinstance(function, functools.partial):
        found = _parameters(function.func, name)
        bound = len(function.args)
        by_place = [each.name for each in found if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)][:bound]
        return [each for each in found if each.name not in by_place and each.name not in function.keywords]
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        raise ConfigError(f"the function {name!r} does not show its parameters; pass a FunctionDeclaration") from None


_names_context = re.compile(r"(?:^|[\w.]\.|[\[|\s])ToolContext(?:$|[\]|\s])").search


def _is_context(annotation: Any) -> bool:
    """True for ToolContext, and for its name in an annotation that is text: it may be imported for type checkers alone."""
    if isinstance(annotation, str):
        return bool(_names_context(annotation.strip("'\"")))
    return annotation is ToolContext or ToolContext in typing.get_args(annotation)


def _check_contexts(parameters: list[inspect.Parameter], name: str) -> None:
    """Raises ConfigError for contexts that Python could not pass: the first one gets it, by its name."""
    for each in parameters[:1]:
        if each.kind is each.POSITIONAL_ONLY:
            raise ConfigError(f"the parameter {each.name!r} of {name!r} is passed by keyword, so it must stand after the '/'")
    for each in parameters[1:]:
        if each.default is each.empty:
            words = f"the parameters {parameters[0].name!r} and {each.name!r} of {name!r} are both of type ToolContext"
            raise ConfigError(f"{words}: leave one out")


def _hints(inner: Any, parameters: list[inspect.Parameter], name: str) -> dict[str, Any]:
    raw = {each.name: each.annotation for each in parameters if each.annotation is not each.empty}
    for each in parameters:
        if each.name not in raw:
            kind = type(each.default)
            if kind not in (str, int, float, bool):
                words = f"the parameter {each.name!r} of {name!r} has no annotation"
                raise ConfigError(f"{words}; write for example {each.name}: str")
            raw[each.name] = kind
    holder = type(name, (), {"__annotations__": raw, "__module__": getattr(inner, "__module__", None) or __name__})
    try:
        return typing.get_type_hints(holder, globalns=getattr(inner, "__globals__", None), include_extras=True)
    except NameError as error:
        raise ConfigError(f"an annotation of {name!r} names something that does not exist: {error}") from None
    except (SyntaxError, TypeError) as error:
        raise ConfigError(f"an annotation of {name!r} is not a type: {error}") from None
