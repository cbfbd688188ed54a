"""Talks with a model over microphone and loudspeaker, hands-free, without headphones, until Ctrl-C; prints what is said.

pip install '.[voice]'               # and on Linux:  apt install libportaudio2
python samples/voice.py              # or, without a key and a network:  python samples/voice.py --emulator
"""

from contextlib import suppress

from genai_live import Client
from genai_live.emulator import start_if_asked
from genai_live.voice import Conversation, Devices, ModelWords, UserWords

start_if_asked()  # with --emulator: a server on this machine answers

with suppress(KeyboardInterrupt), Conversation.connect(Client(), Devices(), model="gemini-3.8-live") as conversation:
    for event in conversation:
        if isinstance(event, (UserWords, ModelWords)) and event.final:
            print("You:  " if isinstance(event, UserWords) else "Model:", event.text)
