"""A Live API server on this machine that other people's clients believe: its public names. Nothing runs on import.

A map of the package, from the socket to the user; a file imports only from rooms and files above it:

=====================  =============================================================================
server                 a room: from a socket to a checked message
model                  a room: what the model hears, and what it says
session                a room: one WebSocket, and what its messages do
script                 a room: sessions that are written down, played or recorded
handshake              requests become sessions, REST answers, or refusals
control                a test's handle on one session
live_emulator          ``LiveEmulator``
programs               the command line's side
backend, recorder      a proxy before a real backend, which writes down and gives no key away
=====================  =============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.emulator.control import SessionControl
from genai_live.emulator.live_emulator import LiveEmulator
from genai_live.emulator.programs import HOST_VARIABLE, describe, serve, start_if_asked
from genai_live.emulator.recorder import Recorder
from genai_live.emulator.script import scenario as steps
from genai_live.emulator.script.scenario import Scenario
from genai_live.emulator.script.scenario_file import load_script
from genai_live.emulator.server.listener import Ending
from genai_live.emulator.server.received import Received, ReceivedMessage

__all__ = [
    "HOST_VARIABLE",
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
