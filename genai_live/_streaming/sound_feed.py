"""A microphone that hands its sound in: a source of ``stream_audio``. Fed by any thread, taken by the thread that sends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from genai_live import _arguments
from genai_live._connection.protocol import Sent
from genai_live._streaming.sound_sink import Mark
from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, Resampler
from genai_live.audio.pcm import check_rate, chunk_bytes

KEEP = 10.0
"""Seconds of sound that wait for a network that takes none; nobody speaks for longer to something that does not react."""
_EARLY_LOOK = 0.002
"""Seconds before a chunk's time from its predecessor at which it is looked for: a clock that is fast is followed so."""
_NEXT_LOOK = 0.005
"""Seconds until the next look for a chunk that is late: what sound waits at the most before it is sent."""
_IDLE_LOOK = 0.02
"""The same when nothing has come for a while: a muted microphone, a button that is not pressed."""
_PROMPT_LOOK = 1.0
"""The same where who feeds says so."""
_IDLE_LOOKS = 40
"""Looks in a row that found nothing, from which that is so: 0.2 s."""


class SoundFeed:
    """A source of ``session.stream_audio(feed, wait=False)`` that sound is handed to, by threads that must not wait.

    ``feed`` takes no lock and wakes nobody, so that a sound card's own thread may call it: the thread that paces the session's
    sound looks for it, every 5 ms while it is due. What is done beside speaking keeps its place between the sounds.

    Args:
        rate: Of what is fed, in Hz; other rates than 16,000 are converted. May be set until it is streamed.
        on_chunk: Called with each chunk (16 kHz mono) before it is sent, on the thread that sends; it must not block.
    """

    def __init__(self, rate: int = INPUT_RATE, *, on_chunk: Callable[[bytes], object] | None = None) -> None:
        self.rate = check_rate(rate)
        self.keep = KEEP
        """Seconds of sound that may wait to be sent; what is older is dropped."""
        self.paused = False
        """True while nothing is to be sent: it waits, as far as ``keep`` allows."""
        self.prompt = False
        """True where the thread that feeds may take a lock: it has each chunk sent that is full, and nobody looks for them."""
        self.on_chunk = on_chunk
        self._fed = 0
        """Bytes that were fed so far. Written by the thread that feeds."""
        self._dropped = 0
        """Bytes of them that were dropped. Likewise."""
        self._taken = 0
        """Bytes of them that were sent, or are about to be. Written by the thread that sends."""
        self._taken_from = 0.0
        """Monotonic time at which the newest of them was fed. Likewise."""
        self._sounds: deque[tuple[int, bytes, float]] = deque()
        """Each with the bytes that were fed as of its end, and when it was. Both threads take from its front: single steps, so no
        lock, where stores are seen in their order (docs/reliability.md, "Hand-overs without a lock")."""
        self._marks: deque[tuple[int, Mark | None]] = deque()
        """What stands between sounds, each with the bytes that were fed before it; None for the end."""
        self._full_at = 0
        """How many bytes must have been fed for the next chunk to be full, or fewer. Written by the thread that sends; it never
        falls, so that who reads an old number wakes that thread too often, and never too late."""
        self.wake: Callable[[], object] = lambda: None
        """Has the thread that sends look at once; set while it is streamed."""
        self.send: Callable[[], object] = lambda: None
        """Sends a chunk that is full, on this thread or on that one; likewise."""

    # Any thread; ``feed`` one at a time.

    def feed(self, pcm: bytes) -> None:
        """Adds 16-bit mono PCM at ``rate``. Never blocks, takes no lock.

        Raises:
            ConfigError: not bytes.
        """
        if type(pcm) is not bytes:  # a buffer may be filled anew by whoever feeds it
            pcm = bytes(_arguments.octets(pcm, "pcm"))
        self._fed += len(pcm)
        self._sounds.append((self._fed, pcm, time.monotonic()))
        limit = self._fed - int(self.keep * self.rate) * SAMPLE_BYTES
        while (sounds := self._sounds) and sounds[0][0] <= limit:
            with suppress(IndexError):  # the thread that sends was faster
                self._dropped += len(sounds.popleft()[1])
        if self.prompt and self._fed >= self._full_at:
            self.send()

    def begin_activity(self) -> None:
        """The user begins to speak, where the service does not detect it (activityStart)."""
        self._mark(Sent.ACTIVITY_START)

    def end_activity(self) -> None:
        """The user has spoken (activityEnd)."""
        self._mark(Sent.ACTIVITY_END)

    def send_text(self, text: str) -> None:
        """Sends what the user typed, as ``Session.send_text``, behind the sound that was fed before.

        Raises:
            ConfigError: not a str, or with half of a surrogate pair.
        """
        self._mark(_arguments.encodable(text, "text"))

    def end(self) -> None:
        """Ends the stream behind what was fed."""
        self._mark(None)

    @property
    def waiting(self) -> float:
        """Seconds of sound that wait to be sent."""
        return max(0, self._fed - self._dropped - self._taken) / SAMPLE_BYTES / self.rate

    @property
    def dropped(self) -> float:
        """Seconds of sound that were dropped, because they waited for longer than ``keep``."""
        return self._dropped / SAMPLE_BYTES / self.rate

    @property
    def lateness(self) -> float:
        """Seconds since the newest sound was fed that was sent: more than a moment where it had to wait for a connection."""
        return time.monotonic() - self._taken_from

    def _mark(self, mark: Mark | None) -> None:
        self._marks.append((self._fed, mark))
        self.wake()


class Fed:
    """What a stream takes from a feed; the thread that sends."""

    def __init__(self, feed: SoundFeed, chunk_ms: float, send_mark: Callable[[Mark], object]) -> None:
        self._feed = feed
        self._send_mark = send_mark
        self._resampler = None if check_rate(feed.rate) == INPUT_RATE else Resampler(feed.rate)
        self._chunk_bytes = chunk_bytes(INPUT_RATE, chunk_ms)
        self._chunk_seconds = chunk_ms / 1000
        self._buffer = bytearray()
        """Taken, and less than a chunk."""
        self._misses = 0

    def take(self) -> bytes | None:
        """The next chunk; an empty one is the end; None when it has not come yet. Sends what stands before it."""
        feed = self._feed
        if feed.paused:
            return None
        while True:
            if len(self._buffer) >= self._chunk_bytes:
                return self._heard(self._cut(self._chunk_bytes))
            first = feed._sounds[0] if feed._sounds else None  # another step of the same work
            mark = feed._marks[0] if feed._marks else None
            if mark is not None and (first is None or mark[0] <= first[0] - len(first[1])):
                if self._buffer:
                    return self._heard(self._cut(len(self._buffer)))
                feed._marks.popleft()
                if mark[1] is None:
                    return b""
                self._send_mark(mark[1])
            elif first is None:
                self._misses += 1
                self._note_missing()
                return None
            else:
                sound = self._take_sound()
                if len(sound) == self._chunk_bytes and not self._buffer:  # a page sends whole chunks
                    return self._heard(sound)
                self._buffer += sound

    def _take_sound(self) -> bytes:
        feed = self._feed
        try:
            _, pcm, feed._taken_from = feed._sounds.popleft()
        except IndexError:  # it was just dropped
            return b""
        feed._taken += len(pcm)
        return pcm if self._resampler is None else self._resampler.feed(pcm)

    def _cut(self, size: int) -> bytes:
        chunk = bytes(self._buffer[:size])
        del self._buffer[:size]
        return chunk

    def _heard(self, chunk: bytes) -> bytes:
        self._misses = 0
        self._note_missing()
        if self._feed.on_chunk is not None:
            self._feed.on_chunk(chunk)
        return chunk

    def _note_missing(self) -> None:
        feed = self._feed
        feed._full_at = feed._dropped + feed._taken + (self._chunk_bytes - len(self._buffer)) * feed.rate // INPUT_RATE

    def look_after(self) -> float:
        """Seconds until the next look."""
        feed = self._feed
        if not feed.paused and (feed._sounds or feed._marks or len(self._buffer) >= self._chunk_bytes):
            return 0.0
        if feed.prompt:
            return _PROMPT_LOOK
        if feed.paused or self._misses > _IDLE_LOOKS:
            return _IDLE_LOOK
        return _NEXT_LOOK if self._misses > 1 else max(_NEXT_LOOK, self._chunk_seconds - _EARLY_LOOK)

    def wake_by(self, wake: Callable[[], object], send: Callable[[], object]) -> None:
        """Has ``wake`` called for what should not wait for the next look, and ``send`` where a chunk is full."""
        self._feed.wake, self._feed.send = wake, send

    def stop(self) -> None:
        """Nothing is taken any more."""
        self._feed.wake = self._feed.send = lambda: None
