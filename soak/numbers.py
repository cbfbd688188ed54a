"""The long run of numbered questions under chaos: one round after the other, each with users, services and signals of its own."""

from __future__ import annotations

import logging
from collections import Counter

from soak.measuring import Result, resident_bytes, resources, settled
from tests.chaos import chaos

ROUND = 30.0
"""Seconds of one round, after which other users talk in other manners."""
SHOWN = 3
"""Failures that are printed whole."""
ALLOWED_GROWTH = 40_000_000
"""Bytes by which the process may swell from the first tenth on: what the allocator keeps of eight users' threads."""


def numbers(minutes: float, seed: int) -> Result:
    """Numbered questions of 2 to 8 users under timeouts, breaks, signals, interruptions, drops in every phase, goAway storms."""
    rounds = max(1, round(minutes * 60 / ROUND))
    before, counts, wrong, sizes = resources(), Counter[str](), list[str](), list[int]()
    level = logging.getLogger("genai_live").level
    logging.getLogger("genai_live").setLevel(logging.CRITICAL)
    try:
        for number in range(rounds):
            found = chaos(seed + number, min(ROUND, minutes * 60))
            counts.update(found.counts)
            wrong += found.wrong
            sizes.append(resident_bytes())
            for each in found.wrong[: max(0, SHOWN - len(wrong) + len(found.wrong))]:
                print(f"  {each}", flush=True)
    finally:
        logging.getLogger("genai_live").setLevel(level)
    after = settled(before)
    grown = max(sizes) - sizes[len(sizes) // 10]

    def count(name: str) -> str:
        return f"{counts[name]:,}"

    facts = [
        f"{minutes:g} min in {rounds} rounds, seeds {seed} to {seed + rounds - 1}",
        f"{count('questions')} questions: asked and {count('answered')} answered, {count('interrupted')} interrupted,"
        f" {count('told as lost')} lost and told; the others timed out or were left",
        f"{count('connections ended')} ends of connections, {count('sessions ended')} of sessions, {count('struck')} signals"
        f" that raised ({count('ended by a signal')} ended their session)",
        f"{count('turns of several questions')} times one turn answered several questions, {count('replaced')} questions were"
        f" dropped in silence ({count('answers to what replaced it')} got the answer to what replaced them)",
        f"{len(wrong)} users with a wrong, missing or second answer",
        f"resident memory +{grown / 1e6:.1f} MB from the first tenth on; threads {before[0]} -> {after[0]},"
        f" descriptors {before[1]} -> {after[1]}",
    ]
    left_nothing = all(now <= then for now, then in zip(after, before, strict=True)) and grown < ALLOWED_GROWTH
    return Result("numbers", not wrong and left_nothing and counts["answered"] > 0, facts)
