"""``genai-live chat``: a conversation in text, line by line, typed or piped. Runs on the main thread."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from genai_live import Session, Turn
from genai_live.cli import answerer, setup_options
from genai_live.cli.argument_types import seconds
from genai_live.cli.screen import Screen
from genai_live.cli.view import LABEL_COLUMNS, labelled
from genai_live.errors import TurnLost

SPEECH = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
"""What every Live model does: it speaks, and its words come as text too."""

TEXT = {"response_modalities": ["TEXT"]}
"""What some models do, and those for native audio refuse."""

_PROMPT = f"{'you':<{LABEL_COLUMNS}} "

ANSWER_TIMEOUT = 60.0
"""Seconds for one answer: it is sent faster than it is spoken, but its end may wait until it would have been played."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    answerer.add_arguments(parser)
    parser.add_argument("--text", action="store_true", help="ask for text instead of speech; models for native audio refuse it")
    help_text = "longest wait for an answer; default: %(default)g"
    parser.add_argument("--timeout", type=seconds, default=ANSWER_TIMEOUT, metavar="SECONDS", help=help_text)
    setup_options.add_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    typed = sys.stdin.isatty()
    config = setup_options.config(arguments, TEXT if arguments.text else SPEECH)
    with (
        answerer.answerer(arguments.model, arguments.emulator) as who,
        who.client.live.connect(model=who.model, config=config, reconnect=True) as session,  # who types may think for an hour
    ):
        if typed:
            spoken = "" if arguments.text else " Its speech is shown as words and not played; genai-live voice plays it."
            screen.say(f"{who.sentence}{spoken} An empty line or Ctrl-D ends the conversation.")
        for question in _questions(typed):
            try:
                if arguments.json:
                    screen.json(_answered(question, session.ask(question, arguments.timeout)))
                else:
                    session.send_text(question)
                    _show_answer(session, arguments.timeout, screen, typed)
            except TurnLost as lost:
                if not typed:
                    raise  # piped input: the question is not asked again
                screen.say(f"\n{lost}")


def _questions(typed: bool) -> Iterator[str]:
    """Lines as they come: an empty one ends what is typed, and is skipped in what is piped."""
    while True:
        try:
            line = input(_PROMPT if typed else "").strip()
        except (EOFError, KeyboardInterrupt) as end:
            if typed:
                print()  # the cursor stands behind the prompt
            if isinstance(end, KeyboardInterrupt):
                raise
            return
        if line:
            yield line
        elif typed:
            return


def _answered(question: str, turn: Turn) -> dict[str, object]:
    usage = turn.usage.to_dict() if turn.usage is not None else None
    return {"question": question, "answer": turn.text or turn.transcripts.output, "usage": usage}


def _show_answer(session: Session, timeout: float, screen: Screen, typed: bool) -> None:
    if typed:
        screen.painted(labelled("model", "", LABEL_COLUMNS, screen.look), end="")
    for message in session.receive(timeout):
        content = message.server_content
        if content is not None and content.output_transcription is not None:
            screen.write(content.output_transcription.text or "")
        screen.write(message.text or "")
    screen.result("")
