"""A conversation as a terminal shows it: what stays as lines, and what is redrawn below them. Pure: events in, text out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genai_live.audio import SILENCE_DBFS
from genai_live.cli.view import (
    LABEL_COLUMNS,
    METER_COLUMNS,
    ROOM_FOR_METER,
    Look,
    labelled,
    level_words,
    meter,
    paint,
)
from genai_live.tools import RunState
from genai_live.voice import (
    AnswerLost,
    ConversationState,
    DeviceChanged,
    Event,
    Interrupted,
    Level,
    ModelWords,
    Reconnected,
    Reconnecting,
    StateChanged,
    ToolRunChanged,
    UserWords,
    Waiting,
)

_STYLES = {
    ConversationState.HEARING: "36",
    ConversationState.SPEAKING: "32",
    ConversationState.WAITING: "33",
    ConversationState.RECONNECTING: "31",
}
"""SGR parameters: cyan and green for who speaks, yellow and red for what is missing."""
_STATE_COLUMNS = max(len(state) for state in ConversationState)


class ConversationView:
    """What a conversation has come to, event by event."""

    def __init__(self) -> None:
        self.state = ConversationState.LISTENING
        self.at = 0.0
        """Seconds of the newest event."""
        self._levels = {"you": SILENCE_DBFS, "model": SILENCE_DBFS}
        self._words = {"you": "", "model": ""}
        """What each side says just now."""

    def take(self, event: Event) -> list[tuple[str, str]]:
        """What stays of an event: (label, words) for what was said, ("", words) for a notice."""
        self.at = event.at
        words = _KINDS.get(type(event))
        return words(self, event) if words is not None else []

    def lines(self, columns: int, look: Look) -> list[str]:
        """What is redrawn: state and length, both levels, and what each side says just now."""
        state = paint(f"{self.state:<{_STATE_COLUMNS}}", _STYLES.get(self.state, "0"), look)
        top = f"{state} {clock(self.at):>6}"
        levels = {side: f"{meter(level, METER_COLUMNS, look)} {level_words(level)}" for side, level in self._levels.items()}
        if columns > ROOM_FOR_METER + LABEL_COLUMNS:
            drawn = [top + "".join(f"   {side} {shown}" for side, shown in levels.items())]
        else:
            drawn = [top, *(labelled(side, shown, columns, look) for side, shown in levels.items())]
        return drawn + [labelled(side, words, columns, look) for side, words in self._words.items() if words]

    # One for each kind of event.

    def _changed(self, event: Any) -> list[tuple[str, str]]:
        self.state = event.state
        return []

    def _level(self, event: Any) -> list[tuple[str, str]]:
        self._levels = {"you": event.input, "model": event.output}
        return []

    def _user(self, event: Any) -> list[tuple[str, str]]:
        return self._said("you", event)

    def _model(self, event: Any) -> list[tuple[str, str]]:
        return self._said("model", event)

    def _said(self, side: str, event: Any) -> list[tuple[str, str]]:
        self._words[side] = "" if event.final else event.text
        return [(side, event.text.strip())] if event.final and event.text.strip() else []


def _notice(words: Callable[[Any], str]) -> Callable[[ConversationView, Any], list[tuple[str, str]]]:
    return lambda view, event: [("", words(event))]


def _run(view: ConversationView, event: Any) -> list[tuple[str, str]]:
    run = event.run
    arguments = ", ".join(f"{name}={value!r}" for name, value in (run.args or {}).items())
    if run.state.is_end:
        return [("", f"{run.name}({arguments}) {run.state} after {run.seconds or 0.0:.1f} s: {run.error or run.result}")]
    return [] if run.state is RunState.CALLED else [("", f"{run.name}({arguments}) is {run.state}")]


_KINDS: dict[type[Event], Callable[[ConversationView, Any], list[tuple[str, str]]]] = {
    StateChanged: ConversationView._changed,
    Level: ConversationView._level,
    UserWords: ConversationView._user,
    ModelWords: ConversationView._model,
    ToolRunChanged: _run,
    Interrupted: _notice(lambda event: f"You interrupted; {event.heard:.1f} s of the answer were heard."),
    Waiting: _notice(lambda event: f"No answer for {event.seconds:.0f} s."),
    AnswerLost: _notice(lambda event: "The rest of the answer was lost with the connection."),
    Reconnecting: _notice(lambda event: "The connection is gone; connecting again."),
    Reconnected: _notice(
        lambda event: f"Connected again; the model {'knows' if event.state_restored else 'has forgotten'} what was said."
    ),
    DeviceChanged: _notice(lambda event: f"Sound goes through {event.new} now."),
}


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
