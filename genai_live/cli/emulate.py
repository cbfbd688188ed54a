"""``genai-live emulate``: the Live server on this machine, for clients in any language, until Ctrl-C. Runs on the main thread."""

from __future__ import annotations

import argparse
from pathlib import Path

from genai_live.cli import address
from genai_live.cli.argument_types import file, pace
from genai_live.cli.screen import Screen
from genai_live.emulator import LiveEmulator, describe, load_script, serve
from genai_live.emulator.model.conversation import SECOND_QUESTION
from genai_live.emulator.programs import FAILED, HOW_TO_STOP, STOPPED
from genai_live.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    address.add_arguments(parser)
    parser.add_argument("--require-key", action="store_true", help="refuse clients that bring no credential")
    parser.add_argument("--lenient", action="store_true", help="take versions and settings that the service is known to refuse")
    parser.add_argument("--text-frames", action="store_true", help="send JSON in text frames; the service sends binary ones")
    parser.add_argument("--instant", action="store_true", help="do not wait for the assumed playback before the end of a turn")
    parser.add_argument("--pace", type=pace, default=1.0, help="scale of the times it takes, 0 for none; default: %(default)g")
    parser.add_argument(
        "--second-question",
        choices=tuple(SECOND_QUESTION),
        default="interrupts",
        help="what a question does that comes before the answer to the one before it has begun; default: %(default)s",
    )
    parser.add_argument("--no-voice", action="store_true", help="neither recognise speech nor speak, whatever is installed")
    script = parser.add_mutually_exclusive_group()
    script.add_argument(
        "--scenario", type=file, metavar="FILE", help="a JSON file that says what to do, instead of behaving naturally"
    )
    script.add_argument("--replay", type=file, metavar="FILE", help='play a recording that "genai-live record" made')


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    for name in (arguments.scenario, arguments.replay):
        if name is not None:
            _check_readable(name)
    tls = address.tls_choice(arguments)
    with address.told_plainly(arguments):
        emulator = LiveEmulator(
            arguments.port,
            tls,
            host=arguments.host,
            allowed_hosts=arguments.allow_host,
            allowed_origins=arguments.allow_origin,
            pace=arguments.pace,
            playback="instant" if arguments.instant else "assumed",
            second_question=arguments.second_question,
            frames="text" if arguments.text_frames else "binary",
            require_key=arguments.require_key,
            strict=not arguments.lenient,
            scenario=load_script(arguments.scenario) if arguments.scenario else None,
            replay=arguments.replay,
            voice=False if arguments.no_voice else None,
        )
        serve(emulator, lambda line: _tell(line, emulator, screen, as_json=arguments.json))


def _check_readable(path: Path) -> None:
    """Raises ConfigError when a file is not there, or may not be read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def _tell(line: str, emulator: LiveEmulator, screen: Screen, *, as_json: bool) -> None:
    """Where it is, and what fails, is the result; the rest is for people."""
    if line in (HOW_TO_STOP, STOPPED):
        screen.say(line)
    elif not as_json:
        (screen.result if line.startswith(" ") else screen.sentence)(line)  # a command to paste stays in one piece
    elif line.startswith(FAILED):
        screen.json({"failure": line.removeprefix(FAILED)})
    elif line == describe(emulator)[0]:
        screen.json(address.plain(emulator))
