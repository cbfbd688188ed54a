"""Google's own tests of Live, music, tokens, transformers and types, from google-genai's wheel, run against this library.

``official_shim`` adapts their calls. What differs stands in ``data/official_differences.json``, each row with its reason.
``python -m tests.test_official_suites`` takes out of the table what agrees by now, and counts anew; a new row and its reason are
written by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

FILE = Path(__file__).parent / "data" / "official_differences.json"
TABLE = json.loads(FILE.read_text(encoding="utf-8"))
SUITES = ("live", "tokens", "transformers", "types")
WITHIN = 300.0
"""Seconds for some 570 tests on a machine that is busy; 20 on one that is not."""
GOOGLES_VARIABLES = ("GOOGLE_", "GEMINI_", "GENAI_")


def directory_in_the_wheel() -> Path:
    """Where they are; skips where they are not, or are others than those of the table."""
    try:
        release = version("google-genai")
    except PackageNotFoundError:
        pytest.skip("google-genai is in the extra test")
    if release != TABLE["release"]:
        pytest.skip(f"the table of differences is of google-genai {TABLE['release']}, and {release} is installed")
    spec = find_spec("google.genai")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "tests"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of each test."""
    return run_their_tests(tmp_path_factory.mktemp("official") / "outcomes.json")


def run_their_tests(file: Path) -> dict[str, str]:
    theirs = directory_in_the_wheel()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(GOOGLES_VARIABLES)}
    options = ["-q", "--tb=no", "-W", "ignore", "-p", "no:cacheprovider", "-p", "tests.official_shim"]
    options += ["-c", os.devnull, "--rootdir", str(theirs), "-o", "consider_namespace_packages=true"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(theirs / suite) for suite in SUITES)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        # The second variable keeps the tables of their tests from being written to a directory of recordings.
        env={**environment, "OFFICIAL_OUTCOMES": str(file), "UNITTEST_ON_FORGE": "1"},
        timeout=WITHIN,
        check=False,
    )
    assert file.exists(), done.stdout[-2_000:] + done.stderr[-2_000:]
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def rows() -> set[str]:
    """The tests that the table says differ: with their parameters, or without for all of them."""
    return {f"{file}::{test}" for file, reasons in TABLE["differences"].items() for tests in reasons.values() for test in tests}


def counted(outcomes: dict[str, str], what: str = "passed") -> dict[str, int]:
    """How many agree, of each suite; or have another outcome."""
    found = [test.partition("/")[0] for test, outcome in outcomes.items() if outcome == what]
    return {suite: found.count(suite) for suite in SUITES}


def tidied(outcomes: dict[str, str]) -> dict[str, Any]:
    """The table without rows that agree, and without reasons that nothing has."""
    found = differing(outcomes)
    found |= {test.partition("[")[0] for test in found}
    differences = {
        file: {
            reason: kept for reason, tests in reasons.items() if (kept := [each for each in tests if f"{file}::{each}" in found])
        }
        for file, reasons in TABLE["differences"].items()
    }
    used = {reason for reasons in differences.values() for reason in reasons}
    reasons = {reason: words for reason, words in TABLE["reasons"].items() if reason in used}
    return {**TABLE, "reasons": reasons, "differences": differences, "agreeing": counted(outcomes)}


def differing(outcomes: dict[str, Any]) -> set[str]:
    return {test for test, outcome in outcomes.items() if outcome == "failed"}


def test_nothing_differs_that_the_table_does_not_explain(outcomes: dict[str, str]) -> None:
    explained = rows()
    assert not sorted(test for test in differing(outcomes) if test not in explained and test.partition("[")[0] not in explained)


def test_every_row_of_the_table_differs_still(outcomes: dict[str, str]) -> None:
    found = differing(outcomes)
    gone = rows() - found - {test.partition("[")[0] for test in found}
    assert not gone, "these agree by now: take them out of the table"


def test_as_many_agree_as_the_table_counts(outcomes: dict[str, str]) -> None:
    """On a newer Python Google's suites skip some of their own."""
    agree, skipped = counted(outcomes), counted(outcomes, "skipped")
    for suite, count in TABLE["agreeing"].items():
        assert agree[suite] <= count <= agree[suite] + skipped[suite], suite


def test_every_difference_has_a_reason_and_every_reason_a_difference() -> None:
    used = {reason for reasons in TABLE["differences"].values() for reason in reasons}
    assert used == set(TABLE["reasons"])


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        FILE.write_text(json.dumps(tidied(run_their_tests(Path(directory) / "outcomes.json")), indent=1) + "\n", encoding="utf-8")
