"""The Live API as bytes see it: a client made of the package websockets, which knows nothing of genai_live."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import ssl
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.waiting import PATIENCE

MLDEV = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
CONSTRAINED = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"
MUSIC = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateMusic"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"

RATE = 16_000

TEXT = {"model": "models/emulator", "generationConfig": {"responseModalities": ["TEXT"]}}
SPEECH: dict[str, Any] = {"model": "models/emulator", "inputAudioTranscription": {}, "outputAudioTranscription": {}}


def tone(seconds: float, amplitude: int = 8000, rate: int = RATE) -> bytes:
    """A square wave of 250 Hz: as loud as its amplitude in every window, whatever the detector's stride."""
    half = rate // 500
    cycle = struct.pack("<h", amplitude) * half + struct.pack("<h", -amplitude) * half
    count = round(seconds * rate)
    return (cycle * (count // (2 * half) + 1))[: count * 2]


def silence(seconds: float, rate: int = RATE) -> bytes:
    """Digital silence."""
    return bytes(2 * round(seconds * rate))


def content(text: str, complete: bool = True) -> dict[str, Any]:
    """A clientContent message of one user turn."""
    return {"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": complete}}


def audio(pcm: bytes, mime: str = "audio/pcm;rate=16000") -> dict[str, Any]:
    """A realtimeInput message of one piece of audio."""
    return {"realtimeInput": {"audio": {"mimeType": mime, "data": base64.b64encode(pcm).decode()}}}


def spoken(message: dict[str, Any]) -> bytes:
    """The PCM of one server message."""
    parts = message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    return b"".join(base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part)


def written(messages: list[dict[str, Any]]) -> str:
    """The text of some server messages."""
    contents = [message.get("serverContent", {}) for message in messages]
    parts = [part for each in contents for part in each.get("modelTurn", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def transcript(messages: list[dict[str, Any]], which: str) -> str:
    """The joined inputTranscription or outputTranscription of some server messages."""
    return "".join(message.get("serverContent", {}).get(which, {}).get("text", "") for message in messages)


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """What each message is, in one word; of serverContent, its members."""
    found = []
    for message in messages:
        body = message.get("serverContent")
        names = [name for name in message if name not in ("serverContent", "usageMetadata")]
        found.append("+".join([*names, *([*body] or ["{}"] if body is not None else [])]) or "{}")
    return found


class Wire:
    """One WebSocket to an emulator."""

    def __init__(self, url: str, path: str = MLDEV, setup: dict[str, Any] | None = None, **options: Any) -> None:
        # Entered by hand: since release 17 of websockets, connect() opens nothing by itself.
        self._connecting = connect(url.replace("http", "ws", 1) + path, max_size=None, **options)
        self.socket = self._connecting.__enter__()
        if setup is not None:
            self.send({"setup": setup})
            self.setup_complete = self.read()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connecting.__exit__(kind, error, trace)

    def send(self, message: Any) -> None:
        """Sends JSON in a text frame, as the official clients do."""
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def read(self) -> dict[str, Any]:
        """The next message."""
        found: dict[str, Any] = json.loads(self.socket.recv(timeout=PATIENCE))
        return found

    def read_until(self, key: str) -> list[dict[str, Any]]:
        """Messages up to the first with ``key``, in it or in its serverContent."""
        return list(self._until(key))

    def _until(self, key: str) -> Iterator[dict[str, Any]]:
        while True:
            message = self.read()
            yield message
            if key in message or key in message.get("serverContent", {}):
                return

    def turn(self) -> list[dict[str, Any]]:
        """Messages up to turnComplete."""
        return self.read_until("turnComplete")

    def ask(self, text: str) -> list[dict[str, Any]]:
        """The turn that answers a text."""
        self.send(content(text))
        return self.turn()

    def stream(self, pcm: bytes, chunk: int = 1280) -> None:
        """Sends audio in pieces of 40 ms, at once."""
        for at in range(0, len(pcm), chunk):
            self.send(audio(pcm[at : at + chunk]))

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's close, after everything that comes before it."""
        try:
            while True:
                self.socket.recv(timeout=PATIENCE)
        except ConnectionClosed as error:
            frame = error.rcvd
            return (frame.code, frame.reason) if frame is not None else (1006, "")


def setup_over_tls(url: str, ca_path: str | None, path: str = MLDEV) -> dict[str, Any]:
    """The answer to a setup sent over wss.

    By the asyncio client of websockets: its threaded one reads and writes one TLS connection from two threads at once, which
    OpenSSL forbids, and hangs for ever about once in a thousand times on a busy machine (measured).
    """

    async def talk() -> dict[str, Any]:
        async with connect_async(url.replace("https", "wss", 1) + path, ssl=trusting(ca_path)) as socket:
            await socket.send(json.dumps({"setup": TEXT}))
            found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
        socket.transport.abort()  # Python 3.10 takes a TLS transport that its peer closed for one that was forgotten
        return found

    return asyncio.run(talk())


def trusting(ca_path: str | None) -> ssl.SSLContext:
    """A TLS context that trusts one authority."""
    return ssl.create_default_context(cafile=ca_path)


def fetch(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    """One plain HTTP request; status and parsed body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)
