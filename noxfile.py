"""One command for everything that must hold, on every supported Python: ``nox``. Runs in environments of its own, under ``.nox``.

``nox -s tests-3.12 -- tests/test_session.py`` runs a part of it. Warnings are errors (``filterwarnings`` in setup.cfg), here as
everywhere.
"""

from __future__ import annotations

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")

nox.options.sessions = ["rules", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite; arguments after ``--`` go to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def rules(session: nox.Session) -> None:
    """Types, by the oldest Python's rules, and style."""
    session.install("-e", ".[test]")
    session.run("mypy")
    session.run("ruff", "check", "genai_live", "tests", "noxfile.py")
