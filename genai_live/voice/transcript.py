"""What both sides said, as utterances. Pure: time is passed in; one thread at a time writes, any reads.

Seconds count from the beginning of the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from genai_live.types import Content, Part
from genai_live.voice.events import Utterance


@dataclass(eq=False)
class Saying:
    """An utterance while it grows."""

    speaker: Literal["user", "model"]
    begin: float
    end: float
    pieces: list[tuple[str, float]] = field(default_factory=list)
    """Words, and the seconds of the utterance's sound that had come before them."""
    interrupted: bool = False
    heard: float | None = None
    final: bool = False
    answered: bool = False
    """True when an answer to it has begun."""

    @property
    def text(self) -> str:
        """The words so far; of an interrupted answer those whose sound had begun when it stopped, as far as words tell."""
        if self.interrupted and self.heard is not None:
            return "".join(words for words, at in self.pieces if at < self.heard).strip()
        return "".join(words for words, _ in self.pieces).strip()

    def add(self, words: str, at: float = 0.0) -> None:
        """Adds words that came when ``at`` seconds of its sound had come."""
        self.pieces.append((words, at))

    def read(self) -> Utterance:
        """As it stands."""
        return Utterance(self.speaker, self.text, self.begin, max(self.begin, self.end), self.interrupted, self.heard)


class Transcript:
    """All utterances of a conversation, in the order in which they began."""

    def __init__(self) -> None:
        self._sayings: list[Saying] = []

    def begin(self, speaker: Literal["user", "model"], now: float) -> Saying:
        """A new utterance."""
        saying = Saying(speaker, now, now)
        self._sayings.append(saying)
        return saying

    def place_before(self, saying: Saying, other: Saying) -> None:
        """Moves an utterance that was understood late to where it was said."""
        self._sayings.remove(saying)
        self._sayings.insert(self._sayings.index(other), saying)

    def read(self) -> tuple[Utterance, ...]:
        """The utterances with words, as they stand."""
        return tuple(each.read() for each in tuple(self._sayings) if each.text)

    def history(self) -> list[Content]:
        """The same as ``connect(history=...)`` takes it."""
        return history_of(self.read())


def history_of(utterances: Iterable[Utterance]) -> list[Content]:
    """Utterances as ``connect(history=...)`` takes them: those that one side said in a row are one content."""
    contents: list[Content] = []
    for said in utterances:
        if contents and contents[-1].role == said.speaker:
            contents[-1].parts = [*(contents[-1].parts or ()), Part(text=said.text)]
        else:
            contents.append(Content(role=said.speaker, parts=[Part(text=said.text)]))
    return contents
