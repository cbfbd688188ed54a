"""What a pair of ears and a mouth is to a conversation. Plain data and a protocol: no thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from genai_live._arguments import came
from genai_live.audio.pcm import check_rate
from genai_live.errors import ConfigError

HELD_SECONDS = 600.0
"""Seconds of sound that an end holds: answers come faster than they are spoken, and the longest recorded ones take minutes."""


@dataclass(frozen=True)
class Rates:
    """Samples per second of the 16-bit little-endian mono PCM that an end feeds and plays, in Hz."""

    input: int
    output: int


@dataclass(frozen=True)
class Press:
    """The button for talking was pressed."""


@dataclass(frozen=True)
class Release:
    """The button for talking was released."""


@dataclass(frozen=True)
class Mute:
    """The microphone was switched off."""


@dataclass(frozen=True)
class Unmute:
    """The microphone was switched on."""


@dataclass(frozen=True)
class Text:
    """A sentence was typed."""

    text: str


@dataclass(frozen=True)
class Moved:
    """Sound goes through another device now; the conversation tells it as ``DeviceChanged``.

    For ends that outlive a device. ``Devices`` does not: when the one that it opened is gone, the conversation ends.
    """

    old: str
    new: str


@dataclass(frozen=True)
class Heard:
    """``played`` or ``flushes`` have changed: for ends that hear of it now and then, as from a page's reports."""


Control = Press | Release | Mute | Unmute | Text | Moved | Heard
"""What a person at the end does beside speaking, and what becomes of the end."""


@runtime_checkable
class SoundEnd(Protocol):
    """A pair of ears and a mouth: devices, files, a page, or your own.

    An end may have, beside what stands here:

    - ``flushes``: how many calls of ``flush`` have taken effect, as last known; ``played`` counts all that was heard until each.
      Without it ``heard`` of an interrupted answer is told after half a second, as not exact.
    - ``stats``: a dict of what it counts.
    - ``feeds_promptly``: True where the thread that feeds may take a lock; each chunk goes out at once.
    - ``reports``: True where the control ``Heard`` says when ``played`` or ``flushes`` have changed; nobody looks in between.
    - ``holds_back``: seconds within which it feeds what was heard; a button that is released waits so long for the last word.

    ``genai_live.testing`` has the test that each end must pass.
    """

    def open(
        self,
        feed: Callable[[bytes], None],
        control: Callable[[Control], None],
        ended: Callable[[Exception | None], None],
    ) -> Rates:
        """Blocks until sound flows; called once.

        Args:
            feed: takes 16-bit mono PCM of ``Rates.input``; called from one thread of the end, a device's callback included; takes
                no lock and returns in microseconds.
            control: takes what the person at the end does; called from a thread of the end.
            ended: called once, with the reason, or None when the end has nothing more to say and hung up.

        Raises:
            DeviceError: no sound can flow; the sentence says what to do.
        """
        ...

    def play(self, pcm: bytes) -> None:
        """Appends 16-bit mono PCM of ``Rates.output`` to what is to be heard; never blocks.

        Raises:
            EndFull: ten minutes of sound wait already.
        """
        ...

    def end_of_answer(self) -> None:
        """Says that the answer is complete: what runs empty from now on is not an underrun. Never blocks."""
        ...

    def flush(self) -> None:
        """Drops all that was not heard yet; returns at once. Called only after something was played."""
        ...

    @property
    def played(self) -> float:
        """Seconds heard since ``open``, as last known; never falls."""
        ...

    def show(self, event: object) -> None:
        """Is told every event of the conversation, in order; never blocks. A page shows transcripts, devices ignore it.

        The last, ``Ended``, says how the session ended, and so comes after ``close``.
        """
        ...

    def close(self, timeout: float) -> None:
        """Ends it within ``timeout`` seconds; idempotent, from any thread."""
        ...


MEMBERS = ("open", "play", "end_of_answer", "flush", "played", "show", "close")


def check_rates(rates: object, end: object) -> None:
    """Raises ConfigError when what ``open`` returned is not the rates of an end."""
    if not isinstance(rates, Rates):
        raise ConfigError(f"must return Rates, not {came(rates)}", f"{type(end).__name__}.open")
    for rate in (rates.input, rates.output):
        check_rate(rate)


def lacks(end: object) -> str:
    """The members of ``SoundEnd`` that an object lacks, for a sentence; empty where it lacks none. Asks for no values."""
    return ", ".join(name for name in MEMBERS if not (_is_defined(end, name) or hasattr(end, name)))


def _is_defined(end: object, name: str) -> bool:
    """True for a property, too, that has no value before ``open``."""
    return any(name in vars(each) for each in type(end).__mro__)
