"""``python -m benchmarks.loudspeaker``: a conversation over microphone and loudspeaker beside asyncio and PyAudio.

On a sound card without hardware (tests/sound_server.py), with a server that says when what came and went. The other program does
what google-genai's cookbook shows; PyAudio is in Debian's python3-pyaudio, and ``PYTHONPATH`` may name a place for it. It takes
five minutes, ``--quick`` three; ``--output docs`` brings docs/performance.md up to date.
"""

from __future__ import annotations

import argparse
import array
import base64
import importlib.util
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks import report
from benchmarks.command import DOCUMENT
from genai_live.audio import INPUT_RATE, Audio
from tests.sound_server import AHEAD, MONITOR_RATE, Hearing, SoundServer
from tests.waiting import until

ROUNDS, CPU_ROUNDS, CPU_SECONDS = 15, 5, 8
SOUNDS = 4
"""Sounds into the microphone for each of the other rounds: a chunk is empty or full when one begins, and the wait differs so."""
CLICK, PAUSE = 0.05, 0.2
"""Seconds of such a sound, and of the shortest pause behind it; the longest is twice as long."""
LOUD = 1_000
"""Amplitude of samples above which a recorder hears the test's sound, and not the silence."""
FRAME = 0.25
"""Seconds of sound in one message: as long as the service's are."""
NEAR = 0.2
"""Seconds around a sample within which a recorder delivers a piece as soon as it has it."""
BETWEEN = 0.3
"""Seconds of silence that end a sound: everything that still is on its way is heard within them."""

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


def clicks(number: int) -> bytes:
    """Short sounds at times that no program's clock knows, as those are at which somebody begins to speak."""
    chance = random.Random(3)
    lengths = [PAUSE * (1 + chance.random()) for _ in range(number)]
    return b"".join(noise(CLICK, INPUT_RATE) + bytes(2 * int(length * INPUT_RATE)) for length in lengths)


def loud(pcm: bytes) -> bool:
    return bool(loud_samples(pcm))


def loud_samples(pcm: bytes) -> list[int]:
    """Which samples of a piece are loud."""
    return [number for number, sample in enumerate(array.array("h", pcm[: len(pcm) // 2 * 2])) if abs(sample) > LOUD]


Figures = dict[str, list[float]]
"""Those of one program, by the way in which they were measured."""

Pieces = list[tuple[float, bytes]]
"""Sound with the times at which it came."""


def sounds(pieces: Pieces, rate: int) -> list[tuple[int, int, int]]:
    """The sounds in what came, each with the numbers of its first and last sample, and of the piece in which it begins."""
    found: list[tuple[int, int, int]] = []
    end = 0
    for number, (_, pcm) in enumerate(pieces):
        for sample in loud_samples(pcm):
            if found and end + sample - found[-1][1] < PAUSE / 2 * rate:
                found[-1] = (found[-1][0], end + sample, found[-1][2])
            else:
                found.append((end + sample, end + sample, number))
        end += len(pcm) // 2
    return found


class Card:
    """When samples were at the card.

    A recorder delivers pieces, each as late as the machine is busy: the least delay of those around a sample tells when it could
    be had at the earliest.
    """

    def __init__(self, pieces: Pieces, rate: int) -> None:
        self._rate = rate
        ends = itertools.accumulate(len(pcm) // 2 for _, pcm in pieces)
        self._lates = [(end, at - end / rate) for end, (at, _) in zip(ends, pieces, strict=True)]

    def moment(self, sample: int) -> float:
        """When it was heard there."""
        near = [late for end, late in self._lates if abs(end - sample) < NEAR * self._rate]
        return sample / self._rate + min(near or [next(late for end, late in self._lates if end >= sample)])


def moments(hearing: Hearing, begin: int) -> tuple[float, float]:
    """When the first and the last loud sample after the first ``begin`` pieces were at the card."""
    pieces = hearing.pieces[:]
    card, before = Card(pieces, hearing.rate), sum(len(pcm) // 2 for _, pcm in pieces[:begin])
    found = sounds(pieces[begin:], hearing.rate)
    return card.moment(before + found[0][0]), card.moment(before + found[-1][1] + 1)


def wait_for_sound(hearing: Hearing, begin: int) -> None:
    """Until a recorder has heard something after its first ``begin`` pieces."""
    until(lambda: any(loud(pcm) for _, pcm in hearing.pieces[begin:]))


def wait_for_quiet(hearing: Hearing) -> None:
    """Until a recorder has heard nothing for ``BETWEEN``, once it has heard something."""
    size = int(BETWEEN * hearing.rate) * 2

    def quiet() -> bool:
        newest = b"".join(pcm for _, pcm in hearing.pieces[-100:])[-size:]
        return len(newest) == size and not loud(newest)

    until(quiet)


def microphone_to_wire(card: SoundServer, wire: Wire, spoken: Path, rounds: int) -> list[float]:
    recorder, messages, rounds = card.overhear(), len(wire.came), rounds * SOUNDS
    card.speak(spoken).wait()
    until(lambda: len(sounds(wire.came[messages:], INPUT_RATE)) > rounds * 3 // 4)
    wait_for_quiet(recorder)
    time.sleep(PAUSE)
    card_time = Card(recorder.pieces, recorder.rate).moment
    heard = [card_time(first) for first, _, _ in sounds(recorder.pieces, recorder.rate)]
    came = [wire.came[messages + piece][0] for _, _, piece in sounds(wire.came[messages:], INPUT_RATE)]
    found = [at - since for since in heard for at in came if 0 < at - since < PAUSE]
    assert len(found) > rounds * 3 // 4, f"only {len(found)} of {rounds} sounds were heard: the machine is too busy"
    return found


def wire_to_loudspeaker(card: SoundServer, wire: Wire, spoken: Path, rounds: int) -> list[float]:
    recorder, found = card.hear(), []
    for _ in range(rounds):
        pieces = len(recorder.pieces)
        sent = wire.speak(noise(FRAME, MONITOR_RATE))
        wait_for_sound(recorder, pieces)
        wait_for_quiet(recorder)
        found.append(moments(recorder, pieces)[0] - sent)
    wire.say(turnComplete=True)
    return found


def interruption_to_silence(card: SoundServer, wire: Wire, spoken: Path, rounds: int) -> list[float]:
    """Until the end of the last loud sample, of an answer of which four seconds have come."""
    recorder, found = card.hear(), []
    frame, chance = noise(FRAME, MONITOR_RATE), random.Random(2)
    for _ in range(rounds):
        pieces = len(recorder.pieces)
        for _ in range(16):
            wire.speak(frame)
        wait_for_sound(recorder, pieces)
        time.sleep(0.3 + chance.random() * FRAME)  # anywhere in a frame
        sent = wire.say(interrupted=True)
        wire.say(turnComplete=True)
        wait_for_quiet(recorder)
        found.append(moments(recorder, pieces)[1] - sent)
    return found


def processor_time(wire: Wire, process: int, seconds: int) -> float:
    """Processor seconds for a second in which both sides have sound."""
    frame = noise(FRAME, MONITOR_RATE)
    began, taken = time.monotonic(), used(process)
    for number in range(round(seconds / FRAME)):
        wire.speak(frame)
        time.sleep(max(0.0, began + (number + 1) * FRAME - time.monotonic()))
    took = (used(process) - taken) / (time.monotonic() - began)
    wire.say(turnComplete=True)
    return took


def used(process: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(code: str, argument: str) -> Iterator[tuple[SoundServer, Wire, int]]:
    """A program that talks: its sound card, the server's side of it, and its process."""
    wire = Wire()
    with SoundServer() as card, serve(wire.serve, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        command = [*AHEAD, sys.executable, "-c", code, url, argument]
        process = subprocess.Popen(command, env=card.environment, stderr=subprocess.DEVNULL)
        try:
            until(lambda: len(wire.came) > 20)
            yield card, wire, process.pid
        finally:
            process.kill()
            process.wait()


def measured(programs: dict[str, tuple[str, str]], spoken: Path, rounds: int, seconds: int) -> dict[str, Figures]:
    """The figures of all programs, in milliseconds; ``cpu`` in percent: in turns, for the machine's speed changes."""
    figures: dict[str, Figures] = {name: {} for name in programs}
    for name, (code, argument) in programs.items():
        with running(code, argument) as (card, wire, _):
            for way in WAYS:
                figures[name][way.__name__] = [each * 1_000 for each in way(card, wire, spoken, rounds)]
    for _ in range(CPU_ROUNDS):
        for name, (code, argument) in programs.items():
            with running(code, argument) as (_, wire, process):
                figures[name].setdefault("cpu", []).append(processor_time(wire, process, seconds) * 100)
    return figures


WAYS: tuple[Callable[..., list[float]], ...] = (microphone_to_wire, wire_to_loudspeaker, interruption_to_silence)
HEADS = ("microphone to wire, ms", "wire to loudspeaker, ms", "interruption to silence, ms", "processor, % of one core")
OTHER = next(name for name, (code, _) in PROGRAMS.items() if code is ASYNCIO)
NAME = "loudspeaker"


def table(figures: dict[str, Figures]) -> str:
    """Medians, what part of the other program's they are, and quartiles."""
    lines = ["| | " + " | ".join(HEADS) + " |", "|---" * (len(HEADS) + 1) + "|"]
    for name, found in figures.items():
        cells = []
        for way, each in found.items():
            digits = 1 if way == "cpu" else 0
            low, _, high = statistics.quantiles(each, n=4)
            middle, other = statistics.median(each), statistics.median(figures.get(OTHER, found)[way])
            part = f" ({middle / other:.2f})" if OTHER in figures and name != OTHER else ""
            cells.append(f"{middle:.1f}{part}, {low:.{digits}f} to {high:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    """Measures all programs that can run here, and prints, or writes, the table."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{NAME}", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a third of the rounds; for a look, not for the record")
    parser.add_argument("--output", type=Path, help=f"directory whose {DOCUMENT} is brought up to date")
    arguments = parser.parse_args(given)
    rounds, seconds = (ROUNDS // 3, CPU_SECONDS // 3) if arguments.quick else (ROUNDS, CPU_SECONDS)
    about, programs = report.machine(), dict(PROGRAMS)
    if importlib.util.find_spec("pyaudio") is None:
        print(f"{OTHER} is left out; it needs PyAudio", file=sys.stderr)
        del programs[OTHER]
    with tempfile.TemporaryDirectory() as folder:
        spoken = Audio(clicks(rounds * SOUNDS), INPUT_RATE).save(Path(folder) / "spoken.wav")
        figures = measured(programs, spoken, rounds, seconds)
    counts = f"Medians and quartiles of {rounds} rounds, {rounds * SOUNDS} for the microphone, {CPU_ROUNDS} for the processor."
    part = f"{table(figures)}\n\n{counts} {report.describe(about)}"
    print(part)
    if arguments.output is not None:
        document = arguments.output / DOCUMENT
        document.write_text(report.replace_part(document.read_text(encoding="utf-8"), NAME, part), encoding="utf-8")


if __name__ == "__main__":
    main()
