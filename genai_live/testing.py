"""Fixtures for tests of programs that use the Live API: a pytest plugin that comes with the package. Runs on the test's thread.

With genai_live installed, pytest knows ``live_emulator`` and ``live_client``; nothing has to be imported. A test of one's own
voice feature in ten lines::

    import pytest
    from genai_live.emulator import Scenario, steps

    @pytest.mark.live_emulator(scenario=Scenario(
        steps.Expect("prompt", text="weather"),
        steps.CallTool("get_weather", {"city": "Paris"}),
        steps.Expect("toolResponse"),
        steps.Reply("It is sunny in Paris."),
    ))
    def test_the_assistant_looks_up_the_weather(live_client):
        assert my_assistant(live_client, "How is the weather in Paris?") == "It is sunny in Paris."

A test of one's own pair of ears and mouth for ``genai_live.voice``::

    from genai_live.testing import check_sound_end

    def test_my_end_is_one():
        check_sound_end(lambda: MyEnd())

Code under test that makes its own ``Client()`` reaches the emulator too, because GENAI_LIVE_EMULATOR_HOST is set while the
fixture lives; so do programs in other languages that are started by the test and know that variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from genai_live import Client
    from genai_live.emulator import LiveEmulator
    from genai_live.voice import SoundEnd

__all__ = ["DEFAULTS", "MARKER", "check_sound_end", "live_client", "live_emulator", "pytest_configure"]

MARKER = "live_emulator"

DEFAULTS: dict[str, Any] = {"pace": 0.0, "voice": False}
"""What a test wants where the emulator's own defaults are for people: no waiting, and nothing that depends on the machine."""


def pytest_configure(config: pytest.Config) -> None:
    """pytest: makes the marker known."""
    config.addinivalue_line("markers", f"{MARKER}(**options): arguments of LiveEmulator for the fixture live_emulator")


@pytest.fixture
def live_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveEmulator]:
    """A running ``LiveEmulator`` that waits for nothing; ``@pytest.mark.live_emulator(...)`` gives it other arguments.

    A scenario given by the marker must have been played to its end when the test is over.
    """
    from genai_live.emulator import HOST_VARIABLE, LiveEmulator

    options = dict(DEFAULTS)
    # The closest marker wins: a function's over its class's over its module's.
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        options.update(marker.kwargs)
    with LiveEmulator(**options) as emulator:
        monkeypatch.setenv(HOST_VARIABLE, emulator.host)
        yield emulator
        if options.get("scenario") is not None or options.get("replay") is not None:
            emulator.assert_complete()


@pytest.fixture
def live_client(live_emulator: LiveEmulator) -> Client:
    """A ``Client`` that talks to ``live_emulator``."""
    from genai_live import Client

    options: dict[str, Any] = {"base_url": live_emulator.url}
    if live_emulator.ca_path is not None:
        options["ca_bundle"] = live_emulator.ca_path
    return Client(api_key="emulator", http_options=options)


def check_sound_end(make: Callable[[], SoundEnd], *, feeds: bool = True, patience: float = 10.0) -> None:
    """Fails, with a sentence, where an end does not keep the promises of ``genai_live.voice.SoundEnd``. Takes some seconds.

    What it promises about threads and time is measured: ``feed`` comes from one thread, in whole samples; ``play``,
    ``end_of_answer``, ``flush`` and ``show`` return at once; ``played`` never falls, and counts neither what was dropped nor
    silence; ten minutes fit; ``close`` ends it, twice, from any thread.

    Args:
        make: Makes an end that is not open yet; called for each promise, and closed.
        feeds: False for ends whose ears hear nothing by themselves.
        patience: Seconds in which something must happen that is to happen.

    Raises:
        AssertionError: the sentence says which promise is broken.
    """
    from genai_live.voice.conformance import check_all

    check_all(make, feeds=feeds, patience=patience)
