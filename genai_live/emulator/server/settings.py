"""What one emulator was asked to be: a frozen record that every part of it reads. Plain data: runs on any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RECEIVED_BYTES = 64 * 1024 * 1024
"""Bytes of client messages that ``emulator.received`` keeps: enough for hours of one conversation, harmless for 300 of them."""

SecondQuestion = Literal["interrupts", "waits", "merges", "replaces"]
"""What a question does that comes before the answer to the one before it has begun."""

LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one client message. The service documents no limit; other clients' emulators and proxies stop at 16 MiB."""


@dataclass(frozen=True)
class Settings:
    """How an emulator behaves; see ``LiveEmulator`` for what each word means to a user."""

    pace: float = 1.0
    """Scale of every time the emulator takes of its own accord: 1.0 is natural, 0.0 waits for nothing."""
    assume_playback: bool = True
    """Wait between generationComplete and turnComplete until a client would have played the answer."""
    text_frames: bool = False
    """Send JSON in text frames; the service uses binary ones."""
    second_question: SecondQuestion = "interrupts"
    """A row of ``conversation.SECOND_QUESTION``: what the service does is not known."""
    pretty: bool = True
    """Indent JSON by two spaces, as every recording of the service shows it."""
    require_key: bool = False
    """Close a session that brings no credential at all."""
    keys: frozenset[str] | None = None
    """Accepted API keys and bearer tokens; None accepts every one except ``invalid`` and ``expired``."""
    models: frozenset[str] | None = None
    """Models that exist, with or without their path; None lets every name be one."""
    strict: bool = True
    """Refuse what the service is known to refuse: API versions, what families of models do not take, fields that it lacks."""
    keep_bytes: int = RECEIVED_BYTES
    """Bytes of client messages kept in ``received``; the oldest go first."""
    largest_message: int = LARGEST_MESSAGE
    """Bytes of the largest client message; a larger one ends the session with 1009."""
