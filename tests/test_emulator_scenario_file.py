"""Scenario files: every step in JSON, and where a mistake is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genai_live.emulator import Scenario, load_script, steps
from genai_live.emulator.script.scenario import STEPS, Script
from genai_live.errors import ConfigError

EXAMPLES: dict[str, Any] = {
    "refuseUpgrade": None,
    "ignoreUpgrade": None,
    "expect": {"expect": "clientContent", "text": "hi", "message": {"turnComplete": True}, "exact": False, "timeout": 1},
    "setupComplete": {"setupComplete": {"sessionId": "x"}},
    "reply": {"reply": "Hello", "audio": 1.5, "wait": False},
    "callTool": {"callTool": "f", "args": {"a": 1}, "id": "x", "blocking": False},
    "cancelCalls": {"cancelCalls": ["x"]},
    "repeatCalls": {"repeatCalls": True},
    "interrupt": {"interrupt": True},
    "send": {"send": {"goAway": {}}, "text": True},
    "sendRaw": {"sendRaw": "/w==", "base64": True},
    "garbage": {"garbage": True},
    "huge": {"huge": 1000},
    "fragments": {"fragments": 7},
    "trickle": {"trickle": False},
    "stopReading": {"stopReading": True},
    "resumeReading": {"resumeReading": True},
    "ping": {"ping": True},
    "goAway": {"goAway": 50},
    "update": {"update": False},
    "handles": {"handles": {"singleUse": True, "refuseWhileAlive": False, "settle": 1.0}},
    "wait": {"wait": 0.5},
    "silence": {"silence": True},
    "converse": {"converse": 2},
    "close": {"close": 1008, "reason": "bye"},
    "abort": {"abort": True},
    "at": {"at": 5, "do": {"goAway": 10}},
}


def test_every_step_can_be_written_in_a_file(tmp_path: Path) -> None:
    assert EXAMPLES.keys() == STEPS.keys()
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps({"steps": [step for step in EXAMPLES.values() if step]}))
    found = load_script(path)
    assert isinstance(found, Scenario)
    assert [step.verb for step in found.steps] == [verb for verb, step in EXAMPLES.items() if step]
    by_verb = {step.verb: step for step in found.steps}
    assert by_verb["sendRaw"] == steps.SendRaw(b"\xff", base64=True)
    assert by_verb["garbage"] == steps.Garbage()
    assert by_verb["reply"] == steps.Reply("Hello", audio=1.5, wait=False)
    assert by_verb["handles"] == steps.Handles(single_use=True, refuse_while_alive=False, settle=1.0)
    assert by_verb["at"] == steps.At(5, steps.GoAway(10))


def test_a_file_can_hold_one_scenario_for_each_session(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"sessions": [[{"refuseUpgrade": 401, "body": "who?"}], {"steps": [{"reply": "Hi"}]}]}))
    script: Script = load_script(path)
    assert script == [Scenario(steps.RefuseUpgrade(401, "who?")), Scenario(steps.Reply("Hi"))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("{}", "a scenario is a list of steps"),
        ('[{"dance": 1}]', r"steps\[0\]: 'dance' is not something to do"),
        ('[{"wait": 1, "loudly": true}]', r"steps\[0\]: wait has no 'loudly'"),
        ('["wait"]', "a step is an object"),
        ('[{"wait": 1}, {"refuseUpgrade": 500}]', "must be the only step"),
        ('[{"at": 1, "do": {"jump": 1}}]', r"steps\[0\]\.do: 'jump' is not something to do"),
        ('[{"repyl": "Hi"}]', r"steps\[0\]: 'repyl' is not something to do; did you mean 'reply'"),
        ('[{"reply": "Hi", "adio": 1}]', "reply has no 'adio'; did you mean 'audio'"),
        ('[{"ping": true, "often": 1}]', "ping has no 'often'; it stands alone"),
        ('[{"wait": "long"}]', r"steps\[0\]: wait.seconds: must be a number, 0 or more, not 'long'"),
        ('[{"wait": -1}]', "wait.seconds: must be a number, 0 or more"),
        ('[{"expect": "clientContnet"}]', "'clientContnet' never comes from a client; did you mean 'clientContent'"),
        ('[{"expect": "realtimeInput.sound"}]', "never comes from a client"),
        ('[{"expect": "setup", "message": [1]}]', "expect.message: must be an object"),
        ('[{"close": 1006}]', "1006 is not a close code that can be sent"),
        ('[{"close": "1000"}]', "close.code: must be a whole number"),
        ('[{"refuseUpgrade": 101}]', "101 is not a status of a refusal"),
        ('[{"refuseUpgrade": 503, "body": {"error": 1}}]', "refuseUpgrade.body: must be text"),
        ('[{"refuseUpgrade": 503, "headers": {"Retry-After": 7}}]', "an object of texts"),
        ('[{"reply": "Hi", "audio": "gone.wav"}]', r"steps\[0\]: reply.audio: there is no file 'gone.wav'"),
        ('[{"callTool": "f", "also": [{"args": {}}]}]', "a list of calls, each"),
        ('[{"cancelCalls": "x"}]', "a list of texts"),
        ('[{"sendRaw": "???", "base64": true}]', r"steps\[0\]: sendRaw.data: is not base64"),
        ('[{"at": 1}]', r"steps\[0\]\.do: a step is an object"),
        ('[{"at": 1, "do": {"wait": []}}]', r"steps\[0\]\.do: wait.seconds"),
        ('{"steps": [], "step": []}', "a scenario has no 'step' beside its steps"),
        ('{"sessions": [{"steps": []}, {"steps": [{"huge": "x"}]}]}', r"sessions\[1\]\.steps\[0\]: huge.size: must be a whole"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_that_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_script(path)
