"""Server messages as bytes, in the form the service sends them. Pure: runs on any thread."""

from __future__ import annotations

import json
from typing import Any

from genai_live import _json

_PLACE = "@@audio@@"

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


def _pretty(message: dict[str, Any]) -> bytes:
    if orjson is not None:
        return orjson.dumps(message, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return json.dumps(message, ensure_ascii=False, indent=2).encode() + b"\n"


class Encoder:
    """Writes messages; audio goes through a template made once, because it is most of what a server says."""

    def __init__(self, pretty: bool, audio_mime: str, model_role: bool) -> None:
        self._pretty = pretty
        self._audio_mime = audio_mime
        self._model_role = model_role
        self._templates: dict[str, tuple[bytes, bytes]] = {}

    def message(self, message: dict[str, Any]) -> bytes:
        """One message, pretty-printed as the service's, or compact."""
        return _pretty(message) if self._pretty else _json.dumps(message)

    def audio_message(self, data: str, mime: str | None = None) -> dict[str, Any]:
        """The message for one piece of audio, given as base64 text."""
        part = {"inlineData": {"mimeType": mime or self._audio_mime, "data": data}}
        return {"serverContent": {"modelTurn": self.model_turn([part])}}

    def audio(self, data: bytes, mime: str | None = None) -> bytes:
        """The bytes of the message for one piece of audio, given as base64."""
        before, after = self._templates.get(mime or "") or self._make_template(mime)
        return b"".join((before, data, after))

    def model_turn(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        """A modelTurn of some parts, with or without its role."""
        return {"parts": parts, "role": "model"} if self._model_role else {"parts": parts}

    def _make_template(self, mime: str | None) -> tuple[bytes, bytes]:
        before, _, after = self.message(self.audio_message(_PLACE, mime)).partition(_PLACE.encode())
        self._templates[mime or ""] = (before, after)
        return before, after
