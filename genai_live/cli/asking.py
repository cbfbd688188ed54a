"""A spoken question and its answer, shown while they go: what ``demo`` and ``talk`` do. Runs on the main thread."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from genai_live import AudioStream, Session, Turn
from genai_live.audio import Audio
from genai_live.cli.answerer import Answerer
from genai_live.cli.listening import Listener
from genai_live.cli.screen import Screen
from genai_live.cli.usage import check_writable, seconds
from genai_live.cli.view import Look, asking_line, labelled, level_words
from genai_live.errors import LiveError, ReceiveTimeout
from genai_live.turn import assemble

CONFIG = {"response_modalities": ["AUDIO"], "input_audio_transcription": {}, "output_audio_transcription": {}}
"""Speech, and both sides of it as text."""

ANSWER_TIMEOUT = 30.0
"""Seconds without a message after which an answer is given up; a spoken answer begins within a few."""

NO_MORE_AFTER = 4.0
"""Seconds without a message, after an answer that came before the end of the recording, that show that no other comes: the end of
speech was seen after up to 1.4 s, and the answer's beginning 1.6 s later."""

_FRAME_SECONDS = 0.08
"""Time between two drawings: fast enough for a level meter, slow enough for a slow line."""

_NOTE_SECONDS = 1.0
"""Seconds of sound between two plain lines, where nothing can be redrawn."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The option that limits the wait for the answer."""
    help_text = "longest silence of the model; default: %(default)g"
    parser.add_argument("--timeout", type=seconds, default=ANSWER_TIMEOUT, metavar="SECONDS", help=help_text)


def ask_aloud(answerer: Answerer, question: Audio, out: Path, timeout: float, screen: Screen) -> None:
    """Streams the question, shows what happens, and saves the answer.

    Raises the library's errors, among them ReceiveTimeout when no answer comes and LiveError when it has no sound.
    """
    check_writable(out)
    screen.say(answerer.sentence)
    listener = Listener()
    callbacks = {"on_message": listener.on_message, "on_error": listener.on_error, "on_close": listener.on_close}
    with answerer.client.live.connect(model=answerer.model, config=CONFIG, callbacks=callbacks) as session:
        asked_at = _follow(session, listener, question, timeout, screen)
    turn = assemble(listener.messages)
    if not turn.audio:
        raise LiveError(f"{answerer.model} answered without sound, so nothing is saved; it said: {listener.said or 'nothing'}")
    _report(turn, listener, asked_at, turn.audio.save(out).resolve(), screen)


def _follow(session: Session, listener: Listener, question: Audio, timeout: float, screen: Screen) -> float:
    """Shows question and answer until both are over; returns when the question was."""
    stream = session.stream_audio(question, wait=False)
    asked_at: float | None = None
    noted = 0.0
    while True:
        now = time.monotonic()
        if asked_at is None and stream.wait(0):
            asked_at = stream.ended_at
        screen.draw(lines(stream.progress, stream.level, listener, screen.columns, screen.look))
        if not screen.live and stream.progress.sent >= noted:
            screen.say(plain_line(stream))
            noted += _NOTE_SECONDS
        if asked_at is not None and is_over(listener, asked_at, now, timeout):
            break
        if listener.changed.wait(_FRAME_SECONDS):
            listener.changed.clear()
    session.close()
    screen.keep()
    return asked_at


def is_over(listener: Listener, asked_at: float, now: float, timeout: float) -> bool:
    """True when the answer to a question that ended at ``asked_at`` has ended too.

    Raises:
        ReceiveTimeout: when nothing came for ``timeout`` seconds and there is no answer, and SessionClosed when none can come.
    """
    if listener.turn_ended_at is not None and listener.turn_ended_at >= asked_at:
        return True
    quiet = now - max(asked_at, listener.last_message_at or 0.0)
    if listener.turn_ended_at is not None and not listener.answering and quiet >= NO_MORE_AFTER:
        return True
    if listener.end is not None:
        raise listener.end
    if quiet >= timeout and listener.first_sound_at is None:
        raise ReceiveTimeout(f"no answer came within {timeout:g} s: is there speech in the question, and can the model hear?")
    return quiet >= timeout


def lines(progress: tuple[float, float | None], level: float, listener: Listener, columns: int, look: Look) -> list[str]:
    """The lines to draw: the question's progress and level, both transcripts, the answer's length."""
    drawn = [asking_line(*progress, level, columns, look)]
    if listener.heard:
        drawn.append(labelled("you", listener.heard, columns, look))
    if listener.said:
        drawn.append(labelled("model", listener.said, columns, look))
    if listener.answer_seconds:
        drawn.append(labelled("answer", f"{listener.answer_seconds:.1f} s", columns, look))
    return drawn


def plain_line(stream: AudioStream) -> str:
    """The question's progress and level as a line of a log."""
    sent, total = stream.progress
    return f"asking: {sent:.1f} of {total:.1f} s sent, level {level_words(stream.level).strip()}"


def _report(turn: Turn, listener: Listener, asked_at: float, path: Path, screen: Screen) -> None:
    if not screen.live:
        screen.say(f"you: {turn.transcripts.input.strip()}")
        screen.say(f"model: {turn.transcripts.output.strip()}")
    assert listener.first_sound_at is not None
    delay = listener.first_sound_at - asked_at
    when = f"{delay:.2f} s after the end of the question" if delay >= 0 else f"{-delay:.2f} s before the end of the recording"
    screen.say(f"The answer is {turn.audio.seconds:.1f} s of speech; its first sound came {when}.")
    screen.say(f"Saved to {path}")
