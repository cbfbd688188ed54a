"""Look, listen and talk in a notebook; without one the same names show text.

A map, from the bottom up:

============  ========================================================================================
surface       where a turn is shown while it comes: below a notebook's cell, or as text in a terminal
showing       ``show``: asks so that the answer is seen while it comes
door          the way from a page straight to the kernel: a WebSocket server on a thread of its own
comm_socket   the last way, through Jupyter's own messages
script        the widget's script, with the element of ``genai_live.web`` in it
page          the widget as Jupyter knows it
cells         which cell made what: a cell that is run again replaces what it made before
voice_widget  ``VoiceWidget``: a spoken conversation through the browser's microphone and loudspeaker
============  ========================================================================================

Turns, sound, sessions and messages show themselves at the end of a cell; that needs nothing of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.notebook.showing import Shown, show

if TYPE_CHECKING:
    from genai_live.notebook.voice_widget import VoiceWidget

__all__ = ["Shown", "VoiceWidget", "show"]

if not TYPE_CHECKING:
    _missing, __dir__ = _public.public(__name__)

    def __getattr__(name: str) -> object:
        if name == "VoiceWidget":  # whoever only looks does not pay for it
            from genai_live.notebook.voice_widget import VoiceWidget

            return VoiceWidget
        return _missing(name)
