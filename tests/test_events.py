"""Conversations: what happens in them, in which order, and what is told of it."""

from __future__ import annotations

import json

from genai_live import errors, voice
from genai_live.voice import events


def test_every_event_can_be_written_as_json_under_its_name() -> None:
    made: list[voice.Event] = [
        voice.StateChanged(0.5, voice.ConversationState.SPEAKING),
        voice.TurnEnded(2.0, (voice.Utterance("model", "Hello.", 0.5, 1.5, heard=1.0),), voice.Latency(first_sound=0.2), None),
        voice.Ended(3.0, None, errors.DeviceError("the microphone is gone")),
    ]
    written = [json.loads(json.dumps(events.to_dict(event))) for event in made]
    assert [event["event"] for event in written] == ["state_changed", "turn_ended", "ended"]
    assert written[0]["state"] == "speaking"
    assert written[1]["utterances"][0]["text"] == "Hello."
    assert written[1]["latency"]["first_sound"] == 0.2
    assert written[2]["error"] == "the microphone is gone"
