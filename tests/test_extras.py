"""The extras of setup.cfg: named rightly everywhere, each used by the code, and all that the code uses is in one."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from genai_live import _extras

ROOT = Path(__file__).parent.parent

SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def packages(requirements: str) -> set[str]:
    """Names of packages, without versions and markers."""
    return {name.lower() for name in re.findall(r"^[\w.-]+", requirements, re.MULTILINE)}


EXTRAS = {name: packages(requirements) for name, requirements in SETUP["options.extras_require"].items()}
REQUIRED = packages(SETUP["options"]["install_requires"])
FOR_DEVELOPERS = {"docs", "bench", "test", "test-all"}

PLACES = (
    *("genai_live/**/*.py", "samples/**/*.py", "samples/**/*.ipynb", "benchmarks/**/*.py", "soak/**/*.py", "tests/*.py"),
    *("docs/**/*.md", "docs/llms.txt", "*.md", ".ci/run", "noxfile.py"),
)
FILES = [file for place in PLACES for file in sorted(ROOT.glob(place)) if file != Path(__file__)]
SAYS = {file: file.read_text(encoding="utf-8") for file in FILES}
"""Every text that may name an extra."""

INSTALLED = re.compile(r"(?:genai-live|['\"]\.|/this/clone)\[([\w, -]+)\]|installing\(['\"]([\w-]+)['\"]\)")
ONCE_PUBLISHED = re.compile(
    r"genai-live\[|genai_live\[\w"
    r"|(?:pip|pipx|uv|poetry|conda)\b[\w -]*\b(?:install|add|run|tool)\b[^`\n&|;]*\bgenai[-_]live(?!/)\b"
    r"|github\.com/genai-live|readthedocs\.io/\w*/?genai|pypi\.org/project/genai|shields\.io"
)
"""What leads nowhere as long as no index has the package and no host its repository."""
NAMED = re.compile(r"\bextras? (?:``?([\w-]+)``?(?: and ``?([\w-]+)``?)?|(test)\b)")

MODULES = {
    "google": "google-auth",
    "websocket": "websocket-client",
    "dataclasses_json": "dataclasses-json",
    "docstring_parser": "docstring-parser",
    "simple_websocket": "simple-websocket",
    "pywebrtc_audio": "pywebrtc-audio",
}
"""Packages whose module has another name."""
TOLD_OTHERWISE = {
    "traitlets",  # comes with anywidget
    "pydantic",  # a caller whose functions take its models has it
    "PIL",  # comes with the image
    "certifi",  # comes with requests
    "socks",  # the error names PySocks, which only SOCKS proxies need
    "urllib3",  # comes with requests
    "pytest",  # runs genai_live.testing, not the other way round
    "typing_extensions",  # for type checkers
}
"""Modules that the code imports and no extra has, each for its reason."""

NEVER_IMPORTED = {
    "channels",  # a project's own asgi.py imports it, and gets patterns of ours
    "daphne",  # the server under which they run
}
"""Packages that an extra brings and the code does not import, each for its reason."""


def extras_named_in(text: str) -> set[str]:
    installed = {name.strip() for groups in INSTALLED.findall(text) for names in groups if names for name in names.split(",")}
    return installed | {name for names in NAMED.findall(text) for name in names if name}


@pytest.mark.parametrize("file", SAYS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_extra_that_a_text_names_exists(file: Path) -> None:
    assert extras_named_in(SAYS[file]) <= set(EXTRAS)


def test_a_name_is_found_in_every_form_in_which_texts_have_it() -> None:
    text = "pip install 'genai-live[a,b]'; pip install -e '.[c]'; extra `d`, (extra ``e``), extras `f` and `g`, the extra test"
    text += "; {installing('h')}; installing(\"i\")"
    assert extras_named_in(text) == {"a", "b", "c", "d", "e", "f", "g", "h", "i", "test"}


# What only works once it is published: until then every text says how to install from a clone.


def test_no_text_says_what_only_works_once_the_package_is_published() -> None:
    """With the release this test goes, and pages may say ``pip install genai-live``; errors do so by themselves."""
    for_readers = {file: text for file, text in SAYS.items() if file.parent != ROOT / "tests"}
    assert not {str(file): found for file, text in for_readers.items() if (found := ONCE_PUBLISHED.findall(text))}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "pip install 'genai-live[voice]'",
            "pip install genai-live",
            "python -m pip install -U genai-live",
            "uv add genai-live",
        ),
        *("install genai_live[tools]", "https://github.com/genai-live/genai_live/blob/main/x", "uv tool install genai-live"),
    ],
)
def test_what_only_works_once_published_is_found(text: str) -> None:
    assert ONCE_PUBLISHED.search(text)


@pytest.mark.parametrize(
    ("record", "command"),
    [
        (None, 'pip install "genai-live[voice]"'),
        ({"url": "file:///home/a%20b/genai_live", "dir_info": {}}, f'pip install "{Path("/home/a b/genai_live")}[voice]"'),
        ({"url": "file:///src", "dir_info": {"editable": True}}, f'pip install -e "{Path("/src")}[voice]"'),
        (
            {"url": "file:///x/genai_live-1-py3-none-any.whl", "archive_info": {}},
            f'pip install "{Path("/x/genai_live-1-py3-none-any.whl")}[voice]"',
        ),
        ({"url": "https://a/b.tar.gz", "archive_info": {}}, 'pip install "genai-live[voice] @ https://a/b.tar.gz"'),
        (
            {"url": "https://a/b.git", "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "1"}},
            'pip install "genai-live[voice] @ git+https://a/b.git@main"',
        ),
        (
            {"url": "https://user:secret@a/b.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            'pip install "genai-live[voice] @ git+https://a/b.git"',
        ),
        ({"url": "ssh://git@a/b.git", "vcs_info": {"vcs": "git"}}, 'pip install "genai-live[voice] @ git+ssh://git@a/b.git"'),
    ],
)
def test_an_error_says_how_to_install_an_extra_from_where_the_package_came(
    monkeypatch: pytest.MonkeyPatch, record: dict[str, Any] | None, command: str
) -> None:
    monkeypatch.setattr(_extras, "_record", lambda: record)
    assert _extras.installing("voice") == command


def test_the_record_is_the_installers_and_a_tree_that_was_never_installed_is_where_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "genai_live-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: genai-live\nVersion: 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert _extras.installing("voice") == 'pip install "genai-live[voice]"'
    (installed / "direct_url.json").write_text('{"url": "file:///clone", "dir_info": {}}')
    assert _extras.installing("voice") == f'pip install "{Path("/clone")}[voice]"'
    monkeypatch.setattr(sys, "path", [])
    assert _extras.installing("voice") == f'pip install -e "{ROOT}[voice]"'


def test_the_readme_names_every_extra_for_users_with_its_packages() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \(([^)]+)\) \|", SAYS[ROOT / "README.md"], re.MULTILINE)
    assert {name: set(brought.lower().split(", ")) for name, brought in rows} == {
        name: brought for name, brought in EXTRAS.items() if name not in FOR_DEVELOPERS
    }


def modules_used() -> set[str]:
    """Modules that the package imports, those of Python and its own left out."""
    used: set[str] = set()
    for file, text in SAYS.items():
        if (ROOT / "genai_live") in file.parents:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    used |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    used.add(node.module)
    return {module.partition(".")[0] for module in used} - set(sys.stdlib_module_names) - {"genai_live"}


def test_the_code_imports_every_package_of_an_extra_and_none_that_nobody_brings() -> None:
    for_users = set().union(*(brought for name, brought in EXTRAS.items() if name not in FOR_DEVELOPERS))
    used = {MODULES.get(module, module) for module in modules_used() - TOLD_OTHERWISE}
    assert used == (REQUIRED | for_users) - NEVER_IMPORTED


@pytest.mark.parametrize(
    ("package", "least", "reason"),
    [
        ("websocket-client", (1, 9, 1), "older ones take a redirect for an upgrade"),
        ("orjson", (3, 9, 15), "older ones crash the process on nested JSON"),
    ],
)
def test_no_bound_lets_a_dangerous_version_in(package: str, least: tuple[int, ...], reason: str) -> None:
    text = SETUP["options"]["install_requires"] + SETUP["options.extras_require"]["speed"]
    found = re.search(rf"^{package} >= ([\d.]+)", text, re.MULTILINE)
    assert found, package
    assert tuple(map(int, found[1].split("."))) >= least, reason
