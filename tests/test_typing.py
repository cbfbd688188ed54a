"""What users write is accepted by type checkers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.node_programs import FOLDER, node_with_packages

API = Path(__file__).with_name("typing_api.py")
MYPY = (sys.executable, "-m", "mypy", "--strict", f"--cache-dir={os.devnull}", "--config-file=", "--follow-imports=silent")
"""Without a cache: two that make the same one at the same time fail, once in six times (mypy 2.4.1, "INTERNAL ERROR")."""


@pytest.mark.waits
def test_mypy_strict_accepts_the_api_as_users_use_it() -> None:
    answer = subprocess.run(
        [*MYPY, str(API)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


@pytest.mark.waits
def test_mypy_strict_refuses_what_is_wrong() -> None:
    script = "from genai_live import Client, types\nClient(api_kay='k')\ntypes.Blob(dat=b'')\nClient().live.connect()\n"
    with TemporaryDirectory() as directory:
        wrong = Path(directory) / "wrong.py"
        wrong.write_text(script)
        answer = subprocess.run(
            [*MYPY, str(wrong)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert [f"wrong.py:{line}:" in answer.stdout for line in (2, 3, 4)] == [True, True, True], answer.stdout


@pytest.mark.waits
def test_pyright_accepts_the_api_as_users_use_it() -> None:
    pyright = [node_with_packages(), str(FOLDER / "node_modules" / "pyright" / "index.js")]
    answer = subprocess.run(
        [*pyright, "--pythonpath", sys.executable, str(API)], capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stdout
