"""The base of every object that users hold: asyncio's words and foreign names are answered with the name to write instead.

Runs on the caller's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from genai_live import _public
from genai_live.errors import NotAsync


class Synchronous:
    """Base of classes whose counterparts in Google's clients are asynchronous, or have further names."""

    if not TYPE_CHECKING:  # a type checker is to find these missing
        __getattr__ = _public.find

        def __aenter__(self) -> NoReturn:
            raise NotAsync(self, "with")

        def __aexit__(self, *exception: Any) -> NoReturn:
            raise NotAsync(self, "with")

        def __aiter__(self) -> NoReturn:
            raise NotAsync(self, "for")
