"""The sessions that a client has open: listed, and ended side by side, each on a thread of its own. For any thread."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any

from genai_live import _threads
from genai_live._connection.channel import Channel
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live._message_stream import CLOSE_TIMEOUT
from genai_live.music import MusicSession
from genai_live.session import Session

AnySession = Session | MusicSession


class OpenSessions:
    """Usable from many threads; keeps no session alive, nor what its callbacks belong to, such as a conversation.

    Without a lock, which a fork could copy while it is held: each step on the dict is one of the interpreter's own.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[AnySession], weakref.ref[Channel[Any]]]] = {}
        self._numbers = itertools.count()

    def add(self, session: AnySession, channel: Channel[Any]) -> None:
        """Notes a session that was opened, and the channel that it holds."""
        number, known = next(self._numbers), self._known
        known[number] = weakref.ref(session, lambda _: known.pop(number, None)), weakref.ref(channel)

    def now(self) -> tuple[AnySession, ...]:
        """The sessions that are open at this moment, in the order in which they were opened; in a forked child none."""
        return tuple(session for session, _ in self._open())

    def _open(self) -> list[tuple[AnySession, Channel[Any]]]:
        known = [(session(), channel()) for session, channel in list(self._known.values())]
        return [
            (session, channel)
            for session, channel in known
            if session is not None and channel is not None and channel.close_info is None and not channel.forked
        ]

    def finish(self, deadline: Deadline) -> None:
        """Ends all of them politely, side by side; returns when the last has ended."""
        ends: list[Flag] = []
        for session, channel in self._open():
            ends.append(Flag())
            if channel.is_reader_thread or channel.is_answering:  # in its callback or function, where it cannot wait for itself
                _end(session, deadline, ends[-1])
            else:
                arguments = (session, deadline, ends[-1])
                _threads.start(threading.Thread(target=_end, args=arguments, name="genai-live-finish", daemon=True))
        for end in ends:
            Deadline(None).wait(end)  # each keeps to the deadline by itself


def _end(session: AnySession, deadline: Deadline, ended: Flag) -> None:
    try:
        left = deadline.left()
        if isinstance(session, Session):
            session.finish(left)
        else:
            session.close(CLOSE_TIMEOUT if left is None else min(left, CLOSE_TIMEOUT))
    finally:
        ended.set()
