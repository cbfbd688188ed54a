"""Writes what was measured: the records as JSON, and the tables between the marks of docs/performance.md. The driver's thread."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.records import Record

_PACKAGES = ("genai-live", "google-genai", "websockets", "websocket-client", "orjson", "pybase64", "pydantic")
OF_WEB_SERVERS = ("genai-live", "google-genai", "fastapi", "uvicorn", "uvloop", "flask", "gunicorn", "gevent")


def machine(packages: Sequence[str] = _PACKAGES) -> dict[str, Any]:
    """What the figures were measured on."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "when": time.strftime("%Y-%m-%d %H:%M %Z"),
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "node": _output("node", "--version"),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "load_before": os.getloadavg()[0],
        "packages": {name: metadata.version(name) for name in packages if _installed(name)},
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def write_json(path: Path, about: dict[str, Any], records: Sequence[Record]) -> None:
    """Everything that was measured, one record a line."""
    lines = ",\n".join(json.dumps(record) for record in records)
    path.write_text(f'{{"machine": {json.dumps(about)},\n"records": [\n{lines}\n]}}\n', encoding="utf-8")


def read(path: Path, about: dict[str, Any]) -> tuple[dict[str, Any], list[Record]]:
    """What an earlier run wrote there: its machine, else this one, and its records."""
    if not path.exists():
        return about, []
    written = json.loads(path.read_text(encoding="utf-8"))
    return written["machine"], written["records"]


def describe(about: dict[str, Any]) -> str:
    """One paragraph about the machine."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return (
        f"{about['when']}, commit {about['commit']}: {about['cores']} cores of {about['processor']}, {about['system']}, "
        f"Python {about['python']}, Node {about['node']}, {packages}; load before the run {about['load_before']:.1f}."
    )


def replace_part(text: str, name: str, part: str) -> str:
    """Puts ``part`` between the marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{part}\n{end}", text, flags=re.DOTALL)
