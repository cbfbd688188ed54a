"""docs/emulator.md says what is: every example in it runs, and nothing is missing in its tables."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import genai_live
from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.emulator.model.profiles import FAMILIES
from genai_live.emulator.script.scenario import STEPS
from genai_live.emulator.script.scenario_file import scenario_from_json
from tests.shown_outputs import blocks_of, complaint

GUIDE = (Path(genai_live.__file__).parent.parent / "docs" / "emulator.md").read_text(encoding="utf-8")
FIRST, SCENARIO, RECORDING, TEST = (block for block in blocks_of(GUIDE) if block.language == "python")
"""The guide's Python, block by block."""

ASSISTANT = '''
from genai_live import Client

def my_assistant(client: Client, question: str) -> str:
    """An assistant that looks up the weather."""
    tools = [{"function_declarations": [{"name": "get_weather"}]}]
    with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"], "tools": tools}) as session:
        session.send_client_content(turns={"role": "user", "parts": [{"text": question}]}, turn_complete=True)
        answer = ""
        for message in session.receive():
            if message.tool_call:
                calls = message.tool_call.function_calls
                session.send_tool_response(function_responses=[{"id": c.id, "name": c.name, "response": {}} for c in calls])
            answer += message.text or ""
        return answer
'''
"""What the guide's examples take for granted."""


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(ASSISTANT, names)
    exec(code, names)
    return names


def test_the_first_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run(FIRST.code, {})
    assert FIRST.shows_output
    assert not complaint(FIRST, capsys.readouterr().out)


def test_the_scenario_runs_and_is_the_same_in_python_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(SCENARIO.code, {})
    assert SCENARIO.shows_output
    assert not complaint(SCENARIO, capsys.readouterr().out)
    (text,) = [block.code for block in blocks_of(GUIDE) if block.language == "json"]
    assert scenario_from_json(json.loads(text)) == names["scenario"]


def test_recording_and_replaying_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    with LiveEmulator(pace=0.0, voice=False) as service:
        run(RECORDING.code.replace("https://generativelanguage.googleapis.com", service.url), {"Client": Client})
        assert [session.received[0].kind for session in service.sessions] == ["setup"]
    assert "toolCall" in (tmp_path / "session.jsonl").read_text()


def test_the_test_of_one_s_own_passes(tmp_path: Path) -> None:
    (tmp_path / "test_guide.py").write_text(ASSISTANT + TEST.code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    if not any(entry.value == "genai_live.testing" for entry in entry_points(group="pytest11")):
        command += ["-p", "genai_live.testing"]  # run from a source tree that was not installed
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_every_step_and_every_field_of_it_stand_in_the_guide() -> None:
    for verb, step in STEPS.items():
        (written,) = re.findall(rf"`{step.__name__}\(([^)]*)\)", GUIDE.partition("| Step | JSON |")[2])
        names = [name.strip() for name in written.split(",") if name.strip()]
        assert sorted(names) == sorted(each.name if each.name != "do" else "step" for each in fields(step)), verb
    assert not [verb for verb in STEPS if f"`{verb}`" not in GUIDE and verb != "at"]


def test_every_family_stands_in_the_guide() -> None:
    table = GUIDE.partition("## Families of models")[2].partition("## ")[0]
    assert not [words for words, _ in FAMILIES if not all(f"`{word}`" in table or word in ("2.0", "live") for word in words)]
