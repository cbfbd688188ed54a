"""Tools in every form that a caller may have them, as the list that setup and context updates carry. Pure: runs on any thread."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from genai_live._validation import Checker, kind_of, unknown_key
from genai_live.errors import ConfigError
from genai_live.types import FunctionDeclaration, Tool
from genai_live.types._base import names_of

MAX_DECLARATIONS = 512
"""Function declarations that one session may have (types reference, Tool.function_declarations)."""
_DECLARATIONS = "functionDeclarations"
_is_function_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}").fullmatch
_is_in_schema = re.compile(r".*\.function_declarations\[\d+\]\.(parameters|response)\b.*", re.DOTALL).fullmatch
_CONTAINERS = (list, tuple)
_ACCEPTED = "Tool objects, dicts of them, FunctionDeclaration objects, MCP Tool objects and Python functions"


def tool_list(checker: Checker, value: Any, path: str) -> list[dict[str, Any]]:
    """The JSON of a list of tools: what is not a function keeps its order, and all functions follow together in one tool.

    That is what Google's Python client sends. The order of tools means nothing to the service, and some models refuse several
    tools that hold functions.

    Raises:
        ConfigError: not a list, not a tool, two functions of one name, or a field that the backend lacks.
    """
    if not isinstance(value, _CONTAINERS):
        raise ConfigError(f"must be a list of {_ACCEPTED}, not {kind_of(value)}", path)
    others: list[dict[str, Any]] = []
    functions: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        try:
            tool = checker.message(Tool, _as_tool(item, where), where)
        except ConfigError as error:
            raise _hinted(error) from None
        found = tool.get(_DECLARATIONS)
        if found:
            functions += [_checked_function(function, where) for function in found]
            del tool[_DECLARATIONS]
        if tool:
            others.append(tool)
    _check_names(functions, path)
    return [*others, {_DECLARATIONS: functions}] if functions else others


def _hinted(error: ConfigError) -> ConfigError:
    """For a JSON schema in ``parameters``, which takes another kind: where it goes."""
    field = _is_in_schema(error.path)
    words = str(error).removeprefix(f"{error.path}: ")
    if field is None or not words.startswith(("unknown key", "must be Type or")):
        return error
    stop = "" if words.endswith("?") else "."
    return ConfigError(f"{words}{stop} A JSON schema goes into {field[1]}_json_schema, as it is", error.path)


def _as_tool(item: Any, path: str) -> Any:
    if isinstance(item, FunctionDeclaration):
        return {"function_declarations": [item]}
    if isinstance(item, Tool):
        return item
    if isinstance(item, Mapping):
        return _checked_keys(item, path)
    if _is_of_mcp(item):
        return {"function_declarations": [_of_mcp(item, path)]}
    if callable(item) and not inspect.isclass(item):
        from genai_live.tools import declaration  # a program without functions does not pay for it

        try:
            return {"function_declarations": [declaration(item)]}
        except ConfigError as error:
            raise ConfigError(str(error), path) from None
    raise ConfigError(f"must be {_ACCEPTED}, not {kind_of(item)}", path)


def _checked_keys(item: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for key in item:
        if key not in names_of(Tool):
            if key in names_of(FunctionDeclaration):
                hint = "a function's declaration goes into {'function_declarations': [...]}"
                raise unknown_key(Tool, str(key), path, hint)
            raise unknown_key(Tool, str(key), path)
    return item


def _is_of_mcp(item: Any) -> bool:
    return type(item).__module__.partition(".")[0] in ("mcp", "mcp_types")


def _of_mcp(item: Any, path: str) -> FunctionDeclaration:
    """The declaration of an MCP tool, of release 1 or 2 of ``mcp``; its calls are the caller's to answer."""
    name = getattr(item, "name", None)
    schema = getattr(item, "input_schema", None) or getattr(item, "inputSchema", None)
    if not isinstance(name, str) or not isinstance(schema, Mapping):
        raise ConfigError(
            f"is an MCP {type(item).__name__}, which is not taken; declare its tools as FunctionDeclaration("
            "name=tool.name, description=tool.description, parameters_json_schema=tool.inputSchema), or put the Tool objects that"
            " it lists here",
            path,
        )
    return FunctionDeclaration(name=name, description=getattr(item, "description", None), parameters_json_schema=dict(schema))


def _checked_function(function: dict[str, Any], path: str) -> dict[str, Any]:
    name = function.get("name")
    if not name:
        raise ConfigError("a function declaration needs a name", path)
    if not _is_function_name(name):
        raise ConfigError(
            f"{name!r} is not a function name: letters, digits, '_', '.', ':' and '-', at most 128, a letter or '_' first", path
        )
    for schema, json_schema in (("parameters", "parametersJsonSchema"), ("response", "responseJsonSchema")):
        if schema in function and json_schema in function:
            raise ConfigError(f"the function {name!r} has both {schema} and {schema}_json_schema; give one of them", path)
    return function


def _check_names(functions: list[dict[str, Any]], path: str) -> None:
    seen: set[str] = set()
    for function in functions:
        if function["name"] in seen:
            words = f"the function {function['name']!r} is declared twice; one needs another name, as by tool(name=...)"
            raise ConfigError(words, path)
        seen.add(function["name"])
    if len(functions) > MAX_DECLARATIONS:
        raise ConfigError(f"holds {len(functions)} functions, a session takes {MAX_DECLARATIONS}", path)
