"""How the model is to be: the options that become a session's config. Runs on the main thread."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genai_live.cli.argument_types import file, word
from genai_live.errors import ConfigError
from genai_live.types import LiveConnectConfig, PrebuiltVoiceConfig, SpeechConfig, VoiceConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every command that opens a session."""
    parser.add_argument("--voice", type=word, metavar="NAME", help="the voice that the model speaks with, such as Kore")
    parser.add_argument(
        "--language",
        type=word,
        metavar="CODE",
        help="the language that it speaks, such as de-DE; some models choose by themselves",
    )
    parser.add_argument("--system", type=word, metavar="TEXT", help="how it is to behave: the system instruction")
    help_text = "a JSON file with a session's config, as connect(config=...) takes it; the options above go before it"
    parser.add_argument("--config", type=file, metavar="FILE", help=help_text)


def config(arguments: argparse.Namespace, base: Mapping[str, Any]) -> LiveConnectConfig:
    """What the command needs, what the file says instead, and what the options say instead of both.

    Raises:
        ConfigError: the file cannot be read, or is not a JSON object.
    """
    chosen = LiveConnectConfig.from_dict(dict(base))
    if arguments.config is not None:
        chosen = _replaced(chosen, _read(arguments.config))
    if arguments.system is not None:
        chosen = dataclasses.replace(chosen, system_instruction=arguments.system)
    if arguments.voice is not None or arguments.language is not None:
        chosen = dataclasses.replace(chosen, speech_config=_speech(chosen.speech_config, arguments.voice, arguments.language))
    return chosen


def _read(path: Path) -> LiveConnectConfig:
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors put a mark before it
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{str(path)!r} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ConfigError(f'{str(path)!r} must hold a JSON object, such as {{"temperature": 0.7}}')
    try:
        return LiveConnectConfig.from_dict(given)
    except ConfigError as error:
        raise ConfigError(str(error), str(path)) from error


def _replaced(chosen: LiveConnectConfig, by: LiveConnectConfig) -> LiveConnectConfig:
    names = (field.name for field in dataclasses.fields(by))
    return dataclasses.replace(chosen, **{name: getattr(by, name) for name in names if getattr(by, name) not in (None, {})})


def _speech(speech: Any, voice: str | None, language: str | None) -> SpeechConfig:
    chosen = speech if isinstance(speech, SpeechConfig) else SpeechConfig()
    if voice is not None:
        chosen = dataclasses.replace(
            chosen, voice_config=VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=voice))
        )
    return chosen if language is None else dataclasses.replace(chosen, language_code=language)
