"""``genai-live talk``: a WAV file in, the spoken answer out; without a file, ``genai-live voice``. Runs on the main thread."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from genai_live.audio import Audio
from genai_live.cli import answerer, asking, voice
from genai_live.cli.argument_types import MisunderstoodError, file
from genai_live.cli.screen import Screen
from genai_live.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "question", nargs="?", type=file, metavar="FILE", help="a WAV file with speech in it; microphone and loudspeaker without"
    )
    parser.add_argument("--in", dest="named", type=file, metavar="FILE", help="the same, for scripts that name everything")
    answerer.add_arguments(parser)
    asking.add_arguments(parser)
    voice.add_own_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    named = arguments.question or arguments.named
    if named is None:
        _refuse(asking.ALONE, arguments, "goes with a WAV file to ask, and none is named")
        voice.run(arguments, screen)
        return
    if arguments.question and arguments.named:
        raise MisunderstoodError("name one WAV file with speech in it")
    _refuse(voice.ALONE, arguments, "is for microphone and loudspeaker, and a WAV file is named")
    question = Audio.load(named)
    if not question:
        raise ConfigError(f"{str(named)!r} has no sound in it")
    with answerer.answerer(arguments.model, arguments.emulator) as who:
        asking.ask_aloud(who, question, arguments, screen)


def _refuse(options: Mapping[str, object], arguments: argparse.Namespace, why: str) -> None:
    """Raises MisunderstoodError for an option, of these names and defaults, that would do nothing."""
    for name, default in options.items():
        if getattr(arguments, name) != default:
            raise MisunderstoodError(f"--{name.replace('_', '-')} {why}")
