"""A message passes few calls and few files on its way: more than these bounds, and a reader of the code loses the thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.catalogue import OURS, PEERS, PLAIN
from benchmarks.processes import Process, Server
from benchmarks.suites import walk


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture(scope="module", params=[OURS, PLAIN], ids=["with speed", "without speed"])
def client(request: pytest.FixtureRequest) -> Iterator[Process]:
    """A process that walks, and in which the packages of the extra ``speed`` are there or hidden."""
    with Process(walk.program(PEERS[request.param]).command) as process:
        yield process


@pytest.mark.parametrize("reconnect", [False, True], ids=["one connection", "reconnecting"])
@pytest.mark.parametrize("way", walk.WAYS)
def test_a_message_passes_no_more_calls_and_files_than_a_reader_can_follow(
    way: str, reconnect: bool, client: Process, server: Server
) -> None:
    result = client.do({**walk.job(way, reconnect=reconnect), **server.place(tls=False)})
    assert "calls" in result, result
    assert not walk.complaint(result, walk.WAYS[way])
