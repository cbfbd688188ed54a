"""Sound on its way into a session, chunk by chunk, each when it is due.

With ``wait`` everything runs on the caller's thread. Without, the one pacing thread of the process sends, or the reader that the
session shares with others, or a thread that feeds and may take locks; an iterable of the caller's is pulled on a thread of its
own, so that one that blocks keeps no other stream waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from functools import partial

from genai_live._connection.pacing_thread import pacing_thread
from genai_live._connection.timetable import EARLY, Pacing
from genai_live._flag import Flag
from genai_live._streaming.pace import Pace
from genai_live._streaming.sound_feed import Fed
from genai_live._streaming.sound_sink import SoundSink
from genai_live._streaming.sound_source import Pulled, PulledAhead, SoundSource, pull
from genai_live.audio import SAMPLE_BYTES
from genai_live.errors import LiveError, SessionClosed, SoundSourceError

logger = logging.getLogger("genai_live")

_UNSENT_LIMIT = 65_536
"""Bytes that the network may owe a stream before it pauses: about 1.5 s of 16 kHz sound in base64."""

_UNSENT_RETRY = 0.02
"""Seconds after which a stream that paused for the network looks again; half of a usual chunk."""

_TURN_RETRY = 0.005
"""Seconds after which a thread that found another one sending looks again."""

_SOON = 0.1
"""Seconds within which what is due next is the pacing thread's business, after another thread has sent."""


class Sending:
    """One thread sends, by ``run`` or by ``step``; any other may look, ``cancel`` and set ``muted``."""

    def __init__(
        self, sink: SoundSink, source: SoundSource, pace: Pace, *, end: bool, owner: object = None, fed: Fed | None = None
    ) -> None:
        self.sink = sink
        self.source = source
        self.muted = False
        self.samples = 0
        """Sent, or passed over while muted."""
        self.latest = b""
        """The chunk that was sent last; empty before the first and while muted."""
        self.error: BaseException | None = None
        """What ended it early; None otherwise."""
        self.ended_at: float | None = None
        """When all was sent, in seconds of ``time.monotonic``; None before."""
        self.cancelled = Flag()
        self.done = Flag()
        self.pacing: Pacing | None = None
        """The thread that sends, where that is not the caller's."""
        self._pace = pace
        self._held = b""
        """The chunk that is due next, where the source has given it."""
        self._end = end and sink.automatic_detection
        self._end_told = True
        """True when the server waits for no more sound: nothing was sent yet, or the end was."""
        self._pulled: PulledAhead | None = None
        self._fed = fed
        self._turn = threading.Lock()
        """Whoever gets it, without waiting, sends; nobody else does meanwhile."""
        self._owner = owner
        """Kept alive until all is sent: a session that is dropped ends."""

    def run(self) -> None:
        """Sends everything on this thread; raises what ended it early."""
        error: BaseException | None = None
        try:
            with closing(self.source):
                self._send_all()
        except BaseException as raised:  # KeyboardInterrupt too: the stream is over
            error = raised
        self._finish(error, wait=True)
        if self.error is not None:
            raise self.error

    def _send_all(self) -> None:
        while (pulled := pull(self.source.chunks)).chunk:
            self._pace.came(pulled.asked, pulled.came)
            early = self._pace.due(pulled.came) - pulled.came
            if self.cancelled.wait(early) if early > 0 else self.cancelled.is_set():
                return
            now = time.monotonic()
            self._pace.sent(self._pass_on(pulled.chunk, wait=True), now)

    def start(self) -> None:
        """Has everything sent by the thread that paces; returns at once.

        Raises:
            RuntimeError: this process may start no more threads.
        """
        self.pacing = pacing = self.sink.pacing or pacing_thread
        try:
            if self._fed is not None:
                self._fed.wake_by(partial(pacing.hurry, self), self._send_here)
            elif self.source.may_block:
                self._pulled = PulledAhead(self.source, lambda: pacing.hurry(self), self.sink.context.copy())
            pacing.pace(self)
        except RuntimeError as error:
            self._end_with(error)
            raise

    def cancel(self) -> None:
        """Sends no further chunk. Any thread; returns at once."""
        self.cancelled.set()
        if self.pacing is not None:
            self.pacing.hurry(self)

    def abandon(self) -> None:
        """Nothing was sent, and nothing will be: the session is free for another stream."""
        self.cancel()
        self.sink.release(self)

    # The thread that paces.

    def step(self, now: float) -> float | None:
        """Sends the chunk that is due, if there is one and the network takes it: ``timetable.Timed``."""
        if not self._turn.acquire(blocking=False):
            return now + _TURN_RETRY
        try:
            if self.done.is_set():
                return None
            due = None if self.cancelled.is_set() else self._send_due(now)
        except BaseException as error:  # what a caller's iterable raised may be anything; the handle has it
            self._end_with(error)
            return None
        else:
            if due is None:
                self._end_with(None)
            return due
        finally:
            self._turn.release()

    def _send_here(self) -> None:
        """Sends on the thread that has fed the end of a chunk, so that no other has to wake up for it.

        Where sessions share a reader, on that alone, which sends for all: sound that came over one of its sockets goes out over
        another at once. Served by its timetable, a chunk in each round of the loop, it would fall behind what the rounds bring.
        Nowhere on the main thread, which Ctrl-C may interrupt anywhere.
        """
        pacing = self.pacing
        assert pacing is not None
        if pacing.is_current or (self.sink.pacing is None and threading.current_thread() is not threading.main_thread()):
            now = time.monotonic()
            due = self.step(now)
            if due is not None and due > now + _SOON:
                return
        pacing.hurry(self)

    def _send_due(self, now: float) -> float | None:
        if self._fed is not None:
            return self._send_fed(self._fed, now)
        due = self._due(now)
        if due is None or due > now + EARLY:
            return due
        if self.sink.unsent_bytes() > _UNSENT_LIMIT:
            self.sink.check_usable()
            return now + _UNSENT_RETRY
        chunk, self._held = self._held, b""
        self._pace.sent(self._pass_on(chunk, wait=False), now)
        return self._due(now)

    def _send_fed(self, fed: Fed, now: float) -> float | None:
        """What was handed in is due at once."""
        if self.sink.unsent_bytes() > _UNSENT_LIMIT:
            self.sink.check_usable()
            return now + _UNSENT_RETRY
        chunk = fed.take()
        if chunk is None:  # it has not come yet
            self.sink.check_usable()
            return now + fed.look_after()
        if not chunk:
            return None
        self._pass_on(chunk, wait=False)
        return now + fed.look_after()

    def _due(self, now: float) -> float | None:
        """When the next chunk is due, which is held from then on; None at the end of the source."""
        if not self._held:
            pulled = self._pull(now)
            if pulled is None:  # the source has nothing yet, and wakes this stream when it has
                self.sink.check_usable()
                assert self._pulled is not None
                return now + self._pulled.look_after()
            if not pulled.chunk:
                return None
            self._held = pulled.chunk
            self._pace.came(pulled.asked, pulled.came)
        due = self._pace.due(now)
        if due > now + EARLY:
            self.sink.check_usable()
        return due

    def _pull(self, now: float) -> Pulled | None:
        """The next chunk, where there is one already."""
        return Pulled(next(self.source.chunks, b""), now, now) if self._pulled is None else self._pulled.take()

    def _end_with(self, error: BaseException | None) -> None:
        for pulled in (self._pulled, self._fed):
            if pulled is not None:
                pulled.stop()
        self._finish(error, wait=False)
        if self.error is not None and not isinstance(self.error, SessionClosed):  # that is reported by the session
            self._report(self.error)

    def _report(self, error: BaseException) -> None:
        """Nobody may be looking at the handle."""
        logger.error("a stream of sound ended early: %s: %s; the session goes on", type(error).__name__, error, exc_info=error)
        if not isinstance(error, LiveError):
            error, cause = SoundSourceError(f"the source of stream_audio raised {type(error).__name__}: {error}"), error
            error.__cause__ = cause
        self.sink.report(error)

    # Whichever thread sends.

    def _pass_on(self, chunk: bytes, *, wait: bool) -> int:
        """Sends a chunk, or passes over it while muted; returns its samples: it takes its time either way."""
        if self.muted:
            self.latest = b""
            self._send_end(wait=wait)
        else:
            self.sink.send(chunk, wait=wait)
            self.latest = chunk
            self._end_told = False
        samples = len(chunk) // SAMPLE_BYTES
        self.samples += samples
        return samples

    def _send_end(self, *, wait: bool) -> None:
        if self._end and not self._end_told:
            self.sink.send_end(wait=wait)
            self._end_told = True

    def _finish(self, error: BaseException | None, *, wait: bool) -> None:
        """Tells the server that the sound ends, unless it broke off, and everybody else that the stream is done."""
        self.ended_at = time.monotonic()
        try:
            if error is None:
                self._send_end(wait=wait)
        except LiveError as failure:
            error = failure
        finally:
            self.error = error
            self.sink.release(self)
            self._owner = None
            self.done.set()
