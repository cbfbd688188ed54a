"""How one connection ends: decided once, by the thread that sees it first; from then on the same for every observer."""

from __future__ import annotations

import threading

from genai_live import _process, errors
from genai_live._close_reasons import Verdict, closed_error, judged
from genai_live._flag import Flag
from genai_live.errors import CloseInfo, ConnectError, SentBy, SessionClosed


class Ending:
    """The record of an end, None until then, and what is still waited for after it."""

    def __init__(self) -> None:
        self.info: CloseInfo | None = None
        self.failure: ConnectError | None = None
        """Why the connection was never set up."""
        self.close_by = 0.0
        """Monotonic time until which the peer's Close frame is waited for; 0 for not at all."""
        self.note = ""
        """Why no other connection follows, where that is not plain from the end."""
        self.decided = Flag()
        self.process = _process.current
        self._in_children: dict[_process.Process, CloseInfo] = {}
        """How the session ended in the eyes of each child process."""
        self._lock = threading.RLock()
        """Guards ``info``: the first end that is seen is the end for every observer. Rank 0, nothing is taken inside it.
        Reentrant, because the garbage collector may drop a Session inside it, whose ``abort`` comes here."""

    def decide(self, info: CloseInfo, close_by: float = 0.0, failure: ConnectError | None = None) -> bool:
        """Settles how the connection ends; False when that was settled before."""
        with self._lock:
            if self.info is not None:
                self.decided.set()  # Ctrl-C may have come before that
                return False
            # The record comes last: a thread that sees it must find the rest in place.
            self.close_by, self.failure = close_by, failure
            self.info = info
        self.decided.set()
        return True

    @property
    def is_over(self) -> bool:
        """True when nothing is waited for any more."""
        return self.info is not None and self.close_by == 0.0

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the connection."""
        return self.process is not _process.current

    def seen_while(self, phase: errors.Phase, *, turn_open: bool) -> CloseInfo | None:
        """The record, or None; a child of the process that opened the connection has an end of its own."""
        if self.info is None and self.forked:
            # A single step, and no lock: the one that holds a lock here may be a thread that was not forked.
            info = CloseInfo(errors.ABNORMAL_CLOSURE, "used in a forked process", SentBy.CLIENT, phase, turn_open)
            return self._in_children.setdefault(_process.current, info)
        return self.info

    def error(self, info: CloseInfo) -> SessionClosed:
        """A new error for the end that an observer saw."""
        if info is not self.info:
            return errors.ForkedSession("the session belongs to the process that opened it: connect again in this one", info)
        error = closed_error(info)
        if self.failure is not None:
            judged(error, Verdict(self.failure.kind, self.failure.retryable, self.failure.advice))
        if self.note:
            error.args = (f"{error} {self.note}",)
            error.advice = self.note
        return error
