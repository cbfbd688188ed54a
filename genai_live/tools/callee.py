"""A function, understood: its declaration for the model, and its arguments from a call. Pure: runs on any thread."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genai_live._extras import installing
from genai_live.errors import ConfigError, ToolError
from genai_live.tools import docstrings
from genai_live.tools.fit import Unfit, must_be
from genai_live.tools.kinds import Form, Forms, said_default
from genai_live.tools.marks import Marks, marks_of
from genai_live.tools.notes import notes_in
from genai_live.tools.signatures import Signature, innermost, signature_of
from genai_live.types import FunctionCall, FunctionDeclaration

_log = logging.getLogger("genai_live")


class Parameter(NamedTuple):
    """One parameter that the model may set."""

    name: str
    form: Form
    required: bool
    by_place: bool
    """True for one that cannot be passed by name."""
    fill: Callable[[], Any] | None
    """Makes the value of a call that leaves it out, where Python would not: the default of a pydantic.Field."""


class Bound(NamedTuple):
    """Arguments, as Python passes them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Callee:
    """A function that a model may call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.marks: Marks = marks_of(function)
        signature = signature_of(function)
        self.name = signature.name
        self.context = signature.context
        text = docstrings.read(_docstring(function, signature.function))
        if text.unread:
            _log.warning(
                "the texts of the parameters of %s stay in its description; to have each told with its parameter: %s",
                self.name,
                installing("tools"),
            )
        forms = Forms()
        try:
            self.parameters = [_parameter(forms, each, signature, text.parameters) for each in signature.parameters]
        except RecursionError:
            words = f"a type in the annotations of {self.name!r} contains itself without end; pass a FunctionDeclaration"
            raise ConfigError(words) from None
        self.declaration = FunctionDeclaration(
            name=self.name,
            description=text.description,
            parameters_json_schema=self._schema(forms) if self.parameters else None,
            behavior=self.marks.behavior,
        )

    @property
    def gives_updates(self) -> bool:
        """True for a generator: each of its yields is an answer before the last one."""
        inner = innermost(self.function)
        return inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)

    def _schema(self, forms: Forms) -> dict[str, Any]:
        properties = {each.name: each.form.schema for each in self.parameters}
        required = [each.name for each in self.parameters if each.required]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        definitions = {"$defs": forms.definitions} if forms.definitions else {}
        return {**schema, **({"required": required} if required else {}), **definitions}

    def values(self, args: Any) -> dict[str, Any]:
        """The Python values of a call's arguments, by name; what the call leaves out is left out, but for a Field's default.

        Raises:
            ToolError: they do not fit; its sentence says which, and is for the model.
        """
        given = _given(args)
        by_name = {each.name: each for each in self.parameters}
        unknown = next((name for name in given if name not in by_name), None)
        if unknown is not None:
            takes = f"its arguments are {', '.join(by_name)}" if by_name else "it takes none"
            raise ToolError(f"{self.name} has no argument {unknown!r}; {takes}.")
        missing = [each.name for each in self.parameters if each.required and each.name not in given]
        if missing:
            raise ToolError(f"{self.name} needs {', '.join(missing)}.")
        values: dict[str, Any] = {}
        for name, parameter in by_name.items():
            if name in given:
                self._put(values, parameter, given[name])
            elif parameter.fill is not None:
                values[name] = parameter.fill()
        return values

    def _put(self, values: dict[str, Any], parameter: Parameter, value: Any) -> None:
        try:
            values[parameter.name] = parameter.form.make(value)
        except Unfit as failure:
            if value is not None or parameter.required:
                raise ToolError(f"{failure.sentence(parameter.name)}.") from failure
            if parameter.fill is not None:  # null for what has a default means the default, to some models
                values[parameter.name] = parameter.fill()

    def bound(self, values: Mapping[str, Any], context: Any) -> Bound:
        """The values as Python passes them, with the context where the function takes it."""
        kwargs = {**values, **({self.context: context} if self.context is not None else {})}
        places: list[Any] = []
        for each in self.parameters:
            if not each.by_place:
                break
            if each.name not in kwargs:  # what follows cannot be passed without it, and has a default too
                break
            places.append(kwargs.pop(each.name))
        for each in self.parameters:
            if each.by_place:
                kwargs.pop(each.name, None)
        return Bound(tuple(places), kwargs)


def _parameter(forms: Forms, found: inspect.Parameter, signature: Signature, texts: Mapping[str, str]) -> Parameter:
    where = f"the parameter {found.name!r} of {signature.name!r}"
    form = forms.of(signature.hints[found.name], where)
    required, default, fill = found.default is found.empty, found.default, None
    if type(default).__name__ == "FieldInfo":  # style: str = Field(default="short", description="...")
        notes, inner = notes_in([default]), form
        form = Form(notes.on(form.schema), lambda value: notes.check(inner.make(value)))
        required, default = default.is_required(), default.get_default(call_default_factory=True)
        fill = None if required else found.default.get_default
    described = {"description": texts[found.name]} if found.name in texts else {}
    schema = {**described, **form.schema, **({} if required else said_default(default))}
    return Parameter(found.name, Form(schema, form.make), required, found.kind is found.POSITIONAL_ONLY, _filled(fill))


def _filled(fill: Callable[..., Any] | None) -> Callable[[], Any] | None:
    return None if fill is None else lambda: fill(call_default_factory=True)


def _docstring(function: Any, inner: Any) -> str | None:
    """The docstring of a function; an object's own is that of its ``__call__``, or of its class."""
    found = getattr(inner, "__doc__", None)
    if not found and not inspect.isroutine(function) and not inspect.isclass(inner):
        found = type(function).__doc__
    return found if isinstance(found, str) else None


def _given(args: Any) -> Mapping[str, Any]:
    if isinstance(args, str):  # seen of some models: the object as text
        try:
            args = json.loads(args)
        except (ValueError, RecursionError):
            raise ToolError("The arguments must be an object.") from None
    if args is None:
        return {}
    if not isinstance(args, Mapping):
        raise ToolError(f"{Unfit(must_be('an object', args).words).sentence('The arguments')}.")
    return args


def declaration(function: Callable[..., Any]) -> FunctionDeclaration:
    """The declaration of a function: its name, its docstring, and a JSON schema of its parameters made from their annotations.

    ``Optional[X]`` is X or null, a parameter with a default is not required, ``Annotated[X, "text"]`` and ``Field`` describe it,
    the texts of a docstring's parameters go to them (extra ``tools``), ``*args`` and ``**kwargs`` are left out, and so is what a
    partial binds and a parameter of type ToolContext.

    Raises:
        ConfigError: no name, a parameter without annotation, or one whose type JSON cannot say.
    """
    return Callee(function).declaration


def arguments(function: Callable[..., Any], call: FunctionCall) -> dict[str, Any]:
    """The arguments of a call as the function's annotations say, by name: ``function(**arguments(function, call))``.

    Raises:
        ToolError: they do not fit; the sentence says which, and may be sent to the model as ``{"error": str(error)}``.
        ConfigError: as ``declaration``.
    """
    return Callee(function).values(call.args)
