"""What a caller sets about reconnecting, and the messages that report it. Plain data: used on any thread.

A session opened with ``connect(reconnect=True)``, or with a policy, outlives its connections: after a goAway, a drop of the
network or an end by the service it opens another one with the newest resumption handle. Two messages of this library report it,
in their place among the others, to the receiver and to ``on_message``: ``message.reconnecting`` when a connection is gone, and
``message.reconnected`` when the next one is set up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from genai_live import _public
from genai_live._arguments import flag, number_above_0
from genai_live.errors import CloseInfo, ConfigError

__all__ = ["FIRST_PAUSE", "GIVE_UP_AFTER", "OUTBOX_BYTES", "ReconnectPolicy", "Reconnected", "Reconnecting"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

GIVE_UP_AFTER = 120.0
"""Seconds without a connection after which a session ends: a router restarts within them, and few wait longer for an answer."""
FIRST_PAUSE = 1.25
"""Seconds from an end to the next attempt: the service refused every handle within 0.7 s of the end and took all after 1.0 s."""
OUTBOX_BYTES = 512 * 1024
"""Bytes that may wait for the next connection: 12 s of 16 kHz speech in base64; it takes 2 to 3 s when the network is up."""


@dataclass(frozen=True)
class ReconnectPolicy:
    """How a session is kept alive.

    Raises:
        ConfigError: a value that is not what it should be.
    """

    give_up_after: float = GIVE_UP_AFTER
    """Seconds without a connection after which the session ends. A connection that dies within 5 s of its setup does not count as
    one, so that a session that dies again and again comes to its end."""
    first_pause: float = FIRST_PAUSE
    """Seconds between an end and the first attempt, to which chance adds up to a fifth; each further pause is 1.6 times as long,
    up to 15 s. The service refuses a handle for about a second after its connection ended."""
    fresh_session: bool = False
    """True to begin anew, without the conversation so far, when there is no handle or the service refuses it; otherwise the
    session ends then."""
    outbox_bytes: int = OUTBOX_BYTES
    """Bytes of messages that wait while there is no connection. Beyond it the oldest audio and video are dropped, and counted in
    ``session.stats.dropped``; what is neither raises OutboxFull."""

    def __post_init__(self) -> None:
        for name in ("give_up_after", "first_pause", "outbox_bytes"):
            number_above_0(getattr(self, name), f"reconnect.{name}")
        flag(self.fresh_session, "reconnect.fresh_session")

    @classmethod
    def of(cls, given: object) -> ReconnectPolicy | None:
        """What ``connect(reconnect=...)`` means: True or a policy, or a dict of one; None for not at all.

        Raises:
            ConfigError: anything else.
        """
        if given is None or given is False:
            return None
        if given is True:
            return cls()
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            return cls(**_known(given))
        raise ConfigError(f"takes True, False or a ReconnectPolicy, not {type(given).__name__}", "reconnect")


def _known(given: Mapping[Any, Any]) -> dict[str, Any]:
    names = [field.name for field in fields(ReconnectPolicy)]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]!r}; known are {', '.join(names)}", "reconnect")
    return dict(given)


@dataclass(frozen=True)
class Reconnecting:
    """A connection is gone and the session goes on without one. What is sent from now on waits for the next."""

    close_info: CloseInfo
    """How the connection ended."""
    turn_lost: bool
    """True when an answer was due or under way: what of it had not come will not come, so ask again."""


@dataclass(frozen=True)
class Reconnected:
    """The session has a connection again; what waited has been sent."""

    state_restored: bool
    """True when the service took the handle: the model knows the conversation. False: it begins anew."""
    seconds: float
    """How long the session had no connection."""
    attempts: int
    """How many connections were tried, this one included."""
    turn_lost: bool = False
    """True when the session begins anew, and an open call or question of the old conversation is lost with it: ask again."""
