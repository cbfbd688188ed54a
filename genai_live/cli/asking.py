"""A spoken question and its answer, shown while they go: what ``demo`` and ``talk`` do. Runs on the main thread."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

from genai_live import AudioStream, Session, Turn
from genai_live.audio import Audio
from genai_live.audio.wav import check_wav_name
from genai_live.cli import setup_options
from genai_live.cli.answerer import Answerer
from genai_live.cli.argument_types import file, seconds
from genai_live.cli.listening import Listener
from genai_live.cli.output_files import check_writable, free_name, save
from genai_live.cli.screen import Screen
from genai_live.cli.view import Look, asking_line, labelled, level_words, said, waiting_words
from genai_live.errors import LiveError, ReceiveTimeout
from genai_live.turn import assemble

CONFIG = {"response_modalities": ["AUDIO"], "input_audio_transcription": {}, "output_audio_transcription": {}}
"""Speech, and both sides of it as text."""

SAVED_AS = Path("answer.wav")

ANSWER_TIMEOUT = 30.0
"""Seconds without a message after which an answer is given up; a spoken answer begins within a few."""

NO_MORE_AFTER = 4.0
"""Seconds without a message, after an answer that came before the end of the recording, that show that no other comes: the end of
speech was seen after up to 1.4 s, and the answer's beginning 1.6 s later."""

ALONE = {"out": None, "timeout": ANSWER_TIMEOUT}
"""Options that nothing but a question from a file has, and their defaults."""

_FRAME_SECONDS = 0.08
"""Time between two drawings: fast enough for a level meter, slow enough for a slow line."""

_NOTE_SECONDS = 1.0
"""Seconds of sound between two plain lines, where nothing can be redrawn."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The option that limits the wait for the answer."""
    parser.add_argument(
        "--out", type=file, metavar="FILE", help=f"where to save the answer; default: {SAVED_AS}, or the next free name"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    help_text = "longest silence of the model; default: %(default)g"
    parser.add_argument("--timeout", type=seconds, default=ANSWER_TIMEOUT, metavar="SECONDS", help=help_text)
    setup_options.add_arguments(parser)


def ask_aloud(answerer: Answerer, question: Audio, arguments: argparse.Namespace, screen: Screen) -> None:
    """Streams the question, shows what happens, and saves the answer.

    Raises the library's errors, among them ReceiveTimeout when no answer comes and LiveError when it has no sound.
    """
    out = arguments.out or free_name(SAVED_AS)
    check_wav_name(str(out))
    check_writable(out, force=arguments.force)
    config = setup_options.config(arguments, CONFIG)
    listener = Listener()
    callbacks = {"on_message": listener.on_message, "on_error": listener.on_error, "on_close": listener.on_close}
    with answerer.client.live.connect(model=answerer.model, config=config, callbacks=callbacks) as session:
        screen.say(answerer.sentence)
        asked_at = _follow(session, listener, question, arguments.timeout, screen)
    turn = assemble(listener.messages)
    if not turn.audio:
        raise LiveError(f"{answerer.model} answered without sound, so nothing is saved; it said: {listener.said or 'nothing'}")
    answer = Answer(answerer.model, turn, delay_of(listener, asked_at), save(turn.audio.wav_bytes(), out, force=arguments.force))
    if arguments.json:
        screen.json(answer.plain())
    else:
        answer.show(screen)


def _follow(session: Session, listener: Listener, question: Audio, timeout: float, screen: Screen) -> float:
    """Shows question and answer until both are over; returns when the question was."""
    stream = session.stream_audio(question, wait=False)
    asked_at: float | None = None
    noted = 0.0
    while True:
        now = time.monotonic()
        if asked_at is None and stream.wait(0):
            asked_at = stream.ended_at
        waited = now - asked_at if asked_at is not None else None
        screen.draw(lines(stream.progress, stream.level, listener, waited, screen.columns, screen.look))
        if not screen.live and stream.progress.sent >= noted:
            screen.say(plain_line(stream))
            noted += _NOTE_SECONDS
        if asked_at is not None and is_over(listener, asked_at, now, timeout):
            break
        if listener.changed.wait(_FRAME_SECONDS):
            listener.changed.clear()
    session.close()
    return asked_at


def is_over(listener: Listener, asked_at: float, now: float, timeout: float) -> bool:
    """True when the answer to a question that ended at ``asked_at`` has ended too.

    Raises:
        ReceiveTimeout: when nothing came for ``timeout`` seconds and there is no answer, and SessionClosed when none can come.
    """
    if any(at is not None and at >= asked_at for at in (listener.turn_ended_at, listener.generated_at)):
        return True
    quiet = now - max(asked_at, listener.last_message_at or 0.0)
    if listener.turn_ended_at is not None and not listener.answering and quiet >= NO_MORE_AFTER:
        return True
    if listener.end is not None:
        raise listener.end
    if quiet >= timeout and listener.first_sound_at is None:
        raise ReceiveTimeout(f"no answer came within {timeout:g} s: is there speech in the question, and can the model hear?")
    return quiet >= timeout


def lines(
    progress: tuple[float, float | None], level: float, listener: Listener, waited: float | None, columns: int, look: Look
) -> list[str]:
    """The lines to draw: the question's progress and level, both transcripts or the wait for an answer, the answer's length."""
    drawn = [asking_line(*progress, level, columns, look)]
    if listener.heard:
        drawn.append(labelled("you", listener.heard, columns, look))
    if listener.said:
        drawn.append(labelled("model", listener.said, columns, look))
    elif waited is not None and not listener.answer_seconds:
        drawn.append(labelled("model", waiting_words(waited, look), columns, look))
    if listener.answer_seconds:
        drawn.append(labelled("answer", f"{listener.answer_seconds:.1f} s", columns, look))
    return drawn


def plain_line(stream: AudioStream) -> str:
    """The question's progress and level as a line of a log."""
    sent, total = stream.progress
    return f"asking: {sent:.1f} of {total:.1f} s sent, level {level_words(stream.level).strip()}"


def delay_of(listener: Listener, asked_at: float) -> float:
    """Seconds from the end of the question to the first sound of the answer; below 0 when that came before."""
    assert listener.first_sound_at is not None
    return listener.first_sound_at - asked_at


class Answer(NamedTuple):
    """What came of a question."""

    model: str
    turn: Turn
    delay: float
    path: Path

    def plain(self) -> dict[str, object]:
        """The answer for programs."""
        return {
            "model": self.model,
            "heard": self.turn.transcripts.input.strip(),
            "said": self.turn.transcripts.output.strip(),
            "answer_seconds": round(self.turn.audio.seconds, 3),
            "first_sound_after_seconds": round(self.delay, 3),
            "saved_to": str(self.path),
            "usage": self.turn.usage.to_dict() if self.turn.usage is not None else None,
        }

    def show(self, screen: Screen) -> None:
        """The answer for people: both sides' words as the result, the rest as notices."""
        for side, words in (("you", self.turn.transcripts.input), ("model", self.turn.transcripts.output)):
            screen.painted(said(side, words.strip(), screen.columns_of_results, screen.look))
        end = "after the end of the question" if self.delay >= 0 else "before the end of the recording"
        seconds_of_speech = f"The answer is {self.turn.audio.seconds:.1f} s of speech"
        screen.say(f"{seconds_of_speech}; its first sound came {abs(self.delay):.2f} s {end}.")
        screen.say(f"Saved to {self.path}")
