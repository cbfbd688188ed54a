"""How regularly pings and sound pass while a function of ``run_tools`` sleeps. ``python -m soak slow_tool`` sleeps 30 s."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from genai_live import Client
from genai_live.types import LiveServerMessage
from tests.raw_peer import BINARY, PING, PONG, TEXT, Door, Peer, beside, door, frame
from tests.servers import MODEL, PATIENCE, client_of, message

CHUNK = bytes(1_280)
CHUNK_SECONDS = 0.04
SLACK = 0.5
"""Seconds by which a busy machine may be late; a function in the way is late by all that it sleeps."""


@dataclass
class Seen:
    """Times, in monotonic seconds."""

    began: float = 0.0
    """When the function began to sleep."""
    woke: float = 0.0
    pings: list[float] = field(default_factory=list)
    """When pings came over the connection of the function's session, which says nothing meanwhile."""
    sent: list[float] = field(default_factory=list)
    """When sound of the same session came."""
    heard: list[float] = field(default_factory=list)
    """When the callback of another session of the same client was given sound."""

    def longest_gap(self, times: list[float]) -> float:
        """The longest time without one, while the function slept."""
        meanwhile = [each for each in times if self.began < each < self.woke]
        return max(later - earlier for earlier, later in pairwise([self.began, *meanwhile, self.woke]))


def while_a_function_sleeps(seconds: float, ping_interval: float, *, shared_reader: bool) -> Seen:
    """Two sessions of one client: the function of the first sleeps while it sends sound, and the second is given sound."""
    seen, answered, stop = Seen(), threading.Event(), threading.Event()

    def nap() -> str:
        """Sleeps."""
        seen.began = time.monotonic()
        time.sleep(seconds)
        seen.woke = time.monotonic()
        return "awake"

    def read(peer: Peer) -> None:
        while not stop.is_set():
            opcode, payload = peer.read_frame()
            if opcode == PING:
                seen.pings.append(time.monotonic())
                peer.send(frame(PONG, payload))
            elif opcode == TEXT and "toolResponse" in (sent := json.loads(payload)):
                assert sent["toolResponse"]["functionResponses"][0]["response"] == {"output": "awake"}
                answered.set()
            elif opcode == TEXT:
                seen.sent.append(time.monotonic())

    def speak(peer: Peer) -> None:
        sound = message(serverContent={"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}]}})
        while not stop.wait(CHUNK_SECONDS):
            peer.send(frame(BINARY, sound))

    def microphone() -> Iterator[bytes]:
        while not stop.wait(CHUNK_SECONDS):
            yield CHUNK

    def hear(each: LiveServerMessage) -> None:
        if each.data:
            seen.heard.append(time.monotonic())

    with door() as entrance:
        options = {"ping_interval": ping_interval, "silence_limit": 3 * ping_interval}
        client = client_of(entrance.url, shared_reader=shared_reader, **options)
        (other, speaker), (session, peer) = (
            _connected(entrance, client, callbacks={"on_message": hear}),
            _connected(entrance, client, config={"tools": [nap]}, run_tools=True),
        )
        beside(read, peer)
        speaking = beside(speak, speaker)
        streaming = session.stream_audio(microphone(), wait=False)
        peer.send(frame(BINARY, message(toolCall={"functionCalls": [{"id": "c", "name": "nap", "args": {}}]})))
        assert answered.wait(seconds + PATIENCE)
        assert session.close_info is None
        stop.set()
        assert streaming.wait(PATIENCE)
        speaking.result(PATIENCE)
        for each in (session, other):
            each.close(0.0)
    return seen


def _connected(entrance: Door, client: Client, **connect: Any) -> tuple[Any, Peer]:
    connecting = beside(client.live.connect, model=MODEL, **connect)
    peer = entrance.accept()
    peer.open()
    return connecting.result(PATIENCE), peer
