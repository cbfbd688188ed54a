"""What the terminal shows, as text: bars, meters, lines cut to a width. Pure functions: nothing here knows a terminal."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

BAR_COLUMNS = 30
"""Columns of a progress bar where there is room."""

SILENT_DBFS = -80.0
"""dBFS below which a recording is called silent: three of the 32,768 steps of 16 bits."""

METER_COLUMNS = 10
METER_FLOOR_DBFS = -50.0
"""dBFS at which the level meter is empty: a quiet room, so that every column of the meter is worth 5 dB."""

ROOM_FOR_METER = 64
ROOM_FOR_BAR = 36
"""Columns of the terminal below which the meter, then the bar, is left out."""

LABEL_COLUMNS = 7
"""Columns of the word that begins a line; the longest is "asking"."""


TURNS_A_SECOND = 2.5
"""Turns of the spinner."""


_COMMANDS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {*map(ord, "\n\t")}
"""What a terminal obeys instead of showing it: controls (ECMA-48), which clear the screen, rename the window and fill the
clipboard, and marks that turn the order of what follows (Unicode UAX 9)."""
_SHOWN = dict.fromkeys(_COMMANDS, "\ufffd")
ESCAPED = {code: f"\\u{code:04x}" for code in _COMMANDS}
"""The same for ``str.translate`` of JSON, which loses nothing by it."""


def harmless(text: str) -> str:
    """Text of somebody else's, of which a terminal obeys nothing."""
    return text.translate(_SHOWN)


class Look(NamedTuple):
    """Which characters and colours a terminal can show."""

    full: str
    empty: str
    level: str
    quiet: str
    ellipsis: str
    spinner: str
    colour: bool


def look_for(encoding: str | None, colour: bool) -> Look:
    """Block characters where the encoding has them, ASCII elsewhere."""
    try:
        "█░▮▯…◐".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Look("#", ".", "=", "-", "...", "|/-\\", colour)
    return Look("█", "░", "▮", "▯", "…", "◐◓◑◒", colour)


def columns_of(text: str) -> int:
    """Columns that the text takes on a terminal: two for wide characters, none for marks that combine."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def bar(fraction: float, columns: int, look: Look) -> str:
    """A progress bar."""
    full = round(max(0.0, min(1.0, fraction)) * columns)
    return look.full * full + look.empty * (columns - full)


def meter(level: float, columns: int, look: Look) -> str:
    """A level meter: empty at METER_FLOOR_DBFS and below, full at 0 dBFS."""
    share = max(0.0, min(1.0, 1 - level / METER_FLOOR_DBFS))
    lit = round(share * columns)
    return look.level * lit + look.quiet * (columns - lit)


def level_words(level: float) -> str:
    """A level in words of one length."""
    return "silent" if level < SILENT_DBFS else f"{level:3.0f} dB"


def labelled(label: str, text: str, columns: int, look: Look) -> str:
    """A line that begins with a label; of text that is too long the end is shown, which is what comes in at the moment."""
    room = max(0, columns - LABEL_COLUMNS - 1)
    return paint(f"{label:<{LABEL_COLUMNS}}", _LABELS.get(label, _LABEL), look) + " " + tail(text, room, look)


def tail(text: str, columns: int, look: Look) -> str:
    """The end of a text that fits into so many columns, on one line."""
    text = harmless(" ".join(text.split()))
    if columns_of(text) <= columns:
        return text
    room = columns - columns_of(look.ellipsis)
    kept: list[str] = []
    for character in reversed(text):
        room -= columns_of(character)
        if room < 0:
            break
        kept.append(character)
    return (look.ellipsis + "".join(reversed(kept))) if kept else ""


def waiting_words(waited: float, look: Look) -> str:
    """That an answer is waited for, and how long."""
    turn = int(waited * TURNS_A_SECOND * len(look.spinner)) % len(look.spinner)
    return f"{look.spinner[turn]} {waited:.1f} s"


def asking_line(sent: float, total: float | None, level: float, columns: int, look: Look) -> str:
    """How much of the question has been sent, and how loud it is; what does not fit is left out."""
    words = f"{sent:.1f}/{total:.1f} s" if total is not None else f"{sent:.1f} s"
    if total and columns >= ROOM_FOR_BAR:
        room = min(BAR_COLUMNS, columns - LABEL_COLUMNS - 1 - len(words) - 1)
        words = f"{bar(sent / total, room, look)} {words}"
    if columns >= ROOM_FOR_METER:
        words = f"{words}  {meter(level, METER_COLUMNS, look)} {level_words(level)}"
    return labelled("asking", words, columns, look)


_LABEL = "1"
_LABELS = {"you": "1;36", "model": "1;32"}
"""SGR parameters (ECMA-48 8.3.117): bold; both sides of a conversation in cyan and green, which show on dark and light."""


def paint(text: str, style: str, look: Look) -> str:
    """The text in a style, where colours are wanted."""
    return f"\x1b[{style}m{text}\x1b[0m" if look.colour else text


def said(label: str, words: str, columns: int | None, look: Look) -> str:
    """A line that stays, of what one side has said; on a terminal broken between words, below itself."""
    words = harmless(words)
    head = paint(f"{label:<{LABEL_COLUMNS}}", _LABELS.get(label, "0"), look) + " "
    if columns is None:
        return f"{label}: {words}"
    room = max(1, columns - LABEL_COLUMNS - 1)
    lines = [""]
    for word in words.split():
        if lines[-1] and columns_of(lines[-1]) + 1 + columns_of(word) > room:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return head + f"\n{'':{LABEL_COLUMNS + 1}}".join(lines)
