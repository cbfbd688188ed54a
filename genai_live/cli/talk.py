"""``genai-live talk``: a WAV file in, the spoken answer out. Runs on the main thread."""

from __future__ import annotations

import argparse
from pathlib import Path

from genai_live.audio import Audio
from genai_live.cli import answerer, asking
from genai_live.cli.screen import Screen
from genai_live.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "--in", dest="question", type=Path, required=True, metavar="FILE", help="a WAV file of 16-bit PCM with speech in it"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to save the answer, as a WAV file")
    answerer.add_arguments(parser)
    asking.add_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    question = Audio.load(arguments.question)
    if not question:
        raise ConfigError(f"{str(arguments.question)!r} has no sound in it")
    with answerer.answerer(arguments.model, arguments.emulator) as who:
        asking.ask_aloud(who, question, arguments.out, arguments.timeout, screen)
