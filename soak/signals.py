"""The long run of signals: handlers that raise while messages are received, and handlers that send."""

from __future__ import annotations

from soak.measuring import Result
from tests.signal_scripts import WAYS, interrupted_connects, lost_in, sending_handler, struck

COUNT, TIMES = 20_000, 3
TICKS = 3_000
CONNECTS = 5_000
LONGEST = 2.0
"""Seconds that a send in a handler may take."""


def signals(minutes: float, seed: int) -> Result:
    """20,000 messages under an alarm every 0.7 ms that raises, three times in each way to receive; a handler that sends."""
    facts, fine = [], True
    for way in WAYS:
        outcomes = [struck(way, COUNT) for _ in range(TIMES)]
        lost = [lost_in(outcome, COUNT) for outcome in outcomes]
        hits = sum(outcome.told.get("hits", 0) for outcome in outcomes)
        usable = all(outcome.told.get("last") == "got it" for outcome in outcomes)
        facts.append(f"{way}: {hits:,} signals, {sum(a for a, _ in lost)} lost, {sum(b for _, b in lost)} twice")
        fine = fine and usable and hits > 0 and lost == [(0, 0)] * TIMES
    outcome, still_open = interrupted_connects(CONNECTS)
    told = outcome.told
    left = len(told.get("threads", "?")) + still_open
    facts.append(f"{told.get('interrupted', 0):,} of {CONNECTS:,} connects interrupted: {left} threads and connections left")
    fine = fine and left == 0
    outcome, arrived, torn = sending_handler(TICKS)
    told = outcome.told
    refused = len(told.get("refused", ()))
    missing = told.get("ticks", 0) - refused - len(arrived["tick"])
    longest = told.get("longest", float("inf"))
    facts.append(
        f"handlers that send: {told.get('ticks', 0):,}, {refused} refused at once, {missing} missing, {len(torn)} frames torn,"
        f" the longest {longest * 1000:.1f} ms"
    )
    return Result("signals", fine and told.get("last") == "got it" and not missing and not torn and longest < LONGEST, facts)
