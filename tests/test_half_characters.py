"""A model that cuts a character in two: no word and no call is lost for it, with and without the extra ``speed``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live import Session, _json
from tests.servers import PATIENCE, answer_setup, client_of, live_server

CALL = b'{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{"job":"\\ud800","\\udc00":"\\ud83d\\ude00"}}]}}'
FIRST_HALF = b'{"serverContent":{"outputTranscription":{"text":"Smile \\ud83d"}}}'
SECOND_HALF = b'{"serverContent":{"outputTranscription":{"text":"\\ude00 again \\ud83d"}}}'
END = b'{"serverContent":{"turnComplete":true}}'


@pytest.fixture(params=["fast", "standard"], autouse=True)
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "fast":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(_json, "orjson", None)


@contextmanager
def session_that_hears(*frames: bytes) -> Iterator[tuple[Session, list[Any]]]:
    answers: list[Any] = []

    def serve(connection: Any) -> None:
        answer_setup(connection)
        connection.recv()
        for frame in frames:
            connection.send(frame)
        answers.extend(json.loads(raw) for raw in connection)

    with live_server(serve) as url, client_of(url).live.connect(model="m") as session:
        session.send_text("Hello")
        yield session, answers


def test_a_character_whose_halves_come_in_two_messages_is_one_again() -> None:
    with session_that_hears(FIRST_HALF, SECOND_HALF, END) as (session, _):
        turn = session.collect(timeout=PATIENCE)
    assert turn.transcripts.output == "Smile \N{GRINNING FACE} again \N{REPLACEMENT CHARACTER}"


def test_a_call_with_half_a_character_comes_and_can_be_answered_with_it() -> None:
    with session_that_hears(CALL) as (session, answers):
        (call,) = session.collect(timeout=PATIENCE).tool_calls
        assert call.args == {"job": "\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}": "\N{GRINNING FACE}"}
        session.send_tool_response(function_responses={"id": call.id, "name": "f", "response": call.args})
        session.close()
    assert answers[0]["toolResponse"]["functionResponses"][0]["response"] == call.args
