"""Which skips are failures where everything is required."""

from __future__ import annotations

import pytest

from tests.needs import NEEDS, complaint, need_of

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("reason", "need"),
    [
        ("Skipped: the program espeak-ng is not installed", "SPEECH"),
        ("Skipped: a private sound server needs Linux and pw-play", "SOUND"),
        ("Skipped: node and npm are not installed", "NODE"),
        ("Skipped: the browser chromium is not installed", "BROWSER"),
        ("Skipped: needs the right to make network namespaces", "NAMESPACES"),
        ("Skipped: the platform has no fork", "PLATFORM"),
        ("Skipped: the standard library has had no audioop since Python 3.13", "PLATFORM"),
        ("Skipped: the program redis-server is not installed", "REDIS"),
        ("Skipped: PySocks is in the extra test", "PACKAGES"),
        ("Skipped: words that nobody thought of", "PACKAGES"),
    ],
)
def test_a_skip_is_for_want_of_the_need_that_its_reason_names(reason: str, need: str) -> None:
    assert need_of(reason) == need


@pytest.mark.parametrize("need", [*NEEDS, "PACKAGES"])
def test_a_need_that_is_not_required_is_no_complaint(need: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"GENAI_LIVE_TEST_{need}", raising=False)
    each = ("espeak-ng", "npm", "network namespaces", "fork", "numpy", "sound server", "the browser chromium", "redis-server")
    reasons = {need_of(reason): reason for reason in each}
    assert complaint(reasons[need]) == ""


SUITE = """
import pytest

def test_that_skips_inside():
    pytest.importorskip("no_such_package")

@pytest.mark.skipif(True, reason="the program espeak-ng is not installed")
def test_that_a_mark_skips(): ...

@pytest.mark.skipif(True, reason="the platform has no fork")
def test_of_another_platform(): ...
"""
PLUGIN = "from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport"


@pytest.mark.parametrize(
    ("required", "outcomes"),
    [
        ((), {"skipped": 3}),
        (("PACKAGES",), {"failed": 1, "skipped": 2}),
        (("PACKAGES", "SPEECH"), {"failed": 1, "errors": 1, "skipped": 1}),
    ],
)
def test_a_test_that_skips_for_want_of_what_is_required_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    for need in ("PACKAGES", "SPEECH"):
        monkeypatch.setenv(f"GENAI_LIVE_TEST_{need}", "required" if need in required else "")
    pytester.makeconftest(PLUGIN)
    pytester.makepyfile(SUITE)
    pytester.runpytest().assert_outcomes(**outcomes)


def test_a_module_that_skips_for_want_of_what_is_required_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_LIVE_TEST_PACKAGES", "required")
    pytester.makeconftest(PLUGIN)
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_package')")
    pytester.runpytest().assert_outcomes(errors=1)
