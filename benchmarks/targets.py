"""What this library aims at, and whether a run reached it. Pure: records in, a table out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.catalogue import FLOOR, FLOOR_MASKING_IN_PYTHON, GOOGLE, NODE, OURS, PLAIN, SHARED, title
from benchmarks.records import Record, spread
from benchmarks.suites import crowd, visitors

Records = Sequence[Record]
Reached = Callable[[Records], "float | None"]


class Target(NamedTuple):
    """One figure, and the bound that it shall keep."""

    words: str
    bound: float
    reached: Reached
    """None when the run did not measure it."""
    at_least: bool = False
    """True where more is better."""

    def row(self, records: Records) -> str | None:
        """The row of the table."""
        figure = self.reached(records)
        if figure is None:
            return None
        kept = figure >= self.bound if self.at_least else figure <= self.bound
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g}"
        return f"| {self.words} | {bound} | {figure:.2f} | {'yes' if kept else '**no**'} |"


def figure(records: Records, name: str, peer: str, **wanted: object) -> float | None:
    """Median over the rounds."""
    held = spread(records, name, peer=peer, **wanted)
    return held.median if held else None


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _cost(measure: str, peer: str, other: str, name: str = "cpu") -> Reached:
    wanted = {"suite": "costs", "measure": measure, "transport": "ws"}
    return lambda records: _quotient(figure(records, name, peer, **wanted), figure(records, name, other, **wanted))


def _over_tls(measure: str, name: str = "cpu") -> Reached:
    wanted = {"suite": "costs", "measure": measure}
    return lambda records: _quotient(
        figure(records, name, OURS, transport="wss", **wanted), figure(records, name, OURS, transport="ws", **wanted)
    )


def _startup(name: str, **wanted: object) -> Reached:
    return lambda records: _quotient(
        figure(records, name, OURS, suite="startup", **wanted), figure(records, name, GOOGLE, suite="startup", **wanted)
    )


def _idle(name: str, peer: str) -> Reached:
    return lambda records: figure(records, name, peer, suite="startup", measure="idle")


def _carried(peer: str) -> Reached:
    def reached(records: Records) -> float | None:
        return _quotient(crowd.carried(records, peer), crowd.carried(records, GOOGLE))

    return reached


def _visitors(kind: str, transport: str) -> Reached:
    def reached(records: Records) -> float | None:
        carried = [visitors.carried(records, each, transport) for each in (kind, visitors.FASTAPI)]
        return _quotient(*map(float, carried)) if all(carried) else None

    return reached


def _late(wait: bool) -> Reached:
    def reached(records: Records) -> float | None:
        late = figure(records, "p99", OURS, suite="pace", wait=wait)
        return None if late is None else late / 1_000

    return reached


def _growth(what: str, by: str, small: int, large: int, name: str = "cpu", *, peer: str = OURS, **wanted: object) -> Reached:
    """How many times more a unit of work costs when there is much of it; 1 is linear."""

    def reached(records: Records) -> float | None:
        held = [figure(records, name, peer, suite="growth", what=what, **{by: amount}, **wanted) for amount in (small, large)]
        grown = _quotient(held[1], held[0])
        return grown if grown is None or what != "size" else grown / (large / small)

    return reached


TARGETS = (
    Target(f"receive: {title(OURS)} / {title(GOOGLE)}", 0.15, _cost("receive", OURS, GOOGLE)),
    Target(f"receive: {title(OURS)} / {title(NODE)}", 1.0, _cost("receive", OURS, NODE)),
    Target(f"receive: {title(OURS)} / floor", 2.5, _cost("receive", OURS, FLOOR)),
    Target(f"send: {title(OURS)} / {title(GOOGLE)}", 0.15, _cost("send", OURS, GOOGLE)),
    Target(f"send: {title(OURS)} / {title(NODE)}", 0.4, _cost("send", OURS, NODE)),
    Target(f"send: {title(OURS)} / {title(FLOOR_MASKING_IN_PYTHON)}", 1.2, _cost("send", OURS, FLOOR_MASKING_IN_PYTHON)),
    Target(f"send: {title(OURS)} / floor that masks in C too", 1.2, _cost("send", OURS, FLOOR)),
    Target(f"text round trip p50: {title(OURS)} / {title(GOOGLE)}", 0.4, _cost("round_trip", OURS, GOOGLE, "p50")),
    Target(f"text round trip p50: {title(OURS)} / {title(NODE)}", 1.0, _cost("round_trip", OURS, NODE, "p50")),
    Target(f"receive: {title(PLAIN)} / {title(GOOGLE)}", 0.35, _cost("receive", PLAIN, GOOGLE)),
    Target(f"send: {title(PLAIN)} / {title(GOOGLE)}", 0.35, _cost("send", PLAIN, GOOGLE)),
    Target("receive: wss / ws", 1.5, _over_tls("receive")),
    Target("send: wss / ws", 1.5, _over_tls("send")),
    Target("text round trip p50: wss / ws", 1.5, _over_tls("round_trip", "p50")),
    Target("sessions in one process, readers of their own: times google-genai's", 1.5, _carried(OURS), at_least=True),
    Target("sessions in one process, shared reader: times google-genai's", 5.0, _carried(SHARED), at_least=True),
    Target("threads for each idle session", 1.0, _idle("threads", OURS)),
    Target("KB for each idle session", 100.0, _idle("kilobytes", OURS)),
    Target("threads for each idle session, shared reader", 0.0, _idle("threads", SHARED)),
    Target("KB for each idle session, shared reader", 100.0, _idle("kilobytes", SHARED)),
    Target("import / google-genai's", 0.35, _startup("import", measure="import")),
    Target("memory after a session / google-genai's", 0.6, _startup("megabytes", measure="memory")),
    Target("real-time pacing, lateness p99 in ms, `wait=True`", 3.0, _late(wait=True)),
    Target("real-time pacing, lateness p99 in ms, `wait=False`", 3.0, _late(wait=False)),
    Target("receive, a byte: messages of 4 MB / of 64 KB", 1.5, _growth("size", "size", 64_000, 4_000_000, measure="receive")),
    Target("send, a byte: messages of 4 MB / of 64 KB", 1.5, _growth("size", "size", 64_000, 4_000_000, measure="send")),
    Target("a message: 1,000,000 in a session / 10,000", 1.5, _growth("count", "count", 5_000, 500_000)),
    Target(
        "memory: after 1,000,000 messages / after 10,000", 1.2, _growth("count", "count", 5_000, 500_000, name="megabytes")
    ),
    Target("a message: 400 sessions / 50 sessions", 1.5, _growth("sessions", "sessions", 50, 400, peer=SHARED)),
    *(
        Target(
            f"visitors of one worker, {kind}, {transport}: times those of FastAPI with google-genai",
            bound,
            _visitors(kind, transport),
            at_least=True,
        )
        for kind, bound in ((visitors.GTHREAD, 3.0), (visitors.GEVENT, 2.0))
        for transport in visitors.TRANSPORTS
    ),
)  # fmt: skip
"""In the order of the suites. What has two peers in it is a ratio of medians of one run."""


def table(records: Records) -> str:
    """One row for each target that was measured."""
    rows = [row for target in TARGETS if (row := target.row(records))]
    kept = sum(row.endswith("| yes |") for row in rows)
    head = f"{kept} of {len(rows)} reached.\n\n| | target | measured | reached |\n|---|---|---|---|\n"
    return head + "\n".join(rows)
