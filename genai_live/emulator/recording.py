"""Recordings of sessions: one JSON object for each line, written as things happen and read back. Pure but for the file.

The first line of a session says what it was: ``{"session", "backend", "method", "version", "started"}``. The lines after it say
what came, when, and from whom: ``{"session", "at", "from": "client" or "server", ...}`` with one of ``message`` (parsed JSON),
``raw`` (base64 of what was no JSON), ``close`` (code, with ``reason``) or ``refused`` (HTTP status, with ``body``). Credentials
are never written; audio is left out on request, and then the length of what was left out stays.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from genai_live.emulator.validation import camel_case
from genai_live.errors import ConfigError

SECRET_FIELDS = frozenset({"apiKey", "apiKeyString", "accessToken", "headers", "oauthConfig", "apiKeySecret", "serviceAccount"})
"""Fields of tools that hold credentials; their values are replaced."""

REMOVED = "<removed>"


@dataclass(frozen=True)
class Head:
    """What a recorded session was."""

    session: int
    backend: str
    method: str
    version: str
    started: str
    """ISO 8601."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a recorded session."""

    session: int
    at: float
    """Seconds since the session's upgrade."""
    sender: str
    """``client`` or ``server``."""
    message: dict[str, Any] | None = None
    raw: bytes | None = None
    text: bool = False
    """True when it came in a text frame."""
    close: int | None = None
    reason: str = ""
    refused: int | None = None
    body: str = ""


def clean(value: Any, without_audio: bool) -> Any:
    """A message without credentials, and on request without audio: ``{"data": "", "removedBytes": n}`` in its place."""
    if isinstance(value, list):
        return [clean(item, without_audio) for item in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: REMOVED if camel_case(key) in SECRET_FIELDS else clean(item, without_audio) for key, item in value.items()
    }
    mime = str(value.get("mimeType") or value.get("mime_type") or "")
    if without_audio and mime.startswith("audio/") and isinstance(value.get("data"), str):
        found["data"] = ""
        found["removedBytes"] = len(value["data"].rstrip("=")) * 3 // 4
    return found


def restore_audio(value: Any) -> Any:
    """A message with silence where ``clean`` left out audio."""
    if isinstance(value, list):
        return [restore_audio(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: restore_audio(item) for key, item in value.items() if key != "removedBytes"}
    if "removedBytes" in value:
        found["data"] = base64.b64encode(bytes(value["removedBytes"])).decode()
    return found


class Writer:
    """Writes a recording, line by line, so that what was recorded survives a crash. Any thread may call it."""

    def __init__(self, file: TextIO, without_audio: bool) -> None:
        self._file = file
        self._without_audio = without_audio
        self._lock = threading.Lock()

    def head(self, head: Head) -> None:
        """Begins a session."""
        self._write(asdict(head))

    def event(self, event: Event) -> None:
        """Notes what happened."""
        line: dict[str, Any] = {"session": event.session, "at": round(event.at, 4), "from": event.sender}
        if event.message is not None:
            line |= {"frame": "text" if event.text else "binary", "message": clean(event.message, self._without_audio)}
        elif event.raw is not None:
            line |= {"frame": "text" if event.text else "binary", "raw": base64.b64encode(event.raw).decode()}
        elif event.close is not None:
            line |= {"close": event.close, "reason": event.reason}
        else:
            line |= {"refused": event.refused, "body": event.body}
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            self._file.flush()


def read_recording(path: str | Path) -> Iterator[Head | Event]:
    """The lines of a recording; raises ConfigError with the line that is wrong, OSError for a file that cannot be read."""
    with open(path, encoding="utf-8", errors="replace") as file:  # what is no UTF-8 is no line of a recording either
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                yield _read_line(json.loads(text))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"line {number} is not a line of a recording: {error!r}", str(path)) from None


def _read_line(line: dict[str, Any]) -> Head | Event:
    if "from" not in line:
        return Head(line["session"], line["backend"], line["method"], line["version"], line["started"])
    return Event(
        session=line["session"],
        at=float(line["at"]),
        sender=line["from"],
        message=line.get("message"),
        raw=base64.b64decode(line["raw"]) if "raw" in line else None,
        text=line.get("frame") == "text",
        close=line.get("close"),
        reason=line.get("reason", ""),
        refused=line.get("refused"),
        body=line.get("body", ""),
    )
