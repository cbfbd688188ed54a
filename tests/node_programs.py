"""Programs of the npm registry that tests need: installed from ``tests/js/package-lock.json`` when first asked for.

A missing node or registry is a skip, and a failure with GENAI_LIVE_TEST_NODE=required (tests/needs.py).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"
INSTALL_PATIENCE = 300.0


def node_with_packages() -> str:
    """The program node, with the packages of the lock file in ``FOLDER``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    if not is_installed():
        command = [str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=INSTALL_PATIENCE)
        except subprocess.SubprocessError as error:
            pytest.skip(f"npm could not install the packages of tests/js: {error}")
    return str(node)


def is_installed() -> bool:
    """True when what is there was installed from the lock file as it is now."""
    installed = FOLDER / "node_modules" / ".package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime
