"""Credentials in words that pass by: found in every spelling, wherever they are cut, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genai_live._secret import Secret
from genai_live.emulator.script.redaction import LONG_TEXT, REMOVED, SHORTEST, Redactor, credentials_in

KEY = "AIza-canary_0123456789/abc+def-REAL"


def every(character: str) -> Callable[[str], str]:
    """Writes each character in a form of its own."""
    return lambda text: "".join(character.format(code=ord(each)) for each in text)


def in_base64(before: str, alphabet: bytes = b"+/") -> Callable[[str], str]:
    return lambda text: base64.b64encode((before + text).encode(), alphabet).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "percent, what needs it": lambda text: quote(text, safe=""),
    "percent, everything": every("%{code:02x}"),
    "percent of percent": every("%25{code:02X}"),
    "JSON": every("\\u{code:04x}"),
    "JSON in JSON": lambda text: json.dumps(every("\\u{code:04X}")(text))[1:-1],
    "JSON, slashes": lambda text: text.replace("/", "\\/"),
    "C": every("\\x{code:02x}"),
    "HTML, decimal": every("&#{code};"),
    "HTML, hexadecimal": every("&#x{code:X};"),
    "HTML, with zeros": every("&#x00{code:X};"),
    "Markdown": lambda text: text.replace("_", "\\_").replace("-", "\\-"),
    "mixed": lambda text: quote(text[:10]) + every("\\u{code:04x}")(text[10:20]) + text[20:],
    "hexadecimal": lambda text: text.encode().hex(),
    "UTF-16": "\0".join,
    "base64": in_base64(""),
    "base64, one byte on": in_base64("="),
    "base64, two bytes on": in_base64("y="),
    "base64 of a header": in_base64("Bearer "),
    "base64 of a URL, for URLs": in_base64("wss://host/?key=", b"-_"),
    "base64, percent": lambda text: quote(in_base64("k=")(text), safe=""),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("size", [0, LONG_TEXT], ids=["in words", "in a long text"])
def test_a_key_is_found_in_every_spelling(spell: Callable[[str], str], size: int) -> None:
    found = Redactor([Secret(KEY)]).text(f"{'. ' * size}the key {spell(KEY)} is wrong")
    assert REMOVED in found
    assert found.endswith(" is wrong")
    for at in range(len(KEY) - SHORTEST):
        piece = KEY[at : at + SHORTEST + 4]
        assert spell(piece)[4:-4] not in found


PIECES = [KEY[:12], KEY[10:], KEY[8:20], f"{KEY[:9]}…{KEY[-9:]}", f"{KEY[:15]}\n{KEY[15:]}", f"“{KEY[:8]}"]


@pytest.mark.parametrize("words", PIECES)
def test_a_piece_of_a_key_is_found_wherever_it_was_cut(words: str) -> None:
    found = Redactor([Secret(KEY)]).text(f"bad key {words}")
    assert found.startswith("bad key ")
    assert not any(KEY[at : at + SHORTEST] in found for at in range(len(KEY)))


SEPARATORS = [" ", "\n", "-", ", ", '", "', "…", " · ", "\\n", "&#32;", "%20", "], ["]


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_key_in_pieces_with_signs_between_them_is_found(separator: str, size: int) -> None:
    pieces = separator.join(KEY[at : at + size] for at in range(0, len(KEY), size))
    found = Redactor([Secret(KEY)]).text(f"the key {pieces} is wrong")
    assert found == f"the key {REMOVED} is wrong"


def test_words_that_only_look_like_a_key_without_their_blanks_stay() -> None:
    words = "aiza canary: 0123, and 456789 abc of the def, real"
    assert Redactor([Secret(KEY)]).text(words) is words


@given(key=st.text("abcdefgh-_./+=%\\\"'XYZ019é€", min_size=SHORTEST, max_size=60), around=st.tuples(st.text(), st.text()))
@example(key='ab"cd\\ef{}', around=("", ""))
def test_no_eight_characters_of_a_key_are_left(key: str, around: tuple[str, str]) -> None:
    before, after = around
    secret = key.strip('"=')
    found = Redactor([Secret(key)]).text(before + key + after)
    if len(secret) >= SHORTEST:
        assert not any(secret[at : at + SHORTEST] in found for at in range(len(secret) - SHORTEST + 1))


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_stays_json_and_what_holds_no_key_stays_as_it_is(value: object) -> None:
    redactor = Redactor([Secret(KEY)])
    data = json.dumps({"value": value, KEY: [quote(KEY, safe=""), KEY]}).encode()
    assert json.loads(redactor.octets(data)) == {"value": value, REMOVED: [REMOVED, REMOVED]}


def test_sound_is_not_touched() -> None:
    redactor = Redactor([Secret(KEY)])
    sounds = [base64.b64encode(os.urandom(size)) for size in (100, 1_000, 10_000, 1_000_000)]
    assert all(redactor.octets(sound) is sound for sound in sounds)


def test_millions_of_escapes_are_looked_through_in_pieces() -> None:
    escaped = every("%{code:02x}")(KEY).encode()
    found = Redactor([Secret(KEY)]).octets(b"%41" * 200_000 + escaped + b"%41" * 200_000)
    assert found == b"%41" * 200_000 + REMOVED.encode() + b"%41" * 200_000


@pytest.mark.parametrize(
    ("headers", "query", "secrets"),
    [
        ({"x-goog-api-key": "the-key-itself"}, "", ["the-key-itself"]),
        ({"authorization": "Bearer ya29.abcdefgh"}, "", ["ya29.abcdefgh"]),
        ({"authorization": "Token auth_tokens/0123456789"}, "", ["0123456789"]),
        ({"authorization": "Basic " + base64.b64encode(b"a-user-name:a-password").decode()}, "", ["a-user-name", "a-password"]),
        ({"cookie": "sessionid=abcdefghij; theme=midnight"}, "", ["abcdefghij"]),
        ({"x-anything": "who-knows-what"}, "", ["who-knows-what"]),
        ({}, "key=the-key-itself&alt=json", ["the-key-itself"]),
        ({}, "access_token=a%2Dtoken%2D0123", ["a-token-0123", "a%2Dtoken%2D0123"]),
    ],
)
def test_what_is_secret_of_a_request(headers: dict[str, str], query: str, secrets: list[str]) -> None:
    redactor = Redactor(credentials_in(headers, query))
    assert [redactor.text(f"<{html.unescape(secret)}>") for secret in secrets] == [f"<{REMOVED}>"] * len(secrets)


@pytest.mark.parametrize("words", ["Bearer", "auth_tokens/", "sessionid", "genai_live/1.0", "models/gemini", "short12"])
def test_what_is_public_of_a_request_stays_readable(words: str) -> None:
    headers = {"authorization": "Bearer auth_tokens/0123456789", "user-agent": "genai_live/1.0", "cookie": "sessionid=abcdefghij"}
    assert Redactor(credentials_in({**headers, "x-short": "short12"})).text(words) == words


def test_a_redactor_shows_no_key() -> None:
    redactor = Redactor([Secret(KEY)])
    assert KEY.lower() not in f"{redactor!r}{vars(redactor)!r}".lower()
