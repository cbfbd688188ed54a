"""A text becomes a spoken summary, in the background: a Celery task with progress, tried again where that may help.

With a Redis at hand: ``celery --app samples.celery_tasks worker --prefetch-multiplier 1``; ``samples/celery_ask.py`` asks.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from celery import Celery, Task

from genai_live import Client, Turn, errors

REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
MODEL = os.environ.get("MODEL", "gemini-3.8-live")
CONFIG = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
PATIENCE = 120.0
"""Seconds for one attempt."""

app = Celery("summaries", broker=REDIS, backend=REDIS)
app.conf.update(result_expires=3_600, broker_transport_options={"visibility_timeout": 3_600})


@app.task(bind=True, max_retries=5, time_limit=PATIENCE + 30)
def spoken_summary(task: Task, text: str) -> dict[str, Any]:
    """The summary as words, and as a WAV file in base64."""

    def show(turn: Turn) -> None:
        progress = {"seconds": round(turn.audio.seconds, 2), "words": turn.transcripts.output}
        task.update_state(state="SPEAKING", meta=progress)

    try:
        with Client().live.connect(model=MODEL, config=CONFIG) as session:
            question = f"Summarise this text in three sentences:\n\n{text}"
            turn = session.ask(question, PATIENCE, until="generated", on_update=show)
    except errors.LiveError as error:
        if not error.retryable:
            raise
        raise task.retry(exc=error, countdown=2**task.request.retries) from error
    return {"words": turn.transcripts.output, "wav": base64.b64encode(turn.audio.wav_bytes()).decode()}
