"""Whether a failed connect() is tried again, and when. Decisions without clock or chance of their own: runs on any thread."""

from __future__ import annotations

from genai_live.errors import ConnectError, ErrorKind

FIRST_PAUSE = 0.25
"""Seconds before the second try, before chance has its say: an instance that was just replaced answers within half a second."""
LONGEST_PAUSE = 4.0
"""Seconds: with the default timeout of 30 s this leaves room for about ten tries."""
_FACTOR = 2.0
_PASSING = (ErrorKind.NETWORK, ErrorKind.UNAVAILABLE)
"""What may be over a moment later. An expired handle stays expired, a quota stays used up for longer than anybody waits here."""
_FIRST_SERVER_FAULT = 500


def may_pass(error: ConnectError) -> bool:
    """True for failures of the network and of the service; never for an HTTP answer below 500, which means the request."""
    if error.status is not None and error.status < _FIRST_SERVER_FAULT:
        return False
    return error.retryable and error.kind in _PASSING


def pause(tried: int, chance: float) -> float:
    """Seconds to wait after so many tries; ``chance`` (0 to 1) spreads clients that failed together over half of it."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * _FACTOR ** (tried - 1)) * (0.5 + chance / 2)


def next_try_in(error: ConnectError, tried: int, retries: int, left: float | None, chance: float) -> float | None:
    """Seconds until the next of ``retries`` further tries; None to give up. ``left``: seconds that the caller waits, None for
    ever."""
    if tried > retries or not may_pass(error):
        return None
    seconds = pause(tried, chance)
    return seconds if left is None or seconds < left else None
