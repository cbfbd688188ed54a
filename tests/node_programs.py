"""Programs of the npm registry that tests need: installed from ``tests/js/package-lock.json`` when first asked for.

With GENAI_LIVE_TEST_NODE=required, as in continuous integration, a missing node or registry is a failure and not a skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"
REQUIRED = os.environ.get("GENAI_LIVE_TEST_NODE") == "required"
INSTALL_PATIENCE = 300.0


def give_up(reason: str) -> None:
    """Skips, or fails where node is required."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def node_with_packages() -> str:
    """The program node, with the packages of the lock file in ``FOLDER``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        give_up("node and npm are not installed")
    if not (FOLDER / "node_modules" / ".package-lock.json").is_file():
        command = [str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=INSTALL_PATIENCE)
        except subprocess.SubprocessError as error:
            give_up(f"npm could not install the packages of tests/js: {error}")
    return str(node)
