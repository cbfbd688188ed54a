"""What of the model's sound is queued, at the end, heard. Pure: time is not part of it; one thread at a time.

Its clock is the end's own count of seconds that were heard (``SoundEnd.played``), not the time that playing should take.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_EXACT = 1e-6
"""Seconds by which sums of lengths may be off: a sample takes 20 times as long."""

_SILENT_WITHIN = 0.2
"""Seconds that an end may take to fall silent after a flush."""


@dataclass(eq=False)
class Stretch:
    """The sound of one answer, in seconds of the end's count."""

    begin: float
    length: float = 0.0
    """Of what was handed to the end."""
    heard: float = 0.0
    complete: bool = False
    """True when nothing follows."""
    cut: bool = False
    """True when what was not heard of it was dropped."""
    started: bool = False
    """True when its first sample is known to be heard."""
    settled: bool = False
    """True when ``heard`` is the last word."""
    exact: bool = True
    """False when the end has not confirmed a cut."""

    @property
    def waiting(self) -> float:
        """Seconds that are still to be heard."""
        return 0.0 if self.cut else self.length - self.heard


class Playback:
    """The sounds of a conversation on their way through an end."""

    def __init__(self) -> None:
        self.underruns = 0
        """How often an end ran empty in the middle of an answer."""
        self.flushes = 0
        """How many flushes the end was asked for."""
        self._played = 0.0
        """As of the last look."""
        self._handed = 0.0
        """The end's count at which what it holds will have been heard."""
        self._stretches: deque[Stretch] = deque()
        """Those of which something is to be heard, or that more may follow; oldest first."""
        self._cut: list[Stretch] = []
        """Those whose cut the end has not confirmed."""
        self._resumed: float | None = None
        """The end's count when it was given sound behind them, which is what it plays from there on, unless it says otherwise."""
        self._ran_empty = False

    @property
    def waiting(self) -> float:
        """Seconds that were handed over and are still to be heard, as of the last look."""
        stretches = self._stretches
        if len(stretches) == 1:  # as a rule; asked with each message
            return stretches[0].waiting
        return sum(each.waiting for each in stretches)

    @property
    def is_cutting(self) -> bool:
        """True while a cut is not confirmed."""
        return bool(self._cut)

    def hand_over(self, seconds: float) -> Stretch:
        """Notes sound that the end takes now; returns the answer that it belongs to: the one under way, or a new one."""
        last = self._stretches[-1] if self._stretches else None
        if last is None or last.complete:
            if self._cut and self._resumed is None:
                self._resumed = self._played
            last = Stretch(max(self._handed, self._played))
            self._stretches.append(last)
            self._handed = last.begin
            self._ran_empty = False
        last.length += seconds
        self._handed += seconds
        return last

    def complete(self) -> None:
        """Notes that nothing follows of the answer under way."""
        if self._stretches:
            self._stretches[-1].complete = True

    def cut(self) -> list[Stretch]:
        """Drops all that was not heard, in one step: returns the answers of which something was dropped, or may have been."""
        cut = [each for each in self._stretches if each.length]
        for each in self._stretches:
            each.cut = each.complete = True
            each.settled = not each.length
        self._cut += cut
        self._stretches.clear()
        self.flushes += bool(cut)
        return cut

    def look(self, played: float, flushes: int) -> None:
        """Notes how much was heard, and which flushes the end has confirmed."""
        self._played = max(self._played, played)
        if self._cut and flushes >= self.flushes:
            self._settle_cut(exact=True)
        for each in self._cut:
            each.heard = self._heard_of(each, exact=False)
        if self._cut:
            return  # what comes after them has no place in the end's count yet
        while self._stretches:
            first = self._stretches[0]
            first.heard = self._heard_of(first)
            if first.heard < first.length - _EXACT:
                self._ran_empty = False
                return
            if not first.complete:
                self.underruns += not self._ran_empty
                self._ran_empty = True
                return
            first.settled = True
            self._stretches.popleft()

    def give_up_cut(self) -> None:
        """The end does not confirm: what it said last counts."""
        self._settle_cut(exact=False)

    def _settle_cut(self, *, exact: bool) -> None:
        for each in self._cut:
            each.heard, each.exact, each.settled = self._heard_of(each, exact=exact), exact, True
        begin = self._played if exact or self._resumed is None else self._resumed
        self._cut.clear()
        self._resumed = None
        for each in self._stretches:
            each.begin, begin = begin, begin + each.length
        self._handed = begin

    def _heard_of(self, stretch: Stretch, *, exact: bool = True) -> float:
        """``exact`` where the end's count is known to be of that; else it may be of what it was given behind a cut."""
        played = self._played if exact or self._resumed is None else min(self._played, self._resumed + _SILENT_WITHIN)
        return max(stretch.heard, min(stretch.length, played - stretch.begin))
