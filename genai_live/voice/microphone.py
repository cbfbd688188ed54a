"""An end's sound on its way to the service: sent, passed over, or not let in. The end's thread feeds; one at a time decides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from genai_live import Session, SoundFeed
from genai_live.audio import SILENCE_DBFS
from genai_live.voice.detection import SpeechClock

KEPT_WHILE_DOWN = 2.0
"""Seconds of sound that wait for the next connection: older speech is answered too late to be a conversation."""
ECHO_TAIL = 0.2
"""Seconds for which a half-duplex microphone stays shut after the last sound: rooms ring on."""
STREAM_ENDS_WITHIN = 0.2
"""Seconds that the stream has to say that no more sound comes, before the session is closed."""


class Answering(Protocol):
    """What the model's side does."""

    pressed: bool
    """True while the button is down."""

    @property
    def is_playing(self) -> bool:
        """True while an answer is heard."""


class Microphone:
    """The user's side."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        has_button: bool = False,
        prompt: bool = False,
        holds_back: float = 0.0,
    ) -> None:
        self.clock = SpeechClock()
        self.muted = False
        """As the user wishes."""
        self.feed = SoundFeed(on_chunk=self._hear_chunk)
        self.feed.prompt = prompt
        self._keep = self.feed.keep
        self._now = now
        self.on_sound: Callable[[bytes, float], object] | None = None
        """Called with what is heard, in chunks of 16 kHz mono, and the time of its end, on the thread that sends."""
        self._has_button = has_button
        self._half_duplex = False
        self._holds_back = holds_back
        """Seconds that the end takes to feed what was heard."""
        self._last_words = False
        """True while the button is up, and what was heard before is still to come."""
        self._lets_in = not has_button
        """False while what is fed is for nobody: the button is not pressed, nor was it before there was a session."""
        self._passes_over = False
        """True while the stream sends nothing of what it is fed: a muted microphone, half duplex."""
        self._shut_until = 0.0
        """Half duplex: in seconds of the conversation."""

    def start(self, session: Session, rate: int, *, half_duplex: bool) -> None:
        """Sends from now on what is fed at ``rate`` Hz, and what was fed before."""
        self.feed.rate = rate
        self._half_duplex = half_duplex and not self._has_button
        self._session = session
        self._stream = session.stream_audio(self.feed, wait=False)

    def hear(self, pcm: bytes) -> None:
        """Takes the end's sound; a device's callback may be calling."""
        if self._lets_in:
            self.feed.feed(pcm)

    def _hear_chunk(self, chunk: bytes) -> None:
        """The thread that sends."""
        if not self._passes_over:
            now = self._now()
            self.clock.hear(chunk, now)
            if self.on_sound is not None:
                self.on_sound(chunk, now - self.feed.lateness)

    def press(self) -> None:
        """The button is down: what is heard from now on is for the model."""
        self.end_activity()
        self.feed.begin_activity()
        self._lets_in = not self.muted

    def release(self, end_later: Callable[[], object]) -> None:
        """The button is up; ``end_later`` is called when all that was heard before has come, and calls ``end_activity``."""
        self._last_words = True
        if self._holds_back > 0:
            self._session.call_later(self._holds_back, end_later)
        else:
            self.end_activity()

    def end_activity(self) -> None:
        """All that was heard before the button was up has come, or what comes next cannot wait. Does nothing the second time."""
        if self._last_words:
            self._last_words = self._lets_in = False
            self.feed.end_activity()

    def settle(self, answer: Answering) -> None:
        """Lets sound in or not, as the user wishes, and half duplex asks for while an answer is heard."""
        if self._has_button:
            self._lets_in = (answer.pressed or self._last_words) and not self.muted
            return
        if self._half_duplex and answer.is_playing:
            self._shut_until = self._now() + ECHO_TAIL
        passes_over = self.muted or (self._half_duplex and self._now() < self._shut_until)
        if passes_over is not self._passes_over:
            self._passes_over = passes_over
            (self._stream.mute if passes_over else self._stream.unmute)()

    @property
    def opens_soon(self) -> bool:
        """True while it is shut for half duplex: time opens it."""
        return self._passes_over and not self.muted

    @property
    def level(self) -> float:
        """Of the latest chunk, in dBFS; silence while nothing is for the model."""
        return self.clock.level if self._lets_in and not self._passes_over else SILENCE_DBFS

    @property
    def sent(self) -> float:
        """Seconds that were sent, or passed over: by a muted microphone, and while half duplex keeps it shut."""
        return self._stream.progress.sent

    def wait_for_connection(self) -> None:
        """The connection is gone: the newest sound waits for the next."""
        self.feed.keep, self.feed.paused = KEPT_WHILE_DOWN, True

    def go_on(self) -> None:
        """The next connection is there."""
        self.feed.keep, self.feed.paused = self._keep, False
        self.feed.wake()

    def stop(self) -> None:
        """Nothing is sent any more, and the service is told so; waits a moment for that."""
        self._stream.cancel()
        with suppress(Exception):  # what ended the stream early was told when it did
            self._stream.wait(STREAM_ENDS_WITHIN)
