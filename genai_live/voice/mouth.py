"""The model's sound on its way to an end: converted, handed over, remembered until it is heard. One thread at a time."""

from __future__ import annotations

import logging
from collections import deque

from genai_live.audio import SAMPLE_BYTES, Resampler
from genai_live.errors import EndFull
from genai_live.voice.sound_end import SoundEnd

logger = logging.getLogger("genai_live")


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
        self._end.end_of_answer()
        return seconds

    def flush(self) -> tuple[float, int]:
        """Has the end drop what was not heard; returns what it says it has played and flushed right after."""
        self._resampler, self._resampled = None, 0
        self._dropped += self._waiting  # the end has yet to say how much of it was heard
        self._waiting.clear()
        self._end.flush()
        return self._end.played, self._end.flushes

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
        except EndFull as error:
            if not self.refused:
                logger.warning("%s (conversation.stats.refused counts it)", error)
            self.refused += seconds
            return 0.0
        if self._remembers:
            self._waiting.append(pcm)
        return seconds
