"""Lets the model call a Python function, which runs by itself.

python samples/tool_call.py              # needs GEMINI_API_KEY
python samples/tool_call.py --emulator   # needs nothing
"""

from genai_live import Client
from genai_live.emulator import start_if_asked

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"


def get_weather(city: str) -> dict[str, object]:
    """Returns the weather of a city at this moment.

    Args:
        city: The city's name, in English.
    """
    return {"city": city, "temperature": 22, "sky": "clear"}


config = {
    "response_modalities": ["AUDIO"],
    "output_audio_transcription": {},
    "tools": [get_weather],  # its name, docstring and annotations are what the model is told
}

with Client().live.connect(model=MODEL, config=config, run_tools=True) as session:
    turn = session.ask("What is the weather in Lisbon?", timeout=60)

for run in turn.tool_runs:
    print(f"The model calls {run.name}({run.args}). It gives back {run.result}.")
print("Model:", turn.transcripts.output)
