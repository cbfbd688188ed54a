"""What must hold, as sessions of nox, each in an environment of its own under ``.nox``.

``nox`` runs the rules, and the suite with all that a machine can have. ``nox -s everything`` adds the other Pythons, the oldest
and newest packages, notebooks and soaks; a Python that is not installed is left out. ``nox -s tests-3.12 -- tests/test_wav.py``
runs a part of one. README.md's second line is the short list, ``.ci/run`` the middle one.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
FREE_THREADED = "3.14t"
BUILT_WITH_THE_LOCK = ("orjson", "gevent")
"""Packages that have no wheel for Pythons without the interpreter lock; their tests skip."""
KERNELS = ("ipykernel<7", "ipykernel>=7")
"""Before and after cells were run on a thread's own event loop."""
OFFICIAL = "google.genai"
"""Google's client needs newer packages than the oldest that this library takes."""
JUPYTERS = ("jupyter(6.30)", "jupyter(7.3)")
UNMEASURED = ("tests/test_ask_interrupted.py", "tests/test_speed.py")
"""Tests that coverage disturbs, and that disturb it: one sets a trace function of its own, one counts processor time."""

nox.options.sessions = ["rules", "complete"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


@nox.session
def rules(session: nox.Session) -> None:
    """Style, form and, by the oldest Python's rules, types."""
    session.install("-q", "-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict")


@nox.session
def complete(session: nox.Session) -> None:
    """The whole suite with speech recognition, and what of the library it reaches; fails below the floor in setup.cfg."""
    session.install("-q", "-e", ".[test-all]", "pytest-cov >= 7")
    session.run("python", "-m", "pytest", "-q", *UNMEASURED)
    # This package has a plugin, so pytest imports it before pytest-cov begins: that much is measured here.
    session.run("coverage", "run", "-m", "pytest", "--markers", silent=True)
    measured = ("--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0", *(f"--ignore={file}" for file in UNMEASURED))
    session.run("python", "-m", "tests", *measured, *session.posargs)
    session.run("coverage", "report")


@nox.session(python=(*PYTHONS, FREE_THREADED))
def tests(session: nox.Session) -> None:
    """README's second line on one Python; arguments after ``--`` go to pytest."""
    if session.python == FREE_THREADED:
        session.install("-q", "-e", ".", *(line for line in unfolded("test") if not line.startswith(BUILT_WITH_THE_LOCK)))
    else:
        session.install("-q", "-e", ".[test]")
    session.run("python", "-m", "tests", *session.posargs)


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """The oldest Python with the oldest packages that setup.cfg takes; all tests that do not need Google's client."""
    test_tools = [line for line in requirements("test") if not line.startswith(("%", "google-genai"))]
    session.install("-q", "-e", ".", *lower_bounds(), *test_tools)
    files = [str(file) for file in sorted(Path("tests").glob("test_*.py")) if OFFICIAL not in file.read_text(encoding="utf-8")]
    session.run("python", "-m", "tests", *(session.posargs or files))


@nox.session
def newest(session: nox.Session) -> None:
    """The newest packages that there are, pre-releases too."""
    session.install("-q", "--pre", "--upgrade", "--upgrade-strategy", "eager", "-e", ".[test]")
    session.run("python", "-m", "tests", *session.posargs)


@nox.session
@nox.parametrize("kernel", KERNELS, ids=["before", "since"])
def kernels(session: nox.Session, kernel: str) -> None:
    """Notebooks: cells of either kind of ipykernel."""
    session.install("-q", "-e", ".[test]", kernel)
    session.run("python", "-m", "pytest", "-q", "tests/test_processes.py", "-k", "notebook or kernel or loop")


@nox.session
@nox.parametrize("kernel", ["ipykernel==6.30.1", "ipykernel==7.3.0"], ids=["6.30", "7.3"])
def jupyter(session: nox.Session, kernel: str) -> None:
    """Notebooks in a browser, on kernels that handle a page's messages in different ways; the newest is in ``complete``."""
    session.install("-q", "-e", ".[test-all]", kernel)
    session.run("python", "-m", "pytest", "-q", "tests/test_jupyter.py", "tests/test_notebook.py")


@nox.session
def soak(session: nox.Session) -> None:
    """The long runs, about twenty minutes; arguments after ``--`` go to soak."""
    session.install("-q", "-e", ".[test]")
    session.run("python", "-m", "soak", *session.posargs)


@nox.session(venv_backend="none")
def everything(session: nox.Session) -> None:
    """All sessions above, one after the other."""
    of_pythons = [f"tests-{python}" for python in (*PYTHONS, FREE_THREADED)]
    for each in ("rules", "complete", *of_pythons, "oldest", "newest", "kernels(before)", "kernels(since)", *JUPYTERS, "soak"):
        session.notify(each)


def requirements(extra: str = "") -> list[str]:
    """The lines of setup.cfg that say what the library, or one of its extras, needs."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read("setup.cfg", encoding="utf-8")
    lines = setup["options.extras_require"][extra] if extra else setup["options"]["install_requires"]
    return [line for line in lines.splitlines() if line and not line.startswith("#")]


def unfolded(extra: str) -> list[str]:
    """The same with the lines of the extras that it names."""
    return [each for line in requirements(extra) for each in (unfolded(line[2:-2]) if line.startswith("%(") else [line])]


def lower_bounds() -> list[str]:
    """Each package that a user installs and that tests need, at its oldest."""
    extras = [line[2:-2] for line in requirements("test") if line.startswith("%(")]
    needed = requirements() + [line for extra in extras for line in unfolded(extra)]
    found = [re.match(r"([\w.-]+) *>= *([\w.]+)", line) for line in needed]
    return [f"{bound[1]}=={bound[2]}" for bound in found if bound]
