"""All visitors of one worker: who is let in, what is opened for them, how they leave. The framework's side is elsewhere.

A visit's first message comes on the line's thread, which must not wait: a short-lived thread claims its conversation and
connects. Its last event comes on the thread that closes the conversation, which may wait for the store.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from genai_live import Client, _process
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live.errors import DeviceError, LiveError
from genai_live.types import Content, LiveServerMessage
from genai_live.voice import (
    Conversation,
    ConversationState,
    Ended,
    Event,
    ModelWords,
    StateChanged,
    TurnEnded,
    UserWords,
    Utterance,
)
from genai_live.web.browser_end import BrowserEnd
from genai_live.web.going_on import go_on
from genai_live.web.keeping import Keeper, Place
from genai_live.web.line import Line
from genai_live.web.store import ConversationStore, StoredConversation
from genai_live.web.tickets import Tickets
from genai_live.web.unheard import missing
from genai_live.web.wire_format import FAILED, FULL, MOVING, REFUSED, TROUBLE, Start

logger = logging.getLogger("genai_live")

MOST_UTTERANCES = 500
"""Utterances that are stored, the newest: about 100 kB, an hour of talk."""
_IN_A_TURN = (ConversationState.HEARING, ConversationState.WAITING, ConversationState.SPEAKING)
LEAVING = 3.0
"""Seconds for the Close frames of both sides once a conversation ends."""
MOST_SILENT = 100
"""Sockets whose page has not said who it is, where the limit is lower: a page says it at once, and whoever opens sockets and is
silent for ten seconds takes no place from it."""
ANSWERED_WITHIN = 1.0
"""Seconds in which a page that is refused may say its first words: some send them before they read."""


@dataclass(frozen=True)
class Refusal:
    """Why a visitor is not let in: a reason for the page's program, a sentence for its visitor, a close code."""

    reason: str
    sentence: str
    code: int = REFUSED


ORIGIN = Refusal("origin", "This page may not talk to this server.")
UNKNOWN = Refusal("refused", "You may not talk here. Log in, then try again.")
TOKEN = Refusal("token", "This page has expired. Reload it, then try again.")
OTHERS = Refusal("conversation", "This conversation is not yours. Start another one.")
BUSY = Refusal("busy", "This conversation is open in another window.")
ELSEWHERE = Refusal("elsewhere", "The conversation goes on in another window.")
ALL_TAKEN = Refusal("full", "All lines are busy. Try again in a minute.", FULL)
LEAVES = Refusal("moving", "The server restarts. The conversation goes on in a moment.", MOVING)
TROUBLED = Refusal("server", TROUBLE, FAILED)


@dataclass(frozen=True)
class Opening:
    """What every conversation of these visits is opened with."""

    client: Client
    model: str
    config: Any = None
    turn_taking: str = "automatic"
    run_tools: Any = False
    idle_timeout: float | None = 60.0
    total_timeout: float | None = 900.0

    def conversation(
        self,
        end: BrowserEnd,
        on_message: Callable[[LiveServerMessage], object] | None = None,
        resume: str | None = None,
        history: list[Content] | None = None,
    ) -> Conversation:
        """Connects; blocks. Raises what ``Conversation.connect`` raises."""
        return Conversation.connect(
            self.client,
            end,
            model=self.model,
            config=self.config,
            turn_taking=self.turn_taking,
            run_tools=self.run_tools,
            on_event=_nobody,  # nothing is kept for one who iterates; the end is told all
            on_message=on_message,
            resume=resume,
            history=history,
        )


def _nobody(_: Event) -> None:
    pass


class Visit:
    """One socket of one visitor, from its first message to its last."""

    def __init__(self, visits: Visits, line: Line, opening: Opening, tickets: Tickets, visitor: str | None) -> None:
        self.end = BrowserEnd(
            line, idle_timeout=opening.idle_timeout, total_timeout=opening.total_timeout, turn_taking=opening.turn_taking
        )
        self.id: str | None = None
        """Of its conversation, once the page has said which."""
        self.over = Flag()
        """Set when nothing of it is left."""
        self.conversation: Conversation | None = None
        self._visits = visits
        self._opening = opening
        self._tickets = tickets
        self._visitor = visitor
        """Who the request came from; None where that is in the token alone."""
        self._start: Start | None = None
        self._place: Place | None = None
        self._before: tuple[Utterance, ...] = ()
        """What was said in earlier sessions of the conversation."""
        self._handle: str | None = None
        """The handle that its session was resumed by: it holds until the service sends a new one."""
        self._talks = False
        """True when a thread of it, or its conversation, will say that it is over."""
        self._state = ConversationState.LISTENING
        self._turn_is_open = False
        """True from the visitor's first word to the end of the answer."""
        self._refusal: Refusal | None = None
        """Why the visitor is not let in, whatever the page says."""
        self.end.on_start, self.end.on_shown, self.end.on_gone = self._arrive, self._note, self._leave

    def begin(self) -> None:
        """The line's messages come from now on."""
        self.end.begin()

    def refuse_soon(self, refusal: Refusal) -> None:
        """As ``refuse``, once the page has said its first words, or a second later. Before ``begin``."""
        self._refusal = refusal
        self.end.expect_start(ANSWERED_WITHIN, refusal.reason, refusal.sentence, refusal.code)

    def refuse(self, refusal: Refusal) -> None:
        """Tells the page why it may not talk, and closes."""
        self.end.refuse(refusal.reason, refusal.sentence, refusal.code)

    def give_up(self) -> None:
        """The page has come back over another socket: this one is dead, or a second window. Ends it at once."""
        self.end.let_go(ELSEWHERE.reason, ELSEWHERE.sentence, ELSEWHERE.code)

    def rests(self) -> bool:
        """True when no turn would be cut, and then none begins any more."""
        return self.end.take_no_more(lambda: not self._turn_is_open)

    # The line's thread.

    def _arrive(self, start: Start) -> None:
        if self._refusal is not None:
            self.refuse(self._refusal)
            return
        tickets = self._tickets
        visitor = tickets.visitor_of(start.token)
        if visitor is None or (self._visitor is not None and visitor != self._visitor):
            self.refuse(TOKEN)
            return
        self._visitor, self._start = visitor, start
        comes_back = start.conversation is not None
        self.id = tickets.conversation_of(start.conversation or "", visitor) if comes_back else secrets.token_urlsafe(12)
        if self.id is None:
            self.refuse(OTHERS)
            return
        refusal = self._visits.admit(self)
        if refusal is not None:
            self.refuse(refusal)
            return
        self.end.conversation = tickets.signed(self.id, visitor)
        self._talks = True
        try:
            threading.Thread(target=self._talk, args=(comes_back,), name="genai-live-visit", daemon=True).start()
        except RuntimeError:  # this process may start no more threads
            logger.exception("a visitor could not be served")
            self._talks = False
            self.refuse(TROUBLED)

    def _leave(self) -> None:
        if not self._talks:
            self._finish()

    # A thread of its own.

    def _talk(self, comes_back: bool) -> None:
        assert self.id is not None
        try:
            self._open(self.id, comes_back)
        except DeviceError:  # the visitor was faster
            self._finish()
        except Exception as error:
            known = isinstance(error, LiveError)  # its sentence says it all
            logger.log(
                logging.ERROR, "a visitor's conversation could not be opened: %s", error, exc_info=None if known else error
            )
            self.refuse(TROUBLED)
            self._finish()

    def _open(self, id: str, comes_back: bool) -> None:
        keeper = self._visits.keeper
        if comes_back:
            self._visits.take_over(self)
        place = self._place = Place(id, self._read, self.give_up)
        if not comes_back:
            keeper.begin(place)
        elif keeper.claim(place, lambda: not self.end.is_gone) is False:
            self.refuse(BUSY)
            self._finish()
            return
        self.end.hold()
        self.conversation = self._gone_on(keeper.load(place)) if comes_back else self._connect()
        self.end.release()
        if self.conversation.state is ConversationState.ENDED:  # it ended before it was noted here
            self._save()
        keeper.changed(place)

    def _gone_on(self, stored: StoredConversation | None) -> Conversation:
        start = self._start
        if stored is not None:
            self._before = stored.transcript
            if start is not None:
                self.end.replay = missing(stored.unheard, stored.heard, stored.flushes, start.received, start.flushes)
        gone_on = go_on(self._connect, stored, self._pause)
        if gone_on.restored and stored is not None:
            self._handle = stored.handle
        self.end.tell_gone_on(restored=gone_on.restored)
        return gone_on.conversation

    def _connect(self, resume: str | None = None, history: list[Content] | None = None) -> Conversation:
        return self._opening.conversation(self.end, self._take_message, resume, history)

    def _pause(self, seconds: float) -> None:
        if self.end.wait_gone(seconds):
            raise DeviceError("the page has gone before the conversation went on")

    # The conversation's threads.

    def _note(self, event: Event) -> None:
        if isinstance(event, Ended):
            if event.error is not None:
                logger.warning("a visitor's conversation ended: %s", event.error)
            self._save()
            self._finish()
            return
        if self._place is not None and _is_final(event):
            self._visits.keeper.changed(self._place)
        if isinstance(event, (StateChanged, TurnEnded)):
            self._note_turn(event)
            if self._visits.is_leaving:
                self._visits.changed()

    def _note_turn(self, event: StateChanged | TurnEnded) -> None:
        before, self._state = self._state, event.state if isinstance(event, StateChanged) else self._state
        if isinstance(event, TurnEnded):
            self._turn_is_open = False
        elif before is not ConversationState.SPEAKING:  # else the end of the turn follows
            self._turn_is_open = self._state in _IN_A_TURN
        if isinstance(event, StateChanged) and self._state in _IN_A_TURN:
            self.end.asks = False

    def _take_message(self, message: LiveServerMessage) -> None:
        if message.session_resumption_update is not None and self._place is not None:
            self._visits.keeper.changed(self._place)

    # Any thread.

    def _read(self) -> StoredConversation | None:
        """As it stands; None before it is open."""
        conversation = self.conversation
        if conversation is None or self._visitor is None:
            return None
        handle = conversation.session.resumption.handle or self._handle
        transcript = (*self._before, *conversation.transcript)[-MOST_UTTERANCES:]
        return StoredConversation(self._visitor, handle, transcript, *self.end.sound.unheard.read())

    def _save(self) -> None:
        """For the last time."""
        last = self._read()
        if self._place is not None and last is not None:
            self._visits.keeper.leave(self._place, replace(last, ended_at=time.time()))

    def _finish(self) -> None:
        if self.over.is_set():
            return
        self.over.set()
        if self._place is not None:
            self._visits.keeper.leave(self._place, None)
        self._visits.left(self)


def _is_final(event: Event) -> bool:
    return isinstance(event, TurnEnded) or (isinstance(event, (UserWords, ModelWords)) and event.final)


class Visits:
    """The visitors of this process. Usable from many threads."""

    def __init__(self, opening: Opening, store: ConversationStore, *, limit: int | None, drain_timeout: float) -> None:
        self.keeper = Keeper(store)
        self.is_leaving = False
        """True when this worker ends: nobody is let in."""
        self._opening = opening
        self._limit = limit
        self._most_silent = None if limit is None else max(limit, MOST_SILENT)
        self._drain_timeout = drain_timeout
        self._changed = threading.Condition()
        """Guards both below; the leaving worker waits on it."""
        self._waiting: set[Visit] = set()
        """Those that have not said who they are."""
        self._talking: set[Visit] = set()
        self._process: _process.Process | None = None
        """The one whose end ends the visits."""

    def __len__(self) -> int:
        return len(self._talking)

    def receive(self, line: Line, tickets: Tickets, visitor: str | None, refusal: Refusal | None = None) -> Visit:
        """Serves the page at the other end of the line; returns at once. The server's thread."""
        self._watch_exit()
        visit = Visit(self, line, self._opening, tickets, visitor)
        with self._changed:
            refusal = refusal or self._no_room(self._talking, self._limit) or self._no_room(self._waiting, self._most_silent)
            self._waiting.add(visit)
        if refusal is not None:
            visit.refuse_soon(refusal)
        visit.begin()
        return visit

    def _no_room(self, crowd: set[Visit], most: int | None) -> Refusal | None:
        """Requires the lock."""
        if self.is_leaving:
            return LEAVES
        return ALL_TAKEN if most is not None and len(crowd) >= most else None

    def admit(self, visit: Visit) -> Refusal | None:
        """Lets a visitor talk, or says why not."""
        with self._changed:
            refusal = self._no_room(self._talking, self._limit)
            if refusal is None:
                self._waiting.discard(visit)
                self._talking.add(visit)
        return refusal

    def take_over(self, visit: Visit) -> None:
        """Ends another socket of the same conversation, whose page has come back before its loss was noticed. Waits for it."""
        with self._changed:
            others = [each for each in self._talking if each.id == visit.id and each is not visit]
        for other in others:
            other.give_up()
            other.over.wait(LEAVING)

    def left(self, visit: Visit) -> None:
        """Nothing of the visit is left."""
        with self._changed:
            self._waiting.discard(visit)
            self._talking.discard(visit)
            self._changed.notify_all()

    def changed(self) -> None:
        """Something has happened that the leaving worker may wait for."""
        with self._changed:
            self._changed.notify_all()

    # Leaving.

    def leave(self, timeout: float | None = None) -> None:
        """Lets nobody in, waits for the ends of the model's turns, and sends all pages to another worker.

        Returns when they have gone, ``timeout`` seconds later at the most, and the moment that Close frames take.
        """
        deadline = Deadline(self._drain_timeout if timeout is None else timeout)
        with self._changed:
            self.is_leaving = True
            left = {*self._talking, *self._waiting}
            while left := left & (self._talking | self._waiting):  # some go by themselves, in mid-turn
                over = deadline.passed
                going = {each for each in left if over or each.rests()}
                for each in going:
                    self._send_away(each)
                left -= going
                if left:
                    self._changed.wait(deadline.left())
            until = time.monotonic() + LEAVING
            while (self._talking or self._waiting) and (patience := until - time.monotonic()) > 0:
                self._changed.wait(patience)

    @staticmethod
    def _send_away(visit: Visit) -> None:
        visit.end.end(MOVING, "moving")

    def _watch_exit(self) -> None:
        """Has the end of this process, as SIGTERM brings it about in gunicorn's workers, end the visits in order."""
        if self._process is not _process.current:
            with self._changed:
                if self._process is _process.current:
                    return
                self._process = _process.current
            atexit.register(self._exit)

    def _exit(self) -> None:
        if self._process is not _process.current or not (self._talking or self._waiting):
            return
        try:
            self.leave()
        except BaseException as error:  # SystemExit: gunicorn's --timeout is over, and in a second it kills
            logger.warning(
                "the worker has to end before the model has finished, and sends its visitors away (%s): keep drain_timeout below"
                " gunicorn's --timeout and --graceful-timeout",
                type(error).__name__,
            )
            with suppress(Exception):
                self.leave(0.0)


def most_visitors() -> int | None:
    """Conversations for which this process has descriptors: two each, and a third while one connects."""
    if sys.platform == "win32":
        return 160  # select() takes 512
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else max(1, (soft - 64) // 3)
