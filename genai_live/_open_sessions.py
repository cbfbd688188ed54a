"""The sessions that a client has open: listed, and ended side by side, each on a thread of its own. For any thread."""

from __future__ import annotations

import itertools
import threading
import weakref

from genai_live._deadline import Deadline
from genai_live._message_stream import CLOSE_TIMEOUT
from genai_live.music import MusicSession
from genai_live.session import Session


class OpenSessions:
    """Usable from many threads; keeps no session alive.

    Without a lock, which a fork could copy while it is held: each step on the dict is one of the interpreter's own.
    """

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[Session | MusicSession]] = {}
        self._numbers = itertools.count()

    def add(self, session: Session | MusicSession) -> None:
        """Notes a session that was opened."""
        number, known = next(self._numbers), self._known
        known[number] = weakref.ref(session, lambda _: known.pop(number, None))

    def now(self) -> tuple[Session | MusicSession, ...]:
        """The sessions that are open at this moment, in the order in which they were opened; in a forked child none."""
        held = (reference() for reference in list(self._known.values()))
        return tuple(session for session in held if session is not None and session._is_open)

    def finish(self, deadline: Deadline) -> None:
        """Ends all of them politely, side by side; returns when the last has ended."""
        ends = [_End(session, deadline) for session in self.now()]
        for end in ends:
            end.begin()
        for end in ends:
            Deadline(None).wait(end.reached)  # each keeps to the deadline by itself


class _End:
    def __init__(self, session: Session | MusicSession, deadline: Deadline) -> None:
        self.reached = threading.Event()
        self._session = session
        self._deadline = deadline

    def begin(self) -> None:
        if self._session._channel.is_reader_thread:  # in a callback of this session: it cannot wait there, and closes at once
            self._run()
        else:
            threading.Thread(target=self._run, name="genai-live-finish", daemon=True).start()

    def _run(self) -> None:
        try:
            left = self._deadline.left()
            if isinstance(self._session, Session):
                self._session.finish(left)
            else:
                self._session.close(CLOSE_TIMEOUT if left is None else min(left, CLOSE_TIMEOUT))
        finally:
            self.reached.set()
