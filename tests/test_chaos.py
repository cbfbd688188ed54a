"""Numbered questions under chaos, in each of the four services: each is answered with its own number, or told as lost once.

``python -m soak numbers --minutes 60 --seed 7`` is the long form.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.chaos import chaos

SEED = 2
"""One whose services think before they answer: a second question comes before the first answer has begun."""
SECONDS = 12.0
"""And some seconds more, for the last questions, and until each of these has happened."""
HAPPENS = (
    "answered",
    "answered with others",
    "told as lost",
    "interrupted",
    "struck",
    "connections ended",
    "turns of several questions",
    "replaced",
)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent with os.kill")
def test_every_numbered_question_has_its_own_answer_or_is_told_as_lost_once(caplog: Any) -> None:
    with caplog.at_level("CRITICAL", logger="genai_live"):
        found = chaos(SEED, SECONDS, users=8, happens=HAPPENS)
    assert not found.wrong, "\n".join(found.wrong)
    assert not [each for each in HAPPENS if not found.counts[each]]
