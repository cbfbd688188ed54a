"""The public names of the library, one a line, with what one can call and read; ``python -m tests.public_names`` writes the list.

Public are the modules of the package without an underscore and what is in their ``__all__``; where they have none, what they
define. The command line is not among them: its own tests hold it.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

PACKAGE = Path(__file__).parent.parent / "genai_live"
LIST = Path(__file__).parent / "data" / "public_names.txt"

GIVEN = {"AudioStream", "AuthTokens", "LiveMusic", "MusicSession", "Received", "ReceivedMessage", "Session", "SessionControl"}
"""Classes whose objects a user is given and never makes: their constructors are the library's own business."""

SYNTAX = {
    "__add__",
    "__array__",
    "__bool__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__next__",
    "__radd__",
}
"""Methods of Python's own syntax that a class may have on purpose."""

Homes = Mapping[int, str]
"""id of a class or function -> the one name under which it is described."""


def lines() -> list[str]:
    """The list, by module and name."""
    modules = {name: importlib.import_module(name) for name in public_modules()}
    found = {module: dict(sorted(names_of(modules[module]))) for module in modules}
    homes: dict[int, str] = {}
    for module, names in found.items():
        for name, value in names.items():  # a public module that defines the name is its home, before one that only offers it
            if id(value) not in homes or getattr(value, "__module__", "") == module:
                homes[id(value)] = f"{module}.{name}"
    every = [(f"{module}.{name}", value) for module, names in found.items() for name, value in names.items()]
    return [line for name, value in every for line in told(name, value, homes)]


def public_modules() -> list[str]:
    """The package, and the modules and packages right below it."""
    names = (path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return ["genai_live", *sorted(f"genai_live.{name}" for name in names if not name.startswith("_") and name != "cli")]


def names_of(module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything that a module offers."""
    listed = getattr(module, "__all__", None)
    for name in defined_in(module) if listed is None else listed:
        value = getattr(module, name)
        if not isinstance(value, types.ModuleType):
            yield name, value
        elif value.__name__ != f"{module.__name__}.{name}":  # a module under another name, such as emulator.steps
            yield from ((f"{name}.{inner}", each) for inner, each in names_of(value))


def defined_in(module: types.ModuleType) -> Iterator[str]:
    """Names without underscore that the module's own text binds, imports left out."""
    for node in ast.parse(inspect.getsource(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        yield from (name for name in names if not name.startswith("_") and not isinstance(getattr(module, name), TypeVar))


def told(name: str, value: Any, homes: Homes) -> list[str]:
    """One line for a function or a constant; of a class one for each member too."""
    if isinstance(value, (type, types.FunctionType)) and homes[id(value)] != name:
        return [f"{name} is {homes[id(value)]}"]
    if isinstance(value, type):
        return [f"{name}{head(value, homes)}", *(f"{name}.{member}" for member in members(value, homes))]
    if isinstance(value, types.FunctionType):
        return [f"{name}{signature(value)}"]
    if isinstance(value, (str, int, float)):
        return [f"{name} = {value!r}"]
    return [f"{name}: {type(value).__name__}" if type(value).__module__ == "builtins" else name]


def kin(cls: type, homes: Homes) -> list[type]:
    """The class, and those bases of the library that are described nowhere else, nor are bases of one that is."""
    described = {each for base in cls.__mro__[1:] if id(base) in homes for each in base.__mro__}
    return [base for base in cls.__mro__ if base.__module__.startswith("genai_live") and (base is cls or base not in described)]


def head(cls: type, homes: Homes) -> str:
    """The bases that a user knows, and what making an object takes."""
    bases = [base.__name__ for base in cls.__bases__ if base is not object and base not in kin(cls, homes)]
    makers = [vars(base)["__init__"] for base in kin(cls, homes) if "__init__" in vars(base)]
    is_made = makers and cls.__name__ not in GIVEN and not getattr(cls, "_is_protocol", False)
    words = f" made by {signature(makers[0])}" if is_made else ""
    return (f"({', '.join(bases)})" if bases else "") + words


def members(cls: type, homes: Homes) -> list[str]:
    """What the class and its objects offer, Python's own and what is described at a base left out."""
    found: dict[str, str] = {}
    for base in reversed(kin(cls, homes)):
        hints = inspect.get_annotations(base)
        found |= {name: shape(member) for name, member in {**vars(base), **getattr(base, "__members__", {})}.items()}
        found |= {name: f": {getattr(hint, '__forward_arg__', hint)}" for name, hint in hints.items()}
    return sorted(name + what for name, what in found.items() if not name.startswith("_") or name in SYNTAX)


def shape(member: Any) -> str:
    """What follows a member's name."""
    if isinstance(member, property):
        return f": {inspect.signature(member.fget).return_annotation}" if member.fget else ""
    if isinstance(member, (classmethod, staticmethod)):
        return signature(member.__func__)
    if inspect.isfunction(member):
        return signature(member)
    return f" = {plain(member)}" if isinstance(member, (bool, int, float, str)) else ""


def signature(function: Any) -> str:
    """Arguments and what comes back, annotations as they are written."""
    whole = inspect.signature(function)
    names: list[str] = []
    for each in whole.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not any(name.startswith("*") for name in names):
            names.append("*")
        star = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        hint = "" if each.annotation is each.empty else f": {each.annotation}"
        default = "" if each.default is each.empty else f" = {plain(each.default)}"
        names.append(star + each.name + hint + default)
    back = "" if whole.return_annotation in (whole.empty, None, "None") else f" -> {whole.return_annotation}"
    return f"({', '.join(names)}){back}"


def plain(value: Any) -> str:
    """A value as text that is the same in every run, and in every Python."""
    value = value.value if isinstance(value, enum.Enum) else value
    return repr(value) if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)) else "..."


if __name__ == "__main__":
    LIST.write_text("\n".join(lines()) + "\n", encoding="utf-8")
