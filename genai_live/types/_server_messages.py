"""What a server sends, whichever kind of session: for code that serves both kinds. Declarations only: runs on any thread."""

from __future__ import annotations

from typing import TypeVar

from genai_live.types.messages import LiveServerMessage
from genai_live.types.music import LiveMusicServerMessage

ServerMessage = TypeVar("ServerMessage", LiveServerMessage, LiveMusicServerMessage)
"""The message of a Live session or of a music session; both have ``setup_complete`` and ``decode_error``."""
