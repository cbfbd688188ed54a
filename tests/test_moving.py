"""Conversations that outlive their worker: real gunicorn masters, a real Redis, pages that count with the model."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from genai_live.web.keeping import LEASE
from tests.masters import Balancer, end, kill, replace, two_masters
from tests.redis_servers import redis_server
from tests.travellers import CountingEmulator, Traveller
from tests.voice_visitors import ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on no Windows: the platform's")

pytest.importorskip("django", reason="the package django is in the extra test-all")

TRAVELLERS = 10


def counted_on(travellers: list[Traveller], numbers: int) -> None:
    """Waits until each has heard so many more numbers."""
    wanted = [each.count + numbers for each in travellers]
    until(lambda: all(each.failure or each.count >= want for each, want in zip(travellers, wanted, strict=True)))
    for each in travellers:
        if each.failure is not None:
            raise each.failure


@contextmanager
def travelling(balancer: Balancer, number: int = TRAVELLERS) -> Iterator[list[Traveller]]:
    travellers = [Traveller(f"visitor{each}", balancer.url) for each in range(number)]
    try:
        counted_on(travellers, 2)
        yield travellers
        counted_on(travellers, 3)
    finally:
        for each in travellers:
            each.stop()
    for each in travellers:
        each.check()
        assert each.not_restored == 0


def pauses_of(travellers: list[Traveller], since: float) -> list[float]:
    return sorted(pause for each in travellers for lost, _, pause in each.pauses if lost >= since)


@pytest.mark.parametrize(("act", "longest"), [(replace, 3.0), (end, 3.0), (kill, LEASE + 3.0)], ids=["HUP", "SIGTERM", "kill -9"])
def test_ten_pages_count_on_without_a_gap_or_a_repeat(act: Callable[[ServerProcess], None], longest: float) -> None:
    with redis_server() as store, CountingEmulator() as emulator, two_masters(emulator, store) as balancer:
        with travelling(balancer) as travellers:
            for server in tuple(balancer.servers):
                since = time.monotonic()
                with balancer.away(server):
                    act(server)
                    counted_on(travellers, 5)
                pauses = pauses_of(travellers, since)
                print(act.__name__, [round(each, 2) for each in pauses])
                assert pauses[-1] <= longest
        if act is not kill:
            for asked in emulator.model.asked.values():  # once for each number
                assert asked == sorted(set(asked))
        until(lambda: not any("owner" in key for key in store.names()))
        assert len(store.names()) == TRAVELLERS
        assert all(0 < left <= 7_200 for left in store.seconds_left())


def test_redis_may_be_away_for_ten_seconds_and_talking_goes_on() -> None:
    with redis_server() as store, CountingEmulator() as emulator, two_masters(emulator, store) as balancer:
        with travelling(balancer, 4) as travellers:
            store.stop()
            since = time.monotonic()
            threading.Event().wait(10.0)
            counted_on(travellers, 3)
            store.start()
            until(lambda: len(store.names()) == 8)  # saved, and owned, again
            assert pauses_of(travellers, since) == []
            server = balancer.servers[0]
            with balancer.away(server):
                kill(server)
                counted_on(travellers, 3)
        assert all("is back" in each.log for each in balancer.servers)
