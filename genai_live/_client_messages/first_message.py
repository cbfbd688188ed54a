"""A checked setup message: its JSON, its variant for a resumption, and questions about it. Pure: runs on any thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from genai_live import _json

_HISTORY, _RESUMPTION = "historyConfig", "sessionResumption"


@dataclass(frozen=True)
class Setup:
    """A checked setup message."""

    fields: Mapping[str, Any]
    """The members of ``setup``, in the wire's spelling; never changed."""

    @cached_property
    def json(self) -> bytes:
        """The message as it is sent."""
        return _json.dumps({"setup": self.fields})

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The declared tools."""
        return self.fields.get("tools") or ()

    @property
    def automatic_detection(self) -> bool:
        """True where the service detects speech; False where the client says when it begins and ends."""
        detection = self.fields.get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
        return not detection.get("disabled", False)

    @property
    def non_blocking(self) -> frozenset[str]:
        """Functions that go on beside the conversation: the turn of their call may end before its answer."""
        declared = (each for tool in self.tools for each in tool.get("functionDeclarations") or ())
        return frozenset(each["name"] for each in declared if each.get("behavior") == "NON_BLOCKING" and "name" in each)

    def resumed(self, handle: str | None) -> bytes:
        """The message of a session that goes on with a handle, or begins anew without one; no history is announced again."""
        resumption = {name: value for name, value in self.fields.get(_RESUMPTION, {}).items() if name != "handle"}
        if handle is not None:
            resumption["handle"] = handle
        return b'%s,"%s":%s}}' % (self._begun, _RESUMPTION.encode(), _json.dumps(resumption))

    @cached_property
    def _begun(self) -> bytes:
        """What all resumed messages have in common, up to the resumption, which is its last member."""
        kept = {name: value for name, value in self.fields.items() if name not in (_HISTORY, _RESUMPTION)}
        return _json.dumps({"setup": kept}).removesuffix(b"}}")
