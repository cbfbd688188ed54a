"""The bytes of a Blob, however a caller holds them: bytes, an array of them, or a str of base64. Pure: runs on any thread."""

from __future__ import annotations

import os
from typing import Any

from genai_live import _json
from genai_live.audio.buffers import is_buffer, plain_bytes
from genai_live.errors import ConfigError

BASE64_ONLY_IN_A_BLOB = "a str is taken as base64 in the data of a Blob or dict only, beside its mime_type"
"""The rule for text, in the words of every error that is about it."""

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".gif", ".bmp")


def bytes_of(data: Any, path: str) -> bytes:
    """The bytes of ``path``'s ``data``.

    Raises:
        ConfigError: neither bytes nor base64.
    """
    where = f"{path}.data"
    if is_buffer(data):
        return plain_bytes(data, where)
    if not isinstance(data, str):
        raise ConfigError(f"must be bytes, not {type(data).__name__}{hint(data)}", where)
    try:
        return _json.b64decode(data)
    except ValueError:
        is_url = data.startswith("data:")
        advice = "pass what follows the comma" if is_url else "pass bytes, or base64.b64encode(...) of them"
        raise ConfigError(f"a str is taken as base64, and this one is not; {advice}", where) from None


def hint(value: Any) -> str:
    """What to do with a value that is taken for bytes in vain."""
    is_text = isinstance(value, str)
    found = [BASE64_ONLY_IN_A_BLOB] if is_text else []
    if isinstance(value, os.PathLike) or (is_text and value.lower().endswith(".wav")):
        found.append("a WAV file goes through stream_audio(path)")
    elif is_text and value.lower().endswith(_PICTURE_SUFFIXES):
        found.append("a picture's path is a pathlib.Path")
    elif hasattr(value, "read"):
        found.append("what its read() gives goes into a Blob: Blob(data=..., mime_type=...)")
    elif hasattr(value, "__array__"):
        found.append("pass numpy.asarray() of it, as int16")
    return "".join(f"; {each}" for each in found)
