"""An end of sound that is taped, and that stays open while its conversation is being opened. On the threads of the end within."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from genai_live.audio import SAMPLE_BYTES
from genai_live.notebook.tape import Tape
from genai_live.voice import Control, Rates, SoundEnd


class TapedEnd:
    """Hands everything on, and keeps on the tape what either side has heard."""

    def __init__(self, end: SoundEnd, tape: Tape) -> None:
        self._end = end
        self._tape = tape
        self._lock = threading.Lock()
        """Guards all below, until the last two: counters may be asked for on any thread."""
        self._output_rate = 0
        self._waiting: deque[bytes] = deque()
        """Sound that was handed on and not heard yet."""
        self._dropped: deque[bytes] = deque()
        """Sound that a flush has dropped, of which the end has yet to say how much was heard."""
        self._heard = 0
        """Bytes that were heard, as of the last look."""
        self._flushes = 0
        """How many were asked for."""
        self._holds = True
        """True while a conversation that cannot be opened may not close the end: its page is told first."""
        self._wants_close: float | None = None

    def hold_no_longer(self) -> None:
        """From now on whoever closes this closes the end."""
        self._holds = False
        if self._wants_close is not None:
            self._end.close(self._wants_close)

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """As of ``SoundEnd``."""
        user = self._tape.user

        def heard(pcm: bytes) -> None:
            user.add(pcm, time.monotonic())
            feed(pcm)

        rates = self._end.open(heard, control, ended)
        self._output_rate = rates.output
        return rates

    def play(self, pcm: bytes) -> None:
        """As of ``SoundEnd``."""
        self._end.play(pcm)
        with self._lock:
            self._waiting.append(pcm)

    def end_of_answer(self) -> None:
        """As of ``SoundEnd``."""
        self._end.end_of_answer()

    def flush(self) -> None:
        """As of ``SoundEnd``."""
        with self._lock:
            self._flushes += 1
            self._dropped += self._waiting
            self._waiting.clear()
        self._end.flush()

    @property
    def flushes(self) -> int:
        """As of ``SoundEnd``."""
        return self._end.flushes

    @property
    def played(self) -> float:
        """As of ``SoundEnd``; what was heard since it was last asked goes onto the tape."""
        is_cutting = self._end.flushes < self._flushes
        played = self._end.played
        with self._lock:
            due = int(played * self._output_rate) * SAMPLE_BYTES - self._heard
            self._heard += max(due, 0)
            pcm = _taken(self._dropped, due)
            if not is_cutting:
                self._dropped.clear()
                pcm += _taken(self._waiting, due - len(pcm))
            if pcm:
                self._tape.model.add(pcm, time.monotonic())
        return played

    def show(self, event: object) -> None:
        """As of ``SoundEnd``."""
        self._end.show(event)

    def close(self, timeout: float) -> None:
        """As of ``SoundEnd``."""
        if self._holds:
            self._wants_close = timeout
        else:
            self._end.close(timeout)


def _taken(pieces: deque[bytes], size: int) -> bytes:
    """The first ``size`` bytes, which are in the pieces no longer."""
    taken = bytearray()
    while len(taken) < size and pieces:
        piece, left = pieces.popleft(), size - len(taken)
        taken += piece[:left]
        if len(piece) > left:
            pieces.appendleft(piece[left:])
    return bytes(taken)
