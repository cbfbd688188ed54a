"""Says hello to a Live model, prints what it answers and saves its voice.

export GEMINI_API_KEY=...            # a key from https://aistudio.google.com/apikey
python samples/hello.py              # or, without a key and a network:  python samples/hello.py --emulator
"""

from genai_live import Client
from genai_live.emulator import start_if_asked

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"
CONFIG = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}

client = Client()
with client.live.connect(model=MODEL, config=CONFIG) as session:
    turn = session.ask("Hello! What can you do?", timeout=60)

print("Model:", turn.transcripts.output)
path = turn.audio.save("hello.wav")
print(f"{turn.audio.seconds:.1f} seconds of speech are in {path}.")
