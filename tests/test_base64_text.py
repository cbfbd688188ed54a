"""A text that is made piece by piece is the text that would have been made at once."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from genai_live._base64_text import Base64Text


@given(st.binary(max_size=9), st.binary(max_size=40), st.binary(max_size=9), st.data())
def test_any_part_is_that_of_the_whole(before: bytes, data: bytes, after: bytes, draw: st.DataObject) -> None:
    whole = before + base64.b64encode(data) + after
    text = Base64Text(before, data, after)
    start, stop = (draw.draw(st.integers(0, len(whole) + 3)) for _ in range(2))
    assert len(text) == len(whole)
    assert text[start:stop] == whole[start:stop]
    assert text[:] == whole
