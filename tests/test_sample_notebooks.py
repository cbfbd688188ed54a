"""The notebooks of the samples run as they are, and show what they were kept with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sample_notebooks import NOTEBOOKS, kept, read, run

LARGEST = 1_500_000
"""Bytes of a notebook with its outputs: it is looked at on the web."""


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_to_its_end_and_shows_what_it_was_kept_with(file: Path) -> None:
    for package in ("nbclient", "anywidget", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is in the extra test-all")
    assert kept(run(file)) == kept(read(file))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_is_kept_with_its_outputs_and_without_traces_of_the_machine(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in cells) >= len(cells) // 2
    assert all(cell["execution_count"] for cell in cells)
    assert len(text) < LARGEST
    assert "/root" not in text
    assert "/home" not in text
