"""What tests need beside the library, and how a machine says that it has all of it: then a test that skips has failed.

``GENAI_LIVE_TEST_PACKAGES=required`` and the variables of the other needs are set by ``.ci/run``, so that nothing skips in
silence there. Without them a skip stays one, with its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

NEEDS: Mapping[str, str] = {
    "SOUND": "sound server",
    "PLATFORM": r"\bplatform\b|\bsystem\b|\bfork\b|\bsignals\b|/proc|standard library",
    "BROWSER": r"\bbrowser\b",
    "NODE": r"\bnode\b|\bnpm\b",
    "SPEECH": r"espeak-ng|pocketsphinx",
    "NAMESPACES": r"network namespaces",
    "REDIS": r"redis-server",
}
"""Each need by the words of a skip's reason, the first that is found; any other skip is for want of PACKAGES. Nobody requires a
PLATFORM."""


def need_of(reason: str) -> str:
    """The need that a skip's reason names."""
    return next((need for need, words in NEEDS.items() if re.search(words, reason)), "PACKAGES")


def complaint(reason: str) -> str:
    """Why a skip is a failure on this machine; empty where it is none."""
    variable = f"GENAI_LIVE_TEST_{need_of(reason)}"
    return f"{reason}, and {variable} is required" if os.environ.get(variable) == "required" else ""
