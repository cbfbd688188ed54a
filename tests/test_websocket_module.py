"""Whatever else is called ``websocket``: one sentence before anybody is dialled, and none of its code is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import live_server

CONNECT = """
import sys
sys.path.insert(0, sys.argv[2])
{before}
from genai_live import Client, errors
try:
    Client(api_key="k", http_options={{"base_url": sys.argv[1]}}).live.connect(model="m", timeout=20).close()
except errors.ConnectError as error:
    print(error, error.retryable)
else:
    print("connected")
"""
RUN_IT = "print('this code was run'); raise SystemExit(3)"
PYPI_PACKAGE = """
class WebSocket:
    def __init__(self, environ, socket, rfile):
        raise RuntimeError("of another kind")
"""
"""What the package ``websocket`` of PyPI has: a server's class of that name."""


def connecting(directory: Path, before: str = "") -> str:
    with live_server() as url:
        command = [sys.executable, "-c", CONNECT.format(before=before), url, str(directory)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stderr, ended.returncode) == ("", 0)
    return ended.stdout


def test_a_script_of_that_name_is_named_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "websocket.py").write_text(RUN_IT)
    said = connecting(tmp_path)
    assert f"Python finds {tmp_path / 'websocket.py'} where the package websocket-client should be: give it another name" in said
    assert said.endswith("False\n")
    assert "run" not in said


def test_a_script_that_the_program_has_imported_itself_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "websocket.py").write_text("WebSocket = 'mine'")
    assert str(tmp_path / "websocket.py") in connecting(tmp_path, "import websocket")


def test_a_package_of_the_programs_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "websocket").mkdir()
    (tmp_path / "websocket" / "__init__.py").write_text("")
    assert "give it another name" in connecting(tmp_path)


def test_the_package_of_that_name_on_pypi_is_told_with_what_to_install(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "websocket"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PYPI_PACKAGE)
    assert "pip uninstall websocket, then pip install --force-reinstall websocket-client" in connecting(package.parent)


NO_PACKAGES = "sys.path[:] = [each for each in sys.path if 'site-packages' not in each]"


@pytest.mark.parametrize("gone", ["sys.modules['websocket'] = None", NO_PACKAGES])
def test_none_at_all_is_told_with_what_to_install(gone: str, tmp_path: Path) -> None:
    assert "pip install websocket-client" in connecting(tmp_path, f"import genai_live; {gone}")


def test_a_folder_of_that_name_without_a_module_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "websocket").mkdir()
    assert connecting(tmp_path) == "connected\n"
