"""Which cell made what: a cell that is run again replaces what it made before. On the kernel's main thread."""

from __future__ import annotations

import threading
from typing import Protocol

from genai_live.notebook.surface import shell


class Closable(Protocol):
    """Something that a cell has made."""

    def close(self) -> None:
        """Ends it."""


_lock = threading.Lock()
"""Guards the table."""
_made: dict[str, tuple[str, list[Closable]]] = {}
"""By cell: the execution that made them, and what it made."""


def replace_older(new: Closable) -> None:
    """Closes what an earlier run of this cell has made, and keeps ``new`` in its place; without a notebook nothing happens."""
    cell, execution = _here()
    if not cell:
        return
    with _lock:
        before, made = _made.get(cell, ("", []))
        older = made if before != execution else []
        _made[cell] = (execution, [new] if older or before != execution else [*made, new])
    for each in older:
        each.close()


def forget(closed: Closable) -> None:
    """It was closed some other way."""
    with _lock:
        for cell, (execution, made) in tuple(_made.items()):
            _made[cell] = (execution, [each for each in made if each is not closed])


def _here() -> tuple[str, str]:
    """The cell that runs, by the id that its page gives it or by its text, and this run of it."""
    running = shell()
    if running is None:
        return "", ""
    message = running.get_parent()
    metadata, content = message.get("metadata", {}), message.get("content", {})
    cell = metadata.get("cellId") or content.get("code") or ""
    return str(cell), str(message.get("header", {}).get("msg_id", ""))
