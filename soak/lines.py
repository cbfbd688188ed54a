"""The long run of Ctrl-C at every line that ``ask`` comes through."""

from __future__ import annotations

from collections import Counter

from soak.measuring import Result
from tests.traced_asks import MANNERS, strike_lines


def lines(minutes: float, seed: int) -> Result:
    """KeyboardInterrupt at every traced line of ask, one ask for each; the next one has to get its own answer."""
    facts, wrong, ends = [], list[str](), Counter[str]()
    for manner in MANNERS:
        found = strike_lines(manner)
        facts.append(f"{manner}: {found.struck} lines, {len(found.wrong)} wrong")
        wrong += found.wrong
        ends.update(where.rpartition(" ")[2] for where in found.ended_at)
    for each in wrong[:10]:
        print(f"  {each}", flush=True)
    where = ", ".join(f"{count} in {name}" for name, count in ends.items())
    facts.append(f"{sum(ends.values())} ended their session, as the client's ({where})")
    return Result("lines", not wrong and set(ends) <= {"_write_some"}, facts)
