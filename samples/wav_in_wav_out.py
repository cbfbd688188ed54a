"""Asks what is in a WAV file, and saves the spoken answer.

    python samples/wav_in_wav_out.py question.wav answer.wav    # needs GEMINI_API_KEY
    python samples/wav_in_wav_out.py --emulator                 # needs nothing; asks a question that comes with the library

Another rate than 16 kHz needs:  pip install '.[audio]'
"""

import sys
from pathlib import Path

from genai_live import Client
from genai_live.emulator import start_if_asked

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"
CONFIG = {
    "response_modalities": ["AUDIO"],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
}
BUNDLED_QUESTION = Path(__file__).parent.parent / "genai_live/cli/data/question.wav"

question = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED_QUESTION
answer = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("answer.wav")

with Client().live.connect(model=MODEL, config=CONFIG) as session:
    print(f"Asking what is in {question.name} ...")
    session.stream_audio(question)  # as fast as it was spoken; waits for the end
    turn = session.collect(timeout=60)

print("You:  ", turn.transcripts.input)
print("Model:", turn.transcripts.output)
turn.audio.save(answer)
print(f"{turn.audio.seconds:.1f} seconds of speech are in {answer}.")
