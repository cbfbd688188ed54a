"""Masking: in Python and in C alike, and without the package that has the C."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_live._network import frames

PAYLOADS = st.one_of(st.binary(max_size=40), st.binary(min_size=590, max_size=2_000))
KEYS = st.binary(min_size=4, max_size=4)


@given(PAYLOADS, KEYS)
def test_each_byte_is_xored_with_its_byte_of_the_key(payload: bytes, key: bytes) -> None:
    expected = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    assert frames.masked_in_python(payload, key) == expected
    assert frames.masked(payload, key) == expected


def test_masking_in_c_is_taken_where_it_is_installed_and_loads_nothing_else() -> None:
    in_c = frames.masking_in_c()
    assert in_c is not None, "the extra `test` brings it"
    assert in_c(b"abcde", b"\1\2\3\4") == bytes(frames.masked_in_python(b"abcde", b"\1\2\3\4"))


@pytest.mark.parametrize("found", [None, ModuleSpec("websockets", None), ModuleSpec("websockets", None, is_package=True)])
def test_masking_in_python_is_taken_without_the_package_or_its_compiled_part(
    found: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    assert frames.masking_in_c() is None
    monkeypatch.delitem(sys.modules, frames.__name__)
    alone = importlib.import_module(frames.__name__)
    assert alone.masked is alone.masked_in_python
