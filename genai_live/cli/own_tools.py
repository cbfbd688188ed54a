"""Tools by name: functions of the user's own modules. Runs on the main thread."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from genai_live.errors import ConfigError


def load(names: Iterable[str]) -> list[Callable[..., Any]]:
    """The functions that ``module:function`` names; the current folder comes first, as with ``python -m``.

    Raises:
        ConfigError: a name is of another form, or there is no such function; whatever the module raises is its own.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return [_function(name) for name in names]


def _function(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ConfigError(f"--tool must be module:function, such as weather:get_weather, not {name!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0]:
            raise ConfigError(f"--tool {name}: the module {module_name} needs {error.name}, which is not installed") from error
        raise ConfigError(f"--tool {name}: there is no module {module_name} in this folder, nor installed") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"--tool {name}: {module_name} has no function {function_name}")
    return function  # type: ignore[no-any-return]
