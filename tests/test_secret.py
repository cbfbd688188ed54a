"""A secret tells itself to nobody but ``reveal``."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback

import pytest

from genai_live._network.headers import secrets_in
from genai_live._secret import Secret, redacted, without_frames

CANARY = "canary-9f8e7d6c5b4a"


def test_a_secret_shows_as_set_everywhere() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", "%s %r" % (secret, secret), repr([secret]), repr({"a": secret})]  # noqa: UP031
    assert all(CANARY not in text and "<set>" in text for text in shown)
    assert secret.reveal() == CANARY


def test_a_secret_is_not_pickled_copied_or_written_as_json() -> None:
    secret = Secret(CANARY)
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as raised:
            write(secret)
        assert CANARY not in str(raised.value)


def test_a_secret_has_no_attribute_that_holds_the_text() -> None:
    secret = Secret(CANARY)
    assert CANARY not in repr([getattr(secret, name) for name in dir(secret)])


def test_foreign_words_are_shown_without_the_secret_and_without_what_follows_its_scheme() -> None:
    bearer = Secret(f"Bearer {CANARY}")
    assert redacted(f"you sent 'Bearer {CANARY}'", [bearer]) == "you sent '<set>'"
    assert redacted(f"token {CANARY} is bad", [bearer]) == "token <set> is bad"
    assert redacted("nothing of it", [bearer]) == "nothing of it"


def test_a_token_is_known_without_its_path_and_a_password_without_its_base64() -> None:
    token, basic = Secret(f"Token auth_tokens/{CANARY}"), Secret(f"Basic {base64.b64encode(f'user:{CANARY}'.encode()).decode()}")
    assert redacted(f"no token {CANARY}", [token]) == "no token <set>"
    assert redacted(f"auth_tokens/{CANARY} has expired", [token]) == "<set> has expired"
    assert redacted(f"no such token: auth_tokens/{CANARY[:9]}", [token]) == "no such token: auth_tokens/<set>"
    assert redacted(f"wrong password {CANARY}", [basic]) == "wrong password <set>"
    assert redacted("wrong", [Secret("Basic no base64")]) == "wrong"


@pytest.mark.parametrize("size", range(8, len(CANARY)))
def test_a_reason_that_is_cut_in_the_middle_of_a_key_does_not_show_its_beginning(size: int) -> None:
    assert redacted(f"API key not valid: {CANARY[:size]}", [Secret(CANARY)]) == "API key not valid: <set>"
    assert redacted(f"API key not valid: {CANARY[:size]}", [Secret(f"Bearer {CANARY}")]) == "API key not valid: <set>"


def test_what_is_public_of_a_credential_stays_in_a_servers_words() -> None:
    token, bearer = Secret(f"Token auth_tokens/{CANARY}"), Secret(f"Bearer {CANARY}")
    words = "the resource name has to begin with auth_tokens/"
    assert redacted(words, [token, bearer]) == words
    (sent,) = secrets_in({}, f"https://host/?access_token={CANARY}", "https://host/?<set>")[:1]
    assert redacted("there is no parameter access_token", [sent]) == "there is no parameter access_token"
    assert redacted(f"access_token={CANARY}", [sent]) == "access_token=<set>"


def test_a_text_too_short_to_be_a_key_does_not_shred_foreign_words() -> None:
    assert redacted("an api key", [Secret("a"), Secret(""), Secret("Basic  ")]) == "an api key"


def failing(depth: int) -> None:
    secret = f"{CANARY} {depth}"
    if depth == 0:
        raise ValueError("cause")
    try:
        failing(depth - 1)
    except ValueError as error:
        raise ValueError(f"level {depth}, {len(secret)} characters") from error


def test_without_frames_a_chain_of_errors_shows_no_variable() -> None:
    with pytest.raises(ValueError, match="level 2") as raised:
        failing(2)
    assert CANARY in "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    bare = without_frames(raised.value)
    text = "".join(traceback.TracebackException.from_exception(bare, capture_locals=True).format())
    assert CANARY not in text
    assert "level 2" in text
    assert "cause" in text


def test_without_frames_ends_on_a_chain_that_is_a_circle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert without_frames(first) is first
