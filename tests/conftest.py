"""What every test stands on: no settings of the machine, and no thread left behind."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

import hypothesis
import hypothesis.strategies
import pytest

from tests.needs import complaint
from tests.side_by_side import SideBySide
from tests.waiting import PATIENCE

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

VARIABLES = (
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_USE_ENTERPRISE",
    "GOOGLE_GENAI_API_VERSION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GENAI_LIVE_EMULATOR_HOST",
    "GENAI_LIVE_MODEL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "waits: mostly waits, and does so beside the others of its module (tests/side_by_side.py)")
    config.addinivalue_line("markers", "alone: measures time or plays sound, so it runs beside no other (tests/__main__.py)")
    config.pluginmanager.register(SideBySide())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return failed_where_required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return failed_where_required((yield))


def failed_where_required(report: Report) -> Report:
    """The report of a test or module that has skipped, as a failure where this machine must have what it needs."""
    if report.skipped and isinstance(report.longrepr, tuple) and (words := complaint(report.longrepr[2])):
        report.outcome, report.longrepr = "failed", words
    return report


def pytest_collection_finish() -> None:
    """Ten thousand tests and their modules stay until the end: no garbage collection of a test has to look through them.

    Hypothesis first: with its first test it looks for who holds its source of chance, and does not see what is frozen.
    """
    if hasattr(gc, "freeze"):  # PyPy has no such thing
        hypothesis.given(hypothesis.strategies.none())(lambda nothing: None)()
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell script starts with "&" ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a defect, and a suite that decides on a change must say the same of the same code every time.
# `pytest --hypothesis-profile=default` looks for what it has not found yet.
hypothesis.settings.register_profile(
    "same every time", deadline=None, derandomize=True, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("same every time")


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    """A session that is closed has no thread; one that a test forgets is a defect of the test or of the library."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("genai-live-reader")]
    for thread in left:
        thread.join(PATIENCE)
    assert not [thread for thread in left if thread.is_alive()]
