"""What the first message of a session says, asked as a value; how it is made from a config stands in test_setup.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from genai_live._client_messages.first_message import Setup


@pytest.mark.parametrize("handle", [None, "new", 'a "quoted" handle'])
@pytest.mark.parametrize("old", [{}, {"sessionResumption": {}}, {"sessionResumption": {"transparent": True, "handle": "old"}}])
def test_a_session_goes_on_with_its_handle_and_without_its_history(old: dict[str, Any], handle: str | None) -> None:
    kept = {"model": "models/m", "tools": [{"googleSearch": {}}]}
    setup = Setup({**kept, "historyConfig": {"initialHistoryInClientContent": True}, **old})
    resumption = {name: value for name, value in old.get("sessionResumption", {}).items() if name != "handle"}
    if handle is not None:
        resumption["handle"] = handle
    assert json.loads(setup.resumed(handle)) == {"setup": {**kept, "sessionResumption": resumption}}
    assert json.loads(setup.json)["setup"] == setup.fields, "it stays as it was"


@pytest.mark.parametrize(
    ("fields", "automatic"),
    [
        ({}, True),
        ({"realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_ALL_INPUT"}}, True),
        ({"realtimeInputConfig": {"automaticActivityDetection": {"disabled": False}}}, True),
        ({"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}, False),
    ],
)
def test_speech_is_detected_by_the_service_unless_that_is_switched_off(fields: dict[str, Any], automatic: bool) -> None:
    assert Setup(fields).automatic_detection is automatic


@pytest.mark.parametrize(
    ("declarations", "names"),
    [([], set()), ([{"name": "a"}], set()), ([{"name": "a"}, {"name": "b", "behavior": "NON_BLOCKING"}], {"b"})],
)
def test_a_function_that_does_not_block_has_turns_of_its_own(declarations: list[dict[str, Any]], names: set[str]) -> None:
    assert Setup({"tools": [{"googleSearch": {}}, {"functionDeclarations": declarations}]}).non_blocking == names
