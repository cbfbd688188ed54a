"""The command ``genai-live``: arguments in, exit status out. Runs on the main thread.

Results go to stdout, everything else to stderr. An error is one sentence there, with status 1 when a command failed, 2 when it
was not understood, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

from genai_live import __version__
from genai_live.cli.argument_types import MisunderstoodError
from genai_live.cli.screen import Screen
from genai_live.errors import LiveError

PROGRAM = "genai-live"

FAILED = 1
MISUNDERSTOOD = 2
INTERRUPTED = 130
TERMINATED = 143
"""Exit statuses; the last two are what shells give a program that SIGINT or SIGTERM ended (128 + 2, 128 + 15)."""

COMMANDS = {
    "demo": ("ask a spoken question and save the spoken answer; works without a key", ["demo", "demo --voice Kore --json"]),
    "voice": (
        "talk over microphone and loudspeaker; needs the extra voice",
        [
            "voice --model gemini-3.8-live",
            "voice --emulator --push-to-talk",
            "voice --tool weather:get_weather --record call.wav",
        ],
    ),
    "talk": (
        "ask what is in a WAV file and save the spoken answer; without a file the same as voice",
        ["talk question.wav --model gemini-3.8-live", "talk --emulator"],
    ),
    "chat": ("talk in text, line by line", ['chat --emulator --system "Answer briefly."', "chat --json < questions.txt"]),
    "devices": ("list microphones and loudspeakers", ["devices", "devices --json"]),
    "models": ("list the models that talk live", ["models", "models --json"]),
    "emulate": ("run a Live server on this machine", ["emulate --port 8765"]),
    "record": ("stand between clients and a service, and write down what both say", ["record --out talk.jsonl"]),
}
"""What each command does, and examples of it. Its module has the command's name, and is loaded when it is used: all of them would
take longer than anything else that ``--help`` does."""


def module_of(command: str) -> Any:
    """The module of a command: its ``add_arguments`` and ``run``."""
    return import_module(f"{__name__}.{command}")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(_complain(f"{message}; see {self.prog} --help", MISUNDERSTOOD))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help is a result as any other: argparse would be silent where nobody can read it, as on a full disk."""
        if message:
            (file or sys.stdout).write(message)
            (file or sys.stdout).flush()


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help whose sentences are broken between words, and whose examples stand as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(text, width, indent) if "\n" in text else textwrap.fill(text, width, initial_indent=indent)


def parser(command_line: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The command line's grammar; for one command line only what that can need."""
    named = None if command_line is None else next((each for each in command_line if not each.startswith("-")), "")
    top = _Parser(prog=PROGRAM, description="Talk to Live models from the command line.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    _add_arguments_of_all(top, default=False)
    commands = top.add_subparsers(dest="command", metavar="command")
    for name, (summary, examples) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog="\n  ".join(["for example:", *(f"{PROGRAM} {example}" for example in examples)]),
            formatter_class=_Help,
            allow_abbrev=False,
        )
        if named in (None, name):
            module_of(name).add_arguments(command)
        _add_arguments_of_all(command, default=argparse.SUPPRESS)  # else the command's would hide those that stand before it
    return top


def _add_arguments_of_all(parser: argparse.ArgumentParser, default: object) -> None:
    """The options that may stand before the command, or behind it."""
    parser.add_argument("--json", action="store_true", default=default, help="write results as JSON, one object a line")
    parser.add_argument("--quiet", action="store_true", default=default, help="write results and errors only")
    parser.add_argument("--debug", action="store_true", default=default, help="log what happens, and show tracebacks of errors")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    _make_streams_usable()
    command_line = sys.argv[1:] if argv is None else argv
    grammar = parser(command_line)
    try:
        arguments = grammar.parse_args(command_line)
        if arguments.command is None:
            grammar.print_help()
            return 0
    except OSError as error:
        return _unwritten(error)
    if arguments.debug:
        logging.basicConfig(level=logging.DEBUG, format="%(relativeCreated)7.0f ms %(threadName)s %(name)s: %(message)s")
    screen = Screen(sys.stderr, sys.stdout, quiet=arguments.quiet)
    try:
        with _sigterm_as_ctrl_c():
            module_of(arguments.command).run(arguments, screen)
    except (Exception, KeyboardInterrupt) as error:
        return _ended_by(error, arguments, screen)
    return 0


def _ended_by(error: BaseException, arguments: argparse.Namespace, screen: Screen) -> int:
    """Says what ended a command; returns its exit status."""
    if isinstance(error, Exception) and _nobody_reads(error):
        return _unwritten(error)
    screen.keep()
    if isinstance(error, KeyboardInterrupt):
        words, status = ("terminated", TERMINATED) if isinstance(error, Terminated) else ("interrupted", INTERRUPTED)
        return _complain(words, status)
    if isinstance(error, MisunderstoodError):
        return _complain(f"{error}; see {PROGRAM} {arguments.command} --help", MISUNDERSTOOD)
    if arguments.debug or not isinstance(error, Exception):
        raise error
    return _complain(sentence(error), FAILED)


def _unwritten(error: Exception) -> int:
    """Says why a result could not be written; returns the exit status."""
    # As in "genai-live ... | head": nothing to say, and nothing to flush at exit either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED if _nobody_reads(error) else _complain(sentence(error), FAILED)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whatever ends cleanly after Ctrl-C ends so."""


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """For the main thread; on others signals are not this program's to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_streams_usable() -> None:
    """Lets a stream that the caller closed read as empty and drop what is written, and the others take any text.

    A transcript may hold what the terminal's encoding does not, and what is typed or piped may be no text in it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for as long as the process lasts)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _nobody_reads(error: Exception) -> bool:
    """True where the reader of our output has gone: EPIPE, or on Windows EINVAL, which names no file."""
    if not isinstance(error, OSError) or isinstance(error, LiveError):
        return False
    return isinstance(error, BrokenPipeError) or (error.errno == errno.EINVAL and error.filename is None)


def sentence(error: Exception) -> str:
    """What happened and what to do, on one line."""
    if not isinstance(error, (LiveError, OSError)):
        return f"this should not have happened ({type(error).__name__}: {error}); --debug shows where"
    if isinstance(error, OSError) and not isinstance(error, LiveError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    advice = error.advice if isinstance(error, LiveError) and error.advice not in str(error) else ""
    return " ".join(f"{error}{'; ' if advice else ''}{advice}".split())


def _complain(words: str, status: int) -> int:
    Screen(sys.stderr, sys.stdout).say(f"{PROGRAM}: {words}")
    return status
