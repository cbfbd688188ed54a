"""Ephemeral tokens: made by POST, spent on the Constrained method, and what they lock."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_live.emulator import LiveEmulator
from genai_live.emulator.server.request import Credential, Route
from genai_live.emulator.session.tokens import (
    EXPIRED_KEY,
    INVALID_KEY,
    MOST_SETUP_BYTES,
    MOST_TOKENS,
    OPENING_TIME,
    REMEMBERED,
    Token,
    Tokens,
)
from tests.live_wire import CONSTRAINED, MLDEV, MUSIC, TEXT, Wire

LOCKED_TO_TEXT = {"bidiGenerateContentSetup": {"model": "models/emulator", "generationConfig": {"responseModalities": ["TEXT"]}}}


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


def post(emulator: LiveEmulator, body: Any, key: str = "key") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    text = body if isinstance(body, str) else json.dumps(body)
    connection.request("POST", "/v1beta/auth_tokens", text, {"content-type": "application/json", "x-goog-api-key": key})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found


def token(emulator: LiveEmulator, **body: Any) -> str:
    status, found = post(emulator, body)
    assert status == 200, found
    name: str = found["name"]
    return name


def session(emulator: LiveEmulator, name: str, setup: dict[str, Any]) -> Wire:
    return Wire(emulator.url, CONSTRAINED, setup, additional_headers={"Authorization": f"Token {name}"})


def refusal(emulator: LiveEmulator, name: str, setup: dict[str, Any] = TEXT, path: str = CONSTRAINED) -> tuple[int, str]:
    with Wire(emulator.url, path + f"?access_token={name}") as wire:
        wire.send({"setup": setup})
        return wire.closed()


def counted_setup(emulator: LiveEmulator) -> dict[str, Any]:
    """The setup that the last session counts with."""
    setup = emulator.current.setup
    assert setup is not None
    return setup


def test_an_empty_request_makes_a_token_with_the_defaults(emulator: LiveEmulator) -> None:
    before = datetime.now(timezone.utc)
    status, found = post(emulator, {})
    assert status == 200
    assert found["name"].startswith("auth_tokens/")
    expires = datetime.fromisoformat(found["expireTime"].replace("Z", "+00:00"))
    assert timedelta(minutes=29) < expires - before < timedelta(minutes=31)
    assert found["uses"] == 1


def test_a_token_opens_one_session_and_no_second_one(emulator: LiveEmulator) -> None:
    name = token(emulator)
    with session(emulator, name, TEXT) as wire:
        assert "setupComplete" in wire.setup_complete
    assert refusal(emulator, name) == (1011, "The service is currently unavailable.")


def test_resuming_is_not_a_use(emulator: LiveEmulator) -> None:
    name = token(emulator)
    with session(emulator, name, {**TEXT, "sessionResumption": {}}) as wire:
        handle = wire.read()["sessionResumptionUpdate"]["newHandle"]
    emulator.sessions[0].wait_closed()
    with session(emulator, name, {**TEXT, "sessionResumption": {"handle": handle}}) as wire:
        assert "setupComplete" in wire.setup_complete


def test_zero_uses_are_without_limit(emulator: LiveEmulator) -> None:
    name = token(emulator, uses=0)
    for _ in range(3):
        with session(emulator, name, TEXT) as wire:
            assert "setupComplete" in wire.setup_complete


def test_an_expired_token_is_refused(emulator: LiveEmulator) -> None:
    past = (datetime.now(timezone.utc) - timedelta(minutes=1)).isoformat()
    assert refusal(emulator, token(emulator, expireTime=past))[1].startswith("API key expired")
    assert refusal(emulator, token(emulator, newSessionExpireTime=past))[1].startswith("API key expired")


def test_a_token_that_was_never_made_is_refused(emulator: LiveEmulator) -> None:
    assert refusal(emulator, "auth_tokens/0000")[1].startswith("API key not valid")


def test_a_token_does_not_open_the_plain_method_but_music(emulator: LiveEmulator) -> None:
    assert refusal(emulator, token(emulator), path=MLDEV)[0] == 1007
    with Wire(emulator.url, MUSIC + "?key=" + token(emulator), {"model": "models/lyria"}) as wire:
        assert "setupComplete" in wire.setup_complete


@pytest.mark.parametrize(
    ("mask", "asked", "counts"),
    [
        (None, {"generationConfig": {"temperature": 1}, "inputAudioTranscription": {}}, TEXT),
        (
            "model,generationConfig.responseModalities",
            {"generationConfig": {"responseModalities": ["AUDIO"], "temperature": 1}},
            {"model": "models/emulator", "generationConfig": {"responseModalities": ["TEXT"], "temperature": 1}},
        ),
        (
            "generationConfig.top_k,output_audio_transcription,tools.0",
            {"generationConfig": {"topK": 3}, "outputAudioTranscription": {}, "tools": [{"googleSearch": {}}]},
            {"model": "models/emulator"},
        ),
    ],
)
def test_what_a_token_locks_counts_whatever_the_session_asks(
    emulator: LiveEmulator, mask: str | None, asked: dict[str, Any], counts: dict[str, Any]
) -> None:
    name = token(emulator, **LOCKED_TO_TEXT, **({"fieldMask": mask} if mask else {}))
    with session(emulator, name, {"model": "models/emulator", **asked}):
        assert counted_setup(emulator) == counts


def test_a_mask_without_constraints_locks_fields_to_their_defaults(emulator: LiveEmulator) -> None:
    name = token(emulator, fieldMask="outputAudioTranscription")
    with session(emulator, name, {**TEXT, "outputAudioTranscription": {}, "inputAudioTranscription": {}}):
        assert counted_setup(emulator) == {**TEXT, "inputAudioTranscription": {}}


def test_another_model_than_the_token_s_is_refused(emulator: LiveEmulator) -> None:
    assert refusal(emulator, token(emulator, **LOCKED_TO_TEXT), {"model": "models/other"})[0] == 1007


@pytest.mark.parametrize(
    "body",
    [
        {"nonsense": 1},
        {"nonsense": None},
        {"\ud800": 1},
        {"uses": -1},
        {"uses": True},
        {"uses": 1.5},
        {"uses": 2**31},
        {"uses": 10**30},
        {"uses": "9" * 5000},
        {"uses": "²"},
        {"uses": ""},
        {"uses": [1]},
        '{"uses": NaN}',
        '{"uses": 1e999}',
        '{"uses": ' + "9" * 5000 + "}",
        {"fieldMask": ["tools"]},
        {"fieldMask": 0},
        {"fieldMask": {}},
        {"expireTime": "tomorrow"},
        {"expireTime": ""},
        {"expireTime": 5},
        {"expireTime": ["2026-01-01T00:00:00Z"]},
        {"expireTime": "2026-02-30T00:00:00Z"},
        {"expireTime": "2026-13-01T00:00:00Z"},
        {"expireTime": "2026-01-01T24:00:01Z"},
        {"expireTime": "2026-01-01T00:00:60Z"},
        {"expireTime": "0000-01-01T00:00:00Z"},
        {"expireTime": "0001-01-01T00:00:00+14:00"},
        {"expireTime": "9999-12-31T23:59:59-23:59"},
        {"expireTime": "9999-12-31T23:59:59Z"},
        {"expireTime": "2026-01-01T00:00:00+99:00"},
        {"expireTime": "2026-01-01T00:00:00"},
        {"expireTime": "2026-01-01"},
        {"expireTime": "20260101T000000Z"},
        {"expireTime": "2026-W01-1T00:00:00Z"},
        {"expireTime": "٢٠٢٦-01-01T00:00:00Z"},
        {"expireTime": "2026-01-01T00:00:00.1234567890Z"},
        {"newSessionExpireTime": "2026-02-29T00:00:00Z"},
        {"newSessionExpireTime": True},
        {"expireTime": "2026-01-01T00:00:00Z", "expire_time": "2026-01-01T00:00:00Z"},
        {"expireTime": (datetime.now(timezone.utc) + timedelta(hours=21)).isoformat()},
        {"bidiGenerateContentSetup": {"setup": {}}},
        {"bidiGenerateContentSetup": []},
        {"bidiGenerateContentSetup": "x"},
        {"bidiGenerateContentSetup": {"generationConfig": {"seed": "9" * 5000}}},
        "no json",
        "[]",
        '"x"',
        '{"uses": 1',
        '{"uses":' * 5000,
    ],
)
def test_a_wrong_request_is_answered_400_in_the_form_of_rest_errors(emulator: LiveEmulator, body: Any) -> None:
    status, found = post(emulator, body)
    assert (status, found["error"]["code"], found["error"]["status"]) == (400, 400, "INVALID_ARGUMENT")


def test_a_bad_key_makes_no_token(emulator: LiveEmulator) -> None:
    assert post(emulator, {}, key="invalid")[0] == 400
    assert post(emulator, {}, key="auth_tokens/1")[0] == 400


WHEN = st.sampled_from(["expireTime", "newSessionExpireTime", "expire_time"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(WHEN | st.sampled_from(["uses", "fieldMask", "bidiGenerateContentSetup"]), JSON, max_size=3))
def test_whatever_is_asked_for_gets_a_token_or_the_service_s_kind_of_error(emulator: LiveEmulator, body: dict[str, Any]) -> None:
    status, found = post(emulator, body)
    assert (status == 200 and found["name"].startswith("auth_tokens/")) or (
        status == 400 and found["error"]["status"] == "INVALID_ARGUMENT"
    )


def test_times_may_have_fractions_and_offsets_and_uses_may_be_text(emulator: LiveEmulator) -> None:
    at = datetime.now(timezone(timedelta(hours=5, minutes=30))) + timedelta(hours=1)
    status, found = post(emulator, {"expireTime": at.isoformat(), "uses": "3", "new_session_expire_time": None})
    assert (status, found["uses"]) == (200, 3)
    assert datetime.fromisoformat(found["expireTime"].replace("Z", "+00:00")) == at


# -- what is remembered ------------------------------------------------------------------------------------------------


VERSION = "v1alpha"


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.time


def judged(made: Tokens, token: Token) -> str | None:
    """Why a token opens nothing."""
    refusal = made.judge(Route("mldev", "BidiGenerateContentConstrained", VERSION), Credential("token", token.name))
    return refusal.reason if refusal is not None else None


def test_a_token_that_nobody_used_in_time_is_forgotten_and_one_that_was_used_lives_as_long_as_it_said() -> None:
    clock = Clock()
    made = Tokens(random.Random(1), clock)
    unused, used = made.make({}, VERSION), made.make({}, VERSION)
    made.constrain(Credential("token", used.name), {})
    clock.time += OPENING_TIME + REMEMBERED
    made.make({}, VERSION)
    assert len(made) == 2
    assert judged(made, used) is None
    assert judged(made, unused) == INVALID_KEY


def test_an_expired_token_is_told_to_be_expired_for_some_time_and_then_forgotten() -> None:
    clock = Clock()
    made = Tokens(random.Random(1), clock)
    token = made.make({"newSessionExpireTime": "2026-01-01T00:30:00Z"}, VERSION)
    clock.time += timedelta(minutes=31)
    made.make({}, VERSION)
    assert judged(made, token) == EXPIRED_KEY
    clock.time += REMEMBERED
    made.make({}, VERSION)
    assert judged(made, token) == INVALID_KEY


def test_of_too_many_tokens_and_of_too_large_ones_the_oldest_are_forgotten() -> None:
    made = Tokens(random.Random(1), Clock())
    tokens = [made.make({}, VERSION) for _ in range(MOST_TOKENS + 5)]
    assert len(made) == MOST_TOKENS
    assert [judged(made, token) for token in (tokens[4], tokens[5])] == [INVALID_KEY, None]
    large = [made.make({}, VERSION, MOST_SETUP_BYTES // 3) for _ in range(10)]
    assert len(made) == 3
    assert [judged(made, token) for token in large[-4:]] == [INVALID_KEY, None, None, None]
