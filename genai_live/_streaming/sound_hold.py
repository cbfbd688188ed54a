"""Keeps outgoing sound back, before the connection, while a blocking call is open (2.x models). Any thread.

2.x models answer sound with 1008 while a blocking call has no response (reported). A session of such a family keeps what is said
meanwhile, and sends it once the call has its response or is cancelled. What does not fit is dropped, oldest first. An
activityEnd is never kept: a turn that the user has ended is ended, and what was kept of it is dropped.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from genai_live._base64_text import Payload
from genai_live._connection.channel import Channel
from genai_live._connection.protocol import LiveProtocol, Sent
from genai_live._connection.questions import Question
from genai_live._deadline import Deadline
from genai_live.types import LiveServerMessage

logger = logging.getLogger("genai_live")

HOLD_BYTES = 512 * 1024
"""Bytes of messages that are kept: 12 s of 16 kHz speech in base64. No one speaks to a silent model for longer."""
_KEPT = (Sent.AUDIO, Sent.SOUND_END)


class SoundHold:
    """Stands before the connection of one session, and keeps its sound back. ``free`` are functions whose calls do not block."""

    def __init__(self, channel: Channel[LiveServerMessage], free: frozenset[str]) -> None:
        assert isinstance(channel.protocol, LiveProtocol)
        self.held = 0
        """Pieces of sound that were kept so far."""
        self.dropped = 0
        """Pieces of those that did not fit, or whose turn was over."""
        self._channel = channel
        self._protocol = channel.protocol
        self._protocol.note_blocking(free)
        self._waiting: deque[tuple[Payload, Sent]] = deque()
        self._bytes = 0
        self._lock = threading.RLock()
        """Guards what waits. Rank 0. Reentrant, because a signal handler may send."""

    def send(
        self,
        payload: Payload,
        kind: Sent = Sent.NOTHING,
        question: Question | None = None,
        *,
        wait: bool = True,
        deadline: Deadline | None = None,
    ) -> None:
        """As ``Channel.send``, but for what is kept back."""
        if (self._waiting or self._protocol.blocking_calls) and self._keeps(payload, kind):
            return
        self._channel.send(payload, kind, question, wait=wait, deadline=deadline)

    def release(self) -> None:
        """Sends what was kept, in its order, unless a call still blocks."""
        with self._lock:
            while self._waiting and not self._protocol.call_blocks:
                payload, kind = self._waiting.popleft()
                self._bytes -= len(payload)
                self._channel.send(payload, kind, wait=False)

    def _keeps(self, payload: Payload, kind: Sent) -> bool:
        """True for what is kept; before anything else goes out what was kept before it, or is dropped with its turn."""
        self._channel.check_usable()
        with self._lock:
            if self._protocol.call_blocks:
                if kind is Sent.ACTIVITY_END:
                    self._drop(len(self._waiting))
                elif kind in _KEPT:
                    self._keep(payload, kind)
                    return True
                return False
            self.release()
            return False

    def _keep(self, payload: Payload, kind: Sent) -> None:
        if not self.held:
            logger.info("sound is held back while a call waits for its answer: this family of models ends sessions otherwise")
        self.held += 1
        self._waiting.append((payload, kind))
        self._bytes += len(payload)
        while self._bytes > HOLD_BYTES:
            self._drop(1)

    def _drop(self, count: int) -> None:
        if count and not self.dropped:
            logger.warning("sound was dropped that was said while a call waited for its answer (session.stats.dropped counts it)")
        for _ in range(count):
            self._bytes -= len(self._waiting.popleft()[0])
            self.dropped += 1
