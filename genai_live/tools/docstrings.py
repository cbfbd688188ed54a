"""The text for the model, and those of the parameters, read from a docstring. Pure: runs on any thread.

Google's, Sphinx's and NumPy's forms are read by docstring_parser (extra ``tools``); without it the texts of the parameters stay
in the description, where the model finds them too.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_tells_parameters = re.compile(
    r"^[ \t]*(?:(?:Args|Arguments|Parameters|Params|Attributes|Keyword Args):[ \t]*$"
    r"|:(?:param|arg|parameter|key)\b|(?:Parameters|Attributes)\n[ \t]*-{3,})",
    re.MULTILINE,
).search
_VOID = "None"


class Text(NamedTuple):
    """What a docstring says."""

    description: str | None
    parameters: Mapping[str, str]
    """By the parameter's name."""
    unread: bool = False
    """True when there are texts of parameters that nothing here can read."""


NO_TEXT = Text(None, {})


def read(docstring: str | None) -> Text:
    """Takes a docstring apart."""
    if not docstring or not docstring.strip():
        return NO_TEXT
    whole = inspect.cleandoc(docstring)
    if not _tells_parameters(whole):
        return Text(whole, {})
    try:
        from docstring_parser import ParseError, parse
    except ImportError:
        return Text(whole, {}, unread=True)
    try:
        parsed = parse(whole)
    except ParseError:
        return Text(whole, {})
    texts = {_name_of(each): " ".join((each.description or "").split()) for each in parsed.params}
    if not texts:
        return Text(whole, {})
    gap = "\n\n" if parsed.blank_after_short_description else "\n"
    words = gap.join(filter(None, [parsed.short_description, parsed.long_description]))
    result = parsed.returns.description if parsed.returns is not None else None
    if result and result != _VOID:
        words = f"{words}\n\nReturns: {' '.join(result.split())}".strip()
    return Text(words or None, {name: text for name, text in texts.items() if text})


def _name_of(parameter: Any) -> str:
    """Its name; NumPy's form writes ``*names`` and ``a, b`` too."""
    return str(parameter.arg_name).lstrip("*").split(" ")[0].split(",")[0]


def written_by_hand(cls: Any) -> Text:
    """What the docstring of a class says, unless Python has written it."""
    text = vars(cls).get("__doc__") if isinstance(cls, type) else None
    if not isinstance(text, str):
        return NO_TEXT
    made = f"{cls.__name__}("
    if (dataclasses.is_dataclass(cls) or hasattr(cls, "_fields")) and text.startswith(made):
        return NO_TEXT
    return read(text)
