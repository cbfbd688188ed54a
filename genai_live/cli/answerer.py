"""Who answers a command: Google's service, or the emulator on this machine. Runs on the main thread."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from genai_live._backends import MLDEV, VERTEX
from genai_live._settings import EMULATOR_VARIABLE, KEY_VARIABLES, wants_vertex
from genai_live.client import Client
from genai_live.emulator import LiveEmulator
from genai_live.errors import ConfigError

EXAMPLE_MODEL = "gemini-3.8-live"
"""The model that is named where a user has to be told one."""

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every command that talks to a model."""
    parser.add_argument(
        "--model",
        default=os.environ.get(MODEL_VARIABLE) or None,
        help=f"the model to talk to, such as {EXAMPLE_MODEL}; default: ${MODEL_VARIABLE}",
    )
    parser.add_argument("--emulator", action="store_true", help="talk to an emulator on this machine: no key, no network")


def has_settings(environment: Mapping[str, str]) -> bool:
    """True when the environment says how to reach the service: a key, an address of one's own, or Vertex AI."""
    addresses = (MLDEV.base_url_variable, VERTEX.base_url_variable)
    return any(environment.get(name) for name in (*KEY_VARIABLES, *addresses)) or wants_vertex(None, environment)


def why_emulator(model: str | None, asked: bool, environment: Mapping[str, str]) -> str | None:
    """Why the embedded emulator answers, in one sentence that says how to reach the service; None when the service does."""
    if asked:
        return "The emulator on this machine answers, as --emulator asks."
    if environment.get(EMULATOR_VARIABLE):
        return None
    if not has_settings(environment):
        return (
            "No GEMINI_API_KEY is set, so the emulator on this machine answers;"
            f" for Google's service set it and add --model {model or EXAMPLE_MODEL}."
        )
    if model is None:
        return f"No model is given, so the emulator on this machine answers; for Google's service add --model {EXAMPLE_MODEL}."
    return None


@contextmanager
def answerer(model: str | None, asked_for_emulator: bool, *, emulator_if_needed: bool = False) -> Iterator[Answerer]:
    """Whoever answers, for as long as the context lasts; starts an embedded emulator when it is asked for, or needed.

    Raises ConfigError when the service is asked for without a key or other settings, or the emulator's extra is not installed.
    """
    why = why_emulator(model, asked_for_emulator, os.environ) if asked_for_emulator or emulator_if_needed else None
    if why is None:
        yield _service(model)
        return
    with LiveEmulator(playback="instant") as emulator:
        client = Client("emulator", vertexai=False, http_options={"base_url": emulator.url})
        yield Answerer(client, model or EMULATED_MODEL, why)


def _service(model: str | None) -> Answerer:
    host = os.environ.get(EMULATOR_VARIABLE)
    if host:
        return Answerer(Client(), model or EMULATED_MODEL, f"The emulator at {host} answers, as {EMULATOR_VARIABLE} says.")
    if not has_settings(os.environ):
        raise ConfigError(f"there is no API key: set GEMINI_API_KEY (keys are made at {KEY_PAGE}), or add --emulator")
    client = Client()
    name = model or EXAMPLE_MODEL
    return Answerer(client, name, f"{name} answers.")
