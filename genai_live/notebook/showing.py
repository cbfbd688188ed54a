"""``show``: asks so that the answer is seen while it comes. Everything runs on the thread that asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from genai_live import Session, Turn, _html, _turn_html
from genai_live._arguments import came
from genai_live._tracebacks import letting_go
from genai_live.audio import Audio
from genai_live.audio.player import player
from genai_live.errors import ConfigError
from genai_live.notebook.surface import display, shell, surface

Update = Callable[[Turn], object]


class Shown:
    """A session whose answers are shown while they come: below the cell of a notebook, in a terminal as text.

    Made by ``show(session)``. It has no thread and holds nothing but the session, which stays the caller's.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @letting_go
    def ask(
        self,
        content: Any,
        timeout: float | None = None,
        *,
        until: Literal["complete", "generated"] = "complete",
        on_update: Update | None = None,
    ) -> Turn:
        """Asks as ``session.ask`` does, shows both sides while the answer comes, and returns the turn.

        The stop button of a notebook, or Ctrl-C, ends it at once; what had come stays shown, and the session goes on.

        Raises:
            LiveError: as ``session.ask``.
        """
        question = content if isinstance(content, str) else ""
        return _shown(
            question, on_update, lambda update: self._session.ask(content, timeout, until=until, on_update=update)
        )  # fmt: skip

    @letting_go
    def collect(
        self,
        timeout: float | None = None,
        *,
        until: Literal["complete", "generated"] = "complete",
        on_update: Update | None = None,
    ) -> Turn:
        """Waits for a turn as ``session.collect`` does, shows it while it comes, and returns it.

        Raises:
            LiveError: as ``session.collect``.
        """
        return _shown("", on_update, lambda update: self._session.collect(timeout, until=until, on_update=update))

    def __repr__(self) -> str:
        return f"<shown {repr(self._session)[1:-1]}>"


@overload
def show(shown: Session) -> Shown: ...
@overload
def show(shown: Turn | Audio) -> None: ...


def show(shown: Session | Turn | Audio) -> Shown | None:
    """Shows the answers of a session while they come, or all of a turn or of sound.

    ::

        turn = show(session).ask("Hello!")

    A turn or sound at the end of a cell takes less than a megabyte of the notebook; ``show(turn)`` and ``show(audio)`` put all
    of it there, as it is: 64 kB for each second.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(shown, Session):
        return Shown(shown)
    if isinstance(shown, Turn):
        _display(shown, _turn_html.html_of(shown, None))
    elif isinstance(shown, Audio):
        _display(shown, _html.box(player(shown.data, shown.rate, shown.channels, None)))
    else:
        raise ConfigError(f"must be a Session, Turn or Audio, not {came(shown)}", "shown")
    return None


def _display(shown: object, html: str) -> None:
    if shell() is None:
        print(repr(shown))
    else:
        display(html, repr(shown))


def _shown(question: str, on_update: Update | None, ask: Callable[[Update], Turn]) -> Turn:
    """Asks on a surface."""
    place = surface()

    def update(turn: Turn) -> None:
        place.update(turn)
        if on_update is not None:
            on_update(turn)

    try:
        place.begin(question)
        turn = ask(update)
    except KeyboardInterrupt:
        place.stop("stopped; the session goes on")
        raise
    except Exception as error:
        place.stop(f"{type(error).__name__}: {error}")
        raise
    place.end(turn)
    return turn
