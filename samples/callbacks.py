"""Lets functions be called for everything that happens, instead of waiting for it.

    python samples/callbacks.py              # needs GEMINI_API_KEY
    python samples/callbacks.py --emulator   # needs nothing

The functions run on the session's reader thread, one at a time and in order. They may send and close.
"""

import threading

from genai_live import Client, LiveCallbacks, types
from genai_live.emulator import start_if_asked
from genai_live.errors import CloseInfo, LiveError

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"
CONFIG = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}

answered = threading.Event()
sound = bytearray()


def on_message(message: types.LiveServerMessage) -> None:
    content = message.server_content
    if content and content.output_transcription and content.output_transcription.text:
        print(content.output_transcription.text, end="", flush=True)
    if message.data:
        sound.extend(message.data)
    if message.ends_turn:
        answered.set()


def on_error(error: LiveError) -> None:
    print("Something went wrong:", error)


def on_close(info: CloseInfo) -> None:
    print("The session was", info)
    answered.set()


callbacks = LiveCallbacks(
    on_open=lambda: print("Connected."),
    on_message=on_message,
    on_error=on_error,
    on_close=on_close,
)

with Client().live.connect(model=MODEL, config=CONFIG, callbacks=callbacks) as session:
    session.send_text("Tell me a short story.")
    answered.wait(timeout=60)
    print(f"\n({len(sound)} bytes of 24 kHz PCM)")
