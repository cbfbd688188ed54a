"""Ctrl-C at any line of ``ask``: the next ``ask`` gets its own answer. Half the lines here, all in ``python -m soak lines``."""

from __future__ import annotations

import pytest

from tests.traced_asks import MANNERS, strike_lines

EVERY = 2


@pytest.mark.parametrize("manner", MANNERS)
def test_after_an_interrupt_at_any_line_the_next_ask_gets_its_own_answer(manner: str) -> None:
    found = strike_lines(manner, EVERY, 1 + list(MANNERS).index(manner) % EVERY)
    assert found.struck > 50
    assert not found.wrong, "\n".join(found.wrong)
    assert {where.rpartition(" ")[2] for where in found.ended_at} <= {"_write_some"}, "only where the socket is called"
