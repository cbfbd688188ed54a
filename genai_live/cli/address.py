"""Where a command listens: the options that ``emulate`` and ``record`` share. Runs on the main thread."""

from __future__ import annotations

import argparse
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from genai_live.cli.argument_types import MisunderstoodError, file, port, word
from genai_live.cli.screen import Screen
from genai_live.emulator import LiveEmulator, Recorder
from genai_live.emulator.programs import HOW_TO_STOP
from genai_live.emulator.server.certificates import TlsChoice
from genai_live.errors import ConfigError

DEFAULT_PORT = 8765
"""A fixed port, so that clients are set once; the one that WebSocket examples commonly use."""

_WAKE_SECONDS = 0.5
"""A wait without end cannot be interrupted by Ctrl-C on Windows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--port", type=port, default=DEFAULT_PORT, help="TCP port, 0 for a free one; default: %(default)s")
    parser.add_argument(
        "--host", type=word, default="127.0.0.1", help="address to listen on; default: %(default)s, this machine only"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name by which clients may reach it; repeatable"
    )
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="an origin whose web pages may use it; repeatable"
    )
    parser.add_argument("--tls", action="store_true", help="serve wss, with a certificate made for this run")
    parser.add_argument("--cert", type=file, metavar="FILE", help="serve wss with this certificate (PEM); needs --key")
    parser.add_argument("--key", type=file, metavar="FILE", help="the certificate's private key (PEM)")


def tls_choice(arguments: argparse.Namespace) -> TlsChoice:
    """What the options say about TLS.

    Raises:
        MisunderstoodError: for a contradiction, ConfigError for a missing file.
    """
    if bool(arguments.cert) != bool(arguments.key):
        raise MisunderstoodError("--cert and --key go together: a certificate and its private key")
    if not arguments.cert:
        return bool(arguments.tls)
    for name in (arguments.cert, arguments.key):
        if not name.is_file():
            raise ConfigError(f"{str(name)!r} is not a file; --cert and --key name PEM files")
    return str(arguments.cert), str(arguments.key)


def plain(server: LiveEmulator | Recorder) -> dict[str, str]:
    """Where a server is, for programs; with TLS also which file its clients must trust."""
    return {"url": server.url, "host": server.host, **({"ca_path": server.ca_path} if server.ca_path else {})}


@contextmanager
def told_plainly(arguments: argparse.Namespace) -> Iterator[None]:
    """Turns what the system says about a port or a certificate into a ConfigError of one sentence."""
    try:
        yield
    except ssl.SSLError as error:
        raise ConfigError(f"the certificate and its key cannot be used: {error.reason or error}") from error
    except OSError as error:
        if error.filename is not None:
            raise  # a file, and no port
        words = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        if words.startswith("Unknown error"):  # Windows: its C library knows no number of a socket
            words = error.strerror or str(error)
        raise ConfigError(f"cannot listen on {arguments.host} port {arguments.port}: {words}") from error


def wait_for_ctrl_c(screen: Screen) -> None:
    """Says how to end it, and blocks until Ctrl-C, which does so quietly."""
    never = threading.Event()
    try:
        screen.say(HOW_TO_STOP)
        while not never.wait(_WAKE_SECONDS):
            pass
    except KeyboardInterrupt:
        return
