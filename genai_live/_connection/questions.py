"""What is asked, and whose a message is: plain data, which the ledger writes and all others read."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from genai_live._base64_text import Payload
from genai_live.types import LiveServerMessage

MOST_REPORTS = 1_000
"""Messages that complete a turn after its end, at most: the service sends a handful, a flood has no end."""


class Asked(Enum):
    """What a question is made of."""

    CONTENT = "content"
    SPEECH = "speech"
    NOTHING = "nothing"
    """The model speaks unasked."""


class Fate(Enum):
    """Where a question stands."""

    WAITING = "waiting"
    """Not written yet."""
    WRITTEN = "written"
    ANSWERED = "answered"
    LOST = "lost"
    """Its connection is gone, and with it the part of the answer that had not come."""


class Completable(Protocol):
    """What the ledger needs of a turn in its user's hands."""

    def complete(self, reports: list[LiveServerMessage], questions: int) -> None:
        """Takes all messages about it that came after its end, and how many questions it has answered."""


class Question:
    """One question, from being asked to its fate."""

    def __init__(self, number: int, kind: Asked) -> None:
        self.number = number
        self.kind = kind
        self.text = ""
        """Its words, where it was asked in text."""
        self.fate = Fate.WAITING
        self.ready = 0
        """Its place in the order of what the model is to answer: when it was written, or when its last call was answered."""
        self.calls: set[str] = set()
        """Ids of its unanswered calls."""
        self.owned: set[str] = set()
        """Those that this library answers by itself."""
        self.shown: set[str] = set()
        """Those that a callback on an executor is about to see, and may answer."""
        self.owed = False
        """True when a call of it was answered, and the model has not spoken since."""
        self.owes_turn = False
        """True when that is to be in a turn of its own: what the turn under way says is no word about the response."""
        self.updates = 0
        """Responses before the last of a call, each of which has a turn that has not begun."""
        self.responses: list[Payload] = []
        """Tool responses after which the model has not spoken yet: they are sent again if their connection dies."""
        self.incomplete = False
        """True when something of its answer was forgotten before anybody received it."""
        self.merged = 0
        """Other questions that its turn has answered, too."""
        self.was_heard = False
        """True when the service has said what it heard of it."""
        self.was_reported = False
        """True when the tokens of its turn were reported."""
        self.closing_number = 0
        """Its place in the order in which questions were closed; 0 while it is open."""
        self.has_spoken = False
        """True once something of its answer came."""
        self.is_abandoned = False
        """True when a call of it was passed over: nobody is going to answer it."""
        self.reports: list[LiveServerMessage] = []
        """Messages about its turn that came after the end: usage, transcripts, grounding."""
        self.turn: Completable | None = None
        """The turn in its user's hands, which late reports complete."""
        # Made once: a piece of its answer, all made, the end; and the same for a turn that its user has already.
        self.part, self.generated, self.last = Mark(self), Mark(self, generated=True), Mark(self, ends=True)
        self.late, self.last_late = Mark(self, late=True), Mark(self, ends=True, late=True)

    @property
    def is_closed(self) -> bool:
        """True when it was answered, or is lost."""
        return self.closing_number > 0

    @property
    def is_owed(self) -> bool:
        """True when a response was sent that the model has not spoken of."""
        return self.owed or self.updates > 0

    @property
    def waits_for_caller(self) -> bool:
        """True while it has a call that only the caller can answer."""
        return bool(self.calls) and not self.calls <= self.owned

    @property
    def count(self) -> int:
        """How many questions its turn answers: 0 for an unasked turn."""
        return 0 if self.kind is Asked.NOTHING else 1 + self.merged

    def report(self, message: LiveServerMessage | None = None) -> None:
        """Adds a late message to the turn, which may be in its user's hands already. Any thread; twice does no harm."""
        if message is not None and len(self.reports) < MOST_REPORTS:
            self.reports.append(message)
        if self.turn is not None:
            self.turn.complete(list(self.reports), self.count)


class Mark(NamedTuple):
    """Whose a message is."""

    question: Question | None = None
    """None for a message that is about the session."""
    ends: bool = False
    """True for the last message of a turn that answers its question."""
    generated: bool = False
    """True for a message that says that all of the answer was made."""
    late: bool = False
    """True for a message about a turn that its user has already."""
    merged: tuple[Question, ...] = ()
    """Questions that are closed with this turn: the service has answered them in it, or not at all."""
    begins: bool = False
    """True where that turn is still to come."""
    asks_caller: bool = False
    """True where callbacks have left calls of the question to the caller, or the model waits for the answers and says nothing."""
    lost: tuple[Question, ...] = ()
    """Questions whose answers are lost with a connection."""


SESSION = Mark()
"""The mark of a message that is about the session."""
