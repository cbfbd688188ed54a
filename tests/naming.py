"""Names of parametrised tests: the same in every process, so that several can share a suite."""

from __future__ import annotations

import re


def named(value: object) -> str:
    """The ``str`` of a value, without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
