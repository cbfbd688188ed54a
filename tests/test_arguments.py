"""What an argument is refused with: its name, what it takes, and what came, whatever that is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client, Live, _arguments, types
from genai_live.emulator import LiveEmulator, load_script
from genai_live.errors import ConfigError
from tests.raw_peer import opened
from tests.servers import MODEL, client_of

HUGE = 10**400
"""Larger than every float."""
NO_UTF8 = "half \ud800"


class Unspeakable:
    """Of which not even the repr can be had."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-1, "-1"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (HUGE, "an int of more"),
        ("secret", "str"),
        (True, "bool"),
        (None, "None"),
    ],
)
def test_a_number_is_shown_and_everything_else_by_its_type(value: Any, words: str) -> None:
    assert _arguments.came(value).startswith(words)


NOT_A_NUMBER = [None, "1", b"1", True, [], float("nan"), -HUGE, HUGE, Unspeakable()]
CHECKS: dict[str, tuple[Callable[[Any, str], object], list[Any], list[Any]]] = {
    "above 0": (_arguments.number_above_0, [1, 0.5, float("inf")], [*NOT_A_NUMBER, 0, -1]),
    "from 0": (_arguments.number_from_0, [0, 1, 0.5], [*NOT_A_NUMBER, -1, float("inf")]),
    "whole": (lambda value, name: _arguments.whole_number(value, name, 0, 9), [0, 9], [*NOT_A_NUMBER, 1.0, -1, 10]),
    "flag": (_arguments.flag, [True, False], [None, 0, 1, "True"]),
    "text": (_arguments.text, ["", "x"], [None, b"x", 5]),
    "texts": (lambda value, name: list(_arguments.texts(value, name)), [[], ["a"]], [None, "a", b"a", 5, ["a", 5]]),
    "path": (_arguments.file_path, ["a.wav"], [None, 5, True, [], Unspeakable(), "nul\0", NO_UTF8 + "\ud900"]),
    "bytes": (_arguments.octets, [b"", bytearray(b"x")], [None, "x", 5, [1]]),
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_lets_through_what_it_takes_and_names_the_argument_otherwise(name: str) -> None:
    check, right, wrong = CHECKS[name]
    for value in right:
        assert check(value, "it") == value
    for value in wrong:
        with pytest.raises(ConfigError, match=r"^it: "):
            check(value, "it")


def test_a_path_may_be_an_object_or_bytes() -> None:
    assert _arguments.file_path(Path("a.wav"), "it") == _arguments.file_path(b"a.wav", "it") == "a.wav"


def test_a_limit_larger_than_every_float_is_refused_and_a_timeout_is_no_limit() -> None:
    for name in ("timeout", "ping_interval", "silence_limit", "write_timeout"):
        with pytest.raises(ConfigError, match=f"http_options.{name}: must be a number above 0"):
            client_of("http://127.0.0.1:1", **{name: HUGE})
    with opened() as (session, _):
        session.stream_audio(b"\0\0", realtime=False).wait(HUGE)
        session.receive(HUGE)


@pytest.mark.parametrize("name", ["attempts", "initial_delay", "max_delay", "exp_base", "jitter"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), HUGE, "1", True])
def test_a_pause_before_another_try_is_a_number_that_can_be_waited_for(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"http_options.retry_options.{name}: "):
        Client(api_key="k", http_options={"retry_options": {name: value}})


@pytest.mark.parametrize("timeout", ["1", b"1", [], True, -1, float("nan"), Unspeakable()])
def test_waiting_for_a_stream_takes_seconds(timeout: Any) -> None:
    with opened() as (session, _), pytest.raises(ConfigError, match="timeout: must be seconds"):
        session.stream_audio(b"\0\0", realtime=False).wait(timeout)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"api_client": "client"}, "api_client"),
        ({"auth": "token"}, "auth"),
        ({"websocket_factory": "factory"}, "websocket_factory"),
        ({"shared_reader": 1}, "shared_reader"),
    ],
)
def test_a_live_of_ones_own_is_made_of_the_right_things(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}: must "):
        Live(**{"api_client": Client(api_key="k")._api_client, **arguments})


@pytest.mark.parametrize("name", ["model", "resume", "voice of an enum"])
def test_text_that_utf8_cannot_say_is_refused_before_anything_is_dialled(name: str) -> None:
    arguments: dict[str, Any] = {"model": MODEL, "config": {"media_resolution": NO_UTF8}} if " " in name else {name: NO_UTF8}
    with pytest.raises(ConfigError, match=r"model|resume|media_resolution"):
        client_of("http://127.0.0.1:1").live.connect(**{"model": MODEL, **arguments})


@pytest.mark.parametrize("extra", [None, 5, "x", b"x", [1], {1: 2}, object()])
def test_unknown_fields_given_on_purpose_are_a_dict_of_names(extra: Any) -> None:
    with pytest.raises(ConfigError, match="Part: extra takes a dict"):
        types.Part(extra=extra)


EMULATOR: dict[str, list[Any]] = {
    "port": [None, "80", -1, 65_536, True, HUGE],
    "tls": [None, 5, "yes", (), ("only",), ("a", 5)],
    "host": [None, 5, b"::1", True],
    "pace": [None, "1", -1, float("nan"), float("inf"), HUGE, True],
    "playback": [None, 5, "never", ["assumed"]],
    "second_question": [None, 5, "never", ["waits"]],
    "frames": [None, 5, b"text"],
    "pretty": [None, 1, "yes"],
    "require_key": [None, 1, "yes"],
    "keys": [5, "key", b"key", [1]],
    "models": [5, "model", [None]],
    "hears": [None, 5, "text", [1]],
    "replay": [5, True, 1.5, ["a"], "nul\0"],
    "voice": [1, "yes"],
}


@pytest.mark.parametrize("name", EMULATOR)
def test_a_wrong_argument_of_the_emulator_is_refused_by_name(name: str) -> None:
    for value in EMULATOR[name]:
        with pytest.raises(ConfigError, match=rf"^{name}: "):
            LiveEmulator(**{name: value})


def test_a_number_is_not_taken_for_the_descriptor_of_a_scenario_file() -> None:
    with pytest.raises(ConfigError, match="path: must be the path of a file, not bool"):
        load_script(True)  # type: ignore[arg-type]
