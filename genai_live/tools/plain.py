"""What a function gave back, as JSON and as parts of a response. Pure, but for encoding images: runs on any thread."""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import enum
import math
import pathlib
import uuid
from collections.abc import Iterator, Mapping, Set, ValuesView
from decimal import Decimal
from typing import Any

from genai_live.audio import Audio
from genai_live.types import Blob, FunctionResponsePart, Part
from genai_live.types._base import Message

_LISTS = (list, tuple, Set, collections.deque, range, ValuesView, Iterator)
_TEXTS = (uuid.UUID, pathlib.PurePath)


class Unsayable(Exception):
    """JSON has no word for a value."""


def plain(value: Any) -> Any:
    """A value as JSON has it: records by their fields, times as ISO 8601, bytes as base64, NaN as null, keys as text.

    Raises:
        Unsayable: an object of another kind, or one that contains itself.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise Unsayable("contains itself, or is nested too deeply") from None


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, _LISTS) and not hasattr(value, "_asdict"):
        return [_plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    return _record(value)


def _record(value: Any) -> Any:
    """Objects that say themselves what they hold."""
    if isinstance(value, type):
        raise Unsayable(f"the class {value.__name__}")
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Message):
        return _plain(value.to_dict())
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "__attrs_attrs__"):
        return {field.name: _plain(getattr(value, field.name)) for field in value.__attrs_attrs__}
    for name in ("tolist", "to_dict"):  # numpy's numbers and arrays; pandas
        if callable(getattr(value, name, None)):
            return _plain(getattr(value, name)())
    raise Unsayable(f"a {type(value).__name__}")


def _key(key: Any) -> str:
    said = _plain(key)
    return said if isinstance(said, str) else str(said).lower() if isinstance(said, bool) else str(said)


def _number(value: Decimal) -> Any:
    """A number where JSON's numbers hold it exactly, else text."""
    if not value.is_finite():
        return None
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _duration(value: datetime.timedelta) -> str:
    seconds = value.total_seconds()
    return f"{'-' if seconds < 0 else ''}PT{abs(seconds):.6f}".rstrip("0").rstrip(".") + "S"


def said(result: Any) -> tuple[dict[str, Any], list[FunctionResponsePart]]:
    """A result as ``response`` and ``parts``: pictures and sound, alone or in a list, go as parts, all else as ``output``.

    Raises:
        Unsayable: JSON has no word for it.
    """
    items = list(result) if isinstance(result, (list, tuple)) and not hasattr(result, "_fields") else [result]
    blobs = [_blob(item) for item in items]
    if not any(blob is not None for blob in blobs):
        return {"output": plain(result)}, []
    if any(blob is not None and not blob.mime_type for blob in blobs):
        raise Unsayable("a Blob without its mime_type")
    parts = [FunctionResponsePart.from_bytes(blob.data or b"", blob.mime_type or "") for blob in blobs if blob is not None]
    others = [plain(item) for item, blob in zip(items, blobs, strict=True) if blob is None]
    return {"output": others[0] if len(others) == 1 else others or None}, parts


def _blob(item: Any) -> Blob | None:
    if isinstance(item, Blob):
        return item
    if isinstance(item, (Part, FunctionResponsePart)) and item.inline_data is not None:
        held: Any = item.inline_data
        return Blob(data=held.data, mime_type=held.mime_type)
    if isinstance(item, Audio):
        return Blob(data=item.wav_bytes(), mime_type="audio/wav")
    if type(item).__module__.partition(".")[0] == "PIL":
        from genai_live._client_messages.pictures import picture_blob

        return Blob(**picture_blob(item, "result"))
    return None
