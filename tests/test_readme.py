"""What the documents say is true: their snippets run, their commands and files exist, their links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from genai_live import cli, errors
from genai_live.emulator import LiveEmulator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MIGRATING = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")

WITHIN = 120.0
"""Seconds for one snippet on a machine that may be busy."""


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


SNIPPETS = blocks(README, "python")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TOLD_ELSEWHERE = {"migrating.md", "emulator.md", "web.md", "deployment.md"}
"""Pages whose examples build on each other: below, tests/test_emulator_guide.py, tests/test_flask_voice.py."""
EXAMPLES = {
    f"{page.name} {number}": block
    for page in PAGES
    if page.name not in TOLD_ELSEWHERE
    for number, block in enumerate(blocks(page.read_text(encoding="utf-8"), "python"), 1)
}


@contextmanager
def beginning() -> Iterator[tuple[Path, LiveEmulator]]:
    """An empty directory, and an emulator."""
    with TemporaryDirectory() as directory, LiveEmulator(pace=0.0, voice=False) as emulator:
        yield Path(directory), emulator


def run(script: str, emulator: LiveEmulator | None, directory: Path, settings: dict[str, str] | None = None) -> str:
    """Runs a script in a process of its own and returns what it printed; warnings are errors in ours."""
    host = {"GENAI_LIVE_EMULATOR_HOST": emulator.host} if emulator else {}
    done = subprocess.run(
        [sys.executable, "-W", "error" if emulator else "ignore", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **host, **(settings or {})},
        cwd=directory,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# README.md


@pytest.mark.waits
@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_of_the_readme_runs_as_it_is(snippet: str) -> None:
    with beginning() as (directory, emulator):
        (directory / "question.wav").write_bytes((ROOT / "genai_live/cli/data/question.wav").read_bytes())
        assert run(snippet, emulator, directory) != ""


@pytest.mark.waits
@pytest.mark.parametrize("snippet", EXAMPLES.values(), ids=EXAMPLES)
def test_every_example_of_the_documentation_runs_as_it_is(snippet: str) -> None:
    with beginning() as (directory, emulator):
        (directory / "question.wav").write_bytes((ROOT / "genai_live/cli/data/question.wav").read_bytes())
        assert run(snippet, emulator, directory) != ""


@pytest.mark.waits
def test_the_quickstart_has_eight_lines_and_saves_the_models_voice() -> None:
    assert len([line for line in SNIPPETS[0].splitlines() if line]) == 8
    with beginning() as (directory, emulator):
        assert "You said: Hello! What can you do?" in run(SNIPPETS[0], emulator, directory)
        assert (directory / "hello.wav").exists()


def test_the_readme_begins_with_the_lines_that_ci_runs() -> None:
    """.ci/run takes the first two shell lines from here, so that they cannot differ from what it checks."""
    shell = blocks(README, "sh")
    assert shell[0].strip().endswith(".venv/bin/genai-live demo")
    assert shell[1].strip().endswith(".venv/bin/python -m tests")
    assert all(block.count("\n") == 1 for block in shell), "one pasteable line each"


def test_every_command_of_the_page_on_the_command_line_is_one_of_it_and_the_other_way_round() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `genai-live (\w+)", page, re.MULTILINE)) == set(cli.COMMANDS)


def test_every_file_of_the_readmes_map_exists() -> None:
    rows = re.findall(r"^\| (`genai_live/.*?) \|", README, re.MULTILINE)
    assert rows
    for row in rows:
        for name in re.findall(r"`(.*?)`", row):
            path = ROOT / name if name.startswith("genai_live/") else ROOT / "genai_live" / name
            assert path.exists(), name


def test_every_file_and_session_that_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = {name for name in re.findall(r"`([\w/.]+\.(?:py|json|toml|cfg|md|txt))`", text) if "/" in name}
    assert len(files) > 10
    assert not {name for name in files if not ((ROOT / name).exists() or (ROOT / "genai_live" / name).exists())}
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for line in re.findall(r"`nox -s ([\w ]+)`", text) for name in line.split()} <= sessions


def test_every_error_that_the_page_on_receiving_names_exists() -> None:
    page = (ROOT / "docs" / "talking.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (`[A-Z]\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    assert named
    for name in re.findall(r"`(\w+)`", " ".join(named)):
        if name[1].islower():
            assert issubclass(getattr(errors, name), errors.LiveError)


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))  # a regular expression may look like a link
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target


# docs/migrating.md


def moved(script: str) -> str:
    """A script of google-genai, moved as the document says."""
    without_asyncio = re.sub(r"\b(async|await) ", "", script)
    official = "from google import genai\nfrom google.genai import types"
    assert official in without_asyncio
    return without_asyncio.replace(official, "import genai_live as genai\nfrom genai_live import types")


def test_the_moved_script_is_the_official_one_with_another_import_and_without_async_and_await() -> None:
    assert moved(blocks(MIGRATING, "py")[0]) == blocks(MIGRATING, "python")[0]


@pytest.mark.waits
def test_the_moved_script_answers_what_the_official_one_does() -> None:
    if find_spec("google.genai") is None:
        pytest.skip("google-genai is in the extra test")
    official = blocks(MIGRATING, "py")[0] + "import asyncio\nprint(asyncio.run(main('Hello')))"
    with beginning() as (directory, emulator):
        with LiveEmulator(tls=True, pace=0.0, voice=False) as secure:  # that client makes every address wss
            settings = {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": secure.url, "SSL_CERT_FILE": str(secure.ca_path)}
            settings["GOOGLE_GENAI_API_VERSION"] = "v1beta"  # its own default, v1, does not serve Live
            their_answer = run(official, None, directory, settings)
        our_answer = run(blocks(MIGRATING, "python")[0] + "print(main('Hello'))", emulator, directory)
    assert our_answer == their_answer == "You said: Hello\n"


@pytest.mark.waits
def test_every_example_of_the_javascript_page_runs_in_python() -> None:
    """They build on each other, as on the page: together they are one program."""
    with beginning() as (directory, emulator):
        printed = run("\n".join(blocks(MIGRATING, "python")[1:]), emulator, directory)
        kinds = {message.kind for message in emulator.received}
    assert "Connected to the socket." in printed
    assert "Received message from the server:" in printed
    assert "Connection closed: 1000" in printed
    assert "Connection established" in printed
    assert "image/png" in printed
    assert {"clientContent", "realtimeInput.mediaChunks", "realtimeInput.audio", "toolResponse"} <= kinds
