"""The documentation as a site: built without a warning, with every public name, and a list of its pages for machines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house_picture import PICTURE, picture

ROOT = Path(__file__).parent.parent
PARTS = ("docs", "genai_live")
WITHIN = 300.0
"""Seconds for a build on a machine that may be busy; it takes six."""
LISTED = re.findall(r"\]\(([\w./-]+)\)", (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    zensical = shutil.which("zensical", path=beside_python)
    if zensical is None:
        pytest.skip("the package zensical is not installed: it is in the extra docs")
    place = tmp_path_factory.mktemp("site")
    for part in PARTS:
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", place)
    done = subprocess.run(
        [zensical, "build", "--strict", "--clean"], cwd=place, capture_output=True, text=True, timeout=WITHIN, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "site"


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()


def test_the_reference_has_every_public_class_and_function(site: Path) -> None:
    shown = " ".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("index.html"))
    anchors = {name.rpartition(".")[2] for name in re.findall(r'id="genai_live\.([\w.]+)"', shown)}
    listed = (ROOT / "tests" / "data" / "public_names.txt").read_text(encoding="utf-8")
    public = set(re.findall(r"^genai_live\.[a-z_]+\.(\w+)(?: made by|\(|$)", listed, re.MULTILINE))
    assert len(public) > 200
    assert not public - anchors


def test_the_reference_says_what_the_fields_of_wire_types_mean(site: Path) -> None:
    shown = (site / "reference" / "types" / "index.html").read_text(encoding="utf-8")
    assert "The bytes themselves. Audio: 16-bit little-endian mono PCM." in shown


def test_every_page_stands_in_the_navigation_and_in_the_list_for_machines() -> None:
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    navigation = set(re.findall(r'= "([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    assert pages == navigation
    listed = {page for page in pages if not page.startswith("reference/")} - {"index.md"}
    assert set(LISTED) == {f"{page.removesuffix('.md')}/" for page in listed} | {"./", "reference/"}


def test_each_page_of_the_list_for_machines_is_there_beside_it(site: Path) -> None:
    assert (site / "llms.txt").exists()
    assert [link for link in LISTED if not (site / link / "index.html").exists()] == []


def test_the_picture_of_the_house_is_the_house() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "python -m tests.house_picture draws it anew"
