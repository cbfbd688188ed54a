"""JSON and base64 give the same results and the same errors, whichever package does the work."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_live import _json


@pytest.fixture(params=["fast", "standard"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    """The module, once with the packages of the extra ``speed`` and once as if they were not installed."""
    if request.param == "fast":
        pytest.importorskip("orjson")
        pytest.importorskip("pybase64")
        return _json
    return standard_json()


def standard_json() -> ModuleType:
    """The module as it is where the extra ``speed`` is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("orjson", "pybase64"):
            patch.setitem(sys.modules, name, None)
        spec = importlib.util.spec_from_file_location("standard_json", _json.__file__)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    assert module.JSON_ENGINE == "json"
    return module


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, 2.5, None, True, 'ü€😀\u0000"\\']}, [], 0, "", {"": {"": []}}, -(2**63), 2**64 - 1]
)
def test_what_is_written_is_read_back(codec: ModuleType, value: Any) -> None:
    assert codec.loads(codec.dumps(value)) == value


def test_json_is_written_compactly_as_utf_8(codec: ModuleType) -> None:
    assert codec.dumps({"a": ["ü", 1]}) == '{"a":["ü",1]}'.encode()


def test_an_integer_of_any_size_is_written(codec: ModuleType) -> None:
    assert codec.dumps({"n": 10**30}) == b'{"n":%d}' % 10**30


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_json_is_read_from_every_kind_of_buffer(codec: ModuleType, kind: Any) -> None:
    assert codec.loads(kind(b'{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b'{"a":}',
        b"{}{}",
        b"\xff",
        b'"\xed\xa0\x80"',
        "{}".encode("utf-16"),
        b"\x00",
        b"nul",
        b"[1,]",
        b"NaN",
        b'{"a":-Infinity}',
    ],
    ids=repr,
)
def test_what_is_not_json_is_a_value_error(codec: ModuleType, text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the two packages say it in words of their own)
        codec.loads(text)


def test_json_nested_too_deeply_is_a_value_error(codec: ModuleType) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        codec.loads(b"[" * 200_000 + b"]" * 200_000)


def test_a_number_too_long_for_python_is_a_value_error_or_a_number(codec: ModuleType) -> None:
    try:
        value = codec.loads(b'{"n":' + b"9" * 5000 + b"}")
    except ValueError:
        return
    assert isinstance(value["n"], (int, float))


@pytest.mark.parametrize("value", [object(), {1: object()}, b"bytes"])
def test_what_json_cannot_say_is_a_type_error(codec: ModuleType, value: Any) -> None:
    with pytest.raises(TypeError):
        codec.dumps(value)


BYTES = [b"", b"\x00", b"ab", b"abc", b"\xfb\xff\xfe\xbf", bytes(range(256)) * 23]


@pytest.mark.parametrize("data", BYTES, ids=len)
def test_base64_is_read_in_every_variant(codec: ModuleType, data: bytes) -> None:
    standard, url_safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    for text in (standard, url_safe, standard.rstrip("="), url_safe.rstrip("=")):
        assert codec.b64decode(text) == data
        assert codec.b64decode(text.encode()) == data


@pytest.mark.parametrize("data", BYTES, ids=len)
def test_base64_is_written_in_the_standard_alphabet_with_padding(codec: ModuleType, data: bytes) -> None:
    assert codec.b64encode(data) == base64.b64encode(data)


@pytest.mark.parametrize("text", ["a", "abcde", "ab!d", "ü", "a b c", "====", "ab=c", "YWJj\n!", "YW\x00Jj"])
def test_what_is_not_base64_is_a_value_error(codec: ModuleType, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        codec.b64decode(text)


def test_the_standard_library_reads_what_was_written(codec: ModuleType) -> None:
    assert json.loads(codec.dumps({"ü": [0.1, 1e300]})) == {"ü": [0.1, 1e300]}


# Half a character: what a model writes when its tokens cut one in two


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (rb'{"a":"x\ud83dy"}', {"a": "x\ud83dy"}),
        (rb'["\ude00"]', ["\ude00"]),
        (rb'{"\ud83d":1,"b":"\ud83d\ude00"}', {"\ud83d": 1, "b": "\N{GRINNING FACE}"}),
        (rb'["\ud83d\ud83d\ude00"]', ["\ud83d\N{GRINNING FACE}"]),
        (rb'["\uD83D\\ude00"]', ["\ud83d\\ude00"]),
    ],
)
def test_half_a_character_is_read_as_it_is_and_written_as_one_that_cannot_be_shown(
    codec: ModuleType, raw: bytes, read: Any
) -> None:
    assert codec.loads(raw) == read
    written = codec.dumps(read).decode()
    assert "\ud83d" not in written
    assert codec.loads(written.encode()) == codec.mended(read)


def test_the_bytes_of_half_a_character_are_not_utf_8(codec: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"(UTF|utf)-8"):
        codec.loads(b'{"a":"\xed\xa0\xbd"}')


STANDARD = standard_json()


@given(st.text(alphabet=st.characters(categories=["Cs", "Lu", "So"])))
def test_any_text_is_read_and_written_alike_by_both_engines(text: str) -> None:
    raw, standard = json.dumps({text: [text]}).encode(), STANDARD
    assert _json.loads(raw) == standard.loads(raw)
    assert _json.dumps({text: [text]}) == standard.dumps({text: [text]})
    _json.whole(text).encode()  # raises where a half is left
