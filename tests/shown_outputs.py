"""What a page shows beside its blocks: a block's output is the ``text`` block behind it, or the comments ``# -> ...`` in it.

Both are compared with what really comes, by one rule: a number with a point may be another one, because times and lengths vary;
``…`` is any text within a line, and on a line of its own any lines; lines of a block with a callback that another thread calls
(``on_run``) may change places; everything else is as it stands.
"""

from __future__ import annotations

import re
from textwrap import dedent
from typing import NamedTuple

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"# -> (.*)$", re.MULTILINE)
_NUMBER = re.compile(r"(?:\\-)?\d+\\\.\d+")
"""A number with a point, in an escaped text."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    output: str | None
    """All that it prints, where the page shows that."""

    @property
    def lines(self) -> list[str]:
        """Lines that it prints, among others."""
        return _COMMENT.findall(self.code)

    @property
    def shows_output(self) -> bool:
        """True where the page says what comes."""
        return self.output is not None or bool(self.lines)


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page; those that are another one's output belong to it."""
    found: list[Block] = []
    for _, language, text in _FENCED.findall(page):
        if language == "text":
            found[-1] = found[-1]._replace(output=text)
        else:
            found.append(Block(language, dedent(text), None))
    return found


def complaint(block: Block, printed: str) -> str:
    """How what was printed differs from what the page shows; empty where it does not."""
    placed = sorted if "on_run" in block.code else list
    came = "\n".join(placed(printed.splitlines()))
    if block.output is not None and not re.fullmatch(_pattern(placed(block.output.splitlines())), came):
        return f"the page shows:\n{block.output}\nand this came:\n{printed}"
    left = printed.splitlines()
    for line in block.lines:
        while left and not re.fullmatch(_line_pattern(line), left[0].strip()):
            del left[0]
        if not left:
            return f"the page shows # -> {line}\nand this came:\n{printed}"
    return ""


def _pattern(shown: list[str]) -> str:
    return "\n".join(map(_line_pattern, shown))


def _line_pattern(shown: str) -> str:
    if shown.strip() == "…":
        return r"[\s\S]*?"
    return _NUMBER.sub(r"-?\\d+\\.\\d+", re.escape(shown)).replace("…", "[^\n]*")
