"""A Live API server on this machine that other people's clients believe: its public names. Nothing runs on import."""

from __future__ import annotations

from . import scenario as steps
from .control import SessionControl
from .door import Ending
from .programs import describe, serve, start_if_asked
from .received import Received, ReceivedMessage
from .recorder import Recorder
from .scenario import Scenario, load_script
from .server import LiveEmulator

__all__ = [
    "Ending",
    "LiveEmulator",
    "Received",
    "ReceivedMessage",
    "Recorder",
    "Scenario",
    "SessionControl",
    "describe",
    "load_script",
    "serve",
    "start_if_asked",
    "steps",
]
