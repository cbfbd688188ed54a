"""What a notebook shows of the library's objects: text in, HTML out. Pure: any thread, loaded when an object is shown.

The HTML holds whatever becomes of a notebook: styles stand in the elements, because a notebook that is not trusted loses its
``style`` and ``script`` elements; there is no id and no script; colours are those of the page, light or dark, or a share of
them; a model's words are text and never markup; an object takes less than ``LARGEST`` bytes with all that it holds.
"""

from __future__ import annotations

import base64
import html
import weakref
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

LARGEST = 1_000_000
"""Bytes of one object's HTML: a notebook keeps all that it shows, and is sent whole whenever it is saved."""
LONGEST_TEXT = 20_000
"""Characters of one text that are shown: an hour of speech has twice as many."""
LONGEST_VALUE = 2_000
"""Characters of one value among the details."""
LONGEST_LINE = 80
"""Characters of a text that stands in a line with others."""

_FAINT = "opacity: 0.7"
_BOX = "max-width: 60em; line-height: 1.5; padding: 0.2em 0"
_WORDS = "white-space: pre-wrap; overflow-wrap: break-word"


def escaped(text: object) -> str:
    """Text as HTML shows it."""
    return html.escape(str(text))


def shortened(text: str, longest: int) -> str:
    """The beginning of a long text, and how much of it is missing."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def line(text: str) -> str:
    """A text as part of one line."""
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_LINE else f"{words[: LONGEST_LINE - 1]}…"


def box(*pieces: str) -> str:
    """One object."""
    return f'<div class="genai-live" style="{_BOX}">{"".join(pieces)}</div>'


def said(who: str, words: str) -> str:
    """A line of a conversation; a text of any script and direction, its own line breaks kept."""
    text = escaped(shortened(words, LONGEST_TEXT))
    return f'<div dir="auto" style="{_WORDS}"><b>{escaped(who)}:</b> {text}</div>'


def faint(words: str) -> str:
    """A line that stands back."""
    return f'<div style="{_FAINT}">{escaped(words)}</div>' if words else ""


def player(wav: bytes) -> str:
    """A player of a WAV file that is in the page itself: it plays without a kernel, a server and a network."""
    source = base64.b64encode(wav).decode("ascii")
    return f'<audio controls preload="metadata" src="data:audio/wav;base64,{source}"></audio>'


def picture(data: bytes, mime_type: str) -> str:
    """A picture that is in the page itself."""
    source = f"data:{mime_type};base64,{base64.b64encode(data).decode('ascii')}"
    return f'<img src="{escaped(source)}" style="max-width: 100%">'


def folded(summary: str, body: str) -> str:
    """A line that unfolds."""
    return f"<details><summary>{escaped(shortened(summary, LONGEST_VALUE))}</summary>{body}</details>"


def rows(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Names and values, one pair a line; what is None or empty is left out."""
    pairs = values.items() if isinstance(values, Mapping) else values
    shown = ((name, shortened(str(value), LONGEST_VALUE)) for name, value in pairs if value not in (None, "", (), [], {}))
    lines = "".join(
        f'<div dir="auto" style="{_WORDS}"><span style="{_FAINT}">{escaped(name)}:</span> {escaped(value)}</div>'
        for name, value in shown
    )
    return f'<div style="padding-left: 1.2em">{lines}</div>'


def preformatted(text: str) -> str:
    """A text as a terminal shows it."""
    return f'<pre style="{_WORDS}">{escaped(shortened(text, LONGEST_TEXT))}</pre>'


def within(room: int | None, pieces: Iterable[str], noun: str) -> str:
    """As many of the pieces as take at most ``room`` bytes, from the first one on, and how many more there are."""
    held = list(pieces)
    sizes = accumulate(map(size_of, held))
    fitting = len(held) if room is None else sum(size <= room for size in sizes)
    left = len(held) - fitting
    return "".join(held[:fitting]) + (faint(f"and {counted(left, noun)} more") if left else "")


def size_of(*pieces: str) -> int:
    """Bytes of HTML as a notebook keeps it."""
    return sum(len(piece.encode("utf-8", "replace")) for piece in pieces)


def in_base64(size: int) -> int:
    """Bytes of which base64 takes at most ``size``."""
    return max(size, 0) // 4 * 3


def counted(number: int, noun: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


# An object that was shown while it came is one line at the end of the same cell, so that a notebook has one copy of it.

_SHOWN: list[weakref.ref[object]] = []


def note_shown(obj: object) -> None:
    """This cell has shown all of it."""
    _SHOWN.append(weakref.ref(obj))


def is_shown(obj: object) -> bool:
    """True until the end of the cell that has shown it."""
    return any(ref() is obj for ref in _SHOWN)


def forget_shown() -> None:
    """The cell is over."""
    _SHOWN.clear()
