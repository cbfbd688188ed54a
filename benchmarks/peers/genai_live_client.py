"""This library, as its users use it.

``--without-speed`` hides the packages of that extra, ``--callback`` receives by callback, ``--shared`` shares a reader,
``--conversations`` has voice conversations talk in the place of bare sessions.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

if "--without-speed" in sys.argv:
    for hidden in ("orjson", "pybase64", "websockets"):
        sys.modules[hidden] = None  # type: ignore[assignment] # importing it now raises ImportError

from benchmarks.peers import _peer
from genai_live import Client, Session
from genai_live.types import LiveServerMessage


def look(message: LiveServerMessage, see: Callable[[bytes], object]) -> str:
    """Gives the sound of a message to ``see``; returns its text."""
    content = message.server_content
    text = ""
    if content is not None and content.model_turn is not None:
        for part in content.model_turn.parts or ():
            if part.inline_data is not None and part.inline_data.data is not None:
                see(part.inline_data.data)
            elif part.text is not None:
                text += part.text
    return text


class InLoop:
    """``for message in session.receive()``."""

    shared = "--shared" in sys.argv

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def client(self, url: str, authority: str) -> Client:
        if url not in self._clients:
            self._clients[url] = self._new_client(url, authority)
        return self._clients[url]

    def _new_client(self, url: str, authority: str) -> Client:
        options: dict[str, Any] = {"base_url": url}
        if url.startswith("https"):
            options["ca_bundle"] = authority
        return Client(api_key="k", http_options=options, shared_reader=self.shared)

    def open(self, url: str, authority: str, model: str) -> Session:
        return self.client(url, authority).live.connect(model=model)

    def close(self, session: Session) -> None:
        session.close()

    def say(self, session: Session) -> None:
        session.send_client_content(turns="Hello")

    def take_turn(self, session: Session, see: Callable[[bytes], object]) -> str:
        return "".join([look(message, see) for message in session.receive()])

    def send(self, session: Session, chunk: bytes, count: int) -> None:
        for _ in range(count):
            session.send_realtime_input(audio=chunk)

    def ask(self, session: Session, count: int) -> list[float]:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            self.say(session)
            self.take_turn(session, len)
            times.append(time.perf_counter() - began)
        return times

    def pace(self, session: Session, sound: bytes, *, wait: bool) -> None:
        session.stream_audio(sound, chunk_ms=20, wait=wait).wait()

    def converse(self, crowd: _peer.Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        """Callbacks hear, ``stream_audio(wait=False)`` speaks."""
        client = self.client(crowd.url, crowd.authority)
        pcm = bytes(int((crowd.seconds + 30) * 32_000))
        callbacks = {"on_message": lambda message: look(message, see)}
        held, streams = [], []
        for _ in range(crowd.sessions):
            held.append(client.live.connect(model=crowd.model, callbacks=callbacks))
        start = time.monotonic()
        for index, session in enumerate(held):
            time.sleep(max(0.0, start + 0.04 * index / crowd.sessions - time.monotonic()))
            streams.append(session.stream_audio(pcm, wait=False))
        time.sleep(max(0.0, start + 1.0 - time.monotonic()))
        began = time.monotonic()
        before = [stream.progress.sent for stream in streams]
        with _peer.Meter() as meter:
            time.sleep(crowd.seconds)
        sent = [stream.progress.sent - before[index] for index, stream in enumerate(streams)]
        return {
            "began": began, "ended": time.monotonic(), "cpu": meter.cpu, "switches": meter.switches,
            "spoken": min(sent) / crowd.seconds, "threads": threading.active_count(),
        }  # fmt: skip


class ByCallback(InLoop):
    """``callbacks={"on_message": ...}``: the reader thread calls, nothing is handed to another thread."""

    def open(self, url: str, authority: str, model: str) -> Any:
        return _Called(self.client(url, authority), model)

    def close(self, session: Any) -> None:
        session.session.close()

    def say(self, session: Any) -> None:
        session.turn_over.clear()
        session.session.send_client_content(turns="Hello")

    def take_turn(self, session: Any, see: Callable[[bytes], object]) -> str:
        session.see = see
        session.turn_over.wait()
        session.turn_over.clear()
        return ""

    def send(self, session: Any, chunk: bytes, count: int) -> None:
        super().send(session.session, chunk, count)


class Talking(InLoop):
    """Conversations: one thread is the microphone of all of them, in blocks of 20 ms; what is played is seen."""

    shared = True

    def converse(self, crowd: _peer.Crowd, see: Callable[[bytes], object]) -> dict[str, Any]:
        """As of bare sessions."""
        from genai_live.voice import Conversation

        client = self.client(crowd.url, crowd.authority)
        ends = [_End(see) for _ in range(crowd.sessions)]
        talks = [Conversation.connect(client, end, model=crowd.model, reconnect=False) for end in ends]
        over = threading.Event()
        threading.Thread(target=self._speak, args=(ends, over), daemon=True).start()
        time.sleep(1.0)
        began = time.monotonic()
        before = [talk.stats.sent for talk in talks]
        with _peer.Meter() as meter:
            time.sleep(crowd.seconds)
        sent = [talk.stats.sent - before[index] for index, talk in enumerate(talks)]
        over.set()
        return {
            "began": began, "ended": time.monotonic(), "cpu": meter.cpu, "switches": meter.switches,
            "spoken": min(sent) / crowd.seconds, "threads": threading.active_count(),
        }  # fmt: skip

    def _speak(self, ends: list[_End], over: threading.Event) -> None:
        block, began, count = bytes(640), time.monotonic(), 0
        while not over.is_set():
            for index, end in enumerate(ends):
                if index % 10 == 0:
                    due = began + 0.02 * (count + index / len(ends))
                    time.sleep(max(0.0, due - time.monotonic()))
                end.feed(block)
            count += 1


class _End:
    """What is played was heard."""

    flushes = 0

    def __init__(self, see: Callable[[bytes], object]) -> None:
        self.see = see
        self.bytes = 0

    def open(self, feed: Callable[[bytes], None], control: object, ended: object) -> Any:
        from genai_live.voice import Rates

        self.feed = feed
        return Rates(16_000, 24_000)

    def play(self, pcm: bytes) -> None:
        self.bytes += len(pcm)
        self.see(pcm)

    def end_of_answer(self) -> None:
        """Nothing runs empty."""

    def flush(self) -> None:
        """Nothing waits."""

    @property
    def played(self) -> float:
        return self.bytes / 48_000

    def show(self, event: object) -> None:
        """Nobody looks."""

    def close(self, timeout: float) -> None:
        """Nothing is open."""


class _Called:
    def __init__(self, client: Client, model: str) -> None:
        self.turn_over = threading.Event()
        self.see: Callable[[bytes], object] = len
        self.session = client.live.connect(model=model, callbacks={"on_message": self.on_message})

    def on_message(self, message: LiveServerMessage) -> None:
        look(message, self.see)
        if message.server_content is not None and message.server_content.turn_complete:
            self.turn_over.set()


if __name__ == "__main__":
    _peer.run(Talking() if "--conversations" in sys.argv else ByCallback() if "--callback" in sys.argv else InLoop())
