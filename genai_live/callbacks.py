"""What a session calls when something happens. The functions run on the reader thread, or on the caller's executor."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genai_live import _public
from genai_live.errors import CloseInfo, ConfigError, LiveError
from genai_live.types import LiveMusicServerMessage, LiveServerMessage
from genai_live.types._server_messages import ServerMessage

__all__ = ["Callbacks", "LiveCallbacks", "LiveMusicCallbacks"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

C = TypeVar("C", bound="Callbacks[Any]")


@dataclass(frozen=True)
class Callbacks(Generic[ServerMessage]):
    """Functions that a session calls, in order, one at a time. They see the context variables of the thread that connected.

    They run on the reader thread and may call every ``send_*`` and ``close()``; ``receive()``, ``ask()`` and ``collect()``
    there would wait for themselves and raise :class:`~genai_live.errors.WrongThread`. One that raises is logged and given to
    ``on_error``;
    the session lives on. One that takes long keeps the next messages waiting: pass an ``executor``, and the order is kept.
    """

    on_open: Callable[[], object] | None = None
    """Called once, after setupComplete and before ``connect`` returns."""
    on_message: Callable[[ServerMessage], object] | None = None
    """Called for every message of the server, setupComplete excepted."""
    on_error: Callable[[LiveError], object] | None = None
    """Called for what went wrong: an end that lost something, an undecodable message, a callback that raised."""
    on_close: Callable[[CloseInfo], object] | None = None
    """Called once, last, however the connection ended, and also when ``connect`` raises."""
    executor: Executor | None = None
    """Where the functions run instead of the reader thread, still one at a time and in order."""

    @classmethod
    def of(cls: type[C], given: C | Mapping[str, Any] | None) -> C:
        """Accepts an object, or a mapping with these names or JavaScript's (``onmessage``).

        Raises:
            ConfigError: an unknown name, or something that cannot be called.
        """
        if given is None:
            return cls()
        if not isinstance(given, Callbacks):
            if not isinstance(given, Mapping):
                raise ConfigError(f"takes {cls.__name__} or a dict of functions, not {type(given).__name__}", "callbacks")
            given = cls(**{_known_name(name): value for name, value in given.items()})
        for field in fields(given):
            value = getattr(given, field.name)
            if field.name != "executor" and value is not None and not callable(value):
                raise ConfigError(f"takes a function, not {type(value).__name__}", f"callbacks.{field.name}")
        if given.executor is not None and not callable(getattr(given.executor, "submit", None)):
            name = type(given.executor).__name__
            raise ConfigError(f"takes a concurrent.futures.Executor, not {name}", "callbacks.executor")
        return given


@dataclass(frozen=True)
class LiveCallbacks(Callbacks[LiveServerMessage]):
    """The functions that a Live session calls; see :class:`Callbacks` for when and where."""


@dataclass(frozen=True)
class LiveMusicCallbacks(Callbacks[LiveMusicServerMessage]):
    """The functions that a music session calls; see :class:`Callbacks` for when and where."""


_NAMES = {spelling: field.name for field in fields(Callbacks) for spelling in (field.name, field.name.replace("_", ""))}


def _known_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    near = difflib.get_close_matches(str(name), _NAMES, n=1)
    hint = f"; did you mean {_NAMES[near[0]]!r}?" if near else f"; known are {', '.join(dict.fromkeys(_NAMES.values()))}"
    raise ConfigError(f"unknown callback {name!r}{hint}", "callbacks")
