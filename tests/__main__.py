"""The whole suite on two processes: ``python -m tests``. Arguments go to pytest.

Files run beside each other, each whole in one process; then, beside no other, the tests marked ``alone``, which measure time
or play sound in real time. ``python -m pytest`` runs the same tests one after the other.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

RUNS = (
    ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--benchmark-disable", "-m", "not alone"),
    ("-m", "alone"),
)


def main(arguments: list[str]) -> int:
    """Runs both; the exit code of the first that failed. A run without a test is no failure when the other had some."""
    codes = [subprocess.run([sys.executable, "-m", "pytest", "-q", *run, *arguments], check=False).returncode for run in RUNS]
    failed = [code for code in codes if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)]
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
