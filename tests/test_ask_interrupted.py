"""Ctrl-C at every line that a call of the library comes through: the next ``ask`` gets its own answer."""

from __future__ import annotations

import pytest

from tests.traced_asks import MANNERS, strike_lines


@pytest.mark.parametrize("manner", MANNERS)
def test_after_an_interrupt_at_any_line_the_next_ask_gets_its_own_answer(manner: str) -> None:
    found = strike_lines(manner)
    assert found.struck > 100
    assert not found.wrong, "\n".join(found.wrong)
    assert found.ended_at == []
