"""Where a turn is shown while it comes: below a notebook's cell, or as text in a terminal. On the thread that asks."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Protocol, TextIO

from genai_live import Turn, _html, _turn_html


class Surface(Protocol):
    """One place for one turn."""

    def begin(self, question: str) -> None:
        """The question is sent; empty when it is not text."""

    def update(self, turn: Turn) -> None:
        """The turn so far."""

    def end(self, turn: Turn) -> None:
        """The whole turn."""

    def stop(self, words: str) -> None:
        """Nothing more comes, for a reason."""


def shell() -> Any:
    """IPython's shell in a notebook; None in a terminal, and without IPython, which is not loaded for this."""
    module = sys.modules.get("IPython")
    running = None if module is None else module.get_ipython()
    return None if getattr(running, "kernel", None) is None else running


def surface() -> Surface:
    """The place for this program's turns."""
    running = shell()
    return Text(sys.stdout) if running is None else Output(running)


def display(html: str, text: str, **options: Any) -> Any:
    """Shows HTML in a notebook, with text for where HTML is not shown."""
    show: Any = importlib.import_module("IPython.display").display
    return show({"text/html": html, "text/plain": text}, raw=True, **options)


class Output:
    """An output of a notebook's cell, which changes while the turn comes."""

    def __init__(self, running: Any) -> None:
        self._shell = running
        self._handle: Any = None
        self._question = ""
        self._shown = ""
        self._turn: Turn | None = None

    def begin(self, question: str) -> None:
        """Shows the question."""
        self._question = question
        self._show(_html.said("You", question) if question else _html.faint("Asking …"), question)

    def update(self, turn: Turn) -> None:
        """Shows the words so far; a message without new words changes nothing, except for each second of speech."""
        self._turn = turn
        self._show(self._so_far(turn, f"{turn.audio.seconds:.0f} s of speech so far …" if turn.audio else "…"), repr(turn))

    def end(self, turn: Turn) -> None:
        """Shows all of it, with the only player; at the end of the same cell it is one line."""
        self._handle.update({"text/html": _turn_html.html_of(turn), "text/plain": repr(turn)}, raw=True)
        _html.note_shown(turn)
        self._shell.events.register("post_run_cell", self._forget)

    def _forget(self, *_: object) -> None:
        """The cell is over: from now on the turn shows all of itself again."""
        _html.forget_shown()
        self._shell.events.unregister("post_run_cell", self._forget)

    def stop(self, words: str) -> None:
        """Leaves what has come, and says why there is no more."""
        so_far = _html.said("You", self._question) if self._turn is None and self._question else ""
        self._show(so_far + _html.faint(words) if self._turn is None else self._so_far(self._turn, words), words)

    def _so_far(self, turn: Turn, note: str) -> str:
        return _turn_html.words_of(turn) + _turn_html.tools(turn) + _html.faint(note)

    def _show(self, html: str, text: str) -> None:
        if html == self._shown:
            return
        self._shown = html
        boxed = _html.box(html)
        if self._handle is None:
            self._handle = display(boxed, text, display_id=os.urandom(16).hex())
        else:
            self._handle.update({"text/html": boxed, "text/plain": text}, raw=True)


class Text:
    """Lines of a terminal, or of a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = ""

    def begin(self, question: str) -> None:
        """Nothing: whoever asks has just written it."""

    def update(self, turn: Turn) -> None:
        """Writes the words that are new."""
        words = turn.text or turn.transcripts.output
        if words.startswith(self._written):
            self._stream.write(words[len(self._written) :])
            self._stream.flush()
            self._written = words

    def end(self, turn: Turn) -> None:
        """Writes the rest, and what there is beside words."""
        self.update(turn)
        facts = [f"{turn.audio.seconds:.1f} s of speech"] if turn.audio else []
        facts += [_turn_html.tokens(turn)] if turn.usage is not None else []
        self._line(f"({', '.join(facts)})" if facts else "")

    def stop(self, words: str) -> None:
        """Says why there is no more."""
        self._line(f"({words})")

    def _line(self, words: str) -> None:
        parts = [each for each in (self._written and "\n", words and f"{words}\n") if each]
        self._stream.write("".join(parts))
        self._stream.flush()
