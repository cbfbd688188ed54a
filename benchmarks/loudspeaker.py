"""``python -m benchmarks.loudspeaker``: a conversation over microphone and loudspeaker beside asyncio and PyAudio.

On a sound card without hardware (tests/sound_server.py), with a server that says when what came and went. The other program does
what google-genai's cookbook shows; PyAudio is in Debian's python3-pyaudio, and ``PYTHONPATH`` may name a place for it. Times are
those at which recorders of the card deliver the sound, so that both carry the recorder's own 20 ms.
"""

from __future__ import annotations

import array
import base64
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from genai_live.audio import Audio
from tests.sound_server import AHEAD, MONITOR_RATE, Hearing, SoundServer
from tests.waiting import until

ROUNDS = 10
LOUD = 1_000
"""Amplitude of samples above which a recorder hears the test's sound, and not the silence."""
CPU_SECONDS = 20

OURS = """
import sys
from genai_live import Client
from genai_live.voice import Conversation, Devices
client = Client("key", http_options={"base_url": sys.argv[1]})
with Conversation.connect(client, Devices(echo_cancellation=sys.argv[2] == "echo"), model="m") as conversation:
    conversation.wait()
"""

ASYNCIO = """
import asyncio, sys, pyaudio
from google import genai

FORMAT, CHUNK = pyaudio.paInt16, 1024
audio = pyaudio.PyAudio()

class Talk:
    async def listen(self):
        options = dict(format=FORMAT, channels=1, rate=16000, input=True, frames_per_buffer=CHUNK)
        stream = await asyncio.to_thread(audio.open, **options)
        while True:
            data = await asyncio.to_thread(stream.read, CHUNK, exception_on_overflow=False)
            await self.heard.put({"data": data, "mime_type": "audio/pcm"})

    async def send(self):
        while True:
            await self.session.send_realtime_input(audio=await self.heard.get())

    async def receive(self):
        while True:
            async for response in self.session.receive():
                if response.data:
                    self.said.put_nowait(response.data)
            while not self.said.empty():
                self.said.get_nowait()

    async def play(self):
        stream = await asyncio.to_thread(audio.open, format=FORMAT, channels=1, rate=24000, output=True)
        while True:
            await asyncio.to_thread(stream.write, await self.said.get())

    async def run(self):
        client = genai.Client(api_key="key", http_options={"base_url": sys.argv[1]})
        client._api_client._websocket_base_url = lambda _=None: sys.argv[1].replace("http", "ws", 1)  # without TLS
        client._api_client._websocket_ssl_ctx = {}
        async with client.aio.live.connect(model="m", config={"response_modalities": ["AUDIO"]}) as self.session:
            self.heard, self.said = asyncio.Queue(maxsize=5), asyncio.Queue()
            await asyncio.gather(self.listen(), self.send(), self.receive(), self.play())

asyncio.run(Talk().run())
"""

PROGRAMS = {
    "genai_live, echo cancelled": (OURS, "echo"),
    "genai_live, `echo_cancellation=False`": (OURS, "none"),
    "google-genai, asyncio, PyAudio": (ASYNCIO, ""),
}


class Wire:
    """The server's side of one session: what came, with its time, and what goes."""

    def __init__(self) -> None:
        self.came: list[tuple[float, bytes]] = []
        self._connected = threading.Event()
        self._connection: ServerConnection | None = None

    def serve(self, connection: ServerConnection) -> None:
        """Answers the setup, then notes all sound."""
        connection.recv()
        connection.send(json.dumps({"setupComplete": {}}).encode())
        self._connection = connection
        with suppress(ConnectionClosed):  # the program is killed
            self._listen(connection)

    def _listen(self, connection: ServerConnection) -> None:
        for raw in connection:
            message = json.loads(raw)
            sound = message.get("realtimeInput") or message.get("realtime_input") or {}
            sound = sound.get("audio") or (sound.get("mediaChunks") or [{}])[0]
            if "data" in sound:
                self.came.append((time.monotonic(), base64.b64decode(sound["data"].replace("-", "+").replace("_", "/"))))

    def say(self, **content: Any) -> float:
        """Sends a part of an answer; returns when it was sent."""
        assert self._connection is not None
        raw = json.dumps({"serverContent": content}).encode()
        sent = time.monotonic()
        self._connection.send(raw)
        return sent

    def speak(self, pcm: bytes) -> float:
        """Sends sound."""
        data = {"mimeType": f"audio/pcm;rate={MONITOR_RATE}", "data": base64.b64encode(pcm).decode()}
        return self.say(modelTurn={"parts": [{"inlineData": data}]})


def noise(seconds: float, rate: int) -> bytes:
    chance = random.Random(1)
    return array.array("h", (chance.choice((-9_000, 9_000)) for _ in range(int(seconds * rate)))).tobytes()


def loud(pcm: bytes) -> bool:
    return any(abs(sample) > LOUD for sample in array.array("h", pcm[: len(pcm) // 2 * 2]))


def first_loud(hearing: Hearing, begin: int) -> float:
    """When a recorder delivered its first loud sample after the first ``begin`` pieces."""
    until(lambda: any(loud(pcm) for _, pcm in hearing.pieces[begin:]))
    return next(at for at, pcm in hearing.pieces[begin:] if loud(pcm))


def microphone_to_wire(card: SoundServer, wire: Wire, click: Path) -> list[float]:
    recorder, found = card.overhear(), []
    for _ in range(ROUNDS):
        pieces, messages = len(recorder.pieces), len(wire.came)
        card.speak(click).wait()
        heard = first_loud(recorder, pieces)
        until(lambda messages=messages: any(loud(pcm) for _, pcm in wire.came[messages:]))
        found.append(next(at for at, pcm in wire.came[messages:] if loud(pcm)) - heard)
        time.sleep(0.7)
    return found


def wire_to_loudspeaker(card: SoundServer, wire: Wire, click: Path) -> list[float]:
    recorder, found = card.hear(), []
    for _ in range(ROUNDS):
        pieces = len(recorder.pieces)
        sent = wire.speak(noise(0.2, MONITOR_RATE))
        found.append(first_loud(recorder, pieces) - sent)
        time.sleep(0.7)
    wire.say(turnComplete=True)
    return found


def interruption_to_silence(card: SoundServer, wire: Wire, click: Path) -> list[float]:
    recorder, found = card.hear(), []
    second = noise(1.0, MONITOR_RATE)
    for _ in range(ROUNDS):
        pieces = len(recorder.pieces)
        for _ in range(5):
            wire.speak(second)
        first_loud(recorder, pieces)
        time.sleep(0.6)
        sent = wire.say(interrupted=True)
        wire.say(turnComplete=True)
        time.sleep(2.5)
        found.append(max(at for at, pcm in recorder.pieces if loud(pcm)) - sent)
    return found


def processor_time(card: SoundServer, wire: Wire, process: int) -> float:
    """Processor seconds for a second in which both sides have sound."""
    began = used(process)
    for _ in range(CPU_SECONDS):
        wire.speak(noise(1.0, MONITOR_RATE))
        time.sleep(1.0)
    taken = used(process) - began
    wire.say(turnComplete=True)
    return taken / CPU_SECONDS


def used(process: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(code: str, argument: str, click: Path) -> dict[str, float]:
    """The figures of one program, in milliseconds; ``cpu`` in percent."""
    wire = Wire()
    with SoundServer() as card, serve(wire.serve, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        command = [*AHEAD, sys.executable, "-c", code, url, argument]
        process = subprocess.Popen(command, env=card.environment, stderr=subprocess.DEVNULL)
        try:
            until(lambda: len(wire.came) > 20)
            ways: tuple[Callable[..., list[float]], ...] = (microphone_to_wire, wire_to_loudspeaker, interruption_to_silence)
            figures = {way.__name__: statistics.median(way(card, wire, click)) * 1_000 for way in ways}
            return {**figures, "cpu": processor_time(card, wire, process.pid) * 100}
        finally:
            process.kill()
            process.wait()


def main() -> None:
    click = Audio(noise(0.1, 16_000), 16_000).save(Path(tempfile.mkdtemp()) / "click.wav")
    print("| | microphone to wire, ms | wire to loudspeaker, ms | interruption to silence, ms | processor, % of one core |")
    print("|---|---|---|---|---|")
    for name, (code, argument) in PROGRAMS.items():
        if code is ASYNCIO and importlib.util.find_spec("pyaudio") is None:
            print(f"{name} is left out; it needs PyAudio", file=sys.stderr)
            continue
        found = measured(code, argument, click)
        print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in found.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
