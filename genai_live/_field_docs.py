"""The meanings of a class's fields in its ``__doc__``, where ``help()`` shows them: read when somebody asks. Runs on any thread.

The text below a field in the source is for readers and editors, and Python forgets it. Here it is read from the source again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

C = TypeVar("C", bound=type)
Meanings = Callable[[type], Mapping[str, str]]
"""For a class: each field's meaning, by name."""


def documented(cls: C, meanings: Meanings | None = None) -> C:
    """The class, whose ``__doc__`` from now on goes on with its fields; by default with the texts below them in the source."""
    setattr(cls, "__doc__", _Documentation(cls.__doc__ or "", meanings or below_fields))  # noqa: B010 - str, to a type checker
    return cls


def summary(cls: type) -> str:
    """The ``__doc__`` of a class without its fields."""
    held = vars(cls).get("__doc__")
    return held.text if isinstance(held, _Documentation) else held or ""


class _Documentation:
    def __init__(self, text: str, meanings: Meanings) -> None:
        self.text = text
        self._meanings = meanings
        self._whole = ""

    def __get__(self, instance: object, owner: type) -> str:
        if not self._whole:
            self._whole = _with_fields(owner, self.text, self._meanings(owner))
        return self._whole


def _with_fields(cls: type, text: str, meanings: Mapping[str, str]) -> str:
    import inspect
    import textwrap

    if not meanings:
        return text
    kinds = {name: kind for base in reversed(cls.__mro__) for name, kind in inspect.get_annotations(base).items()}
    rows = (f"{name} ({_readable(kinds.get(name, ''))}): {' '.join(meaning.split())}" for name, meaning in meanings.items())
    wrapped = (textwrap.fill(row, 110, initial_indent="    ", subsequent_indent="        ") for row in rows)
    return "\n".join([inspect.cleandoc(text), "", "Fields:", *wrapped])


def _readable(kind: Any) -> str:
    return str(getattr(kind, "__forward_arg__", kind)).removesuffix(" | None")


def below_fields(cls: type) -> dict[str, str]:
    """The texts below the fields of a class and its bases; nothing where there is no source."""
    import ast
    import inspect
    import textwrap

    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("genai_live"):
            continue
        try:
            body: Any = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError):  # no file, or no module
            return {}
        for field, text in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                found[field.target.id] = str(text.value.value) if is_text else ""
    return found
