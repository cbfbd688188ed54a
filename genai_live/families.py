"""The few ways in which generations of Live models differ, as a table that users may change. Pure data: runs on any thread.

::

    from genai_live import families
    families.FAMILIES.insert(0, ModelFamily("mine", r"my-model", text_as_realtime_input=True))
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from genai_live._backends import MLDEV, Backend


@dataclass(frozen=True)
class ModelFamily:
    """Models that behave alike; the first row that matches counts."""

    name: str
    pattern: str
    """A regular expression, searched for in the model's name without its path."""
    backend: str | None = None
    """"mldev" or "vertex"; None for both."""
    text_as_realtime_input: bool = False
    """True where a text in the middle of a conversation goes as ``realtimeInput.text``: these models close with 1007 when
    ``clientContent`` comes after the first turn."""


FAMILIES: list[ModelFamily] = [
    # Vertex AI's own reference has no realtimeInput.text.
    ModelFamily("Vertex AI", r"", backend="vertex"),
    ModelFamily("Gemini 1 and 2", r"gemini-(live-)?[12]([.-]|$)", backend="mldev"),
    ModelFamily("emulator", r"^emulator$"),
    ModelFamily("Gemini 3.1 and later", r"", backend="mldev", text_as_realtime_input=True),
]
"""The table, asked from its top. Insert a row to teach the library a model that is not like the others."""


def family_of(model: str, backend: Backend = MLDEV) -> ModelFamily:
    """The first row for this model on this backend."""
    name = model.rpartition("/")[2]
    return next(row for row in FAMILIES if row.backend in (None, backend.name) and re.search(row.pattern, name))
