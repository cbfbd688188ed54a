"""Signals whose handlers raise, or send, while the main thread is in the library: nothing is lost, and nothing stands still.

At the size of the suite; ``python -m soak signals`` takes 20,000 messages, three times.
"""

from __future__ import annotations

import os

import pytest

from tests.signal_scripts import WAYS, interrupted_connects, lost_in, sending_handler, struck

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="alarms are POSIX's"),
    pytest.mark.waits,
]

COUNT = 4_000
COUNT_WITH_CALLBACK = 400
"""Fewer than a session with ``on_message`` keeps for a late receiver: 256 KiB, 512 bytes for each beside its own."""
TICKS = 300
CONNECTS = 200
AT_ONCE = 2.0
"""Seconds that a send in a handler may take on a machine under load; refused or written, it takes less than a millisecond."""


@pytest.mark.parametrize("callback", [False, True], ids=["queue", "on_message"])
@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_raises_loses_no_message(way: str, callback: bool) -> None:
    count = COUNT_WITH_CALLBACK if callback else COUNT
    outcome = struck(way, count, callback=callback)
    assert outcome.stderr == ""
    told = outcome.told
    assert told["hits"] >= 5
    assert lost_in(outcome, count) == (0, 0)
    assert told["left"] == [0, 0]
    assert (told["last"], told["questions"]) == ("got it", 1)


def test_a_connect_that_a_handler_interrupts_leaves_nothing() -> None:
    outcome, still_open = interrupted_connects(CONNECTS)
    told = outcome.told  # not stderr: what is struck where Python itself cannot raise is told there
    assert told["interrupted"] > 10
    assert (told["threads"], still_open) == ([], 0)
    assert told["descriptors"][1] <= told["descriptors"][0]


def test_a_handler_that_sends_is_written_next_or_refused_at_once() -> None:
    outcome, arrived, torn = sending_handler(TICKS)
    assert outcome.stderr == ""
    told = outcome.told
    assert (told["closed"], told["last"]) == ("", "got it")
    assert told["longest"] < AT_ONCE
    refused = {number for number, _ in told["refused"]}
    assert arrived["tick"] == [number for number in range(1, told["ticks"] + 1) if number not in refused]
    assert arrived["main"] == list(range(told["sent"]))
    assert torn == []
