"""A Live API server on this machine that other people's clients believe: its public names. Nothing runs on import.

A map of the package, from the socket to the user; a file imports only from files above it:

======================================  ==============================================================================
settings                                what one emulator was asked to be
request, listener                       the HTTP request that opens a connection, and what a connection delivers to
admission                               which requests are taken, by their Host and Origin
connection                              one TCP connection: HTTP head, upgrade, WebSocket frames, misbehaviour on the wire
server_thread, entrance, certificates   a TCP (and TLS) server in a thread of its own, and what it lets in
validation, encoding, received          messages: checked as protobuf JSON, written as the service does, kept with times
profiles, usage, tokens, resumption     what the service knows: families of models, token counts, credentials, handles
scenario, step_forms, scenario_file     scenarios as data, checked, and from JSON
scenario_runs                           which session plays which scenario, and what became of it
redaction                               credentials taken out of words that pass by
recording, replay                       sessions written down, and read back as scenarios
backend, recorder                       a proxy before a real backend, which writes down and gives no key away
pcm, voice_activity, utterances         sound: samples, voice activity detection, speech cut into utterances
session_options, setup_checks           the setup message as read, and what can be wrong with it
answers, model, voice                   the model: words for a prompt, tones or ``emulator-voice`` for words
response_writer, conversation           one answer as messages, and turns as a table of states
server_state                            what all sessions share
session, live_session, music_session    one WebSocket: what its messages do
scenario_player, scenario_actions       one scenario on one session, and what each step does
handshake                               requests become sessions, REST answers, or refusals
server, control, programs               ``LiveEmulator``, its handle on a session, the command line's side
======================================  ==============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.emulator import scenario as steps
from genai_live.emulator.control import SessionControl
from genai_live.emulator.listener import Ending
from genai_live.emulator.programs import HOST_VARIABLE, describe, serve, start_if_asked
from genai_live.emulator.received import Received, ReceivedMessage
from genai_live.emulator.recorder import Recorder
from genai_live.emulator.scenario import Scenario
from genai_live.emulator.scenario_file import load_script
from genai_live.emulator.server import LiveEmulator

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
