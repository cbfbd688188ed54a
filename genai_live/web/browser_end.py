"""A page as a pair of ears and a mouth: one more ``SoundEnd``. Called on the threads of its line and of its conversation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from genai_live._arguments import came
from genai_live._flag import Flag
from genai_live.audio import SAMPLE_BYTES
from genai_live.errors import ConfigError, DeviceError, EndFull
from genai_live.voice import (
    Control,
    ConversationState,
    Ended,
    Event,
    Heard,
    ModelWords,
    Press,
    Rates,
    StateChanged,
    Text,
    ToolRunChanged,
    UserWords,
)
from genai_live.voice.sound_end import HELD_SECONDS
from genai_live.web import wire_format
from genai_live.web.allowance import MESSAGE_BYTES, TEXT_BYTES, Bucket, Hours
from genai_live.web.blocking_line import BlockingLine
from genai_live.web.line import Line
from genai_live.web.page_sound import PageSound
from genai_live.web.wire_format import FAILED, NORMAL, OUTPUT_BYTES, REFUSED, BadMessage, Played, Start, Stop

__all__ = ["BrowserEnd"]

logger = logging.getLogger("genai_live")

IDLE_TIMEOUT = 60.0
"""Seconds without a word of either side: an abandoned page costs its owner money."""
TOTAL_TIMEOUT = 900.0
"""Seconds of a whole conversation: an audio session of the Developer API lasts 15 minutes."""
START_TIMEOUT = 10.0
"""Seconds that a page has for its first message, which it sends as soon as its socket is open."""
PIECE_BYTES = OUTPUT_BYTES
"""Sound of one message, at the most: 1 s can be dropped or sent without much ado."""
_HEARD = Heard()
_SPOKEN = (UserWords, ModelWords, ToolRunChanged)
_QUESTIONS = (Text, Press)
_SPEAKING = (ConversationState.HEARING, ConversationState.SPEAKING)


class BrowserEnd:
    """The page of one visitor, over any WebSocket that blocks, as a ``SoundEnd`` for one ``Conversation``.

    The page speaks the wire format of docs/web.md: binary messages are 16-bit little-endian mono PCM, 16,000 Hz from the page and
    24,000 Hz to it, text messages are JSON events. ``websocket`` has ``receive()``, which returns str or bytes, and ``send()``,
    as those of simple-websocket, flask-sock and others have; three threads serve it, because its calls block. Whatever it raises
    for a visitor that has gone ends the conversation in silence. Of sound that a page takes more slowly than it is heard 30 s are
    kept, the newest; a page that takes nothing for 20 s, or sends faster than anybody speaks, is let go.

    Args:
        websocket: The visitor's socket, open already.
        idle_timeout: Seconds without a word of either side after which the conversation ends; None for no limit.
        total_timeout: Seconds after which it ends whatever happens; None for no limit.
        turn_taking: Whether the page shows a button for talking: "automatic" or "push_to_talk", as the conversation has it.

    Raises:
        ConfigError: ``websocket`` has no ``receive()`` or ``send()``.
    """

    feeds_promptly = True
    reports = True
    """The page says what was heard (``Heard``)."""

    def __init__(
        self,
        websocket: Any,
        *,
        idle_timeout: float | None = IDLE_TIMEOUT,
        total_timeout: float | None = TOTAL_TIMEOUT,
        turn_taking: str = "automatic",
    ) -> None:
        now = time.monotonic()
        self.on_start: Callable[[Start], object] | None = None
        """Takes the page's first message, on the line's thread; without it every page is welcome."""
        self.on_shown: Callable[[Event], object] | None = None
        """Called with each event of the conversation after the page was told, on the thread that brought it; must not block."""
        self.on_gone: Callable[[], object] | None = None
        """Called once, when the page has gone or is let go, on the line's thread."""
        self.conversation: str | None = None
        """The signed id of the conversation, for the page."""
        self.turn_taking = turn_taking
        self.replay = b""
        """Sound of an earlier socket that the page is sent when it has started: the conversation knows nothing of it."""
        self.sound = PageSound()
        self._line = _line_over(websocket)
        self._open_hours = partial(Hours, idle_timeout, total_timeout)
        self._hours = Hours(START_TIMEOUT if idle_timeout is None else min(idle_timeout, START_TIMEOUT), total_timeout, now)
        self._unspoken = ("silent", "The page said nothing. Reload it, then try again.", REFUSED)
        self._bucket = Bucket(now)
        self._start: Start | None = None
        self._started = Flag()
        """Set when the page has said its first words, or has gone."""
        self._is_open = False
        """True once a conversation has begun on it."""
        self._feed: Callable[[bytes], None] | None = None
        self._control: Callable[[Control], None] | None = None
        self._ended: Callable[[Exception | None], None] | None = None
        self._asking_lock = threading.Lock()
        """Guards the two below: a worker leaves between two questions."""
        self.asks = False
        """True from a question that the page typed, or its button, until the conversation has told of it."""
        self._takes_no_more = False
        """True when this worker leaves: no question begins any more."""
        self._end_lock = threading.Lock()
        """Guards the four below: the conversation may begin, or end, while the page goes."""
        self._gone = False
        self._error: Exception | None = None
        self._is_held = False
        """True while a conversation is opened on it, which may fail and leave the page to another one."""
        self._close_wanted: float | None = None
        """The time for closing that was given meanwhile."""
        self._close_code = NORMAL
        """How ``close`` says goodbye; ``FAILED`` tells the page that it was the server's fault."""
        self._ends = False
        """True when the conversation has ended, and its last event, which says why, is on its way."""
        self._is_let_go = False
        """True when nobody waits for the page's goodbye."""

    def __repr__(self) -> str:
        state = "gone" if self._gone else "open" if self._is_open else "waiting"
        return f"<BrowserEnd {state}, {self.played:.1f} s heard>"

    def begin(self) -> None:
        """Has the line call from now on; ``open`` does it, unless it was done before."""
        self._line.begin(self)

    # For the conversation: ``SoundEnd``.

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """Waits for the page's first message, says that the conversation has started, and lets sound flow. Once.

        Raises:
            DeviceError: the page has gone, or said nothing in time.
        """
        if self._start is None and not self._gone:
            self.begin()
            self._started.wait()
        self._feed, self._control = feed, control
        with self._end_lock:
            if self._gone:
                raise DeviceError("the page has gone before the conversation began") from self._error
            self._ended, self._close_wanted = ended, None
            is_first, self._is_open = not self._is_open, True
            self._hours = self._open_hours(time.monotonic())
        if is_first:
            self._line.send(wire_format.started(self.conversation, self.turn_taking))
            self._send_replay()
        return wire_format.RATES

    def _send_replay(self) -> None:
        if self.replay:
            self.sound.replay(self.replay)
            self._send_sound(self.replay)
            self._line.send(wire_format.END_OF_ANSWER)

    def play(self, pcm: bytes) -> None:
        """Sends 16-bit mono PCM of 24,000 Hz to the page; never blocks. Nothing happens when the page has gone.

        Raises:
            EndFull: ten minutes of sound wait already.
        """
        if self.sound.waiting + len(pcm) / OUTPUT_BYTES > HELD_SECONDS:
            raise EndFull(f"{HELD_SECONDS:.0f} s of sound wait for the page already; this piece was not sent")
        self.sound.give(pcm)
        self._send_sound(pcm)

    def _send_sound(self, pcm: bytes) -> None:
        if len(pcm) <= PIECE_BYTES:
            dropped = self._line.send(pcm)
        else:
            dropped = sum(self._line.send(pcm[start : start + PIECE_BYTES]) for start in range(0, len(pcm), PIECE_BYTES))
        if dropped:
            self._note_dropped(dropped)

    def end_of_answer(self) -> None:
        """Tells the page that the answer is complete; never blocks."""
        self._line.send(wire_format.END_OF_ANSWER)

    def flush(self) -> None:
        """Drops what was not sent, and has the page drop what was not heard; returns at once."""
        self._line.drop_sound()
        self.sound.flush()
        self._line.send(wire_format.FLUSH)

    @property
    def flushes(self) -> int:
        """How many flushes the page has confirmed."""
        return self.sound.flushes

    @property
    def played(self) -> float:
        """Seconds that the page has reported as heard, and those that it never took; never falls."""
        return self.sound.played

    @property
    def dropped(self) -> float:
        """Seconds of sound that the page never took."""
        return self.sound.dropped

    def show(self, event: object) -> None:
        """Sends an event of the conversation to the page; never blocks."""
        if not isinstance(event, Event):
            return
        if isinstance(event, _SPOKEN) or (isinstance(event, StateChanged) and event.state in _SPEAKING):
            self._hours.spoken(time.monotonic())
        self._line.send(wire_format.shown(event))
        if isinstance(event, StateChanged) and event.state is ConversationState.ENDED:
            self._ends = True
        elif isinstance(event, Ended):
            self._ends = False
            self._close_code = NORMAL if event.error is None else FAILED
            self.close(0.0)
        if self.on_shown is not None:
            self.on_shown(event)

    def close(self, timeout: float) -> None:
        """Says goodbye to the page and waits up to ``timeout`` seconds for its answer; idempotent, from any thread.

        Of a conversation that has ended the last event goes out first: the goodbye follows it.
        """
        if self._ends:
            return
        with self._end_lock:
            if self._is_held:
                self._close_wanted = timeout
                return
        if self._close_code == FAILED:
            self.refuse("server", wire_format.TROUBLE, FAILED)
        else:
            self.end(self._close_code)
        if timeout > 0 and not self._is_let_go:
            self._line.wait(timeout)

    # For whoever receives visitors. Any thread, never blocks.

    @property
    def is_gone(self) -> bool:
        """True when the page has gone, or was let go."""
        return self._gone

    def hold(self) -> None:
        """Until ``release`` a close is remembered and not done: an attempt to open a conversation may be followed by another."""
        self._is_held = True

    def release(self) -> None:
        """A conversation is open, or the page was told why not: closes now, if that was wanted meanwhile."""
        with self._end_lock:
            self._is_held, wanted = False, self._close_wanted
        if wanted is not None:
            self.close(wanted)

    def wait_gone(self, timeout: float) -> bool:
        """True when the page goes within so many seconds. Blocks."""
        return self._line.wait(timeout) or self._gone

    def tell_gone_on(self, *, restored: bool) -> None:
        """Tells a page that came back whether the model remembers what was said before."""
        self._line.send(wire_format.gone_on(restored=restored))

    def expect_start(self, within: float, reason: str, sentence: str, code: int) -> None:
        """Lets the page go with these words when it has not said its first ones in time. Before ``begin``."""
        self._hours = Hours(within, None, time.monotonic())
        self._unspoken = (reason, sentence, code)

    def take_no_more(self, is_quiet: Callable[[], bool]) -> bool:
        """Takes no question from now on, if none is under way and ``is_quiet()``; False when one is."""
        with self._asking_lock:
            self._takes_no_more = not self.asks and is_quiet()
            return self._takes_no_more

    def end(self, code: int, reason: str = "") -> None:
        """Closes the page's socket with a code of the wire format."""
        self._line.end(code, reason)

    def refuse(self, reason: str, sentence: str, code: int = REFUSED) -> None:
        """Tells the page why it is over, in words for its visitor, and closes."""
        self._line.drop_sound()
        self._line.send(wire_format.refused(reason, sentence))
        self._line.end(code, reason)
        self._end(None)

    def let_go(self, reason: str, sentence: str, code: int = REFUSED) -> None:
        """As ``refuse``, and the conversation ends without waiting for the goodbye of a page that may be dead."""
        self._is_let_go = True
        self.refuse(reason, sentence, code)

    # For the line, on its thread: ``Taker``.

    def take(self, message: bytes | str) -> None:
        """Sound of the microphone, or what the page says."""
        now = time.monotonic()
        if not self._bucket.take(len(message) + MESSAGE_BYTES, now):
            self._refuse_rate()
        elif isinstance(message, str):
            try:
                self._take_said(wire_format.read(message), now)
            except BadMessage as error:
                self._refuse_message(error)
        elif len(message) % SAMPLE_BYTES or self._start is None:
            self._refuse_message(BadMessage("sound before the start" if self._start is None else "half a sample"))
        elif self._is_open and self._feed is not None:
            self._feed(message)

    def flooded(self) -> None:
        """As of ``Taker``."""
        self._refuse_rate()

    def gone(self, error: Exception | None) -> None:
        """The page has left."""
        self._end(error)

    def on_time(self, now: float) -> float:
        """Ends what is over; returns when to ask again."""
        over = self._hours.over(now)
        if over is None:
            return self._hours.next
        if self._start is None:
            self.refuse(*self._unspoken)
        else:
            self.refuse(over.reason, over.sentence, NORMAL)
        return float("inf")

    # Inside.

    def _take_said(self, said: wire_format.Said, now: float) -> None:
        if isinstance(said, Start):
            self._take_start(said)
        elif self._start is None:
            raise BadMessage("something before the start")
        elif isinstance(said, Played):
            self._take_played(said, now)
        elif isinstance(said, Stop):
            self.end(NORMAL)
            self._end(None)
        elif isinstance(said, Text) and not self._bucket.take(TEXT_BYTES, now):
            self._refuse_rate()
        elif self._is_open and self._control is not None:
            with self._asking_lock:
                if self._takes_no_more:
                    return
                self.asks = self.asks or isinstance(said, _QUESTIONS)
            self._hours.spoken(now)
            self._control(said)

    def _take_start(self, start: Start) -> None:
        if self._start is not None:
            raise BadMessage("a second start")
        self._start = start
        if self.on_start is not None:
            self.on_start(start)
        self._started.set()

    def _take_played(self, report: Played, now: float) -> None:
        self._line.reported(report.seconds, report.flushes)
        if self.sound.report(report.seconds, report.flushes):
            self._hours.spoken(now)
        self._tell_heard()

    def _tell_heard(self) -> None:
        if self._is_open and self._control is not None:
            self._control(_HEARD)

    def _note_dropped(self, count: int) -> None:
        if not self.sound.dropped:
            logger.warning("a page does not take its sound as fast as it comes: the oldest is dropped")
        self.sound.drop(count)
        self._tell_heard()

    def _refuse_rate(self) -> None:
        self.refuse("rate", "This page sent more than anybody says. Reload it, then try again.")

    def _refuse_message(self, error: BadMessage) -> None:
        logger.info("a page was let go for %s", error)
        self.refuse("protocol", "This page and its server do not understand each other. Reload it, then try again.")

    def _end(self, error: Exception | None) -> None:
        with self._end_lock:
            if self._gone:
                return
            self._gone, self._error = True, error
            ended = self._ended
        self._started.set()
        try:
            if ended is not None:
                ended(error)
        finally:
            if self.on_gone is not None:
                self.on_gone()


def _line_over(websocket: Any) -> Line:
    if callable(getattr(websocket, "drop_sound", None)):
        line: Line = websocket
        return line
    if callable(getattr(websocket, "receive", None)) and callable(getattr(websocket, "send", None)):
        return BlockingLine(websocket)
    raise ConfigError(f"must be a WebSocket with receive() and send(), not {came(websocket)}", "websocket")
