"""The order of the house, read off the syntax trees: imports point down, nothing is reached for behind a private name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house import LAYERS, PACKAGE, ROOT

RANK = {room: rank for rank, rooms in enumerate(LAYERS.values()) for room in rooms}

PURE = (
    "_close_reasons", "_settings", "families", "turn",
    "_network.frames", "_network.headers",
    "_connection.protocol", "_connection.ledger", "_connection.questions", "_connection.keepalive", "_connection.timetable",
    "_connection.reconnecting", "_connection.outbox",
)  # fmt: skip
"""Decisions: sockets, threads and clocks are handed to them, or are none of their business."""
EFFECTS = {"socket", "ssl", "select", "selectors", "threading", "time", "queue", "concurrent", "subprocess"}

OUTSIDERS = [*PACKAGE.glob("cli/**/*.py"), PACKAGE / "testing.py", *ROOT.glob("samples/**/*.py")]
"""Programs that could be anybody's: they do with the public API, so whatever they lack, users lack."""

REACHES: dict[str, set[str]] = {
    "web/visitors_thread.py": {
        "client.live._opener",  # a visitor's socket is read by the thread that reads the sessions
    },
    "_starting.py": {"os._exit"},  # public, for all its name
    "web/live_voice.py": {
        "client._api_client",  # what its sessions would refuse is refused before a visitor comes
    },
    "_network/transport.py": {
        "self._send_lock._is_owned",  # after Ctrl-C nothing else tells whether this thread holds it
        "self._call_lock._is_owned",
        "sys._getframe",  # whether a signal handler interrupts a write: nothing else knows what is below on the stack
        "sock._sslobj",  # its write is one step of C, where SSLSocket.send is Python that Ctrl-C may interrupt
    },
    "voice/sound_cards/leaving.py": {
        "sounddevice._exit_handler",
        "self._sounddevice._exit_handler",  # it waits for ever where a sound card hangs
        "self._sounddevice._libname",  # the library that must not be unloaded while a thread runs in it
    },
}
"""Private names of other modules that are used all the same, each for a reason that is given there."""

WALKED = ("_connection", "_network")
"""Packages with a map in their docstring that follows the way of a message, or of a connection."""
STACKED = (
    "_client_messages", "_streaming", "audio", "tools", "voice", "voice.sound_cards", "web", "notebook",
    "emulator", "emulator.server", "emulator.model", "emulator.session", "emulator.script",
)  # fmt: skip
"""Packages whose maps are the order of their imports, from the bottom up."""

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


def module_of(file: Path) -> str:
    """``a.b`` for genai_live/a/b.py, ``a`` for genai_live/a/__init__.py, ``__init__`` for the package's own."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}
EVERY_MODULE = pytest.mark.parametrize("module", MODULES)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported_from(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a file imports, for whatever purpose and however it is spelled; the name may be empty."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            for alias in node.names:
                yield ".".join([*above, *filter(None, [node.module])]), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


@cache
def imports_of(module: str) -> set[str]:
    """Modules of this package that a module imports, for type checkers too."""
    found: set[str] = set()
    for dotted, name in imported_from(MODULES[module]):
        first, _, rest = dotted.partition(".")
        if first == "genai_live":
            longer = f"{rest}.{name}".strip(".")
            found.add(longer if longer in MODULES else rest or "__init__")
    return found - {module}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in ("_replace", "_asdict", "_fields")  # NamedTuple's


# Imports


@EVERY_MODULE
def test_a_module_imports_only_from_its_own_layer_and_below(module: str) -> None:
    upward = {each for each in imports_of(module) if RANK[room_of(each)] > RANK[room_of(module)]}
    assert not upward


def test_no_import_closes_a_circle_not_even_for_type_checkers() -> None:
    try:
        TopologicalSorter({module: imports_of(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_relative_import_is_seen_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "genai_live" / "audio" / "pcm.py"
    inner.parent.mkdir(parents=True)
    inner.write_text("if TYPE_CHECKING:\n    from ..session import Session\nfrom . import wav\nfrom .recording import Audio\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert list(imported_from(inner)) == [
        ("genai_live.audio", "wav"),
        ("genai_live.audio.recording", "Audio"),
        ("genai_live.session", "Session"),
    ]


def test_every_room_has_one_layer() -> None:
    assert sorted(room for rooms in LAYERS.values() for room in rooms) == sorted({room_of(module) for module in MODULES})


@pytest.mark.parametrize("module", PURE)
def test_a_decision_knows_no_socket_no_thread_and_no_clock(module: str) -> None:
    assert not {dotted.partition(".")[0] for dotted, _ in imported_from(MODULES[module])} & EFFECTS


def test_importing_the_package_loads_nothing_that_is_used_later_and_starts_no_thread() -> None:
    script = (
        "import sys, threading, genai_live;"
        f"print([name for name in {NOT_AT_IMPORT!r} if name in sys.modules], threading.active_count())"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[] 1"


def test_whoever_only_connects_loads_nothing_of_what_runs_tools() -> None:
    script = (
        "import sys; from genai_live import Client; from genai_live.emulator import LiveEmulator\n"
        "with LiveEmulator(voice=False) as emulator:\n"
        "    client = Client(api_key='k', http_options={'base_url': emulator.url})\n"
        "    with client.live.connect(model='emulator', config={'response_modalities': ['TEXT']}) as session:\n"
        "        session.ask('Hello')\n"
        "    print([name for name in sys.modules if name.startswith('genai_live.tools')])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


# Private names


def reaches_of(file: Path) -> set[str]:
    """``x._y`` where x is neither this object nor its base, and no class of the same file makes ``_y``."""
    own = own_names(file)
    found = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Attribute) and private(node.attr)]
    others = [node for node in found if node.attr not in own and ast.unparse(node.value) not in ("self", "cls", "super()")]
    return {ast.unparse(node) for node in others}


def own_names(file: Path) -> set[str]:
    """Private names of the file's own classes; a Protocol makes none, it says what others must have."""
    names: set[str] = set()
    for made in ast.walk(tree_of(file)):
        if isinstance(made, ast.ClassDef) and not any("Protocol" in ast.unparse(base) for base in made.bases):
            for node in ast.walk(made):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    names.add(node.name)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
                    names.add(node.attr)
    return names


@EVERY_MODULE
def test_no_module_uses_a_private_name_of_another(module: str) -> None:
    file = MODULES[module]
    allowed = REACHES.get(file.relative_to(PACKAGE).as_posix(), set())
    assert reaches_of(file) == allowed, "an exception belongs into REACHES, with its reason; one that is gone does not"
    names = {f"{dotted}.{name}" for dotted, name in imported_from(file) if private(name)}
    assert not {name for name in names if name.removeprefix("genai_live.") not in MODULES}


@pytest.mark.parametrize("file", OUTSIDERS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_program_uses_the_public_api_alone(file: Path) -> None:
    steps = {step for dotted, name in imported_from(file) for step in (*dotted.split("."), name)}
    assert not {step for step in steps if private(step)}
    assert not reaches_of(file)


# Docstrings


@EVERY_MODULE
def test_a_module_begins_by_saying_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree_of(MODULES[module]))


@EVERY_MODULE
def test_what_a_function_raises_stands_in_a_block_of_its_docstring(module: str) -> None:
    """One form: a line under ``Raises:``. A function whose act it is to raise says so in its first sentence."""
    functions = (node for node in ast.walk(tree_of(MODULES[module])) if isinstance(node, ast.FunctionDef))
    said = {node.name: (ast.get_docstring(node) or "").partition("Raises:")[0] for node in functions}
    assert not {name for name, text in said.items() if re.search(r"\b[Rr]aises [A-Z]\w*[a-z]", text.removeprefix("Raises "))}


def map_of(package: str) -> list[list[str]]:
    """The files that a package's docstring names, line by line: in the first column of a table, or in double backticks."""
    text = ast.get_docstring(tree_of(MODULES[package])) or ""
    rows = [line.partition("  ")[0].split(", ") for line in text.partition("\n====")[2].splitlines()[1:-1]]
    return rows or [re.findall(r"``(\w+)``", line) for line in text.splitlines()]


@pytest.mark.parametrize("package", [*WALKED, *STACKED])
def test_every_file_and_room_of_a_package_stands_in_its_map(package: str) -> None:
    named = {name for row in map_of(package) for name in row}
    assert named >= {
        module.removeprefix(f"{package}.").partition(".")[0] for module in MODULES if module.startswith(f"{package}.")
    }


@pytest.mark.parametrize("package", STACKED)
def test_a_map_from_the_bottom_up_is_the_order_of_imports(package: str) -> None:
    """A room stands for all of its files."""
    rank = {f"{package}.{name}": number for number, row in enumerate(map_of(package)) for name in row}
    place = {module: rank[each] for module in MODULES for each in rank if module == each or module.startswith(f"{each}.")}
    upward = {(each, other) for each in place for other in imports_of(each) & set(place) if place[other] > place[each]}
    assert not upward
