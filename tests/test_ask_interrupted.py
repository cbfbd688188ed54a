"""Ctrl-C at every line that a call of the library comes through: the next ``ask`` gets its own answer.

And at every line of ``connect``: nothing is left of it.
"""

from __future__ import annotations

import threading

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Session
from tests.servers import MODEL, answer_setup, client_of, live_server, wait_until_closed
from tests.traced_asks import MANNERS, strike, strike_lines
from tests.waiting import PATIENCE, until


@pytest.mark.parametrize("manner", MANNERS)
def test_after_an_interrupt_at_any_line_the_next_ask_gets_its_own_answer(manner: str) -> None:
    found = strike_lines(manner)
    assert found.struck > 100
    assert not found.wrong, "\n".join(found.wrong)
    assert found.ended_at == []


def test_after_an_interrupt_at_any_line_of_connect_nothing_is_left_of_it() -> None:
    open_now: set[ServerConnection] = set()

    def handler(connection: ServerConnection) -> None:
        open_now.add(connection)
        try:
            answer_setup(connection)
            wait_until_closed(connection)
        finally:
            open_now.discard(connection)

    struck, line, held = 0, 1, []
    with live_server(handler) as url:
        client = client_of(url)

        def connect() -> None:
            held.append(client.live.connect(model=MODEL, timeout=PATIENCE))

        while strike(line, connect) is not None:
            struck, line = struck + 1, line + 1
            assert not held
            assert not client.sessions
            until(lambda: not own_threads() and not open_now)
        session: Session = held.pop()
        session.close()
    assert struck > 50


def own_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("genai-live")]
