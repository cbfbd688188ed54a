"""What a connection knows of itself: states, phases, turns, tool calls, handles; and that no message can break it."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_live import _json
from genai_live._connection.protocol import TRANSITIONS, Activity, Event, LiveProtocol, MusicProtocol, Resumption, Sent, State
from genai_live.errors import DecodeError, Phase, SentBy
from genai_live.types import LiveMusicPlaybackControl


def an_open_protocol() -> LiveProtocol:
    protocol = LiveProtocol()
    protocol.move(Event.UPGRADED)
    receive(protocol, setupComplete={})
    assert protocol.state is State.OPEN
    return protocol


def receive(protocol: LiveProtocol, **fields: Any) -> Any:
    return protocol.receive(json.dumps(fields).encode())


# States.


def test_the_usual_way_leads_from_opening_to_closed() -> None:
    protocol = LiveProtocol()
    seen = [protocol.state]
    for event in (Event.UPGRADED, Event.SETUP_COMPLETE, Event.FINISH_ASKED, Event.CLOSE_ASKED, Event.ENDED):
        protocol.move(event)
        seen.append(protocol.state)
    assert seen == [State.OPENING, State.SETUP, State.OPEN, State.FINISHING, State.CLOSING, State.CLOSED]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_what_the_table_does_not_name_changes_nothing(state: State, event: Event) -> None:
    protocol = LiveProtocol()
    protocol.state = state
    protocol.move(event)
    assert protocol.state is TRANSITIONS.get((state, event), state)


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_end_and_closed_has_nothing_else(state: State) -> None:
    assert TRANSITIONS[state, Event.ENDED] is State.CLOSED
    assert [event for source, event in TRANSITIONS if source is State.CLOSED] == [Event.ENDED]


def test_a_second_setup_complete_changes_nothing() -> None:
    protocol = an_open_protocol()
    first = protocol.setup_complete
    receive(protocol, setupComplete={"sessionId": "other"})
    assert protocol.setup_complete is first
    assert protocol.state is State.OPEN


# Phases and turns.


def test_the_phase_follows_what_happens() -> None:
    protocol = LiveProtocol()
    assert protocol.phase is Phase.SETUP
    protocol = an_open_protocol()
    assert (protocol.phase, protocol.turn_open) == (Phase.IDLE, False)
    protocol.note_written(Sent.QUESTION, protocol.question(Sent.QUESTION))
    assert (protocol.phase, protocol.turn_open) == (Phase.TURN, True)
    receive(protocol, toolCall={"functionCalls": [{"id": "1", "name": "f"}]})
    assert (protocol.phase, protocol.turn_open) == (Phase.TOOL, True)
    protocol.ledger.call_answered("1", b"", is_last=True, is_spoken=True)
    assert (protocol.phase, protocol.turn_open) == (Phase.TURN, True)
    receive(protocol, serverContent={"turnComplete": True})
    assert (protocol.phase, protocol.turn_open) == (Phase.IDLE, False)
    protocol.move(Event.CLOSE_ASKED)
    assert protocol.phase is Phase.CLOSING


def test_sound_and_activity_open_no_turn_by_themselves() -> None:
    protocol = an_open_protocol()
    protocol.sound.sent = True
    for kind in (Sent.ACTIVITY_START, Sent.NOTHING):
        protocol.note_written(kind, protocol.question(kind))
    assert not protocol.turn_open
    assert protocol.activity is Activity.OPEN
    receive(protocol, serverContent={"modelTurn": {"parts": [{"text": "x"}]}})
    assert protocol.turn_open
    assert not protocol.sound.sent


def test_a_cancelled_call_is_pending_no_more() -> None:
    protocol = an_open_protocol()
    receive(protocol, toolCall={"functionCalls": [{"id": "1", "name": "f"}, {"id": "2", "name": "g"}, {"name": "no id"}]})
    receive(protocol, toolCallCancellation={"ids": ["2", "unknown"]})
    assert sorted(protocol.ledger.pending) == ["1", "no id"]


def test_the_record_of_an_end_has_the_moment_in_it() -> None:
    protocol = an_open_protocol()
    receive(protocol, serverContent={"modelTurn": {"parts": []}})
    info = protocol.close_info(1000, "bye", SentBy.SERVER)
    assert (info.code, info.reason, info.sent_by, info.phase, info.turn_open) == (1000, "bye", SentBy.SERVER, Phase.TURN, True)
    assert not info.clean


def test_a_handle_stays_known_while_updates_are_not_resumable() -> None:
    protocol = an_open_protocol()
    assert protocol.resumption == Resumption()
    receive(protocol, sessionResumptionUpdate={"newHandle": "h1", "resumable": True})
    assert protocol.resumption == Resumption("h1", resumable=True)
    receive(protocol, sessionResumptionUpdate={"resumable": False, "lastConsumedClientMessageIndex": "7"})
    assert protocol.resumption == Resumption("h1", resumable=False, last_consumed_client_message_index=7)


def test_music_that_plays_has_an_open_turn() -> None:
    protocol = MusicProtocol()
    assert not protocol.turn_open
    protocol.note_playback(LiveMusicPlaybackControl.PLAY)
    assert protocol.turn_open
    protocol.note_playback(LiveMusicPlaybackControl.RESET_CONTEXT)
    assert protocol.turn_open
    protocol.note_playback(LiveMusicPlaybackControl.STOP)
    assert not protocol.turn_open


# Messages that nobody expects.

ENGINES = (_json.loads, _json._standard_loads)

NO_MESSAGES = {
    "nothing": b"",
    "no JSON": b"{not json",
    "an array": b"[]",
    "null": b"null",
    "a number": b"17",
    "a string": b'"setupComplete"',
    "true": b"true",
    "half of it": b'{"serverContent": {"modelTurn"',
    "two of them": b"{} {}",
    "bytes that are not UTF-8": b'{"serverContent": "\xff\xfe"}',
    "UTF-16": '{"serverContent": {}}'.encode("utf-16"),
    "a NUL": b"\0",
    "base64 that is none": b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"!!!","mimeType":"audio/pcm"}}]}}}',
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_message_comes_back_as_one_with_its_error(name: str) -> None:
    payload = NO_MESSAGES[name]
    protocol = an_open_protocol()
    message = protocol.receive(payload)
    assert isinstance(message.decode_error, DecodeError)
    assert message.decode_error.size == len(payload)
    assert (protocol.state, protocol.phase) == (State.OPEN, Phase.IDLE)


@pytest.mark.parametrize("opening", ['{"a":', "[", '{"serverContent":{"modelTurn":{"parts":[{"functionCall":{"args":{"a":'])
@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
@pytest.mark.parametrize("loads", ENGINES)
def test_deep_nesting_is_refused_or_understood_and_breaks_nothing(
    opening: str, depth: int, loads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json, "loads", loads)
    protocol = an_open_protocol()
    head, again = opening.partition('{"a":')[0] if opening.count("{") > 1 else "", '{"a":' if "{" in opening else "["
    protocol.receive((head + again * depth).encode())
    closed = "1" + "}" * depth if "{" in opening else "]" * depth
    protocol.receive((again * depth + closed).encode())
    assert receive(protocol, serverContent={"turnComplete": True}).server_content.turn_complete


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "setupComplete serverContent toolCall toolCallCancellation usageMetadata goAway sessionResumptionUpdate interactionStatus"
    " modelTurn turnComplete interrupted generationComplete inputTranscription outputTranscription groundingMetadata parts text"
    " inlineData data mimeType functionCalls id name args ids timeLeft newHandle resumable lastConsumedClientMessageIndex"
    " totalTokenCount modality tokenCount responseTokensDetails promptTokensDetails extra decodeError decode_error __class__"
    " server_content"
)
KNOWN = st.sampled_from(NAMES.split())
MESSAGES = st.recursive(
    VALUES, lambda inner: st.dictionaries(KNOWN, inner, max_size=4) | st.lists(inner, max_size=2), max_leaves=12
)


@pytest.mark.parametrize("loads", ENGINES)
@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(KNOWN, MESSAGES, max_size=4), max_size=5))
def test_no_value_in_no_field_breaks_a_session(loads: Any, messages: list[dict[str, Any]]) -> None:
    protocol = an_open_protocol()
    for each in messages:
        with patch.object(_json, "loads", loads):
            message = protocol.receive(json.dumps(each).encode())
        assert repr(message)
        assert message.text is None or isinstance(message.text, str)
        assert isinstance(protocol.phase, Phase)
        assert protocol.turn_open in (True, False)
    answer = receive(protocol, serverContent={"turnComplete": True})
    assert answer.decode_error is None
    assert answer.server_content.turn_complete


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_session(payload: bytes) -> None:
    protocol = an_open_protocol()
    assert isinstance(protocol.receive(payload).decode_error, DecodeError | None)
    assert receive(protocol, serverContent={"turnComplete": True}).decode_error is None
