"""A tool that takes its time: it asks before it books, tells how far it is, and stops when its result is not awaited any more.

python samples/slow_tool.py              # needs GEMINI_API_KEY
python samples/slow_tool.py --emulator   # needs nothing
"""

import time
from collections.abc import Iterator

from genai_live import Client, types
from genai_live.emulator import start_if_asked
from genai_live.tools import ToolContext, ToolPolicy, ToolRun, ToolUpdate, tool

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"


@tool(approve=True, timeout=30.0)
def book_flight(city: str, context: ToolContext) -> Iterator[object]:
    """Books the next flight to a city. Takes some seconds.

    Args:
        city: Where to fly to.
    """
    for step in ("looking for flights", "holding a seat", "paying"):
        context.check()  # raises when the call was cancelled, or the session closed
        yield ToolUpdate(step, scheduling="SILENT")  # the model knows, and says nothing yet
        time.sleep(0.1)
    return {"city": city, "seat": "12A"}


def approve(call: types.FunctionCall, context: ToolContext) -> bool:
    """Runs on a thread of its own, so that it may ask somebody and wait."""
    print(f"May the model do {call.name}({call.args})? Yes.")
    return True


def show(run: ToolRun) -> None:
    """Told of every change of a call."""
    print(f"{run.name} is {run.state}", f"after {run.seconds:.1f} s: {run.result}" if run.result else "")


policy = ToolPolicy(approve=approve, on_run=show)
config = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}, "tools": [book_flight]}

with Client().live.connect(model=MODEL, config=config, run_tools=policy) as session:
    turn = session.ask("Please book a flight to Lisbon.", timeout=60)

print("Model:", turn.transcripts.output)
