"""A thousand calls of tools, whatever happens to them; ``python -m tests.tool_mix 100000`` is the soak."""

from __future__ import annotations

import logging

import pytest

from tests.tool_mix import Mix


def test_of_a_thousand_calls_each_has_one_end_and_one_answer_at_most(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "genai_live")
    mix = Mix(calls=1_000, seed=7)
    mix.run()
    assert {"answered", "failed", "refused", "timed out", "cancelled by the server"} <= set(mix.check())
