"""Lets the model call a Python function.

python samples/tool_call.py              # needs GEMINI_API_KEY
python samples/tool_call.py --emulator   # needs nothing
"""

from genai_live import Client, types
from genai_live.emulator import start_if_asked

start_if_asked()  # with --emulator: a server on this machine answers

MODEL = "gemini-3.8-live"


def get_weather(city: str) -> dict[str, object]:
    """Returns the weather of a city at this moment."""
    return {"city": city, "temperature": 22, "sky": "clear"}


config = {
    "response_modalities": ["AUDIO"],
    "output_audio_transcription": {},
    "tools": [get_weather],  # its name, docstring and annotations are what the model is told
}


def answer(call: types.FunctionCall) -> types.FunctionResponse:
    """Runs the function that the model asks for."""
    print(f"The model calls {call.name}({call.args}).")
    result = get_weather(**(call.args or {})) if call.name == "get_weather" else {"error": "no such function"}
    return types.FunctionResponse(id=call.id, name=call.name, response={"output": result})


with Client().live.connect(model=MODEL, config=config) as session:
    session.send_text("What is the weather in Lisbon?")
    said = ""
    while not said:  # some models end a turn after the call, and answer in a new one
        for message in session.receive(timeout=60):
            if message.tool_call:
                calls = message.tool_call.function_calls or []
                session.send_tool_response(function_responses=[answer(call) for call in calls])
            content = message.server_content
            if content and content.output_transcription:
                said += content.output_transcription.text or ""

print("Model:", said)
