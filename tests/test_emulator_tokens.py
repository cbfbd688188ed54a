"""Ephemeral tokens: made by POST, spent on the Constrained method, and what they lock."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from genai_live.emulator import LiveEmulator
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
        {"uses": -1},
        {"uses": True},
        {"fieldMask": ["tools"]},
        {"expireTime": "tomorrow"},
        {"expireTime": (datetime.now(timezone.utc) + timedelta(hours=21)).isoformat()},
        {"bidiGenerateContentSetup": {"setup": {}}},
        "no json",
        "[]",
    ],
)
def test_a_wrong_request_is_answered_400_in_the_form_of_rest_errors(emulator: LiveEmulator, body: Any) -> None:
    status, found = post(emulator, body)
    assert (status, found["error"]["code"], found["error"]["status"]) == (400, 400, "INVALID_ARGUMENT")


def test_a_bad_key_makes_no_token(emulator: LiveEmulator) -> None:
    assert post(emulator, {}, key="invalid")[0] == 400
    assert post(emulator, {}, key="auth_tokens/1")[0] == 400
