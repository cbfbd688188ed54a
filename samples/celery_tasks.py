"""A text becomes a spoken summary, in the background: a Celery task with progress, tried again where that may help.

With a Redis at hand::

    celery --app samples.celery_tasks worker --prefetch-multiplier 1
    python -m samples.celery_tasks README.md          # asks for a summary of the file, shows progress, saves summary.wav

``--emulator`` needs neither Redis nor a key: worker and emulator run in this process.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.result import AsyncResult

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


def main() -> None:
    """Asks for a summary, and waits for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the text")
    parser.add_argument("--emulator", action="store_true", help="needs neither a key nor Redis")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.emulator:
            begin_here(stack)
        result = spoken_summary.delay(arguments.file.read_text(encoding="utf-8"))
        wait_for(result)
        summary = result.get()
    Path("summary.wav").write_bytes(base64.b64decode(summary["wav"]))
    print(f"Model: {summary['words']}\nSaved summary.wav")


def wait_for(result: AsyncResult) -> None:
    """Prints how far it is, until it is there or has failed."""
    shown = None
    while not result.ready():
        progress = result.info if result.state == "SPEAKING" else None
        if progress != shown and progress is not None:
            print(f"{progress['seconds']:5.1f} s of speech so far", file=sys.stderr)
            shown = progress
        time.sleep(0.1)


def begin_here(stack: ExitStack) -> None:
    """An emulator, and a worker whose messages stay in this process."""
    from celery.contrib.testing.worker import start_worker

    from genai_live.emulator import HOST_VARIABLE, LiveEmulator

    emulator = stack.enter_context(LiveEmulator())
    os.environ[HOST_VARIABLE] = emulator.host
    app.conf.update(broker_url="memory://", result_backend="cache+memory://")
    stack.enter_context(start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"))


if __name__ == "__main__":
    main()
