"""Scenarios from JSON, with the place of every mistake. Runs on the thread that reads the file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from genai_live._arguments import file_path
from genai_live.emulator.script.scenario import STEPS, At, Handles, Reply, Scenario, SendRaw, Step
from genai_live.emulator.script.step_forms import hint
from genai_live.emulator.server.validation import camel_case
from genai_live.errors import ConfigError


def load_script(path: str | Path) -> Scenario | list[Scenario]:
    """Reads a scenario file: ``{"steps": [...]}`` for every session, or ``{"sessions": [{"steps": [...]}, ...]}`` in turn.

    Raises:
        ConfigError: for a file that is not a scenario, OSError for one that cannot be read.
    """
    try:
        value = json.loads(Path(file_path(path, "path")).read_text(encoding="utf-8-sig"))  # Windows' editors put a mark before it
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is not JSON: {error}", str(path)) from None
    try:
        if isinstance(value, Mapping) and isinstance(value.get("sessions"), list):
            return [scenario_from_json(each, f"sessions[{number}].") for number, each in enumerate(value["sessions"])]
        return scenario_from_json(value)
    except ConfigError as error:
        raise ConfigError(str(error), str(path)) from None


def scenario_from_json(value: Any, place: str = "") -> Scenario:
    """A scenario from parsed JSON, a list of steps or ``{"steps": [...]}``.

    Raises:
        ConfigError: with the step that is wrong.
    """
    steps = value.get("steps") if isinstance(value, Mapping) else value
    if not isinstance(steps, list):
        raise ConfigError("a scenario is a list of steps, or an object with the key 'steps'", place.rstrip("."))
    unknown = sorted(value.keys() - {"steps"}) if isinstance(value, Mapping) else []
    if unknown:
        raise ConfigError(f"a scenario has no {unknown[0]!r} beside its steps", place.rstrip("."))
    return Scenario(*(_read_step(step, f"{place}steps[{number}]") for number, step in enumerate(steps)))


def _read_step(value: Any, place: str) -> Step:
    if not isinstance(value, Mapping):
        raise ConfigError('a step is an object such as {"wait": 1}', place)
    cls = _find_verb(value, place)
    if cls is Handles and isinstance(value.get(cls.verb), Mapping):
        value = {cls.verb: True, **value[cls.verb]}
    given = _defaulted(cls, _read_fields(cls, value, place))
    try:
        if cls is At:
            given["do"] = _read_step(given.get("do"), f"{place}.do")
        if cls is SendRaw and given.get("base64") is True:
            given["data"] = _decoded(given.get("data"))
        step = cls(**given)
        _check_file(step)
    except ConfigError as error:
        raise error if place in str(error) else ConfigError(str(error), place) from None
    return step


def _find_verb(value: Mapping[str, Any], place: str) -> type[Step]:
    # {"reply": "...", "wait": false} has a field that is a verb elsewhere: the first one counts.
    verb = next((name for name in value if name in STEPS), None)
    if verb is None:
        name = next(iter(value), "")
        raise ConfigError(f"{name!r} is not something to do; {hint(name, sorted(STEPS))}", place)
    return STEPS[verb]


def _read_fields(cls: type[Step], value: Mapping[str, Any], place: str) -> dict[str, Any]:
    names = {camel_case(each.name): each.name for each in fields(cls)}
    given: dict[str, Any] = {}
    for key, item in value.items():
        if key == cls.verb and key not in given:
            if names:
                given[next(iter(names.values()))] = item
        elif key in names:
            given[names[key]] = item
        else:
            what = hint(key, list(names)) if names else "it stands alone"
            raise ConfigError(f"{cls.verb} has no {key!r}; {what}", place)
    return given


def _defaulted(cls: type[Step], given: dict[str, Any]) -> dict[str, Any]:
    """``{"silence": true}`` and ``{"garbage": true}`` mean: with what it does by itself."""
    first = next((each.name for each in fields(cls)), None)
    if first is not None and given.get(first) is True and not isinstance(getattr(cls, first, None), bool):
        return {name: item for name, item in given.items() if name != first}
    return given


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, TypeError):
        raise ConfigError("is not base64", "sendRaw.data") from None


def _check_file(step: Step) -> None:
    if isinstance(step, Reply) and isinstance(step.audio, str) and not Path(step.audio).is_file():
        raise ConfigError(f"there is no file {step.audio!r}", "reply.audio")
