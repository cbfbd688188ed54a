"""``genai-live record``: stands between clients and a service, and writes down what both say. Runs on the main thread."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from genai_live import ApiClient
from genai_live.cli import address
from genai_live.cli.argument_types import file, url
from genai_live.cli.output_files import check_writable
from genai_live.cli.screen import Screen
from genai_live.emulator import Recorder
from genai_live.emulator.programs import STOPPED, how_to_find
from genai_live.errors import ConfigError, ErrorKind

GOOGLE = "https://generativelanguage.googleapis.com"
"""The Gemini Developer API."""

_GOOGLES_HOSTS = ".googleapis.com"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--out", type=file, required=True, metavar="FILE", help="the recording, one JSON object a line")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument("--to", type=url, default=GOOGLE, metavar="URL", help="the service behind it; default: %(default)s")
    parser.add_argument("--without-audio", action="store_true", help="leave sound out; its length stays")
    address.add_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    check_writable(arguments.out, force=arguments.force)
    recorder = Recorder(
        arguments.to,
        arguments.out,
        port=arguments.port,
        headers=credentials(arguments.to),
        without_audio=arguments.without_audio,
        host=arguments.host,
        allowed_hosts=arguments.allow_host,
        allowed_origins=arguments.allow_origin,
        tls=address.tls_choice(arguments),
    )
    with address.told_plainly(arguments):
        recorder.start()
    with recorder:
        if arguments.json:
            screen.json({**address.plain(recorder), "to": shown(arguments.to), "out": str(arguments.out)})
        else:
            screen.sentence(f"Recording what is said through {recorder.url} to {shown(arguments.to)} into {arguments.out}.")
            for line in how_to_find(recorder.url, recorder.ca_path):
                (screen.result if line.startswith(" ") else screen.sentence)(line)
        address.wait_for_ctrl_c(screen)
    screen.say(f"{STOPPED} {recorder.sessions} session{'' if recorder.sessions == 1 else 's'} recorded.")


def credentials(upstream: str) -> dict[str, str]:
    """The environment's key as a header, for clients that bring none; for Google's hosts only, and never without TLS."""
    parts = urlsplit(upstream)
    if parts.scheme not in ("https", "wss") or not (parts.hostname or "").endswith(_GOOGLES_HOSTS):
        return {}
    try:
        key = ApiClient(vertexai=False, http_options={"base_url": upstream}).settings.api_key
    except ConfigError as error:
        if error.kind is not ErrorKind.AUTH:
            raise
        return {}  # the environment has no key
    return {"x-goog-api-key": key.reveal()} if key is not None else {}


def shown(upstream: str) -> str:
    """The URL without user, password and query."""
    parts = urlsplit(upstream)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
