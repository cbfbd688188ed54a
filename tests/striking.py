"""Ctrl-C at a chosen line of a module, so that a test can try each of them."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any


def struck_at(line: int, module: ModuleType, call: Callable[[], object], where: str = "line") -> bool:
    """Raises KeyboardInterrupt at the ``line``-th line of the module within ``call``; False when there are not as many.

    ``where="return"`` is the end of its functions instead, generators excepted: what they have taken, they leave taken.
    """
    left = line

    def in_function(function: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == where and not (event == "return" and function.f_code.co_flags & inspect.CO_GENERATOR):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return in_function

    def trace(function: FrameType, event: str, argument: object) -> Any:
        return in_function if function.f_code.co_filename == module.__file__ else None

    before = sys.gettrace()
    gc.disable()  # what it collects may end sessions of other tests, and Python lets no exception out of a finalizer
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return False
