"""Where the command line writes: results to one stream, notices and what is redrawn to another. For one thread: the main one."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import TextIO

from genai_live.cli.view import ESCAPED, Look, harmless, look_for

_UP = "\x1b[{}A"
_CLEAR_LINE = "\r\x1b[2K"
_CLEAR_BELOW = "\x1b[J"
"""ECMA-48: cursor up, erase in line, erase in page."""

NARROWEST = 20
"""Columns below which a terminal is treated as if it had so many: it wraps then."""


class Screen:
    """Results on stdout, for programs to read; progress and notices on stderr, for people.

    On a terminal the last lines are redrawn in place; elsewhere only plain lines are written. Colours are off when NO_COLOR is
    set (https://no-color.org), and everything but plain lines when TERM is ``dumb``. ``quiet`` leaves progress and notices out.
    A terminal obeys nothing of what others have said: only what ``view`` has made may hold its commands.
    """

    def __init__(
        self, notices: TextIO, results: TextIO, environment: Mapping[str, str] = os.environ, *, quiet: bool = False
    ) -> None:
        self._notices = notices
        self._results = results
        self._quiet = quiet
        self._drawn = 0
        self._is_dumb = environment.get("TERM") == "dumb"
        self.live = notices.isatty() and not self._is_dumb and not quiet
        """True when lines can be redrawn."""
        self.look: Look = look_for(notices.encoding, self.live and not environment.get("NO_COLOR"))

    @property
    def columns(self) -> int:
        """Columns to write into; the last one is left free, for some terminals wrap a line that fills it."""
        return max(NARROWEST, shutil.get_terminal_size().columns) - 1

    @property
    def columns_of_results(self) -> int | None:
        """Columns for results that a terminal shows; None where they go elsewhere, as plain lines."""
        return self.columns if self._results.isatty() and not self._is_dumb else None

    def say(self, text: str) -> None:
        """Writes a notice, in place of the drawn lines; a terminal gets it broken between words."""
        self._erase()
        if self._quiet:
            return
        text = harmless(text)
        self._write((_filled(text, self.columns) if self.live else text) + "\n")

    def result(self, text: str) -> None:
        """Writes a line of the result, in place of the drawn lines."""
        self.write(text + "\n")

    def painted(self, text: str, *, end: str = "\n") -> None:
        """Writes a part of the result that ``view`` has made, colours included."""
        self._erase()
        self._results.write(text + end)
        self._results.flush()

    def sentence(self, text: str) -> None:
        """Writes a sentence of the result, on a terminal broken between words."""
        columns = self.columns_of_results
        self.result(text if columns is None else _filled(text, columns))

    def json(self, value: object) -> None:
        """Writes the result as one line of JSON, in place of the drawn lines."""
        self.painted(json.dumps(value, ensure_ascii=False).translate(ESCAPED))

    def write(self, text: str) -> None:
        """Writes a part of the result, without ending its line."""
        self.painted(harmless(text), end="")

    def draw(self, lines: Sequence[str]) -> None:
        """Shows lines in place of those drawn before; nothing where lines cannot be redrawn."""
        if not self.live:
            return
        up = _UP.format(self._drawn) if self._drawn else ""
        self._write(up + "".join(f"{_CLEAR_LINE}{line}\n" for line in lines) + _CLEAR_BELOW)
        self._drawn = len(lines)

    def keep(self) -> None:
        """Lets the drawn lines stay as they are."""
        self._drawn = 0

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r" + _UP.format(self._drawn) + _CLEAR_BELOW)  # a terminal shows ^C where the cursor is
            self._drawn = 0

    def _write(self, text: str) -> None:
        self._notices.write(text)
        self._notices.flush()


def _filled(text: str, columns: int) -> str:
    return textwrap.fill(text, columns, break_long_words=False, break_on_hyphens=False)
