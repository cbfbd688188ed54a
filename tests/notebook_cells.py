"""Cells of notebooks that tests and pictures open, and how the widget in them is started."""

from __future__ import annotations

from pathlib import Path

from genai_live.audio import Audio
from tests.jupyter import OpenNotebook

QUESTION = Audio.load(Path(__file__).parent.parent / "genai_live" / "cli" / "data" / "question.wav")
OPENING = """
from genai_live import Client
from genai_live.notebook import VoiceWidget, show
client = Client(api_key="k", http_options={{"base_url": {url!r}}})
session = client.live.connect(model="emulator", config={{"response_modalities": ["AUDIO"], "output_audio_transcription": {{}}}})
"""
TALK = "widget = VoiceWidget(client, model='emulator')\nwidget"
ELEMENT = "document.querySelector('genai-live-voice')"


def start(notebook: OpenNotebook) -> None:
    """Presses the widget's button, and waits until it hears."""
    notebook.page.until(f"{ELEMENT} !== null")
    notebook.page.evaluate(f"{ELEMENT}.start()")
    assert notebook.page.evaluate(f"{ELEMENT}.state") == "listening"
