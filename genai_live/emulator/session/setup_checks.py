"""What is wrong with a setup of the right form: values that do not go together, habits of a family. Pure: runs on any thread."""

from __future__ import annotations

import re
from typing import Any

from genai_live.emulator.model.profiles import INVALID_ARGUMENT, Refusals
from genai_live.emulator.model.session_options import SessionOptions, declarations_of
from genai_live.emulator.server.settings import Settings
from genai_live.emulator.server.validation import Refused

MODEL_PREFIXES = ("projects/", "publishers/", "models/", "tunedModels/")

_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,127}")
"""Live API reference, FunctionDeclaration.name."""

_LOCATION = re.compile(r"projects/[^/]+/locations/([^/]+)/")
"""The location in a model's resource name on Vertex AI."""

MOST_DECLARATIONS = 512
"""Live API reference, Tool.functionDeclarations."""


def check_setup(options: SessionOptions, settings: Settings) -> None:
    """Raises Refused with the close code and the words that the service is known to use, or words of its kind."""
    _check_model(options, settings)
    _check_generation(options)
    _check_thinking((options.setup.get("generationConfig") or {}).get("thinkingConfig") or {}, options.profile.refuses)
    _check_compression(options.setup.get("contextWindowCompression") or {})
    check_tools(options.setup.get("tools") or [], options.profile.refuses)


def _check_model(options: SessionOptions, settings: Settings) -> None:
    name = options.model
    if not name:
        raise Refused("* BidiGenerateContentRequest.setup.model: model is not specified")
    bare = name.rpartition("/")[2]
    if settings.models is not None and bare not in settings.models and name not in settings.models:
        raise _model_not_found(options)
    # Reported (litellm pull request 37602): Vertex AI takes resource names only. The emulator's own models have any name.
    if options.profile.backend == "vertex" and not name.startswith(MODEL_PREFIXES[:2]) and "gemini" in name:
        raise Refused(INVALID_ARGUMENT)

    location = _LOCATION.match(name)
    if location is not None and location[1] in options.profile.refuses.locations:
        raise _model_not_found(options)


def _model_not_found(options: SessionOptions) -> Refused:
    if options.profile.backend == "vertex":
        return Refused(f"Publisher Model `{options.model}` was not found or your project does not have access to it.", 1008)
    place = f"is not found for API version {options.version}, or is not supported for bidiGenerateContent"
    return Refused(f"{options.model} {place}. Call ListModels to see the list of available models.", 1008)


def _check_generation(options: SessionOptions) -> None:
    config: dict[str, Any] = options.setup.get("generationConfig") or {}
    modalities = set(config.get("responseModalities") or [])
    # Documented: one response modality for each session.
    if len(modalities) > 1:
        raise Refused(INVALID_ARGUMENT)
    refuses = options.profile.refuses
    if modalities & refuses.modalities:
        words = ", ".join(sorted(modalities))
        raise Refused(f"The requested combination of response modalities ({words}) is not supported by the model")
    if options.wants_affective_dialog and refuses.affective_dialog == "setup":
        raise Refused(INVALID_ARGUMENT)
    temperature = config.get("temperature")
    if temperature is not None and not 0 <= temperature <= 2:
        raise Refused(f"Unable to submit request because it has a temperature value of {temperature} but the range is 0 to 2.")


def _check_thinking(config: dict[str, Any], refuses: Refusals) -> None:
    level = config.get("thinkingLevel")
    if level is not None and refuses.thinking_level:
        raise Refused(refuses.thinking_level)
    if refuses.thinking_levels is not None and level is None:
        raise Refused("Thinking level must be specified for this model")
    if refuses.thinking_levels is not None and level not in refuses.thinking_levels:
        raise Refused(f"Thinking level {level} is not supported for this model")
    if refuses.thinking_budget and config.get("thinkingBudget") is not None:
        raise Refused(INVALID_ARGUMENT)


def _check_compression(config: dict[str, Any]) -> None:
    trigger, target = config.get("triggerTokens"), (config.get("slidingWindow") or {}).get("targetTokens")
    if trigger is not None and target is not None and target >= trigger:
        raise Refused("context_window_compression.sliding_window.target_tokens must be less than trigger_tokens.")


def check_tools(tools: list[dict[str, Any]], refuses: Refusals) -> None:
    """Raises Refused for tools that do not go together, or that the family does not take."""
    if refuses.code_execution and any("codeExecution" in tool for tool in tools):
        raise Refused("Code Execution tool is not supported for this model")
    declarations = declarations_of(tools)
    _check_declarations(declarations)
    refused = [each["behavior"] for each in declarations if each.get("behavior") in refuses.behaviors]
    if refused:
        raise Refused(f"{refused[0]} function calls are not supported for this model")


def _check_declarations(declarations: list[dict[str, Any]]) -> None:
    if len(declarations) > MOST_DECLARATIONS:
        raise Refused(f"At most {MOST_DECLARATIONS} function declarations can be given.")
    seen: set[str] = set()
    for index, declaration in enumerate(declarations):
        name = declaration.get("name") or ""
        place = f"GenerateContentRequest.tools[0].function_declarations[{index}]"
        if not _FUNCTION_NAME.fullmatch(name):
            raise Refused(f"* {place}.name: Invalid function name. Must start with a letter or an underscore.")
        if name in seen:
            raise Refused(f"Duplicate function declaration found: {name}")
        if "parameters" in declaration and "parametersJsonSchema" in declaration:
            raise Refused(f"* {place}: parameters and parameters_json_schema cannot both be set.")
        seen.add(name)
