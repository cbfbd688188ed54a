"""Tools by name: functions of the user's own modules. Runs on the main thread."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from genai_live.errors import ConfigError


def load(names: Iterable[str]) -> list[Callable[..., Any]]:
    """The functions that ``module:function`` names; the current folder comes first, as with ``python -m``.

    Raises:
        ConfigError: a name is of another form, or there is no such function; or its module fails.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return [_function(name) for name in names]


def _function(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    if not all(each.isidentifier() for each in (*module_name.split("."), function_name)):
        raise ConfigError(f"--tool must be module:function, such as weather:get_weather for weather.py, not {name!r}")
    try:
        module = _module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise ConfigError(f"--tool {name}: the module {module_name} needs {error.name}, which is not installed") from error
        hint = f"; name it without .py: {module_name[:-3]}:{function_name}" if module_name.endswith(".py") else ""
        raise ConfigError(f"--tool {name}: there is no module {module_name} in this folder, nor installed{hint}") from error
    except Exception as error:
        raise ConfigError(f"--tool {name}: {_place(error)} raises {type(error).__name__}: {_words(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"--tool {name}: {module_name} has no function {function_name}")
    return function  # type: ignore[no-any-return]


def _module(name: str) -> ModuleType:
    """A module, of this folder where that has one, although another of the same name (calendar, platform) is loaded already."""
    top = name.partition(".")[0]
    here = PathFinder.find_spec(top, [os.getcwd()])
    loaded = getattr(sys.modules.get(top), "__spec__", None)
    if here is not None and here.origin is not None and loaded is not None and loaded.origin != here.origin:
        for each in [each for each in sys.modules if each == top or each.startswith(f"{top}.")]:
            del sys.modules[each]  # whoever has it keeps it
    return importlib.import_module(name)


def _place(error: Exception) -> str:
    """File and line in which a module of the user's failed."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno},"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(os.getcwd())]
    frame = (own or frames)[-1]
    return f"{frame.filename}, line {frame.lineno},"


def _words(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)
