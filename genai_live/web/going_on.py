"""How a conversation goes on from what was stored: by its handle, or anew with its transcript. On the visit's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from genai_live.errors import ConfigError, ConnectError, ErrorKind
from genai_live.types import Content
from genai_live.voice import Conversation
from genai_live.voice.transcript import history_of
from genai_live.web.store import StoredConversation

logger = logging.getLogger("genai_live")

SETTLES = 1.1
"""Seconds after a session's end in which the service refuses its handle: it refused all within 0.7 s, took all after 1.0 s."""
RETRY_EVERY = 0.5
RESUMED_WITHIN = 10.0
"""Seconds for which a handle is tried: the service refuses it while it takes the old socket for open."""
_PASSING = (ErrorKind.NETWORK, ErrorKind.UNAVAILABLE)

Connect = Callable[[str | None, "list[Content] | None"], Conversation]
"""Opens a conversation with a handle, or with a history."""


@dataclass(frozen=True)
class GoneOn:
    """A conversation that goes on."""

    conversation: Conversation
    restored: bool
    """True when the model remembers all that was said."""


def go_on(connect: Connect, stored: StoredConversation | None, pause: Callable[[float], object]) -> GoneOn:
    """Opens a conversation that goes on from what was stored; blocks, and waits by ``pause(seconds)``.

    Raises:
        DeviceError: the page has gone.
        ConnectError: or one of its kinds: not even a new session can be opened.
    """
    if stored is None:
        return GoneOn(connect(None, None), restored=False)
    if stored.handle is not None:
        resumed = _resumed(connect, stored.handle, stored.ended_at, pause)
        if resumed is not None:
            return GoneOn(resumed, restored=True)
    history = history_of(stored.transcript)
    return GoneOn(_anew(connect, history), restored=not history)


def settles_in(ended_at: float | None, now: float) -> float:
    """Seconds to wait before a handle is tried; clocks of machines differ, so never more than the service needs."""
    return 0.0 if ended_at is None else min(SETTLES, max(0.0, ended_at + SETTLES - now))


def _resumed(connect: Connect, handle: str, ended_at: float | None, pause: Callable[[float], object]) -> Conversation | None:
    """None when the service refuses the handle."""
    pause(settles_in(ended_at, time.time()))
    until = time.monotonic() + RESUMED_WITHIN
    while True:
        try:
            return connect(handle, None)
        except ConnectError as error:
            if error.kind not in _PASSING or time.monotonic() >= until:
                logger.warning("a conversation could not be resumed, and begins anew with its transcript: %s", error)
                return None
        pause(RETRY_EVERY)


def _anew(connect: Connect, history: list[Content]) -> Conversation:
    if not history:
        return connect(None, None)
    try:
        return connect(None, history)
    except ConfigError as error:
        logger.warning("the model takes no history, so it knows nothing of what was said: %s", error)
        return connect(None, None)
