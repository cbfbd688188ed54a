"""What clients without types share: orjson and pybase64 around the ``send_text`` and ``receive`` of a WebSocket library."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pybase64

HELLO = b'{"clientContent":{"turns":[{"role":"user","parts":[{"text":"Hello"}]}],"turnComplete":true}}'
_PREFIX = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_SUFFIX = b'"}}}'


def setup(model: str) -> bytes:
    """The first message."""
    return orjson.dumps({"setup": {"model": model}})


def audio(chunk: bytes) -> bytes:
    """A message with sound."""
    return b"".join((_PREFIX, pybase64.b64encode(chunk), _SUFFIX))


def look(payload: bytes | str, see: Callable[[bytes], object]) -> tuple[str, bool]:
    """Gives the sound of a message to ``see``; returns its text, and whether it ends the turn."""
    content: dict[str, Any] = orjson.loads(payload)["serverContent"]
    text = ""
    if "modelTurn" in content:
        for part in content["modelTurn"]["parts"]:
            if "inlineData" in part:
                see(pybase64.b64decode(part["inlineData"]["data"], validate=True))
            else:
                text += part["text"]
    return text, bool(content.get("turnComplete"))


class Bare:
    """A peer around two functions; a session has ``send_text`` and ``receive``."""

    def say(self, session: Any) -> None:
        session.send_text(HELLO)

    def take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        text, over = "", False
        while not over:
            words, over = look(session.receive(), see)
            text += words
        return text

    def send(self, session: Any, chunk: bytes, count: int) -> None:
        for _ in range(count):
            session.send_text(audio(chunk))

    def ask(self, session: Any, count: int) -> list[float]:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            self.say(session)
            self.take_turn(session, len)
            times.append(time.perf_counter() - began)
        return times
