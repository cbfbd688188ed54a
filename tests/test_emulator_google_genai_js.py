"""Google's JavaScript client works against the emulator unmodified; ``tests/js/live.mjs`` drives it, one case for each feature.

Runs where node is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator
from tests.node_programs import FOLDER, node_with_packages

PATIENCE = 120.0


@pytest.fixture(scope="module")
def node() -> str:
    """The program node, with the packages of the lock file beside the script."""
    return node_with_packages()


def run(node: str, emulator: LiveEmulator, *cases: str, **environment: str) -> dict[str, Any]:
    """What the client saw in each case."""
    command = [node, str(FOLDER / "live.mjs"), emulator.url, *cases]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


BOTH = ("text", "audio", "tools", "activity", "resumption")


def test_the_javascript_client_does_everything_at_once(node: str) -> None:
    cases = [*BOTH, *(f"{name}:vertex" for name in BOTH), "token", "music", "refusal"]
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        seen = run(node, emulator, *cases)
    for suffix in ("", ":vertex"):
        assert seen[f"text{suffix}"] == {"said": ["You said: Hello", "You said: Again"], "usage": True}
        assert seen[f"audio{suffix}"]["input"] == "[1.0 s of speech]"
        assert seen[f"audio{suffix}"]["output"] == "I heard 1.0 s of speech."
        assert 1.0 <= seen[f"audio{suffix}"]["seconds"] <= 1.7
        assert seen[f"tools{suffix}"]["call"] == {"name": "get_weather", "args": {"city": "Rome"}}
        assert seen[f"tools{suffix}"]["output"] == 'get_weather answered: {"sky": "blue"}'
        assert seen[f"activity{suffix}"] == {"input": "[0.4 s of speech]"}
        assert seen[f"resumption{suffix}"] == {"resumed": True}
    assert seen["token"] == {"name": True, "said": "You said: Hello"}
    assert seen["music"] == {"bytes": round(48_000 * 60 / 140) * 4, "bpm": 140}
    assert "1007" in seen["refusal"]["error"]


def test_the_javascript_client_is_interrupted_by_its_user(node: str) -> None:
    with LiveEmulator(voice=False) as emulator:
        seen = run(node, emulator, "interruption", "interruption:vertex")
    assert seen == {"interruption": {"interrupted": True}, "interruption:vertex": {"interrupted": True}}


def test_the_javascript_client_comes_over_tls(node: str) -> None:
    with LiveEmulator(tls=True, pace=0.0, voice=False) as emulator:
        seen = run(node, emulator, "text", NODE_EXTRA_CA_CERTS=str(emulator.ca_path))
    assert seen["text"]["said"][0] == "You said: Hello"
