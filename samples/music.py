"""Plays live music for some seconds, changes it half-way without a break, and saves a WAV file.

python samples/music.py --emulator                     tones of the embedded emulator: no key, no network
python samples/music.py --first jazz --second rain      the service; the key comes from GEMINI_API_KEY
"""

from __future__ import annotations

import argparse

from genai_live import Client
from genai_live.audio import Audio
from genai_live.emulator import start_if_asked

MODEL = "models/lyria-realtime-exp"


def make_music(first: str, second: str, seconds: float) -> Audio:
    """Half of the first, then a mix that is mostly the second."""
    with Client().live.music.connect(model=MODEL) as session:
        session.set_music_generation_config({"bpm": 100, "brightness": 0.6})
        session.set_weighted_prompts([{"text": first, "weight": 1.0}])
        session.play()
        beginning = session.record(seconds / 2, timeout=60 + seconds)
        session.set_weighted_prompts([{"text": first, "weight": 0.3}, {"text": second, "weight": 1.0}])
        end = session.record(seconds / 2, timeout=60 + seconds)
        session.stop()
    return Audio(beginning.data + end.data, beginning.rate, beginning.channels)


def main() -> None:
    start_if_asked()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulator", action="store_true", help="start the embedded emulator and play there")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the file")
    parser.add_argument("--first", default="minimal techno", help="what to begin with")
    parser.add_argument("--second", default="warm piano", help="what to end with")
    parser.add_argument("file", nargs="?", default="music.wav")
    given = parser.parse_args()
    audio = make_music(given.first, given.second, given.seconds)
    print(f"{audio.seconds:g} s of music, {audio.rate} Hz, {audio.channels} channels: {audio.save(given.file)}")


if __name__ == "__main__":
    main()
