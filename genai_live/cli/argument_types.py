"""What the command line's words mean, as types for argparse, and the error for words that contradict each other. Pure."""

from __future__ import annotations

from pathlib import Path

from genai_live import ApiClient


class MisunderstoodError(Exception):
    """The command line contradicts itself; one sentence that says how."""


def seconds(text: str) -> float:
    """A positive number of seconds, for argparse.

    Raises:
        ValueError: for anything else.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def port(text: str) -> int:
    """A TCP port, 0 included, for argparse.

    Raises:
        ValueError: for anything else.
    """
    value = int(text)
    if not 0 <= value <= 65_535:
        raise ValueError(text)
    return value


def pace(text: str) -> float:
    """A scale of times, 0 included, for argparse.

    Raises:
        ValueError: for anything else.
    """
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def url(text: str) -> str:
    """A base URL of http, https, ws or wss, for argparse.

    Raises:
        ValueError: for anything else.
    """
    ApiClient("any", vertexai=False, http_options={"base_url": text})
    return text


def word(text: str) -> str:
    """A text that is not empty, as that of a variable which a shell does not know is, for argparse.

    Raises:
        ValueError: for an empty one.
    """
    if not text.strip():
        raise ValueError(text)
    return text


def file(text: str) -> Path:
    """The path of a file, for argparse.

    Raises:
        ValueError: for an empty one, which would be the current folder.
    """
    return Path(word(text))


seconds.__name__ = "number of seconds"
port.__name__ = "port number"
pace.__name__ = "scale"
url.__name__ = "URL"
word.__name__ = "text"
file.__name__ = "file name"
# argparse names a type in its errors by this
