"""What a model has said so far: written by the callbacks on the reader thread, read by the main thread that draws it."""

from __future__ import annotations

import threading
import time

from genai_live.audio import SAMPLE_BYTES, rate_of
from genai_live.errors import ClosedByServer, CloseInfo, LiveError, SessionClosed
from genai_live.types import LiveServerContent, LiveServerMessage


class Listener:
    """Callbacks of a session. Each field is written by the reader thread alone, whole at once; ``changed`` is set after a change.

    Times are seconds of the monotonic clock, None for what has not happened.
    """

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.messages: list[LiveServerMessage] = []
        self.heard = ""
        """What the service understood of the caller's speech."""
        self.said = ""
        """What the model says, as text."""
        self.answer_seconds = 0.0
        """Length of the speech that has come."""
        self.answering = False
        """True from the first word of an answer to the end of its turn."""
        self.first_sound_at: float | None = None
        self.last_message_at: float | None = None
        self.generated_at: float | None = None
        """When the model had made all of an answer; the end of its turn comes when that would have been played."""
        self.turn_ended_at: float | None = None
        self.end: SessionClosed | None = None
        """How the session ended; None while it is open."""

    def on_message(self, message: LiveServerMessage) -> None:
        """Takes in one message; the reader thread calls it."""
        now = time.monotonic()
        self.messages.append(message)
        self.last_message_at = now
        if message.server_content is not None:
            self._take(message.server_content, now)
        if message.ends_turn:
            self.answering = False
            self.turn_ended_at = now
        self.changed.set()

    def on_error(self, error: LiveError) -> None:
        """Notes an end that lost something; the reader thread calls it."""
        if isinstance(error, SessionClosed):
            self.end = error

    def on_close(self, info: CloseInfo) -> None:
        """Notes the end of the session; the reader thread calls it."""
        self.end = self.end or ClosedByServer(f"the session has ended: {info}", info)
        self.changed.set()

    def _take(self, content: LiveServerContent, now: float) -> None:
        if content.generation_complete:
            self.generated_at = now
        if content.input_transcription is not None and content.input_transcription.text:
            self.heard += content.input_transcription.text
        if content.output_transcription is not None and content.output_transcription.text:
            self.said += content.output_transcription.text
            self.answering = True
        for part in (content.model_turn.parts or ()) if content.model_turn is not None else ():
            self.answering = True
            if part.text and not part.thought:
                self.said += part.text
            if part.inline_data is not None and part.inline_data.data and (part.inline_data.mime_type or "").startswith("audio/"):
                self.first_sound_at = self.first_sound_at or now
                self.answer_seconds += len(part.inline_data.data) / SAMPLE_BYTES / rate_of(part.inline_data.mime_type or "")
