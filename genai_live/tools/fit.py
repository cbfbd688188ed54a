"""The error of a value of the wrong kind, with the path to it in the arguments. Pure: runs on any thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_SHORT = 60
"""Characters of a value that a sentence quotes: the model sent it, and has to find it again."""


class Unfit(Exception):
    """A value does not fit. ``words`` go on after its name: "must be a whole number, not 'many'"."""

    def __init__(self, words: str, path: str = "") -> None:
        super().__init__(words, path)
        self.words = words
        self.path = path

    def sentence(self, name: str) -> str:
        """One sentence about the argument of this name."""
        return f"{name}{self.path} {self.words}"


@contextlib.contextmanager
def below(step: str) -> Iterator[None]:
    """What does not fit in here is found one step further down."""
    try:
        yield
    except Unfit as error:
        raise Unfit(error.words, step + error.path) from None


def shown(value: Any) -> str:
    """A value as a sentence quotes it."""
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


def must_be(what: str, value: Any) -> Unfit:
    """The error for a value that is something else."""
    return Unfit(f"must be {what}, not {shown(value)}")
