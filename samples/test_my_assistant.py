"""A small voice assistant, and its test suite: no key, no network, no waiting.

pip install '.[emulator]' pytest
pytest samples/test_my_assistant.py
"""

import pytest

from genai_live import Client, Turn, errors, types
from genai_live.emulator import LiveEmulator, Scenario, steps

LIGHTS = {"kitchen": False}
TOOL = {"function_declarations": [{"name": "switch_light", "parameters": {"type": "OBJECT", "properties": {}}}]}
CONFIG = {"response_modalities": ["AUDIO"], "input_audio_transcription": {}, "output_audio_transcription": {}, "tools": [TOOL]}


def assistant(client: Client, speech: bytes) -> Turn:
    """The feature under test: one spoken question (PCM, 16 kHz) in, one spoken answer out, lights switched on the way."""
    with client.live.connect(model="gemini-2.5-flash-native-audio", config=CONFIG, timeout=10) as session:
        session.stream_audio(speech, realtime=False)
        for message in session.receive(timeout=10):
            if message.tool_call:
                break
        for call in message.tool_call.function_calls if message.tool_call else []:
            LIGHTS["kitchen"] = True
            done = types.FunctionResponse(id=call.id, name=call.name, response={"on": True})
            session.send_tool_response(function_responses=done)
        return session.collect(timeout=10)


SPEECH = b"\x00\x40\x00\xc0" * 8_000 + bytes(32_000)  # a second of noise, a second of silence


@pytest.mark.live_emulator(
    scenario=Scenario(
        steps.Expect("speech"),
        steps.CallTool("switch_light", {"room": "kitchen"}),
        steps.Expect("toolResponse", text="switch_light"),
        steps.Reply("The light is on.", heard="Switch on the light in the kitchen."),
    )
)
def test_the_light_goes_on_and_the_assistant_says_so(live_client: Client) -> None:
    turn = assistant(live_client, SPEECH)
    assert LIGHTS["kitchen"]
    assert turn.transcripts.input == "Switch on the light in the kitchen."
    assert turn.transcripts.output == "The light is on."
    assert turn.audio.seconds > 0.5


def test_what_is_sent_is_16_khz_pcm(live_emulator: LiveEmulator) -> None:
    assistant(Client(), SPEECH)  # finds the emulator by its environment variable
    first = live_emulator.wait_for("realtimeInput.audio").message["realtimeInput"]["audio"]
    assert first["mimeType"] == "audio/pcm;rate=16000"


@pytest.mark.live_emulator(scenario=Scenario(steps.Expect("setup"), steps.Close(1011, "The service is currently unavailable.")))
def test_a_service_that_is_down_is_an_error_that_may_be_tried_again(live_client: Client) -> None:
    with pytest.raises(errors.SetupRejected, match="unavailable") as caught:
        assistant(live_client, SPEECH)
    assert caught.value.retryable
