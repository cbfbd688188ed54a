"""When a chunk of a stream is due: as fast as it was spoken, as its source has it, or at once. Pure: time is passed in."""

from __future__ import annotations

from typing import Protocol

from genai_live.audio import INPUT_RATE, Pacer

AHEAD = 1.0
"""Seconds of sound that a source may give before they were spoken: what a device has recorded until it is asked first."""
_PATIENCE = 0.25
"""Part of a chunk's time from which a wait for the source counts as one: a file needs less, a microphone's next chunk more."""


class Pace(Protocol):
    """The schedule of one stream. All times are seconds of one monotonic clock, asked for in the order of the chunks."""

    def came(self, asked: float, came: float) -> None:
        """Notes that the source was asked for the next chunk at ``asked`` and gave it at ``came``."""

    def due(self, now: float) -> float:
        """When that chunk is due; a time that is past means: at once."""

    def sent(self, samples: int, now: float) -> object:
        """Notes that it was sent at ``now``."""


def pace_of(realtime: bool | None, chunk_ms: float, *, may_block: bool) -> Pace:
    """The pace that the caller asked for: True as spoken, False at once, None by the source.

    A source that cannot block is in memory, and no microphone: it is sent as it was spoken.
    """
    if realtime is False:
        return AtOnce()
    return BySource(chunk_ms / 1000) if realtime is None and may_block else AsSpoken(INPUT_RATE)


class AtOnce:
    """Every chunk is due."""

    def came(self, asked: float, came: float) -> None:
        """Does nothing."""

    def due(self, now: float) -> float:
        """Now."""
        return now

    def sent(self, samples: int, now: float) -> None:
        """Does nothing."""


class AsSpoken(Pacer):
    """The schedule of ``Pacer``, whatever the source does."""

    __slots__ = ()

    def came(self, asked: float, came: float) -> None:
        """Does nothing."""


class BySource:
    """Holds a source back that is a file, and never one that is a microphone.

    A clock runs from a moment at which the source had nothing left: from the first chunk, and anew whenever a chunk was waited
    for. A microphone cannot give what was not spoken since, so it is never ahead of that clock, whatever its first burst, its
    pauses or its drift. What has been ahead by more than ``AHEAD`` is not a microphone: it is held back from there on, and after
    a pause its clock starts when it goes on, so that it makes up for none.
    """

    def __init__(self, chunk_seconds: float) -> None:
        self._patience = chunk_seconds * _PATIENCE
        self._start: float | None = None
        self._samples = 0
        """Sent since the start."""
        self._was_ahead = False

    def came(self, asked: float, came: float) -> None:
        """As ``Pace.came``: a wait starts the clock."""
        if self._start is None or came - asked > self._patience:
            self._start, self._samples = came if self._was_ahead else asked, 0
        self._was_ahead = self._was_ahead or self._allowed_at(self._start) > came

    def due(self, now: float) -> float:
        """As ``Pace.due``."""
        return now if self._start is None else self._allowed_at(self._start)

    def _allowed_at(self, start: float) -> float:
        return start + self._samples / INPUT_RATE - AHEAD

    def sent(self, samples: int, now: float) -> None:
        """As ``Pace.sent``; when does not matter: what is late is made up at once, as a microphone's sound has to be."""
        self._samples += samples
