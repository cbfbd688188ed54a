"""Files that a command writes: their names, refused before the work that would be lost. Runs on the main thread."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from genai_live.errors import ConfigError


def free_name(path: Path) -> Path:
    """The path itself, or with the first number behind its stem where no file is: answer.wav, answer-2.wav, answer-3.wav."""
    return next(name for name in _names(path) if not os.path.lexists(name))


def _names(path: Path) -> Iterator[Path]:
    return itertools.chain([path], (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2)))


def check_writable(path: Path, *, force: bool = False) -> None:
    """Raises ConfigError when a file cannot be written there, before the work that would be lost; or is there, without force."""
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a directory; name a file to write")
    if path.is_file() and not force:  # /dev/null, pipes and terminals lose nothing
        raise ConfigError(f"{str(path)!r} is there already; name another file, or replace it with --force")
    if not path.parent.is_dir():
        raise ConfigError(f"{str(path)!r} cannot be written: there is no directory {str(path.parent)!r}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{str(path)!r} cannot be written: permission denied")


def save(content: bytes, path: Path, *, force: bool = False) -> Path:
    """Writes a file once the work is done; returns its path: the next free one where another program has taken it meanwhile.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with _created(path, force=force) as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
    return Path(file.name).resolve()


def _created(path: Path, *, force: bool) -> BinaryIO:
    if force or (path.exists() and not path.is_file()):
        return path.open("wb")
    names = _names(Path(os.path.realpath(path)))  # through a link to where nothing is yet
    while True:
        try:
            return next(names).open("xb")
        except FileExistsError:
            continue
