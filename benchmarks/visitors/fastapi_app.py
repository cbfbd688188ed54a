"""The same for FastAPI and google-genai, as their users write it: two tasks for each visitor, on one event loop."""

from __future__ import annotations

import asyncio
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from google.genai import types

from benchmarks.peers.google_genai import GoogleGenai

PAGE = "<ul>" + "".join(f"<li>{number}" for number in range(2_000)) + "</ul>"
CONFIG = {"response_modalities": ["AUDIO"], "input_audio_transcription": {}, "output_audio_transcription": {}}

app = FastAPI()
client = GoogleGenai._new_client(os.environ["VISITORS_URL"], os.environ["VISITORS_CA"])


@app.get("/")
def index() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/voice/token")
def token() -> dict[str, str]:
    return {"token": "none"}


@app.websocket("/voice/")
async def voice(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()
    async with client.aio.live.connect(model=os.environ["VISITORS_MODEL"], config=CONFIG) as session:
        await websocket.send_text('{"event": "state_changed", "state": "listening"}')

        async def speak() -> None:
            while True:
                async for message in session.receive():
                    if message.data:
                        await websocket.send_bytes(message.data)

        speaking = asyncio.create_task(speak())
        try:
            while True:
                chunk = await websocket.receive_bytes()
                await session.send_realtime_input(audio=types.Blob(data=chunk, mime_type="audio/pcm;rate=16000"))
        except (WebSocketDisconnect, KeyError):
            speaking.cancel()
