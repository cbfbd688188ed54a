"""The model's sound on its way to an end: converted, handed over, remembered until it is heard. One thread at a time.

What an end raises against its promise is logged, once for each of its members, and the conversation goes on.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from genai_live.audio import SAMPLE_BYTES, Resampler
from genai_live.errors import EndFull
from genai_live.voice.sound_end import SoundEnd

logger = logging.getLogger("genai_live")

T = TypeVar("T")


def _finite(played: float) -> float:
    if not math.isfinite(played):
        raise ValueError(f"played is {played}")
    return float(played)


class Mouth:
    """What an end is given. ``remembers`` keeps the sound until it is heard, for meters and recordings."""

    def __init__(self, end: SoundEnd, rate: int, *, remembers: bool) -> None:
        self.refused = 0.0
        """Seconds that did not fit."""
        self._end = end
        self._rate = rate
        self._resampler: Resampler | None = None
        self._resampled = 0
        """Hz that it converts from."""
        self._remembers = remembers
        self._waiting: deque[bytes] = deque()
        """Sound that was handed over and not heard yet."""
        self._dropped: deque[bytes] = deque()
        """Sound that a flush has dropped, as far as it may have been heard before."""
        self._heard = 0
        """Bytes that were heard as of the last look."""
        self._played = 0.0
        self._flushes = 0
        self._failed: set[str] = set()
        """Members of the end that have failed."""

    @property
    def played(self) -> float:
        """Seconds that were heard, as the end said last; never falls."""
        self._played = max(self._played, self._ask("played", lambda: _finite(self._end.played), 0.0))
        return self._played

    @property
    def flushes(self) -> int:
        """How many flushes have taken effect, as the end said last; 0 of one that does not say."""
        self._flushes = self._ask("flushes", lambda: int(getattr(self._end, "flushes", 0)), self._flushes)
        return self._flushes

    def play(self, pcm: bytes, rate: int) -> float:
        """Hands sound of ``rate`` Hz to the end; returns its seconds there."""
        rest = b""
        if rate != (self._resampled or self._rate):
            rest = self._flush_resampler()
            if rate != self._rate:
                self._resampler, self._resampled = Resampler(rate, self._rate), rate
        return self._hand_over(rest + (pcm if self._resampler is None else self._resampler.feed(pcm)))

    def end_of_answer(self) -> float:
        """Tells the end that nothing follows; returns the seconds of the rest that it was handed before."""
        seconds = self._hand_over(self._flush_resampler())
        self._ask("end_of_answer", self._end.end_of_answer, None)
        return seconds

    def flush(self) -> tuple[float, int]:
        """Has the end drop what was not heard; returns what it says it has played and flushed right after."""
        self._resampler, self._resampled = None, 0
        self._dropped += self._waiting  # the end has yet to say how much of it was heard
        self._waiting.clear()
        self._ask("flush", self._end.flush, None)
        return self.played, self.flushes

    def take_heard(self, played: float, *, cutting: bool) -> bytes:
        """The sound that was heard since this was last asked; ``cutting`` while the end has not confirmed a flush."""
        due = int(played * self._rate) * SAMPLE_BYTES - self._heard
        self._heard += due
        taken = bytearray()
        for pieces in (self._dropped,) if cutting else (self._dropped, self._waiting):
            while len(taken) < due and pieces:
                piece, left = pieces.popleft(), due - len(taken)
                taken += piece[:left]
                if len(piece) > left:
                    pieces.appendleft(piece[left:])
            if not cutting:
                self._dropped.clear()
        return bytes(taken)

    def _flush_resampler(self) -> bytes:
        rest = b"" if self._resampler is None else self._resampler.flush()
        self._resampler, self._resampled = None, 0
        return rest

    def _hand_over(self, pcm: bytes) -> float:
        if not pcm:
            return 0.0
        seconds = len(pcm) / SAMPLE_BYTES / self._rate
        try:
            self._end.play(pcm)
        except Exception as error:
            self._note_refused(error, seconds)
            return 0.0
        if self._remembers:
            self._waiting.append(pcm)
        return seconds

    def _note_refused(self, error: Exception, seconds: float) -> None:
        """Requires an except block."""
        if not isinstance(error, EndFull):
            self._note_failure("play")
        elif not self.refused:
            logger.warning("%s (conversation.stats.refused counts it)", error)
        self.refused += seconds

    def _ask(self, member: str, function: Callable[[], T], otherwise: T) -> T:
        """What the end says; ``otherwise`` where it fails."""
        try:
            return function()
        except Exception:
            self._note_failure(member)
            return otherwise

    def _note_failure(self, member: str) -> None:
        if member not in self._failed:
            self._failed.add(member)
            logger.exception("%s.%s failed; the conversation goes on", type(self._end).__name__, member)
