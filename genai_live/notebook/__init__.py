"""Look, listen and talk in a notebook; without one the same names show text.

A map, from the bottom up:

=============  =======================================================================================
surface        where a turn is shown while it comes: below a notebook's cell, or as text in a terminal
showing        ``show``: asks so that the answer is seen while it comes
=============  =======================================================================================

Turns, sound, sessions and messages show themselves at the end of a cell; that needs nothing of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.notebook.showing import Shown, show

__all__ = ["Shown", "show"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
