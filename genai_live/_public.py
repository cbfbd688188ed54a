"""A module's public names: all that ``dir`` lists, and what is said of a name that is missing. Runs on any thread."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def public(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a module that has ``__all__``."""

    def find(name: str) -> Any:
        if name.startswith("_") or name in vars(builtins):  # asked for a module to be imported, and by dataclasses since 3.15
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise missing(sys.modules[module], name)

    def listed() -> list[str]:
        return list(sys.modules[module].__all__)

    return find, listed


def missing(owner: type | ModuleType, name: str) -> AttributeError:
    """The error for a name that a class, its objects or a module do not have; the table of foreign names is loaded now."""
    if name.startswith("__"):  # Python, copy and pickle ask many objects for such names, and mean no harm
        return AttributeError(f"{owner.__name__} has no {name!r}")
    from genai_live import _foreign_names

    return AttributeError(_foreign_names.missing(owner, name))


def misfit(function: Callable[..., Any], error: TypeError) -> TypeError:
    """The error for a call whose arguments do not fit, with the counterpart of an argument that another client has."""
    from genai_live import _foreign_names

    return _foreign_names.misfit(function, error)


def find(self: Any, name: str) -> Any:
    """The ``__getattr__`` of a class. A property that fails with an AttributeError fails once more, with its own words."""
    cls = type(self)
    if any(name in vars(base) for base in cls.__mro__):
        return object.__getattribute__(self, name)
    raise missing(cls, name)
