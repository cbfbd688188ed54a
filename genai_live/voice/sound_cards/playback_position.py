"""How much of what was given to a loudspeaker is heard, from its blocks and the clock. Any thread looks; time is handed in.

Looks are made when somebody asks, since the thread of the devices looks at whole chunks of the microphone, too seldom for a
count that is right to a block. The lock is theirs alone: the callback appends blocks and takes none.
"""

from __future__ import annotations

import threading
from collections import deque

from genai_live.voice.sound_cards.streams import Block


class PlaybackPosition:
    """Counts the frames of answers that were heard, and the flushes that have taken effect."""

    def __init__(self, blocks: deque[Block], rate: int) -> None:
        self.passed: deque[Block] = deque()
        """Blocks that were looked at, oldest first, for the thread of the devices."""
        self.frames = self.flushes = 0
        """As of the last look."""
        self._blocks = blocks
        self._rate = rate
        self._flushes_seen = 0
        self._on_the_way: deque[Block] = deque()
        """Blocks that count, given to the sound card and not heard yet: with sound of the answer, or the first after a flush."""
        self._lock = threading.RLock()  # a signal handler may ask while its own thread looks

    def look(self, now: float) -> None:
        """Takes in the blocks that have come since, and the monotonic time."""
        with self._lock:
            while self._blocks:
                block = self._blocks.popleft()
                self.passed.append(block)
                if block.answer or block.flushes > self._flushes_seen:
                    self._on_the_way.append(block)
                    self._flushes_seen = block.flushes
            way = self._on_the_way
            while way and way[0].at + way[0].answer / self._rate <= now:
                block = way.popleft()
                self.frames += block.answer
                self.flushes = block.flushes
