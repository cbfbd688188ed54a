"""What the documents say is true: their snippets run, their commands and files exist, their links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from genai_live import __version__, cli, errors
from genai_live.emulator import LiveEmulator
from tests.shown_outputs import Block, blocks_of, complaint
from tests.voice_visitors import Page, served

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MIGRATING = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")

WITHIN = 120.0
"""Seconds for one snippet on a machine that may be busy."""


def blocks(document: str, language: str) -> list[str]:
    """The code of the blocks of one language."""
    return [block.code for block in blocks_of(document) if block.language == language]


AT_THE_TERMINAL, ON_A_PAGE, IN_A_NOTEBOOK, IN_A_SCRIPT = (block for block in blocks_of(README) if block.language == "python")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TOLD_ELSEWHERE = {"migrating.md", "emulator.md", "web.md", "deployment.md"}
"""Pages whose examples build on each other: below, tests/test_emulator_guide.py, tests/test_flask_voice.py."""
ON_PAGES = {
    f"{page.name} {number}": block
    for page in PAGES
    for number, block in enumerate(blocks_of(page.read_text(encoding="utf-8")), 1)
    if page.name not in TOLD_ELSEWHERE
}
EXAMPLES = {name: block for name, block in ON_PAGES.items() if block.language == "python"}
AT_A_PROMPT = {name: block for name, block in ON_PAGES.items() if block.language == "console"}


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


# What can be run


def check(block: Block, code: str | None = None) -> None:
    """Runs a block in a process of its own, beside an emulator: what the page shows is what comes."""
    with beginning() as (directory, emulator):
        (directory / "question.wav").write_bytes((ROOT / "genai_live/cli/data/question.wav").read_bytes())
        assert not complaint(block, run(code or block.code, emulator, directory))


def test_the_readme_begins_with_what_takes_ten_lines() -> None:
    assert README.index("## In ten lines") < README.index("```python") < README.index("```sh")
    for block in (AT_THE_TERMINAL, ON_A_PAGE, IN_A_NOTEBOOK, IN_A_SCRIPT):
        assert len([line for line in block.code.splitlines() if line]) <= 10


@pytest.mark.waits
def test_the_readmes_voice_at_the_terminal_tells_what_both_say() -> None:
    """With files in place of a sound card; tests/test_cli_voice.py runs it with one."""
    check(AT_THE_TERMINAL, AT_THE_TERMINAL.code.replace("Devices", "Files").replace("Files()", 'Files("question.wav", "a.wav")'))


def test_the_readmes_page_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    with LiveEmulator(voice=False) as emulator:
        monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", emulator.host)
        names: dict[str, Any] = {"__name__": "shop"}
        exec(ON_A_PAGE.code, names)
        with served(names["app"]) as url:
            with urllib.request.urlopen(url) as answer:
                assert answer.read().decode() == names["PAGE"]
            with Page(url) as page:
                page.comes("state_changed", state="listening")
                page.say("text", text="Hello!")
                assert page.comes("model_words", final=True)["text"] == "You said: Hello!"


@pytest.mark.waits
@pytest.mark.parametrize("block", [IN_A_NOTEBOOK, IN_A_SCRIPT], ids=["notebook", "script"])
def test_the_readmes_other_blocks_print_what_it_shows(block: Block) -> None:
    check(block)


@pytest.mark.waits
@pytest.mark.parametrize("block", EXAMPLES.values(), ids=EXAMPLES)
def test_every_example_of_the_documentation_prints_what_its_page_shows(block: Block) -> None:
    assert block.shows_output, "the page shows no output: a block of text behind it, or a comment # -> in it"
    check(block)


@pytest.mark.waits
@pytest.mark.parametrize("block", AT_A_PROMPT.values(), ids=AT_A_PROMPT)
def test_every_command_at_a_prompt_answers_what_its_page_shows(block: Block) -> None:
    """Both streams, as a terminal shows them, but without its drawing."""
    commands = re.findall(r"^\$ (.*)$", block.code, re.MULTILINE)
    answers = re.split(r"^\$ .*\n", block.code, flags=re.MULTILINE)[1:]
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with beginning() as (directory, emulator):
        for command, answer in zip(commands, answers, strict=True):
            host = {} if "No GEMINI_API_KEY is set" in answer else {"GENAI_LIVE_EMULATOR_HOST": emulator.host}
            done = subprocess.run(
                command.replace(".venv/bin/", ""),
                shell=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **host, "PATH": here},
                cwd=directory,
                timeout=WITHIN,
                check=True,
            )
            assert not complaint(Block("console", command, answer), done.stdout)


# docs/web.md, docs/deployment.md. tests/test_flask_voice.py, test_django_servers.py and test_moving.py talk to such apps.

AN_APP = """
import flask, simple_websocket, sys, types
from genai_live import Client
from genai_live.web.flask import LiveVoice

class Sock:  # what flask-sock does
    def __init__(self, app):
        self.app = app

    def route(self, path):
        accepted = lambda: simple_websocket.Server(flask.request.environ)
        return lambda view: self.app.add_url_rule(path, view.__name__, lambda: view(accepted()))

sys.modules["flask_sock"] = types.SimpleNamespace(Sock=Sock)
app, client = flask.Flask("shop"), Client(api_key="k")
app.secret_key = "k"
"""
A_PROJECT = """
SECRET_KEY, ROOT_URLCONF, ALLOWED_HOSTS, INSTALLED_APPS = "k", "shop.urls", ["*"], []
"""
WEB = {
    f"{page} {number}": block.code.replace("model=...", 'model="emulator"')
    for page in ("web.md", "deployment.md")
    for number, block in enumerate(blocks_of((ROOT / "docs" / page).read_text(encoding="utf-8")), 1)
    if block.language == "python"
}


@pytest.mark.waits
@pytest.mark.parametrize("code", [code for code in WEB.values() if "django.u" not in code], ids=lambda code: code.split()[1])
def test_every_block_on_flask_makes_an_app(code: str) -> None:
    if "RedisStore" in code:
        pytest.importorskip("redis", reason="redis is in the extra test-all")
    with beginning() as (directory, emulator):
        assert run(f"{AN_APP}\n{code}\nprint(app.url_map)", emulator, directory).count("Rule") > 1


@pytest.mark.waits
def test_the_blocks_on_django_make_a_project_with_its_sockets() -> None:
    for package in ("django", "channels"):
        pytest.importorskip(package, reason=f"{package} is in the extra test-all")
    urls, asgi = (code for code in WEB.values() if "django.u" in code)
    with beginning() as (directory, emulator):
        (directory / "shop").mkdir()
        (directory / "shop" / "__init__.py").touch()
        (directory / "shop" / "settings.py").write_text(A_PROJECT)
        (directory / "shop" / "urls.py").write_text(urls)
        (directory / "shop" / "asgi.py").write_text(asgi)
        script = "import shop.asgi, shop.urls; print(shop.urls.urlpatterns, sorted(shop.asgi.application.application_mapping))"
        printed = run(script, emulator, directory, {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(directory)})
        assert "voice/" in printed
        assert printed.endswith("['http', 'websocket']\n")


# What they compare by: tests/shown_outputs.py


@pytest.mark.parametrize(
    ("page", "printed", "is_shown"),
    [
        ("```python\nx\n```\n```text\na 2.5 s\n```\n", "a 2.61 s\n", True),
        ("```python\nx\n```\nIt prints:\n```text\na 2 s\n```\n", "a 3 s\n", False),
        ("```python\nx\n```\n```text\na … c\n…\nd\n```\n", "a b c\n1\n2\nd\n", True),
        ("```python\nx\n```\n```text\na … c\n```\n", "a\nb c\n", False),
        ("```python\nx\n```\n```text\na\n```\n", "a\nb\n", False),
        ("```python\nx  # -> a\ny  # -> b\n```\n", "a\nmore\nb\n", True),
        ("```python\nx  # -> a\ny  # -> b\n```\n", "b\na\n", False),
        ("```python\nx\n```\n", "a\n", True),
    ],
)
def test_what_is_shown_is_compared_but_for_numbers_with_a_point_and_dots(page: str, printed: str, *, is_shown: bool) -> None:
    (block,) = blocks_of(page)
    assert (complaint(block, printed) == "") is is_shown


# README.md, CONTRIBUTING.md


def test_the_readme_begins_with_the_lines_that_ci_runs() -> None:
    """.ci/run takes the first two shell lines from here, so that they cannot differ from what it checks."""
    shell = blocks(README, "sh")
    assert shell[0].strip().endswith(".venv/bin/genai-live demo")
    assert shell[1].strip().endswith(".venv/bin/python -m tests")
    assert all(block.count("\n") == 1 for block in shell), "one pasteable line each"


def test_every_command_of_the_page_on_the_command_line_is_one_of_it_and_the_other_way_round() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `genai-live (\w+)", page, re.MULTILINE)) == set(cli.COMMANDS)


def test_every_file_of_the_map_exists() -> None:
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`genai_live/.*?) \|", page, re.MULTILINE)
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


def test_every_hand_over_without_a_lock_that_the_page_lists_says_so_itself_and_the_other_way_round() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    section = page.partition("### Hand-overs without a lock\n")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"^\| (`.*?): ", section, re.MULTILINE) for name in re.findall(r"`([\w/]+\.py)`", row)}
    files = (ROOT / "genai_live").rglob("*.py")
    package = ROOT / "genai_live"
    saying = {file.relative_to(package).as_posix() for file in files if '"Hand-overs without a' in file.read_text("utf-8")}
    assert listed == saying


# CHANGELOG.md


def test_the_changelog_begins_with_the_version_of_the_package_and_so_do_the_pages() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings]
    assert all(versions), headings
    numbers = [tuple(map(int, version.groups()[:3])) for version in versions if version]
    assert numbers == sorted(set(numbers), reverse=True)
    assert headings[0].startswith(f"[{__version__}]")
    assert f"version {__version__}" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)$", changelog, re.MULTILINE)
    assert set(sections) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


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
        program = Block("python", "\n".join(blocks(MIGRATING, "python")[1:]), None)
        assert program.shows_output
        assert not complaint(program, run(program.code, emulator, directory))
        kinds = {message.kind for message in emulator.received}
    assert {"clientContent", "realtimeInput.mediaChunks", "realtimeInput.audio", "toolResponse"} <= kinds
