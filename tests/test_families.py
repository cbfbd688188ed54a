"""Which models differ, and that a user can teach the library another."""

from __future__ import annotations

import pytest

from genai_live import families
from genai_live._backends import MLDEV, VERTEX, Backend
from genai_live.families import ModelFamily, family_of


@pytest.mark.parametrize(
    ("model", "backend", "as_realtime_input"),
    [
        ("models/gemini-2.0-flash-live-001", MLDEV, False),
        ("gemini-2.5-flash-native-audio-preview-09-2025", MLDEV, False),
        ("gemini-live-2.5-flash-preview", MLDEV, False),
        ("gemini-3.1-flash-live-preview", MLDEV, True),
        ("gemini-3.8-live", MLDEV, True),
        ("gemini-3.8-live", VERTEX, False),
        ("emulator", MLDEV, False),
        ("a-model-of-tomorrow", MLDEV, True),
    ],
)
def test_text_goes_as_the_model_takes_it(model: str, backend: Backend, as_realtime_input: bool) -> None:
    assert family_of(model, backend).text_as_realtime_input is as_realtime_input


def test_a_row_put_before_the_others_counts_first(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ModelFamily("mine", r"my-model", text_as_realtime_input=False)
    monkeypatch.setattr(families, "FAMILIES", [mine, *families.FAMILIES])
    assert family_of("projects/p/my-model") is mine
