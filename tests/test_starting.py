"""Ctrl-C at each moment of the command ``genai-live``: one line, the status of shells, and never a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import PATIENCE

PROGRAM = """
import atexit, signal, sys

moment, sys.argv[:] = sys.argv[1], ["genai-live", *sys.argv[2:]]
imported = 0

def look(event, arguments):
    global imported
    if event == "import":
        imported += 1
        if str(imported) == moment:
            signal.raise_signal(signal.SIGINT)

atexit.register(lambda: print(imported, file=sys.stderr) if moment == "never" else None)
atexit.register(lambda: signal.raise_signal(signal.SIGINT) if moment == "the end" else None)  # called first
import genai_live
sys.addaudithook(look)
from genai_live.__main__ import main
sys.exit(main())
"""
"""The command, which Ctrl-C reaches as it imports its n-th module."""
MOMENTS = 5


def run(moment: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, moment, *command], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be raised there as Ctrl-C raises it")
def test_ctrl_c_is_one_line_whenever_it_comes() -> None:
    command = ("chat", "--emulator", "--json")
    count = int(run("never", *command).stderr.splitlines()[-1])
    assert count > 20
    moments = [*(str(1 + number * (count - 1) // (MOMENTS - 1)) for number in range(MOMENTS)), "the end"]
    with ThreadPoolExecutor(3) as pool:
        for moment, ended in zip(moments, pool.map(lambda moment: run(moment, *command), moments), strict=True):
            assert (ended.returncode, ended.stderr.splitlines()) == (130, ["genai-live: interrupted"]), f"at import {moment}"


@pytest.mark.parametrize("module", ["genai_live", "genai_live.cli"])
def test_the_command_is_guarded_from_the_first_line_of_the_package_on(module: str) -> None:
    code = (
        "import runpy, signal, sys\n"
        "sys.argv[:] = ['-m']\n"  # what it is while Python looks for the module
        "import genai_live\n"
        "print(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)\n"
        f"sys.argv[:] = ['x', '--version']\nrunpy.run_module({module!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout.splitlines()[0], done.returncode) == ("True", 0)


def test_a_program_that_imports_the_library_keeps_its_ctrl_c() -> None:
    code = "import signal, genai_live; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "True\n"


@pytest.mark.skipif(sys.platform == "win32", reason="nohup and its like are not there")
def test_who_ignores_ctrl_c_for_the_command_is_obeyed() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = run("1", "--version")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.returncode == 0
