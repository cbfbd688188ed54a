"""How an extra of this package is installed, for the error of a program that lacks it. Runs on any thread, for that error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "genai-live"


def installing(extra: str) -> str:
    """The command that installs an extra: from the folder, file or address that this package came from, else by its name."""
    return f"pip install {_requirement(_record(), extra)}"


def _record() -> Mapping[str, Any] | None:
    """Where the package came from, as its installer has recorded it (PEP 610); None when that was an index.

    A source tree that was never installed is where it stands.
    """
    import json  # here, as below: importing them takes longer than all else that an error needs
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        recorded = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        tree = Path(__file__).parent.parent
        return {"url": tree.as_uri(), "dir_info": {"editable": True}} if (tree / "setup.cfg").is_file() else None
    return None if recorded is None else json.loads(recorded)


def _requirement(record: Mapping[str, Any] | None, extra: str) -> str:
    """The words that pip is to be given."""
    if record is None:
        return f'"{NAME}[{extra}]"'
    url = re.sub(r"//(?!git@)[^/@]*@", "//", record["url"])  # an installer may have kept a password that it should not
    if url.startswith("file:"):
        editable = "-e " if record.get("dir_info", {}).get("editable") else ""
        return f'{editable}"{_path_of(url)}[{extra}]"'
    source = record.get("vcs_info")
    if source is None:
        return f'"{NAME}[{extra}] @ {url}"'
    revision = source.get("requested_revision")
    return f'"{NAME}[{extra}] @ {source["vcs"]}+{url}{f"@{revision}" if revision else ""}"'


def _path_of(url: str) -> str:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)
