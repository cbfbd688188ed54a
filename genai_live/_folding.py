"""A notebook's traceback of what the library raises: it ends in the user's cell. Runs on the thread that shows it.

IPython asks an exception for the lines of its traceback, if it has a method for them. ``GENAI_LIVE_DEBUG=1`` shows the frames of
the library below the cell.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEBUG_VARIABLE = "GENAI_LIVE_DEBUG"
"""Set to anything but 0, it unfolds the library's frames."""
_PACKAGE = str(Path(__file__).parent) + os.sep
_PYTHON = str(Path(os.__file__).parent) + os.sep
_METHOD = "_render_traceback_"
"""IPython's name."""


def unfolded() -> bool:
    """True when the library's frames are to be seen."""
    return os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")


def fold(error: BaseException) -> None:
    """Gives an error of Python's own, such as Ctrl-C, the method that errors of the library have by their class."""
    if "IPython" in sys.modules and not hasattr(error, _METHOD):
        setattr(error, _METHOD, _rendered_now)


def _rendered_now() -> list[str]:
    """For Ctrl-C, whose class is Python's: a method of the object's own would keep it alive."""
    error = sys.exc_info()[1]
    assert error is not None
    return rendered(error)


def rendered(error: BaseException) -> list[str]:
    """The lines of a traceback as IPython shows them, ending in the last frame that is not the library's; causes have a line."""
    module: Any = sys.modules["IPython"]
    form = module.get_ipython().InteractiveTB.structured_traceback
    kept = None if unfolded() else _users_frames(error.__traceback__)
    if kept is None:
        return list(form(type(error), error, error.__traceback__))
    with _without_frames_of_causes(error):
        *lines, last = form(type(error), error, kept)
    return [*lines, f"[{DEBUG_VARIABLE}=1 shows the frames of genai_live below]", last]


@contextlib.contextmanager
def _without_frames_of_causes(error: BaseException) -> Iterator[None]:
    """For now: a cause that came up within the library, or below it, has frames that say nothing to the user."""
    held: list[tuple[BaseException, types.TracebackType | None]] = []
    cause = error.__cause__
    while cause is not None and all(cause is not each for each, _ in held):
        held.append((cause, cause.__traceback__))
        if not any(map(_is_users, _steps(cause.__traceback__))):
            cause.__traceback__ = None
        cause = cause.__cause__
    try:
        yield
    finally:
        for each, traceback in held:
            each.__traceback__ = traceback


def _users_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback up to the frame that called the library; None when there is nothing to fold."""
    steps = _steps(traceback)
    users = len(steps)
    while users and steps[users - 1].tb_frame.f_code.co_filename.startswith(_PACKAGE):
        users -= 1
    if users in (0, len(steps)):
        return None
    kept = None
    for each in reversed(steps[:users]):
        kept = types.TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return kept


def _steps(traceback: types.TracebackType | None) -> list[types.TracebackType]:
    steps: list[types.TracebackType] = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    return steps


def _is_users(step: types.TracebackType) -> bool:
    file = step.tb_frame.f_code.co_filename
    return not (file.startswith((_PACKAGE, _PYTHON)) or "site-packages" in file)
