"""Recordings of sessions: one JSON object for each line, written as things happen and read back. Pure but for the file.

The first line of a session says what it was: ``{"session", "backend", "method", "version", "started"}``. The lines after it say
what came, when, and from whom: ``{"session", "at", "from": "client" or "server", ...}`` with one of ``message`` (parsed JSON),
``raw`` (base64 of what was not JSON), ``close`` (code, with ``reason``) or ``refused`` (HTTP status, with ``body``). Credentials
are never written, nor what a client said that is not JSON, where nobody can tell what is one; audio is left out on request. The
length of what was left out stays.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from genai_live.emulator.script.redaction import REMOVED
from genai_live.emulator.server.validation import camel_case
from genai_live.errors import ConfigError

_SECRET_NAME = re.compile(
    r"api.?key|secret|passw(or)?d|passphrase|credential|authorization|oauth|(access|refresh|id|auth|bearer|session).?token"
    r"|^(headers|token|cookies?|jwt|signature|service.?account|private.?key)$",
    re.IGNORECASE,
)
"""Names of members that hold credentials, in whatever spelling: the values below them are replaced, the names stay."""

_SCHEMA_MEMBERS = "properties"
"""What a schema calls the names of somebody's arguments: ``password`` there is no password."""

_ADDRESS_NAME = re.compile(r"ur[il]$|endpoint|address", re.IGNORECASE)
_ADDRESS = re.compile(r"(?is)(?P<scheme>[a-z][a-z0-9+.-]*://)?(?P<user>[^/?#@]*@)?(?P<host>[^/?#]*)(?P<rest>.*)")
_USER = re.compile(r"(?<=://)[^/?#@\s\"'<>]+(?=@)")
_PARAMETER = re.compile(
    r"(?<=[?&;#])([\w.-]*(?:key|token|secret|sig|passw|pwd|auth|credential|session)[\w.-]*=)[^&#\s\"'<>]+", re.IGNORECASE
)
"""Within any text: user and password of a URL; parameters that are credentials by their names."""


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
    removed: int = 0
    """Bytes of a raw message whose content was left out."""
    text: bool = False
    """True when it came in a text frame."""
    close: int | None = None
    reason: str = ""
    refused: int | None = None
    body: str = ""


def clean(value: Any, without_audio: bool) -> Any:
    """A message without credentials, and on request without audio: ``{"data": "", "removedBytes": n}`` in its place.

    Beside members whose names say that they are secret, what opens something are addresses: those of tools keep their host only.
    """
    return _clean(value, without_audio, in_tools=False)


def _clean(value: Any, without_audio: bool, in_tools: bool, parent: str = "") -> Any:
    if isinstance(value, str):
        return _clean_text(value, in_tools, parent)
    if isinstance(value, list):
        return [_clean(item, without_audio, in_tools, parent) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = camel_case(key)
        if parent != _SCHEMA_MEMBERS and _SECRET_NAME.search(name):
            found[key] = _hidden(item)
        else:
            inside = name in ("tools", "mcpServers") or (in_tools and name != "functionDeclarations")
            found[key] = _clean(item, without_audio, inside, name)
    mime = str(value.get("mimeType") or value.get("mime_type") or "")
    if without_audio and mime.startswith("audio/") and isinstance(value.get("data"), str):
        found["data"] = ""
        found["removedBytes"] = len(value["data"].rstrip("=")) * 3 // 4
    return found


def _clean_text(text: str, in_tools: bool, name: str) -> str:
    if in_tools and ("://" in text or _ADDRESS_NAME.search(name)):
        found = _ADDRESS.fullmatch(text.strip())
        if found is not None and not re.search(r"\s", found["host"]):
            rest = f"/{REMOVED}" if found["rest"].strip("/") else found["rest"]
            return f"{found['scheme'] or ''}{REMOVED + '@' if found['user'] else ''}{found['host']}{rest}"
    if "://" in text:
        text = _USER.sub(REMOVED, text)
    return _PARAMETER.sub(rf"\1{REMOVED}", text) if "=" in text else text


def _hidden(value: Any) -> Any:
    """The same with every text and number replaced."""
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value if value is None or isinstance(value, bool) else REMOVED


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


def create(path: Path) -> TextIO:
    """The file of a recording, as it was until its first line: its owner alone may read it, for it holds a conversation.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if _is_regular(descriptor) and hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # a file that was there before has a mode of its own
        # Half a surrogate pair becomes its escape, which within JSON means the same.
        return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    except BaseException:
        os.close(descriptor)
        raise


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


class Writer:
    """Writes a recording, line by line, so that what was recorded survives a crash. Any thread may call it.

    The first line replaces what was in the file: a recorder that nobody talks through replaces nothing.
    """

    def __init__(self, file: TextIO, without_audio: bool) -> None:
        self._file = file
        self._without_audio = without_audio
        self._begun = False
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
            line |= {"removedBytes": event.removed} if event.removed else {}
        elif event.close is not None:
            line |= {"close": event.close, "reason": event.reason}
        else:
            line |= {"refused": event.refused, "body": event.body}
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            if not self._begun and _is_regular(self._file.fileno()):
                self._file.truncate(0)
            self._begun = True
            self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            self._file.flush()


def read_recording(path: str | Path) -> Iterator[Head | Event]:
    """The lines of a recording.

    Raises:
        ConfigError: with the line that is wrong, OSError for a file that cannot be read.
    """
    with open(path, encoding="utf-8", errors="replace") as file:  # what is not UTF-8 is not a line of a recording either
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                yield _read_line(json.loads(text))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
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
        removed=line.get("removedBytes", 0),
        text=line.get("frame") == "text",
        close=line.get("close"),
        reason=line.get("reason", ""),
        refused=line.get("refused"),
        body=line.get("body", ""),
    )
