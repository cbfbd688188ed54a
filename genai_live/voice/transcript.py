"""What both sides said, as utterances. Pure: time is passed in; one thread at a time writes, any reads.

Seconds count from the beginning of the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from genai_live.types import Content, Part
from genai_live.voice.events import Utterance

_WORDS = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)")
"""A word with the space before it; in scripts that write none, a sign."""
_EXACT = 1e-6


@dataclass(eq=False)
class Saying:
    """An utterance while it grows."""

    speaker: Literal["user", "model"]
    begin: float
    end: float
    pieces: list[tuple[str, float]] = field(default_factory=list)
    """Words, and the seconds of the utterance's sound that had come before them."""
    seconds: float = 0.0
    """Of its sound that has come."""
    interrupted: bool = False
    heard: float | None = None
    final: bool = False
    answered: bool = False
    """True when an answer to it has begun."""

    @property
    def text(self) -> str:
        """The words so far; of an interrupted answer those whose sound had begun when it stopped, as far as words tell."""
        if self.interrupted and self.heard is not None:
            return words_heard(self.pieces, self.heard, self.seconds).strip()
        return "".join(words for words, _ in self.pieces).strip()

    def add(self, words: str, at: float = 0.0) -> None:
        """Adds words that came when ``at`` seconds of its sound had come."""
        self.pieces.append((words, at))

    def read(self) -> Utterance:
        """As it stands."""
        return Utterance(self.speaker, self.text, self.begin, max(self.begin, self.end), self.interrupted, self.heard)


def words_heard(pieces: list[tuple[str, float]], heard: float, seconds: float) -> str:
    """The words whose sound had begun when ``heard`` of ``seconds`` was; with each piece stand the seconds that came before it.

    Words and their sound come in either order, in step or at once. Where words came first, a piece is said from where it came to
    where the next one did; else from where the one before it came. Within a piece its words are taken for equally long.
    """
    if heard >= seconds - _EXACT or not pieces:
        return "".join(words for words, _ in pieces)
    places = [at for _, at in pieces]
    if places[0] <= 0:  # words first; those that came when all sound was there belong to the last that came before
        last = max((at for at in places if at < seconds - _EXACT), default=0.0)
        begins = [min(at, last) for at in places]
        ends = [min((each for each in begins if each > begin), default=seconds) for begin in begins]
    else:
        ends = places
        begins = [max((each for each in places if each < end), default=0.0) for end in ends]
    kept = []
    for begin, end in sorted(set(zip(begins, ends, strict=True))):
        words = "".join(words for (words, _), where in zip(pieces, begins, strict=True) if where == begin)
        kept.append(_begun(words, (heard - begin) / (end - begin)))
    return "".join(kept)


def _begun(words: str, part: float) -> str:
    """The words that have begun when a part of their sound was heard."""
    if part >= 1:
        return words
    each = _WORDS.findall(words)
    return "".join(word for number, word in enumerate(each) if number < part * len(each) - _EXACT)


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
