"""Where a worker's time goes, by package: samples of py-spy, which may look into any process of root's. The driver's thread."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
import tempfile
from pathlib import Path

RATE = 100
"""Samples in a second; each stops the process for a moment."""
GROUPS = (
    (r"genai_live/(web|voice)/", "genai_live: page and conversation"),
    (r"genai_live/", "genai_live: session and socket"),
    (r"google/genai/", "google-genai"),
    (r"pydantic", "pydantic"),
    (r"websockets/|uvicorn/|starlette/|fastapi/|httptools", "uvicorn, FastAPI, websockets"),
    (r"gunicorn/|flask/|werkzeug/|jinja2/", "gunicorn, Flask"),
    (r"gevent/", "gevent"),
    (r"json/|base64", "json, base64"),
    (r"selectors\.py|asyncio/|socket\.py|ssl\.py|threading\.py|concurrent/", "loop, sockets, threads of the standard library"),
)
"""By the file of the innermost function in Python; what C does counts for who called it. The system's calls, in which Python's
lock is free, are not among the samples."""
OTHER = "other"
_PY_SPY = Path(sys.executable).with_name("py-spy")


def is_there() -> bool:
    """True where py-spy is installed."""
    return _PY_SPY.exists()


def shares(pid: int, seconds: int) -> dict[str, float]:
    """The part of each group in the samples of a process; empty where nobody may look into it."""
    with tempfile.TemporaryDirectory() as directory:
        samples = Path(directory) / "samples"
        options = ("--rate", str(RATE), "--duration", str(seconds), "--format", "raw", "--output", str(samples))
        command = (str(_PY_SPY), "record", "--gil", "--full-filenames", "--pid", str(pid), *options)
        subprocess.run(command, capture_output=True, check=False, timeout=seconds + 30)
        text = samples.read_text(encoding="utf-8") if samples.exists() else ""
    counts: collections.Counter[str] = collections.Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        innermost = stack.rpartition(";")[2]
        counts[next((name for pattern, name in GROUPS if re.search(pattern, innermost)), OTHER)] += int(count)
    total = sum(counts.values())
    return {name: round(count / total, 3) for name, count in counts.most_common()}
