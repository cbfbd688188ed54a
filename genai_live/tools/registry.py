"""The functions of a session, by name, and what of them is declared to which family of models. Pure: runs on any thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from genai_live._backends import VERTEX
from genai_live.errors import ConfigError
from genai_live.families import ModelFamily
from genai_live.tools.callee import Callee
from genai_live.tools.runs import ToolPolicy
from genai_live.types import FunctionDeclaration

_NON_BLOCKING = "NON_BLOCKING"


class Registry:
    """What the model may call, as far as this process knows."""

    def __init__(self, family: ModelFamily) -> None:
        self.family = family
        self.functions: dict[str, Callee] = {}
        self.declared: set[str] = set()
        """All names that were declared, with or without a function."""

    def declarations(self, tools: Any, path: str) -> Any:
        """The tools with a declaration in place of each function, which from now on is known by its name.

        Raises:
            ConfigError: a function that cannot be declared, or that asks for what the family refuses.
        """
        if not isinstance(tools, (list, tuple)):
            return tools
        places = [f"{path}[{index}]" for index in range(len(tools))]
        return [self._declared(item, where) if _is_function(item) else item for item, where in zip(tools, places, strict=True)]

    def note_declared(self, tools: Iterable[Mapping[str, Any]]) -> None:
        """Notes the names in the JSON of tools; they take the place of all others."""
        every = (each for tool in tools for each in tool.get("functionDeclarations") or ())
        self.declared = {each["name"] for each in every if each.get("name")}
        self.functions = {name: callee for name, callee in self.functions.items() if name in self.declared}

    def check(self, policy: ToolPolicy) -> None:
        """Raises ConfigError when a function is to be approved, and no ``approve`` was given."""
        waiting = next((name for name, callee in self.functions.items() if callee.marks.approve), None)
        if waiting is not None and policy.approve is None:
            words = f"is missing: {waiting!r} runs after approval only; pass ToolPolicy(approve=...)"
            raise ConfigError(words, "run_tools.approve")

    def tells_updates(self, callee: Callee) -> bool:
        """True when answers before the last are sent: the model goes on meanwhile, and the backend takes ``willContinue``."""
        behavior = self._behavior(callee) or self.family.default_behavior
        return behavior == _NON_BLOCKING and self.family.backend != VERTEX.name

    def _declared(self, function: Callable[..., Any], path: str) -> FunctionDeclaration:
        try:
            callee = Callee(function)
        except ConfigError as error:
            raise ConfigError(str(error), path) from None
        if callee.marks.scheduling is not None and self.family.scheduling == "refused":
            words = f"the scheduling of {callee.name!r} is refused by {self.family.name}: leave it out"
            raise ConfigError(words, path)
        self.functions[callee.name] = callee
        return replace(callee.declaration, behavior=self._behavior(callee))

    def _behavior(self, callee: Callee) -> str | None:
        """What a function's declaration says. A generator's updates are heard of only while the model goes on speaking."""
        family = self.family
        if callee.marks.behavior is not None or not callee.gives_updates or family.default_behavior == _NON_BLOCKING:
            return callee.marks.behavior
        if family.backend == VERTEX.name:  # contradictory: what is not asked for is not sent there
            return None
        takes_updates = _NON_BLOCKING not in family.refused_behaviors and not family.call_blocks_speech(_NON_BLOCKING)
        return _NON_BLOCKING if takes_updates else None


def _is_function(item: Any) -> bool:
    from_mcp = type(item).__module__.partition(".")[0] in ("mcp", "mcp_types")
    return callable(item) and not inspect.isclass(item) and not from_mcp
