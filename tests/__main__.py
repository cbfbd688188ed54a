"""The whole suite on several processes: ``python -m tests``. Arguments go to pytest.

Files run beside each other, each whole in one process; then, beside no other, the tests marked ``alone``, which measure time
or play sound in real time. ``python -m pytest`` runs the same tests one after the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REAL_PARTS = any(name.startswith("GENAI_LIVE_TEST_") for name in os.environ)
PROCESSES = (os.cpu_count() or 1) + (0 if REAL_PARTS else 2)
"""Two more than there are cores, as tests wait half of their time; not where browsers and sound servers need processors, too."""
BESIDE = ("-n", str(PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder", "--benchmark-disable", "-m", "not alone")
ALONE = ("-m", "alone")


def main(arguments: list[str]) -> int:
    """Runs both; the exit code of the first that failed. A run without a test is no failure when the other had some."""
    runs = (*BESIDE, *arguments), (*ALONE, *(arguments or files_with(".mark.alone")))
    codes = [subprocess.run([sys.executable, "-m", "pytest", "-q", *run], check=False).returncode for run in runs]
    failed = [code for code in codes if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)]
    return failed[0] if failed else min(codes)


def files_with(mark: str) -> list[str]:
    """Files of tests in which these words stand: to collect them all again would take 20 s."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    return [str(file) for file in files if mark in file.read_text(encoding="utf-8")]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
