"""Imports point one way: the syntax trees of the package are held against the order of its layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "genai_live"

LAYERS: list[set[str]] = [
    {"errors", "_json", "_secret", "_version", "_process"},
    {"_arguments"},
    {"_deadline", "reconnection", "_base64_text"},
    {"types"},
    {"_wire"},
    {"_sound_messages"},
    {"audio", "_backends", "_close_reasons"},
    {"_tracebacks", "_validation", "tools", "families"},
    {"_network.headers", "_network.proxy", "_network.trust", "_network.masking"},
    {"_network.options", "_network.tcp", "_network.tls_in_tls", "_network.frames"},
    {"_network.http_answer"},
    {"_network.tunnel", "_network.socks", "_network.upgrade", "_network.transport"},
    {"_network.route", "_network.google_session"},
    {"_network.dial", "_network.rest"},
    {"_settings"},
    {"auth"},
    {"api_client"},
    {"_client_messages.contents", "_client_messages.tool_list"},
    {"_client_messages.setup", "_client_messages.inputs", "_client_messages.music_inputs"},
    {"turn", "callbacks"},
    {"_connection.keepalive", "_connection.timetable"},
    {"_connection.ending"},
    {"_connection.protocol"},
    {"_connection.reconnecting", "_connection.outbox"},
    {"_connection.inbox", "_connection.dispatch", "_connection.reader", "_connection.pacing_thread"},
    {"_connection.delivery"},
    {"_connection.connection"},
    {"_connection.channel"},
    {"_connection.opening"},
    {"_message_stream"},
    {"_streaming.sound_source"},
    {"_streaming.audio_stream"},
    {"session", "music"},
    {"live", "tokens"},
    {"client"},
    {"__init__"},
    {"emulator.settings", "emulator.request", "emulator.listener", "emulator.certificates"},
    {"emulator.connection"},
    {"emulator.server_thread"},
    {"emulator.validation", "emulator.profiles", "emulator.encoding", "emulator.received"},
    {"emulator.tokens", "emulator.resumption", "emulator.usage", "emulator.recording", "emulator.step_forms"},
    {"emulator.scenario"},
    {"emulator.scenario_file", "emulator.scenario_runs", "emulator.replay", "emulator.recorder"},
    {"emulator.pcm", "emulator.voice_activity"},
    {"emulator.utterances", "emulator.session_options"},
    {"emulator.answers", "emulator.setup_checks"},
    {"emulator.model"},
    {"emulator.voice", "emulator.response_writer", "emulator.server_state"},
    {"emulator.conversation", "emulator.session"},
    {"emulator.live_session", "emulator.music_session", "emulator.scenario_player"},
    {"emulator.scenario_actions", "emulator.control"},
    {"emulator.handshake"},
    {"emulator.server"},
    {"emulator.programs"},
    {"emulator.__init__"},
    {"testing"},
    {"cli"},
]
"""From the bottom up: a module may import from layers before its own. Packages of many jobs are listed file by file; the files of
the others (``types``, ``audio``, ``cli``) may import each other."""

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
    first, *rest = file.relative_to(PACKAGE).with_suffix("").parts
    return f"{first}.{rest[0]}" if rest and first not in RANK else first


def room_named(dotted: str) -> str:
    """The room of ``genai_live.a.b.c``: ``a``, or ``a.b`` where the files of ``a`` are layers of their own."""
    first, *rest = dotted.split(".")[1:]
    return f"{first}.{rest[0]}" if rest and first not in RANK else first


def imports_at_run_time(tree: ast.AST) -> set[str]:
    """Rooms of this package that a module imports, blocks for type checkers left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    return imports_of(tree)


def imports_of(tree: ast.AST) -> set[str]:
    """Rooms of this package that a module imports, for whatever purpose."""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "genai_live" and not node.level:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.startswith("genai_live.")}
    rooms = {room_named(module) for module in modules}
    return {room if room in RANK else "__init__" for room in rooms}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(file: Path) -> None:
    room = room_of(file)
    upward = {
        imported
        for imported in imports_at_run_time(ast.parse(file.read_text(encoding="utf-8")))
        if imported != room and RANK[imported] >= RANK.get(room, 0)
    }
    assert not upward, f"{room} is in layer {RANK[room]} and imports {upward}"


@pytest.mark.parametrize("file", sorted(PACKAGE.glob("emulator/*.py")), ids=lambda file: file.name)
def test_the_emulator_imports_only_from_below_for_type_checkers_too(file: Path) -> None:
    room = room_of(file)
    imported = imports_of(ast.parse(file.read_text(encoding="utf-8"))) - {room}
    assert not {each for each in imported if RANK[each] >= RANK[room]}


def test_every_room_has_a_layer() -> None:
    rooms = {room_of(file) for file in FILES}
    assert {room for room in rooms if room in RANK or not room.endswith(".__init__")} == set(RANK)


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
