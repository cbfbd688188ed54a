"""websockets, with orjson and pybase64, no types: its asyncio client, or with ``--threads`` its threading one."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_with_thread

from benchmarks.peers import _bare, _peer


def _options(url: str, authority: str) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=authority) if url.startswith("https") else None
    return {"uri": url.replace("http", "ws", 1), "ssl": context, "compression": None, "max_size": None}


class Threads(_bare.Bare):
    """The threading client: a thread of the library reads."""

    def open(self, url: str, authority: str, model: str) -> Any:
        session: Any = connect_with_thread(**_options(url, authority), legacy=True)
        session.send_text = lambda payload: session.send(payload, text=True)
        session.receive = lambda: session.recv(decode=False)
        session.send_text(_bare.setup(model))
        session.recv()
        return session

    def close(self, session: Any) -> None:
        session.close()


class Asyncio:
    """The asyncio client; one event loop, entered for a whole job at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def open(self, url: str, authority: str, model: str) -> Any:
        async def opened() -> Any:
            session = await connect(**_options(url, authority))
            await session.send(_bare.setup(model), text=True)
            await session.recv()
            return session

        return self._loop.run_until_complete(opened())

    def close(self, session: Any) -> None:
        self._loop.run_until_complete(session.close())

    def say(self, session: Any) -> None:
        self._loop.run_until_complete(session.send(_bare.HELLO, text=True))

    def take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        return self._loop.run_until_complete(self._take_turn(session, see))

    async def _take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        text, over = "", False
        while not over:
            words, over = _bare.look(await session.recv(decode=False), see)
            text += words
        return text

    def send(self, session: Any, chunk: bytes, count: int) -> None:
        async def all_of_them() -> None:
            for _ in range(count):
                await session.send(_bare.audio(chunk), text=True)

        self._loop.run_until_complete(all_of_them())

    def ask(self, session: Any, count: int) -> list[float]:
        async def all_of_them() -> list[float]:
            times = []
            for _ in range(count):
                began = time.perf_counter()
                await session.send(_bare.HELLO, text=True)
                await self._take_turn(session, len)
                times.append(time.perf_counter() - began)
            return times

        return self._loop.run_until_complete(all_of_them())


if __name__ == "__main__":
    _peer.run(Threads() if "--threads" in sys.argv else Asyncio())  # type: ignore[arg-type] # they do not converse
