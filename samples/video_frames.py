"""Shows a model some frames of a video, one a second, and asks what it sees.

    python samples/video_frames.py [frame.jpg ...]    # needs GEMINI_API_KEY
    python samples/video_frames.py --emulator         # needs nothing; shows the frames in samples/frames

A frame is one JPEG image; the service looks at no more than one a second, and 768 by 768 pixels are enough.
With Pillow, video= takes a PIL image as well.
"""

import sys
import time
from pathlib import Path

from genai_live import Client, types
from genai_live.emulator import start_if_asked

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"
CONFIG = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
SECONDS_BETWEEN_FRAMES = 1.0

frames = [Path(name) for name in sys.argv[1:]] or sorted(Path(__file__).parent.glob("frames/*.jpg"))

with Client().live.connect(model=MODEL, config=CONFIG) as session:
    for frame in frames:
        print("Showing", frame.name)
        session.send_realtime_input(video=types.Blob(data=frame.read_bytes(), mime_type="image/jpeg"))
        time.sleep(SECONDS_BETWEEN_FRAMES)
    session.send_realtime_input(text="What do you see?")
    turn = session.collect(timeout=60)

print("Model:", turn.transcripts.output)
