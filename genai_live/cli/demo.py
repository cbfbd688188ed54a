"""``genai-live demo``: asks the bundled question aloud and saves the spoken answer; needs no key. Runs on the main thread."""

from __future__ import annotations

import argparse
from pathlib import Path

from genai_live.audio import Audio
from genai_live.cli import answerer, asking
from genai_live.cli.screen import Screen

QUESTION = Path(__file__).with_name("data") / "question.wav"
"""Synthesized speech, 4.6 s of 16 kHz mono; data/make_question.sh makes it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    answerer.add_arguments(parser, otherwise="the emulator on this machine")
    asking.add_arguments(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    question = Audio.load(QUESTION)
    with answerer.answerer(arguments.model, arguments.emulator, emulator_if_needed=True) as who:
        asking.ask_aloud(who, question, arguments, screen)
