"""docs/emulator.md says what is: its examples run, and nothing is missing in its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genai_live.emulator.scenario import STEPS
from genai_live.emulator.scenario_file import scenario_from_json

GUIDE = (Path(__file__).parent.parent / "docs" / "emulator.md").read_text(encoding="utf-8")


def test_every_step_stands_in_the_guide() -> None:
    missing = [verb for verb, step in STEPS.items() if f"`{step.__name__}(" not in GUIDE]
    assert not missing
    assert not [verb for verb in STEPS if f"`{verb}`" not in GUIDE and verb != "at"]


def test_the_scenario_of_the_guide_is_the_same_in_python_and_in_json() -> None:
    python = next(block for block in GUIDE.split("```python")[1:] if "Scenario(" in block).partition("with LiveEmulator")[0]
    names: dict[str, Any] = {}
    exec(python, names)
    (text,) = [block.partition("```")[0] for block in GUIDE.split("```json")[1:]]
    assert scenario_from_json(json.loads(text)) == names["scenario"]


def test_the_first_example_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(next(block for block in GUIDE.split("```python")[1:]).partition("```")[0], {})
    assert capsys.readouterr().out.splitlines()[0] == "You said: Hello"
