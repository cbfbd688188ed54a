"""One answer of the model, from the question to the last sample that is heard. Pure data: one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from genai_live.turn import assemble
from genai_live.types import LiveServerMessage, UsageMetadata
from genai_live.voice.latency import Stopwatch
from genai_live.voice.playback import Stretch
from genai_live.voice.transcript import Saying


@dataclass(eq=False)
class Answer:
    """What became of one turn of the model's so far. Seconds count from the beginning of the conversation."""

    user: Saying | None
    """What it answers, as far as that was understood."""
    watch: Stopwatch
    latest: float
    """When something of it came last."""
    spoke: float | None = None
    """When the speech began that it answers, while no words of that have come; None where that was not noticed."""
    model: Saying | None = None
    stretches: list[Stretch] = field(default_factory=list)
    reports: list[LiveServerMessage] = field(default_factory=list)
    """Messages with a report of usage."""
    generated: bool = False
    """True when the service has made all of it."""
    cut: bool = False
    """True when it was cut short: by the user's speech, the button, or this program."""
    flows: bool = False
    """True while the service is making it: it has said something, and neither that this is all nor a call since."""
    calls: bool = False
    """True while functions run, and no sound has come since; words of what was said before may."""
    is_audible: bool = False
    """True once some of its sound was louder than silence."""
    heard_until: float = 0.0
    """When something of it was heard last."""
    counted: float = 0.0
    """Seconds that were heard then."""
    looked: bool = False
    """True when there was a look since it was over: a report of usage comes a moment later."""

    def note_heard(self, now: float) -> None:
        """There was a look at the end."""
        if self.heard > self.counted:
            self.counted, self.heard_until = self.heard, now

    @property
    def seconds(self) -> float:
        """Seconds of its sound that were handed to the end."""
        return sum(stretch.length for stretch in self.stretches)

    @property
    def heard(self) -> float:
        """Seconds of it that were heard, as last known."""
        return sum(stretch.heard for stretch in self.stretches)

    @property
    def exact(self) -> bool:
        """False when the end has not confirmed how much was heard."""
        return all(stretch.exact for stretch in self.stretches)

    @property
    def awaits_sound(self) -> bool:
        """True when the end has sound of it of which nothing was heard yet."""
        return any(not (stretch.started or stretch.settled) for stretch in self.stretches)

    @property
    def settled(self) -> bool:
        """True when no more of it will be heard than was."""
        return all(stretch.settled for stretch in self.stretches)

    @property
    def usage(self) -> UsageMetadata | None:
        """Sum of the reports."""
        return assemble(self.reports).usage if self.reports else None
