"""Who answers a command: Google's service, or the emulator on this machine. Runs on the main thread."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from genai_live import Client
from genai_live.cli.argument_types import word
from genai_live.emulator import HOST_VARIABLE, LiveEmulator
from genai_live.errors import ConfigError, ErrorKind

EXAMPLE_MODEL = "gemini-3.8-live"
"""The model that is named where a user needs an example."""

EMULATED_MODEL = "emulator"
"""The model of the emulator that answers without the habits of any family."""

MODEL_VARIABLE = "GENAI_LIVE_MODEL"
"""What ``--model`` is when it is not given."""

KEY_PAGE = "https://aistudio.google.com/apikey"


@dataclass(frozen=True)
class Answerer:
    """A client, the model to ask for, and a sentence that says who that is."""

    client: Client
    model: str
    sentence: str


def add_arguments(parser: argparse.ArgumentParser, otherwise: str = EXAMPLE_MODEL) -> None:
    """The options of every command that talks to a model."""
    parser.add_argument(
        "--model",
        type=word,
        default=os.environ.get(MODEL_VARIABLE) or None,
        help=f"the model to talk to, such as {EXAMPLE_MODEL}; default: ${MODEL_VARIABLE}, else {otherwise}",
    )
    parser.add_argument("--emulator", action="store_true", help="talk to an emulator on this machine: no key, no network")


def client_of_the_environment() -> Client | None:
    """The client that the environment describes; None when it says nothing of how to reach the service.

    Raises:
        ConfigError: for what the environment says and cannot mean.
    """
    try:
        return Client()
    except ConfigError as error:
        if error.kind is not ErrorKind.AUTH:
            raise
        return None


def why_emulator(model: str | None, asked: bool) -> str | None:
    """Why the embedded emulator answers, in one sentence that says how to reach the service; None when the service does."""
    if asked:
        return "The emulator on this machine answers, as --emulator asks."
    if os.environ.get(HOST_VARIABLE):
        return None
    if model is not None:
        return None  # whoever names a model means Google's
    if client_of_the_environment() is None:
        return (
            "No GEMINI_API_KEY is set, so the emulator on this machine answers;"
            f" for Google's service set it and add --model {EXAMPLE_MODEL}."
        )
    return f"No model is given, so the emulator on this machine answers; for Google's service add --model {EXAMPLE_MODEL}."


@contextmanager
def answerer(
    model: str | None,
    asked_for_emulator: bool,
    *,
    emulator_if_needed: bool = False,
    playback: Literal["assumed", "instant"] = "instant",
) -> Iterator[Answerer]:
    """Whoever answers, for as long as the context lasts; starts an embedded emulator when it is asked for, or needed.

    ``playback`` is the emulator's: where the answer is heard, and spoken over, it must be assumed to be.

    Raises:
        ConfigError: when the service is asked for without a key or other settings, or the emulator's extra is not installed.
    """
    why = why_emulator(model, asked_for_emulator) if asked_for_emulator or emulator_if_needed else None
    if why is None:
        yield _service(model)
        return
    with LiveEmulator(playback=playback) as emulator:
        client = Client("emulator", vertexai=False, http_options={"base_url": emulator.url})
        yield Answerer(client, model or EMULATED_MODEL, why)


def _service(model: str | None) -> Answerer:
    client = client_of_the_environment()
    if client is None:
        raise ConfigError(f"there is no API key: set GEMINI_API_KEY (keys are made at {KEY_PAGE}), or add --emulator")
    host = os.environ.get(HOST_VARIABLE)
    if host:
        return Answerer(client, model or EMULATED_MODEL, f"The emulator at {host} answers, as {HOST_VARIABLE} says.")
    name = model or EXAMPLE_MODEL
    return Answerer(client, name, f"{name} answers.")
