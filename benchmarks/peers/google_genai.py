"""google-genai, asyncio, as its users use it.

Its client always dials wss. For the ws rows its two members that say so are replaced (URL, TLS settings); nothing on the way of a
message is touched. The wss rows use its documented options only.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import warnings
from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import types

from benchmarks.peers import _peer

warnings.simplefilter("ignore")


def options(url: str, **more: Any) -> types.HttpOptions:
    """Its own default version, v1, does not serve Live."""
    return types.HttpOptions(base_url=url, api_version="v1beta", **more)


class GoogleGenai:
    """The peer; one event loop, entered for a whole job at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients: dict[str, Any] = {}

    def client(self, url: str, authority: str) -> Any:
        if url not in self._clients:
            self._clients[url] = self._new_client(url, authority)
        return self._clients[url]

    @staticmethod
    def _new_client(url: str, authority: str) -> Any:
        if url.startswith("https"):
            context = ssl.create_default_context(cafile=authority)
            return genai.Client(api_key="k", http_options=options(url, async_client_args={"ssl": context}))
        client = genai.Client(api_key="k", http_options=options(url))
        plain: Any = client._api_client
        plain._websocket_base_url = lambda _=None: url.replace("http", "ws", 1)
        plain._websocket_ssl_ctx = {}
        return client

    def open(self, url: str, authority: str, model: str) -> Any:
        manager = self.client(url, authority).aio.live.connect(model=model)
        return manager, self._loop.run_until_complete(manager.__aenter__())

    def close(self, session: Any) -> None:
        self._loop.run_until_complete(session[0].__aexit__(None, None, None))

    def say(self, session: Any) -> None:
        self._loop.run_until_complete(self._say(session[1]))

    async def _say(self, session: Any) -> None:
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="Hello")]))

    def take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        return self._loop.run_until_complete(self._take_turn(session[1], see))

    async def _take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        text = ""
        async for message in session.receive():
            text += look(message, see)
        return text

    def send(self, session: Any, chunk: bytes, count: int) -> None:
        async def all_of_them() -> None:
            for _ in range(count):
                await session[1].send_realtime_input(audio=types.Blob(data=chunk, mime_type="audio/pcm;rate=16000"))

        self._loop.run_until_complete(all_of_them())

    def ask(self, session: Any, count: int) -> list[float]:
        async def all_of_them() -> list[float]:
            times = []
            for _ in range(count):
                began = time.perf_counter()
                await self._say(session[1])
                await self._take_turn(session[1], len)
                times.append(time.perf_counter() - began)
            return times

        return self._loop.run_until_complete(all_of_them())

    def converse(self, crowd: _peer.Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        """Two tasks for each session: one receives, one sleeps until the next chunk is due and sends it."""
        return self._loop.run_until_complete(self._converse(crowd, see))

    async def _converse(self, crowd: _peer.Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        client = self.client(crowd.url, crowd.authority)
        chunk = bytes(1_280)
        opened = []
        for _ in range(crowd.sessions):
            manager = client.aio.live.connect(model=crowd.model)
            opened.append((manager, await manager.__aenter__()))
        start = time.monotonic()

        async def speak(session: Any, offset: float) -> None:
            due = start + offset
            while True:
                await asyncio.sleep(due - time.monotonic())
                await session.send_realtime_input(audio=types.Blob(data=chunk, mime_type="audio/pcm;rate=16000"))
                due += 0.04

        async def hear(session: Any) -> None:
            while True:
                async for message in session.receive():
                    look(message, see)

        tasks = []
        for index, (_, session) in enumerate(opened):
            tasks += [asyncio.create_task(speak(session, 0.04 * index / crowd.sessions)), asyncio.create_task(hear(session))]
        await asyncio.sleep(1.0)
        began = time.monotonic()
        with _peer.Meter() as meter:
            await asyncio.sleep(crowd.seconds)
        ended = time.monotonic()
        for task in tasks:
            task.cancel()
        return {"began": began, "ended": ended, "cpu": meter.cpu, "switches": meter.switches}


def look(message: Any, see: Callable[[bytes], object]) -> str:
    """Gives the sound of a message to ``see``; returns its text."""
    content = message.server_content
    text = ""
    if content is not None and content.model_turn is not None:
        for part in content.model_turn.parts or ():
            if part.inline_data is not None:
                see(part.inline_data.data)
            elif part.text is not None:
                text += part.text
    return text


if __name__ == "__main__":
    _peer.run(GoogleGenai())  # type: ignore[arg-type] # it does not pace
