"""Imports point one way: the syntax trees of the package are held against the order of its layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "genai_live"

LAYERS: list[set[str]] = [
    {"errors", "_json", "_masking", "_secret", "_version"},
    {"_deadline"},
    {"types"},
    {"_wire"},
    {"audio", "_frames", "_backends", "_usage", "_close_reasons"},
    {"_proxy", "_trust", "_headers", "_http_answer", "_tls_in_tls", "_tcp"},
    {"_opaque", "_options", "_retries", "_tunnel", "_upgrade"},
    {"_model_families"},
    {"_checked", "tools"},
    {"_rest", "_settings"},
    {"auth"},
    {"api_client"},
    {"_contents", "_tool_list"},
    {"_setup", "_inputs", "_music_inputs"},
    {"_protocol", "turn", "callbacks", "_dial", "_transport"},
    {"_inbox", "_dispatch", "_keepalive", "_reader"},
    {"_attempt", "_delivery"},
    {"_connection"},
    {"_opening", "_message_stream"},
    {"_sound_source", "_pacing_thread"},
    {"_streaming"},
    {"session"},
    {"music"},
    {"live", "tokens"},
    {"client"},
    {"__init__"},
    {"emulator"},
    {"testing"},
    {"cli"},
]
"""From the bottom up: a module may import from layers before its own, and from its own package (``types``, ``cli``, ...)."""

RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))

NOT_AT_IMPORT = (
    "asyncio",
    "requests",
    "google.auth",
    "marshmallow",
    "dataclasses_json",
    "websockets",
    "websocket",
    "numpy",
    "soxr",
)
"""What costs users time or threads they did not ask for: imported when used, never with ``import genai_live``."""


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_at_run_time(tree: ast.AST) -> set[str]:
    """Rooms of this package that a module imports, blocks for type checkers left out."""
    rooms: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "genai_live" and not node.level:
            rooms |= {alias.name if alias.name in RANK else "__init__" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genai_live.") and not node.level:
            rooms.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("genai_live.")}
    return rooms


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(file: Path) -> None:
    room = room_of(file)
    upward = {
        imported
        for imported in imports_at_run_time(ast.parse(file.read_text(encoding="utf-8")))
        if imported != room and RANK[imported] >= RANK[room]
    }
    assert not upward, f"{room} is in layer {RANK[room]} and imports {upward}"


def test_every_room_has_a_layer() -> None:
    assert {room_of(file) for file in FILES} == set(RANK)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_begins_by_saying_what_it_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def test_importing_the_package_loads_nothing_that_is_used_later_and_starts_no_thread() -> None:
    script = (
        "import sys, threading, genai_live;"
        f"print([name for name in {NOT_AT_IMPORT!r} if name in sys.modules], threading.active_count())"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[] 1"
