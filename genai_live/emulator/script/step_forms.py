"""What the fields of a scenario's steps may hold: one table from a field's annotation to a check. Pure: runs on any thread."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from genai_live._arguments import is_number
from genai_live.emulator.server.validation import snake_case
from genai_live.errors import ConfigError
from genai_live.types._base import fields_of
from genai_live.types.music import LiveMusicClientMessage
from genai_live.types.realtime import LiveClientMessage, LiveClientRealtimeInput

MOMENTS = ("upgrade", "speech start", "speech", "turn complete", "close")
"""What a scenario can expect beside messages."""

MESSAGE_KINDS = (
    *(field.wire for field in fields_of(LiveClientMessage)),
    *(f"realtimeInput.{field.wire}" for field in fields_of(LiveClientRealtimeInput)),
    *(field.wire for field in fields_of(LiveMusicClientMessage)),
    "prompt",
)
"""What a scenario can expect of a client."""

RESERVED_CODES = frozenset({1004, 1006})
"""Close codes that no Close frame may carry (RFC 6455 section 7.4.1), of those below 1015; 1005 means a frame without one."""

FIRST_PRIVATE_CODE, LAST_CODE = 3000, 4999


def _is_number(value: Any) -> bool:
    return is_number(value) and 0 <= value < math.inf


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_call(value: Any) -> bool:
    known = {"name": str, "args": Mapping, "id": str}
    return _is_object(value) and "name" in value and all(isinstance(item, known.get(key, ())) for key, item in value.items())


FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_is_count, "a whole number, 0 or more"),
    "float": (_is_number, "a number, 0 or more"),
    "float | None": (lambda value: value is None or _is_number(value), "a number, 0 or more"),
    "str": (lambda value: isinstance(value, str), "text"),
    "str | None": (lambda value: value is None or isinstance(value, str), "text"),
    "str | bytes": (lambda value: isinstance(value, (str, bytes)), "text (or bytes)"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "bool | None": (lambda value: value is None or isinstance(value, bool), "true or false"),
    "Mapping[str, Any]": (_is_object, "an object"),
    "Mapping[str, Any] | str | None": (lambda value: value is None or isinstance(value, str) or _is_object(value), "an object"),
    "Mapping[str, str]": (
        lambda value: _is_object(value) and all(isinstance(item, str) for item in value.values()),
        "an object of texts",
    ),
    "Sequence[str]": (lambda value: _is_list(value) and all(isinstance(item, str) for item in value), "a list of texts"),
    "Sequence[Mapping[str, Any]]": (
        lambda value: _is_list(value) and all(map(_is_call, value)),
        'a list of calls, each {"name": text, "args": object, "id": text}',
    ),
    "float | str | bytes | None": (
        lambda value: value is None or isinstance(value, (str, bytes)) or _is_number(value),
        "seconds of tones, or the path of a WAV file",
    ),
}
"""Annotation of a field to what it may hold, and that in words."""


def check_field(name: str, annotation: str, value: Any) -> None:
    """Raises ConfigError for a value that a field of this annotation cannot hold."""
    fits, words = FORMS.get(annotation, (None, ""))
    if fits is not None and not fits(value):
        raise ConfigError(f"must be {words}, not {value!r}", name)


def check_kind(kind: str) -> None:
    """Raises ConfigError for a kind of message, or a moment, that never comes."""
    known = (*MESSAGE_KINDS, *MOMENTS)
    if kind and kind not in known:
        raise ConfigError(f"{kind!r} never comes from a client; {hint(kind, known)}", "expect.kind")


def check_code(code: int) -> None:
    """Raises ConfigError for a number that no Close frame may carry."""
    standard = 1000 <= code < 1015 and code not in RESERVED_CODES
    if not standard and not FIRST_PRIVATE_CODE <= code <= LAST_CODE:
        words = "1000 to 1014 (but not 1004 and 1006) and 3000 to 4999 can be"
        raise ConfigError(f"{code} is not a close code that can be sent; {words}", "close.code")


def check_status(status: int) -> None:
    """Raises ConfigError for a number that is not the status of an HTTP answer."""
    if not 200 <= status <= 999:
        raise ConfigError(f"{status} is not a status of a refusal: 200 to 999", "refuseUpgrade.status")


def hint(wrong: str, known: Collection[str]) -> str:
    """What may have been meant: the likeliest name, or all of them."""
    by_plain_name = {snake_case(name).lower(): name for name in known}
    close = difflib.get_close_matches(snake_case(wrong).lower(), by_plain_name, n=1)
    return f"did you mean {by_plain_name[close[0]]!r}?" if close else f"there is {', '.join(known)}"
