"""A turn as a value: its pictures, and its way through JSON and back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from genai_live.errors import ConfigError
from genai_live.tools import RunState, ToolRun
from genai_live.turn import Transcripts, Turn, assemble
from genai_live.types import LiveServerMessage

PNG, MP4, PCM = b"\x89PNG", b"\x00\x00\x00 ftyp", b"\x01\x02" * 24


def blob(data: bytes, mime_type: str) -> dict[str, Any]:
    return {"inlineData": {"data": base64.b64encode(data).decode(), "mimeType": mime_type}}


MESSAGES = [
    {"serverContent": {"modelTurn": {"parts": [{"text": "pondering", "thought": True}, {"text": "caf\u00e9"}]}}},
    {"serverContent": {"modelTurn": {"parts": [blob(PCM, "audio/pcm"), blob(PNG, "image/png"), blob(MP4, "video/mp4")]}}},
    {"serverContent": {"inputTranscription": {"text": "A question."}, "outputTranscription": {"text": "An answer."}}},
    {"toolCall": {"functionCalls": [{"id": "1", "name": "look", "args": {"where": "up"}}]}},
    {"serverContent": {"interrupted": True}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 7}},
]
RUN = ToolRun("1", "look", {"where": "up"}, RunState.ANSWERED, {"seen": "sky"}, seconds=0.5)


def whole_turn() -> Turn:
    messages = [LiveServerMessage.from_dict(message) for message in MESSAGES]
    return assemble(messages, asked="A question?", questions=2, skipped=3, incomplete=True, tool_runs=(RUN,))


def test_pictures_and_videos_of_a_turn_are_its_blobs_of_that_kind() -> None:
    turn = whole_turn()
    assert [(image.data, image.mime_type) for image in turn.images] == [(PNG, "image/png")]
    assert [(video.data, video.mime_type) for video in turn.videos] == [(MP4, "video/mp4")]


def test_a_turn_without_pictures_has_none() -> None:
    assert assemble([]).images == assemble([]).videos == ()


@pytest.mark.parametrize("turn", [whole_turn(), assemble([])], ids=["everything", "nothing"])
def test_a_turn_comes_back_from_json_as_it_went(turn: Turn) -> None:
    assert Turn.from_json(turn.to_json(indent=2)) == turn


def test_the_json_of_a_turn_names_fields_as_messages_do() -> None:
    kept = whole_turn().to_dict()
    assert kept["toolCalls"] == [{"id": "1", "name": "look", "args": {"where": "up"}}]
    assert kept["usage"] == {"totalTokenCount": 7}
    assert kept["transcripts"] == {"input": "A question.", "output": "An answer."}


def test_transcripts_come_back_from_json_as_they_went() -> None:
    transcripts = Transcripts("A question.", "An answer.")
    assert Transcripts.from_json(transcripts.to_json()) == transcripts


WRONG = [None, [], "text", {}, {"messages": []}, {"messages": [], "transcripts": {"input": 1, "output": ""}}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_dict_that_no_turn_wrote_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        Turn.from_dict(wrong)
