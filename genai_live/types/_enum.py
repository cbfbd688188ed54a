"""Base of the enums: text that compares as text, found in any letter case. Runs on any thread."""

from __future__ import annotations

from enum import Enum


class WireEnum(str, Enum):
    """An open enum: a name that is not here stays plain text, in both directions.

    A member is equal to its text, prints as its text, and ``Modality("audio")`` finds ``Modality.AUDIO``.
    """

    @classmethod
    def _missing_(cls, value: object) -> WireEnum | None:
        if not isinstance(value, str):
            return None
        return next((member for member in cls if member.value.upper() == value.upper()), None)

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)
