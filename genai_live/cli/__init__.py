"""The command ``genai-live``: arguments in, exit status out. Runs on the main thread.

An error is one sentence on stderr, with status 1 when a command failed, 2 when it was not understood, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from genai_live import __version__
from genai_live.cli import chat, demo, emulate, record, talk
from genai_live.cli.screen import Screen
from genai_live.cli.usage import MisunderstoodError
from genai_live.errors import LiveError

PROGRAM = "genai-live"

FAILED = 1
MISUNDERSTOOD = 2
INTERRUPTED = 130
"""Exit statuses; 130 is what shells give a program that SIGINT ended (128 + 2)."""

_COMMANDS = {
    "demo": (demo, "ask a spoken question and save the spoken answer; works without a key"),
    "talk": (talk, "ask what is in a WAV file and save the spoken answer"),
    "chat": (chat, "talk in text, line by line"),
    "emulate": (emulate, "run a Live server on this machine"),
    "record": (record, "stand between clients and a service, and write down what both say"),
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUNDERSTOOD, f"{PROGRAM}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = _Parser(prog=PROGRAM, description="Talk to Live models from the command line.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    top.add_argument("--debug", action="store_true", help="log what happens, and show the traceback of an error")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    for name, (module, summary) in _COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=summary, description=summary.capitalize() + ".", allow_abbrev=False))
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    _make_streams_usable()
    arguments = parser().parse_args(argv)
    if arguments.debug:
        logging.basicConfig(level=logging.DEBUG, format="%(relativeCreated)7.0f ms %(threadName)s %(name)s: %(message)s")
    screen = Screen(sys.stdout)
    try:
        _COMMANDS[arguments.command][0].run(arguments, screen)
    except KeyboardInterrupt:
        screen.keep()
        return _complain("interrupted", INTERRUPTED)
    except MisunderstoodError as error:
        return _complain(f"{error}; see {PROGRAM} {arguments.command} --help", MISUNDERSTOOD)
    except Exception as error:
        if _nobody_reads(error):
            # As in "genai-live ... | head": nothing to say, and nothing to flush at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        if arguments.debug:
            raise
        screen.keep()
        return _complain(sentence(error), FAILED)
    return 0


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
        return f"this should not have happened ({type(error).__name__}: {error}); --debug before the command shows where"
    if isinstance(error, OSError) and not isinstance(error, LiveError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    advice = error.advice if isinstance(error, LiveError) and error.advice not in str(error) else ""
    return " ".join(f"{error}{'; ' if advice else ''}{advice}".split())


def _complain(words: str, status: int) -> int:
    print(f"{PROGRAM}: {words}", file=sys.stderr, flush=True)
    return status
