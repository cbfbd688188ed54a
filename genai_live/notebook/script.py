"""The widget's script, with the element's modules in it. Reads files of the package, on the thread that asks."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from genai_live import web

_ELEMENT = Path(web.__file__).parent / "static"
_WIDGET = Path(__file__).parent / "static" / "widget.js"


@functools.cache
def script() -> str:
    """An ES module that needs no other file."""
    modules = {file.name: file.read_text(encoding="utf-8") for file in sorted(_ELEMENT.glob("*.js"))}
    return f"const MODULES = {json.dumps(modules)};\n{_WIDGET.read_text(encoding='utf-8')}"
