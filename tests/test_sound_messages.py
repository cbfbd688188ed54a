"""Messages around sound are read as all others are, whatever stands around the sound, and nothing is shared between them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_live import _json, _sound_messages, _wire
from genai_live.types import LiveMusicServerMessage, LiveServerMessage, Message
from tests.message_strategies import EXAMPLES

SOUND = bytes(range(256)) * 8
ANY_WORDS = "."
"""JSON, base64 and the types have words of their own for what is wrong, and other packages have others."""
ENCODED = base64.b64encode(SOUND).decode()


@pytest.fixture(autouse=True)
def nothing_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sound_messages, "_makers", {})
    monkeypatch.setattr(_sound_messages, "_latest", {})
    monkeypatch.setattr(_sound_messages, "_seen_once", set())


def the_long_way(payload: bytes | bytearray, cls: type[Message] = LiveServerMessage) -> Message:
    return _wire.decode(cls, _json.loads(payload))


def spoken(sound: bytes, **beside: Any) -> bytes:
    """As the service writes it, with what else may stand in the same message."""
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(sound).decode()}}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [part], "role": "model"}}, **beside}, indent=2).encode()


def learnt() -> int:
    return sum(make is not _sound_messages._refuse for make in _sound_messages._makers.values())


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_every_message_of_a_stream_of_sound_is_read_as_the_long_way_reads_it(kind: Any) -> None:
    for number in range(5):
        payload = kind(spoken(SOUND[number:]))
        assert _sound_messages.read(LiveServerMessage, payload) == the_long_way(payload)
    assert learnt() == 1


def test_a_changed_message_does_not_change_the_next() -> None:
    for _ in range(4):
        message = _sound_messages.read(LiveServerMessage, spoken(SOUND))
        assert message == the_long_way(spoken(SOUND))
        assert message.server_content is not None
        assert message.server_content.model_turn is not None
        assert message.server_content.model_turn.parts is not None
        message.server_content.model_turn.parts.clear()
        message.server_content.model_turn.role = "changed"
        message.extra["mine"] = 1


def test_music_is_read_the_short_way_too() -> None:
    chunk = {"audioChunks": [{"data": ENCODED, "mimeType": "audio/l16;rate=48000;channels=2"}]}
    payload = json.dumps({"serverContent": chunk}, indent=1).encode()
    for _ in range(3):
        assert _sound_messages.read(LiveMusicServerMessage, payload) == the_long_way(payload, LiveMusicServerMessage)
    assert learnt() == 1


AROUND_THE_SOUND = {
    "a name nobody knows": '{"serverContent": {"novel": {"data": "%s"}}}',
    "a function's arguments": '{"toolCall": {"functionCalls": [{"name": "f", "id": "1", "args": {"data": "%s"}}]}}',
    "a text in place of an object": '{"data": "%s"}',
    "a name that ends with a quotation mark": '{"serverContent": {"x\\"data": "%s"}}',
    "two sounds": '{"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "%s"}}, {"inlineData": {"data": ""}}]}}}',
    "the same name twice": '{"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "%s", "data": "AAAA"}}]}}}',
    "a count of tokens": '{"usageMetadata": {"totalTokenCount": 1}, '
    '"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "%s"}}]}}}',
    "characters outside ASCII": '{"serverContent": {"modelTurn": {"role": "ü€😀", "parts": [{"inlineData": {"data": "%s"}}]}}}',
    "a word of the wrong type": '{"serverContent": {"modelTurn": {"role": 7, "parts": [{"inlineData": {"data": "%s"}}]}}}',
}  # fmt: skip


@pytest.mark.parametrize("around", AROUND_THE_SOUND.values(), ids=AROUND_THE_SOUND)
def test_whatever_stands_around_the_sound_changes_nothing(around: str) -> None:
    for number in range(4):
        payload = (around % base64.b64encode(SOUND[number:]).decode()).encode()
        assert _sound_messages.read(LiveServerMessage, payload) == the_long_way(payload)


SOUNDS = {
    "escaped characters": ENCODED.replace("/", "\\/"),
    "the URL-safe alphabet": ENCODED.replace("+", "-").replace("/", "_"),
    "no padding": base64.b64encode(SOUND + b"12").decode().rstrip("="),
}


@pytest.mark.parametrize("sound", SOUNDS.values(), ids=SOUNDS)
def test_every_spelling_of_base64_is_read_after_the_usual_one(sound: str) -> None:
    payloads = [spoken(SOUND)] * 3 + [spoken(SOUND).replace(ENCODED.encode(), sound.encode())]
    for payload in payloads:
        assert _sound_messages.read(LiveServerMessage, payload) == the_long_way(payload)


@pytest.mark.parametrize("broken", ["*" * 400, ENCODED + "\n", "ü" * 400], ids=["no base64", "a line break", "no ASCII"])
def test_what_is_no_sound_is_a_value_error_after_sound_too(broken: str) -> None:
    for _ in range(3):
        _sound_messages.read(LiveServerMessage, spoken(SOUND))
    with pytest.raises(ValueError, match=ANY_WORDS):
        _sound_messages.read(LiveServerMessage, spoken(SOUND).replace(ENCODED.encode(), broken.encode()))


@pytest.mark.parametrize("cut", [1, 300, 2_000])
def test_a_message_that_is_cut_off_is_a_value_error(cut: int) -> None:
    for _ in range(3):
        _sound_messages.read(LiveServerMessage, spoken(SOUND))
    with pytest.raises(ValueError, match=ANY_WORDS):
        _sound_messages.read(LiveServerMessage, spoken(SOUND)[:-cut])


def test_what_is_remembered_is_bounded_where_something_changes_with_every_message() -> None:
    for number in range(500):
        payload = spoken(SOUND, usageMetadata={"totalTokenCount": number // 3})
        assert _sound_messages.read(LiveServerMessage, payload) == the_long_way(payload)
    assert len(_sound_messages._seen_once) <= _sound_messages._MOST_KNOWN
    assert len(_sound_messages._makers) <= _sound_messages._MOST_KNOWN


json_objects = st.recursive(
    st.none() | st.integers(0, 9) | st.just(ENCODED) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["data", "modelTurn", "parts", "inlineData", "role", "text", 'x"data']), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(json_objects)
def test_any_message_is_read_alike_three_times_over(content: Any) -> None:
    payload = json.dumps({"serverContent": {"modelTurn": {"parts": content}}}).encode()
    for _ in range(3):
        try:
            expected: object = the_long_way(payload)
        except ValueError:
            with pytest.raises(ValueError, match=ANY_WORDS):
                _sound_messages.read(LiveServerMessage, payload)
        else:
            assert _sound_messages.read(LiveServerMessage, payload) == expected
