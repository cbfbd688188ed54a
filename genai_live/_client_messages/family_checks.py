"""What a family of models refuses, refused before it is sent, with the way to overrule the table. Pure: runs on any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genai_live.errors import ConfigError
from genai_live.families import ModelFamily


class Model(NamedTuple):
    """A model's name as the caller gave it, and what the table says of it."""

    name: str
    family: ModelFamily


def check_setup(setup: Mapping[str, Any], extra: Mapping[str, Any], model: Model, path: str) -> None:
    """Refuses a setup that the model's family refuses. ``extra`` is ``extra_setup``, which the caller answers for.

    Raises:
        ConfigError: with the family's name, and how to overrule the table.
    """
    generation = setup.get("generationConfig") or {}
    for check in _OF_GENERATION:
        check(generation, model, path)
    _check_level_is_there({**generation, **(extra.get("generationConfig") or extra.get("generation_config") or {})}, model, path)
    check_tools(setup.get("tools") or [], model, f"{path}.tools")


def check_tools(tools: list[dict[str, Any]], model: Model, path: str) -> None:
    """Refuses declarations with a behavior that the model's family refuses.

    Raises:
        ConfigError: as for ``check_setup``.
    """
    for function in (function for tool in tools for function in tool.get("functionDeclarations") or ()):
        behavior = function.get("behavior")
        if behavior in model.family.refused_behaviors:
            advice = f"declare the function {function['name']!r} without behavior"
            raise _refused(f"{behavior} is", advice, path, model, "refused_behaviors", frozenset())


def check_responses(responses: list[dict[str, Any]], model: Model, path: str) -> None:
    """Refuses ``scheduling`` where the model's family refuses it.

    Raises:
        ConfigError: as for ``check_setup``.
    """
    if model.family.scheduling == "refused" and any("scheduling" in response for response in responses):
        raise _refused("is", "leave it out", f"{path}.scheduling", model, "scheduling", "taken")


def _check_modalities(generation: Mapping[str, Any], model: Model, path: str) -> None:
    refused = [each for each in generation.get("responseModalities") or () if each in model.family.refused_modalities]
    if refused:
        advice = "ask for AUDIO, and for its text by output_audio_transcription={}" if refused == ["TEXT"] else "ask for TEXT"
        raise _refused(f"{refused[0]} is", advice, f"{path}.response_modalities", model, "refused_modalities", frozenset())


def _check_thinking(generation: Mapping[str, Any], model: Model, path: str) -> None:
    family, thinking = model.family, generation.get("thinkingConfig") or {}
    path = f"{path}.thinking_config"
    level = thinking.get("thinkingLevel")
    if level is not None and family.thinking_level == "refused":
        raise _refused("is", "leave it out", f"{path}.thinking_level", model, "thinking_level", "taken")
    if level is not None and family.thinking_levels is not None and level not in family.thinking_levels:
        levels = f"set one of {', '.join(sorted(family.thinking_levels))}"
        raise _refused(f"{level} is", levels, f"{path}.thinking_level", model, "thinking_levels", None)
    if thinking.get("thinkingBudget") is not None and family.thinking_budget == "refused":
        raise _refused("is", "leave it out", f"{path}.thinking_budget", model, "thinking_budget", "taken")


def _check_affective_dialog(generation: Mapping[str, Any], model: Model, path: str) -> None:
    if generation.get("enableAffectiveDialog") and model.family.affective_dialog == "refused":
        raise _refused("is", "leave it out", f"{path}.enable_affective_dialog", model, "affective_dialog", "taken")


def _check_level_is_there(generation: Mapping[str, Any], model: Model, path: str) -> None:
    thinking = generation.get("thinkingConfig") or generation.get("thinking_config") or {}
    if model.family.thinking_level != "required" or thinking.get("thinkingLevel") or thinking.get("thinking_level"):
        return
    example = f"{path}={{'thinking_config': {{'thinking_level': 'LOW'}}}}"
    overruled = _overruling(model, "thinking_level", "taken")
    where = f"{path}.thinking_config.thinking_level"
    raise ConfigError(f"must be set for {model.name!r} ({model.family.name}), for example {example}. {overruled}", where)


_OF_GENERATION: tuple[Callable[[Mapping[str, Any], Model, str], None], ...] = (
    _check_modalities,
    _check_thinking,
    _check_affective_dialog,
)


def _refused(what: str, advice: str, path: str, model: Model, cell: str, taken: object) -> ConfigError:
    words = f"{what} refused by {model.name!r} ({model.family.name}): {advice}. {_overruling(model, cell, taken)}"
    return ConfigError(words, path)


def _overruling(model: Model, cell: str, taken: object) -> str:
    """The sentence with the line that puts a better row before the others."""
    row = f"dataclasses.replace(families.family_of({model.name!r}, client), {cell}={taken!r})"
    return f"So says genai_live.families; if the model has changed: families.FAMILIES.insert(0, {row})"
