"""Numbered questions under chaos: each is answered with its own number, or told as lost once.

Here the service answers questions in order, or interrupts; where it merges or drops them while calls are open, the soak
(``python -m soak numbers --minutes 60 --seed 7``) still finds a turn in some thousands that is not as it should be.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.chaos import chaos

SEED = 11
SECONDS = 12.0
"""And some seconds more, for the last questions."""

HAPPENS = ("answered", "told as lost", "interrupted", "struck", "connections ended")


@pytest.mark.skipif(os.name != "posix", reason="signals are sent with os.kill")
def test_every_numbered_question_has_its_own_answer_or_is_told_as_lost_once(caplog: Any) -> None:
    with caplog.at_level("CRITICAL", logger="genai_live"):
        found = chaos(SEED, SECONDS, users=8, second_questions=("waits", "interrupts"), disturbed=("waits",))
    assert not found.wrong, "\n".join(found.wrong)
    assert not [each for each in HAPPENS if not found.counts[each]]
