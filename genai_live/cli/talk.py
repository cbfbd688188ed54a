"""``genai-live talk``: a WAV file in, the spoken answer out; without a file, ``genai-live voice``. Runs on the main thread."""

from __future__ import annotations

import argparse
from pathlib import Path

from genai_live.audio import Audio
from genai_live.cli import answerer, asking, voice
from genai_live.cli.screen import Screen
from genai_live.cli.usage import MisunderstoodError
from genai_live.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "question", nargs="?", type=Path, metavar="FILE", help="a WAV file with speech in it; microphone and loudspeaker without"
    )
    parser.add_argument("--in", dest="named", type=Path, metavar="FILE", help="the same, for scripts that name everything")
    answerer.add_arguments(parser)
    asking.add_arguments(parser)
    voice.add_own_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    file = arguments.question or arguments.named
    if file is None:
        voice.run(arguments, screen)
        return
    if arguments.question and arguments.named:
        raise MisunderstoodError("name one WAV file with speech in it")
    question = Audio.load(file)
    if not question:
        raise ConfigError(f"{str(file)!r} has no sound in it")
    with answerer.answerer(arguments.model, arguments.emulator) as who:
        asking.ask_aloud(who, question, arguments, screen)
