"""``genai-live models``: the models that talk live, as the service lists them. Runs on the main thread."""

from __future__ import annotations

import argparse

from genai_live.cli import answerer
from genai_live.cli.screen import Screen
from genai_live.live_models import LiveModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--emulator", action="store_true", help="those of an emulator on this machine: no key, no network")


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    with answerer.answerer(None, arguments.emulator) as who:
        models = who.client.live.models()
    if arguments.json:
        screen.json([_plain(model) for model in models])
        return
    screen.say(f"{len(models)} models talk live; --model takes any of these names.")
    width = max((len(model.name) for model in models), default=0)
    for model in models:
        screen.result(f"{model.name:<{width}}  {model.family.name}")


def _plain(model: LiveModel) -> dict[str, object]:
    return {
        "name": model.name,
        "display_name": model.display_name,
        "description": model.description,
        "input_token_limit": model.input_token_limit,
        "output_token_limit": model.output_token_limit,
        "family": model.family.name,
    }
