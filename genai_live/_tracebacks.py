"""Tracebacks of what the library raises: without its own frames, or with them folded. On the caller's thread.

Tools that report errors show the variables of every frame of a traceback. A user's own frames are the user's; in the frames of
this library stood the key, or the dict with the Authorization header, that the user had passed.

``GENAI_LIVE_DEBUG=1`` keeps the frames of waits; frames that were passed credentials stay dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from genai_live import _folding
from genai_live._public import misfit
from genai_live._secret import without_frames
from genai_live.errors import LiveError, ReceiveTimeout, TurnLost

P = ParamSpec("P")
R = TypeVar("R")
_Error = TypeVar("_Error", bound=BaseException)

LEAVES_A_SESSION_OPEN = (KeyboardInterrupt, ReceiveTimeout, TurnLost)
"""What ends a wait and no session. A notebook keeps the last traceback, and one with the frames of the wait would keep the
session, also after its cell was run again."""


def bare(error: _Error) -> _Error:
    """The error as a method that waits raises it: without the frames of the wait, unless they are to be seen."""
    return error if _folding.unfolded() else hidden(error)


def hidden(error: _Error) -> _Error:
    """The error of a call whose frames hold credentials: without them, whatever is to be seen."""
    _folding.fold(error)
    return without_frames(error)


def opaque(function: Callable[P, R]) -> Callable[P, R]:
    """For functions that are passed credentials: the library's errors and Ctrl-C come out bare, a defect keeps its frames."""
    return _door(function, (LiveError, KeyboardInterrupt), hidden)


def letting_go(function: Callable[P, R]) -> Callable[P, R]:
    """For methods that wait: what ends the wait alone comes out bare."""
    return _door(function, LEAVES_A_SESSION_OPEN, bare)


def _door(
    function: Callable[P, R], kinds: tuple[type[BaseException], ...], strip: Callable[[BaseException], BaseException]
) -> Callable[P, R]:
    @functools.wraps(function)
    def door(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except kinds as error:
            failure = error
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
            failure = misfit(function, error)  # the arguments do not fit: the call itself raised it
        args = kwargs = None  # type: ignore[assignment]  # this frame is the one that is seen
        try:
            raise strip(failure)
        finally:
            del failure  # it has this frame now, and would keep itself alive

    return door


def words_of(error: BaseException) -> str:
    """The text of an error, whatever its class makes of that."""
    try:
        return str(error)
    except BaseException:
        return "its text cannot be had"
